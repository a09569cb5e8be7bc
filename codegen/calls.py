"""What a kernel puts around its ufunc: batch axis last, results by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codegen.loops.program import Rolled
from codegen.program import Program
from rewrite.errors import ArgumentError

__all__ = [
    "BatchLast",
    "Named",
    "Single",
    "WithoutArguments",
    "allocate",
    "by_name",
    "given",
    "narrowed",
    "outer_shape",
]

type Call = Callable[..., Any]
type Array = NDArray[Any]


def outer_shape(args: tuple[Any, ...], cores: list[int], where: Any) -> tuple[int, ...] | None:
    """Return the broadcast shape of the arguments, or nothing where NumPy will complain."""
    ranks = [np.ndim(arg) - core for arg, core in zip(args, cores, strict=False)]
    if min(ranks, default=0) < 0:
        return None
    shapes = [np.shape(arg)[:rank] for arg, rank in zip(args, ranks, strict=True)]
    try:
        return np.broadcast_shapes(*shapes, np.shape(where))
    except ValueError:
        return None


def given(out: Any) -> tuple[Any, ...]:
    """Return what `out=` says as a tuple."""
    return out if isinstance(out, tuple) else (out,)


def allocate(
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
    outer = outer_shape(args, [len(argument.shape) for argument in program.arguments], True)
    shapes = [(outer or ()) + output.shape for output in program.outputs]
    return tuple(np.empty(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True))


class BatchLast:
    """Take and return arrays whose own axes come first: the batch is contiguous in memory."""

    def __init__(self, call: Call, ufunc: np.ufunc, program: Program | Rolled) -> None:
        self.call, self.ufunc, self.program = call, ufunc, program
        self._cores = [len(argument.shape) for argument in program.arguments]
        self._made = [len(output.shape) for output in program.outputs]

    def __call__(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Turn the operands to NumPy's order without copying them."""
        takes, makes = len(self._cores), len(self._made)
        if len(args) > takes and out is None:
            args, out = args[:takes], args[takes:]
        asked: tuple[Any, ...] = (None,) * makes if out is None else given(out)
        if len(args) != takes or len(asked) != makes:
            return self.ufunc(*args, out=out, **kwargs)  # NumPy names the mistake
        # lists, not generators: a call for a few points would take a microsecond longer
        inputs = [
            _turned(arg, core) if core else arg for arg, core in zip(args, self._cores, strict=True)
        ]
        results = asked
        if any([x is None for x in asked]):
            made = self._allocate(tuple(inputs))
            results = tuple([m if x is None else x for x, m in zip(asked, made, strict=True)])
        if not all([isinstance(x, np.ndarray) for x in results]):
            raise TypeError("return arrays must be of ArrayType")
        turned = [_turned(x, core) for x, core in zip(results, self._made, strict=True)]
        self.call(*inputs, out=tuple(turned), **kwargs)
        if out is None:
            results = tuple([x[()] for x in results])
        return results[0] if len(results) == 1 else results

    def _allocate(self, inputs: tuple[Any, ...]) -> tuple[Array, ...]:
        made = allocate(self.ufunc, self.program, inputs)
        shapes = [
            x.shape[x.ndim - core :] + x.shape[: x.ndim - core]
            for x, core in zip(made, self._made, strict=True)
        ]
        return tuple(np.empty(shape, x.dtype) for shape, x in zip(shapes, made, strict=True))


def _turned(value: Any, core: int) -> Array:
    """Move the first `core` axes to the end."""
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    rank = array.ndim
    if rank == 2 and core == 1:
        return array.T
    return array.transpose(*range(core, rank), *range(core)) if rank > core else array


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
