"""Fingerprints: equal terms agree whatever their shape, others do not collide."""

import itertools
import math
import os
import pickle
import random
import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite import residues
from rewrite.errors import SortError, UnsupportedOp
from rewrite.fingerprint import distinct, fingerprint, fingerprints
from rewrite.probes import TRUTHS, probes
from rewrite.residues import PRIME, residue
from rewrite.rule import Rule, RuleSet
from rewrite.rulecheck import meets
from rewrite.rules import ALL
from rewrite.rulesample import variables
from rewrite.sorts import BOOL, INT
from rewrite.store import Store, Symbol
from rewrite.term import Term, apply, const, join
from rewrite.testing import terms
from strategies.algebra import apart, cancel, expand, factor, normalize, together
from strategies.core import Strategy, try_

FIELD = ("add", "sub", "mul", "div", "neg", "fma", "pow")
x, y, z = rw.symbols("x y z")
positive = rw.symbol("p", low=0)
n = rw.symbol("n", dtype="int64")
truth = rw.symbol("t", dtype="bool")


def same(one: Any, other: Any) -> bool:
    one, other = (t if isinstance(t, Term) else const(t) for t in (one, other))
    first, second = fingerprints([one, other])
    return first == second


# -- laws ------------------------------------------------------------------------------------

DOMAINS = [(None, None), (0, None), (None, 0), (0.25, 0.75), (1.25, 3), (-0.5, 0.5)]


def given_symbol(hole: Symbol, whole: bool, domain: tuple[float | None, float | None]) -> Term:
    """Return a symbol in place of a variable of a rule."""
    if hole.sort == BOOL:
        return rw.symbol(hole.name, dtype="bool")
    low, high = domain
    if hole.sort == INT or whole:
        low, high = (2, 9) if domain == (1.25, 3) else domain if 0 in domain else (None, None)
        return rw.symbol(hole.name, low=low, high=high, dtype="int64")
    return rw.symbol(hole.name, low=low, high=high)


def instances(rule: Rule, store: Store) -> Any:
    """Yield both sides on symbols whose domains meet the conditions at all probe points."""
    whole = {c.term.symbol.name for c in rule.where if c.kind == "integer" and c.term.symbol}
    names = variables(rule)
    for domains in itertools.islice(itertools.product(DOMAINS, repeat=len(names)), 400):
        known = {
            v.name: given_symbol(v, v.name in whole, domain)
            for v, domain in zip(names, domains, strict=True)
        }

        def put(side: Term, known: dict[str, Term] = known) -> Term:
            side = join(store, side)
            return side.substitute({s: known[s.symbol.name] for s in side.free_symbols if s.symbol})

        at = {
            name: np.array(
                [v if isinstance(v, bool) else float(v) for v in probes(s.symbol, TRUTHS)]
            )
            for name, s in known.items()
            if s.symbol
        }
        values = [rw.evaluate(put(c.term), at) for c in rule.where]
        if all(meets(c.kind, v) for c, v in zip(rule.where, values, strict=True)):
            yield put(rule.lhs), put(rule.rhs)


@pytest.mark.parametrize("group", ALL, ids=lambda group: group.name)
def test_sides_of_every_law_agree(group: RuleSet) -> None:
    for rule in group:
        with rw.scope() as store:
            found = list(itertools.islice(instances(rule, store), 2))
            assert found, f"no domains meet the conditions of {rule!r}"
            for left, right in found:
                assert same(left, right), f"{rule!r} at {left!r}"


ALGEBRA = [expand(), normalize(), factor(), cancel(), together(), apart(x)]


@pytest.mark.parametrize("strategy", ALGEBRA, ids=str)
@given(terms([x, y, n], max_ops=8, ops=("add", "sub", "mul", "neg", "div", "fma")))
@settings(max_examples=40)
def test_algebra_keeps_it(strategy: Strategy, term: Term) -> None:
    made = try_(strategy)(term)
    assert same(term, made), f"{term!r} became {made!r}"


@given(terms([positive, y, n], max_ops=8, ops=("add", "mul", "neg", "sin", "exp", "sqrt", "tanh")))
@settings(max_examples=40)
def test_algebra_keeps_it_around_functions(term: Term) -> None:
    assert same(term, try_(expand())(term))
    assert same(term, try_(normalize())(term))


@given(st.lists(st.sampled_from([x, y, z, n, rw.sin(x), rw.exp(y)]), min_size=2), st.randoms())
@settings(max_examples=50)
def test_order_and_nesting_do_not_matter(parts: list[Term], shuffle: random.Random) -> None:
    for op in ("add", "mul", "minimum"):
        flat = parts[0]
        if op == "minimum":
            for part in parts[1:]:
                flat = apply(op, flat, part)
        else:
            flat = apply(op, *parts)
        pool = list(parts)
        while len(pool) > 1:
            shuffle.shuffle(pool)
            pool.append(apply(op, pool.pop(), pool.pop()))
        assert same(flat, pool[0])


def test_values_that_turn_out_rational() -> None:
    one = rw.sin(x) ** 2 + rw.cos(x) ** 2
    assert same(one, 1)
    assert same(rw.exp(30 * rw.log(positive)), positive**30)
    assert same(rw.exp(-rw.log(positive)), 1 / positive)
    assert same(rw.exp(-30 * rw.log(positive)), positive**-30)
    assert same(rw.sqrt((x + 1) ** 40), (x + 1) ** 20)
    assert same(rw.exp2(const(10**9)), const(2) ** const(10**9))
    assert not same(rw.exp(30 * rw.log(positive)), positive**30 + Fraction(1, 10**60))


def test_what_is_zero_only_by_a_law() -> None:
    one = rw.sin(x) ** 2 + rw.cos(x) ** 2
    assert same(rw.floor(one), 1)
    assert same(rw.asin(one), rw.pi / 2)
    assert same(one <= 1, True)
    assert same(one < 1, False)
    assert same(rw.where(one < 1, x, y), y)
    assert same(rw.sqrt(one - 1), 0)
    assert same(rw.sign(rw.sin(rw.pi)), 0)
    assert same(rw.apply("round", one / 2), 0)
    assert not same(rw.sin(x) * 1e-60, rw.sin(y) * 1e-60)


def test_sorts_of_numbers_do_not_matter() -> None:
    assert same(x / 2, 0.5 * x)
    assert same(x**2, x**2.0)
    assert same(x ** (const(1) + 1), x * x)
    assert same(const(0.1), Fraction(0.1))
    assert not same(const(0.1), Fraction(1, 10))
    assert not same(const(1), const(True))


# -- what differs ----------------------------------------------------------------------------


def test_different_functions_differ() -> None:
    a, b = x * x + y, rw.sin(x)
    pairs: list[tuple[Any, Any]] = [
        (x, y), (x, n), (x, -x), (a, a + 1), (b, rw.cos(x)), (abs(x), x), (abs(x), -x),
        (x < y, x < z), (x < y, y < x), (truth, ~truth), (rw.where(truth, x, y), x),
        (rw.exp(x), rw.exp(x) + Fraction(1, 10**60)), (x**n, x ** (n + 1)),
        (rw.pi * x, rw.e * x), (rw.floor(x), rw.trunc(x)), (rw.minimum(x, y), rw.maximum(x, y)),
        (rw.symbol("x", dtype="int64"), x), (rw.symbol("x", dtype="float32"), x),
    ]  # fmt: skip
    for one, other in pairs:
        assert not same(one, other), f"{one!r} and {other!r}"


@given(terms([x, y, z], max_ops=10, ops=FIELD))
def test_a_changed_leaf_shows(term: Term) -> None:
    points = {"x": 1.5, "y": -2.25, "z": 0.75}
    here = rw.evaluate(term, points)
    for name in "xyz":
        there = rw.evaluate(term, {**points, name: 1.25})
        with np.errstate(invalid="ignore"):  # of two infinities
            differ = abs(here - there) > 1e-6 * abs(here)  # not so of NaNs
        if differ:
            old = rw.symbol(name)
            assert not same(term, term.substitute({old: rw.symbol("fresh")}))
            assert not same(term, term.substitute({old: -old}) + Fraction(1, 10**9))


def test_few_pairs_of_a_search_collide() -> None:
    """Of all polynomials with small coefficients no two are merged."""
    basis = [const(1), x, y, x * x, x * y, y * y]
    made = [
        apply("add", *[c * b for c, b in zip(row, basis, strict=True)])
        for row in itertools.product((-1, 0, 1), repeat=len(basis))
    ]
    assert len(set(fingerprints(made))) == len(made)


# -- domains, and where there is no value ----------------------------------------------------


@given(
    st.sampled_from([None, "float32", "int64", "uint8", "int8"]),
    st.none() | st.floats(-200, 200),
    st.none() | st.floats(0, 1e9),
)
def test_probes_lie_in_the_domain(dtype: str | None, low: float | None, size: float | None) -> None:
    high = None if size is None else (low or 0.0) + size
    least = -math.inf if low is None else low
    most = math.inf if high is None else high
    drawn = probes(Symbol("s", dtype, low, high), TRUTHS)
    if dtype not in (None, "float32"):
        info = np.iinfo(np.dtype(dtype))
        least, most = np.ceil(max(least, info.min)), np.floor(min(most, info.max))
        if least > most:
            return  # no integer lies there
        assert all(value.denominator == 1 for value in drawn)
    assert all(least <= value <= most for value in drawn)


def test_conditional_laws_hold_in_domains() -> None:
    low = rw.symbol("x", low=0)
    inside = rw.symbol("x", low=-1, high=1)
    assert same(abs(low), low)
    assert not same(abs(x), x)
    assert same(rw.sin(rw.asin(inside)), inside)
    assert same(rw.where(inside <= 1, inside, y), inside)
    assert same(rw.log(low) - rw.log(low), 0)


def test_undefined() -> None:
    assert not same(rw.log(x) - rw.log(x), 0)  # at x < 0 only one has a value
    assert not same(1 / (x - x), 2 / (x - x))
    assert same(1 / (x - x) + y, y + 1 / (y - y))
    never = rw.log(-1 - x * x)
    assert same(never * (x + y), y * never + x * never)
    assert not same(never, rw.log(-2 - x * x))
    assert not same(x + float("inf"), x)
    assert same(const(float("nan")) + x, x + const(float("nan")))
    assert same(x**-1, 1 / x)
    assert not same(const(0) ** -1, const(0))
    assert same(rw.minimum(never, rw.hypot(x, y)), rw.minimum(rw.hypot(y, x), never))


def test_undefined_at_some_points() -> None:
    bit = rw.symbol("m", low=0, high=1, dtype="int64")
    one = rw.sin(x) ** 2 + rw.cos(x) ** 2
    assert not same(bit / bit, 1)
    assert same(1 / bit + y, y + 1 / bit)
    assert same(1 / bit + y, y + one / bit)
    assert not same(1 / bit + y, bit + y)
    below, above = rw.log(x) < y, x < 5  # the first has no value where x < 0
    assert same(below & above, ~(~above | ~below))
    assert same(rw.where(above, rw.sqrt(x), y), rw.where(~above, y, rw.sqrt(x)))


def test_what_no_precision_finds_stands_for_itself() -> None:
    tower = x
    for _ in range(6):
        tower = rw.exp(tower * tower + 9)
    assert same(tower * (y + z), z * tower + y * tower)
    assert not same(tower, rw.sin(tower))


# -- large terms, many terms, other processes ------------------------------------------------


@given(terms([x, y, n], max_ops=15, ops=FIELD))
@settings(max_examples=60)
def test_the_compiled_loop_does_the_same(term: Term) -> None:
    bit = rw.symbol("m", low=0, high=1, dtype="int64")
    wanted = [term, term / (x - x) + 1, y + 1 / bit, term**-3, 1 / term, rw.sin(term)]
    plain = fingerprints(wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(residues, "SMALL", 0)
        assert fingerprints(wanted) == plain


def chains(length: int) -> list[Term]:
    """Return a deep quotient, and two ways to write a sum that is a tree of 2**length leaves."""
    deep, shared = x, x
    for i in range(length):
        deep = (deep * y + i) / (z + i)
        shared = shared * shared + y
    return [deep, shared, apply("add", y, shared.args[0])]


def test_deep_and_shared() -> None:
    deep, shared, other = chains(33_000)
    assert deep.node_count() > 100_000
    assert len(set(fingerprints([deep, shared, deep + shared, other]))) == 3
    assert same(deep - deep + x, x)
    deep, shared, other = chains(1000)
    assert len(set(fingerprints([rw.sin(shared), rw.sin(other), rw.sin(deep)]))) == 2


def test_long_sums_of_functions() -> None:
    forward = backward = rw.sin(x)
    parts = [rw.sin(x * k) * y for k in range(1, 300)]
    for part in parts:
        forward = forward + part
    for part in reversed(parts):
        backward = part + backward
    assert same(forward, backward)


def test_many_at_once_and_any_store() -> None:
    wanted = [x + y, rw.sin(x) < y, rw.exp(n), x**3]
    alone = [fingerprint(term) for term in wanted]
    assert fingerprints(wanted) == alone
    with rw.scope() as store:
        rw.symbols("other names first")
        assert fingerprints([join(store, term) for term in wanted]) == alone
        assert fingerprints([join(store, wanted[0]), *wanted]) == [alone[0], *alone]
    assert fingerprints([]) == []


def test_what_is_beside_a_term_does_not_matter() -> None:
    """Terms that need more bits, beside one so large that it cannot have them."""
    large = x
    for _ in range(2000):
        large = rw.sin(large) * y + z
    hard = [rw.exp(40 * rw.log(positive + k)) for k in range(3)]
    made = fingerprints([*hard, large])
    assert made[:3] == fingerprints([(positive + k) ** 40 for k in range(3)])
    assert made[3] == fingerprint(large)


PROGRAM = """
import rewrite as rw
names = {}
x, y = rw.symbols("x y")
n, t = rw.symbol("n", dtype="int64"), rw.symbol("t", dtype="bool")
print(rw.fingerprints([x / y, rw.sin(x), x < y, t, x**n, 1 / (x - x), rw.log(-1 - x * x)]))
"""


def test_other_processes_agree() -> None:
    made = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    here = [x / y, rw.sin(x), x < y, truth, x**n, 1 / (x - x), rw.log(-1 - x * x)]
    assert made == {f"{fingerprints(here)}\n"}


# -- the value -------------------------------------------------------------------------------


def test_a_fingerprint_is_a_value() -> None:
    made = fingerprint(x * y)
    assert repr(made) == str(made)
    assert len(str(made)) == 32
    assert pickle.loads(pickle.dumps(made)) == made
    assert sorted([made, fingerprint(x)]) == sorted([fingerprint(x), made])
    assert rw.fingerprint is fingerprint


def test_distinct() -> None:
    assert distinct([x + y, y + x, x, 2 * x, x + x, rw.sin(-x), -rw.sin(x)]) == [
        x + y, x, 2 * x, rw.sin(-x),
    ]  # fmt: skip
    assert distinct([]) == []


@given(st.fractions())
def test_residues(value: Fraction) -> None:
    assert residue(value) * value.denominator % PRIME == value.numerator % PRIME


def test_a_fraction_whose_divisor_is_the_prime() -> None:
    odd = const(Fraction(1, PRIME))
    assert not same(odd * x, x)
    assert same(odd * x, x * odd)


def test_other_sorts_are_refused() -> None:
    matrix = rw.symbol("M", sort=rw.MATRIX)
    with pytest.raises(SortError, match="matrix"):
        fingerprint(matrix * matrix)
    twice = rw.op("fingerprinted_twice", takes=(rw.REAL,), makes=rw.REAL)
    with pytest.raises(UnsupportedOp, match="fingerprinted_twice"):
        fingerprint(apply(twice, x))
    with pytest.raises(SortError, match="many"):
        fingerprint(rw.rest("many") + rw.pattern_vars("a")[0])
