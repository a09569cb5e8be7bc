# ruff: noqa: B002 (a double negation of terms is meant)
"""Rules that no table of two terms can say: sequences, computed sides, conditions in Python."""

import math
from typing import Any

import pytest

import rewrite as rw
from rewrite import rulecheck
from rewrite.conditions import atom, literal, nonneg, nonzero, positive, symbolic
from rewrite.cost import Gowda2021
from rewrite.errors import PatternError
from rewrite.fastmath import FastMath
from rewrite.matching import apply_rule, instantiate, match
from rewrite.rule import Rule, ruleset
from rewrite.sequences import instances
from rewrite.sorts import BOOL
from rewrite.term import Term, apply, const
from strategies import bottomup, innermost, saturate, try_

a, b, c = rw.pattern_vars("a b c")
xs, ys = rw.rest("xs"), rw.rest("ys")
x, y, z = rw.symbols("x y z")
REASSOC = FastMath.REASSOC


def first(rule: Rule, term: Any) -> Any:
    return next(apply_rule(rule, term), None)


# -- sequence variables ----------------------------------------------------------------------


def test_a_sequence_is_what_is_left() -> None:
    term = apply("add", x, rw.sin(y), z)
    assert list(match(rw.sin(a) + xs, term)) == [{"a": y, "xs": (x, z)}]
    assert list(match(x + xs, x + y)) == [{"xs": (y,)}]
    assert list(match(rw.sin(a) + xs, x + y)) == []
    pairs = [(one["a"], one["xs"]) for one in match(a + xs, apply("add", x, y, x))]
    assert ((x + y) + x, ()) not in pairs and (x, (y, x)) in pairs and (y, (x, x)) in pairs
    assert str(rw.sin(a) + xs) == "sin(?a) + ?xs..." and xs.sexpr() == "?xs..."


def test_two_sequences_share_what_is_left() -> None:
    found = list(match(apply("add", x, xs, ys), apply("add", x, y, z)))
    assert [(one["xs"], one["ys"]) for one in found] == [
        ((y, z), ()), ((), (y, z)), ((y,), (z,)), ((z,), (y,)),
    ]  # fmt: skip
    twice = rw.sin(x + xs) * rw.cos(y + xs)
    assert list(match(twice, rw.cos(y + z) * rw.sin(z + x))) == [{"xs": (z,)}]
    assert list(match(twice, rw.cos(y + z) * rw.sin(y + x))) == []
    assert next(match(apply("add", xs, xs), apply("add", x, y, x, y))) == {"xs": (x, y)}


def test_sequences_keep_their_order_without_a_licence() -> None:
    rule = Rule("zero-first", apply("add", 0, xs), apply("add", -0.0, xs))
    assert first(rule, apply("add", 0, x, y)) == apply("add", -0.0, x, y)
    assert first(rule, apply("add", x, 0, y)) is None
    found = list(match(apply("add", xs, x, ys), apply("add", y, x, x), flat=False))
    assert found == [{"xs": (y,), "ys": (x,)}, {"xs": (y, x), "ys": ()}]


def test_sequences_are_spliced_in() -> None:
    move = Rule("square-out", rw.sqrt(a * a * xs), rw.abs(a) * rw.sqrt(1 * xs), licence=REASSOC)
    assert first(move, rw.sqrt(apply("mul", x, y, x, z))) == rw.abs(x) * rw.sqrt(
        apply("mul", 1, y, z)
    )
    drop = Rule("drop-zero", 0 + xs, xs + xs, licence=REASSOC)
    assert first(drop, x + 0) == x + x
    gone = Rule("gone", rw.sin(0 * xs), rw.sin(apply("mul", xs, xs)), licence=REASSOC)
    assert list(apply_rule(gone, rw.sin(x))) == []
    lower = Rule("lower", rw.minimum(a, rw.minimum(a, xs)), rw.minimum(a, xs), licence=REASSOC)
    assert first(lower, rw.minimum(rw.minimum(x, y), x)) == rw.minimum(x, y)
    assert first(lower, rw.minimum(x, x)) == x


def test_a_sequence_of_none_is_the_identity() -> None:
    for op, value in (("add", 0), ("mul", 1)):
        pattern = apply(op, xs, ys)
        assert instantiate(pattern, {"xs": (), "ys": ()}, x.store) == const(value)
        assert instantiate(pattern, {"xs": (x,), "ys": ()}, x.store) == x
    ps = rw.rest("ps", sort=BOOL)
    truth = instantiate(apply("and", ps, ps), {"ps": ()}, x.store)
    assert truth == const(True)


def test_conditions_speak_of_each_term_of_a_sequence() -> None:
    p, q = rw.symbol("p", low=1), rw.symbol("q", low=2)
    rule = Rule("abs-of-product", abs(a * xs), abs(a) * (1 * xs), (positive(xs),), REASSOC)
    made = list(apply_rule(rule, abs(apply("mul", p, x, q))))
    assert abs(x) * apply("mul", 1, p, q) in made and abs(p) * apply("mul", 1, x, q) not in made
    assert list(apply_rule(rule, abs(x * y))) == [abs(x * y) * 1]  # of none, each is positive
    constants = Rule("constants", rw.sin(a + xs), rw.cos(a), (literal(xs),), REASSOC)
    assert rw.cos(x) in list(apply_rule(constants, rw.sin(apply("add", 1, x, 2))))


@pytest.mark.parametrize(
    ("lhs", "rhs", "message"),
    [
        (rw.sin(xs), rw.const(1),
         r"'bad': the left side sin\(\?xs\.\.\.\) .*under sin, which is not assoc"),
        (a - xs, a, "under sub, which is not associative"),
        (a + xs, rw.exp(xs), r"the right side exp\(\?xs\.\.\.\) .*under exp"),
        (a + xs, xs, "right side .*stands alone"),
        (rw.minimum(a, xs), rw.minimum(xs, xs), "nothing else under minimum: of no arguments"),
        (a + xs, a + ys, r"the right side has the variable ys, which the left side \?a \+ \?xs"),
        (a + xs, rw.pattern_vars("xs")[0] + a, "a term in one place and a sequence in another"),
    ],
    ids=str,
)  # fmt: skip
def test_misplaced_sequences(lhs: Term, rhs: Term, message: str) -> None:
    with pytest.raises(PatternError, match=message):
        Rule("bad", lhs, rhs)


def test_conditions_take_a_sequence_alone() -> None:
    with pytest.raises(PatternError, match=r"nonzero\(\?a \+ \?xs\.\.\.\) has a sequence variable"):
        Rule("bad", a + xs, a, (nonzero(a + xs),))


def test_rules_of_sequences_are_checked_as_laws() -> None:
    good = Rule("even", rw.cos(-a * xs), rw.cos(a * xs), licence=REASSOC)
    laws = list(instances(good))
    assert len(laws) == 3 and all(rulecheck.real(law, 500).holds for law in laws)
    bad = Rule("odd", rw.sin(-a * xs), rw.sin(a * xs), licence=REASSOC)
    assert not all(rulecheck.real(law, 500).holds for law in instances(bad))
    moved = Rule("moved", apply("add", a, b, xs), apply("add", xs, b, a))
    assert any(rulecheck.unlicensed(law) for law in instances(moved))
    with pytest.raises(PatternError, match=r"rule even: .* is no law between two terms"):
        rulecheck.real(good)


# -- computed sides and conditions -----------------------------------------------------------


def product_of(*terms: Any) -> Any:
    return math.prod(term.value for term in terms)


def wrong(term: Any) -> Any:
    return [term]


def none(term: Any) -> None:
    return None


@rw.predicate
def small(term: Any) -> bool:
    return bool(term.node_count() < 3)


PRODUCT = Rule(
    "product", a * b, rw.compute(product_of, a, b), (literal(a), literal(b)), REASSOC
)  # fmt: skip


def test_a_right_side_computes() -> None:
    assert first(PRODUCT, const(6) * 7) == const(42)
    assert first(PRODUCT, apply("mul", 6, x, 7, y)) == apply("mul", 42, x, y)
    assert first(PRODUCT, apply("mul", 6, x, y)) is None
    assert innermost(PRODUCT)(rw.sin(apply("mul", 2, x, 3) * 4)) == rw.sin(apply("mul", 24, x))
    assert str(PRODUCT) == "product: ?a*?b -> product_of(?a, ?b) if literal(?a), literal(?b)"
    wide = apply("mul", *rw.symbols(" ".join(f"w{k}" for k in range(60))))
    assert first(PRODUCT, wide) is None  # conditions on leaves spare the subsets


def test_none_asks_for_the_next_match() -> None:
    def halved(term: Any) -> Any:
        return term.args[0] if term.op is rw.ops.NEG else None

    rule = Rule("half", a * b, rw.compute(halved, a), licence=REASSOC)
    assert list(apply_rule(rule, x * -y)) == [y]
    assert list(apply_rule(Rule("none", -a, rw.compute(none, a)), -x)) == []


def test_functions_of_sequences() -> None:
    def count(*parts: Any) -> int:
        return len(parts[0])

    rule = Rule("count", rw.sin(x + xs), rw.compute(count, xs), licence=REASSOC)
    assert first(rule, rw.sin(apply("add", y, x, z))) == const(2)


def test_what_a_function_makes_is_checked() -> None:
    with pytest.raises(
        PatternError, match=r"rule wrong: -\?a -> wrong\(\?a\): wrong made \[x\] of x"
    ):
        first(Rule("wrong", -a, rw.compute(wrong, a)), -x)

    def truth(term: Any) -> bool:
        return True

    with pytest.raises(PatternError, match="made True, a truth value, where a number is wanted"):
        first(Rule("truth", -a, rw.compute(truth, a)), -x)
    with pytest.raises(PatternError, match="none answered None about x"):
        first(Rule("vague", -a, a, (rw.predicate(none)(a),)), -x)


def test_conditions_in_python() -> None:
    rule = Rule("neg-out", a * -b, -(a * b), (small(a),), REASSOC)
    assert first(rule, x * -y) == -(x * y)
    assert first(rule, (x + y) * -y) is None
    assert str(rule).endswith("if small(?a)")
    unnamed: Any = lambda t: True  # noqa: E731
    for make in (rw.predicate, lambda f: rw.compute(f, a)):
        with pytest.raises(PatternError, match="is a function with a name"):
            make(unnamed)
    with pytest.raises(PatternError, match="small speaks of no variable"):
        small()


def test_variables_of_functions_are_bound() -> None:
    with pytest.raises(PatternError, match="rule 'r': the right side has the variable c"):
        Rule("r", a + b, rw.compute(product_of, a, c))
    with pytest.raises(PatternError, match=r"the small\(\?c\) has the variable c"):
        Rule("r", a + b, a, (small(c),))
    with pytest.raises(PatternError, match="speaks of a variable alone"):
        literal(a + b)


def test_conditions_on_how_a_term_is_written() -> None:
    front = Rule("front", b * a, a * b, (literal(a), symbolic(b)))
    assert first(front, x * 2) == 2 * x and first(front, const(2) * 3) is None
    leaf = Rule("leaf", rw.sin(a), a, (atom(a),))
    assert first(leaf, rw.sin(x)) == x and first(leaf, rw.sin(const(1))) == const(1)
    assert first(leaf, rw.sin(x + 1)) is None


def test_other_types_compute_too() -> None:
    def total(one: Any, other: Any) -> Any:
        return int(one) + int(other)

    rule = Rule("total", a + b, rw.compute(total, a, b), (literal(a), literal(b)), REASSOC)
    assert first(rule, ("add", 1, "u", 2)) == ("add", 3, "u")
    assert first(rule, ("add", "v", "u", 2)) is None
    pair = Rule("pair", rw.sin(a * xs), rw.compute(swapped, a, xs), licence=REASSOC)
    made = list(apply_rule(pair, ("sin", ("mul", "u", "v", "w"))))
    assert ("sub", "u", ("v", "w")) in made and len(made) == 7
    with pytest.raises(PatternError, match="it must return a term, a number or None"):
        first(Rule("wrong", -a, rw.compute(wrong, a)), ("neg", "u"))
    import sympy as sp

    u = sp.Symbol("u")
    with sp.evaluate(False):
        made = first(rule, sp.Add(sp.Integer(1), u, sp.Integer(2)))
    assert sp.simplify(made) == u + 3 and len(made.args) == 2


def swapped(one: Any, others: Any) -> Any:
    return ("sub", one, others)


def test_the_e_graph_leaves_them_out_and_says_so() -> None:
    rules = ruleset(
        "mixed", REASSOC, ("neg-neg", -(-a), a), ("sum", a + xs, xs + a),
        ("times", a * b, rw.compute(product_of, a, b), (literal(a), literal(b))),
        ("if-small", a + b, b + a, small(a)), ("to-front", a * b, b * a, literal(b)),
    )  # fmt: skip
    assert [rule.symbolic for rule in rules] == [True, False, False, False, False]
    best, report = saturate(rules, Gowda2021()).roots([-(-(x * 2))])
    assert best == [x * 2]
    assert any("sum, times, if-small, to-front" in note for note in report.notes)
    assert bottomup(try_(rules["sum"]))(x) == x
    assert nonneg(a).about_numbers
