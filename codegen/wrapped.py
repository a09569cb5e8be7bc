"""What a kernel calls: its ufunc, wrapped in what the kernel needs beyond it."""

import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from codegen.calculus.filled import filled
from codegen.calls import BatchLast, Named, Single, WithoutArguments, by_name, narrowed
from codegen.containers.registry import through
from codegen.crew.crew import Crew, crew
from codegen.crew.loop import SpreadLoop, picoseconds
from codegen.crew.sliced import PIECEMEAL, WORTH, Sliced
from codegen.direct import direct, known_of
from codegen.guarded import guarded
from codegen.loops.program import Rolled
from codegen.loops.team import POINT, Teamed
from codegen.ufunc import make_ufunc
from codegen.uniform.loop import uniform

if TYPE_CHECKING:
    from codegen.kernel import Kernel

__all__ = ["wrapped"]

type Call = Callable[..., Any]


def wrapped(kernel: "Kernel", loops: Mapping[str, Any]) -> Call:
    """Wrap the ufunc, mostly in a look at arguments; `loops` are its own by NumPy's letters."""
    program, ufunc = kernel.program, kernel.quiet
    if not program.arguments:
        constant = WithoutArguments(ufunc, _zero(kernel))
        return _named(kernel, partial(kernel.failure.watched, constant))
    large: Call | None = None
    called: Mapping[str, Any] = kernel.called
    threads = crew(kernel.parallel) if kernel.parallel > 1 else None
    if threads is not None and threads.helpers:
        called = _shared(kernel, loops, threads)
        ufunc = make_ufunc(program, list(called.values()), str(kernel.__doc__))
        letters = "".join(loops)
        large = Sliced(ufunc, kernel.quiet, program, kernel.target, letters, threads)
    narrow = kernel.dtype == "f32"
    plain = kernel.results == "single" and not any(kernel.patterns)
    call, large = _placed(kernel, ufunc, ufunc), large and _placed(kernel, large, ufunc)
    if isinstance(program, Rolled) and large is not None and threads is not None:
        call, large = direct(large, program, kernel.loop(), ufunc), None
        if picoseconds(program, "f64", kernel.target) > POINT:
            call = Teamed(call, program, loops, threads)
    else:
        call = direct(call, program, kernel.loop(), ufunc)
    quick = ufunc if narrow and plain and call is ufunc else None
    if narrow:
        call = by_name(call, ufunc) if quick else narrowed(call, ufunc)
        large = large and narrowed(large, ufunc)
    known = known_of(program, called) if plain else None
    others = partial(through, weakref.ref(kernel))
    return guarded(
        _named(kernel, call), program, kernel.failure, narrow=narrow, quick=quick, known=known,
        others=others, large=large and (_named(kernel, large), _worth(kernel)),
    )  # fmt: skip


def _shared(kernel: "Kernel", loops: Mapping[str, Any], threads: Crew) -> dict[str, Any]:
    """Have a crew share long loops, and those of what is not the same for all elements."""

    def shared(loop: Any, program: Any) -> SpreadLoop:
        return SpreadLoop(loop, program, kernel.target, threads)

    made = {letter: shared(loop, kernel.program) for letter, loop in loops.items()}
    if isinstance(kernel.program, Rolled):
        return made
    others = (kernel.program, kernel.target, kernel.failure, shared)
    return {letter: uniform(loop, *others) for letter, loop in made.items()}


def _zero(kernel: "Kernel") -> Any:
    return np.float32(0) if kernel.dtype == "f32" else 0.0


def _worth(kernel: "Kernel") -> int:
    """Return how many elements at least are worth slices."""
    work = picoseconds(kernel.program, kernel.dtype or "f64", kernel.target)
    return max(int(WORTH / (work + PIECEMEAL)), 1)


def _placed(kernel: "Kernel", call: Call, ufunc: np.ufunc) -> Call:
    """Wrap a call in what puts the batch last, where that is asked for."""
    program = kernel.program
    if kernel.batch_axis == -1 and not program.is_elementwise:
        return BatchLast(call, ufunc, program)
    return call


def _named(kernel: "Kernel", call: Call) -> Call:
    """Wrap a call in what gives its results their form."""
    names = tuple(output.name for output in kernel.program.outputs)
    if any(kernel.patterns):
        call = filled(call, kernel.patterns, names)
    if kernel.results == "dict":
        return Named(call, names)
    if kernel.results == "tuple" and len(names) == 1:
        return Single(call)
    return call
