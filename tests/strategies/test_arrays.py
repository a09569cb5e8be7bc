"""Strategies on arrays of terms: each element becomes what the strategy makes of it alone."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite import ops
from rewrite.array import TermArray
from rewrite.cost import Gowda2021
from rewrite.errors import StrategyError
from rewrite.store import Store, Symbol
from rewrite.term import Term
from strategies import bottomup, choice, innermost, named, not_, oncetd, saturate, seq, try_
from strategies.normal import SHRINKING, cleanup

(a,) = rw.pattern_vars("a")
NEGATIONS = SHRINKING["neg-neg"]
PLANS = [
    innermost(SHRINKING), bottomup(try_(SHRINKING)), cleanup(), rw.normalize(), rw.expand(),
    innermost(SHRINKING) >> rw.normalize() >> bottomup(try_(NEGATIONS)),
    named("tidy", innermost(SHRINKING)), try_(oncetd(NEGATIONS)), choice(NEGATIONS, rw.fold),
    oncetd(NEGATIONS), not_(NEGATIONS), seq(), rw.factor_terms(), rw.collect(rw.symbol("x")),
]  # fmt: skip


def array(rng: random.Random, store: Store, size: int) -> TermArray:
    """Draw terms that share what is below them."""
    pool = [store.symbol(Symbol(name)) for name in "xyz"]
    pool += [store.constant(value) for value in (0, 1, 2, -1)]
    rows = (ops.ADD, ops.SUB, ops.MUL, ops.NEG, ops.NEG, ops.SIN)
    for _ in range(4 * size):
        row = rng.choice(rows)
        count = 1 if row.arity == 1 else 2
        pool.append(store.make((row.code, *[rng.choice(pool[-12:]) for _ in range(count)])))
    return TermArray(store, np.array(rng.choices(pool, k=2 * size), np.int32).reshape(2, size))


@pytest.mark.parametrize("plan", PLANS, ids=str)
@settings(max_examples=25, deadline=None)
@given(rng=st.randoms(use_true_random=False), size=st.integers(1, 9))
def test_each_element_is_rewritten_as_it_is_alone(plan: Any, rng: random.Random, size: int) -> None:
    terms = array(rng, Store(), size)
    wanted = [plan(term) for term in terms.ravel().terms()]
    made = plan(terms)
    if any(one is None for one in wanted):
        assert made is None
    else:
        assert made.shape == terms.shape
        assert made.ravel().terms() == wanted


def test_the_terms_of_an_array_are_saturated_together() -> None:
    x, y = rw.symbols("x y")
    sums = rw.asarray([[x * y + x * 3, x - x]])
    made = saturate(SHRINKING, Gowda2021())(sums)
    assert made.shape == (1, 2) and made[0, 1] == rw.const(0)
    assert saturate(SHRINKING, Gowda2021())(rw.asarray([x, y])) is None


def test_arrays_without_elements_and_without_dimensions() -> None:
    plan, x = innermost(SHRINKING), rw.symbol("x")
    empty = TermArray(x.store, np.empty((0, 3), np.int32))
    assert plan(empty).shape == (0, 3)
    assert plan(rw.asarray(x * 1)).item() == x


def test_what_is_no_term_is_named() -> None:
    with pytest.raises(StrategyError, match="must return a Term or None"):
        innermost(lambda term: 3)(rw.asarray(rw.symbols("x y")))


def test_a_million_elements_take_one_pass() -> None:
    store = Store()
    x = Term(store, store.symbol(Symbol("x")))
    indices = rw.asarray([Term(store, store.constant(k)) for k in range(1000)], store)
    made = innermost(SHRINKING)((indices[:, None] * x) * 1 + indices[None, :] * 0 * x)
    assert made.shape == (1000, 1000)
    assert len(set(made.ids.ravel().tolist())) == 1000
