"""Random typed expressions by their number, many more by night, against all that knows better.

Strict kernels against NumPy and against themselves without rules; guarded and fast ones against
the oracle; the oracle against SymPy. What must change nothing is done to each: optimising twice,
other names, another order of arguments, an array in two parts. Hypothesis, which shrinks, has its
own terms in `test_end_to_end.py`; these are drawn fast, of every op alike.
"""

from collections.abc import Sequence
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
import sympy as sp
from numpy.typing import NDArray

import rewrite as rw
from rewrite import ops
from rewrite.accuracy import bits_of_error
from rewrite.dag import Dag
from rewrite.evaluate import FUNCTIONS, evaluate, evaluate_dag
from rewrite.oracle import FAR, TINY_EXPONENT, Exact, exact
from rewrite.rulecheck import same_bits
from rewrite.sampling import sample_points
from rewrite.sorts import BOOL
from rewrite.term import Term, apply

type Array = NDArray[Any]

INNER = [row for row in ops.BUILTIN if row.code > ops.PVAR.code]
ROUNDED_ALIKE = {row.name for row in INNER if row.makes != "r"} | {"div", "sqrt", "rsqrt"}
"""Ops that kernels and NumPy compute with the same bits."""
UNORDERED = {"minimum", "maximum"}
"""But for these: of two zeros NumPy's choice depends on the CPU."""
NO_VALUE_THERE = {"exp2", "fma", "rsqrt", "cbrt", "hypot", "copysign", "trunc", "round", "fmod"}
NO_VALUE_THERE |= {"log2"}  # 1/log2(x) is printed as 1/log(x)/log(2)
OF_SYMPY = [row for row in INNER if row.name not in NO_VALUE_THERE]
"""Ops that SymPy writes for mpmath, as real functions."""
BATCH = 25
CI, NIGHT = 2, 4_000
"""Batches: 50 expressions beside the 2,000 of Hypothesis, or 100,000."""
PARTS = 20
POINTS = 96
FEW = 8
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 5e-324, 1.7e308, 2.0**53, -3.5]


def symbols(names: str = "xyznp") -> list[Term]:
    """Return two bounded reals, one without bounds, an integer and a truth value."""
    x, y, z, n, p = list(names)
    return [
        rw.symbol(x, low=-4, high=4), rw.symbol(y, low=0.5, high=8), rw.symbol(z),
        rw.symbol(n, dtype="int64", low=-9, high=9), rw.symbol(p, dtype="bool"),
    ]  # fmt: skip


def points_of(leaves: Sequence[Term], count: int, seed: int) -> dict[str, Array]:
    return sample_points(leaves, count, seed=1000 + seed)


class Pool:
    """Terms with their values at a few points, of which the next one is made."""

    def __init__(self, seed: int, leaves: Sequence[Term], rows: Sequence[ops.Op]) -> None:
        self.rng, self.rows = np.random.default_rng(seed), rows
        points = points_of(leaves, 16, seed)
        self.made: dict[str, list[tuple[Term, Any]]] = {"r": [], "b": []}
        for leaf in leaves:
            assert leaf.symbol is not None
            self._add(leaf, points[leaf.symbol.name])

    def _add(self, term: Term, values: Any) -> None:
        self.made["b" if term.sort == BOOL else "r"].append((term, values))

    def _operand(self, letter: str) -> tuple[Term, Any]:
        if letter != "b" and self.rng.random() < 0.2:
            number = self.rng.choice([-3, -1, 0, 1, 2, 3, 0.5, 0.1, 10, float(self.rng.normal())])
            term = rw.const(int(number) if number == int(number) else float(number))
            return term, np.broadcast_to(float(term), 16)
        pool = self.made["b" if letter == "b" else "r"]
        recent = 2 if self.rng.random() < 0.6 else len(pool)
        return pool[-1 - int(self.rng.integers(min(recent, len(pool))))]

    def grown(self, count: int) -> Term:
        """Apply so many ops that leave most values finite; return the last number."""
        for _ in range(20 * count):
            if count == 0:
                break
            row = self.rows[int(self.rng.integers(len(self.rows)))]
            arity = int(self.rng.integers(2, 4)) if row.arity < 0 else row.arity
            letters = [row.takes[min(place, len(row.takes) - 1)] for place in range(arity)]
            operands = [self._operand(letter) for letter in letters]
            with np.errstate(all="ignore"):
                values = FUNCTIONS[row.code](*(value for _, value in operands))
                usual = np.count_nonzero(np.abs(values) < 1e100) > 8
            if usual:
                self._add(apply(row, *(term for term, _ in operands)), values)
                count -= 1
        return self.made["r"][-1][0]


def batch(number: int, leaves: Sequence[Term], rows: Sequence[ops.Op] = tuple(INNER)) -> list[Term]:
    """Draw expressions of one to ten ops."""
    seeds = range(BATCH * number, BATCH * (number + 1))
    return [Pool(seed, leaves, rows).grown(1 + seed % 10) for seed in seeds]


def arguments_at(points: dict[str, Array], names: str = "xyznp") -> list[Array]:
    return [points[name] for name in names]


def with_specials(points: dict[str, Array], seed: int) -> dict[str, Array]:
    """Append special operands of the reals, in any company."""
    rng = np.random.default_rng(seed)
    more = {n: rng.choice(SPECIAL, 64) if n in "xyz" else v[:64] for n, v in points.items()}
    return {name: np.concatenate([values, more[name]]) for name, values in points.items()}


def check_strict(terms: list[Term], leaves: list[Term], seed: int) -> None:
    """Rules leave the bits; without functions they are NumPy's; parts have those of the whole."""
    points = with_specials(points_of(leaves, POINTS, seed), seed)
    given = arguments_at(points)
    plain = rw.compile(leaves, tuple(terms), math="strict", optimize_terms=False)
    kernel = rw.compile(leaves, tuple(terms), math="strict")
    expected, found = plain(*given), kernel(*given)
    split = seed % 60
    parts = [kernel(*(g[piece] for g in given)) for piece in (slice(split), slice(split, None))]
    wanted = evaluate(terms, points)
    for at, term in enumerate(terms):
        count = len(given[0])
        mine, other = np.broadcast_to(found[at], count), np.broadcast_to(expected[at], count)
        assert same_bits(mine, other).all(), f"strict {term!r} -> {kernel.terms[at]!r}"
        joined = np.concatenate(
            [
                np.broadcast_to(part[at], size)
                for part, size in zip(parts, (split, count - split), strict=True)
            ]
        )
        assert same_bits(joined, mine).all(), f"split {term!r}"
        used = {ops.OPS[code].name for code in Dag.of(term.store, [term.id]).code.tolist()}
        if used <= ROUNDED_ALIKE - UNORDERED | {"symbol", "const"}:
            numpys = np.broadcast_to(wanted[at], count)
            assert same_bits(other, numpys).all(), f"NumPy {term!r}"


def check_exact(one: Exact, other: Exact, what: str) -> None:
    """Where both have a value that is not beyond the oracle's exponents, it is the same."""
    shift = np.clip(other.exponent - one.exponent, -1000, 1000).astype(int)
    apart = (one.high - np.ldexp(other.high, shift)) + (one.low - np.ldexp(other.low, shift))
    within = np.maximum(np.abs(one.exponent), np.abs(other.exponent)) < FAR // 2
    for value in (one, other):  # what is so small, the oracle may take for zero
        within &= (value.high != 0) & (value.exponent > TINY_EXPONENT)
    wrong = one.ok & other.ok & within & (np.abs(apart) > 2.0**-45 * np.abs(one.high))
    assert not wrong.any(), f"{what} at point {np.flatnonzero(wrong)[:3]}"


def check_guarded(terms: list[Term], leaves: list[Term], seed: int) -> None:
    """Optimised once or twice, in any mode, the value is the same; guarded, so is its error."""
    points = points_of(leaves, POINTS, seed)
    kernel = rw.compile(leaves, tuple(terms))
    chosen, fast = list(kernel.terms), rw.optimize(terms, math="fast").terms
    twice = rw.optimize(chosen).terms
    found = exact([*terms, *chosen, *fast, *twice], points)
    sources = found[: len(terms)]
    for at, other in enumerate(found[len(terms) :]):
        known, term = sources[at % len(terms)], terms[at % len(terms)]
        made = [*chosen, *fast, *twice][at]
        check_exact(known.broadcast(POINTS), other.broadcast(POINTS), f"{term!r} -> {made!r}")
    given = arguments_at(points)
    written = rw.compile(leaves, tuple(terms), optimize_terms=False)(*given)
    with np.errstate(all="ignore"):
        plain = evaluate(terms, points)
    for term, known, mine, others, ordinary in zip(
        terms, sources, kernel(*given), zip(plain, written, strict=True), usual(terms, points),
        strict=True,
    ):  # fmt: skip
        wide = [np.broadcast_to(each, POINTS) for each in (mine, *others)]
        check_error(term, known.broadcast(POINTS), wide, ordinary)


def numbers_in(term: Term, points: dict[str, Array]) -> list[Array]:
    """Return the values of all steps that are numbers."""
    dag = Dag.of(term.store, [term.id])
    steps = evaluate_dag(dag, points, keep=True)
    return [s for s, sort in zip(steps, dag.sort.tolist(), strict=True) if sort != BOOL]


def usual(terms: list[Term], points: dict[str, Array]) -> list[Array]:
    """Tell for each term at which points no step is subnormal."""
    found = []
    for term in terms:
        numbers = numbers_in(term, points)
        sizes = np.abs(np.stack(np.broadcast_arrays(np.zeros(POINTS), *numbers)))
        found.append(~np.any((sizes > 0) & (sizes < np.finfo(float).tiny), axis=0))
    return found


def check_error(term: Term, known: Exact, values: list[Array], ordinary: Array) -> None:
    """A kernel is hardly worse than NumPy, or than its own functions in the order written.

    Those are within 1 ulp both: where they differ, that is what functions of functions make of it.
    Where a term has but few values, as `asinh(cos(sign(z)))`, some ulps are chance.
    """
    valid = known.ok & np.isfinite(values[1]) & ordinary
    if not valid.any():
        return
    assert np.isfinite(values[0][valid]).all(), f"not finite where the source is: {term!r}"
    ours, *theirs = [float(np.mean(bits_of_error(each, known)[valid])) for each in values]
    rise = ours - max(theirs)
    few = len(np.unique(known.nearest()[valid])) <= FEW
    assert rise <= (2.0 if few else 0.5), f"{rise:.2f} bits lost by {term!r}"


def check_names(terms: list[Term], leaves: list[Term], seed: int) -> None:
    """Other names, and another order of arguments, leave values as they are."""
    renamed = symbols("uvwmq")
    points = points_of(leaves, POINTS, seed)
    given = arguments_at(points)
    others = [t.substitute(dict(zip(leaves, renamed, strict=True))) for t in terms]
    kernel = rw.compile(leaves, tuple(terms), math="strict")
    named = rw.compile(renamed, tuple(others), math="strict")
    turned = rw.compile(leaves[::-1], tuple(terms), math="strict")
    for at, (one, two, three) in enumerate(
        zip(kernel(*given), named(*given), turned(*given[::-1]), strict=True)
    ):
        assert same_bits(one, two).all(), f"renamed {terms[at]!r}"
        assert same_bits(one, three).all(), f"turned {terms[at]!r}"


def check_sympy(number: int, leaves: list[Term]) -> None:
    """What SymPy writes for mpmath is what the oracle says, and terms come back from it."""
    points = {name: column[7:9] for name, column in points_of(leaves, 16, number).items()}
    terms = batch(number, leaves, OF_SYMPY)
    for term, known in zip(terms, exact(terms, points), strict=True):
        expr = rw.to_sympy(term)
        back = rw.from_sympy(expr, symbols=dict(zip("xyznp", leaves, strict=True)))
        known = known.broadcast(2)
        check_exact(known, exact(back, points).broadcast(2), f"{term!r} -> {back!r}")
        steps = np.abs(np.stack(np.broadcast_arrays(*numbers_in(term, points), np.zeros(2))))
        for at, value in enumerate(known.nearest().tolist()):
            if known.ok[at] and 1e-100 < abs(value) and steps[:, at].max() < 1e9:
                got = of_sympy(expr, {name: column[at] for name, column in points.items()})
                assert abs(got - value) <= 1e-13 * abs(value), f"{term!r}: {value}, SymPy {got}"


def of_sympy(expr: Any, point: dict[str, Any]) -> float:
    """Evaluate by mpmath with 200 digits: evalf takes minutes for some sums of large numbers."""
    names = sorted(expr.free_symbols, key=str)
    values = [bool(v) if isinstance(v := point[s.name], np.bool_) else mpmath.mpf(v) for s in names]
    with mpmath.workdps(200):
        got = mpmath.mpmathify(sp.lambdify(names, expr, "mpmath")(*values))
        return float(got.real) if abs(got.imag) <= abs(got) * 1e-30 else float("nan")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test the numbers of its batches; by night in parts, so that one failure is one."""
    steps = {
        "strict": range(0, 10**9, 2),
        "guarded": range(1, 10**9, 2),
        "sympy": range(0, 10**9, 4),
    }
    for name, numbers in steps.items():
        if name in metafunc.fixturenames:
            night = metafunc.config.getoption("--nightly")
            own = numbers[: len(range(numbers.start, NIGHT if night else CI, numbers.step))]
            parts = PARTS if night else 1
            metafunc.parametrize(
                name, [own[part::parts] for part in range(parts)], ids=range(parts)
            )


def test_strict_kernels(strict: range) -> None:
    leaves = symbols()
    for number in strict:
        terms = batch(number, leaves)
        check_strict(terms, leaves, number)
        check_names(terms, leaves, number)


def test_guarded_and_fast_kernels(guarded: range) -> None:
    leaves = symbols()
    for number in guarded:
        check_guarded(batch(number, leaves), leaves, number)


def test_sympy(sympy: range) -> None:
    for number in sympy:
        check_sympy(number, symbols())


def test_functions_of_known_numbers_have_the_bits_of_the_loop() -> None:
    """Found by `test_strict_kernels`: NumPy's exp(1) is not that of kernels."""
    z = rw.symbol("z")
    one = rw.minimum(z, 1) ** 0
    terms = (
        rw.exp(one),
        (one + 1.1) ** -5,
        rw.tanh(rw.exp(one)),
        rw.fmod(one + 4, 1.3),
        1 / rw.sqrt(one + 1),
    )
    values = [
        rw.compile([z], terms, math="strict", optimize_terms=searched)(np.array([0.5]))
        for searched in (False, True)
    ]
    assert np.stack(values[0]).tobytes() == np.stack(values[1]).tobytes()
