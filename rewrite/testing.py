"""Property testing of numeric code: Hypothesis strategies of terms and points, and one assertion.

The strategies need the `test` extra; `assert_equivalent` works without it.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops as table
from rewrite.constants import PI
from rewrite.errors import ArgumentError
from rewrite.evaluate import FUNCTIONS, evaluate
from rewrite.leaves import symbol
from rewrite.oracle import exact
from rewrite.rule import Rule, RuleSet
from rewrite.sampling import sample_points
from rewrite.sorts import BOOL, INT, REAL, Sort
from rewrite.term import Term, apply, const

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["assert_equivalent", "check_laws", "points_for", "symbols_with_domains", "terms"]

type Array = npt.NDArray[Any]
type Draw = Callable[[Any], Any]
type Drawn = tuple[Term, Array]
"""A term and its values at a few points, so that few terms are undefined almost everywhere."""

PROBES: Final = 16
INNER: Final = tuple(row for row in table.BUILTIN if row.code > table.PVAR.code)
TAMED: Final[dict[str, str]] = {
    **dict.fromkeys(("sqrt", "log", "log2", "log10", "log1p", "pow"), "abs"),
    **dict.fromkeys(("asin", "acos", "atanh", "exp", "exp2", "expm1", "sinh", "cosh"), "tanh"),
    "acosh": "cosh",
}
"""An op and what is put below it where it would mostly be undefined or overflow."""


def _strategies() -> Any:
    try:
        from hypothesis import strategies
    except ImportError:
        raise ImportError(
            "the strategies of rewrite.testing need Hypothesis: pip install 'rewrite[test]'"
        ) from None
    return strategies


# -- terms -----------------------------------------------------------------------------------


def terms(
    symbols: "Sequence[Term] | SearchStrategy[Sequence[Term]] | None" = None,
    *,
    max_ops: int = 12,
    ops: Iterable[str | table.Op] | None = None,
    sort: Sort = REAL,
) -> "SearchStrategy[Term]":
    """Draw terms of a sort with shared subterms, of at most so many distinct ops.

    `symbols` are terms or a strategy for them (default: x, y, z), `ops` the ops or names of ops to
    use (default: all). Most terms are defined at most points. Terms go to the current store.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> polynomials = terms([x], ops=["add", "mul"], max_ops=5)
    """
    st = _strategies()
    rows = INNER if ops is None else tuple(table.op(o) if isinstance(o, str) else o for o in ops)
    if sort == INT:
        rows = tuple(row for row in rows if row.makes == "i")

    def draw_term(draw: Draw) -> Term:
        leaves: Any = draw(symbols) if isinstance(symbols, st.SearchStrategy) else symbols
        if leaves is None:
            leaves = [symbol(name, dtype="int64" if sort == INT else None) for name in "xyz"]
        return _Growing(draw, leaves, rows, sort).grown(draw(st.integers(0, max_ops)))

    drawn: SearchStrategy[Term] = st.composite(draw_term)()
    return drawn


class _Growing:
    """A pool of terms from which the operands of the next one are drawn."""

    def __init__(
        self, draw: Draw, leaves: Sequence[Term], rows: Sequence[table.Op], sort: Sort
    ) -> None:
        self.draw, self.sort, self.st = draw, sort, _strategies()
        self.rows = {row.name: row for row in rows}
        points = sample_points(leaves, PROBES)
        self.numbers: list[Drawn] = []
        self.truths: list[Drawn] = []
        for leaf in leaves:
            assert leaf.symbol is not None, f"{leaf!r} is not a symbol"
            self._add((leaf, points[leaf.symbol.name]))

    def grown(self, count: int) -> Term:
        """Apply so many ops, fewer where one would be undefined; return the last term."""
        if self.sort == BOOL:
            count = max(count - 1, 0)  # one comparison may follow
        while count > 0 and self.rows:
            row = self.rows[self.draw(self.st.sampled_from(sorted(self.rows)))]
            if "b" not in row.takes or self.truths:
                count -= self._apply(row, tame=count > 1)
            count -= 1
        if self.sort != BOOL:
            return (self.numbers or [self._constant()])[-1][0]
        if not self.truths:
            self._apply(table.LT, tame=False)
        return self.truths[-1][0]

    def _add(self, drawn: Drawn) -> None:
        (self.truths if drawn[0].sort == BOOL else self.numbers).append(drawn)

    def _apply(self, row: table.Op, *, tame: bool) -> int:
        """Add an op to the pool, if need be on a tamed operand; return how many more it took."""
        arity = self.draw(self.st.integers(2, 3)) if row.arity < 0 else row.arity
        letters = [row.takes[min(place, len(row.takes) - 1)] for place in range(arity)]
        operands = [self._operand(letter) for letter in letters]
        if row is table.POW and self.draw(self.st.booleans()):
            operands[1] = self._known(self.draw(self.st.sampled_from(_EXPONENTS)))
        made = _made(row, operands)
        below = self.rows.get(TAMED.get(row.name, ""), row)
        tamed = tame and below is not row and not _mostly_finite(made)
        if tamed:
            operands[0] = _made(below, operands[:1])
            made = _made(row, operands)
        if _mostly_finite(made):
            self._add(made)
        return int(tamed)

    def _operand(self, letter: str) -> Drawn:
        pool = self.truths if letter == "b" else self.numbers
        # Recent terms more often than not; a constant now and then.
        choice = self.draw(self.st.integers(0, 9))
        if letter != "b" and (choice >= 8 or not pool):
            return self._constant()
        recent = 1 if choice < 4 else len(pool)
        at: int = self.draw(self.st.integers(0, recent - 1))
        return pool[-1 - at]

    def _constant(self) -> Drawn:
        st = self.st
        kinds = [st.integers(-9, 9)]
        if self.sort != INT:
            kinds += [
                st.fractions(-9, 9, max_denominator=12),
                st.floats(-1e3, 1e3, allow_subnormal=False),
                st.just(PI),
            ]
        return self._known(self.draw(st.one_of(kinds)))

    def _known(self, value: Any) -> Drawn:
        term = const(
            int(value) if isinstance(value, Fraction) and value.denominator == 1 else value
        )
        return term, np.broadcast_to(evaluate(term), PROBES)


_EXPONENTS: Final = (2, 3, -1, -2, 0.5, 4, Fraction(1, 3))


def _made(row: table.Op, operands: Sequence[Drawn]) -> Drawn:
    with np.errstate(all="ignore"):
        return apply(row, *[o[0] for o in operands]), FUNCTIONS[row.code](*[o[1] for o in operands])


def _mostly_finite(drawn: Drawn) -> bool:
    return 2 * int(np.count_nonzero(np.abs(drawn[1]) < 1e100)) > PROBES


# -- symbols and points ----------------------------------------------------------------------


def symbols_with_domains(names: str = "x y z") -> "SearchStrategy[tuple[Term, ...]]":
    """Draw real symbols of these names, each without bounds, with one or with both.

    >>> strategy = symbols_with_domains("x y")
    """
    st = _strategies()
    ends = st.one_of(st.sampled_from([0.0, 1.0, -1.0]), st.floats(-1e6, 1e6, allow_subnormal=False))
    bounds = st.tuples(st.none() | ends, st.none() | ends)

    def made(drawn: list[tuple[float | None, float | None]]) -> tuple[Term, ...]:
        domains = [
            (high, low) if low is not None and high is not None and low > high else (low, high)
            for low, high in drawn
        ]
        return tuple(
            symbol(name, low=low, high=high)
            for name, (low, high) in zip(names.split(), domains, strict=True)
        )

    count = len(names.split())
    drawn: SearchStrategy[tuple[Term, ...]]
    drawn = st.lists(bounds, min_size=count, max_size=count).map(made)
    return drawn


def points_for(
    term: Term, n: int = 64, *, dtype: Any = np.float64
) -> "SearchStrategy[dict[str, npt.NDArray[Any]]]":
    """Draw values of a term's symbols inside their domains, n of each.

    >>> import rewrite as rw
    >>> strategy = points_for(rw.symbol("x") + 1)
    """
    st = _strategies()
    drawn: SearchStrategy[dict[str, Array]] = st.integers(0, 2**32 - 1).map(
        lambda seed: sample_points(term.free_symbols, n, seed=seed, dtype=dtype)
    )
    return drawn


# -- laws ------------------------------------------------------------------------------------


def check_laws(rules: RuleSet | Iterable[Rule], points: int = 200, *, seed: int = 0) -> None:
    """Fail unless every rule holds at so many points, with those that do not and where.

    Laws of numbers are compared in ball arithmetic, and bit by bit if their licence is `NONE`; laws
    of other sorts on values that the sorts draw, by the functions of their ops.

    >>> import rewrite as rw
    >>> a, b = rw.pattern_vars("a b", sort=rw.MATRIX)
    >>> check_laws([Rule("wrong", a * b, b * a)])
    Traceback (most recent call last):
        ...
    AssertionError: wrong: ?a*?b -> ?b*?a
    ...
    """
    from rewrite import lawcheck, rulecheck

    failed = []
    for rule in rules:
        if not lawcheck.of_numbers(rule):
            verdicts = [lawcheck.sampled(rule, points, seed)]
        else:
            verdicts = [rulecheck.real(rule, points, seed)]
            verdicts += [rulecheck.bits(rule, seed)] if not rule.licence else []
        failed += [str(verdict) for verdict in verdicts if not verdict.holds]
    if failed:
        raise AssertionError("\n".join(failed))


# -- the assertion ---------------------------------------------------------------------------


def assert_equivalent(
    f: Term | Callable[..., Any],
    g: Term | Callable[..., Any],
    points: Mapping[str, Any] | None = None,
    *,
    ulp: float | None = None,
    dtype: Any = np.float64,
) -> None:
    """Fail unless f and g agree at the points, with the point where they differ most.

    Without `ulp`, two terms are compared as real numbers by the oracle, wherever both are defined.
    With it, their values in `dtype` may differ by so many ulp of g's, and 0 means the same bits
    (every NaN is one). A function is called with the points' arrays in their order.

    >>> import rewrite as rw
    >>> x = rw.symbol("x", low=0)
    >>> assert_equivalent(rw.sqrt(x * x), x)
    """
    if points is None:
        symbols = [s for t in (f, g) if isinstance(t, Term) for s in t.free_symbols]
        points = sample_points(symbols, dtype=dtype)
    if ulp is None:
        if not (isinstance(f, Term) and isinstance(g, Term)):
            raise ArgumentError("functions are compared in floating point: give ulp=")
        apart, left, right = _apart(f, g, points)
        allowed = 2.0**-70
    else:
        left, right = np.broadcast_arrays(_values(f, points, dtype), _values(g, points, dtype))
        apart, allowed = _ulps(left, right, same_bits=ulp == 0), ulp
    if not apart.size or np.isnan(apart).all():
        raise ArgumentError(f"{f!r} and {g!r} are not both defined at any of the points")
    at = int(np.nanargmax(apart))
    if apart[at] > allowed:
        where = {name: _at(value, at, apart.size) for name, value in points.items()}
        raise AssertionError(
            f"{f!r} is {left.ravel()[at]!r} but {g!r} is {right.ravel()[at]!r} at {where}"
            + (f": {apart[at]:.3g} ulp apart, allowed {ulp:g}" if ulp is not None else "")
            + f" ({int((apart > allowed).sum())} of {apart.size} points differ)"
        )


def _at(value: Any, at: int, count: int) -> Any:
    flat = np.asarray(value).ravel()
    return flat[at].item() if flat.size == count else value


def _apart(f: Term, g: Term, points: Mapping[str, Any]) -> tuple[Array, Array, Array]:
    """Return the relative differences of two terms' exact values, NaN where one is undefined."""
    one, other = exact([f, g], points)
    top = np.maximum(one.exponent, other.exponent)
    difference = np.zeros(top.shape)
    for sign, value in ((1, one), (-1, other)):
        difference += sign * np.ldexp(value.high, np.maximum(value.exponent - top, -200))
    for sign, value in ((1, one), (-1, other)):
        difference += sign * np.ldexp(value.low, np.maximum(value.exponent - top, -200))
    defined = one.ok & other.ok
    return np.where(defined, np.abs(difference), np.nan), one.nearest(), other.nearest()


def _values(f: Term | Callable[..., Any], points: Mapping[str, Any], dtype: Any) -> Array:
    if isinstance(f, Term):
        return evaluate(f, points, dtype=dtype)
    return np.asarray(f(*points.values()))


def _ulps(a: Array, b: Array, *, same_bits: bool) -> Array:
    with np.errstate(all="ignore"):
        both_nan = (a != a) & (b != b)
        if a.dtype == np.bool_ or b.dtype == np.bool_:
            return np.where(a == b, 0.0, math.inf).ravel()
        wide = b.astype(a.dtype)
        apart = np.abs(a - wide) / np.abs(np.spacing(wide))
        apart = np.where((a == b) | both_nan, 0.0, np.nan_to_num(apart, nan=math.inf))
        if same_bits:
            apart = np.where(~both_nan & (np.signbit(a) != np.signbit(b)), math.inf, apart)
    return apart.ravel()
