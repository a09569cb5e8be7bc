"""What failed while code was compiled inside of a call, where nothing can be raised.

NumPy goes on after its loop whatever happened there. So what fails is noted, results are NaN, and
what called NumPy raises: the guard of a kernel, whose machine code looks at the count.
"""

import ctypes
from collections.abc import Callable
from typing import Any, NoReturn

from rewrite.errors import CompilationError

__all__ = ["Failure", "words"]


class Failure:
    """What failed last in the code of one kernel, and how often calls have met it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._count = ctypes.c_int64()
        self._error: BaseException | None = None
        self._interruption: BaseException | None = None
        self._what = ""

    @property
    def address(self) -> int:
        """Where the count is, as long as this object is."""
        return ctypes.addressof(self._count)

    def note(self, error: BaseException, what: str) -> None:
        """Note that a call has results that are not there."""
        self._error, self._what = error, what
        self._count.value += 1

    def watched[**P, R](self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call, and raise `CompilationError` where that has met a failure."""
        before = self._count.value
        result = call(*args, **kwargs)
        if self._count.value != before:
            self.raised()
        return result

    def look(self) -> None:
        """Raise `CompilationError` if anything has failed before."""
        if self._count.value:
            self.raised()

    def raised(self, *_: Any, **__: Any) -> NoReturn:
        """Say what failed; an interruption is one where it was met, and a failure afterwards."""
        error = self._error
        assert error is not None
        if not isinstance(error, Exception) and error is not self._interruption:
            self._interruption = error
            raise error
        raise self.said(error, self._what) from error

    def said(self, error: BaseException, what: str) -> CompilationError:
        """Put a failure into words."""
        reason = f"{type(error).__name__}: {error}"
        return CompilationError(f"the {what} of kernel {self.name!r} could not be made: {reason}")


def words(dtype: str, kind: str = "code") -> str:
    """Name code by its float type."""
    return f"{kind} for {'float64' if dtype == 'f64' else 'float32'}"
