"""Kernels inside functions that Numba compiles: a type for each kernel, and how it is called.

Numba asks an object that it does not know for its `_numba_type_`, so nothing has to be registered
before. A kernel answers with a function of Numba's that calls its machine code, and holds it: so
does all that Numba compiles with it. Functions that call a kernel are not in Numba's cache on disk,
as addresses change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.imputils import lower_constant
from numba.core.typing.templates import Signature
from numba.extending import (
    intrinsic,
    models,
    register_model,
)

from codegen.native.call import Operand
from rewrite.errors import ArgumentError

if TYPE_CHECKING:
    from codegen.kernel import Kernel

__all__ = ["KernelType", "numba_function"]

_NUMBERS = {"double": types.float64, "float": types.float32, "unsigned char": types.boolean}


class KernelType(types.Opaque):
    """Numba's type of what stands for the machine code of one kernel."""

    def __init__(self, kernel: "Kernel") -> None:
        self.name_of, self.native = kernel.__name__, kernel.native
        self.arguments, self.results = kernel.native_operands()
        self.single = kernel.results == "single"
        super().__init__(f"kernel {kernel.__name__}({id(self.native)})")


@dataclass(frozen=True, eq=False)
class _Handle:
    """A global of the function that Numba compiles for a kernel."""

    _numba_type_: KernelType


def numba_function(kernel: "Kernel") -> Any:
    """Return the function that calls the kernel; see `Kernel.numba`."""
    handle = _Handle(KernelType(kernel))
    scope: dict[str, Any] = {
        "np": np,
        "run": _run,
        "check": _check,
        "Wrong": ArgumentError,
        "handle": handle,
    }
    exec(_text(handle._numba_type_), scope)
    made = scope["call"]
    made.__name__ = made.__qualname__ = kernel.__name__
    return numba.njit(made)


register_model(KernelType)(models.OpaqueModel)


@lower_constant(KernelType)  # type: ignore[untyped-decorator]
def _constant(context: Any, builder: Any, typ: Any, value: Any) -> Any:
    return context.get_dummy_value()


def _problem(typ: Any, operand: Operand) -> str:
    """Say what is wrong with the type of an argument."""
    kind = _NUMBERS[operand.kind]
    if not operand.shape:
        taken = (types.Boolean,) if kind is types.boolean else (types.Float, types.Integer)
        if isinstance(typ, (*taken, types.Boolean)):
            return ""
        return f"is {typ}, and takes a {kind}; in a loop, call it for each element of an array"
    if not isinstance(typ, types.Array):
        return f"is {typ}, and takes an array of shape {operand.shape}"
    if typ.dtype != kind or typ.ndim != len(operand.shape) or typ.layout != "C":
        return (
            f"is {typ}, and takes a contiguous array of {kind} of shape {operand.shape}: "
            f"np.ascontiguousarray, astype"
        )
    return ""


def _text(self: KernelType) -> str:
    """Write the call in Python: shapes are looked at, results are made, then machine code runs."""
    names = [f"x{k}" for k in range(len(self.arguments))]
    lines = [f"def call({', '.join(names)}):"]
    lines.append(f"    check(handle, ({''.join(f'{name}, ' for name in names)}))")
    for name, operand in zip(names, self.arguments, strict=True):
        if operand.shape:
            lines += [
                f"    if {name}.shape != {operand.shape!r}:",
                f"        raise Wrong({f'argument {operand.name} takes shape {operand.shape}'!r})",
            ]
    shaped = [operand for operand in self.results if operand.shape]
    for k, operand in enumerate(shaped):
        dtype = {"double": "float64", "float": "float32", "unsigned char": "bool_"}[operand.kind]
        lines.append(f"    r{k} = np.empty({operand.shape!r}, np.{dtype})")
    given = "".join(f"{n}, " for n in [*names, *(f"r{k}" for k in range(len(shaped)))])
    lines.append(f"    single = run(handle, ({given}))")
    arrays, numbers = iter(range(len(shaped))), iter(range(len(self.results)))
    results = [f"r{next(arrays)}" if r.shape else f"single[{next(numbers)}]" for r in self.results]
    one = self.single
    lines.append(f"    return {results[0] if one else '(' + ', '.join(results) + ',)'}")
    return "\n".join(lines)


@intrinsic
def _check(typingctx: Any, kernel: Any, given: Any) -> Any:
    """Refuse arguments by their types, before anything else is said about them."""
    for typ, operand in zip(given, kernel.arguments, strict=True):
        if problem := _problem(typ, operand):
            raise TypingError(f"argument {operand.name!r} of kernel {kernel.name_of!r} {problem}")
    return types.none(kernel, given), lambda context, *_: context.get_dummy_value()


@intrinsic
def _run(typingctx: Any, kernel: Any, given: Any) -> Any:
    """Call the C function with numbers and arrays, and return the numbers among the results."""
    single = [_NUMBERS[operand.kind] for operand in kernel.results if not operand.shape]
    returned = types.Tuple(single)

    def write(context: Any, builder: Any, signature: Signature, args: Any) -> Any:
        values = cgutils.unpack_tuple(builder, args[1], len(given))
        count = len(kernel.arguments)
        pairs = list(zip(values, given, strict=True))
        parts = [
            _argument(context, builder, pair, operand)
            for pair, operand in zip(pairs[:count], kernel.arguments, strict=True)
        ]
        arrays = iter(pairs[count:])
        found = []
        by_value = kernel.native.signature.partition(" (")[0] != "void"
        for operand in kernel.results:
            if operand.shape:
                parts.append(_data(context, builder, *next(arrays)))
            elif not by_value:
                kind = context.get_data_type(_NUMBERS[operand.kind])
                found.append(cgutils.alloca_once(builder, kind))
                parts.append(found[-1])
        result = _called(context, builder, kernel, parts)
        loaded = [result] if by_value else [builder.load(place) for place in found]
        numbers = [_truth(builder, value, typ) for value, typ in zip(loaded, single, strict=True)]
        return context.make_tuple(builder, returned, numbers)

    return returned(kernel, given), write


def _called(context: Any, builder: Any, kernel: Any, parts: Sequence[Any]) -> Any:
    """Write the call of the C function at its address."""
    result = kernel.native.signature.partition(" (")[0]
    back = ir.VoidType() if result == "void" else context.get_data_type(_NUMBERS[result])
    kind = ir.FunctionType(back, [part.type for part in parts]).as_pointer()
    # dynamic: Numba then keeps the caller out of its cache on disk
    context.active_code_library.kernel = kernel.native  # what links this code keeps the library
    at = context.add_dynamic_addr(builder, kernel.native.address, info=kernel.name_of)
    return builder.call(builder.bitcast(at, kind), parts)


def _argument(context: Any, builder: Any, pair: Any, operand: Operand) -> Any:
    value, typ = pair
    if operand.shape:
        return _data(context, builder, value, typ)
    wanted = _NUMBERS[operand.kind]
    number = context.cast(builder, value, typ, wanted)
    return builder.zext(number, ir.IntType(8)) if wanted is types.boolean else number


def _truth(builder: Any, value: Any, typ: Any) -> Any:
    """Turn a byte into Numba's truth value, and leave numbers as they are."""
    if typ is not types.boolean:
        return value
    return builder.icmp_unsigned("!=", value, ir.Constant(value.type, 0))


def _data(context: Any, builder: Any, value: Any, typ: Any) -> Any:
    """Return where an array has its numbers."""
    return context.make_array(typ)(context, builder, value).data
