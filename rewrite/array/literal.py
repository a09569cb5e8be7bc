"""What a trace may do beyond writing down what is there: drop zeros, compute with known numbers.

Outside of a trace construction is literal. In one, an array that a function has made and filled
with numbers is worth those numbers, as it is in NumPy: what is computed from them alone may be
an index, a mask or a choice.

A person writes a tridiagonal matrix as a dense array. Written out, each row of a product has all
its zeros times all elements. `0*x` is 0 only where x is finite, and a sum may lose the sign of a
zero: so zeros are left out under a licence that grants that. In NumPy, `0*inf` is a NaN, which
then is not seen.
"""

import contextlib
import contextvars
from collections.abc import Iterator

from rewrite.fastmath import FastMath

__all__ = ["built_under", "drops_zeros", "in_trace"]

_NEEDED = FastMath.NNAN | FastMath.NINF | FastMath.NSZ
_LICENCE: contextvars.ContextVar[FastMath | None] = contextvars.ContextVar(
    "rewrite_built_under", default=None
)


def in_trace() -> bool:
    """Tell whether a function is being traced."""
    return _LICENCE.get() is not None


def drops_zeros() -> bool:
    """Tell whether zeros of dense matrices of numbers are left out of products."""
    granted = _LICENCE.get()
    return granted is not None and _NEEDED in granted


@contextlib.contextmanager
def built_under(licence: FastMath) -> Iterator[None]:
    """Trace a function whose caller has granted a licence."""
    token = _LICENCE.set(licence)
    try:
        yield
    finally:
        _LICENCE.reset(token)
