"""Arrays on a device for the tests of CUDA kernels: of a library that nobody knows."""

from typing import Any

import numpy as np
import pytest


class _Space:
    """The names of a library that the array API standard asks for."""

    float32, float64, int32, bool = np.float32, np.float64, np.int32, np.bool_

    @staticmethod
    def empty(shape: tuple[int, ...], dtype: Any, device: Any) -> "Box":
        return Box(np.zeros(shape, dtype))


class Box:
    """An array with `__cuda_array_interface__`: under the simulator, device memory is the host's.

    A view of a NumPy array keeps its strides, of what is on the device a copy of.
    """

    device = "cuda:0"

    def __init__(self, array: Any) -> None:
        from numba import cuda

        base = array
        while isinstance(base.base, np.ndarray):
            base = base.base
        self.shape, self.dtype = array.shape, array.dtype
        self._strides = array.strides
        self._offset = array.ctypes.data - base.ctypes.data
        self._held = cuda.to_device(base)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        simulated = getattr(self._held, "_ary", None)
        start = (
            simulated.ctypes.data
            if simulated is not None
            else self._held.__cuda_array_interface__["data"][0]
        )
        return {
            "shape": self.shape, "strides": self._strides, "typestr": np.dtype(self.dtype).str,
            "data": (start + self._offset, False), "version": 3,
        }  # fmt: skip

    def __array_namespace__(self) -> type[_Space]:
        return _Space

    def reshape(self, shape: tuple[int, ...]) -> "Box":
        made = Box.__new__(Box)
        made.__dict__ |= self.__dict__
        made.shape = shape
        made._strides = np.zeros(shape, self.dtype).strides
        return made

    def numpy(self) -> Any:
        """Copy it to the host."""
        whole = self._held.copy_to_host()
        return np.ndarray(self.shape, self.dtype, whole, self._offset, self._strides)


@pytest.fixture
def box() -> type[Box]:
    """Put a NumPy array on the device, its strides kept."""
    return Box


@pytest.fixture
def only_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write loops for few instances too, as for many."""
    monkeypatch.setattr("codegen.loops.plan._FEW", 0)
