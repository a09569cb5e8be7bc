"""Arrays on a device, whichever library they are of, and the views that kernels take.

An array is known by `__cuda_array_interface__` or by DLPack. Nothing is copied: a kernel gets a
view with the strides, and broadcast axes have stride 0. Results are made by the library of the
first device argument, and come back as its arrays.
"""

import ctypes
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Final

import numpy as np

from codegen.cuda import runtime
from codegen.cuda.dlpack import CUDA_DEVICES, contiguous, tensor_of
from codegen.cuda.libraries import library_of

__all__ = ["View", "broadcast", "described", "handle", "is_on_device", "joined", "like", "view_of"]


@dataclass(frozen=True, slots=True)
class View:
    """Memory of a device, as an array: strides in bytes."""

    pointer: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]
    device: int
    owner: Any
    stream: int | None = None
    """That on which the array is being written, as its library says."""

    @property
    def size(self) -> int:
        """Return the number of elements."""
        return prod(self.shape)

    @property
    def extent(self) -> tuple[int, int]:
        """Return the first address and that behind the last."""
        if not self.size:
            return self.pointer, self.pointer
        steps = [(n - 1) * step for n, step in zip(self.shape, self.strides, strict=True)]
        low = self.pointer + sum(step for step in steps if step < 0)
        high = self.pointer + sum(step for step in steps if step > 0)
        return low, high + self.dtype.itemsize

    def overlaps(self, other: "View") -> bool:
        """Tell whether memory may be shared."""
        return self.extent[0] < other.extent[1] and other.extent[0] < self.extent[1]

    def same_place(self, other: "View") -> bool:
        """Tell whether both are the very same elements."""
        return (self.pointer, self.shape, self.strides) == (
            other.pointer, other.shape, other.strides,
        )  # fmt: skip


def is_on_device(value: Any) -> bool:
    """Tell whether an argument is an array on a CUDA device, without touching it."""
    if isinstance(value, (np.ndarray, np.generic, int, float, bool)):
        return False
    kind = type(value)
    if getattr(kind, "__cuda_ndarray__", False):
        return True
    # PyTorch's tensors of the CPU have the attribute, and raise when it is read
    if hasattr(kind, "__cuda_array_interface__") and hasattr(value, "__cuda_array_interface__"):
        return True
    where = getattr(value, "__dlpack_device__", None)
    return where is not None and int(where()[0]) in CUDA_DEVICES


def described(value: Any) -> tuple[tuple[int, ...], bool]:
    """Return the shape of an array on a device, and whether it holds truth values."""
    kind = str(value.dtype).rpartition(".")[2]  # PyTorch writes torch.bool
    return tuple(value.shape), kind == "bool"


def view_of(value: Any) -> View | None:
    """Return the view of an array on a device; None for anything else."""
    if not is_on_device(value):
        return None
    interface = getattr(value, "__cuda_array_interface__", None)
    if interface is not None:
        return _from_interface(value, interface)
    if getattr(type(value), "__cuda_ndarray__", False):  # Numba's simulated arrays
        return _from_host(value)
    tensor = tensor_of(value)
    if tensor is None:
        return None
    return View(
        tensor.pointer, tensor.shape, tensor.strides, tensor.dtype,
        int(value.__dlpack_device__()[1]), (value, tensor.owner),
    )  # fmt: skip


def _from_interface(value: Any, interface: dict[str, Any]) -> View:
    dtype = np.dtype(interface["typestr"])
    shape = tuple(interface["shape"])
    strides = interface.get("strides") or contiguous(shape, dtype.itemsize)
    stream = interface.get("stream")
    return View(
        int(interface["data"][0] or 0), shape, tuple(strides), dtype, _device_of(value), value,
        stream,
    )  # fmt: skip


def _from_host(value: Any) -> View:
    array = value._ary if hasattr(value, "_ary") else value
    return View(array.ctypes.data, array.shape, array.strides, array.dtype, 0, value)


def _device_of(value: Any) -> int:
    """Return the number of an array's device."""
    where = getattr(value, "__dlpack_device__", None)
    if where is not None:
        return int(where()[1])
    data = getattr(value, "gpu_data", None)  # Numba's
    context = getattr(data, "context", None)
    return int(context.device.id) if context is not None else 0


def broadcast(view: View, shape: tuple[int, ...], core: int, *, last: bool = False) -> View:
    """Return a view whose axes outside its `core` ones have a shape; `last` has the batch last.

    The core axes come last in the result.
    """
    outer = len(view.shape) - core
    axes = range(len(view.shape))
    order = [*axes[core:], *axes[:core]] if last else list(axes)
    sizes = [view.shape[axis] for axis in order]
    steps = [view.strides[axis] for axis in order]
    missing = len(shape) - outer
    own = [0 if size == 1 else step for size, step in zip(sizes, steps, strict=True)][:outer]
    return replace(
        view, shape=(*shape, *sizes[outer:]), strides=(*[0] * missing, *own, *steps[outer:])
    )


def joined(
    views: list[View], shape: tuple[int, ...], *, ordered: bool = False
) -> tuple[tuple[int, ...], list[View]]:
    """Join neighbouring axes of the batch where all strides allow, and drop those of 1.

    The order is that of the last view's memory, or the given one if it is to be kept. Return the
    sizes of the axes that are left, at least one, and the views with them.
    """
    rank = len(shape)
    order = list(range(rank))
    if not ordered and views:
        order.sort(key=lambda axis: -abs(views[-1].strides[axis]))
    sizes: list[int] = []
    steps: list[list[int]] = []  # for each axis, those of all views
    for axis in order:
        if shape[axis] == 1:
            continue
        here = [view.strides[axis] for view in views]
        if sizes and steps[-1] == [step * shape[axis] for step in here]:
            sizes[-1] *= shape[axis]
            steps[-1] = here
        else:
            sizes.append(shape[axis])
            steps.append(here)
    if not sizes:
        sizes, steps = [1], [[0] * len(views)]
    made = [
        replace(
            view, shape=(*sizes, *view.shape[rank:]),
            strides=(*[step[number] for step in steps], *view.strides[rank:]),
        )
        for number, view in enumerate(views)
    ]  # fmt: skip
    return tuple(sizes), made


class _Described:
    """An owner of an interface, as Numba takes it."""

    def __init__(self, view: View) -> None:
        self.__cuda_array_interface__ = {
            "shape": view.shape, "strides": view.strides, "typestr": view.dtype.str,
            "data": (view.pointer, False), "version": 3,
        }  # fmt: skip
        self.view = view


def handle(view: View) -> Any:
    """Return what Numba's kernels take for a view."""
    if not runtime.is_simulated():
        described = _Described(view)
        # the caller has ordered the streams
        return runtime.cuda().as_cuda_array(described, sync=False)
    from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

    return FakeCUDAArray(_host_array(view))


def _host_array(view: View) -> "np.ndarray[Any, Any]":
    """Return simulated device memory, which is the host's."""
    low, high = view.extent
    if low == high:
        return np.empty(view.shape, view.dtype)
    memory = (ctypes.c_char * (high - low)).from_address(low)
    return np.ndarray(view.shape, view.dtype, memory, view.pointer - low, view.strides)


PACK_BYTES: Final = 16
"""The widest load of a thread."""


def like(array: Any, values: "np.ndarray[Any, Any]") -> Any:
    """Copy values of the host to an array of the library and device of another one."""
    made = library_of(array).empty(values.shape, values.dtype, array)
    view = view_of(made)
    assert view is not None
    handle(view).copy_to_device(np.ascontiguousarray(values))
    return library_of(array).finish(made)


def is_packed(view: View, dtype: np.dtype[Any]) -> bool:
    """Tell whether a view of one loop axis can be read in aligned packs."""
    return (
        view.dtype == dtype
        and len(view.shape) == 1
        and view.strides[0] == dtype.itemsize
        and view.pointer % PACK_BYTES == 0
    )
