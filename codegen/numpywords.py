"""What a `numpy.ufunc` has beside its call, for those who ask a kernel for it."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from codegen.kernel import Kernel

__all__ = ["Counted"]


class Counted:
    """The part of `Kernel` that has NumPy's names: counts, types, and methods of two arguments.

    The methods are those of the ufunc: `reduce`, `accumulate`, `reduceat`, `outer` and `at` do
    there what NumPy's own do.
    """

    @property
    def _ufunc(self) -> np.ufunc:
        return cast("Kernel", self).quiet

    def _watched(self, method: str, *args: Any, **options: Any) -> Any:
        failure = cast("Kernel", self).failure
        return failure.watched(getattr(self._ufunc, method), *args, **options)

    @property
    def nin(self) -> int:
        """The number of arguments."""
        return len(cast("Kernel", self).program.arguments)

    @property
    def nout(self) -> int:
        """The number of results."""
        return self._ufunc.nout

    @property
    def nargs(self) -> int:
        """The number of arguments and results."""
        return self.nin + self.nout

    @property
    def types(self) -> list[str]:
        """The types of its loops in NumPy's letters, such as 'dd->d'."""
        return self._ufunc.types

    @property
    def ntypes(self) -> int:
        """The number of its loops."""
        return self._ufunc.ntypes

    @property
    def identity(self) -> None:
        """No kernel has a value to begin reductions with: give `initial=`."""
        return None

    @property
    def signature(self) -> str | None:
        """The shapes of arguments and results, such as '(3),()->(2)'; None for single numbers."""
        return self._ufunc.signature

    def resolve_dtypes(self, dtypes: Any, **options: Any) -> Any:
        """Return the dtypes that a call with these would compute in; see `numpy.ufunc`."""
        return self._ufunc.resolve_dtypes(dtypes, **options)

    def reduce(self, array: Any, *args: Any, **options: Any) -> Any:
        """Reduce an axis by a kernel of two numbers; see `numpy.ufunc.reduce`."""
        return self._watched("reduce", array, *args, **options)

    def accumulate(self, array: Any, *args: Any, **options: Any) -> Any:
        """Accumulate along an axis by a kernel of two numbers."""
        return self._watched("accumulate", array, *args, **options)

    def reduceat(self, array: Any, indices: Any, *args: Any, **options: Any) -> Any:
        """Reduce slices of an axis by a kernel of two numbers."""
        return self._watched("reduceat", array, indices, *args, **options)

    def outer(self, first: Any, second: Any, **options: Any) -> Any:
        """Apply a kernel of two numbers to all pairs."""
        return self._watched("outer", first, second, **options)

    def at(self, array: Any, indices: Any, *others: Any) -> None:
        """Apply a kernel in place, unbuffered, at these indices."""
        self._watched("at", array, indices, *others)
