# ruff: noqa: B002 (a double negation of terms is meant)
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite.concrete import every_step, results
from rewrite.errors import PatternError, StrategyError
from rewrite.fastmath import FastMath
from rewrite.leaves import RULES
from rewrite.rule import Rule, RuleSet, ruleset
from rewrite.rules import ALL
from rewrite.term import Term, const
from rewrite.tree import unreadable
from strategies import Firing, innermost, outermost, traced
from strategies.check import CheckReport, Pair, check
from strategies.joining import Joiner
from strategies.normal import SHRINKING

a, b, c = rw.pattern_vars("a b c")
p, q, r = rw.pattern_vars("p q r", sort=rw.BOOL)
x, y, z = rw.symbols("x y z")
zero, one = (const(value, RULES) for value in (0, 1))
f, g, h, k = rw.sin, rw.cos, rw.tan, rw.exp  # letters for unary ops
pair, other = rw.atan2, rw.copysign  # two arguments, whose order matters


def rules(*rows: tuple[Any, ...], licence: FastMath = FastMath.NONE) -> RuleSet:
    return ruleset("system", licence, *rows)


GROUP = rules(
    ("left-unit", pair(zero, a), a),
    ("right-unit", pair(a, zero), a),
    ("left-inverse", pair(-a, a), zero),
    ("right-inverse", pair(a, -a), zero),
    ("inverse-unit", -zero, zero),
    ("inverse-inverse", -(-a), a),
    ("associative", pair(pair(a, b), c), pair(a, pair(b, c))),
    ("cancel", pair(-a, pair(a, b)), b),
    ("cancel-inverse", pair(a, pair(-a, b)), b),
    ("inverse-product", -pair(a, b), pair(-b, -a)),
)
PEANO = rules(
    ("add-zero", a + 0, a), ("add-next", a + -b, -(a + b)), ("times-zero", other(a, zero), zero),
    ("times-next", other(a, -b), other(a, b) + a),
)  # fmt: skip
TRUTH = rules(
    ("not-not", ~~p, p), ("and-self", p & p, p), ("and-true", p & True, p),
    ("and-false", p & False, False), ("and-not", p & ~p, False), ("not-true", ~const(True, RULES),
    False), ("not-false", ~const(False, RULES), True),
)  # fmt: skip


def _names(report: CheckReport) -> list[tuple[tuple[str, str], tuple[int, ...]]]:
    return [(found.rules, found.place) for found in report.pairs]


# -- systems of which it is known ------------------------------------------------------------


@pytest.mark.parametrize("system", [GROUP, PEANO, TRUTH], ids=["group", "peano", "truth"])
def test_confluent_systems_are_ok(system: RuleSet) -> None:
    report = check(system)
    assert report.ok and report.terminates and report.complete, str(report)
    assert report.joined >= 2 and not report.pairs


def test_group_axioms_alone_have_the_known_pairs() -> None:
    """Knuth and Bendix 1970, figure 1: the axioms of a group are not complete."""
    axioms = RuleSet(
        "axioms", tuple(GROUP[n] for n in ("left-unit", "left-inverse", "associative"))
    )
    report = check(axioms)
    assert report.terminates and not report.ok
    assert _names(report) == [(("associative", "left-inverse"), (0,))]
    (found,) = report.pairs
    assert found.normal == (pair(-x, pair(x, y)), y)


def test_one_rule_with_itself() -> None:
    report = check(rules(("nested", f(f(a)), g(a))))
    assert _names(report) == [(("nested", "nested"), (0,))]
    assert report.pairs[0].peak == f(f(f(x))) and report.pairs[0].normal == (g(f(x)), f(g(x)))


def test_one_rule_with_itself_in_the_other_order() -> None:
    """At the root of one sum the rule fires in two ways."""
    report = check(rules(("first", f(a) + f(b), g(a))))
    (found,) = report.pairs
    assert found.peak == f(x) + f(y) or found.peak == f(y) + f(x)
    assert set(found.normal) == {g(x), g(y)} and found.place == ()
    assert not check(rules(("first", f(a) + f(b), g(a + b)))).pairs


def test_overlaps_up_to_the_order_of_arguments() -> None:
    swapped = check(rules(("one", f(a) + b, g(a)), ("two", b + h(a), k(a))))
    assert (("one", "two"), ()) in _names(swapped)
    assert not check(rules(("one", pair(f(a), b), g(a)), ("two", pair(h(a), b), k(a)))).pairs


def test_a_common_term_is_looked_for_where_normal_forms_differ() -> None:
    """f(a) has two normal forms; the pair of the first two rules joins by taking other steps."""
    report = check(
        rules(("up", h(a), f(a)), ("down", h(a), g(a)), ("left", f(a), k(a)), ("right", f(a), g(a)))
    )
    assert _names(report) == [(("left", "right"), ())] and report.joined == 1


def test_loops_and_pairs_of_a_system_that_does_not_end() -> None:
    report = check(rules(("comm", a + b, b + a)))
    assert report.terminates is False and not report.ok and not report.pairs
    assert "x + y -> y + x (comm): again with x = y, y = x" in str(report)
    endless = check(rules(("grow", f(a), f(g(a))), ("stop", f(a), h(a)), ("other", f(a), k(a))))
    assert endless.terminates is False
    assert _names(endless) == [(("stop", "other"), ())] and len(endless.undecided) == 2
    assert not endless.undecided[0].final and "rewriting does not end" in str(endless)


def test_not_known() -> None:
    report = check(rules(("copy", f(f(a)), f(g(f(a))))))
    assert report.terminates is None and "no order found for copy" in str(report)
    assert not report.ok


# -- conditions, sorts, bounds ---------------------------------------------------------------


def test_conditions_choose_the_witness() -> None:
    report = check(rules(("root", rw.sqrt(a * a), a, rw.positive(a)), ("any", b * b, b**2)))
    (found,) = report.pairs
    (symbol,) = found.peak.free_symbols
    assert symbol.symbol is not None and symbol.symbol.low == 1
    assert "where 1 <= x" in str(found)


def test_conditions_that_exclude_each_other() -> None:
    rows = ("up", abs(a), a, rw.positive(a)), ("down", abs(a), -a, rw.negative(a))
    report = check(rules(*rows))
    assert not report.pairs and report.conditional == (("up", "down"),) and not report.ok
    assert "conditional, not checked" in str(report)
    whole = check(rules(("whole", f(a), g(a), rw.integer(a)), ("any", f(a), h(a))))
    (symbol,) = whole.pairs[0].peak.free_symbols
    assert symbol.symbol is not None and symbol.symbol.dtype == "int64"


def test_conditions_between_symbols() -> None:
    least = ("least", rw.minimum(a, b), a, rw.nonneg(b - a - 1))
    report = check(rules(least, ("sum", rw.minimum(f(c), b), g(b))))
    assert {found.rules for found in report.pairs} == {("least", "sum"), ("sum", "sum")}
    (found,) = (found for found in report.pairs if found.rules[0] == "least")
    assert "3 <= " in str(found)


def test_truth_values_are_no_numbers() -> None:
    report = check(rules(("not", ~(a < b), b <= a), ("pick", rw.where(p, a, b), a)))
    assert report.joined == 0 and not report.pairs
    nested = check(rules(("not", ~(a < b), b <= a), ("twice", ~~p, p)))
    assert _names(nested) == [(("twice", "not"), (0,))]


def test_matrices_do_not_commute() -> None:
    m, n = rw.pattern_vars("m n", sort=rw.MATRIX)
    report = check(rules(("double", (m + m) * n, m * n + m * n)))
    assert report.ok, str(report)
    assert check(rules(("left", m * n, m), ("right", m * n, n))).pairs
    exchanged = rules(("as-is", -(m * n), m * n), ("swapped", -(m * n), n * m))
    assert _names(check(exchanged)) == [(("as-is", "swapped"), ())]
    assert check(rules(("as-is", -(a * b), a * b), ("swapped", -(a * b), b * a))).ok


def test_bounds_are_said() -> None:
    report = check(GROUP, overlaps=3)
    assert not report.complete and not report.ok and "not all overlaps" in str(report)


def test_what_cannot_be_read_is_named() -> None:
    rule = Rule("computed", f(a), g(a))
    object.__setattr__(rule, "rhs", lambda bound: bound["a"])  # in place of a term
    assert unreadable(rule) == "its right side is computed"
    report = check([rule, Rule("plain", h(a), k(a))])
    assert report.not_analysed == (("computed", "its right side is computed"),)
    assert report.terminates is None and not report.ok
    assert "not analysed: computed" in str(report)
    assert "the rules that were analysed do" in str(report)


@rw.predicate
def short(term: Any) -> bool:
    return bool(term.node_count() < 9)


def test_each_reason_is_the_right_one() -> None:
    xs = rw.rest("xs")
    reasons = {
        Rule("computed", f(a), rw.compute(abs, a)): "its right side is computed",
        Rule("shape", f(a), a, (rw.literal(a),)): "its condition literal(?a) is about how",
        Rule("asked", f(a), a, (short(a),)): "its condition short(?a) is about how",
        Rule("rest", a * xs, xs * a * 0): "?xs stands for a sequence",
    }
    for rule, reason in reasons.items():
        ((_, said),) = check(rule).not_analysed
        assert said.startswith(reason)


@pytest.mark.parametrize("name", ["x", "y", "other"])
def test_no_variable_of_a_witness_is_called_as_a_symbol_of_the_rules(name: str) -> None:
    own = rw.symbol(name)
    report = check(rules(("outer", f(a - b), a), ("inner", own - b, g(b)), ("back", f(g(b)), b)))
    (pair,) = report.pairs
    assert pair.normal[0] != pair.normal[1] and not report.ok


def test_wrong_use() -> None:
    with pytest.raises(StrategyError, match="no rule"):
        check([1])  # type: ignore[list-item]
    with pytest.raises(PatternError, match="two rules called 'same'"):
        check([Rule("same", f(a), a), Rule("same", g(a), a)])
    assert check(Rule("alone", f(a), a)).ok
    assert rw.check is check


def test_report_reads_well() -> None:
    report = check(rules(("unit", a + 0, a), ("to-fma", a * b + c, rw.fma(a, b, c))))
    assert repr(report) == (
        "system: 2 rules\n"
        "terminates, by\n"
        "  1. weights, add = 1, 0 = 0, mul = 0, fma = 0; variables >= 0: "
        "smaller by unit, to-fma\n"
        "2 critical pairs do not join:\n"
        "  x*y + 0\n"
        "      -> x*y (unit)\n"
        "      -> fma(x, y, 0) (to-fma)\n"
        "  x*y + z\n"
        "      -> fma(x, y, z) (to-fma)\n"
        "      -> fma(y, x, z) (to-fma)\n"
        "0 critical pairs join (up to the order of arguments)"
    )


# -- every witness is one --------------------------------------------------------------------


def _replay(found: Pair, system: RuleSet) -> None:
    """Walk from the peak to both ends, and see that nothing fires there."""
    for name, place, made, end in zip(
        found.rules, ((), found.place), found.results, found.normal, strict=True
    ):
        assert made in results(system[name], found.peak, place)
        assert made == end or _reaches(system, made, end)
        assert not list(every_step(system.rules, end)), end
    assert found.normal[0] != found.normal[1]
    joiner = Joiner(system, frozenset(), 100, 10)
    assert not joiner.same(*found.normal)


def _reaches(system: RuleSet, start: Term, goal: Term) -> bool:
    """Follow the firings from a term, each of which must be one of a rule."""
    fired: list[Firing] = []
    made = traced(innermost(system), fired)(start)
    for firing in fired:
        assert firing.after in results(system[firing.rule], firing.before, ())
    return bool(made == goal)


def _replay_loops(report: CheckReport, system: RuleSet) -> None:
    for loop in report.loops:
        term = loop.start
        for _ in range(2):  # once as it is shown, once more from the instance
            for step in loop.steps:
                swap = dict(loop.instance) if term != loop.start else {}
                before = step.before.substitute(swap) if swap else step.before
                after = step.after.substitute(swap) if swap else step.after
                assert after in results(system[step.rule], before, step.place)
            term = loop.start.substitute(dict(loop.instance))


@pytest.mark.parametrize("group", [SHRINKING, *ALL], ids=lambda group: group.name)
def test_witnesses_of_the_library(group: RuleSet) -> None:
    report = check(group)
    assert report.complete
    for found in report.pairs[:40]:
        _replay(found, group)
    _replay_loops(report, group)


_POOL = [*GROUP, Rule("drop", pair(f(a), b), f(a)), Rule("inner", f(pair(a, b)), pair(f(a), f(b))),
         Rule("swap", a + b, b + a), Rule("sum", f(a) + f(b), f(a + b)), Rule("sign", f(-a), -f(a)),
         Rule("unit", a + 0, a), Rule("sum-sign", -(a + b), -a + -b)]  # fmt: skip
_TERMS: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([x, y, const(0)]),
    lambda t: st.builds(lambda s: -s, t) | st.builds(f, t)
    | st.builds(lambda s, u: s + u, t, t) | st.builds(pair, t, t),
    max_leaves=8,
)  # fmt: skip


@given(st.lists(st.sampled_from(_POOL), min_size=1, max_size=6, unique_by=lambda s: s.name),
       st.lists(_TERMS, min_size=5, max_size=5))  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_what_is_said_of_random_systems_holds(chosen: list[Rule], terms: list[Term]) -> None:
    """A loop or a pair can be replayed; where there is none, all orders of firing agree."""
    system = RuleSet("random", tuple(chosen))
    report = check(system)
    _replay_loops(report, system)
    for found in report.pairs:
        _replay(found, system)
    if report.terminates:
        first, last = ([s(t) for t in terms] for s in (innermost(system), outermost(system)))
        if report.ok:
            joiner = Joiner(system, frozenset(), 1_000, 60)
            assert all(joiner.same(one, two) for one, two in zip(first, last, strict=True))


_SMALL: list[Callable[[Any], Any]] = [f, g, h, k]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_normal_forms_of_words(data: st.DataObject) -> None:
    """Words of unary ops: all reducts are tried, so confluence is known where terms are few."""

    def word(draw: Any, least: int, most: int, leaf: Any) -> Any:
        for each in data.draw(st.lists(st.sampled_from(_SMALL), min_size=least, max_size=most)):
            leaf = each(leaf)
        return leaf

    count = data.draw(st.integers(1, 4))
    system = RuleSet("words", tuple(
        Rule(f"r{at}", word(data, 2, 3, a), word(data, 0, 1, a)) for at in range(count)
    ))  # fmt: skip
    report = check(system)
    assert report.terminates and report.complete  # each rule shortens
    start = word(data, 3, 7, x)
    seen, queue, ends = {start}, [start], set()
    for term in queue:
        steps = [step.after for step in every_step(system.rules, term)]
        if not steps:
            ends.add(term)
        queue += [made for made in dict.fromkeys(steps) if made not in seen]
        seen |= set(steps)
    if report.ok:
        assert len(ends) == 1
    for found in report.pairs:
        _replay(found, system)


# -- the library's own -----------------------------------------------------------------------


def test_shrinking() -> None:
    """The laws of cleanup end, by weights and signs; they are not confluent without folding.

    -1*1 becomes -1 or -(1), and a sign meets a difference in two ways: x + -(y - z).
    """
    report = check(SHRINKING)
    assert report.terminates and report.complete and not report.loops and not report.undecided
    peaks = {str(found.peak) for found in report.pairs}
    assert {"-1*1", "x + -(y - z)"} <= peaks
    assert report.joined > 100


@pytest.mark.parametrize(
    ("name", "loops"), [("commutativity", 2), ("subtraction", 1), ("doubling", 1)]
)
def test_growing_groups_loop(name: str, loops: int) -> None:
    group = next(group for group in ALL if group.name == name)
    report = check(group)
    assert report.terminates is False and len(report.loops) == loops
