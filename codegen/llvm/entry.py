"""The C functions of an exported kernel: they write down NumPy's tables and call the driver."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from llvmlite import ir

from codegen.llvm.dispatch import emit_choice, emit_probes
from codegen.llvm.driver import DRIVER
from codegen.llvm.loop import loop_data, stream_table
from codegen.llvm.scribe import I8, I64, POINTER, VOID, Scribe
from codegen.llvm.streams import Entry, LoopData
from codegen.loops.driver import DRIVER as ROLLED_DRIVER
from codegen.loops.program import Rolled
from codegen.program import Program
from codegen.target import ITEMSIZE, Float, Target

__all__ = ["CFunctions", "body_name", "data_name", "emit_entries"]

_TABLE_ROW = ir.LiteralStructType([I64] * len(Entry._fields_))
_DATA = ir.LiteralStructType([POINTER, POINTER, *[I64] * (len(LoopData._fields_) - 2)])


@dataclass(frozen=True)
class CFunctions:
    """The names of one float type's functions: contiguous, and with strides."""

    dtype: Float
    plain: str
    strided: str


def body_name(dtype: Float, target: Target) -> str:
    """Return the name of a loop inside an object; no C function can have it."""
    return f"body.{dtype}.{target.name}"


def data_name(dtype: Float, target: Target) -> str:
    """Return the name of what the driver reads of loops over tables."""
    return f"data.{dtype}.{target.name}"


def emit_entries(
    program: Program | Rolled, targets: Sequence[Target], functions: Sequence[CFunctions],
    teller: str, *, batch_last: bool,
) -> str:  # fmt: skip
    """Return the text of a module with the functions that C calls, and `teller() -> char *`.

    What the driver reads of loops over tables, `data_name`, is in a module of its own.
    """
    module = ir.Module(name="entries")
    module.triple = targets[-1].triple
    choice = emit_choice(module, targets, emit_probes(module)) if len(targets) > 1 else None
    name = ROLLED_DRIVER if isinstance(program, Rolled) else DRIVER
    driver = ir.Function(module, ir.FunctionType(VOID, [POINTER] * 4), name)
    for made in functions:
        loops = _constant(
            module, f"loops.{made.dtype}", [_data(module, program, made.dtype, t) for t in targets]
        )
        for strided in (False, True):
            entry = _CEntry(module, program, made, strided, batch_last)
            entry.emit(driver, choice, loops)
    names = _constant(module, "names", [_text(module, target.name) for target in targets])
    function = ir.Function(module, ir.FunctionType(POINTER, []), teller)
    code = Scribe(function.append_basic_block("entry"))
    code.ret(_chosen(code, choice, names))
    return str(module)


def _chosen(code: Scribe, choice: ir.Function | None, table: ir.Value) -> ir.Value:
    """Read the entry of a table that belongs to this CPU."""
    return code.read(table, code.call(choice, []) if choice else I64(0), POINTER)


def _constant(module: ir.Module, name: str, pointers: Sequence[ir.Value]) -> ir.GlobalVariable:
    kind = ir.ArrayType(POINTER, len(pointers))
    return _global(module, name, ir.Constant(kind, list(pointers)))


def _global(module: ir.Module, name: str, value: ir.Constant) -> ir.GlobalVariable:
    made = ir.GlobalVariable(module, value.type, module.get_unique_name(name))
    made.linkage, made.global_constant, made.initializer = "internal", True, value
    return made


def _text(module: ir.Module, text: str) -> ir.GlobalVariable:
    data = bytearray(text.encode() + b"\0")
    return _global(module, "text", ir.Constant(ir.ArrayType(I8, len(data)), data))


def _data(
    module: ir.Module, program: Program | Rolled, dtype: Float, target: Target
) -> ir.GlobalVariable:
    """Write what the driver reads of a loop as constants, or name it."""
    if isinstance(program, Rolled):
        return ir.GlobalVariable(module, I8, data_name(dtype, target))
    rows = stream_table(program, dtype)
    places = [field[0] for field in Entry._fields_]
    written = [ir.Constant(_TABLE_ROW, [I64(getattr(row, p)) for p in places]) for row in rows]
    kind = ir.ArrayType(_TABLE_ROW, len(written))
    table = _global(module, "table", ir.Constant(kind, written))
    signature = ir.FunctionType(VOID, [POINTER, I64])
    body = ir.Function(module, signature, body_name(dtype, target))
    known = loop_data(program, dtype, target, rows)
    rest = [I64(getattr(known, field[0])) for field in LoopData._fields_[2:]]
    return _global(module, "data", ir.Constant(_DATA, [body, table, *rest]))


class _CEntry:
    """One C function: its parameters, and the tables that it hands to the driver."""

    def __init__(
        self, module: ir.Module, program: Program | Rolled, made: CFunctions, strided: bool,
        last: bool,
    ) -> None:  # fmt: skip
        self.program, self.dtype, self.strided, self.last = program, made.dtype, strided, last
        parameters: list[ir.Type] = [I64]
        for operand in program.operands:
            more = (1 + self.has_pitch(operand)) if strided else 0
            parameters += [POINTER, *[I64] * more]
        name = made.strided if strided else made.plain
        self.function = ir.Function(module, ir.FunctionType(VOID, parameters), name)
        self.code = Scribe(self.function.append_basic_block("entry"))

    def has_pitch(self, operand: Any) -> bool:
        """Tell whether the caller says how far the components of one point are apart."""
        return self.last and bool(operand.shape)

    def emit(
        self, driver: ir.Function, choice: ir.Function | None, loops: ir.GlobalVariable
    ) -> None:
        """Write the body."""
        code = self.code
        count, *rest = self.function.args
        given = iter(rest)
        bases, strides, axes = [], [], []
        operands: tuple[Any, ...] = self.program.operands
        for operand in operands:
            size = 1 if self.program.type_of(operand) == "b" else ITEMSIZE[self.dtype]
            bases.append(next(given))
            stride: ir.Value = I64(1 if self.last else prod(operand.shape))
            pitch: ir.Value = count if self.has_pitch(operand) else I64(1)
            if self.strided:
                stride = next(given)
                pitch = next(given) if self.has_pitch(operand) else pitch
            strides.append(code.mul(stride, I64(size)))
            for axis in range(len(operand.shape)):
                inner = I64(size * prod(operand.shape[axis + 1 :]))
                axes.append(code.mul(pitch, inner))
        data = _chosen(code, choice, loops)
        tables = [self.table(values) for values in (bases, [count], [*strides, *axes])]
        code.call(driver, [*tables, data])
        code.ret_void()

    def table(self, values: Sequence[ir.Value]) -> ir.Value:
        """Write values of 8 bytes side by side."""
        room = self.code.alloca(I64, len(values))
        room.type = POINTER  # untyped: llvmlite would refuse to store both pointers and integers
        for place, value in enumerate(values):
            self.code.store(value, self.code.slot(room, I64(place)))
        return room
