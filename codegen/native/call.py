"""Kernels as C functions in memory: addresses for ctypes, SciPy, Numba, and anything else.

They compute one point, with the bits that the kernel gives, in the default floating-point
environment, and raise no flags; but what SciPy calls runs in SciPy's environment, as functions of C
do: to look at it takes four times as long as the rest of a call. Small pieces of machine code write
down NumPy's tables and call the loop that the kernel has anyway.
"""

import ctypes
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Final

from llvmlite import ir

from codegen.engine import Code, load, object_code
from codegen.llvm.body import emit_module, symbol
from codegen.llvm.scribe import I8, I32, I64, POINTER, VOID, Scribe, default_environment
from codegen.loops.program import Rolled
from codegen.program import Program
from codegen.store.columns import program_digest
from codegen.store.objects import kept_object
from codegen.target import Float, Target
from codegen.vecmath import LOOKUPS
from rewrite.errors import TargetError

__all__ = [
    "CALLBACKS", "Native", "Operand", "Source", "callback", "derivatives", "narrow_body", "native",
    "operands_of",
]  # fmt: skip

_NAME: Final = "rewrite_call"
_NARROW: Final = 128
"""Bits of the narrowest vectors that code is made for."""
_MOST_NUMBERS: Final = 64
_CTYPES: Final[dict[str, Any]] = {
    "double": ctypes.c_double, "float": ctypes.c_float, "unsigned char": ctypes.c_ubyte,
    "int": ctypes.c_int, "npy_intp": ctypes.c_ssize_t, "void": None,
    "double *": ctypes.POINTER(ctypes.c_double), "float *": ctypes.POINTER(ctypes.c_float),
    "unsigned char *": ctypes.POINTER(ctypes.c_ubyte),
    "npy_intp *": ctypes.POINTER(ctypes.c_ssize_t), "void *": ctypes.c_void_p,
}  # fmt: skip
_LLVM: Final[dict[str, ir.Type]] = {
    "double": ir.DoubleType(), "float": ir.FloatType(), "unsigned char": I8, "int": I32,
    "npy_intp": I64, "void": VOID,
}  # fmt: skip


@dataclass(frozen=True)
class Operand:
    """An argument or a result of the C function: its name, shape, and C type of a component."""

    name: str
    shape: tuple[int, ...]
    kind: str

    @property
    def components(self) -> int:
        """The numbers of one point."""
        return prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes of a component."""
        return int(ctypes.sizeof(_CTYPES[self.kind]))


@dataclass(frozen=True, eq=False)
class Native:
    """A C function in memory; it is there as long as this object is."""

    signature: str
    """In C, without names: 'double (double, double)'."""
    code: Code
    owner: object
    """What it calls."""

    @property
    def address(self) -> int:
        """Where the function begins."""
        return self.code.address

    def function(self) -> Any:
        """Return it as a function of ctypes, which keeps this object."""
        result, arguments = _parsed(self.signature)
        made: Any = ctypes.CFUNCTYPE(_CTYPES[result], *(_CTYPES[each] for each in arguments))(
            self.address
        )
        made.native = self
        return made


def _parsed(signature: str) -> tuple[str, list[str]]:
    """Split a C signature into its types."""
    result, _, rest = signature.partition(" (")
    return result, [each for each in rest.removesuffix(")").split(", ") if each != "void"]


def operands_of(program: Program | Rolled, dtype: Float) -> tuple[list[Operand], list[Operand]]:
    """Return the arguments and the results of a program as C sees them."""
    real = {"f64": "double", "f32": "float"}[dtype]

    def seen(operand: Any) -> Operand:
        kind = "unsigned char" if program.type_of(operand) == "b" else real
        return Operand(operand.name, operand.shape, kind)

    return list(map(seen, program.arguments)), list(map(seen, program.outputs))


@dataclass(frozen=True, eq=False)
class Body:
    """The code of a program for one vector of the narrowest width."""

    code: Code
    lanes: int
    x87: bool
    """Whether it may leave flags there."""


def narrow_body(program: Program | Rolled, dtype: Float, target: Target) -> Body | None:
    """Compile a program for single points, or nothing where its own loop is what to call.

    Wide vectors have the same bits in each lane, and take longer for one; but of programs that look
    values up in registers, and of many numbers, which the driver packs better.
    """
    if isinstance(program, Rolled) or not program.arguments:
        return None
    total = sum(prod(operand.shape) for operand in program.operands)
    if total > _MOST_NUMBERS or not LOOKUPS.isdisjoint(program.ops):
        return None
    narrow = replace(target, vector_bits=_NARROW)
    name = symbol(program, dtype)
    made = kept_object(
        narrow, lambda: ("point", program_digest(program), name),
        lambda: object_code(emit_module(program, dtype, narrow, single=True), narrow),
    )  # fmt: skip
    return Body(load(made, name, narrow), narrow.lanes(dtype), "fmod" in program.ops)


@dataclass(frozen=True, eq=False)
class Source:
    """What functions of a kernel call: its code for single points, or its loop."""

    loop: Any
    body: Body | None
    target: Target


def native(arguments: Sequence[Operand], results: Sequence[Operand], source: Source) -> Native:
    """Make `double f(double x, double s)`, or `void f(const double *v, double x, double *out)`.

    The first is of single numbers with one result. Else single numbers come by value, arrays and
    results as pointers to contiguous memory; truth values are unsigned char.
    """
    single = len(results) == 1 and not results[0].shape
    single = single and not any(each.shape for each in arguments)
    kinds = [f"{each.kind} *" if each.shape else each.kind for each in arguments]
    if not single:
        kinds += [f"{each.kind} *" for each in results]
    signature = f"{results[0].kind if single else 'void'} ({', '.join(kinds) or 'void'})"
    piece = _Piece(signature, arguments, results, source)
    given = [value if each.shape else piece.kept(value)
             for each, value in zip(arguments, piece.parameters, strict=False)]  # fmt: skip
    if single:
        piece.return_number(given)
    else:
        piece.run([*given, *piece.parameters[len(arguments) :]])
        piece.code.ret_void()
    return piece.finish(source.target)


class _Piece:
    """One function as it is written."""

    def __init__(
        self, signature: str, arguments: Sequence[Operand], results: Sequence[Operand],
        source: Source, *, guarded: bool = True,
    ) -> None:  # fmt: skip
        self.guarded = guarded
        self.signature, self.loop, self.body = signature, source.loop, source.body
        self.arguments, self.operands = arguments, [*arguments, *results]
        self.module = ir.Module(name=_NAME)
        self.module.triple = source.target.triple
        result, given = _parsed(signature)
        kinds = [POINTER if each.endswith("*") else _LLVM[each] for each in given]
        function = ir.Function(self.module, ir.FunctionType(_LLVM[result], kinds), _NAME)
        self.parameters = list(function.args)
        self.code = Scribe(function.append_basic_block("entry"))

    def memory(self, kind: ir.Type, align: int = 0) -> ir.Value:
        """Return memory for a value, the same at each turn of a loop."""
        with self.code.goto_entry_block():
            made = self.code.alloca(kind)
        made.type = POINTER
        if align:
            made.align = align
        return made

    def room(self, kind: str, count: int = 1) -> ir.Value:
        """Return memory for numbers."""
        return self.memory(ir.ArrayType(_LLVM[kind], max(count, 1)))

    def kept(self, value: ir.Value) -> ir.Value:
        """Put a value into memory, and return where."""
        place = self.memory(value.type)
        self.code.store(value, place)
        return place

    def table(self, values: Sequence[ir.Value]) -> ir.Value:
        """Write values of 8 bytes side by side."""
        place = self.room("npy_intp", len(values))
        for index, value in enumerate(values):
            self.code.store(value, self.code.slot(place, I64(index)))
        return place

    def run(self, places: Sequence[ir.Value]) -> None:
        """Compute one point, whose operands are at these places."""
        if self.body is not None:
            self.run_body(places, self.body)
        else:
            self.run_driver(places)

    def return_number(self, places: Sequence[ir.Value]) -> None:
        """Compute one point of which the arguments are at these places, and return its result."""
        kind = self.operands[-1].kind
        room = self.room(kind)
        self.run([*places, room])
        self.code.ret(self.code.load(room, typ=_LLVM[kind]))

    def run_body(self, places: Sequence[ir.Value], body: Body) -> None:
        """Call code of one narrow vector, whose lanes all have the point."""
        code, pointers, results = self.code, [], []
        count = len(self.arguments)
        for number, (operand, place) in enumerate(zip(self.operands, places, strict=True)):
            kind = ir.IntType(8 * operand.size)
            vector = ir.VectorType(kind, body.lanes)
            for component in range(operand.components):
                at = code.at(place, I64(component * operand.size))
                room = self.memory(vector, align=16)
                if number < count:
                    code.store(code.splat(code.load(at, typ=kind, align=1), vector), room)
                else:
                    results.append((room, at, kind))
                pointers.append(room)
        table = self.table(pointers)
        run = code.inttoptr(
            I64(body.code.address), ir.FunctionType(VOID, [POINTER, I64]).as_pointer()
        )
        with default_environment(code, x87=body.x87) if self.guarded else nullcontext():
            code.call(run, [table, I64(body.lanes)])
        for room, at, kind in results:
            code.store(code.load(room, typ=kind), at, align=1)

    def run_driver(self, places: Sequence[ir.Value]) -> None:
        """Call the kernel's own loop, as NumPy does."""
        operands = self.operands
        if (
            not self.arguments
        ):  # NumPy has no ufuncs without inputs: the loop has one that is unused
            places = [self.kept(ir.Constant(ir.DoubleType(), 0.0)), *places]
            operands = [Operand("unused", (), "double"), *operands]
        axes = [
            each.size * prod(each.shape[axis + 1 :])
            for each in operands
            for axis in range(len(each.shape))
        ]
        steps = [*[0] * len(operands), *axes]
        tables = [
            self.table(places), self.table([I64(1)]), self.table([I64(step) for step in steps])
        ]  # fmt: skip
        kind = ir.FunctionType(VOID, [POINTER] * 4).as_pointer()
        driver = self.code.inttoptr(I64(self.loop.driver.address), kind)
        data = self.code.inttoptr(I64(ctypes.addressof(self.loop.data)), POINTER)
        self.code.call(driver, [*tables, data])

    def split(self, sources: Sequence[tuple[ir.Value, int]]) -> list[ir.Value]:
        """Say where each argument lies, of which so many numbers are at each source in turn."""
        places, sources = [], list(sources)
        base, left = sources.pop(0)
        offset = 0
        for each in self.arguments:
            while left == 0 and sources:
                (base, left), offset = sources.pop(0), 0
            if each.components > left:
                raise TargetError(
                    f"the array argument {each.name!r} is partly among the numbers that the "
                    "caller gives and partly among user_data"
                )
            places.append(self.code.at(base, I64(offset)))
            offset += each.components * each.size
            left -= each.components
        return places

    def finish(self, target: Target) -> Native:
        """Make it machine code."""
        code = load(object_code(str(self.module), target), _NAME, target)
        return Native(self.signature, code, (self.loop, self.body))


def derivatives(kernel: Any) -> Native:
    """Make `void f(double t, double *y, double *p, double *out)` of a kernel f(t, y, *parameters).

    The numbers of all parameters follow each other in p.
    """
    arguments, results = kernel.native_operands()
    signature = "void (double, double *, double *, double *)"
    piece = _Piece(signature, arguments, results, kernel.native_source)
    t, y, p, out = piece.parameters
    states = arguments[1].components
    rest = sum(each.components for each in arguments[2:])
    piece.run([*piece.split([(piece.kept(t), 1), (y, states), (p, rest)]), out])
    piece.code.ret_void()
    return piece.finish(kernel.native_source.target)


# -- what SciPy calls ------------------------------------------------------------------------


def _by_value(piece: _Piece, own: int) -> None:
    """`double f(double x)`, and with a pointer to the numbers that follow x."""
    sources = [(piece.kept(piece.parameters[0]), 1)]
    if own:
        sources.append((piece.parameters[1], own))
    piece.return_number(piece.split(sources))


def _counted(piece: _Piece, own: int) -> None:
    """`double f(int n, double *x)`, and with a pointer to the numbers that follow these."""
    count = sum(each.components for each in piece.arguments) - own
    code = piece.code
    with code.if_then(code.icmp_signed("!=", piece.parameters[0], I32(count)), likely=False):
        code.ret(ir.Constant(ir.DoubleType(), float("nan")))
    sources = [(piece.parameters[1], count), *([(piece.parameters[2], own)] if own else [])]
    piece.return_number(piece.split(sources))


def _filter(piece: _Piece, own: int) -> None:
    """`int f(double *window, npy_intp n, double *result, void *)`: 0 for another size."""
    code, (window, count, result, more) = piece.code, piece.parameters
    expected = sum(each.components for each in piece.arguments) - own
    with code.if_then(code.icmp_signed("!=", count, I64(expected)), likely=False):
        code.ret(I32(0))
    piece.run([*piece.split([(window, expected), (more, own)]), result])
    code.ret(I32(1))


def _line(piece: _Piece, own: int) -> None:
    """`int f(double *line, npy_intp n, double *results, npy_intp m, void *)`: 0 for another size.

    Each result is of the window that begins at its place in the line.
    """
    code, (line, count, results, made, more) = piece.code, piece.parameters
    expected = sum(each.components for each in piece.arguments) - own
    size = code.add(code.sub(count, made), I64(1))
    with code.if_then(code.icmp_signed("!=", size, I64(expected)), likely=False):
        code.ret(I32(0))
    with code.counted(I64(0), made) as index:
        sources = [(code.slot(line, index), expected), (more, own)]
        piece.run([*piece.split(sources), code.slot(results, index)])
    code.ret(I32(1))


def _transform(piece: _Piece, own: int) -> None:
    """`int f(npy_intp *to, double *from, int ranks, int, void *)`: coordinates to coordinates."""
    code, (to, source, rank, source_rank, more) = piece.code, piece.parameters
    expected = sum(each.components for each in piece.arguments) - own
    results = piece.operands[len(piece.arguments) :]
    wanted = sum(each.components for each in results)
    for given, known in ((rank, expected), (source_rank, wanted)):
        with code.if_then(code.icmp_signed("!=", given, I32(known)), likely=False):
            code.ret(I32(0))
    at = piece.room("double", expected)
    for index in range(expected):
        value = code.sitofp(code.read(to, I64(index)), ir.DoubleType())
        code.store(value, code.slot(at, I64(index)))
    places, offset = piece.split([(at, expected), (more, own)]), 0
    for each in results:
        places.append(code.at(source, I64(offset)))
        offset += each.components * each.size
    piece.run(places)
    code.ret(I32(1))


CALLBACKS: Final = {
    "double (double)": _by_value,
    "double (double, void *)": _by_value,
    "double (int, double *)": _counted,
    "double (int, double *, void *)": _counted,
    "int (double *, npy_intp, double *, void *)": _filter,
    "int (double *, npy_intp, double *, npy_intp, void *)": _line,
    "int (npy_intp *, double *, int, int, void *)": _transform,
}
"""What SciPy calls, by its own words: of integrate, and of `generic_filter`, `generic_filter1d`
and `geometric_transform`."""


def callback(
    signature: str, arguments: Sequence[Operand], results: Sequence[Operand], own: int,
    source: Source,
) -> Native:  # fmt: skip
    """Make a function that SciPy calls, the last `own` numbers of which are user data."""
    piece = _Piece(signature, arguments, results, source, guarded=False)
    CALLBACKS[signature](piece, own)
    return piece.finish(source.target)
