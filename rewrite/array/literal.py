"""Whether products with matrices of numbers are written out in full, or without their zeros.

A person writes a tridiagonal matrix as a dense array. Written out, each row of a product has all
its zeros times all elements. `0*x` is 0 only where x is finite, and a sum may lose the sign of a
zero: so zeros are left out under a licence that grants that, and ones with them. In NumPy,
`0*inf` is a NaN, which then is not seen.
"""

import contextlib
import contextvars
from collections.abc import Iterator

from rewrite.fastmath import FastMath

__all__ = ["built_under", "drops_zeros"]

_NEEDED = FastMath.NNAN | FastMath.NINF | FastMath.NSZ
_LICENCE: contextvars.ContextVar[FastMath] = contextvars.ContextVar(
    "rewrite_built_under", default=FastMath.NONE
)


def drops_zeros() -> bool:
    """Tell whether zeros of dense matrices of numbers are left out of products."""
    return _NEEDED in _LICENCE.get()


@contextlib.contextmanager
def built_under(licence: FastMath) -> Iterator[None]:
    """Build terms in a context where the caller has granted a licence."""
    token = _LICENCE.set(licence)
    try:
        yield
    finally:
        _LICENCE.reset(token)
