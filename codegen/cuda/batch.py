"""Many calls of a kernel in one launch, each with arrays of its own: a row of blocks for each call.

A table has the addresses of all arrays, which differ in nothing else from call to call.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from codegen.cuda import runtime
from codegen.cuda.arrays import View, handle, view_of
from codegen.cuda.call import Given, batch_shape, float_type, given
from codegen.cuda.fold import Fold, fold_source
from codegen.cuda.launch import (
    Arranged,
    Place,
    arrange,
    check_room,
    grid,
    host_place,
    launch,
    number_type,
    operands,
    place_of,
    to_device,
)
from codegen.cuda.reduce import check_fold, everything
from codegen.cuda.source import PART, Form, entry, kernel_source
from codegen.loops.program import Rolled
from codegen.program import Program
from codegen.target import Float
from rewrite.errors import ArgumentError

if TYPE_CHECKING:
    from codegen.cuda.kernel import CudaKernel

__all__ = ["batch_source", "batched"]

MOST_ROWS: Final = 65_535
"""Blocks of a grid along its second axis; each goes on to further calls."""
MOST_BLOCKS: Final = 1 << 14
"""Blocks of all calls together beyond which each call has fewer."""


def batch_source(program: Program, form: Form, fold: Fold | None = None) -> str:
    """Write the kernel of one call as a function, and a kernel that calls it for each.

    `def kernel(n, d1, ..., m, p, q, a0, ..., r0, ... [, done, p0, ...])`: `p` has the addresses of
    arrays, `q` the numbers that are passed by value, both call by call. What is folded has one
    number for each call, and partial sums side by side.
    """
    source = kernel_source(program, form) if fold is None else fold_source(program, form, fold)
    part = f"{PART}{source.count(f'def {PART}')}"
    sizes = ["n", *[f"d{axis}" for axis in range(1, form.rank)]]
    names = entry(program)
    more = [] if fold is None else ["done", *[f"p{k}" for k in range(len(program.outputs))]]
    arrays = _arrays(program, form, fold)
    numbers = [name for name, scalar in zip(names, form.scalars, strict=False) if scalar]
    truths = {f"a{k}" for k, argument in enumerate(program.arguments) if argument.type == "b"}
    passed = []
    for name in names:
        if name in numbers:
            value = f"peek(q, j * {len(numbers)} + {numbers.index(name)})"
            passed.append(f"{value} != F(0.0)" if name in truths else value)
        elif name in arrays:
            passed.append(f"at({name}, peek(p, j * {len(arrays)} + {arrays.index(name)}))")
        else:
            passed.append(f"{name}[j:]")
    passed += [f"{name}[j * {'1' if name == 'done' else 'cuda.gridDim.x'}:]" for name in more]
    return "\n".join([
        source.replace("def kernel(", f"def {part}(").rstrip("\n"), "    return None", "", "",
        f"def kernel({', '.join([*sizes, 'm', 'p', 'q', *names, *more])}):",
        "    j = cuda.blockIdx.y",
        "    while j < m:",
        f"        {part}({', '.join([*sizes, *passed])})",
        "        cuda.syncthreads()",
        "        j = j + cuda.gridDim.y",
        "",
    ])  # fmt: skip


def _arrays(program: Program, form: Form, fold: Fold | None) -> list[str]:
    """Name the operands that each call has an array of its own for."""
    names = entry(program)
    count = len(program.arguments)
    held = [name for name, scalar in zip(names[:count], form.scalars, strict=True) if not scalar]
    return held if fold is not None else [*held, *names[count:]]


def batched(kernel: "CudaKernel", calls: Sequence[Any], op: Any, stream: Any) -> list[Any]:
    """Return the results of each call, or of all calls together what `op` folds them to."""
    program = kernel.program
    if isinstance(program, Rolled):
        raise ArgumentError(
            f"kernel {kernel.__name__!r} has loops over tables: put the states of all calls into "
            "one array, along its batch axis"
        )
    if not calls:
        raise ArgumentError(f"kernel {kernel.__name__!r}: batch() takes one call at least")
    found = [given(program, args if isinstance(args, tuple) else (args,)) for args in calls]
    first = found[0]
    shape = batch_shape(kernel.__name__, first, last=kernel.last)
    if op is not None:
        check_fold(kernel, op)
    dtype = float_type(first, kernel.dtype)
    _check(kernel, found, shape, dtype)
    device = any(one.view is not None for one in first)
    if not device:
        narrow = kernel.dtype == "f32"
        found = [to_device(kernel.__name__, each, narrow=narrow) for each in found]
        place = host_place(stream)
    else:
        place = place_of(first, stream)
    with runtime.cuda().gpus[place.device]:
        made = _launched(kernel, program, found, shape, dtype, op, place)
        if not device:
            return [tuple(array.copy_to_host()[()] for array in each) for each in made]
        return [tuple(map(place.library.finish, each)) for each in made]


def _check(
    kernel: "CudaKernel", found: Sequence[Sequence[Given]], shape: tuple[int, ...], dtype: Float
) -> None:
    """Refuse calls that differ from the first in more than where their arrays are."""
    for number, each in enumerate(found):
        what = f"kernel {kernel.__name__!r}: call {number} of a batch"
        if batch_shape(kernel.__name__, each, last=kernel.last) != shape:
            raise ArgumentError(f"{what} has another shape than the first, {shape}")
        if float_type(each, kernel.dtype) != dtype:
            raise ArgumentError(f"{what} computes in another float type than the first")
        for one, other in zip(each, found[0], strict=True):
            if _layout(one) != _layout(other):
                raise ArgumentError(
                    f"{what}: argument {one.argument.name!r} has another shape, dtype, layout or "
                    "device than that of the first; calls of a batch differ in values alone"
                )


def _layout(one: Given) -> Any:
    if one.view is not None:
        return one.view.shape, one.view.strides, one.view.dtype, one.view.device
    return (one.shape, np.asarray(one.value).dtype) if one.is_host_array else "number"


def _launched(
    kernel: "CudaKernel", program: Program, found: list[list[Given]], shape: tuple[int, ...],
    dtype: Float, op: Any, place: Place,
) -> list[tuple[Any, ...]]:  # fmt: skip
    """Make the results, and queue the launch that fills them."""
    made = _results(kernel, len(found), shape, dtype, op, place)
    views = [
        _arranged(program, each, results, shape, dtype, kernel.last, op)
        for each, results in zip(found, made if op is None else made * len(found), strict=True)
    ]
    one = views[0]
    if not one.count and op is None:
        return made
    form = one.form if all(each.form == one.form for each in views) else replace(one.form, pack=1)
    fold, extra = None, []
    rows = min(len(found), MOST_ROWS)
    columns, threads = grid(max(1, one.count // form.pack))
    columns = max(1, min(columns, MOST_BLOCKS // rows))
    if op is not None:
        fold, columns, parts = everything(kernel, op, one.count, dtype, place, len(found))
        threads = fold.threads
        extra = [*[handle(view) for result in made[0] if (view := view_of(result))], *parts]
    addresses = np.array([view.pointer for each in views for view in each.views], np.int64)
    numbers = [float(x.value) for each in found for x in each if x.view is None]
    tables = [addresses, np.array([*numbers, 0.0], number_type(dtype))]
    sizes = [np.int64(size) for size in (one.count // form.pack, *one.sizes[1:], len(found))]
    passed = [*sizes, *map(runtime.cuda().to_device, tables), *operands(found[0], one), *extra]
    dispatcher = kernel.variant(form, fold, calls=True)
    everyone = [x for each in found for x in each]
    launch(dispatcher, ((columns, rows), threads), everyone, place.stream, passed)
    return made


def _results(
    kernel: "CudaKernel", calls: int, shape: tuple[int, ...], dtype: Float, op: Any, place: Place
) -> list[tuple[Any, ...]]:
    """Make the results of each call, or arrays with one number for each call."""
    if op is None:
        first = kernel.blank(place, shape, dtype)
        size = sum(view.size * view.dtype.itemsize for x in first if (view := view_of(x)))
        if calls > 1:
            check_room(
                kernel.__name__, f"the results of {calls} calls", (size * (calls - 1),),
                np.dtype(np.int8),
            )  # fmt: skip
        return [first, *[kernel.blank(place, shape, dtype) for _ in range(calls - 1)]]
    kind, outputs = number_type(dtype), kernel.program.outputs
    check_room(kernel.__name__, "the folded results", (calls, len(outputs)), kind)
    return [tuple(place.library.empty((calls,), kind, place.like) for _ in outputs)]


def _arranged(
    program: Program, each: Sequence[Given], results: tuple[Any, ...], shape: tuple[int, ...],
    dtype: Float, last: bool, op: Any,
) -> Arranged:  # fmt: skip
    views: list[View] = []
    if op is None:
        views = [view for result in results if (view := view_of(result)) is not None]
    return arrange(program, each, views, shape, dtype, last=last, ordered=op is not None)
