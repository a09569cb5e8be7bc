"""Strict mode, from the op table: special operands of every op, and the same bits everywhere.

Every op is tried with every special operand, pairs of them, or triples, against NumPy where it is
exact and against exact values where it is not. Kernels of all ops give the same bits on each
instruction set, by any number of threads, and wherever a number stands in memory.
"""

import itertools
import math
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rewrite as rw
from codegen.kernel import Kernel
from codegen.target import get
from rewrite import ops
from rewrite.evaluate import FUNCTIONS
from rewrite.oracle import exact, ulp_distance
from rewrite.rulecheck import same_bits
from rewrite.term import Term, apply

type Array = NDArray[Any]

RUNNABLE = [name for name in ("avx512", "avx2", "sse2") if not get(name).missing()]
INNER = [row for row in ops.BUILTIN if row.code > ops.PVAR.code]
BITS: dict[Any, Any] = {np.float64: np.uint64, np.float32: np.uint32}
DTYPES = pytest.mark.parametrize("dtype", BITS, ids=lambda dtype: dtype.__name__)
ROWS = pytest.mark.parametrize("row", INNER, ids=lambda row: row.name)
EXACT = {row.name for row in INNER if row.makes != "r"} | {"div", "sqrt", "rsqrt"}
"""Ops with NumPy's bits; `rsqrt` is 1 / sqrt(x), which rounds twice. The others are elementary."""
OF_BITS = ("neg", "abs", "copysign", "where")
"""Ops that keep a NaN's sign and payload, or set the sign."""


# -- special operands ------------------------------------------------------------------------


def quiet_and_signalling(dtype: Any) -> Array:
    """Return NaNs of both signs, with payloads, quiet ones first."""
    info = np.finfo(dtype)
    unit = 1 << info.nmant - 1
    infinity = (1 << info.nexp) - 1 << info.nmant
    sign = 1 << info.bits - 1
    payloads = [unit, unit | 0xABC, unit | (unit - 1), 1, unit // 2]
    return np.array([s | infinity | p for p in payloads for s in (0, sign)], BITS[dtype]).view(
        dtype
    )


@cache
def operands(dtype: Any) -> Array:
    """Return special operands, of both signs."""
    info = np.finfo(dtype)
    least, tiny, eps, top = info.smallest_subnormal, info.tiny, info.eps, float(info.maxexp)
    whole = [1, 2, 3, 4, 5, 7, 8, 10, 100, 1023, 1024, 2.0**31, 2.0**63, 2.0**info.nmant + 1,
             2.0 ** (info.nmant + 1) - 1, 2.0 ** (info.nmant + 1)]  # fmt: skip
    halves = [0.25, 0.5, 1.5, 2.5, 3.5, 2.0 ** (info.nmant - 1) + 0.5, 1 / 3, 0.1, 1e-10]
    small = [0.0, least, 3 * least, tiny - least, tiny, 2 * tiny, math.sqrt(tiny), eps, eps / 2]
    large = [info.max, info.max / 2, math.sqrt(info.max), math.inf, 1 - eps / 2, 1 + eps]
    turns = [math.pi * k for k in (0.25, 0.5, 1, 1.5, 2, 3, 1e5, 2.0 ** (top - 4))]
    exponents = [top * math.log(2) * k for k in (0.98, 1, 1.01, 1.05)] + [top - 0.5, top + 50]
    with np.errstate(all="ignore"):
        positive = np.array([*whole, *halves, *small, *large, *turns, *exponents]).astype(dtype)
    return np.concatenate([positive, -positive, quiet_and_signalling(dtype)])


def letters_of(row: ops.Op) -> list[str]:
    arity = 2 if row.arity < 0 else row.arity
    return [row.takes[min(place, len(row.takes) - 1)] for place in range(arity)]


def grid(row: ops.Op, dtype: Any) -> list[Array]:
    """Return all operands, all pairs, or all triples of every fourth."""
    letters = letters_of(row)
    some = operands(dtype)[:: 4 if letters.count("r") > 2 else 1]
    axes = [np.array([False, True]) if letter == "b" else some for letter in letters]
    return [np.ascontiguousarray(column.ravel()) for column in np.meshgrid(*axes)]


def symbols_of(row: ops.Op) -> list[Term]:
    return [
        rw.symbol(f"v{place}{letter}", dtype="bool" if letter == "b" else None)
        for place, letter in enumerate(letters_of(row))
    ]


def kernel_of(row: ops.Op, dtype: Any) -> Kernel:
    symbols = symbols_of(row)
    made: Kernel = rw.compile(symbols, apply(row, *symbols), math="strict", dtype=dtype)
    return made


def numpys(row: ops.Op, columns: list[Array], dtype: Any) -> Array:
    with np.errstate(all="ignore"):
        values = np.asarray(FUNCTIONS[row.code](*columns))
        return np.asarray(values, None if row.makes == "b" else dtype)


def silently(call: Callable[..., Any], *args: Any) -> Any:
    """Call with every floating-point warning an error."""
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        return call(*args)


def signalling(x: Array) -> Array:
    word = x.view(BITS[x.dtype.type])
    found: Array = np.isnan(x) & (word >> np.finfo(x.dtype).nmant - 1 & 1 == 0)
    return found


UNLIKE: dict[str, Callable[..., Array]] = {
    "hypot": lambda x, y: signalling(x) & np.isinf(y) | signalling(y) & np.isinf(x),
    "minimum": lambda x, y: (x == 0) & (y == 0),
    "maximum": lambda x, y: (x == 0) & (y == 0),
}
"""Op -> where its results need not be NumPy's, which its row says."""


def test_rows_say_where_they_are_unlike_numpy() -> None:
    assert {row.name for row in INNER if row.unlike} == set(UNLIKE)


def test_what_is_unlike_numpy() -> None:
    """As the rows say: a signalling NaN is a NaN like another, and the second of two zeros wins."""
    for dtype in BITS:
        zeros = [np.array(column, dtype) for column in ([0.0, -0.0], [-0.0, 0.0])]
        for name in ("minimum", "maximum"):
            assert same_bits(kernel_of(ops.op(name), dtype)(*zeros), zeros[1]).all()
        infinite = np.full(10, -math.inf, dtype)
        nans = quiet_and_signalling(dtype)
        hypot, power = (kernel_of(ops.op(name), dtype) for name in ("hypot", "pow"))
        assert (hypot(nans, infinite) == math.inf).all()
        assert (power(nans, np.zeros(10, dtype)) == 1).all()
        assert (power(np.ones(10, dtype), nans) == 1).all()


@DTYPES
@ROWS
def test_special_operands(row: ops.Op, dtype: Any) -> None:
    columns = grid(row, dtype)
    got = silently(kernel_of(row, dtype), *columns)
    wanted = numpys(row, columns, dtype)
    assert got.dtype == wanted.dtype
    right = same_bits(got, wanted)
    if row.name in OF_BITS:
        right = got.view(BITS[dtype]) == wanted.view(BITS[dtype])
    if row.name not in EXACT:
        right |= within_an_ulp(row, columns, got, wanted)
    if row.name in UNLIKE:
        right |= UNLIKE[row.name](*columns)
    wrong = np.flatnonzero(~right)
    assert not wrong.size, [
        (*(column[at] for column in columns), got[at], wanted[at]) for at in wrong[:5]
    ]


def within_an_ulp(row: ops.Op, columns: list[Array], got: Array, wanted: Array) -> Array:
    """Tell where a result is near the exact value; zeros, infinities and NaN are as NumPy's."""
    finite = np.logical_and.reduce([np.isfinite(column) for column in columns])
    symbols = symbols_of(row)
    names = [s.symbol.name for s in symbols if s.symbol]
    points = {n: c[finite].astype(float) for n, c in zip(names, columns, strict=True)}
    near = np.zeros(len(got), bool)
    with np.errstate(all="ignore"):
        distance = ulp_distance(got[finite], exact(apply(row, *symbols), points), got.dtype)
        near[finite] = distance <= 1
    near &= (np.signbit(got) == np.signbit(wanted)) & (np.isinf(got) == np.isinf(wanted))
    return near


@DTYPES
@ROWS
def test_single_numbers_are_as_in_arrays_and_warn_of_nothing(row: ops.Op, dtype: Any) -> None:
    kernel, columns = kernel_of(row, dtype), grid(row, dtype)
    some = np.random.default_rng(row.code).integers(0, len(columns[0]), 60)
    columns = [column[some] for column in columns]
    whole = kernel(*columns)
    for at, point in enumerate(zip(*columns, strict=True)):
        given = [point] if dtype == np.float32 else [point, [x.item() for x in point]]
        for numbers in given:
            alone = silently(kernel, *numbers)
            assert same_bits(np.atleast_1d(alone), whole[at : at + 1]).all(), numbers


# -- the same bits everywhere ----------------------------------------------------------------

NAMES = ("x", "y", "z", "p", "q")


def arguments() -> list[Term]:
    return [rw.symbol(name, dtype="bool" if name in "pq" else None) for name in NAMES]


def each() -> tuple[Term, ...]:
    """Every op alone."""
    *numbers, p, q = arguments()
    return tuple(
        apply(row, *(next(pool[letter]) for letter in letters_of(row)))
        for row in INNER
        for pool in [{"r": iter(numbers), "x": iter(numbers), "b": iter((p, q))}]
    )


def chained() -> tuple[Term, ...]:
    """Every op on a result of the one before it, brought back to size where it left it."""
    *numbers, p, q = arguments()
    value, truth, found = numbers[0], p, []
    for turn, row in enumerate(INNER):
        tame = apply("where", apply("lt", apply("abs", value), rw.const(3)), value, numbers[1])
        pool = {"r": itertools.chain([tame], numbers[turn % 2 :]), "b": iter((truth, q))}
        pool["x"] = pool["r"]
        found.append(apply(row, *(next(pool[letter]) for letter in letters_of(row))))
        if row.makes == "b":
            truth = found[-1]
        else:
            value = found[-1]
    return tuple(found)


PROGRAMS = {"each": each, "chained": chained}


@cache
def whole_kernel(program: str, target: str, dtype: Any) -> Kernel:
    terms = PROGRAMS[program]()
    made: Kernel = rw.compile(arguments(), terms, math="strict", target=target, dtype=dtype)
    return made


def inputs(count: int, dtype: Any) -> list[Array]:
    """Return columns: any bits, ordinary sizes, and special operands among each other."""
    rng = np.random.default_rng(10)
    columns: list[Array] = []
    for _ in "xyz":
        bits = rng.integers(0, np.iinfo(BITS[dtype]).max, count, BITS[dtype], endpoint=True)
        ordinary = (rng.normal(size=count) * np.exp2(rng.integers(-9, 9, count))).astype(dtype)
        kind = rng.integers(0, 3, count)
        special = rng.choice(operands(dtype), count)
        columns.append(np.select([kind == 0, kind == 1], [bits.view(dtype), ordinary], special))
    return [*columns, *(rng.random(count) < 0.5 for _ in "pq")]


def placed(column: Array, offset: int, step: int) -> Array:
    """Return a copy that begins so many elements past a cache line, with a stride."""
    room = np.empty(len(column) * abs(step) + 64 + offset, column.dtype)
    start = (-room.ctypes.data % 64) // room.itemsize + offset
    place = room[start : start + len(column) * abs(step) : abs(step)][:: 1 if step > 0 else -1]
    place[...] = column
    return place


def layouts(count: int) -> Iterator[tuple[slice, int, int]]:
    """Yield parts of the arrays, offsets and strides: short ones of each length, then all."""
    for length in (*range(36), 67):
        yield slice(length, 2 * length), length % 9, (1, 2, -1, 3, -2)[length % 5]
    for offset, step in ((1, 1), (5, 1), (0, 2), (3, -1), (7, -3)):
        yield slice(0, count), offset, step


def check(results: tuple[Array, ...], expected: tuple[Array, ...], what: object) -> None:
    for number, (made, wanted) in enumerate(zip(results, expected, strict=True)):
        same = same_bits(made, wanted)
        assert same.all(), f"{what}: result {number} differs at {np.flatnonzero(~same)[:5]}"


@pytest.fixture
def count(request: pytest.FixtureRequest) -> int:
    """How many inputs there are: 100,000 by night."""
    return 100_000 if request.config.getoption("--nightly") else 3_000


@DTYPES
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_same_bits_everywhere(program: str, dtype: Any, count: int) -> None:
    columns = inputs(count, dtype)
    expected = whole_kernel(program, RUNNABLE[0], dtype)(*columns)
    for target in RUNNABLE:
        kernel = whole_kernel(program, target, dtype)
        check(kernel(*columns), expected, target)
        for part, offset, step in layouts(count):
            moved = [placed(column[part], offset, step) for column in columns]
            out = tuple(placed(column[part], (3 * offset) % 8, step) for column in expected)
            results = kernel(*moved, out=out)
            check(results, tuple(column[part] for column in expected), (target, part, offset, step))
    kernel = whole_kernel(program, RUNNABLE[0], dtype)
    for threads in (2, 3, 7):
        shared = kernel.again(parallel=threads)
        times = math.ceil(100_000 / count)  # of less, one thread computes all
        made = shared(*(np.tile(column, times) for column in columns))
        check(made, tuple(np.tile(column, times) for column in expected), f"{threads} threads")


@DTYPES
def test_broadcast_operands_have_the_bits_of_full_ones(dtype: Any) -> None:
    columns = inputs(40, dtype)
    for at in range(40):
        for held in range(len(columns)):
            given = [c[at] if place == held else c for place, c in enumerate(columns)]
            full = [np.broadcast_to(c, 40).copy() for c in given]
            for program in PROGRAMS:
                kernel = whole_kernel(program, RUNNABLE[0], dtype)
                check(kernel(*given), kernel(*full), (at, held))


@DTYPES
def test_loops_have_the_same_bits_on_each_instruction_set(dtype: Any) -> None:
    """Of arrays that are arguments: a map, a sum, a product, and a sum of functions."""
    values = [rw.symbol(f"v{k}") for k in range(48)]
    x = rw.symbol("x")
    mapped = rw.asarray([apply("sin", a) * b for a, b in itertools.pairwise(values)])
    total, product = apply("add", *values), apply("mul", *values)
    waves = apply("add", *(apply("exp", -x * v) / (1 + v * v) for v in values))
    results: list[Any] = []
    columns = inputs(48 * 40, dtype)
    arrays = columns[0].reshape(40, 48), columns[1][:40]
    for target in RUNNABLE:
        kernel = rw.compile(
            [values, x], (mapped, total, product, waves), math="strict", target=target, dtype=dtype
        )
        results.append(kernel(*arrays))
        check(tuple(kernel(*(a[3:10] for a in arrays))), tuple(r[3:10] for r in results[0]), target)
    for found, target in zip(results, RUNNABLE, strict=True):
        check(found, results[0], target)
    with np.errstate(all="ignore"):
        left_to_right = np.add.accumulate(arrays[0], axis=1)[:, -1]
    assert same_bits(results[0][1], left_to_right).all()
