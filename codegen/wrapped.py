"""What a kernel calls: its ufunc, wrapped in what the kernel needs beyond it."""

import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from codegen.calculus.filled import filled
from codegen.calls import (
    BatchLast,
    Named,
    Single,
    Sliced,
    WithoutArguments,
    by_name,
    narrowed,
    thread_pool,
)
from codegen.containers.registry import through
from codegen.direct import direct, direct_numbers
from codegen.guarded import guarded
from codegen.loops.program import Rolled
from codegen.loops.team import Teamed

if TYPE_CHECKING:
    from codegen.kernel import Kernel

__all__ = ["wrapped"]


def wrapped(kernel: "Kernel", loops: Mapping[str, Any]) -> Callable[..., Any]:
    """Wrap the ufunc, mostly in a look at arguments; `loops` are its own by NumPy's letters."""
    program, ufunc = kernel.program, kernel.quiet
    call = _spread(kernel, loops)
    narrow = kernel.dtype == "f32"
    plain = kernel.results == "single" and not any(kernel.patterns)
    quick = ufunc if narrow and plain and call is ufunc else None
    if program.arguments and kernel.parallel == 1:
        call = direct(call, program, kernel.loop(), ufunc)
    if narrow and program.arguments:
        call = by_name(call, ufunc) if quick else narrowed(call, ufunc)
    if not program.arguments:
        call = WithoutArguments(call, np.float32(0) if narrow else 0.0)
        call = partial(kernel.failure.watched, call)
    names = tuple(output.name for output in program.outputs)
    if any(kernel.patterns):
        call = filled(call, kernel.patterns, names)
    if kernel.results == "dict":
        call = Named(call, names)
    elif kernel.results == "tuple" and len(program.outputs) == 1:
        call = Single(call)
    if program.arguments:
        numbers = direct_numbers(program, kernel.loop()) if plain else None
        others = partial(through, weakref.ref(kernel))
        call = guarded(
            call, program, kernel.failure, narrow=narrow, quick=quick, direct=numbers,
            others=others,
        )  # fmt: skip
    return call


def _spread(kernel: "Kernel", loops: Mapping[str, Any]) -> Callable[..., Any]:
    """Wrap the ufunc in what hands large calls to threads, and puts the batch last."""
    program = kernel.program
    call: Callable[..., Any] = kernel.quiet
    if not program.arguments:
        return call
    if kernel.parallel > 1:
        call = Sliced(kernel.quiet, program, kernel.parallel)
    if kernel.batch_axis == -1 and not program.is_elementwise:
        call = BatchLast(call, kernel.quiet, program)
    if kernel.parallel > 1 and isinstance(program, Rolled):
        call = Teamed(call, program, loops, kernel.parallel, thread_pool)
    return call
