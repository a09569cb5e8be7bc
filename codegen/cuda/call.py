"""The arguments of a call: what they are, where they lie, and the shapes that they broadcast to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from codegen.cuda.arrays import View, view_of
from codegen.cuda.libraries import Library, library_of
from codegen.instruction import ValueType
from codegen.loops.program import Rolled
from codegen.program import Argument, Program
from codegen.target import Float
from rewrite.errors import ArgumentError, ArgumentTypeError

__all__ = ["READ", "Given", "batch_shape", "float_type", "given", "results_given", "types_of"]

READ: Final = frozenset("?bBhHiIefd")
"""NumPy's letters of dtypes that kernels read as numbers without rounding."""
_NARROW: Final = np.dtype(np.float32)


def types_of(program: Program | Rolled, operands: Iterable[Any]) -> list[ValueType]:
    """Return the types of arguments or outputs."""
    known: Any = program  # each has operands of its own classes
    return list(map(known.type_of, operands))


@dataclass(frozen=True, slots=True)
class Given:
    """One argument of a call, as an array on a device, on the host, or a number."""

    argument: Argument
    value: Any
    view: View | None = None
    """Where it is on a device."""

    @property
    def is_host_array(self) -> bool:
        """Tell whether it has to be copied to a device."""
        return self.view is None and np.ndim(self.value) > 0

    @property
    def is_number(self) -> bool:
        """Tell whether it is passed by value."""
        return self.view is None and np.ndim(self.value) == 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape, () of a number."""
        return self.view.shape if self.view is not None else np.shape(self.value)


def given(program: Program | Rolled, args: Sequence[Any]) -> list[Given]:
    """Return the arguments of a call; refuse what does not go together.

    Raise `ArgumentError` for another number of them, for arrays of the host beside arrays of a
    device, and for arrays on two devices.
    """
    if len(args) != len(program.arguments):
        names = ", ".join(argument.name for argument in program.arguments)
        raise ArgumentError(
            f"kernel {program.name!r} takes {len(program.arguments)} arguments ({names}), "
            f"not {len(args)}"
        )
    found = [
        _given(program.name, argument, value)
        for argument, value in zip(program.arguments, args, strict=True)
    ]
    on_device = [one for one in found if one.view is not None]
    for other in found if on_device else ():
        if other.is_host_array:
            raise ArgumentError(
                f"kernel {program.name!r}: argument {other.argument.name!r} is an array of the "
                f"host ({type(other.value).__name__}), and {on_device[0].argument.name!r} is on a "
                f"device; copy it there first, as in cupy.asarray({other.argument.name}) or "
                f"numba.cuda.to_device({other.argument.name})"
            )
    _check_devices(program.name, on_device)
    return found


def _check_devices(name: str, on_device: Sequence[Given]) -> None:
    for one in on_device:
        first, here = on_device[0], one.view
        assert first.view is not None and here is not None
        if here.device != first.view.device:
            raise ArgumentError(
                f"kernel {name!r}: argument {first.argument.name!r} is on device "
                f"{first.view.device}, and {one.argument.name!r} on device {here.device}; copy one "
                "of them to the other's device"
            )


def _given(name: str, argument: Argument, value: Any) -> Given:
    ready = getattr(value, "block_until_ready", None)  # JAX computes behind our back
    if ready is not None:
        ready()
    view = view_of(value)
    if view is None:
        return Given(argument, value)
    _check_dtype(name, argument, view)
    return Given(argument, value, view)


def _check_dtype(name: str, argument: Argument, view: View) -> None:
    """Refuse what a kernel would have to round, and what is no number."""
    kind, what = view.dtype, f"argument {argument.name!r} of kernel {name!r}"
    if argument.type == "b":
        if kind != np.bool_:
            raise ArgumentTypeError(
                f"{what} is an array of dtype {kind} on a device, where truth values are taken; "
                f"compare first: {argument.name} != 0"
            )
    elif kind.char not in READ:
        hint = "; it may hold integers that float64 would round" if kind.kind in "iu" else ""
        raise ArgumentTypeError(
            f"{what} is an array of dtype {kind} on a device, which kernels do not read{hint}; "
            "cast it there to float64 or float32"
        )


def float_type(found: Sequence[Given], only: Float | None) -> Float:
    """Return the type to compute in: NumPy's choice between loops of float32 and float64."""
    if only is not None:
        return only
    strong = [
        one.view.dtype if one.view is not None else np.asarray(one.value).dtype
        for one in found
        if one.argument.type == "f" and (one.view is not None or not _is_weak(one.value))
    ]
    narrow = strong and all(np.can_cast(dtype, _NARROW) for dtype in strong)
    return "f32" if narrow else "f64"


def _is_weak(value: Any) -> bool:
    """Tell of Python's numbers, which follow the types of arrays."""
    return type(value) in (int, float, bool)


def batch_shape(name: str, found: Sequence[Given], *, last: bool) -> tuple[int, ...]:
    """Return the shape that arguments broadcast to, without their own axes."""
    outer: list[tuple[int, ...]] = []
    for one in found:
        core, shape = one.argument.shape, one.shape
        count = len(shape) - len(core)
        own, rest = (shape[: len(core)], shape[len(core) :]) if last else (
            shape[max(count, 0) :], shape[: max(count, 0)],
        )  # fmt: skip
        if count < 0 or own != core:
            raise ArgumentError(
                f"kernel {name!r}: argument {one.argument.name!r} has shape {shape}, and its "
                f"{'first' if last else 'last'} axes are to be {core}"
            )
        outer.append(rest)
    try:
        return np.broadcast_shapes(*outer)
    except ValueError:
        shown = ", ".join(
            f"{one.argument.name} {shape}" for one, shape in zip(found, outer, strict=True)
        )
        raise ArgumentError(
            f"kernel {name!r}: the shapes of its arguments do not broadcast: {shown}"
        ) from None


def results_given(program: Program | Rolled, out: Any, matrices: bool = False) -> tuple[Any, ...]:
    """Return the arrays of `out=`, one for each result: given alone, in a tuple, or by name.

    Where there are `matrices`, what is a tuple with names is one of them.
    """
    names = [output.name for output in program.outputs]
    if isinstance(out, dict):
        if set(out) != set(names):
            raise ArgumentError(
                f"out= names {', '.join(map(str, out))}; the results of kernel {program.name!r} "
                f"are {', '.join(names)}"
            )
        return tuple(out[name] for name in names)
    several = isinstance(out, (tuple, list)) and not (matrices and hasattr(out, "_fields"))
    held = tuple(out) if several else (out,)
    if len(held) != len(names):
        raise ArgumentError(
            f"out= has {len(held)} arrays, and kernel {program.name!r} has {len(names)} results"
        )
    return held


def library(found: Sequence[Given]) -> tuple[Library, Any] | None:
    """Return the library of the first device argument, and that argument."""
    for one in found:
        if one.view is not None:
            return library_of(one.value), one.value
    return None
