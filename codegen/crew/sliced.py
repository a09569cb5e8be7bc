"""Large calls that NumPy would hand over in small parts, cut into slices before it sees them.

Where it casts, broadcasts or masks, a loop gets a row or about 8,000 elements at a time, which are
not worth sharing. All other calls go to a ufunc whose loop is shared.
"""

import ctypes
from collections.abc import Iterator
from contextvars import copy_context
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codegen.calls import allocate, given, outer_shape
from codegen.crew.crew import Crew
from codegen.crew.loop import picoseconds
from codegen.loops.program import Rolled
from codegen.program import Program
from codegen.target import Target

__all__ = ["PIECEMEAL", "WORTH", "Sliced"]

WORTH: Final = 4e8
"""Picoseconds of work from which on slices pay: threads of Python hand over a lock at each."""
PIECEMEAL: Final = 400.0
"""Picoseconds an element that NumPy takes at least to hand over small parts: casts, rows."""
_MASKED: Final = 10_000.0
"""And where it hands over runs of elements between those that a mask leaves out."""
_SLICES: Final = 4
"""Slices for each thread: so a thread that comes late is not waited for long."""
_PART = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)

type Array = NDArray[Any]


@dataclass(frozen=True)
class Sliced:
    """Call a ufunc on slices of its arguments by several threads; the bits are the same."""

    shared: np.ufunc
    """Shares its own loop: what is handed over in one part goes there."""
    ufunc: np.ufunc
    program: Program | Rolled
    target: Target
    letters: str
    """NumPy's letters of the types that there are loops for."""
    crew: Crew

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Slice where it pays, and where no slice can see another's results."""
        if self._is_whole(args, kwargs):
            return self.shared(*args, **kwargs)
        plan = self._plan(args, kwargs)
        if plan is None:
            call = self.ufunc if "where" in kwargs else self.shared
            return call(*args, **kwargs)
        plan.share(self.crew, self._work(args, kwargs))
        return plan.outputs[0] if len(plan.outputs) == 1 else plan.outputs

    def _is_whole(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Tell whether NumPy hands over all at once: one type, and one axis or one piece."""
        out = kwargs.get("out")
        operands = args if out is None else (*args, *given(out))
        pairs = [
            pair for pair in zip(operands, self._cores, strict=False) if type(pair[0]) is not float
        ]
        if kwargs.keys() - {"out"} or any(type(operand) is not np.ndarray for operand, _ in pairs):
            return False
        kinds = {(operand.dtype.char, boolean) for operand, (_, boolean) in pairs}
        if len(kinds - {("?", True)}) > 1 or not kinds <= self._kinds:
            return False
        shapes = {operand.shape for operand, (core, _) in pairs if operand.ndim > core + 1}
        if not shapes:
            return True
        whole = self.program.is_elementwise and len(shapes) == 1
        return whole and all(
            operand.size == 1 or (operand.ndim > 1 and operand.flags.c_contiguous)
            for operand, _ in pairs
        )

    @cached_property
    def _kinds(self) -> frozenset[tuple[str, bool]]:
        """What its loops take: NumPy's letters of numbers, and of truth values."""
        return frozenset({("?", True), *((letter, False) for letter in self.letters)})

    @cached_property
    def _cores(self) -> tuple[tuple[int, bool], ...]:
        """The number of own axes of each operand, and whether it is of truth values."""
        program, operands = self.program, tuple[Any, ...](self.program.operands)
        return tuple([(len(x.shape), program.type_of(x) == "b") for x in operands])

    def _work(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """Return picoseconds of work for an element."""
        own = self._costs[any(getattr(arg, "dtype", None) == np.float32 for arg in args)]
        return own + PIECEMEAL + (_MASKED if "where" in kwargs else 0.0)

    @cached_property
    def _costs(self) -> tuple[float, float]:
        return (
            picoseconds(self.program, "f64", self.target),
            picoseconds(self.program, "f32", self.target),
        )

    def _plan(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "_Plan | None":
        """Return how to slice, or nothing for what is small or unusual."""
        worth = WORTH / self._work(args, kwargs)
        if all(np.ndim(arg) < 2 and np.size(arg) < worth for arg in args):
            return None
        simple = all(type(arg) is np.ndarray or np.isscalar(arg) for arg in args)
        cores = [core for core, _ in self._cores]
        inputs = len(self.program.arguments)
        if not simple or kwargs.keys() - {"out", "where"} or len(args) != inputs:
            return None
        where, out = kwargs.get("where", True), kwargs.get("out")
        if where is not True and (type(where) is not np.ndarray or out is None):
            return None
        outer = outer_shape(args, cores, where)
        if outer is None or prod(outer) < worth:
            return None
        outputs = given(out) if out is not None else allocate(self.ufunc, self.program, args)
        if not _fits(outputs, outer, cores[inputs:]) or _overlap(args, outputs):
            return None
        axis = _outermost(outputs[0], len(outer), self.crew.helpers + 1)
        if axis is None:
            return None
        return _Plan(self.ufunc, args, outputs, where, tuple(cores), axis, outer)


@dataclass(frozen=True)
class _Plan:
    """The operands of one call and the axis of the broadcast shape along which they are cut."""

    ufunc: np.ufunc
    inputs: tuple[Any, ...]
    outputs: tuple[Array, ...]
    where: Any
    cores: tuple[int, ...]
    axis: int
    outer: tuple[int, ...]

    def share(self, crew: Crew, work: float) -> None:
        """Evaluate all slices by a crew, each thread in a copy of the caller's context.

        Nothing is still writing to an array when this is over.
        """
        pieces, failures, context = self._pieces(crew.helpers + 1), [], copy_context()  # type: ignore[var-annotated]

        def part(_: int, number: int) -> None:
            try:
                context.copy().run(self._run_all, pieces, failures)
            except BaseException as failure:
                failures.append(failure)

        function = _PART(part)
        place = ctypes.cast(function, ctypes.c_void_p).value or 0
        own = partial(self._run_all, pieces, failures)
        crew.share_in_python(place, prod(self.outer) * work, own)
        if failures:
            raise failures[0]

    def _pieces(self, threads: int) -> Iterator[slice]:
        size = self.outer[self.axis]
        count = min(_SLICES * threads, size)
        bounds = [size * k // count for k in range(count + 1)]
        return iter([slice(*bounds[k : k + 2]) for k in range(count)])

    def _run_all(self, pieces: Iterator[slice], failures: list[BaseException]) -> None:
        """Evaluate slices until there are none, or one has failed."""
        for piece in pieces:
            if failures:
                break
            self.run(piece)

    def run(self, piece: slice) -> None:
        """Evaluate one slice."""
        operands = (*self.inputs, *self.outputs)
        cut = [self.cut(x, core, piece) for x, core in zip(operands, self.cores, strict=True)]
        count = len(self.inputs)
        options = {} if self.where is True else {"where": self.cut(self.where, 0, piece)}
        self.ufunc(*cut[:count], out=tuple(cut[count:]), **options)

    def cut(self, operand: Any, core: int, piece: slice) -> Any:
        """Return the part of an operand that belongs to a slice; broadcast axes stay whole."""
        place = np.ndim(operand) - core - len(self.outer) + self.axis
        if place < 0 or operand.shape[place] == 1:
            return operand
        return operand[(slice(None),) * place + (piece,)]


def _fits(outputs: tuple[Any, ...], outer: tuple[int, ...], cores: list[int]) -> bool:
    """Tell whether all outputs are arrays of the broadcast shape, so that slices are simple."""
    return len(outputs) == len(cores) and all(
        type(output) is np.ndarray and output.shape[: output.ndim - core] == outer
        for output, core in zip(outputs, cores, strict=True)
    )


def _overlap(args: tuple[Any, ...], outputs: tuple[Array, ...]) -> bool:
    """Tell whether one slice may write what another reads; the very same array is no danger."""

    def place(array: Array) -> tuple[Any, ...]:
        return array.ctypes.data, array.shape, array.strides

    arrays = [arg for arg in args if isinstance(arg, np.ndarray)]
    pairs = [(out, arg) for out in outputs for arg in arrays if place(out) != place(arg)]
    pairs += [(out, other) for k, out in enumerate(outputs) for other in outputs[:k]]
    return any(np.may_share_memory(first, second) for first, second in pairs)


def _outermost(output: Array, rank: int, threads: int) -> int | None:
    """Return the axis with the longest stride that all threads get a share of."""
    long = [axis for axis in range(rank) if output.shape[axis] >= threads]
    return max(long, key=lambda axis: abs(output.strides[axis]), default=None)
