"""`Words`: the vocabulary of `codegen.vecmath` that writes Python for Numba instead of LLVM.

The elementary functions are written once, against the methods of `Lanes`. Behind these methods
each instruction is a line of Python on one number, `v7 = fma(v5, x, F(0.5))`, so that the device
runs the very operations of the CPU's vectors and gives their bits. `F`, `I` and `U` stand for the
float type and for the integers of its width; the other names are those of
`codegen.cuda.intrinsics` on a device, and of `codegen.cuda.simulated` under Numba's simulator.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from codegen.cuda.rare import RARE
from codegen.target import Float
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.rare import rarely, through_libm
from codegen.vecmath.vector import F32, F64

__all__ = ["Name", "Words", "literal"]

_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!="}


class Name(str):
    """The name of a value in the written code."""

    __slots__ = ()


class Mask(Name):
    """The name of a truth value where vectors have flags."""

    __slots__ = ()


class Bits(Name):
    """The name of the bits of a number."""

    __slots__ = ()


def literal(value: float) -> str:
    """Return the text of a number, which reads back with all its bits but a NaN's."""
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INF" if value > 0 else "-INF"
    return repr(float(value))


class _Builder:
    """What the functions ask of LLVM's builder beside `Lanes`: masks and their comparisons."""

    def __init__(self, words: "Words") -> None:
        self.words = words

    def and_(self, a: Any, b: Any) -> Any:
        return self.words.write(f"both({a}, {b})")

    def or_(self, a: Any, b: Any) -> Any:
        return self.words.write(f"either({a}, {b})")

    def xor(self, a: Any, b: Any) -> Any:
        return self.words.write(f"differ({a}, {b})")

    def not_(self, a: Any) -> Any:
        return self.words.write(f"I(~{a})" if isinstance(a, Bits) else f"negated({a})")

    def icmp_unsigned(self, sign: str, a: Any, b: Any) -> Any:
        return self.words.write(f"U({a}) {sign} U({b})")

    def icmp_signed(self, sign: str, a: Any, b: Any) -> Any:
        return self.words.write(f"{a} {sign} {b}")

    def fcmp_unordered(self, sign: str, a: Any, b: Any) -> Any:
        assert sign == "uno" and a == b
        return self.words.write(f"{a} != {a}")

    def sitofp(self, a: Any, _: Any) -> Any:
        return self.words.write(f"F({a})")


class Words(Lanes):
    """Lines of Python for one number of a float type."""

    def __init__(self, dtype: Float, lines: list[str], indent: str = "        ") -> None:
        self.format = F64 if dtype == "f64" else F32
        self.builder: Any = _Builder(self)
        self.lookups, self.live = False, None
        self.lines, self.indent = lines, indent
        self.type: Any = None
        self.count = 1
        self._made = 0

    def write(self, text: str) -> Any:
        """Append a line that names a new value, and return the name."""
        self._made += 1
        name = Name(f"v{self._made}")
        self.line(f"{name} = {text}")
        return name

    def line(self, text: str) -> None:
        """Append a line."""
        self.lines.append(self.indent + text)

    @contextmanager
    def inside(self, head: str) -> Iterator[None]:
        """Append a statement with a body."""
        self.line(head)
        outer, self.indent = self.indent, self.indent + "    "
        yield
        self.indent = outer

    def rarely(self, mask: Any, usual: Any, repair: Callable[[], Any]) -> Any:
        """Write a branch around what few numbers need."""
        merged = self.write(str(usual))
        with self.inside(f"if {mask}:"):
            repaired = repair()
            self.line(f"{merged} = {repaired}")
        return merged

    def through_libm(self, name: str, args: Sequence[Any]) -> Any:
        """Write what rare arguments need: our code, or a function of the device's library."""
        if self.format is F64 and name in RARE:
            return RARE[name](self, *args)
        if self.format is F64:
            return self.write(f"libm_{name}({', '.join(args)})")
        wide = ", ".join(f"float64({arg})" for arg in args)
        return self.write(f"F(libm_{name}({wide}))")

    # What `Vector` has, by one line each.

    def real(self, value: Any) -> Any:
        """Return a value as it is, a number as a constant."""
        if not isinstance(value, int | float):
            return value
        held = self.rounded(float(value))
        assert held == value or value != value, f"{value!r} is no {self.format.name} constant"
        return f"F({literal(held)})"

    def word(self, value: Any) -> Any:
        """Return a value as it is, bits as a signed constant."""
        if not isinstance(value, int):
            return value
        bits = self.format.bits
        return f"I({value - (1 << bits) if value >= 1 << (bits - 1) else value})"

    def intrinsic(self, name: str, *args: Any) -> Any:
        """Call a function of this vocabulary."""
        return self.write(f"{name}({', '.join(map(str, args))})")

    def add(self, a: Any, b: Any) -> Any:
        """a + b."""
        return self.write(f"{self.real(a)} + {self.real(b)}")

    def sub(self, a: Any, b: Any) -> Any:
        """a - b."""
        return self.write(f"{self.real(a)} - {self.real(b)}")

    def mul(self, a: Any, b: Any) -> Any:
        """a * b, which nothing may contract into an fma."""
        return self.write(f"mul({self.real(a)}, {self.real(b)})")

    def div(self, a: Any, b: Any) -> Any:
        """a / b."""
        return self.write(f"div({self.real(a)}, {self.real(b)})")

    def neg(self, a: Any) -> Any:
        """-a."""
        return self.write(f"-{a}")

    def compare(self, op: str, a: Any, b: Any) -> Any:
        """Compare; false on NaN."""
        return self.write(f"{self.real(a)} {op} {self.real(b)}")

    def compare_or_nan(self, op: str, a: Any, b: Any) -> Any:
        """Compare; true on NaN."""
        return self.write(f"not ({self.real(a)} {_NEGATED[op]} {self.real(b)})")

    def select(self, mask: Any, a: Any, b: Any) -> Any:
        """Take `a` where the mask is set, else `b`."""
        return self.write(f"select({mask}, {self.real(a)}, {self.real(b)})")

    def abs(self, a: Any) -> Any:
        """|a|."""
        return self.intrinsic("fabs", a)

    def bits(self, a: Any) -> Any:
        """Return the bits of a number."""
        return Bits(self.intrinsic("bits", a))

    def from_bits(self, a: Any) -> Any:
        """Read bits as a number."""
        return self.intrinsic("number", a)

    def iadd(self, a: Any, b: Any) -> Any:
        """a + b, modulo 2**bits."""
        return self._whole(a, "+", b)

    def isub(self, a: Any, b: Any) -> Any:
        """a - b, modulo 2**bits."""
        return self._whole(a, "-", b)

    def iand(self, a: Any, b: Any) -> Any:
        """a & b; flags that leave out negative numbers have done so as truth values."""
        if isinstance(a, Mask):
            return a
        return self._whole(a, "&", b)

    def ior(self, a: Any, b: Any) -> Any:
        """a | b, also of what takes the place of flags."""
        if isinstance(a, Mask):
            return Mask(self.builder.or_(a, b))
        return self._whole(a, "|", b)

    def beyond(self, a: Any, most: float) -> Any:
        """Tell whether a >= 0 is above `most`, or NaN."""
        return Mask(self.compare_or_nan(">", a, most))

    def outside(self, a: Any, low: int, high: int) -> Any:
        """Tell whether the bits of a number are not in [low, high]."""
        bits = self.bits(a)
        below = self.write(f"{bits} < {self.word(low)}")
        return Mask(self.builder.or_(below, self.write(f"{bits} > {self.word(high)}")))

    def marked(self, flags: Any) -> Any:
        """Return a truth value as it is."""
        return flags

    def ixor(self, a: Any, b: Any) -> Any:
        """a ^ b."""
        return self._whole(a, "^", b)

    def shl(self, a: Any, count: int) -> Any:
        """a << count."""
        return self._whole(a, "<<", count)

    def lshr(self, a: Any, count: int) -> Any:
        """a >> count, filling with zeros."""
        return self.write(f"I(U({a}) >> U({count}))")

    def _whole(self, a: Any, sign: str, b: Any) -> Any:
        """Write integer arithmetic; `I` brings what Numba widens back to its width."""
        return self.write(f"I({self.word(a)} {sign} {self.word(b)})")


@rarely.register
def _(v: Words, mask: Any, usual: Any, repair: Callable[[], Any]) -> Any:
    return v.rarely(mask, usual, repair)


@through_libm.register
def _(v: Words, name: str, args: Sequence[Any], mask: Any, usual: Any) -> Any:
    return v.rarely(mask, usual, lambda: v.through_libm(name, args))
