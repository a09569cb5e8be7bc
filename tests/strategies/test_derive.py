"""Explanations: found for what laws make equal, replayed, refused when altered, never for more."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

import rewrite as rw
from rewrite.dag import Dag
from rewrite.egraph.explanation import Assumption, Because, Explanation, Meeting
from rewrite.egraph.plain import plain, put
from rewrite.errors import ArgumentError, ExplanationError, SortError
from rewrite.fastmath import FastMath
from rewrite.matching import apply_rule
from rewrite.rule import Rule
from rewrite.rules import SIMPLIFY
from rewrite.store import Store
from rewrite.term import Term
from strategies import derive

x, y, z = rw.symbols("x y z")
p = rw.symbol("p", low=1, high=5)
QUICK = rw.Limits(iterations=4, seconds=2.0)
GUARDED = SIMPLIFY.allowed(FastMath.GUARDED)


# -- what is explained -----------------------------------------------------------------------

PAIRS = [
    (x * y + x * z, x * (y + z)),
    (x - y * z, rw.fma(-y, z, x)),
    (x * y - z, rw.fma(x, y, -z)),
    (-(x * y) - z, rw.fma(-x, y, -z)),
    (x * (2.0 * y) * 0.5, y * x),
    (rw.apply("add", x, y, z, x * 0), rw.apply("add", z, y, x)),
    (rw.sin(x) ** 2 * y + rw.cos(x) ** 2 * y, y),
    (rw.where(x > 0, y * 1, z + 0), rw.where(x > 0, y, z)),
    (rw.exp(rw.log(p) + y), p * rw.exp(y)),
    (x / x + y, 1 + y),
    (rw.sqrt(p * p) / (1 + z), p / (1 + z)),
    (1 / (1 / p + 2), p / (1 + 2 * p)),
    (rw.const(2) ** 10 * x + rw.const(1) / 3 * 3, 1024 * x + 1),
]


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=[repr(s) for s, _ in PAIRS])
def test_equal_terms_are_derived(source: Term, target: Term) -> None:
    found = rw.explain(source, target)
    assert found.explained, found
    found.check()
    assert plain(source.store, found[0].before) == plain(source.store, source)
    assert plain(source.store, found[-1].after) == plain(source.store, target)
    assert all(a.after == b.before for a, b in pairwise(found))


def rewritten(rng: random.Random, term: Term, rules: list[Rule], steps: int) -> Term:
    """Apply random rules at random places, by the classical engine."""
    for _ in range(60):
        if not steps:
            break
        node = Term(term.store, rng.choice(Dag.of(term.store, [term.id]).ids.tolist()))
        made = list(apply_rule(rng.choice(rules), node))
        if made:
            term, steps = term.substitute({node: made[0]}), steps - 1
    return term


def random_term(rng: random.Random, size: int) -> Term:
    made: Any = rng.choice([x, y, p, rw.const(2), rw.const(Fraction(1, 2))])
    if size > 1 and rng.random() < 0.3:
        made = rng.choice([rw.exp, rw.sin, lambda t: -t, rw.abs])(random_term(rng, size - 1))
    elif size > 1:
        left: Any = random_term(rng, size // 2)
        right = random_term(rng, size - 1 - size // 2)
        made = rng.choice([left + right, left - right, left * right, left / p, left * left])
    assert isinstance(made, Term)
    return made


def test_what_rules_make_is_explained_and_replays() -> None:
    """The sources grow by laws read backwards, so that there is something to find."""
    rng = random.Random(7)
    rules = [r for r in GUARDED if r.lhs.op.name in ("add", "sub", "mul", "div", "neg", "pow")]
    growing = [r for r in rw.rules.EXPAND if r.lhs.op.name in ("mul", "div", "sub", "exp")]
    count = explained = 0
    while count < 16:
        source = random_term(rng, rng.randint(4, 8))
        target = rewritten(rng, source, [*rules, *growing], rng.randint(1, 2))
        if target == source:
            continue
        count += 1
        found = rw.explain(source, target, limits=QUICK)
        explained += found.explained
        if found.explained:
            rw.replay(found)
    assert explained >= 15, explained


def test_the_same_call_gives_the_same_steps() -> None:
    def text() -> str:
        u, v = rw.symbols("u v")
        return str(rw.explain((u + v) * (u - v) * u, u * (u * u - v * v)))

    first = text()
    with rw.scope():
        for k in range(50):
            rw.sin(rw.symbol("v")) + rw.symbol(f"q{k}") * k
        assert text() == first and first.startswith(" ")


def test_results_of_optimize_are_derived() -> None:
    best = rw.optimize({"f": x * y + x * z, "g": [x + 0, y * 1.0]})
    found = best.explain()
    found.check()
    assert found.explained and {step.result for step in found} == {0, 1, 2}
    assert "result 1:" in str(found)
    assert best.explain() is found  # made once


def test_laws_of_ones_own() -> None:
    a, b = rw.pattern_vars("a b")
    mine = rw.ruleset("mine", FastMath.REASSOC, ("split", rw.sin(a + b), rw.sin(a) * b))
    found = rw.explain(rw.sin(x + y), rw.sin(x) * y, rules=mine)
    assert [step.name for step in found] == ["split"] and found.rules == tuple(mine)
    found.check()
    with pytest.raises(ExplanationError, match="no rule of the library"):
        rw.replay(replace(found, own=()))


def test_numbers_are_written_as_they_were() -> None:
    found = rw.explain(x * 0.1 + x * 1, (rw.const(0.1) + 1) * x)
    assert found.explained and "0.1" in str(found) and "360287" not in str(found[0])
    same = rw.explain(x * 2.0 + 0.5, x * 2 + Fraction(1, 2))
    assert same.explained and len(same) == 0 and str(same) == "the same, written otherwise"
    assert not rw.explain(x * 0.1, x * Fraction(1, 10), limits=QUICK).explained
    assert not rw.explain(x * -0.0, x * 0, math="strict", limits=QUICK).explained


def test_what_is_assumed_is_listed() -> None:
    found = rw.explain(x * y / x, y)
    assert found.assumptions == (Assumption("nonzero", x),)
    assert "where the value is finite: nonzero(x)" in str(found)
    assert rw.explain(p * y / p, y).assumptions == ()
    assert not rw.explain(x * y / x, y, math=FastMath.REASSOC, limits=QUICK).explained
    several = rw.explain([x * y / x, y], [y, y], limits=QUICK)
    assert not several.explained  # each may be finite where the other is not


def test_conditions_may_rest_on_steps() -> None:
    """What is divided by is known to be nonzero as it was written, and equal to what it is now."""
    source = (x * y + x * z) / (z * x + x * y)
    found = rw.explain(source, rw.const(1))
    assert found.explained and found.assumptions
    found.check()
    resting = [m for step in found for b in step.because for m in b.meetings if m.steps]
    if resting:  # without those steps the condition is about another term
        steps = [
            replace(s, because=tuple(Because(b.condition, tuple(
                Meeting(m.name, m.known) for m in b.meetings)) for b in s.because))
            for s in found
        ]  # fmt: skip
        with pytest.raises(ExplanationError):
            rw.replay(replace(found, steps=tuple(steps)))


def test_parts_are_derived_alone() -> None:
    """Three hundred nodes are out of reach for one search, and easy in parts."""
    symbols = rw.symbols([f"s{k}" for k in range(24)])
    source = target = x
    for k, s in enumerate(symbols):
        before, after = (s * y + s * z, s * (y + z)) if k % 2 else (s - y * z, rw.fma(-y, z, s))
        source, target = rw.sin(source + before), rw.sin(after + target)
    found = rw.explain(source, target)
    assert found.explained and len(found) == 48
    found.check()


def test_deep_terms() -> None:
    source = target = x
    for _ in range(600):
        source, target = rw.sin(source), rw.sin(target)
    found = rw.explain(source * 1, target)
    assert [step.name for step in found] == ["mul-one"]
    deep = rw.explain(source.substitute({x: y + 0}), target.substitute({x: y}))
    assert [step.name for step in deep] == ["add-zero"] and len(deep[0].place) == 600


# -- what is not explained -------------------------------------------------------------------

UNEQUAL = [
    (rw.abs(x), x),
    (rw.sqrt(x * x), x),
    ((x**2) ** Fraction(1, 2), x),
    (x - y, y - x),
    (rw.log(x * x), 2 * rw.log(x)),
    (rw.sin(x), rw.cos(x)),
    (x + y, x * y),
    (x, y),
    (rw.const(1), rw.const(2)),
    (x / (y * 0), x),
    (rw.where(x > 0, y, z), rw.where(x > 0, z, y)),
    (rw.where(x > 0, y / x, x), rw.where(x > 0, y / x, 0 * x)),
]


@pytest.mark.parametrize(("source", "target"), UNEQUAL, ids=[repr(s) for s, _ in UNEQUAL])
def test_other_terms_are_never_derived(source: Term, target: Term) -> None:
    found = rw.explain(source, target, limits=QUICK)
    assert not found.explained and len(found) == 0 and "within the limits" in found.why
    with pytest.raises(ExplanationError, match="no steps"):
        rw.replay(found)
    assert "none" in repr(found)


def test_random_terms_that_differ_are_never_derived() -> None:
    rng = random.Random(3)
    for _ in range(8):
        source = random_term(rng, rng.randint(3, 7))
        other = rewritten(rng, source, list(GUARDED), 2) + rng.choice([1, x, p])
        assert not rw.explain(source, other, limits=rw.Limits(iterations=2, seconds=1)).explained


def test_bad_arguments() -> None:
    with pytest.raises(ArgumentError, match=r"rw\.const"):
        rw.explain(x * 0, 0)
    with pytest.raises(ArgumentError, match="as many"):
        rw.explain([x, y], [x])
    matrix = rw.symbol("A", sort=rw.MATRIX)
    with pytest.raises(SortError, match="an explanation takes numbers"):
        rw.explain(matrix * matrix, matrix)


def test_limits_are_kept() -> None:
    tight = rw.Limits(iterations=0)
    found = rw.explain(x * y + x * z, x * (y + z), limits=tight)
    assert not found.explained and "0 iterations" in str(found)
    assert not rw.explain(x * 1, x, limits=rw.Limits(seconds=0.0)).explained


# -- what is refused when it is replayed -----------------------------------------------------

SOUND = rw.explain((x * y + x * z) / x * (rw.const(2) * 3), (y + z) * 6)


def altered(number: int, **changes: Any) -> Explanation:
    steps = list(SOUND.steps)
    steps[number] = replace(steps[number], **changes)
    return replace(SOUND, steps=tuple(steps))


def alterations() -> Iterator[tuple[str, Callable[[], Explanation]]]:
    for k, step in enumerate(SOUND):
        yield f"before {k}", lambda k=k: altered(k, before=SOUND[k].before + 1)  # type: ignore[misc]
        yield f"after {k}", lambda k=k: altered(k, after=SOUND[k].after * x)  # type: ignore[misc]
        yield f"place {k}", lambda k=k: altered(k, place=(*SOUND[k].place, 0))  # type: ignore[misc]
        yield f"far {k}", lambda k=k: altered(k, place=(1, 1, 1, 1, 1))  # type: ignore[misc]
        yield f"way {k}", lambda k=k: altered(k, forward=not SOUND[k].forward)  # type: ignore[misc]
        yield (
            f"lost {k}",
            lambda k=k: replace(  # type: ignore[misc]
                SOUND, steps=SOUND.steps[:k] + SOUND.steps[k + 1 :]
            ),
        )
        yield f"result {k}", lambda k=k: altered(k, result=3)  # type: ignore[misc]
        for name, _ in step.instance:
            values = tuple((n, t + 1 if n == name else t) for n, t in step.instance)
            yield f"{name} {k}", lambda k=k, v=values: altered(k, instance=v)  # type: ignore[misc]
            less = tuple((n, t) for n, t in step.instance if n != name)
            yield f"no {name} {k}", lambda k=k, v=less: altered(k, instance=v)  # type: ignore[misc]
        if step.because:
            yield f"reasons {k}", lambda k=k: altered(k, because=())  # type: ignore[misc]
            wrong = tuple(
                Because(b.condition, tuple(Meeting(m.name, p) for m in b.meetings))
                for b in step.because
            )
            yield f"reason {k}", lambda k=k, w=wrong: altered(k, because=w)  # type: ignore[misc]
        if step.rule is None:
            yield f"sum {k}", lambda k=k: altered(k, after=SOUND[k].after + 0)  # type: ignore[misc]
        else:
            fake = replace(step.rule, rhs=step.rule.rhs + 0)
            yield f"rule {k}", lambda k=k, r=fake: altered(k, rule=r)  # type: ignore[misc]
    yield "source", lambda: replace(SOUND, sources=(x * y,))
    yield "target", lambda: replace(SOUND, targets=((y + z) * 7,))
    yield "licence", lambda: replace(SOUND, licence=FastMath.NONE)
    yield "nothing assumed", lambda: replace(SOUND, assumptions=())
    yield (
        "too much assumed",
        lambda: replace(SOUND, assumptions=(*SOUND.assumptions, Assumption("positive", x))),
    )


def test_the_explanation_to_alter_holds() -> None:
    SOUND.check()
    assert SOUND.assumptions and any(step.because for step in SOUND)
    assert any(step.rule is None for step in SOUND)


ALTERATIONS = list(alterations())


@pytest.mark.parametrize("change", [c for _, c in ALTERATIONS], ids=[n for n, _ in ALTERATIONS])
def test_whatever_is_altered_is_refused(change: Callable[[], Explanation]) -> None:
    made = change()
    with pytest.raises(ExplanationError):
        rw.replay(made)


def test_a_step_changes_no_other_place() -> None:
    found = rw.explain(x * 1 + y, x + y)
    (step,) = found
    assert step.place == (0,)
    with pytest.raises(ExplanationError, match=r"changes more than what stands at \(0,\)"):
        rw.replay(replace(found, steps=(replace(step, after=x + z),), targets=(x + z,)))


def test_a_false_law_under_a_true_name_is_refused() -> None:
    rule = SIMPLIFY["mul-one"]
    false = Rule("mul-one", rule.lhs, rule.rhs + 1, licence=rule.licence)
    found = rw.explain(x * 1, x)
    step = replace(found[0], rule=false, after=x + 1)
    with pytest.raises(ExplanationError, match=r"step 1 \(mul-one\).*no rule of the library"):
        rw.replay(replace(found, steps=(step,), targets=(x + 1,)))


def test_what_the_search_finds_is_replayed_before_it_is_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(explanation: Explanation) -> None:
        raise ExplanationError("it is not so")

    monkeypatch.setattr(derive, "replay", wrong)
    found = rw.explain(x * 1, x)
    assert not found.explained and "it is not so" in found.why


# -- how it reads ----------------------------------------------------------------------------


def test_long_terms_show_what_changed() -> None:
    symbols = rw.symbols([f"long_name_{k}" for k in range(12)])
    whole = sum(s * k for k, s in enumerate(symbols, 2))
    found = rw.explain(rw.sin(whole * (x * 1)), rw.sin(whole * x))
    (step,) = found
    assert str(step).endswith("= ...x*1... becomes ...x...")
    assert step.changed == (x * 1, x) and step.place == (0, 1)
    assert put(step.after.store, step.before.id, step.place, step.changed[1].id) == step.after.id


def test_a_sequence_of_steps() -> None:
    found = rw.explain(x * 1 + 0, x)
    assert len(found) == 2 and list(found) == [found[0], found[1]] and found[:1] == (found[0],)
    assert repr(found) == "<Explanation of 2 steps>"
    assert [rule.name for rule in found.rules] == [step.name for step in found]
    back = rw.explain(x, x * 1)
    assert back[0].law() == "mul-one, backwards: ?a -> ?a*1, with ?a = x"


def test_plain_terms() -> None:
    store = Store()
    many = rw.apply("mul", x, 2.0, y)
    assert Term(store, plain(store, many)).sexpr() == "(mul (mul x 2) y)"
    assert Term(store, plain(store, rw.const(-0.0))).value == 0.0
    assert Term(store, plain(store, rw.pi * 1)).sexpr() == "(mul pi 1)"


def test_nothing_without_a_value_comes_out_of_nothing() -> None:
    """0 is log(y)*0 where y is positive: who replaces the one by the other must know that."""
    found = rw.explain(rw.log(y) * 0 + x, x)
    assert [step.name for step in found] and found.explained
    assert not rw.explain(x, x + rw.log(y) * 0, limits=QUICK).explained
    turned = tuple(
        replace(s, before=s.after, after=s.before, forward=not s.forward) for s in found[::-1]
    )
    with pytest.raises(ExplanationError, match=r"backwards.*log\(y\)"):
        rw.replay(replace(found, sources=found.targets, targets=found.sources, steps=turned))
    assert rw.explain(x, x + rw.log(p) * 0).explained
