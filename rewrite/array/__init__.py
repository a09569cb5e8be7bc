"""Arrays of terms: the class, and the tables that answer NumPy's protocols, by concept."""

from rewrite.array import (  # noqa: F401 - each enters its functions in the tables
    calculus,
    choices,
    creation,
    einsum,
    linalg,
    products,
    reductions,
    shapes,
    ufuncs,
)
from rewrite.array.core import TermArray, asarray, elementwise
from rewrite.array.element import Element
from rewrite.array.protocol import numpy_functions, trace_function, trace_ufunc

__all__ = [
    "Element", "TermArray", "asarray", "elementwise", "numpy_functions", "trace_function",
    "trace_ufunc",
]  # fmt: skip
