"""Kernels on disk: what was compiled before is loaded, and nothing is searched or emitted."""
