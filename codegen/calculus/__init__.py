"""Derivatives that run: of NumPy functions, through time, over meshes, in SciPy's sparse arrays."""
