"""Every rule is tested from its table: add a row, and its tests appear."""

import collections
import pathlib
from dataclasses import replace
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import numpy.typing as npt
import pytest

import rewrite as rw
from rewrite import ops, rulecheck, rulesample
from rewrite.conditions import KINDS, nonneg
from rewrite.constants import Named
from rewrite.dag import Dag
from rewrite.egraph.arrays import Frozen
from rewrite.egraph.bridge import EGraph
from rewrite.egraph.limits import Limits
from rewrite.egraph.relevance import relevant
from rewrite.evaluate import FUNCTIONS as NUMPY
from rewrite.fastmath import FastMath
from rewrite.functions import FUNCTIONS
from rewrite.leaves import pattern_vars
from rewrite.oracle import enclosed, working_precision
from rewrite.rule import Condition, Rule, RuleSet, ruleset
from rewrite.ruledoubles import Agreement
from rewrite.rules import ALL, EXPAND, FAMILIES, PRECISE, SIMPLIFY
from rewrite.store import Symbol
from rewrite.term import Term

type Floats = npt.NDArray[np.float64]

RULES = [rule for group in ALL for rule in group]
EXACT = [rule for rule in RULES if rule.licence == FastMath.NONE]
LICENSED = [rule for rule in RULES if rule.licence != FastMath.NONE]
CONDITIONS = [(rule, condition) for rule in RULES for condition in rule.where]
POINTS, NIGHTLY_POINTS = 10_000, 1_000_000
USEFUL_ONLY = {"exp-of-product": "sound for all n; for others than integers it breeds powers"}
"""Rules whose condition is not for soundness -> why they have it."""


def name(rule: Rule) -> str:
    return rule.name


# -- each rule -------------------------------------------------------------------------------


@pytest.fixture
def points(request: pytest.FixtureRequest) -> int:
    """How many points a rule must hold at."""
    return NIGHTLY_POINTS if request.config.getoption("--nightly") else POINTS


@pytest.mark.parametrize("rule", RULES, ids=name)
def test_equal_over_the_reals(rule: Rule, points: int) -> None:
    verdict = rulecheck.real(rule, points)
    assert verdict.holds, str(verdict)
    assert verdict.undecided <= verdict.points // 10, str(verdict)


@pytest.mark.parametrize("rule", EXACT, ids=name)
def test_same_bits(rule: Rule) -> None:
    verdict = rulecheck.bits(rule)
    assert verdict.holds, str(verdict)


@pytest.mark.parametrize("rule", LICENSED, ids=name)
def test_licence_covers_what_happens_to_bits(rule: Rule) -> None:
    assert not (missing := rulecheck.unlicensed(rule)), f"{rule!r} needs {missing}"


@pytest.mark.parametrize(
    ("rule", "condition"), CONDITIONS, ids=[f"{rule.name}-{c!r}" for rule, c in CONDITIONS]
)
def test_condition_is_needed(rule: Rule, condition: Condition) -> None:
    """Without it the check finds a counterexample, so the check can see what guards guard."""
    if rule.name not in USEFUL_ONLY:
        assert not rulecheck.superfluous(rule, condition, POINTS)


# -- the check can fail ----------------------------------------------------------------------

a, b, c = pattern_vars("a b c")
sqrt, log, exp, where, minimum = (FUNCTIONS[f] for f in ("sqrt", "log", "exp", "where", "minimum"))
# fmt: off
FALSE = ruleset("false", FastMath.REASSOC,
    ("root-of-square",          sqrt(a**2),                 a),
    ("div-self-unguarded",      a / a,                      1),
    ("log-of-product",          log(a * b),                 log(a) + log(b)),
    ("missing-parenthesis",     a * (b + c),                a * b + c),
    ("off-by-a-little",         exp(a) * 1.0000000000000002, exp(a)),
    ("root-apart",              sqrt(a * b),                sqrt(a) * sqrt(b)),
    ("power-of-power",          (a**b)**c,                  a**(b * c)),
    ("exp-log-unguarded",       exp(log(a)),                a),
    ("root-times-root",         sqrt(a) * sqrt(a),          a),
    ("logs-joined",             log(a) + log(b),            log(a * b)),
    ("divided-and-multiplied",  (a / b) * b,                a),
    ("square-root-below",       sqrt(a) < b,                a < b * b),
    ("where-swapped",           where(a < b, a, b),         where(b < a, a, b)),
)
INEXACT = ruleset("inexact", FastMath.NONE,
    ("add-then-sub",            (a + b) - a,                b),
    ("mul-by-zero",             a * 0,                      0),
    ("add-positive-zero",       a + 0,                      a),
    ("associate",               (a + b) + c,                a + (b + c)),
    ("third-as-product",        a / 3,                      a * (1 / 3)),
    ("min-of-nan",              where(a < b, a, b),         minimum(a, b)),
    ("not-less",                ~(a < b),                   b <= a),
)
# fmt: on


@pytest.mark.parametrize("rule", FALSE.rules, ids=name)
def test_false_rule_is_caught(rule: Rule) -> None:
    verdict = rulecheck.real(rule, POINTS)
    assert not verdict.holds
    assert rule.name in str(verdict) and " at a = " in str(verdict)


@pytest.mark.parametrize("rule", INEXACT.rules, ids=name)
def test_inexact_rule_is_caught(rule: Rule) -> None:
    verdict = rulecheck.bits(rule)
    assert not verdict.holds
    assert rule.name in str(verdict) and " at a = " in str(verdict)


def test_conditions_that_no_point_meets_are_reported() -> None:
    (rule,) = ruleset("impossible", FastMath.REASSOC, ("none", a + 1, 1 + a, nonneg(-1 - a * a)))
    verdict = rulecheck.real(rule, 100)
    assert not verdict.holds and "0 of" in str(verdict)


def test_missing_licence_is_reported() -> None:
    (rule,) = ruleset("unlicensed", FastMath.REASSOC, ("cancel", a - a, 0))
    assert set(rulecheck.unlicensed(rule)) == {FastMath.NNAN}
    assert not rulecheck.unlicensed(replace(rule, licence=FastMath.NNAN))
    for law, flag in (
        (("fold-in", a + 0, a), FastMath.NSZ),
        (("regroup", (a + b) + c, a + (b + c)), FastMath.REASSOC),
        (("absorb", minimum(a, a + b * b), a), FastMath.NNAN),
        (("scale", (a * b) / (c * b), a / c), FastMath.NNAN),
    ):
        (rule,) = ruleset("unlicensed", FastMath.FAST & ~flag, law)
        bare = replace(rule, licence=FastMath.NINF)
        assert flag in rulecheck.unlicensed(bare if flag is FastMath.REASSOC else rule), rule


def test_undecided_is_not_undefined() -> None:
    """exp(a) and exp(b) are never told apart where a = b, nor log1p(expm1(-9999)) computed."""
    equal, tiny = ruleset(
        "undecided", FastMath.REASSOC,
        ("same-choice", where(a <= b, a, a + 1), where(exp(a) <= exp(b), a, a + 1)),
        ("inverse", FUNCTIONS["log1p"](FUNCTIONS["expm1"](a)), a),
    )  # fmt: skip
    for rule in (equal, tiny):
        verdict = rulecheck.real(rule, POINTS)
        assert verdict.holds and verdict.undecided, str(verdict)


def test_a_counterexample_tells_which_side_has_no_value() -> None:
    wider, narrower = ruleset(
        "one-sided", FastMath.FAST,
        ("wider", sqrt(a) * sqrt(a), a), ("narrower", abs(a), sqrt(a) * sqrt(a)),
    )  # fmt: skip
    assert "the left side is undefined where the other is" in str(rulecheck.real(wider, POINTS))
    assert "the right side is undefined where the other is" in str(rulecheck.real(narrower, POINTS))


# -- rules together, in an e-graph -----------------------------------------------------------

PROGRAMS, AT = 100, 50
FAMILIAR = (
    "sqrt square abs div", "exp log neg mul", "sqrt exp acosh square", "log div abs square",
    "half third square power", "log exp half power", "exp log1p div sub", "sqrt log abs half",
    "div add reciprocal sub", "cosh acosh sqrt exp",
)  # fmt: skip
"""Ops that have laws together."""
POWERS = {"square": 2, "half": Fraction(1, 2), "third": Fraction(1, 3), "power": -2}


def spots(seed: int) -> Floats:
    """Every pair of a few values with zero and both signs, and pairs between them."""
    few = (-2.0, -1.0, 0.0, 0.5, 3.0)
    pairs = [(p, q) for p in few for q in few]
    return np.array([*pairs, *np.random.default_rng(seed).uniform(-4, 4, (AT - len(pairs), 2))])


def program(seed: int) -> list[Term]:
    """Two roots over x and y, which may take any value, of ops many of which do not.

    Each part has a value somewhere. Of one that has none, like x/(x - x), no law is false, and
    u + 1 = u with u - u = 0 makes all numbers one: a variable stands for a value that exists.
    """
    random = np.random.default_rng(seed)
    names = [*FAMILIAR[seed % len(FAMILIAR)].split(), "mul", "add"]
    made: list[Term] = [*rw.symbols("x y"), rw.const(int(random.integers(1, 4)))]
    env = dict(zip("xy", spots(seed).T, strict=True))
    while len(made) < 11:
        near = made[int(random.integers(-3, 0))] if random.random() < 0.7 else made[0]
        other = made[int(random.integers(0, len(made)))]
        name = names[int(random.integers(len(names)))]
        if name in POWERS:
            fresh = near ** POWERS[name]
        elif name == "reciprocal":
            fresh = 1 / near
        else:
            fresh = rw.apply(name, *(near, other)[: ops.op(name).arity % 3])
        if np.isfinite(rw.evaluate(fresh, env)).any():
            made.append(fresh)
    return made[-2:]


def saturated(terms: list[Term], simplify: RuleSet, expand: RuleSet) -> Frozen:
    dag = Dag.of(terms[0].store, [t.id for t in terms])
    limits = Limits(nodes=800, iterations=6)
    kept = relevant(simplify, expand, dag)
    graph = EGraph(*kept, fold=True, limits=limits, present=dag.code.tolist())
    places = graph.load(dag)
    graph.run()
    return graph.freeze([places[r] for r in dag.roots])


class Members:
    """The nodes of an e-graph, each after some node of each class it is made of.

    A class has the value of any of its members that has one, made of classes that have one: this
    covers every program that could be extracted.
    """

    def __init__(self, frozen: Frozen) -> None:
        self.code, self.owner, self.leaf = frozen.code.tolist(), frozen.owner.tolist(), frozen.leaf
        args, start = frozen.args.tolist(), frozen.start.tolist()
        self.args = [args[start[k] : start[k + 1]] for k in range(len(frozen))]
        self.nodes: list[int] = []
        ready: set[int] = set()
        waiting, before = list(range(len(frozen))), -1
        while len(self.nodes) > before:
            before = len(self.nodes)
            made = [node for node in waiting if ready.issuperset(self.args[node])]
            self.nodes += made
            ready.update(self.owner[node] for node in made)
            waiting = sorted(set(waiting) - set(made))

    def suspects(self, points: Floats) -> Floats:
        """Return the points at which members of a class differ when rounded to floats."""
        value: dict[int, Floats] = {}
        odd, more = np.zeros(len(points), bool), True
        with np.errstate(all="ignore"):
            while more:
                more = False
                for node in self.nodes:
                    found = self._rounded(node, value, points)
                    found = np.where(np.isfinite(found), found, np.nan)
                    known = value.setdefault(self.owner[node], np.full(len(points), np.nan))
                    fresh = np.isnan(known) & ~np.isnan(found)
                    odd |= np.abs(known - found) > 1e-9 * np.maximum(1, np.abs(known))
                    if fresh.any():
                        known[fresh], more = found[fresh], True
        return points[odd]

    def _rounded(self, node: int, value: dict[int, Floats], points: Floats) -> Floats:
        leaf = self.leaf[node]
        if isinstance(leaf, Symbol):
            return points[:, "xy".index(leaf.name)]
        if leaf is not None:
            return np.full(len(points), float(leaf.value if isinstance(leaf, Named) else leaf))
        takes = ops.OPS[self.code[node]].takes
        operands = [
            value[child] == 1 if takes[min(k, len(takes) - 1)] == "b" else value[child]
            for k, child in enumerate(self.args[node])
        ]
        return np.asarray(NUMPY[self.code[node]](*operands), np.float64)

    def contradiction(self, points: Floats) -> str | None:
        """Find a class with two values: balls that do not meet enclose different numbers."""
        for point in points.tolist():
            value: dict[int, Any] = {}
            size = -1
            while size < len(value):
                size = len(value)
                for node in self.nodes:
                    found = self._enclosed(node, value, point)
                    if not has_value(found):
                        continue
                    known = value.setdefault(self.owner[node], found)
                    if known != found if isinstance(known, bool) else not known.overlaps(found):
                        made = ops.OPS[self.code[node]].name
                        return f"(x, y) = {point}: {known} is also, by {made}, {found}"
        return None

    def _enclosed(self, node: int, value: dict[int, Any], point: list[float]) -> Any:
        leaf = self.leaf[node]
        if isinstance(leaf, Symbol):
            return flint.arb(point["xy".index(leaf.name)])
        if leaf is not None:
            return enclosed(leaf)
        operands = [value.get(child) for child in self.args[node]]
        meaning = ops.OPS[self.code[node]].ball
        assert meaning is not None
        return None if None in operands else meaning(*operands)


def has_value(found: Any) -> bool:
    return found is not None and (isinstance(found, bool) or bool(found.is_finite()))


def leak(terms: list[Term], simplify: RuleSet, expand: RuleSet, seed: int) -> str | None:
    members = Members(saturated(terms, simplify, expand))
    with working_precision(192):
        return members.contradiction(members.suspects(spots(seed)))


@pytest.mark.parametrize("first", range(0, PROGRAMS, 10))
def test_a_class_has_one_value_at_each_point(first: int) -> None:
    """Equality is transitive: a side without a value must not join two that have different ones."""
    for seed in range(first, first + 10):
        terms = program(seed)
        assert (found := leak(terms, SIMPLIFY, EXPAND, seed)) is None, f"{terms}: {found}"


def test_rules_that_widen_leak() -> None:
    """sqrt(a)*sqrt(a), without a value for a < 0, makes a and abs(a) one class."""
    x = rw.symbol("x")
    roots = ruleset(
        "roots", FastMath.FAST,
        ("self", sqrt(a) * sqrt(a), a), ("join", sqrt(a) * sqrt(b), sqrt(a * b)),
        ("out", sqrt(a * a), abs(a)),
    )  # fmt: skip
    found = leak([sqrt(x) * sqrt(x), x], roots, RuleSet("none", ()), 0)
    assert found is not None and "by abs" in found


# -- the tables ------------------------------------------------------------------------------


def test_names_are_unique() -> None:
    for names in ([rule.name for rule in RULES], [group.name for group in ALL]):
        assert [n for n, count in collections.Counter(names).items() if count > 1] == []


def test_laws_are_unique() -> None:
    laws = collections.Counter((rule.lhs, rule.rhs, rule.where) for rule in RULES)
    assert [law for law, count in laws.items() if count > 1] == []


def test_rules_are_well_formed() -> None:
    """That the right side and the conditions are bound, making a rule checks itself."""
    assert [rule for rule in RULES if rule.lhs == rule.rhs] == []
    assert {condition.kind for rule in RULES for condition in rule.where} <= set(KINDS)
    assert [rule for rule in RULES if FastMath.AFN in rule.licence] == []


def test_simplifying_rules_do_not_grow() -> None:
    weight = rulecheck.weight
    assert [rule for rule in SIMPLIFY if weight(rule.rhs) > weight(rule.lhs)] == []


def test_unions_hold_every_rule_once() -> None:
    assert sorted(name(r) for r in (*SIMPLIFY, *EXPAND, *PRECISE)) == sorted(map(name, RULES))
    assert len(RULES) >= 150


def test_readme_names_every_group() -> None:
    folder = pathlib.Path(rulecheck.__file__).parent / "rules"
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert [group.name for group in ALL if f"`{group.name}`" not in text] == []
    assert all((folder / f"{family}.py").is_file() for family in FAMILIES)


def test_patterns_leave_the_users_store_alone() -> None:
    assert all(rule.lhs.store is rule.rhs.store is a.store for rule in RULES)


def test_specials_are_what_they_say() -> None:
    for dtype in (np.float64, np.float32):
        values = rulesample.specials(dtype)
        assert values.dtype == dtype
        assert np.isnan(values).sum() == 1 and np.isinf(values).sum() == 2
        assert np.signbit(values[values == 0]).tolist() == [False, True]
        tiny = np.abs(values[(values != 0) & (np.abs(values) < np.finfo(dtype).tiny)])
        assert tiny.size == 4


# -- in doubles ------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES[::6], ids=name)
def test_doubles_decide_what_balls_do(rule: Rule) -> None:
    """Where doubles are sure that both sides agree, so are balls, or they leave it open."""
    sides, names = rulecheck._Sides(rule), rulesample.variables(rule)
    columns = [column[:300] for column in next(rulesample.batches(rule, 300, seed=5))]
    if not columns:
        return
    sure = Agreement(rule).at({v.name: x for v, x in zip(names, columns, strict=True)})
    with working_precision(128):
        rows = rulesample.rows_of([column[sure] for column in columns])
        found = {sides.at(row)[0] for row in rows}
    assert found <= {"agrees", "undecided"}


@pytest.mark.parametrize("rule", FALSE.rules, ids=name)
def test_doubles_leave_open_what_is_false(rule: Rule) -> None:
    """Save where it is off by less than they hold, which the first points show in balls."""
    columns = next(rulesample.batches(rule, 2000))
    names = [v.name for v in rulesample.variables(rule)]
    sure = Agreement(rule).at(dict(zip(names, columns, strict=True)))
    sides = rulecheck._Sides(rule)
    with working_precision(128):
        wrong = [sides.at(row)[0] == "differs" for row in rulesample.rows_of(columns)]
    assert (~sure & wrong).any() or rule.name == "off-by-a-little"


def test_doubles_know_most_points() -> None:
    """Else a million points would take hours."""
    known = total = 0
    for rule in RULES[::10]:
        columns = next(rulesample.batches(rule, 2000))
        names = [v.name for v in rulesample.variables(rule)]
        if columns:
            known += int(Agreement(rule).at(dict(zip(names, columns, strict=True))).sum())
            total += len(columns[0])
    assert known > 0.4 * total, known / total


def test_what_fails_beyond_the_first_points_is_found() -> None:
    (rule,) = ruleset("late", FastMath.REASSOC, ("late", where(a < 500, a + b, b + a), a + b))
    broken = replace(rule, lhs=where(a < 60, a + b, a - b))
    assert rulecheck.real(rule, 30_000).points >= 30_000
    sides, verdict = rulecheck._Sides(broken), rulecheck.Verdict(broken, 0)
    assert not rulecheck._quickly(sides, verdict, 200_000, 1)[0].holds
