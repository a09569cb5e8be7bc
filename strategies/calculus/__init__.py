"""Differentiation: rules from the op rows, forward and reverse mode, sparsity, colouring."""
