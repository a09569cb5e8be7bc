"""What is done to large programs in whole columns gives what small ones get node by node."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rewrite as rw
from codegen.cost import cycles
from rewrite import cost, dag
from rewrite.dag import Dag
from rewrite.store import Store
from rewrite.term import Term, symbols_at


def node_by_node(program: Dag, model: Any) -> float:
    constant = cost.constant_positions(program)
    free = cost._free_negations(program)
    return sum(
        cost._price(program, at, model)
        for at, (_, args) in enumerate(program.rows())
        if args and not constant[at] and not free[at]
    )


leaves = st.sampled_from(["x", "y", "z", 1, 2, 3, -1, 0.5, 2.25])
terms = st.recursive(
    leaves.map(lambda v: rw.symbol(v) if isinstance(v, str) else rw.const(v)),
    lambda below: st.one_of(
        st.tuples(st.sampled_from(["add", "sub", "mul", "div", "pow"]), below, below),
        st.tuples(st.sampled_from(["fma", "add", "mul"]), below, below, below),
        st.tuples(st.just("add"), below, below, below, below),
        st.tuples(st.sampled_from(["neg", "sin"]), below),
    ).map(lambda row: rw.apply(*row)),
    max_leaves=25,
)


@given(st.lists(terms, min_size=1, max_size=4))
def test_costs(some: list[Term]) -> None:
    program = Dag.of(some[0].store, [term.id for term in some])
    model = cycles("zen4-avx512")
    assert cost.dag_cost(program, model) == pytest.approx(node_by_node(program, model), rel=1e-15)


@given(st.lists(terms, min_size=1, max_size=4))
def test_constants(some: list[Term]) -> None:
    program = Dag.of(some[0].store, [term.id for term in some])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost, "SMALL", 0)
        found = cost.constant_positions(program)
    assert found == cost.constant_positions(program)


def test_symbols() -> None:
    many = rw.symbols(" ".join(f"s{k}" for k in range(100)))
    some = [*many, many[0] + 1, rw.const(2), *rw.pattern_vars("a b")]
    assert symbols_at(some) == [term.symbol for term in some]


def test_large_programs_are_taken_again(monkeypatch: Any) -> None:
    monkeypatch.setattr(dag, "SMALL", 4)
    with rw.scope():
        x, y = rw.symbols("x y")
        store = x.store
        roots = [(x * y + rw.sin(x) / y).id, (x - y).id]
        first = Dag.of(store, roots)
        assert Dag.of(store, roots) is first
        assert Dag.of(store, roots[:1]) is not first
        assert Dag.of(store, roots[::-1]).roots != first.roots
        del first
        assert len(Dag.of(store, roots)) == 7
    assert Store().recent is None


def test_nothing_costs_nothing() -> None:
    assert cost.dag_cost(Dag.of(Store(), []), cycles("zen4-avx512")) == 0
