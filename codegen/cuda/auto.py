"""`target="auto"`: one kernel that runs where its arguments are."""

import threading
from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from typing import Any, Final, Literal

import numpy as np

from codegen.cuda import runtime
from codegen.cuda.arrays import is_on_device
from codegen.cuda.kernel import CudaKernel
from codegen.kernel import Kernel
from rewrite.display import Displayed
from rewrite.errors import ArgumentError

__all__ = ["AutoKernel"]


class AutoKernel(Displayed):
    """A kernel of the CPU, and one of the GPU that is made when the first array comes from there.

    Arrays on a device stay there and come back as their library's; NumPy's stay on the CPU. What
    is asked of it beside is asked of the kernel of the CPU.
    """

    def __init__(self, host: Kernel, make: Callable[[], CudaKernel]) -> None:
        self.host = host
        self._make = make
        self._device: CudaKernel | None = None
        self._lock = threading.Lock()
        self.__name__, self.__doc__ = host.__name__, host.__doc__
        note = f"target='auto': {self.where}"
        if host.report is not None and note not in host.report.notes:
            host.report.notes.append(note)

    @property
    def where(self) -> str:
        """Say where it runs, and why."""
        lacking = runtime.missing()
        if lacking:
            return f"runs on the CPU; {lacking}"
        return "runs where its arguments are: NumPy's arrays on the CPU, others on their device"

    @property
    def device(self) -> CudaKernel:
        """The kernel of the GPU; raise `TargetError` that says what is missing for it."""
        if self._device is None:
            with self._lock:
                self._device = self._device or self._make()
        return self._device

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the one or the other."""
        if any(map(is_on_device, args)):
            return self.device(*args, **kwargs)
        kwargs.pop("stream", None)  # the CPU has none
        return self.host(*args, **kwargs)

    def reduce(
        self, op: Literal["sum", "prod", "max", "min"], *args: Any, axis: int | None = None,
        bounds: Any = None, stream: Any = None,
    ) -> Any:  # fmt: skip
        """Fold the results over the batch, as `CudaKernel.reduce` does; on the CPU by NumPy."""
        if any(map(is_on_device, args)):
            return self.device.reduce(op, *args, axis=axis, bounds=bounds, stream=stream)
        values = self.host(*args)
        if isinstance(values, dict):
            return {name: _folded(op, value, axis, bounds) for name, value in values.items()}
        if isinstance(values, tuple):
            return tuple(_folded(op, value, axis, bounds) for value in values)
        return _folded(op, values, axis, bounds)

    def batch(self, calls: Sequence[Any], *, reduce: Any = None, stream: Any = None) -> Any:
        """Return the results of many calls, as `CudaKernel.batch` does; on the CPU one by one."""
        given = [args if isinstance(args, tuple) else (args,) for args in calls]
        if any(map(is_on_device, chain.from_iterable(given))):
            return self.device.batch(given, reduce=reduce, stream=stream)
        if reduce is None:
            return [self.host(*args) for args in given]
        folded = [self.reduce(reduce, *args) for args in given]
        if isinstance(folded[0], dict):
            return {name: np.array([each[name] for each in folded]) for name in folded[0]}
        found = np.array(folded)
        return tuple(found.T) if isinstance(folded[0], tuple) else found

    def __eq__(self, other: object) -> bool:
        """Compare the kernels of the CPU."""
        return self.host == other.host if isinstance(other, AutoKernel) else NotImplemented

    def __hash__(self) -> int:
        """Hash what is compared."""
        return hash(self.host)

    def __repr__(self) -> str:
        """Show the kernel and where it runs."""
        return f"<AutoKernel of {self.host!r}: {self.where}>"

    def _repr_html_(self) -> str:
        from codegen.look import kernel_html

        return kernel_html(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the kernel of the CPU and how the other one is made."""
        return AutoKernel, (self.host, self._make)

    def __getattr__(self, name: str) -> Any:
        """Ask the kernel of the CPU."""
        if name in ("host", "_make", "_device", "_lock"):
            raise AttributeError(name)
        return getattr(self.host, name)


_FOLDS: Final[dict[str, tuple[np.ufunc, float]]] = {
    "sum": (np.add, 0.0), "prod": (np.multiply, 1.0), "max": (np.maximum, -np.inf),
    "min": (np.minimum, np.inf),
}  # fmt: skip


def _folded(op: str, values: Any, axis: int | None, bounds: Any) -> Any:
    """Fold an array of the CPU."""
    if op not in _FOLDS:
        raise ArgumentError(f"there is no reduction {op!r}; {', '.join(_FOLDS)}")
    fold, start = _FOLDS[op]
    if bounds is not None:
        return np.array([fold.reduce(values[a:b], initial=start) for a, b in pairwise(bounds)])
    return fold.reduce(values, axis=axis, initial=start)
