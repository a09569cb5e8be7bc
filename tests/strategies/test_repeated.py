"""Large programs that repeat themselves: one cluster of each shape is optimised for all."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite.dag import Dag
from rewrite.fingerprint import fingerprints
from rewrite.repeats.clusters import clusters_of
from rewrite.term import Term
from strategies.windows import repeated
from strategies.windows.values import Values


def shifted(u: Any) -> tuple[Any, Any]:
    return np.concatenate([u[-1:], u[:-1]]), np.concatenate([u[1:], u[:1]])


def heat(u: Any) -> Any:
    left, right = shifted(u)
    return u + 0.1 * (left - 2 * u + right)


def reaction(u: Any) -> Any:
    left, right = shifted(u)
    return 3 * (left + right) - 3 * u * u - u * left + u


def fluxes(u: Any) -> Any:
    flux = np.exp(u) * (u - shifted(u)[0])
    return shifted(flux)[1] - flux


def twice(u: Any) -> Any:
    return heat(reaction(u))


def undefined(u: Any) -> Any:
    value = np.log(u) * u
    left, right = shifted(value)
    return left - value + right / value + value


STENCILS: list[Callable[[Any], Any]] = [heat, reaction, fluxes, twice, undefined]


def traced(f: Callable[[Any], Any], n: int) -> list[Term]:
    return list(rw.trace(f, [(n,)]).result.terms())


def both(terms: list[Term], monkeypatch: Any, math: str) -> tuple[Any, Any]:
    """Optimise as a whole, and shape by shape."""
    found = []
    for large in (1 << 40, 0):
        monkeypatch.setattr(repeated, "LARGE", large)
        found.append(rw.optimize(terms, math=math))
    return found[0], found[1]


@pytest.mark.parametrize("f", STENCILS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("math", ["guarded", "fast", "strict"])
def test_stencils(f: Any, math: str, monkeypatch: Any) -> None:
    with rw.scope():
        terms = traced(f, 64)
        whole, apart = both(terms, monkeypatch, math)
        assert " stand" in str(apart.report) and " stand" not in str(whole.report)
        assert apart.cost_before == whole.cost_before
        assert apart.cost_after <= whole.cost_after * 1.02
        names = sorted({str(symbol) for term in terms for symbol in term.free_symbols})
        points = dict(zip(names, np.random.default_rng(0).uniform(0.5, 2, (64, 5)), strict=True))
        for old, new in zip(terms, apart.terms, strict=True):
            expected, got = rw.evaluate(old, points), rw.evaluate(new, points)
            assert np.allclose(expected, got, rtol=1e-9, atol=1e-9)


def test_repeatable(monkeypatch: Any) -> None:
    monkeypatch.setattr(repeated, "LARGE", 0)
    texts = set()
    for _ in range(2):
        with rw.scope():
            texts.add(str(rw.optimize(traced(reaction, 40)).terms))
    assert len(texts) == 1


def test_a_shape_stands_for_all(monkeypatch: Any) -> None:
    monkeypatch.setattr(repeated, "LARGE", 0)
    with rw.scope():
        found = rw.optimize(traced(heat, 50))
    assert "1 shape stands for 200 of 200 nodes" in str(found.report)


def test_facts_keep_shapes_apart(monkeypatch: Any) -> None:
    """Only where x >= 0 its absolute value is x."""
    monkeypatch.setattr(repeated, "LARGE", 0)
    with rw.scope():
        known = [rw.symbol(f"p{k}", low=0) for k in range(40)]
        other = [rw.symbol(f"q{k}") for k in range(40)]
        terms = [abs(x) * abs(x) + abs(x) for x in (*known, *other)]
        clusters = clusters_of(Dag.of(terms[0].store, [t.id for t in terms]), lambda at: at * 0)
        assert len(set(clusters.like.tolist())) == 2
        found = rw.optimize(terms)
        texts = [str(term) for term in found.terms]
        assert not any("abs" in text for text in texts[:40])
        assert all("abs" in text for text in texts[40:])


def test_facts_of_values_keep_shapes_apart() -> None:
    """What is known of a value that another cluster computes is a part of the shape."""
    x = rw.symbols(" ".join(f"v{k}" for k in range(8)))
    positive, any_ = [rw.exp(a * 1.5 + b) for a, b in pairwise(x)], list(x[:-1])
    some = [a * 2 + rw.sin(a) + a / 3 + rw.cos(a * 5) for a in (*positive, *any_)]
    dag = Dag.of(x[0].store, [t.id for t in (*positive, *some)])
    values = Values(dag)
    classes = values(np.array(dag.roots))
    lows = [values.classes[k][1].low for k in classes.tolist()]
    assert lows[: len(positive)] == [0] * len(positive)
    assert set(lows[len(positive) + len(positive) :]) == {None}


@st.composite
def programs(draw: Any) -> Callable[[list[Term]], list[Term]]:
    """A small program of some leaves, to be repeated over others."""
    steps = draw(
        st.lists(
            st.tuples(st.sampled_from("+-*nse2"), st.integers(0, 9), st.integers(0, 9)),
            min_size=3, max_size=12,
        )
    )  # fmt: skip
    outputs = draw(st.lists(st.integers(0, 9), min_size=1, max_size=3))

    def make(leaves: list[Term]) -> list[Term]:
        nodes = list(leaves)
        for op, i, j in steps:
            a, b = nodes[-1 - i % len(nodes)], nodes[-1 - j % len(nodes)]
            nodes.append(
                {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
                 "n": lambda a, b: -a, "s": lambda a, b: rw.sin(a), "e": lambda a, b: abs(a) + b,
                 "2": lambda a, b: 2 * a}[op](a, b)
            )  # fmt: skip
        return [nodes[-1 - k % len(nodes)] for k in outputs]

    return make


@settings(max_examples=25, deadline=None)
@given(programs(), programs(), st.integers(1, 3))
def test_random_programs(first: Any, second: Any, step: int) -> None:
    with rw.scope(), pytest.MonkeyPatch.context() as patch:
        x = rw.symbols(" ".join(f"x{k}" for k in range(24)))
        middle = [first([x[k], x[(k + step) % 24], x[(k + 5) % 24]])[-1] for k in range(24)]
        terms = [t for k in range(24) for t in second([middle[k], middle[(k + 1) % 24], x[k]])]
        whole, apart = both(terms, patch, "fast")
        assert fingerprints(apart.terms) == fingerprints(terms)
        assert apart.cost_after <= whole.cost_after * 1.02 + 1e-9 or "stand" not in str(
            apart.report
        )


def test_networks_are_left_whole() -> None:
    """Sums of shared products gain more where they are factored together."""
    x = rw.symbols(" ".join(f"x{k}" for k in range(40)))
    rates = [2 * x[k] * x[(7 * k + 1) % 40] for k in range(40)]
    terms = [sum(rates[(k + j) % 40] for j in range(6)) - rates[(3 * k) % 40] for k in range(40)]
    dag = Dag.of(x[0].store, [t.id for t in terms])
    assert not repeated._Parts(clusters_of(dag, Values(dag)), Values(dag)).worthwhile()
    with rw.scope():
        terms = traced(heat, 40)
        dag = Dag.of(terms[0].store, [t.id for t in terms])
        assert repeated._Parts(clusters_of(dag, Values(dag)), Values(dag)).worthwhile()
