"""`CycleCost`: what a program costs in CPU cycles an element on a target, read from its table.

The model adds the reciprocal throughputs of the distinct operations of a loop body, and a share of
the latencies along its critical path: none unless it is asked for, as the out-of-order core
overlaps iterations of an elementwise loop. Left out: overlap between ports, loads and stores.
`port_cycles` is the bound that overlapping ports cannot beat.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from typing import Final

from codegen.program import Program
from codegen.target import GPU_NAMES, NAMES, Float, Target, get
from codegen.targets import TABLES
from codegen.targets.table import CostTable, Row
from rewrite import ops
from rewrite.constants import Constant, Named, to_float
from rewrite.errors import ArgumentError, TargetError

__all__ = [
    "CycleCost", "cycle_cost", "cycles", "exact_inverse", "is_root", "port_cycles",
    "power_operations", "product_exponent", "slower", "table_for",
]  # fmt: skip

MOST_PRODUCTS: Final = 64
"""Integer powers up to this exponent are written as products."""
PLAIN_POWERS: Final = 3
"""Up to this exponent rounding errors do not add up to more than an elementary function's."""


PLAIN_APPROXIMATE: Final = 5
"""Up to this exponent products alone are within 4 ulp: n - 1 roundings of half an ulp to one."""


def product_exponent(exponent: Constant | None, strict: bool = False) -> int | None:
    """Return the integer n for which `codegen.lower` writes x**n without `pow`, else None.

    Under `strict` only what NumPy itself does not hand to the C library.
    """
    if isinstance(exponent, bool) or not isinstance(exponent, (int, float)):
        return None
    if not abs(exponent) <= MOST_PRODUCTS or exponent != int(exponent):  # a NaN is not below either
        return None
    return None if strict and exponent not in (-1, 0, 1, 2) else int(exponent)


def is_root(exponent: Constant | None) -> bool:
    """Tell whether `codegen.lower` writes x**exponent as a square root, as NumPy does.

    It is priced as `pow`, so that a search writes it so in terms too.
    """
    return not isinstance(exponent, bool) and exponent == Fraction(1, 2)


def exact_inverse(divisor: Constant | None) -> float | None:
    """Return 1/c if x*(1/c) has the bits of x/c in both float types, else None.

    So it is where c is a power of two, far enough from the ends of float32.
    """
    if isinstance(divisor, (bool, Named)) or not divisor:
        return None
    near = to_float(divisor)
    if not 2.0**-100 <= abs(near) <= 2.0**100 or Fraction(near) != divisor:
        return None
    return 1.0 / near if abs(math.frexp(near)[0]) == 0.5 else None


def _is_plain(exponent: int, approximate: bool) -> bool:
    most = PLAIN_APPROXIMATE if approximate else PLAIN_POWERS
    return abs(exponent) <= (most if exponent > 0 else most - 1)


def power_operations(exponent: int, approximate: bool = False) -> int:
    """Return how many products, sums and selections `codegen.lower` writes x**exponent as.

    Negations are not counted: they are part of the `fma` that uses them.
    """
    n = abs(exponent)
    squarings, products = max(0, n.bit_length() - 1), max(0, n.bit_count() - 1)
    if _is_plain(exponent, approximate):
        return squarings + products
    return 4 * squarings + 3 * products + 1


def power_steps(exponent: int, approximate: bool = False) -> tuple[int, int, int]:
    """Return how many products, sums and selections wait for each other in x**exponent."""
    n = abs(exponent)
    if _is_plain(exponent, approximate):
        return power_operations(exponent, approximate), 0, 0
    steps = n.bit_length() + n.bit_count() - 2
    # each product's error comes one fma after it, and joins the errors so far by another one
    return steps, 2 + (steps > 2), 1


@dataclass(frozen=True)
class CycleCost:
    """Cycles an element on a target, as a `CostModel`, with latency on request a `LatencyModel`."""

    table: CostTable
    dtype: Float = "f64"
    unit: str = "cycles/element"
    sharing: bool = True
    strict: bool = False
    """Whether integer powers beyond the square stay `pow`, as strict code has them."""

    approximate: bool = False
    """Whether functions are those within 4 ulp, where the target's table has them."""

    latency_weight: float = 0.0
    """What a cycle of latency on the critical path counts beside one of throughput.

    At 1 nothing overlaps: each vector waits for the one before, as in a recurrence.
    """

    def __post_init__(self) -> None:
        """Refuse weights that are no share of a cycle."""
        if not 0.0 <= self.latency_weight < math.inf:
            raise ArgumentError(f"latency={self.latency_weight!r} is no weight, 0 or more")

    @property
    def name(self) -> str:
        """The table and the float type, the grade of functions, and what latency counts."""
        more = f"+{self.latency_weight:g}*latency" if self.latency_weight else ""
        grade = "/4ulp" if self.approximate else ""
        return f"{self.table.name}/{self.dtype}{grade}{more}"

    @cached_property
    def _cycles(self) -> dict[str, float]:
        lanes = self.table.lanes(self.dtype)
        return {r.op: r.throughput / lanes for r in self.table.rows if r.dtype == self.dtype}

    @cached_property
    def _latencies(self) -> dict[str, float]:
        lanes = self.table.lanes(self.dtype)
        return {r.op: r.latency / lanes for r in self.table.rows if r.dtype == self.dtype}

    def cycles(self, op: str) -> float:
        """Return the cycles an element of one op."""
        return self._of(self._cycles, op)

    def _of(self, column: dict[str, float], op: str) -> float:
        try:
            fine = column[op]
            return min(fine, column.get(f"fast_{op}", fine)) if self.approximate else fine
        except KeyError:
            known = ", ".join(sorted(column))
            raise TargetError(
                f"target {self.table.name} has no {self.dtype} {op!r}; it has: {known}"
            ) from None

    def price(self, op: ops.Op, constants: tuple[Constant | None, ...]) -> float:
        """Price an op; integer powers are products, division by a power of two is one too."""
        n = product_exponent(constants[1], self.strict) if op is ops.POW else None
        if n is not None:
            return power_operations(n, self.approximate) * self.cycles("mul") + (
                self.cycles("div") if n < 0 else 0
            )
        if op is ops.DIV and exact_inverse(constants[1]) is not None:
            return self.cycles("mul")
        if op is ops.RSQRT and self.strict:
            return self.cycles("div") + self.cycles("sqrt")
        return self.cycles(op.name)

    def latency(self, op: ops.Op, constants: tuple[Constant | None, ...]) -> float:
        """Return the latency of an op, in cycles an element of its vector, as it is priced."""
        column = self._latencies
        n = product_exponent(constants[1], self.strict) if op is ops.POW else None
        if n is not None:
            names = ("mul", "fma", "where")
            steps = zip(power_steps(n, self.approximate), names, strict=True)
            last = self._of(column, "div") if n < 0 else 0.0
            return sum(count * self._of(column, name) for count, name in steps) + last
        if op is ops.DIV and exact_inverse(constants[1]) is not None:
            return self._of(column, "mul")
        if op is ops.RSQRT and self.strict:
            return self._of(column, "div") + self._of(column, "sqrt")
        return self._of(column, op.name)


def cycles(
    target: str | Target = "native", *, dtype: Float = "f64", latency: float = 0.0,
    strict: bool = False, approximate: bool = False,
) -> CycleCost:  # fmt: skip
    """Return the cycles of a target, or of a cost table by name, as the model for `cost=`.

    With `latency` the critical path costs too: so many cycles for each cycle of latency. At 0, the
    default of `optimize`, iterations of a loop are taken to overlap; at 1 each waits for the one
    before. `dtype` is "f64" or "f32", to be the same as that of `optimize`; `approximate` prices
    functions within 4 ulp, as `math="fast"` has them.

    Raise `TargetError` for a name that there is not.

    >>> import rewrite as rw
    >>> from rewrite.rules.arithmetic import ASSOCIATIVITY
    >>> a, b, c, d = rw.symbols("a b c d")
    >>> model = rw.cycles("zen4-avx2", latency=0.5)
    >>> rw.egraph(a + b + c + d, ASSOCIATIVITY, cost=model).extract()
    a + b + (c + d)
    """
    if isinstance(target, str):
        known = target in NAMES or target in GPU_NAMES
        table = table_for(get(target)) if known else cycle_cost(target).table
    else:
        table = table_for(target)
    return CycleCost(table, dtype, strict=strict, approximate=approximate, latency_weight=latency)


def table_for(target: Target) -> CostTable:
    """Return the cost table of a target's CPU, or else of its vector width."""
    arch = target.triple.partition("-")[0].replace("arm64", "aarch64")
    known = [t for t in TABLES.values() if (t.vector_bits, t.arch) == (target.vector_bits, arch)]
    if not known:
        raise TargetError(
            f"there is no cost table for vectors of {target.vector_bits} bits on {arch}"
        )
    for table in known:
        if target.cpu in table.cpus:
            return table
    return known[0]


def cycle_cost(table: str, dtype: Float = "f64") -> CycleCost:
    """Return the model of a cost table by its name, or by LLVM's name of a CPU: its widest one."""
    if table in TABLES:
        return CycleCost(TABLES[table], dtype)
    found = [known for known in TABLES.values() if table in known.cpus]
    if not found:
        cpus = sorted({cpu for known in TABLES.values() for cpu in known.cpus})
        raise TargetError(
            f"there is no cost table {table!r}; choices: {', '.join(TABLES)}, and of CPUs: "
            f"{', '.join(cpus)}"
        )
    return CycleCost(max(found, key=lambda known: known.vector_bits), dtype)


@cache
def slower(target: Target, dtype: Float) -> frozenset[str]:
    """Return the functions of the faster grade that are not, on a target, by its table.

    Without fma they are slow where they multiply and add more to round less.
    """
    known = table_for(target).index()
    return frozenset(
        row.op for row in known.values()
        if row.dtype == dtype and row.op.startswith("fast_")
        and row.throughput > known[row.op.removeprefix("fast_"), dtype].throughput
    )  # fmt: skip


def port_cycles(program: Program, table: CostTable, dtype: Float = "f64") -> float:
    """Return the cycles an element that the busiest port needs for a program's loop body."""
    index = table.index()
    busy: dict[str, float] = {}
    for instruction in program.instructions:
        row = index.get((instruction.op, dtype))
        if row is not None:
            _occupy(busy, row)
    return max(busy.values(), default=0.0) / table.lanes(dtype)


def _occupy(busy: dict[str, float], row: Row) -> None:
    busy[row.port] = busy.get(row.port, 0.0) + row.throughput
