"""How each op of a `Program` is written in LLVM, on whole vectors and without fast-math flags.

Elementary functions come from `codegen.vecmath`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from llvmlite import ir

from codegen import vecmath
from codegen.llvm.shared import declared
from codegen.target import Float
from codegen.vecmath.vector import Rare

__all__ = ["LIBM", "OPS", "SCALARS", "Emitter", "Text", "Value"]

type Value = ir.Value

LIBM: Final = frozenset(
    "cbrt hypot exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan atan2 sinh cosh "
    "tanh asinh acosh atanh erf erfc pow fmod".split()
)
"""Ops that the C library has under the same name."""

SCALARS: Final = MappingProxyType({"f64": ir.DoubleType(), "f32": ir.FloatType()})


class Text(ir.FormattedConstant):  # type: ignore[misc]
    """A constant by its LLVM text; llvmlite would spell out each lane of a vector."""

    def __init__(self, type: ir.Type, text: str) -> None:  # noqa: A002
        super().__init__(type, "")
        self.constant = text


@dataclass
class Emitter:
    """The builder at its place, with the vector type that values have there."""

    builder: ir.IRBuilder
    module: ir.Module
    dtype: Float
    lanes: int
    lookups: bool = False
    """Whether the target looks up tables in registers."""
    called: frozenset[str] = frozenset()
    """Functions that are called, not inlined: their code is shared."""
    slower: frozenset[str] = frozenset()
    """Functions of the faster grade that are slower here than those of the finer one."""
    live: Value | None = None
    """The lanes whose results are used; None is all."""
    rare: Rare | None = None
    """Where elementary functions in place note rare lanes; None is to branch themselves."""

    @property
    def vector(self) -> ir.VectorType:
        """Return the vector type of numbers."""
        return ir.VectorType(SCALARS[self.dtype], self.lanes)

    def splat(self, value: float) -> Value:
        """Return a constant vector with the same number in each lane."""
        scalar = ir.Constant(SCALARS[self.dtype], value)
        return Text(self.vector, f"splat ({scalar.type} {scalar.get_reference()})")

    def truth(self, value: bool) -> Value:
        """Return a constant vector of booleans."""
        kind = ir.VectorType(ir.IntType(1), self.lanes)
        return Text(kind, f"splat (i1 {int(value)})")

    def intrinsic(self, name: str, *args: Value) -> Value:
        """Call an LLVM intrinsic that works lane by lane."""
        full = f"llvm.{name}.v{self.lanes}{self.dtype}"
        return self.builder.call(self.function(full, len(args)), args)

    def function(self, name: str, arity: int) -> ir.Function:
        """Declare a function of vectors once for the module."""
        known = self.module.globals.get(name)
        if known is None:
            signature = ir.FunctionType(self.vector, [self.vector] * arity)
            known = ir.Function(self.module, signature, name)
        return known

    def elementary(self, name: str, *args: Value) -> Value:
        """Evaluate an elementary function: in place, or by a call."""
        called = name in self.called
        if name in self.slower:
            name = name.removeprefix("fast_")
        if not called:
            return vecmath.emit(
                name, self.builder, args, lookups=self.lookups, live=self.live, rare=self.rare
            )
        function = declared(self.module, name, self.vector, len(args))
        return self.builder.call(function, self.harmless(name, args))

    def harmless(self, name: str, args: Sequence[Value]) -> Sequence[Value]:
        """Return arguments that send no unused lane of a called function the rare, slow way."""
        if self.live is None:
            return args
        usual = self.splat(0.5 if name.endswith("atanh") else 1.0)
        return [self.builder.select(self.live, arg, usual) for arg in args]

    def sincos(self, x: Value) -> tuple[Value, Value]:
        """Evaluate sine and cosine with one range reduction; the bits are as apart."""
        if "sin" not in self.called:
            return vecmath.emit_sincos(self.builder, x, live=self.live, rare=self.rare)
        function = declared(self.module, "sincos", self.vector, 1)
        result = self.builder.call(function, self.harmless("sincos", [x]))
        first, second = (self.builder.extract_value(result, place) for place in (0, 1))
        return first, second


def _instruction(method: str) -> Callable[..., Value]:
    def emit(emitter: Emitter, *args: Value) -> Value:
        return getattr(emitter.builder, method)(*args)

    return emit


def _intrinsic(name: str) -> Callable[..., Value]:
    def emit(emitter: Emitter, *args: Value) -> Value:
        return emitter.intrinsic(name, *args)

    return emit


def _elementary(name: str) -> Callable[..., Value]:
    def emit(emitter: Emitter, *args: Value) -> Value:
        return emitter.elementary(name, *args)

    return emit


def _comparison(sign: str, *, nan: bool = False) -> Callable[..., Value]:
    def emit(emitter: Emitter, a: Value, b: Value) -> Value:
        if a.type != emitter.vector:  # booleans are equal or not
            return emitter.builder.icmp_unsigned(sign, a, b)
        compare = emitter.builder.fcmp_unordered if nan else emitter.builder.fcmp_ordered
        return compare(sign, a, b)

    return emit


def _extremum(sign: str) -> Callable[..., Value]:
    """NumPy's vector loops: a NaN wins, and of equal numbers (0.0, -0.0) the second is taken."""

    def emit(emitter: Emitter, a: Value, b: Value) -> Value:
        builder = emitter.builder
        chosen = builder.select(builder.fcmp_ordered(sign, a, b), a, b)
        return builder.select(builder.fcmp_unordered("uno", a, a), a, chosen)

    return emit


def _sign(emitter: Emitter, a: Value) -> Value:
    """Return 1 or -1; 0.0 for both zeros; a NaN stays."""
    builder, zero = emitter.builder, emitter.splat(0.0)
    nonzero = builder.fcmp_unordered("!=", a, zero)
    unit = emitter.intrinsic("copysign", emitter.splat(1.0), a)
    result = builder.select(nonzero, unit, zero)
    return builder.select(builder.fcmp_unordered("uno", a, a), a, result)


OPS: Final[dict[str, Callable[..., Value]]] = {
    **{name: _elementary(name) for name in (*LIBM, "rsqrt", *sorted(vecmath.FAST))},
    "add": _instruction("fadd"),
    "sub": _instruction("fsub"),
    "mul": _instruction("fmul"),
    "div": _instruction("fdiv"),
    "neg": _instruction("fneg"),
    "and": _instruction("and_"),
    "or": _instruction("or_"),
    "not": _instruction("not_"),
    "where": _instruction("select"),
    "fma": _intrinsic("fma"),
    "sqrt": _intrinsic("sqrt"),
    "abs": _intrinsic("fabs"),
    "copysign": _intrinsic("copysign"),
    "floor": _intrinsic("floor"),
    "ceil": _intrinsic("ceil"),
    "trunc": _intrinsic("trunc"),
    "round": _intrinsic("roundeven"),
    "sign": _sign,
    "minimum": _extremum("<"),
    "maximum": _extremum(">"),
    "lt": _comparison("<"),
    "le": _comparison("<="),
    "gt": _comparison(">"),
    "ge": _comparison(">="),
    "eq": _comparison("=="),
    "ne": _comparison("!=", nan=True),
}
