"""Ordinary differential equations: right-hand sides and Jacobians as kernels for solvers."""
