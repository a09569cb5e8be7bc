"""Kernels for C: a header and an object file or shared library, without any Python."""
