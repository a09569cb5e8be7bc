"""The libraries whose arrays kernels take: how each makes an array, and its stream.

What is not in the table is asked for through the array API standard (`__array_namespace__`), and
gets Numba's arrays where it has no such namespace.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from codegen.cuda import runtime

__all__ = ["Library", "library_of", "stream_handle"]


def _same(array: Any) -> Any:
    return array


@dataclass(frozen=True, slots=True)
class Library:
    """A library of device arrays."""

    name: str
    empty: Callable[[tuple[int, ...], "np.dtype[Any]", Any], Any]
    """Make an array of a shape and dtype on the device of another one."""
    finish: Callable[[Any], Any] = _same
    """Turn what was filled into an array of the library, where it lets nobody fill its own."""
    stream: Callable[[Any], int | None] = lambda like: None
    """Return the stream that the library now queues work on, for an array's device."""


def _numba_empty(shape: tuple[int, ...], dtype: "np.dtype[Any]", like: Any) -> Any:
    return runtime.cuda().device_array(shape, dtype)


def _cupy_empty(shape: tuple[int, ...], dtype: "np.dtype[Any]", like: Any) -> Any:
    cupy = sys.modules["cupy"]
    with like.device:
        return cupy.empty(shape, dtype)


def _cupy_stream(like: Any) -> int | None:
    return int(sys.modules["cupy"].cuda.get_current_stream(like.device.id).ptr)


def _torch_empty(shape: tuple[int, ...], dtype: "np.dtype[Any]", like: Any) -> Any:
    torch = sys.modules["torch"]
    return torch.empty(shape, dtype=getattr(torch, dtype.name), device=like.device)


def _torch_stream(like: Any) -> int | None:
    return int(sys.modules["torch"].cuda.current_stream(like.device).cuda_stream)


def _jax_finish(array: Any) -> Any:
    """JAX's arrays never change, so that it takes over memory that was filled before."""
    runtime.cuda().synchronize()
    return sys.modules["jax"].numpy.asarray(array)


def _standard_empty(shape: tuple[int, ...], dtype: "np.dtype[Any]", like: Any) -> Any:
    space = like.__array_namespace__()
    return space.empty(shape, dtype=getattr(space, dtype.name), device=like.device)


_NUMBA = Library("numba", _numba_empty)
_LIBRARIES = {
    "cupy": Library("cupy", _cupy_empty, stream=_cupy_stream),
    "torch": Library("torch", _torch_empty, stream=_torch_stream),
    "jax": Library("jax", _numba_empty, finish=_jax_finish),
    "jaxlib": Library("jax", _numba_empty, finish=_jax_finish),
    "numba": _NUMBA,
}


def library_of(value: Any) -> Library:
    """Return the library of a device array."""
    known = _LIBRARIES.get(type(value).__module__.partition(".")[0])
    if known is not None:
        return known
    if hasattr(value, "__array_namespace__"):
        return Library(type(value).__module__.partition(".")[0], _standard_empty)
    return _NUMBA


def stream_handle(stream: Any) -> int | None:
    """Return the address of a stream: Numba's, CuPy's, PyTorch's, or of `__cuda_stream__`."""
    if stream is None or isinstance(stream, int):
        return stream
    if hasattr(stream, "__cuda_stream__"):
        made = stream.__cuda_stream__
        return int((made() if callable(made) else made)[1])
    for name in ("cuda_stream", "ptr"):
        if isinstance(getattr(stream, name, None), int):
            return int(getattr(stream, name))
    held = getattr(stream, "handle", None)  # Numba's
    if held is not None:
        return int(getattr(held, "value", held) or 0)
    return None
