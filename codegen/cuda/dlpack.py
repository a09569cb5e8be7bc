"""Arrays of other libraries through DLPack: pointer, shape, strides, dtype and device.

For what has no `__cuda_array_interface__`. The layout is that of `dlpack.h`, before and from
version 1.0 on; a library hands over the older one where no version is asked for.
"""

import ctypes
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

__all__ = ["CUDA_DEVICES", "Tensor", "tensor_of"]

CUDA_DEVICES: Final = (2, 13)
"""kDLCUDA and kDLCUDAManaged."""

_DEFAULT_STREAM: Final = 1  # the legacy one, by the standard's number
_KINDS: Final = {0: "i", 1: "u", 2: "f", 5: "c", 6: "b"}  # of DLDataTypeCode
_NAME: Final = b"dltensor"
_USED: Final = b"used_dltensor"


class _DLTensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class _Managed(ctypes.Structure):
    """`DLManagedTensor`: what a capsule of the name "dltensor" points to."""


_DELETER: Final = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Managed))
_Managed._fields_ = (("tensor", _DLTensor), ("context", ctypes.c_void_p), ("deleter", _DELETER))


@dataclass(frozen=True, slots=True)
class Tensor:
    """What a capsule says; `owner` keeps the memory."""

    pointer: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In bytes."""
    dtype: np.dtype[Any]
    owner: Any


class _Owner:
    """The capsule's tensor, given back to its library when the last view goes."""

    def __init__(self, managed: Any) -> None:
        self._managed = managed

    def __del__(self) -> None:
        if self._managed.contents.deleter:
            self._managed.contents.deleter(self._managed)


def tensor_of(value: Any) -> Tensor | None:
    """Take over a tensor of a library, ready on CUDA's default stream; None for odd dtypes."""
    capsule = value.__dlpack__(stream=_DEFAULT_STREAM)
    managed = ctypes.cast(_pointer(capsule), ctypes.POINTER(_Managed))
    _api("PyCapsule_SetName", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(capsule, _USED)
    owner = _Owner(managed)
    held = managed.contents.tensor
    kind = _KINDS.get(held.code)
    if kind is None or held.lanes != 1:
        return None
    dtype = np.dtype("bool" if kind == "b" else f"{kind}{held.bits // 8}")
    shape = tuple(held.shape[axis] for axis in range(held.ndim))
    if held.strides:
        strides = tuple(held.strides[axis] * dtype.itemsize for axis in range(held.ndim))
    else:
        strides = contiguous(shape, dtype.itemsize)
    return Tensor((held.data or 0) + held.byte_offset, shape, strides, dtype, owner)


def contiguous(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return the strides in bytes of a contiguous array, the last axis first in memory."""
    strides, step = [], itemsize
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def _pointer(capsule: Any) -> int:
    get = _api("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    return int(get(capsule, _NAME))


def _api(name: str, result: Any, *arguments: Any) -> Any:
    return ctypes.PYFUNCTYPE(result, *arguments)((name, ctypes.pythonapi))
