"""Threads that take part in a call: native ones, which share its work without Python."""
