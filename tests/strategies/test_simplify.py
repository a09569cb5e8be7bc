"""`simplify` by both engines: equal values, nothing larger, the same type, named mistakes."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite import testing
from rewrite.errors import StrategyError
from rewrite.evaluate import evaluate
from rewrite.fastmath import FastMath
from rewrite.term import Term
from strategies.simplify import BACKENDS, SQUARES, TIDY, Size, simplifier, simplify

x, y = rw.symbols("x y")
p = rw.symbol("p", low=1)
KNOWN = [
    ((x + 0) * 1 + (y - y), x),
    (x + y - x, y),
    (rw.sin(x) ** 2 + rw.cos(x) ** 2, rw.const(1)),
    (rw.exp(rw.log(p)) / p, rw.const(1)),
    (rw.logical_not(rw.logical_not(x < y)), x < y),
]


def expression(rng: random.Random, size: int) -> Term:
    """Make a term of about so many nodes over two symbols and small constants."""
    pool = [x, y, *[rw.const(k) for k in (0, 1, 2, 3)]]
    for _ in range(size):
        one, other = (rng.choice(pool[-10:] if rng.random() < 0.7 else pool) for _ in range(2))
        kind = rng.randrange(7)
        pool.append(
            one + other if kind < 2 else one - other if kind == 2 else one * other if kind < 5
            else -one if kind == 5 else rw.sin(one)
        )  # fmt: skip
    made: Term = pool[-1]
    return made


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("term", "wanted"), KNOWN, ids=str)
def test_known_results(backend: str, term: Term, wanted: Term) -> None:
    assert simplify(term, backend=backend) == wanted


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(BACKENDS))
def test_values_are_kept_and_terms_do_not_grow(rng: random.Random, backend: str) -> None:
    term = expression(rng, 15)
    made = simplify(term, backend=backend)
    assert isinstance(made, Term)
    assert made.node_count() <= term.node_count()
    points = {"x": np.linspace(-1.3, 1.1, 23), "y": np.linspace(0.9, -1.2, 23)}
    before, after = (np.broadcast_to(evaluate(each, points), 23) for each in (term, made))
    sound = np.isfinite(before)
    scale = 1 + np.abs(before[sound])
    assert (np.abs(after[sound] - before[sound]) <= 1e-6 * scale).all() or (
        np.abs(before[sound]).max() > 1e6
    )


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_second_time_changes_nothing(rng: random.Random) -> None:
    once = simplify(expression(rng, 15))
    assert simplify(once) == once


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_egraph_is_never_behind(rng: random.Random) -> None:
    term = expression(rng, 15)
    searched = simplify(term, backend="egraph")
    assert searched.node_count() <= simplify(term).node_count()


FOUND_BY_SEARCH = [
    (rw.sin(x) ** 2 * y + rw.cos(x) ** 2 * y, y),
    ((x + y) * p - (p * y + p * x), rw.const(0)),
    (x * y + x * p - (y + p) * x + 1, rw.const(1)),
    (2 * x + 3 * x - 0 * y, 5 * x),
]


@pytest.mark.parametrize(("term", "wanted"), FOUND_BY_SEARCH, ids=str)
def test_the_egraph_finds_what_needs_a_detour(term: Term, wanted: Term) -> None:
    assert simplify(term, backend="egraph") == wanted


def test_of_equals_what_was_written_stays() -> None:
    for term in (y + x, y * x, x * x, x - y):
        assert all(simplify(term, backend=backend) == term for backend in BACKENDS)


def test_its_own_laws_hold() -> None:
    testing.check_laws(SQUARES)


def test_terms_of_other_types_are_rewritten_too() -> None:
    assert simplify(("add", ("mul", "u", 1), ("sub", "v", "v"))) == "u"
    with pytest.raises(StrategyError, match="takes terms of this library, not tuple"):
        simplify(("mul", "u", 1), backend="egraph")


def test_the_licence_decides() -> None:
    assert simplify(x + 0, math="strict") == x + 0
    assert simplify(x * 1, math="strict") == x
    assert simplify(x - x, math=FastMath.NONE) == x - x


def test_mistakes_are_named() -> None:
    with pytest.raises(StrategyError, match="no backend is called 'fast'; choices: classical"):
        simplify(x, backend="fast")
    assert "tidy" in str(simplifier("egraph"))
    assert Size().price((x + y).op, (None, None)) == 1.0
    assert len(TIDY) > 100
