"""Calls of reductions: what is folded over, and the launch of it."""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from codegen.cuda import runtime
from codegen.cuda.arrays import handle, view_of
from codegen.cuda.call import Given, float_type, types_of
from codegen.cuda.fold import IDENTITY, Fold
from codegen.cuda.launch import (
    Place,
    arrange,
    check_room,
    host_place,
    launch,
    number_type,
    operands,
    place_of,
    to_device,
)
from codegen.target import Float
from rewrite.errors import ArgumentError

if TYPE_CHECKING:
    from codegen.cuda.kernel import CudaKernel

__all__ = ["check_fold", "everything", "reduced"]

THREADS: Final = 256
BLOCKS: Final = 1024
"""Blocks at most that fold everything: the same on all devices, so that the bits are."""
EACH: Final = 8
"""Elements of a thread from which on there are more blocks."""
_SIMULATED: Final = 4  # threads of Python
_LANES: Final = ((64, 1), (2048, 32))
"""Mean length of rows below which so many threads fold one, and beyond a whole block does."""


def reduced(
    kernel: "CudaKernel", op: Any, found: Sequence[Given], shape: tuple[int, ...],
    axis: int | None, bounds: Any, stream: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """Return the folded results of a kernel, on the device where its arguments are."""
    _check(kernel, op, shape, axis, bounds)
    if any(one.view is not None for one in found):
        place = place_of(found, stream)
        with runtime.cuda().gpus[place.device]:
            made = _folded(kernel, op, found, shape, axis, bounds, place)
            return tuple(map(place.library.finish, made))
    if bounds is not None and view_of(bounds) is None:
        bounds = runtime.cuda().to_device(np.ascontiguousarray(bounds))
    moved = to_device(kernel.__name__, found, narrow=kernel.dtype == "f32")
    place = host_place(stream)
    made = _folded(kernel, op, moved, shape, axis, bounds, place)
    return tuple(array.copy_to_host()[()] for array in made)


def check_fold(kernel: "CudaKernel", op: Any) -> None:
    """Refuse a fold that there is not, and results that cannot be folded."""
    what, program = f"kernel {kernel.__name__!r}", kernel.program
    if op not in IDENTITY:
        raise ArgumentError(f"{what}: there is no reduction {op!r}; {', '.join(IDENTITY)}")
    if not program.is_elementwise or "b" in types_of(program, program.outputs):
        raise ArgumentError(f"{what}: only results that are single numbers are reduced")


def _check(
    kernel: "CudaKernel", op: Any, shape: tuple[int, ...], axis: int | None, bounds: Any
) -> None:
    """Refuse what cannot be folded."""
    check_fold(kernel, op)
    what = f"kernel {kernel.__name__!r}"
    if axis is not None and (axis not in (-1, len(shape) - 1) or not shape):
        raise ArgumentError(
            f"{what}: axis={axis!r} of a batch of shape {shape}; None folds all of it, -1 the last "
            "axis (move another one there first: no copy is made of it)"
        )
    if bounds is not None and (axis is not None or len(shape) != 1):
        raise ArgumentError(f"{what}: bounds= are of a batch with one axis, without axis=")


def _folded(
    kernel: "CudaKernel", op: Any, found: Sequence[Given], shape: tuple[int, ...],
    axis: int | None, bounds: Any, place: Place,
) -> tuple[Any, ...]:  # fmt: skip
    dtype, program = float_type(found, kernel.dtype), kernel.program
    count = prod(shape)
    rows = 1 if bounds is None and axis is None else (
        _count_of(kernel, bounds) if bounds is not None else prod(shape[:-1])
    )  # fmt: skip
    made = arrange(program, found, (), shape, dtype, ordered=True)
    results = _empty(kernel, place, rows, dtype)
    if not rows:
        return _shaped(results, axis, shape, bounds)
    fold, blocks, extra = _plan(kernel, op, count, shape, rows, axis, bounds, dtype, place)
    sizes = [np.int64(size) for size in (count, *made.sizes[1:])]
    views = [view_of(result) for result in results]
    passed = [*sizes, *operands(found, made), *[handle(view) for view in views if view], *extra]
    launch(kernel.variant(made.form, fold), (blocks, fold.threads), found, place.stream, passed)
    return _shaped(results, axis, shape, bounds)


def _count_of(kernel: "CudaKernel", bounds: Any) -> int:
    """Return how many rows bounds have; refuse what is no array of integers on the device."""
    view = view_of(bounds)
    if view is None or view.dtype.kind not in "iu" or len(view.shape) != 1 or not view.size:
        raise ArgumentError(
            f"kernel {kernel.__name__!r}: bounds= is to be an array of integers with one axis, on "
            "the device of the arguments: row k is from bounds[k] to bounds[k + 1]"
        )
    return view.size - 1


def _empty(kernel: "CudaKernel", place: Place, rows: int, dtype: Float) -> tuple[Any, ...]:
    kind = number_type(dtype)
    for output in kernel.program.outputs:
        check_room(kernel.__name__, f"the result {output.name!r}", (rows,), kind)
    return tuple(place.library.empty((rows,), kind, place.like) for _ in kernel.program.outputs)


def _plan(
    kernel: "CudaKernel", op: Any, count: int, shape: tuple[int, ...], rows: int,
    axis: int | None, bounds: Any, dtype: Float, place: Place,
) -> tuple[Fold, int, list[Any]]:  # fmt: skip
    """Return the fold, its blocks, and what its kernel is passed beside the operands."""
    if bounds is None and axis is None:
        return everything(kernel, op, count, dtype, place)
    threads, most = _widest()
    mean = count / rows
    lanes = min(next((few for length, few in _LANES if mean < length), threads), threads)
    blocks = max(1, min(64 * most, -(-rows * lanes // threads)))
    if bounds is None:
        extra: list[Any] = [np.int64(rows), np.int64(shape[-1])]
        return Fold(op, "rows", threads, lanes), blocks, extra
    view = view_of(bounds)
    assert view is not None
    return Fold(op, "bounds", threads, lanes), blocks, [np.int64(rows), handle(view)]


def everything(
    kernel: "CudaKernel", op: Any, count: int, dtype: Float, place: Place, calls: int = 1
) -> tuple[Fold, int, list[Any]]:
    """Return the fold of all elements of so many calls, its blocks, and what counts them.

    That is kept for the next call on the same stream, which waits for this one.
    """
    threads, most = _widest()
    blocks = max(1, min(most, -(-count // (threads * EACH))))
    key = (place.device, place.stream, dtype, blocks, calls)
    if key not in kernel.parts:
        cuda, kind = runtime.cuda(), number_type(dtype)
        parts = [cuda.device_array(blocks * calls, kind) for _ in kernel.program.outputs]
        kernel.parts[key] = [cuda.to_device(np.zeros(calls, np.int32)), *parts]
    return Fold(op, "all", threads), blocks, kernel.parts[key]


def _widest() -> tuple[int, int]:
    """Return the threads of a block, and how many blocks fold everything at most."""
    return (_SIMULATED, 2) if runtime.is_simulated() else (THREADS, BLOCKS)


def _shaped(
    results: tuple[Any, ...], axis: int | None, shape: tuple[int, ...], bounds: Any
) -> tuple[Any, ...]:
    """Give results the shape of what was not folded."""
    if bounds is not None:
        return results
    return tuple(result.reshape(() if axis is None else shape[:-1]) for result in results)
