"""From the arguments of a call to a launch: copies to the device, views, forms, streams, blocks."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any, Final

import numpy as np

from codegen.cuda import runtime
from codegen.cuda.arrays import PACK_BYTES, View, broadcast, handle, is_packed, joined, view_of
from codegen.cuda.call import Given, library, types_of
from codegen.cuda.libraries import Library, library_of, stream_handle
from codegen.cuda.source import Form
from codegen.loops.program import Rolled
from codegen.program import Program
from codegen.target import ITEMSIZE, Float
from rewrite.errors import ArgumentError

__all__ = [
    "Arranged", "Place", "arrange", "check_room", "check_size", "copied", "grid", "host_place",
    "is_packable", "launch", "number_type", "operands", "pending", "place_of", "to_device",
]  # fmt: skip

PARAMETER_BYTES: Final = 32_764
"""What a launch passes at most, from compute capability 7.0 on (CUDA's guide on kernel parameters).
"""
_ARRAY_BYTES: Final = 40  # Numba passes an array as five words, a size and a stride for each axis
_OTHER_BYTES: Final = 256
"""What tables, sizes and counts take beside the operands."""
THREADS: Final = 256
BLOCKS_EACH: Final = 32
"""Blocks of a grid for each multiprocessor at most: threads go on to further elements."""
_SMALL: Final = 60
"""Instructions of a body up to which memory is what a kernel waits for."""
_DEFAULT_STREAM: Final = 1
_MOST_NARROW: Final = 2**31 - 2**24
"""Elements up to which 32 bits count them, with the last stride beyond."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call runs: the library that makes its results, an array like them, and the stream."""

    library: Library
    like: Any
    device: int
    stream: int | None


def place_of(found: Sequence[Given], stream: Any) -> Place:
    """Return where arguments on a device are to be worked on."""
    made = library(found)
    assert made is not None, "no argument is on a device"
    makers, like = made
    queue = stream_handle(stream)
    device = next(one.view.device for one in found if one.view is not None)
    return Place(makers, like, device, makers.stream(like) if stream is None else queue)


def host_place(stream: Any) -> Place:
    """Return where arguments of the host are worked on, once they are copied there."""
    blank = runtime.cuda().device_array(0)
    return Place(library_of(blank), blank, 0, stream_handle(stream))


def to_device(name: str, found: Sequence[Given], *, narrow: bool) -> list[Given]:
    """Copy arguments of the host to the current device.

    Raise `ArgumentError` for what float64 would round and for what does not fit into memory.
    """
    cuda, moved = runtime.cuda(), []
    for one in found:
        value = _checked(name, one, narrow=narrow)
        if not one.is_host_array:
            moved.append(Given(one.argument, value))
            continue
        array = np.ascontiguousarray(value)
        check_room(name, f"argument {one.argument.name!r}", array.shape, array.dtype)
        there = cuda.to_device(array)
        moved.append(Given(one.argument, there, view_of(there)))
    return moved


def copied(name: str, what: str, arrays: Sequence[Any]) -> list[Any]:
    """Copy arrays of the host to the current device, all or none."""
    before = 0
    for array in arrays:
        before = check_room(name, what, array.shape, array.dtype, before)
    return list(map(runtime.cuda().to_device, arrays))


def _checked(name: str, one: Given, *, narrow: bool) -> Any:
    """Return an argument of the host as kernels read it, or raise what is wrong with it."""
    if type(one.value) is float:
        return one.value
    from codegen.failure import Failure
    from codegen.guarded import Closer  # of the CPU's kernels: calls on a device do without

    closer = Closer(_nothing, name, (one.argument,), narrow, Failure(name))
    value = closer.seen(one.value, one.argument, narrow)
    kind = np.asarray(value).dtype
    if kind.kind in "iu" and kind.itemsize == 8 and type(value) is not int:
        return np.asarray(value, np.float64)
    if kind.kind == "f" and kind.itemsize not in (4, 8):
        return np.asarray(value, np.float32 if kind.itemsize == 2 else np.float64)
    return value


def _nothing(*args: Any, **kwargs: Any) -> None:
    raise AssertionError("only looked at")


@dataclass(frozen=True, slots=True)
class Arranged:
    """Broadcast operands of a launch, neighbouring axes joined."""

    count: int
    sizes: tuple[int, ...]
    views: list[View]
    form: Form


def arrange(
    program: Program | Rolled, found: Sequence[Given], results: Sequence[View],
    shape: tuple[int, ...], dtype: Float, *, last: bool = False, ordered: bool = False,
) -> Arranged:  # fmt: skip
    """Return the views of arguments on a device and of results, and the form of their kernel.

    With `ordered` the elements are counted with the last axis fastest, and not in packs.
    """
    views = [
        broadcast(one.view, shape, len(one.argument.shape), last=last)
        for one in found
        if one.view is not None
    ]
    views += [
        broadcast(view, shape, len(core), last=last)
        for view, core in zip(results, [output.shape for output in program.outputs], strict=False)
    ]
    sizes, flat = joined(views, shape, ordered=ordered)
    count = prod(shape)
    pack = 1 if ordered else _pack(program, flat, count, dtype)
    numbers = tuple(one.view is None for one in found)
    return Arranged(
        count, sizes, flat, Form(dtype, len(sizes), count > _MOST_NARROW, numbers, pack)
    )


def _pack(program: Program | Rolled, views: Sequence[View], count: int, dtype: Float) -> int:
    """Return how many elements a thread takes at a time."""
    if not is_packable(program):
        return 1
    pack, kind = PACK_BYTES // ITEMSIZE[dtype], number_type(dtype)
    return pack if count % pack == 0 and all(is_packed(view, kind) for view in views) else 1


def is_packable(program: Program | Rolled) -> bool:
    """Tell whether wide loads pay: of short bodies on numbers alone."""
    numbers = "b" not in types_of(program, program.operands)
    if isinstance(program, Rolled) or not program.is_elementwise or program.steps:
        return False
    return numbers and len(program.instructions) <= _SMALL


def number_type(dtype: Float) -> "np.dtype[Any]":
    """Return NumPy's type of numbers."""
    return np.dtype(np.float64 if dtype == "f64" else np.float32)


def operands(found: Sequence[Given], made: Arranged) -> list[Any]:
    """Return what Numba passes: the arguments, then what views there are beyond them."""
    handles = iter([handle(view) for view in made.views])
    number = number_type(made.form.dtype).type
    passed = [
        next(handles) if one.view is not None
        else bool(one.value) if one.argument.type == "b" else number(one.value)
        for one in found
    ]  # fmt: skip
    return [*passed, *handles]


def launch(
    dispatcher: Any, shape: tuple[Any, int], found: Sequence[Given], queue: int | None,
    passed: Sequence[Any],
) -> None:  # fmt: skip
    """Queue a kernel on a stream, after what writes its arguments on others."""
    cuda = runtime.cuda()
    for stream in pending(found, queue):
        (cuda.external_stream(stream) if stream else cuda.default_stream()).synchronize()
    if runtime.is_simulated():  # its dispatchers hold one configuration at a time
        dispatcher[shape](*passed)
    else:
        _configured(dispatcher, *shape, queue)(*passed)


def pending(found: Sequence[Given], queue: int | None) -> set[int]:
    """Return the streams, other than that of a launch, on which arguments are being written.

    CUDA's default stream has the numbers 0 and 1; an array that names none is ready.
    """
    streams = {one.view.stream for one in found if one.view is not None} - {None}
    return {_numbered(stream) for stream in streams} - {_numbered(queue)}


def _numbered(stream: int | None) -> int:
    return 0 if stream in (None, _DEFAULT_STREAM) else int(stream or 0)


@lru_cache(maxsize=1024)
def _configured(dispatcher: Any, blocks: Any, threads: int, queue: int | None) -> Any:
    """Return what launches with this many threads; small arrays are no reason for a warning."""
    number = _numbered(queue)
    stream = runtime.cuda().external_stream(number) if number else 0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Grid size .* under-utilization")
        return dispatcher[blocks, threads, stream]


def grid(units: int) -> tuple[int, int]:
    """Return the blocks of a launch over so many elements, and the threads of each."""
    if runtime.is_simulated():  # a simulated thread is one of Python
        return min(2, units), 4
    needed = -(-units // THREADS)
    count = runtime.cuda().get_current_device().MULTIPROCESSOR_COUNT
    return max(1, min(needed, BLOCKS_EACH * count)), THREADS


def check_size(program: Program | Rolled, rank: int) -> None:
    """Refuse what a launch cannot pass."""
    axes = [rank + len(operand.shape) for operand in program.operands]
    size = sum(_ARRAY_BYTES + 16 * count for count in axes) + 8 * rank + _OTHER_BYTES
    if size > PARAMETER_BYTES:
        raise ArgumentError(
            f"kernel {program.name!r} has {len(axes)} arguments and results, which take {size} "
            f"bytes, and a launch passes at most {PARAMETER_BYTES}: pass arrays of symbols, or "
            "return an array"
        )


def check_room(
    name: str, what: str, shape: tuple[int, ...], dtype: "np.dtype[Any]", before: int = 0
) -> int:
    """Refuse an array that the device's memory cannot hold, before anything is made.

    Return its bytes with those of what is to be made `before` it.
    """
    free, total = runtime.cuda().current_context().get_memory_info()
    size = prod(shape) * dtype.itemsize
    if before + size > free:
        more = f" after {before / 2**30:.3g} GiB of others" if before else ""
        raise ArgumentError(
            f"kernel {name!r}: {what} of shape {shape} takes {size / 2**30:.3g} GiB{more}, and the "
            f"device has {free / 2**30:.3g} GiB free of {total / 2**30:.3g}; call it on parts of "
            "the arrays"
        )
    return before + size
