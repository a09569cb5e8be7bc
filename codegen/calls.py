"""What a kernel puts around its ufunc: threads, batch axis last, results by name.

Threads inside the loop would gain nothing where NumPy casts or broadcasts, as it hands over about
8,000 elements at a time. So large arrays are sliced here, before NumPy sees them.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codegen.branches import weight
from codegen.loops.program import Rolled
from codegen.program import Program
from rewrite.errors import ArgumentError

__all__ = [
    "BatchLast",
    "Named",
    "Single",
    "Sliced",
    "WithoutArguments",
    "by_name",
    "narrowed",
    "thread_pool",
]

type Call = Callable[..., Any]
type Array = NDArray[Any]

_WORTH: Final = 300_000.0
"""Nanoseconds of work below which one thread is done before another is awake."""
# nanoseconds an element of an instruction and of a stream of memory, roughly
_INSTRUCTION, _STREAM = 0.018, 0.12
# nanoseconds a point of an operation in a loop over tables
_LOOPED: Final = 0.15


@dataclass(frozen=True)
class Sliced:
    """Call a ufunc on slices of its arguments by several threads; the bits are the same."""

    ufunc: np.ufunc
    program: Program | Rolled
    threads: int

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Slice where it pays, and where no slice can see another's results."""
        plan = self._plan(args, kwargs)
        if plan is None:
            return self.ufunc(*args, **kwargs)
        bounds = [plan.size * k // self.threads for k in range(self.threads + 1)]
        pieces = [slice(*bounds[k : k + 2]) for k in range(self.threads)]
        jobs = [thread_pool(self.threads).submit(plan.run, piece) for piece in pieces[1:]]
        try:
            plan.run(pieces[0])
        finally:  # nothing may still be writing to an array when this call is over
            failures = [failure for failure in (job.exception() for job in jobs) if failure]
        if failures:
            raise failures[0]
        return plan.outputs[0] if len(plan.outputs) == 1 else plan.outputs

    def _plan(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "_Plan | None":
        """Return how to slice, or nothing for what is small or unusual."""
        single = any(getattr(arg, "dtype", None) == np.float32 for arg in args)
        worth = self.worth * (2 if single else 1)
        if all(np.ndim(arg) < 2 and np.size(arg) < worth for arg in args):
            return None
        simple = all(type(arg) is np.ndarray or np.isscalar(arg) for arg in args)
        cores = [len(part.shape) for part in self.program.operands]
        inputs = len(self.program.arguments)
        if not simple or kwargs.keys() - {"out", "where"} or len(args) != inputs:
            return None
        where, out = kwargs.get("where", True), kwargs.get("out")
        if where is not True and (type(where) is not np.ndarray or out is None):
            return None
        outer = _outer_shape(args, cores, where)
        if outer is None or prod(outer) < worth:
            return None
        outputs = _given(out) if out is not None else _allocate(self.ufunc, self.program, args)
        if not _fits(outputs, outer, cores[inputs:]) or _overlap(args, outputs):
            return None
        axis = _outermost(outputs[0], len(outer), self.threads)
        if axis is None:
            return None
        return _Plan(self.ufunc, args, outputs, where, tuple(cores), axis, outer)

    @cached_property
    def worth(self) -> float:
        """The number of elements of float64 from which on threads pay."""
        if isinstance(self.program, Rolled):
            return _WORTH / max(self.program.operations * _LOOPED, 1.0)
        count = weight(self.program)
        streams = sum(prod(x.shape) for x in self.program.operands)
        return _WORTH / max(count * _INSTRUCTION, streams * _STREAM)


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

    @property
    def size(self) -> int:
        return self.outer[self.axis]

    def run(self, piece: slice) -> None:
        """Evaluate one slice."""
        if piece.start == piece.stop:
            return
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


def _outer_shape(args: tuple[Any, ...], cores: list[int], where: Any) -> tuple[int, ...] | None:
    """Return the broadcast shape of the arguments, or nothing where NumPy will complain."""
    ranks = [np.ndim(arg) - core for arg, core in zip(args, cores, strict=False)]
    if min(ranks, default=0) < 0:
        return None
    shapes = [np.shape(arg)[:rank] for arg, rank in zip(args, ranks, strict=True)]
    try:
        return np.broadcast_shapes(*shapes, np.shape(where))
    except ValueError:
        return None


def _given(out: Any) -> tuple[Any, ...]:
    return out if isinstance(out, tuple) else (out,)


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


def _allocate(
    ufunc: np.ufunc, program: Program | Rolled, args: tuple[Any, ...]
) -> tuple[Array, ...]:
    """Make the arrays that NumPy would make for the results."""
    weak = (int, float)
    known = [type(arg) if type(arg) in weak else np.asarray(arg).dtype for arg in args]
    blank = [None] * len(program.outputs)
    dtypes = ufunc.resolve_dtypes((*known, *blank))[len(args) :]
    if program.is_elementwise:
        flags: Any = [["readonly"]] * len(args) + [["writeonly", "allocate"]] * len(blank)
        requested = [None] * len(args) + list(dtypes)
        walk = np.nditer([*args, *blank], ["zerosize_ok", "multi_index"], flags, requested)
        return tuple(walk.operands[len(args) :])
    outer = _outer_shape(args, [len(argument.shape) for argument in program.arguments], True)
    shapes = [(outer or ()) + output.shape for output in program.outputs]
    return tuple(np.empty(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True))


@cache
def thread_pool(threads: int) -> ThreadPoolExecutor:
    """Return the threads that all kernels share, but for the calling one."""
    return ThreadPoolExecutor(threads - 1, thread_name_prefix="rewrite-kernel")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=thread_pool.cache_clear)


@dataclass(frozen=True)
class BatchLast:
    """Take and return arrays whose own axes come first: the batch is contiguous in memory."""

    call: Call
    ufunc: np.ufunc
    program: Program | Rolled

    def __call__(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Turn the operands to NumPy's order without copying them."""
        inputs = tuple(
            _turned(np.asarray(arg), len(argument.shape)) if argument.shape else arg
            for arg, argument in zip(args, self.program.arguments, strict=False)
        )
        if len(inputs) != len(self.program.arguments):
            return self.ufunc(*args, **kwargs)  # NumPy names the mistake
        results = self._allocate(inputs) if out is None else _given(out)
        shapes = [output.shape for output in self.program.outputs]
        turned = tuple(_turned(x, len(s)) for x, s in zip(results, shapes, strict=True))
        self.call(*inputs, out=turned, **kwargs)
        results = tuple(x[()] for x in results) if out is None else results
        return results[0] if len(results) == 1 else results

    def _allocate(self, inputs: tuple[Any, ...]) -> tuple[Array, ...]:
        made = _allocate(self.ufunc, self.program, inputs)
        cores = [len(output.shape) for output in self.program.outputs]
        shapes = [
            x.shape[x.ndim - core :] + x.shape[: x.ndim - core]
            for x, core in zip(made, cores, strict=True)
        ]
        return tuple(np.empty(shape, x.dtype) for shape, x in zip(shapes, made, strict=True))


def _turned(array: Array, core: int) -> Array:
    """Move the first `core` axes to the end."""
    return array.transpose(*range(core, array.ndim), *range(core)) if array.ndim > core else array


def by_name(call: Call, ufunc: np.ufunc) -> Call:
    """Return a call of a ufunc whose only loop is of float32 that names it, to cast to it."""

    def run(*args: Any, **kwargs: Any) -> Any:
        if not kwargs.keys() & {"dtype", "signature"}:
            kwargs["signature"] = ufunc.types[0]
        return call(*args, **kwargs)

    return run


def narrowed(call: Call, ufunc: np.ufunc) -> Call:
    """Return a call of a ufunc whose only loop is of float32 that casts wider arguments to it.

    Naming the loop, so that `casting="same_kind"` is what decides, takes longer than a call for
    1,000 elements: it is done where there is no loop without.
    """
    named = by_name(call, ufunc)

    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except TypeError:
            if kwargs.keys() & {"dtype", "signature"}:
                raise
            return named(*args, **kwargs)

    return run


@dataclass(frozen=True)
class WithoutArguments:
    """Call a kernel of constants, whose ufunc has one argument that is not used."""

    call: Call
    unused: Any = 0.0
    """Of the type that the results are to have."""

    def __call__(self, **kwargs: Any) -> Any:
        """Return the constants."""
        return self.call(self.unused, **kwargs)


@dataclass(frozen=True)
class Single:
    """Return a single result as a tuple of one."""

    call: Call

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Any]:
        """Return the result in a tuple."""
        return (self.call(*args, **kwargs),)


@dataclass(frozen=True)
class Named:
    """Return results in a dictionary, and take `out=` as one, or as a structured array.

    That is returned, as NumPy returns what it is given.
    """

    call: Call
    names: tuple[str, ...]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the results by name."""
        out: Any = kwargs.get("out")
        if isinstance(out, dict):
            kwargs["out"] = tuple(out.get(name) for name in self.names)
        elif (fields := getattr(getattr(out, "dtype", None), "names", None)) is not None:
            if set(fields) != set(self.names):
                raise ArgumentError(
                    f"out has the fields {', '.join(fields)}, and the results are "
                    f"{', '.join(self.names)}"
                )
            self.call(*args, **{**kwargs, "out": tuple([out[name] for name in self.names])})
            return out
        results = self.call(*args, **kwargs)
        return dict(zip(self.names, results if len(self.names) > 1 else (results,), strict=True))
