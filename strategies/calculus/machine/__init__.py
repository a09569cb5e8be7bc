"""The compiled passes of differentiation: what they write, and the ways down and up."""
