"""Matching modulo associativity and commutativity, against a matcher that tries everything."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
import rewrite.machine.run  # so that small terms run compiled too
from rewrite import matcher, ops
from rewrite.conditions import nonzero
from rewrite.errors import MatchingWarning, PatternError
from rewrite.fastmath import FastMath
from rewrite.matching import apply_rule, match
from rewrite.pattern import WIDEST
from rewrite.rule import Rule, variables
from rewrite.sorts import BOOL, MATRIX
from rewrite.term import Term, apply
from strategies import innermost

a, b, c = rw.pattern_vars("a b c")
x, y, z, u, v = SYMBOLS = rw.symbols("x y z u v")
REASSOC = FastMath.REASSOC


# -- everything is tried ---------------------------------------------------------------------


def canonical(term: Term) -> Any:
    """Write a term so that terms equal modulo regrouping and reordering are written alike."""
    if not term.args:
        return (term.op.name, repr(term))
    parts = [canonical(arg) for arg in term.args]
    if term.op.associative:
        parts = [q for p in parts for q in (p[1] if p[0] == term.op.name else [p])]
    if term.op.commutative:
        parts.sort(key=repr)
    return (term.op.name, tuple(parts))


def flat_args(term: Term) -> list[Term]:
    parts = [flat_args(arg) if arg.op is term.op else [arg] for arg in term.args]
    return [one for part in parts for one in part]


def candidates(term: Term) -> Iterator[Term]:
    """Yield whatever a variable could stand for: subterms, and parts of sums and products."""
    yield term
    args = flat_args(term) if term.op.associative else list(term.args)
    if term.op.associative:
        for size in range(2, len(args)):
            for some in itertools.combinations(args, size):
                if term.op.arity < 0:
                    yield apply(term.op, *some)
                else:
                    yield apply(term.op, some[0], some[1])
    for arg in args:
        yield from candidates(arg)


def every(pattern: Term, term: Term) -> set[Any]:
    names = variables(pattern)
    known = {canonical(one): one for one in candidates(term)}
    wanted = canonical(term)
    found = set()
    for choice in itertools.product(known, repeat=len(names)):
        made = filled(pattern, dict(zip(names, choice, strict=True)))
        if made == wanted:
            found.add(tuple(sorted(zip(names, choice, strict=True))))
    return found


def filled(pattern: Term, chosen: dict[str, Any]) -> Any:
    if pattern.op is ops.PVAR:
        assert pattern.symbol is not None
        return chosen[pattern.symbol.name]
    if not pattern.args:
        return (pattern.op.name, repr(pattern))
    parts = [filled(arg, chosen) for arg in pattern.args]
    if pattern.op.associative:
        parts = [q for p in parts for q in (p[1] if p[0] == pattern.op.name else [p])]
    if pattern.op.commutative:
        parts.sort(key=repr)
    return (pattern.op.name, tuple(parts))


def found(pattern: Term, term: Any) -> list[Any]:
    return [
        tuple(sorted((name, canonical(value)) for name, value in one.items()))
        for one in match(pattern, term)
    ]


PATTERNS = [
    a + b, a + a, a + b + c, a + a + b, a * b + c, a * b + a * c, a * b + b, a * a + b,
    rw.sin(a) + b, rw.sin(a) + rw.sin(b), rw.sin(a) + a, rw.sin(a * b) + a, rw.sin(a + b) * a,
    x + a, (a + b) * (a + c), rw.sin(a) * rw.cos(b) + rw.cos(a) * rw.sin(b),
]  # fmt: skip
LEAVES = st.sampled_from([x, y, z])
INNER = st.one_of(
    LEAVES, LEAVES.map(rw.sin), LEAVES.map(rw.cos),
    st.lists(LEAVES, min_size=2, max_size=3).map(lambda p: apply("mul", *sorted(p, key=repr))),
    st.tuples(LEAVES, LEAVES).map(lambda p: rw.sin(p[0] * p[1])),
)  # fmt: skip


@st.composite
def grouped(draw: st.DrawFn, op: str, args: list[Term]) -> Term:
    """Nest arguments in any way."""
    while len(args) > 1:
        at = draw(st.integers(0, len(args) - 2))
        size = draw(st.integers(2, len(args) - at))
        args = [*args[:at], apply(op, *args[at : at + size]), *args[at + size :]]
    return args[0]


@st.composite
def subjects(draw: st.DrawFn) -> tuple[Term, Term]:
    """Draw one sum or product written in two ways."""
    op = draw(st.sampled_from(["add", "add", "mul"]))
    parts = INNER if op == "add" else st.one_of(LEAVES, st.just(x + y), LEAVES.map(rw.sin))
    args = draw(st.lists(parts, min_size=2, max_size=4))
    other = draw(st.permutations(args))
    return draw(grouped(op, args)), draw(grouped(op, other))


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
@given(pair=subjects())
def test_every_match_is_found_once_whatever_the_order(
    pattern: Term, pair: tuple[Term, Term]
) -> None:
    wanted = every(pattern, pair[0])
    for term in pair:
        made = found(pattern, term)
        assert len(list(match(pattern, term))) == len({repr(m) for m in match(pattern, term)})
        assert set(made) == wanted


@given(args=st.lists(st.sampled_from([x, y, rw.sin(x), rw.sin(y)]), min_size=2, max_size=5),
       data=st.data())  # fmt: skip
def test_five_arguments(args: list[Term], data: st.DataObject) -> None:
    term = data.draw(grouped("add", args))
    for pattern in (a + b, rw.sin(a) + b, a + a + b, rw.sin(a) + a + b):
        made = found(pattern, term)
        assert Counter(made) == Counter(every(pattern, term))


def test_tuples_and_sympy_have_the_same_matches() -> None:
    import sympy as sp

    term = apply("add", x * y, rw.sin(x), z * y)
    tuples = ("add", ("mul", "x", "y"), ("add", ("sin", "x"), ("mul", "z", "y")))
    p, q, r = sp.symbols("x y z")
    with sp.evaluate(False):
        theirs = sp.Add(sp.Mul(p, q), sp.sin(p), sp.Mul(r, q))
    pattern = a * b + a * c + rw.sin(b)
    (ours,) = match(pattern, term)
    assert ours == {"a": y, "b": x, "c": z}
    assert list(match(pattern, tuples)) == [{"a": "y", "b": "x", "c": "z"}]
    assert [{k: str(w) for k, w in one.items()} for one in match(pattern, theirs)] == [
        {"a": "y", "b": "x", "c": "z"}
    ]
    assert len(list(match(a + b, ("add", "x", "x", ("add", "y", "x"))))) == len(
        list(match(a + b, apply("add", x, x, y + x)))
    )


# -- what users of other systems suffer ------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.product([0, 1], repeat=3)))
def test_factoring_in_every_order(order: tuple[int, ...]) -> None:
    """SymbolicUtils.jl issue 837: ab + ac was factored, ba + bc was not."""
    factor = Rule("factor", a * b + a * c, a * (b + c), licence=REASSOC)
    for one, two, common in itertools.permutations([x, y, z]):
        left = one * common if order[0] else common * one
        right = two * common if order[1] else common * two
        made = next(apply_rule(factor, left + right if order[2] else right + left))
        assert canonical(made) == canonical(common * (one + two))


def test_a_condition_that_fails_tries_the_next_match() -> None:
    """SymbolicUtils.jl issue 776: only the first match was tried."""

    def eight(m: Term, n: Term) -> bool:
        return bool(m.value is not None and n.value is not None and m.value**n.value == 8)  # type: ignore[operator]

    m, n = rw.pattern_vars("m n")
    rule = Rule("powers", a**m * b**n, (a + m) * (b + n), (rw.predicate(eight)(m, n),))
    for term in (x**2 * y**3, y**3 * x**2):
        assert list(apply_rule(rule, term)) == [(x + 2) * (y + 3)]
    assert list(apply_rule(rule, x**3 * y**3)) == []


def test_sums_inside_sums_inside_functions() -> None:
    """SymbolicUtils.jl issue 642: reordering was tried at the top alone."""
    one = Rule("one-plus", a + a * b, a * (1 + b), licence=REASSOC)
    for term in (y + x * y, y + y * x, x * y + y, y * x + y):
        assert next(apply_rule(one, term)) == y * (1 + x)
    deep = rw.exp(rw.sin(a + 1) * b)
    for term in (rw.exp(x * rw.sin(1 + y)), rw.exp(rw.sin(y + 1) * x)):
        assert list(match(deep, term)) == [{"a": y, "b": x}]


# -- what a rule leaves beside its result ----------------------------------------------------


def test_what_is_left_stays_in_its_order() -> None:
    cancel = Rule("cancel", a + -a, rw.const(0), licence=REASSOC)
    assert list(apply_rule(cancel, apply("add", x, y, -x, z))) == [apply("add", 0, y, z)]
    assert list(apply_rule(cancel, (x + y) + (z + -y))) == [apply("add", x, 0, z)]
    join = Rule("join", rw.minimum(a, -a), -abs(a), licence=REASSOC)
    term = rw.minimum(rw.minimum(x, y), rw.minimum(-y, z))
    assert list(apply_rule(join, term)) == [rw.minimum(rw.minimum(x, -abs(y)), z)]
    split = Rule("split", rw.sin(a) + b, b + a, licence=REASSOC)
    assert apply("add", x, z, y) in list(apply_rule(split, apply("add", x, rw.sin(y), z)))


def test_truth_values_are_regrouped_without_a_licence() -> None:
    (p,) = rw.pattern_vars("p", sort=BOOL)
    same = Rule("and-self", p & p, p)
    one, two, three = x < 1, y < 1, z < 1
    assert list(apply_rule(same, (one & two) & (three & one))) == [apply("and", one, two, three)]


def test_without_a_licence_a_beginning_is_matched() -> None:
    rule = Rule("add-neg", a + -b, a - b)
    assert list(apply_rule(rule, apply("add", x, -y, z))) == [(x - y) + z]
    assert list(apply_rule(rule, apply("add", x, y, -z))) == [(x + y) - z]
    assert list(apply_rule(rule, apply("add", x, z, -y, u))) == [(x + z - y) + u]
    assert list(apply_rule(Rule("cancel", a + -a, rw.const(0)), x + y + -x)) == []
    assert list(match(a + -a, apply("add", x, y, -x), flat=False)) == []


def test_matrices_keep_their_order() -> None:
    k, m, n = (rw.symbol(name, sort=MATRIX) for name in "KMN")
    p, q = rw.pattern_vars("p q", sort=MATRIX)
    assert list(match(p * q, k * m)) == [{"p": k, "q": m}]
    pairs = [(one["p"], one["q"]) for one in match(p * q, apply("mul", k, m, n))]
    assert pairs == [(k, m * n), (k * m, n)]
    assert list(match(p * q + q * p, k * m + m * k)) != []
    assert list(match(p * p, k * m)) == []
    square = Rule("square", p * p, p, licence=REASSOC)
    assert list(apply_rule(square, apply("mul", k, m, m, n))) == [apply("mul", k, m, n)]
    assert list(apply_rule(square, apply("mul", m, k, m))) == []
    assert {repr(one["a"]) for one in match(a * p, apply("mul", k, x, m))} == {"x"}


# -- size ------------------------------------------------------------------------------------


def test_doubling_ends() -> None:
    term = x
    for _ in range(60):
        term = term + term
    assert next(match(a + a, term))["a"] == term.args[0]
    rule = Rule("double", a + a, 2 * a, licence=REASSOC)
    assert next(apply_rule(rule, term)) == 2 * term.args[0]
    assert list(apply_rule(Rule("cancel", a + -a, rw.const(0), licence=REASSOC), term)) == []


def test_wide_sums_stand_as_they_are() -> None:
    wide = apply("add", *rw.symbols(" ".join(f"w{k}" for k in range(3 * WIDEST))))
    assert list(match(rw.sin(a) + b, wide)) == []
    assert len(list(match(rw.sin(a) + b, rw.sin(x) + wide))) == 1
    assert len(list(match(x + a, x + wide))) == 1
    assert list(apply_rule(Rule("add-neg", a + -b, a - b), wide)) == []
    deep = x
    with rw.scope():
        deep = rw.symbol("x")
        for k in range(20_000):
            deep = deep + rw.const(k)
        assert next(match(a + 19_999, deep))["a"] == deep.args[0]


def test_too_many_ways_are_an_error_of_a_pattern_and_a_warning_of_a_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(matcher, "MOST_TRIES", 1000)
    terms = rw.symbols(" ".join(f"w{k}" for k in range(20)))
    never = Rule("never", rw.exp(a * b), a, (nonzero(a - a),), REASSOC)
    wide = rw.exp(apply("mul", *terms))
    plans: list[Callable[[Term], Any]] = [
        lambda term: next(apply_rule(never, term), None), innermost(never)
    ]  # fmt: skip
    for plan in plans:
        with pytest.warns(MatchingWarning, match=r"1000 ways.*rule never: exp\(.*fewer"):
            assert plan(wide) in (None, wide)
    with pytest.raises(PatternError, match=r"more than 1000 ways were tried.*normalise"):
        list(match(a + b + a + c + c, apply("add", *terms)))
    assert next(match(a + b, apply("add", *terms)))["a"] == terms[0]


PYTHAGORAS = Rule("pythagoras", rw.sin(a) ** 2 + rw.cos(a) ** 2, rw.const(1), licence=REASSOC)
FACTOR = Rule("factor", a * b + a * c, a * (b + c), licence=REASSOC)
MEET = Rule("meet", rw.sin(a) + a * b, a, licence=REASSOC)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(9, 300), data=st.data())
def test_the_one_match_in_a_wide_sum_is_found_wherever_it_stands(
    count: int, data: st.DataObject
) -> None:
    s = rw.symbols([f"w{k}" for k in range(2 * count)])
    one, two = (data.draw(st.integers(0, count - 1)) for _ in range(2))
    factors = [s[2 * k] * s[2 * k + 1] for k in range(count)]
    sines = [rw.sin(w) for w in s[:count]]
    rows = [
        (PYTHAGORAS, [w**2 for w in sines], rw.cos(s[one]) ** 2),
        (FACTOR, factors, s[2 * one] * s[2 * two + 1] if one != two else s[2 * one] * x),
        (MEET, [*sines, *factors[count // 2 + 1 :]], s[one] * x),
    ]
    for rule, parts, last in rows:
        at = data.draw(st.integers(0, len(parts)))
        term = apply("add", *parts[:at], last, *parts[at:])
        assert next(apply_rule(rule, term), None) is not None
        assert innermost(rule)(term) != term
        if rule is not FACTOR:  # a factor too few, and none is found, by either engine
            assert list(apply_rule(rule, apply("add", *parts))) == []
            assert innermost(rule)(apply("add", *parts)) == apply("add", *parts)
    tuples = (
        "add",
        *[("mul", str(2 * k), str(2 * k + 1)) for k in range(count)],
        ("mul", "0", "y"),
    )
    assert next(apply_rule(FACTOR, tuples))[1] == ("mul", "0", ("add", "1", "y"))


def test_parts_are_tried_by_their_size_and_equal_ones_once() -> None:
    def seen(m: Term) -> bool:
        tried.append(len(m.args) or 1)
        return False

    for native in (False, True):
        tried: list[int] = []
        given: Any = rw.predicate(seen)(a) if not native else nonzero(a - a)
        never = Rule("never", rw.exp(a + b), a, (given,), REASSOC)
        terms = rw.symbols([f"w{k}" for k in range(5)])
        assert innermost(never)(rw.exp(apply("add", *terms))) == rw.exp(apply("add", *terms))
        if not native:
            assert tried == sorted(tried) and len(tried) == 2**5 - 2
        same = rw.exp(apply("add", *[x] * 60, *[y] * 60))
        tried.clear()
        assert innermost(never)(same) == same
        assert native or len(tried) == 61 * 61 - 2


def test_what_another_group_lacks_is_not_tried() -> None:
    ones = apply("add", *rw.symbols(" ".join(f"v{k}" for k in range(40))))
    twos = apply("add", *rw.symbols(" ".join(f"w{k}" for k in range(40))))
    assert list(match((a + b) - (a + c), ones - twos)) == []
    assert next(match((a + b) - (a + c), ones - (twos + ones.args[7])))["a"] == ones.args[7]
