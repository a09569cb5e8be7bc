"""Does a rule hold? Laws over the reals by ball arithmetic, laws on floats bit by bit.

Nothing is proved: each check tries points and returns the first one that breaks the rule. What it
finds is a proof, though: two balls that do not meet enclose two different numbers.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import flint
import numpy as np
import numpy.typing as npt

from rewrite import ops, rulesample
from rewrite.dag import Dag, below
from rewrite.errors import PatternError
from rewrite.evaluate import evaluate
from rewrite.fastmath import FastMath
from rewrite.oracle import enclosed, working_precision
from rewrite.rule import Condition, Rule
from rewrite.ruledoubles import Agreement
from rewrite.store import Symbol
from rewrite.term import Term

__all__ = [
    "FLOAT_TESTS", "Verdict", "bits", "extremes", "meets", "real", "same_bits",
    "superfluous", "unlicensed", "weight",
]  # fmt: skip

type Value = Any
"""A ball, or for a truth value a bool or None where it is undecided."""
type Step = tuple[int, Callable[..., Value], Sequence[int]]
"""A position, what its op means, and the positions of the operands."""

PRECISIONS: Final = (128, 640, 3200)
"""Bits, tried in turn while a point is undecided."""
IN_BALLS: Final = 10_000
"""So many points of a rule are seen by balls alone."""
TIGHT: Final = 40
"""Two balls of so many correct bits that meet are taken for equal."""
TINY: Final = -200
"""So are balls of a radius below 2**TINY: the value may be 0."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found: the points tried, those left undecided, and one that breaks the rule."""

    rule: Rule
    points: int
    undecided: int = 0
    counterexample: str | None = None

    @property
    def holds(self) -> bool:
        """Tell whether no point broke the rule."""
        return self.counterexample is None

    def __str__(self) -> str:
        """Write the rule, and the point that breaks it."""
        if self.holds:
            return f"{self.rule!r} holds at {self.points} points ({self.undecided} undecided)"
        return f"{self.rule!r}\n  fails {self.counterexample}"


# -- size ------------------------------------------------------------------------------------


def weight(term: Term) -> int:
    """Add up the distinct nodes of a pattern, so that rules can be told from growing ones.

    Constants and signs are free, a division or a root is worth four sums, a power twenty, any
    other function sixteen. A measure of rules, not of machines: those have cost models.
    """
    return sum(_WEIGHTS.get(code, 16) for code in Dag.of(term.store, [term.id]).code.tolist())


_CHEAP: Final = (
    ops.PVAR, ops.ADD, ops.SUB, ops.MUL, ops.FMA, ops.ABS, ops.COPYSIGN, ops.MINIMUM, ops.MAXIMUM,
    ops.FLOOR, ops.CEIL, ops.TRUNC, ops.ROUND, ops.SIGN, ops.LT, ops.LE, ops.GT, ops.GE, ops.EQ,
    ops.NE, ops.AND, ops.OR, ops.NOT, ops.WHERE,
)  # fmt: skip
_WEIGHTS: Final = {
    **{row.code: 1 for row in _CHEAP},
    ops.CONST.code: 0,
    ops.NEG.code: 0,
    ops.DIV.code: 4,
    ops.SQRT.code: 4,
    ops.RSQRT.code: 7,
    ops.POW.code: 20,
    ops.ATAN2.code: 24,
}


# -- over the reals --------------------------------------------------------------------------


def real(rule: Rule, wanted: int = 10_000, seed: int = 0) -> Verdict:
    """Compare both sides over the reals at points that meet the conditions.

    They must be defined at the same points, where the variables have values, and equal there.
    Beyond the first 10,000 points, which balls see, doubles decide where they can: a side that is
    off by less than 2^-40 everywhere has been found by then.
    """
    _law(rule)
    sides = _Sides(rule)
    verdict, tried = _tried(sides, rulesample.points(rule, wanted, seed), min(wanted, IN_BALLS))
    if verdict.holds and IN_BALLS <= verdict.points < wanted:
        verdict, more = _quickly(sides, verdict, wanted, seed + 1)
        tried += more
    if not verdict.holds or verdict.points >= wanted or not rulesample.variables(rule):
        return verdict
    few = f"{verdict.points} of {tried} points meet its conditions, {wanted} are wanted"
    return replace(verdict, counterexample=f"to be tried: {few}")


def extremes(rule: Rule) -> Verdict:
    """Compare both sides over the reals at zero, subnormal and largest numbers, and their kin."""
    _law(rule)
    return _tried(_Sides(rule), rulesample.extremes(rule), rulesample.GRID_LIMIT)[0]


def _quickly(sides: "_Sides", verdict: Verdict, wanted: int, seed: int) -> tuple[Verdict, int]:
    """Go on until so many points met the conditions: balls see what doubles leave open."""
    rule, tried = sides.rule, 0
    quick, names = Agreement(rule), [v.name for v in rulesample.variables(rule)]
    for columns in rulesample.batches(rule, wanted, seed):
        sure = quick.at(dict(zip(names, columns, strict=True)))
        rest = rulesample.rows_of([column[~sure] for column in columns])
        found, _ = _tried(sides, rest, wanted)
        met = verdict.points + int(sure.sum()) + found.points
        undecided = verdict.undecided + found.undecided
        verdict = Verdict(rule, met, undecided, found.counterexample)
        tried += len(sure)
        if not verdict.holds or met >= wanted:
            break
    return verdict, tried


def _tried(sides: "_Sides", rows: Iterable[rulesample.Row], wanted: int) -> tuple[Verdict, int]:
    """Compare both sides at points until so many met the conditions; count those looked at."""
    rule, names = sides.rule, rulesample.variables(sides.rule)
    met = undecided = tried = 0
    with working_precision(PRECISIONS[0]):
        for row in rows:
            tried += 1
            outcome, why = sides.at(row)
            if outcome == "agrees":
                met += 1
            elif outcome == "undecided":
                undecided += 1
            elif outcome == "differs":
                where = ", ".join(f"{v.name} = {x!r}" for v, x in zip(names, row, strict=True))
                why = f"over the reals at {where or 'once'}: {why}"
                return Verdict(rule, met, undecided, why), tried
            if met >= wanted or not names:
                break
    return Verdict(rule, met, undecided), tried


def _law(rule: Rule) -> None:
    if not rule.symbolic:
        raise PatternError(
            f"rule {rule!r} is no law between two terms; of one with sequence variables, "
            "rewrite.sequences.instances are"
        )


class _Sides:
    """Both sides of a rule and its conditions as one program on balls, evaluated in stages."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        roots = [*(c.term.id for c in rule.where), rule.lhs.id, rule.rhs.id]
        dag = Dag.of(rule.lhs.store, roots)
        self.where, self.left, self.right = dag.roots[:-2], dag.roots[-2], dag.roots[-1]
        self.constants = [
            (at, value)
            for at, value in enumerate(dag.value)
            if value is not None and not isinstance(value, Symbol)
        ]
        named = {v.name: at for at, v in enumerate(dag.value) if isinstance(v, Symbol)}
        self.inputs = [named[v.name] for v in rulesample.variables(rule)]
        rows = dag.rows()
        self.steps = {root: _steps(rows, below(rows, [root])) for root in dag.roots[-2:]}
        self.stages: list[list[Step]] = []
        done: set[int] = set()
        for targets in (self.where, [self.left], [self.right]):
            fresh = below(rows, targets) - done
            done |= fresh
            self.stages.append(_steps(rows, fresh))
        self.blank = {bits: self._blank(bits, len(dag)) for bits in PRECISIONS}

    def _blank(self, bits: int, size: int) -> list[Value]:
        values: list[Value] = [None] * size
        with working_precision(bits):
            for at, value in self.constants:
                values[at] = enclosed(value)
        return values

    def at(self, row: rulesample.Row) -> tuple[str, str]:
        """Return agrees, differs, undecided or outside for one point, and why.

        Called at the lowest precision, which decides most points.
        """
        inputs = [x if isinstance(x, bool) else flint.arb(x) for x in row]
        outcome = self._try(inputs, PRECISIONS[0])
        for bits in PRECISIONS[1:]:
            if outcome[0] != "undecided":
                break
            with working_precision(bits):
                outcome = self._try(inputs, bits)
        return outcome

    def _try(self, inputs: Sequence[Value], bits: int) -> tuple[str, str]:
        last = bits == PRECISIONS[-1]
        values = self.blank[bits].copy()
        for at, x in zip(self.inputs, inputs, strict=True):
            values[at] = x
        if self.where:
            _run(self.stages[0], values)
        for condition, at in zip(self.rule.where, self.where, strict=True):
            known = _holds(condition.kind, values[at])
            if known is not True:
                return ("outside" if known is False or last else "undecided"), ""
        _run(self.stages[1], values)
        _run(self.stages[2], values)
        return self._compare(values[self.left], values[self.right], values, last)

    def _compare(
        self, left: Value, right: Value, values: list[Value], last: bool
    ) -> tuple[str, str]:
        if _defined(left) and _defined(right):
            return _equal(left, right)
        if not _defined(left) and not _defined(right):
            both = all(_surely_undefined(steps, values) for steps in self.steps.values())
            return ("outside" if both or last else "undecided"), ""
        if not last:
            return "undecided", ""
        what, root = ("right", self.right) if _defined(left) else ("left", self.left)
        if not _surely_undefined(self.steps[root], values):
            return "undecided", ""
        other = _text(left if what == "right" else right)
        return "differs", f"the {what} side is undefined where the other is {other}"


def _steps(rows: list[tuple[int, tuple[int, ...]]], nodes: set[int]) -> list[Step]:
    found: list[Step] = []
    for at in sorted(nodes):
        code, args = rows[at]
        if args:
            meaning = ops.OPS[code].ball
            assert meaning is not None, f"op {ops.OPS[code].name} has no ball"
            found.append((at, meaning, args))
    return found


def _run(steps: list[Step], values: list[Value]) -> None:
    for at, meaning, args in steps:
        values[at] = meaning(*[values[a] for a in args])


def _defined(x: Value) -> bool:
    return x is not None and (isinstance(x, bool) or bool(x.is_finite()))


def _equal(left: Value, right: Value) -> tuple[str, str]:
    if isinstance(left, bool):
        same = left == right
    elif same := bool(left.overlaps(right)):
        if not (_tight(left) and _tight(right)):
            return "undecided", ""
    if same:
        return "agrees", ""
    return "differs", f"the left side is {_text(left)}, the right side {_text(right)}"


def _tight(x: Value) -> bool:
    return x.rel_accuracy_bits() >= TIGHT or bool(abs(x.rad()) < flint.arb(2) ** TINY)


def _surely_undefined(steps: Sequence[Step], values: list[Value]) -> bool:
    """Tell whether the first undefined value is so wherever its operands lie in their balls.

    Else more precision might define it: log of a ball around a tiny number, or two numbers that
    no comparison can tell apart.
    """
    for at, meaning, args in steps:
        operands = [values[a] for a in args]
        if not _defined(values[at]) and all(map(_defined, operands)):
            corners = itertools.product(*map(_ends, operands))
            return values[at] is not None and not any(_defined(meaning(*c)) for c in corners)
    return False


def _ends(x: Value) -> list[Value]:
    if isinstance(x, bool) or x.is_exact():
        return [x]
    return [x.mid(), x.lower(), x.upper()]


def _text(x: Value) -> str:
    return str(x) if isinstance(x, bool) else str(x.str(12, radius=False))


_TESTS: Final[dict[str, tuple[Callable[[Value], bool], Callable[[Value], bool]]]] = {
    "nonzero": (lambda x: not x.contains(0), lambda x: x.is_zero()),
    "positive": (lambda x: x > 0, lambda x: x <= 0),
    "negative": (lambda x: x < 0, lambda x: x >= 0),
    "nonneg": (lambda x: x >= 0, lambda x: x < 0),
    "nonpos": (lambda x: x <= 0, lambda x: x > 0),
    "integer": (lambda x: x.is_integer(), lambda x: not x.contains_integer()),
}
"""Kind of condition -> tests that a ball surely meets it, or surely does not."""


def _holds(kind: str, x: Value) -> bool | None:
    if not x.is_finite():
        return None
    yes, no = _TESTS[kind]
    return True if yes(x) else (False if no(x) else None)


def superfluous(rule: Rule, condition: Condition, wanted: int = 10_000) -> bool:
    """Tell whether no point is found that breaks the rule without one of its conditions."""
    rest = tuple(given for given in rule.where if given != condition)
    return real(replace(rule, where=rest), wanted).holds


# -- on floating-point numbers ---------------------------------------------------------------


def bits(rule: Rule, seed: int = 0) -> Verdict:
    """Compare both sides bit by bit in double and single precision, as NumPy evaluates them.

    NaN payloads and signs of NaNs aside. A condition counts as met where its term is NaN: facts
    are about numbers.
    """
    _law(rule)
    tried = 0
    for dtype in (np.float64, np.float32):
        env, left, right = _floats(rule, dtype, seed)
        met = _met(rule, env, dtype)
        tried += int(met.sum())
        wrong = np.nonzero(met & ~same_bits(left, right))[0]
        if wrong.size:
            why = _difference(env, left, right, int(wrong[0]))
            return Verdict(rule, tried, 0, f"in {dtype.__name__} {why}")
    return Verdict(rule, tried)


_ROUNDING: Final = FastMath.REASSOC | FastMath.CONTRACT | FastMath.ARCP


def unlicensed(rule: Rule, seed: int = 0) -> dict[FastMath, str]:
    """Return the flags that a rule needs and does not have, with a point that shows it.

    One of `REASSOC`, `CONTRACT` and `ARCP` covers every other rounding, overflow included; which
    of them is the right one is for the reader to judge.
    """
    _law(rule)
    dtype = np.float64
    exact = not rule.licence & _ROUNDING
    env, left, right = _floats(rule, dtype, seed, more=exact)
    if left.dtype == bool:
        left, right = left.astype(dtype), right.astype(dtype)
    differ = _met(rule, env, dtype) & ~same_bits(left, right)
    real_columns = [x for x in env.values() if x.dtype != bool]
    nan = _any(np.isnan, [*real_columns, left, right], len(left))
    infinite = _any(np.isinf, [*real_columns, left, right], len(left))
    zero = (left == 0) & (right == 0)
    with np.errstate(all="ignore"):
        far = ~(np.abs(left - right) <= 1e-6 * np.maximum(np.abs(left), np.abs(right)))
    small = _all(lambda x: ~np.isfinite(x) | _ordinary(x), real_columns, len(left))
    unsigned = _any(lambda x: (x == 0) & (FastMath.NSZ in rule.licence), real_columns, len(left))
    needs = {
        FastMath.NNAN: nan & small,
        FastMath.NINF: infinite & ~nan & far & small,
        FastMath.NSZ: zero & ~nan & ~infinite & small,
        FastMath.REASSOC: exact & ~zero & ~nan & ~infinite & ~unsigned,
    }
    found: dict[FastMath, str] = {}
    for flag, places in needs.items():
        if flag in rule.licence:
            continue
        if flag is FastMath.NNAN and FastMath.NINF in rule.licence:
            places = places & ~infinite
        wrong = np.nonzero(differ & places)[0]
        if wrong.size:
            found[flag] = _difference(env, left, right, int(wrong[0]))
    return found


def _floats(
    rule: Rule, dtype: Any, seed: int, *, more: bool = True
) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[Any], npt.NDArray[Any]]:
    env = rulesample.grid(rule, dtype, seed, more=more)
    count = max((len(x) for x in env.values()), default=1)
    left, right = (
        np.broadcast_to(evaluate(side, env, dtype=dtype), (count,)) for side in (rule.lhs, rule.rhs)
    )
    return env, left, right


def _met(rule: Rule, env: dict[str, npt.NDArray[Any]], dtype: Any) -> npt.NDArray[np.bool_]:
    count = max((len(x) for x in env.values()), default=1)
    met = np.ones(count, bool)
    for condition in rule.where:
        x = np.broadcast_to(evaluate(condition.term, env, dtype=dtype), (count,))
        with np.errstate(all="ignore"):
            met &= np.isnan(x) | FLOAT_TESTS[condition.kind](x)
    return met


def meets(kind: str, value: Any) -> bool:
    """Tell whether one number, as evaluated, meets a kind of condition."""
    return not isinstance(value, Exception) and bool(np.all(FLOAT_TESTS[kind](value)))


FLOAT_TESTS: Final[dict[str, Callable[[Any], npt.NDArray[np.bool_]]]] = {
    "nonzero": lambda x: x != 0,
    "positive": lambda x: x > 0,
    "negative": lambda x: x < 0,
    "nonneg": lambda x: x >= 0,
    "nonpos": lambda x: x <= 0,
    "integer": lambda x: np.isfinite(x) & (np.rint(x) == x),
}
"""Kind of condition -> which floats meet it."""


def same_bits(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Tell where two arrays hold the same values, signs of zeros included, or both NaN."""
    if left.dtype == bool:
        return np.asarray(left == right)
    same = (left == right) & (np.signbit(left) == np.signbit(right))
    return np.asarray(same | (np.isnan(left) & np.isnan(right)))


def _ordinary(x: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Zeros and numbers whose products neither overflow nor vanish."""
    return np.asarray((x == 0) | ((np.abs(x) > 1e-30) & (np.abs(x) < 1e30)))


def _any(test: Callable[[Any], Any], columns: Sequence[Any], count: int) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = np.zeros(count, bool)
    for x in columns:
        found = found | test(x)
    return found


def _all(test: Callable[[Any], Any], columns: Sequence[Any], count: int) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = np.ones(count, bool)
    for x in columns:
        found = found & test(x)
    return found


def _difference(env: dict[str, npt.NDArray[Any]], left: Any, right: Any, at: int) -> str:
    where = ", ".join(f"{name} = {column[at]!s}" for name, column in env.items())
    return f"at {where or 'once'}: the left side is {left[at]!s}, the right side {right[at]!s}"
