"""Congruence closure with reasons, what follows from a finite result, and steps made fewer."""

import math
import random
import time
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite.egraph.assumptions import STATED, Known, implied
from rewrite.egraph.ematch import Snapshot, program_of
from rewrite.egraph.folding import folded
from rewrite.egraph.limits import Limits
from rewrite.egraph.plain import fill, plain, put, subterm
from rewrite.egraph.proofs import Law, Move, Proofs
from rewrite.egraph.prover import Prover
from rewrite.egraph.reorder import inner_first
from rewrite.egraph.shorten import wholes, without_loops
from rewrite.egraph.shortest import Shortest
from rewrite.evaluate import evaluate
from rewrite.fastmath import FastMath
from rewrite.oracle import exact
from rewrite.rule import Rule
from rewrite.rules import EXPAND, SIMPLIFY
from rewrite.sampling import sample_points
from rewrite.store import Store
from rewrite.term import Term
from rewrite.testing import terms

NEVER = math.inf
LIBRARY = {rule.name: rule for rule in (*SIMPLIFY, *EXPAND)}


def ends(store: Store, start: int, moves: Sequence[Move]) -> int:
    """Follow moves, checking that each finds what it replaces."""
    whole = start
    for move in moves:
        assert subterm(store, whole, move.place) == move.source
        whole = put(store, whole, move.place, move.target)
    return whole


def anything(law: Law, forward: bool) -> bool:
    return True


# -- classes and reasons ---------------------------------------------------------------------


def ground(rng: random.Random) -> tuple[Store, list[int]]:
    """Make terms over four constants, two unary ops and one binary one."""
    store = Store()
    names = [rw.symbol(n) for n in "abcd"]
    nodes = [plain(store, t) for t in names]
    for _ in range(30):
        kind = rng.random()
        one, other = rng.choice(nodes), rng.choice(nodes)
        if kind < 0.5:
            nodes.append(store.make((rw.ops.op(rng.choice(["sin", "neg"])).code, one)))
        else:
            nodes.append(store.make((rw.ops.MUL.code, one, other)))
    return store, list(dict.fromkeys(nodes))


def naive(store: Store, nodes: list[int], equations: list[tuple[int, int]]) -> dict[int, int]:
    """Close equations under congruence by trying all pairs until nothing changes."""
    root = {node: node for node in nodes}

    def merge(one: int, other: int) -> bool:
        old, new = root[one], root[other]
        for node in nodes:
            if root[node] == old:
                root[node] = new
        return old != new

    for pair in equations:
        merge(*pair)
    changed = True
    while changed:
        changed = False
        for one in nodes:
            for other in nodes:
                a, b = store.children(one), store.children(other)
                if a and store.code(one) == store.code(other) and len(a) == len(b):
                    if [root[k] for k in a] == [root[k] for k in b]:
                        changed |= merge(one, other)
    return root


@pytest.mark.parametrize("seed", range(25))
def test_classes_are_those_of_naive_closure_and_each_has_its_proof(seed: int) -> None:
    rng = random.Random(seed)
    store, nodes = ground(rng)
    equations = [(rng.choice(nodes), rng.choice(nodes)) for _ in range(rng.randint(1, 8))]
    proofs = Proofs(store)
    late = rng.randint(0, len(nodes))
    for node in nodes[:late]:
        proofs.add(node)
    for pair in equations:
        proofs.join(*pair, Law(None))
    for node in nodes:
        proofs.add(node)
    root = naive(store, nodes, equations)
    short = Shortest(proofs, NEVER, anything)
    given_ = {frozenset(pair) for pair in equations}
    for one in nodes:
        for other in nodes:
            assert proofs.equal(one, other) == (root[one] == root[other])
            if root[one] == root[other]:
                moves, fewer = proofs.moves(one, other), short.moves(one, other)
                assert moves is not None and fewer is not None and len(fewer) <= len(moves)
                for found in (moves, fewer, without_loops(store, one, moves)):
                    assert ends(store, one, found) == other
                    assert all(frozenset((m.source, m.target)) in given_ for m in found)


def test_two_numbers_in_a_class_are_a_conflict() -> None:
    store = Store()
    one, two, x = (plain(store, t) for t in (rw.const(1), rw.const(2), rw.symbol("x")))
    proofs = Proofs(store)
    proofs.join(x, one, Law(None))
    assert not proofs.conflict
    proofs.join(x, two, Law(None))
    assert proofs.conflict


# -- proving ---------------------------------------------------------------------------------

x, y, z = rw.symbols("x y z")


def proved(source: Term, target: Term, *names: str, fold: bool = True) -> list[Move] | None:
    store = Store()
    one, other = plain(store, source), plain(store, target)
    rules = [LIBRARY[name] for name in names]
    prover = Prover(store, rules, fold=fold, granted=implied(store, one))
    if not prover.prove([(one, other)], Limits()):
        return None
    moves = prover.derive(one, other, rules, time.process_time() + 5)
    assert moves is not None and ends(store, one, moves) == other
    return moves


def test_rules_prove_what_they_say_and_no_more() -> None:
    assert proved(x * y + x * z, x * (y + z), "factor-left") is not None
    assert proved(x * y + x * z, x * (z + y), "factor-left") is None
    assert proved(x * (y + z), x * y + x * z, "factor-left") is not None  # from the other side
    assert proved(x * x / x, x, "mul-div-cancel") is not None
    assert proved(rw.sqrt(x) * rw.sqrt(x) + y, x + y, "sqrt-mul-self") is not None
    assert proved(rw.abs(x) + y, x + y, "abs-nonneg") is None


def test_arithmetic() -> None:
    assert proved(x + (rw.const(2) + 3), x + 5) is not None
    assert proved(x + (rw.const(2) + 3), x + 5, fold=False) is None
    assert proved(x + rw.const(2) ** 3 / 3, x + Fraction(8, 3)) is not None
    assert proved(x + rw.const(2) / 0, x, "add-zero") is None


def test_no_step_is_spent_twice() -> None:
    moves = proved(x * y + z, z + y * x, "add-comm", "mul-comm")
    assert moves is not None and len(moves) == 2
    chain = ((x + y) + z) + 1
    many = proved(chain, 1 + (z + (y + x)), "add-comm", "add-assoc-right", "add-assoc-left")
    assert many is not None and len(many) <= 4


@given(st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_inner_steps_may_come_first(rng: random.Random) -> None:
    """The order changes; the places are those of the same laws, and the end is the same."""
    store = Store()
    rules = [LIBRARY[n] for n in ("add-comm", "mul-comm", "mul-distribute", "sub-flip", "neg-neg")]
    whole = start = plain(store, (x - y) * (x * y + z) - (z + x) * -rw.apply("neg", y))
    moves: list[Move] = []
    for _ in range(6):
        options = list(possible(store, whole, rules))
        if options:
            moves.append(rng.choice(options))
            whole = put(store, whole, moves[-1].place, moves[-1].target)
    ordered = inner_first(moves)
    assert sorted(m.law.rule.name for m in ordered if m.law.rule) == sorted(
        m.law.rule.name for m in moves if m.law.rule
    )
    for move in ordered:
        made = [m for m in possible(store, start, rules) if m.place == move.place]
        again = [m for m in made if m.law.rule is move.law.rule]
        assert len(again) == 1
        start = put(store, start, move.place, again[0].target)
    assert start == whole


def possible(store: Store, whole: int, rules: list[Rule]) -> list[Move]:
    proofs = Proofs(store)
    proofs.add(whole)
    found = []
    stack: list[tuple[int, tuple[int, ...]]] = [(whole, ())]
    while stack:
        node, place = stack.pop()
        stack += [(child, (*place, k)) for k, child in enumerate(store.children(node))]
        for rule in rules:
            program = program_of(rule.lhs)
            if program.code == store.code(node):
                for bound in Snapshot(proofs).matches_at(program, [node]):
                    law = Law(rule, tuple(sorted(bound.items())))
                    found.append(Move(law, True, place, node, fill(store, rule.rhs, bound)))
    return found


def test_wholes_and_loops() -> None:
    store = Store()
    one, other = plain(store, x + y), plain(store, y + x)
    law = Law(LIBRARY["add-comm"])
    there, back = Move(law, True, (), one, other), Move(law, True, (), other, one)
    assert wholes(store, one, [there, back]) == [one, other, one]
    assert without_loops(store, one, [there, back]) == []
    assert without_loops(store, one, [there, back, there]) == [there]


# -- arithmetic and facts --------------------------------------------------------------------


@given(
    st.sampled_from(["add", "sub", "mul", "div", "minimum", "maximum"]),
    st.fractions(max_denominator=99),
    st.fractions(max_denominator=99),
)
def test_folding_is_exact(name: str, one: Fraction, other: Fraction) -> None:
    term = rw.apply(name, rw.const(one), rw.const(other))
    value = folded(term.store, term.id)
    if name == "div" and not other:
        assert value is None
    else:
        assert isinstance(value, (int, Fraction))
        assert float(value) == pytest.approx(float(evaluate(term)), rel=1e-12, abs=1e-12)


def test_what_is_not_folded() -> None:
    assert folded(x.store, (x + 1).id) is None
    for odd in (rw.const(2) ** 0.5, rw.const(0) ** 0, rw.const(2) ** 65, rw.sqrt(rw.const(4))):
        assert folded(odd.store, odd.id) is None
    big = rw.const(3) ** 60
    assert folded(big.store, big.id) == 3**60
    inf = rw.const(math.inf) + 1
    assert folded(inf.store, inf.id) is None


@given(terms(max_ops=10))
@settings(max_examples=150, deadline=None)
def test_what_follows_from_a_finite_result_holds(term: Term) -> None:
    store = Store()
    root = plain(store, term)
    facts = implied(store, root)
    points = sample_points(term.free_symbols, 64)
    whole = np.broadcast_to(evaluate(Term(store, root), points), 64)
    if whole.dtype == np.bool_:
        return
    finite = np.isfinite(whole)
    for node, fact in facts.items():
        values = np.broadcast_to(evaluate(Term(store, node), points), 64)[finite]
        tests = {
            "nonzero": values != 0, "positive": values > 0, "negative": values < 0,
            "nonneg": values >= 0, "nonpos": values <= 0, "integer": values == np.floor(values),
        }  # fmt: skip
        for kind, holds in tests.items():
            if getattr(fact, kind):
                assert holds[~np.isnan(values)].all(), (kind, Term(store, node))


@given(terms(max_ops=8))
@settings(max_examples=150, deadline=None)
def test_what_is_defined_has_a_value_everywhere(term: Term) -> None:
    store = Store()
    root = plain(store, term)
    known = Known(store)
    if not known.defined(root) or term.sort == rw.BOOL:
        return
    points = sample_points(term.free_symbols, 32)
    points = {name: np.clip(v, -20, 20) for name, v in points.items()}
    values = np.broadcast_to(evaluate(Term(store, root), points), 32)
    found = exact(Term(store, root), points)
    assert (found.ok | ~np.isnan(values)).all()


def test_definedness() -> None:
    known = Known(x.store)
    low = rw.symbol("low", low=1)
    for term in (x + y, rw.exp(x), rw.sqrt(low), 1 / low, low**x, x**2, rw.log(low), x**3):
        assert known.defined(term.id), term
    for term in (1 / x, rw.sqrt(x), rw.log(x), x**-1, x**0.5, rw.tan(x), x + rw.const(math.inf)):
        assert not known.defined(term.id), term
    given_ = Known(x.store, {x.id: STATED["positive"]})
    assert given_.defined(rw.log(x).id) and given_.fact((x * x).id).positive
    assert FastMath.NONE in FastMath.GUARDED
