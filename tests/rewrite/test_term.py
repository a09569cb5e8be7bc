"""Terms as numbers: arithmetic, comparison, substitution, pickling, deep and shared terms."""

import copy
import importlib
import math
import operator
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

import rewrite as rw
import strategies
from rewrite.errors import (
    DomainError,
    RewriteError,
    SortError,
    StrategyError,
    TraceError,
    UnsupportedOp,
)
from rewrite.sorts import BOOL, INT, REAL
from rewrite.term import const, join_all, lift

DEEP = 10**6
symbol: Any = rw.symbol  # NumPy and Python are told less about terms than they do with them
x, y = symbol("x"), symbol("y")
p = rw.symbol("p", dtype="bool")
n = rw.symbol("n", dtype="int64")


@pytest.fixture(scope="module")
def deep() -> rw.Term:
    with rw.scope():
        term, step = rw.symbols("x y")
        for _ in range(DEEP // 2):
            term = (term + step) * step
    return term


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (x + y, "(add x y)"), (x - 1, "(sub x 1)"), (2 - x, "(sub 2 x)"), (x * 0.5, "(mul x 0.5)"),
        (1 / x, "(div 1 x)"), (x**2, "(pow x 2)"), (2**x, "(pow 2 x)"), (-x, "(neg x)"),
        (+x, "x"), (abs(x), "(abs x)"),
        (x < y, "(lt x y)"), (x <= 1, "(le x 1)"), (x > y, "(gt x y)"), (x >= y, "(ge x y)"),
        (1 < x, "(gt x 1)"), (rw.eq(x, y), "(eq x y)"), (rw.ne(x, 1), "(ne x 1)"),
        ((x < y) & (y < 1), "(and (lt x y) (lt y 1))"), (p | True, "(or p True)"), (~p, "(not p)"),
        (round(x), "(round x)"), (math.floor(x), "(floor x)"), (math.ceil(x), "(ceil x)"),
        (math.trunc(x), "(trunc x)"), (Fraction(1, 3) * x, "(mul 1/3 x)"),
        (rw.pi * x, "(mul pi x)"),
        (np.float64(2) * x, "(mul 2.0 x)"), (np.float32(0.5) + x, "(add 0.5 x)"),
        (np.int64(3) - x, "(sub 3 x)"), (sum([x, y]), "(add (add 0 x) y)"),
        (rw.fma(x, y, 1), "(fma x y 1)"), (rw.where(p, x, 0), "(where p x 0)"),
        (rw.apply("add", x, y, 1), "(add x y 1)"), (rw.arcsin(x), "(asin x)"),
        (np.sin(x), "(sin x)"), (np.maximum(x, 0), "(maximum x 0)"), (np.square(x), "(mul x x)"),
        (np.add.reduce([x, y]), "(add x y)"),
    ],
)  # fmt: skip
def test_what_is_written_is_what_is_stored(term: rw.Term, text: str) -> None:
    assert isinstance(term, rw.Term) and term.sexpr() == text


def test_structure() -> None:
    t = x * y + 1
    assert t.op.name == "add" and t.args == (x * y, const(1))
    assert t.args[1].value == 1 and t.value is None and t.symbol is None
    assert x.symbol is not None and x.symbol.name == "x" and x.args == ()
    assert t.free_symbols == (x, y) and t.node_count() == 5
    assert ((x + y) * (x + y)).node_count() == 4
    assert list(map(str, rw.symbols(["b", "a"]))) == ["b", "a"]


@pytest.mark.parametrize(
    ("term", "sort"),
    [
        (x, REAL), (n, INT), (p, BOOL), (n + 1, INT), (n + 1.0, REAL), (n / 2, REAL), (-n, INT),
        (x + n, REAL), (n < 2, BOOL), (rw.where(p, n, 1), INT), (rw.where(p, n, x), REAL),
        (rw.where(p, p, True), BOOL), (rw.sin(n), REAL), (n**2, REAL), (rw.floor(n), INT),
        (rw.const(2), INT), (rw.const(2.0), REAL), (rw.const(Fraction(1, 2)), REAL), (rw.pi, REAL),
    ],
)  # fmt: skip
def test_sorts(term: rw.Term, sort: rw.Sort) -> None:
    assert term.sort == sort


def test_a_sum_goes_from_left_to_right() -> None:
    parts = rw.asarray(rw.symbols([f"p{k}" for k in range(9)]))
    total = parts.sum()
    assert isinstance(total, rw.Term) and total.op.name == "add" and len(total.args) == 9
    assert "pairwise" in str(rw.TermArray.sum.__doc__)


@pytest.mark.parametrize(
    "value", [10**5000, -(10**5000), Fraction(1, 10**5000)], ids=["long", "less", "small"]
)
def test_numbers_of_many_digits_are_hashed(value: int | Fraction) -> None:
    term = rw.symbol("x") + value
    with rw.scope():
        there = rw.symbol("x") + value
    assert hash(term) == hash(there) and term == there
    assert len({term, there, rw.symbol("x") + (value + 1)}) == 2


def test_equality_is_structure_and_hash_agrees_across_stores() -> None:
    def build() -> rw.Term:
        a, b = rw.symbols("x y")
        result: rw.Term = (a + b) * 2 - rw.sin(a)
        return result

    here = build()
    with rw.scope():
        there = build()
        other = there + 1
    assert here == there and hash(here) == hash(there) and here.store is not there.store
    before = len(here.store)
    assert here != other and here != "x" and not here == 1
    assert len(here.store) == before  # comparing adds nothing
    assert {here: 1}[there] == 1 and len({here, there, other}) == 2


def test_terms_of_two_stores_meet() -> None:
    with rw.scope() as store:
        a = rw.symbol("x") * 2
    t = y + a
    assert t.store is y.store and t == y + x * 2
    assert (a + y).store is store
    assert join_all(y.store, [a, a]) == [(x * 2).id] * 2
    assert lift(a, y.store) == x * 2


def test_substitution_is_one_simultaneous_pass() -> None:
    t = x * y + rw.sin(x)
    assert t.substitute({x: y, y: x}) == y * x + rw.sin(y)
    assert t.substitute({rw.sin(x): 0.5}) == x * y + 0.5
    assert t.substitute({x * y: y, x: 2}) == y + rw.sin(const(2))
    assert t.substitute({}) == t and t.substitute({rw.symbol("z"): 1}) == t
    assert x.substitute({x: 3}).value == 3
    with rw.scope():
        assert t.substitute({rw.symbol("x"): rw.symbol("w")}) == rw.parse("w*y + sin(w)")


def test_substitution_checks_sorts() -> None:
    with pytest.raises(SortError):
        (x + 1).substitute({x: p})


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_symbols_constants_and_sharing(protocol: int) -> None:
    s = rw.symbol("s", low=0, high=2, dtype="float32")
    t = (s + Fraction(1, 3)) * (s + Fraction(1, 3)) - rw.pi * -0.0 + rw.where(p, math.nan, 2**80)
    again = pickle.loads(pickle.dumps(t, protocol))
    assert again == t and again.store is t.store
    with rw.scope() as store:
        apart = pickle.loads(pickle.dumps(t, protocol))
        assert apart.store is store and apart == t and apart.free_symbols == t.free_symbols
    assert copy.copy(t) is t and copy.deepcopy(t) is t


def test_pickling_takes_the_term_and_not_its_store() -> None:
    with rw.scope():
        a = rw.symbol("x")
        for k in range(1000):
            _ = a + k
        assert len(pickle.dumps(a + 1)) < 2000


REFUSED: list[tuple[Callable[[], Any], type[RewriteError], str]] = [
    (lambda: bool(x > 0), TraceError, r"truth value of the term x > 0 .* rw\.where"),
    (lambda: 1 if x else 2, TraceError, r"rw\.where"),
    (lambda: x and y, TraceError, r"logic use & \| ~"),
    (lambda: 0 < x < 1, TraceError, r"rw\.where"),
    (lambda: max(x, 1), TraceError, r"rw\.where"),
    (lambda: float(x), TraceError, "free symbols"),
    (lambda: math.sin(x), TraceError, "free symbols"),
    (lambda: int(x), TraceError, "cannot be an index"),
    (lambda: range(x), TraceError, "cannot be an index"),
    (lambda: [1, 2][x], TraceError, "cannot be an index"),
    (lambda: list(x), TraceError, "one number"),
    (lambda: x ^ 2, UnsupportedOp, r"\*\* for a power"),
    (lambda: round(x, 2), UnsupportedOp, "digits"),
    (lambda: x + 1j, UnsupportedOp, "complex"),
    (lambda: rw.optimize("x + y"), UnsupportedOp, r"rw\.parse"),
    (lambda: rw.simplify("x + y"), StrategyError, r"rw\.parse"),
    (lambda: rw.optimize(sympy.Symbol("x") + 1), UnsupportedOp, r"rw\.from_sympy"),
    (lambda: x + "1", UnsupportedOp, "'1' of type str"),
    (lambda: p + 1, SortError, "add takes a number as argument 1"),
    (lambda: x & 1, SortError, "and takes a truth value as argument 1"),
    (lambda: rw.sin(p), SortError, "sin takes a number"),
    (lambda: rw.where(x, 1, 2), SortError, "where takes a truth value"),
    (lambda: rw.apply("sin", x, y), SortError, "sin takes 1 arguments, not 2"),
    (lambda: rw.apply("nope", x), UnsupportedOp, "no op is called 'nope'; ops: symbol, const"),
    (lambda: rw.symbol("a b"), UnsupportedOp, "must be an identifier"),
    (lambda: symbol(3), UnsupportedOp, "must be an identifier"),
    (lambda: rw.symbol("a", low=math.inf), DomainError, "low=inf of symbol 'a' is not finite"),
    (lambda: rw.symbol("a", high=math.nan), DomainError, "not finite"),
    (lambda: rw.symbol("a", low=1, high=0), DomainError, r"domain \[1, 0\] .*empty"),
    (lambda: rw.symbol("a", dtype=complex), SortError, "complex128"),
    (lambda: rw.const(2 + 1j), UnsupportedOp, "complex"),
    (lambda: np.sin(x, out=np.zeros(1)), TraceError, r"array of numbers \(out=\)"),
    (lambda: np.sin(x, dtype=np.float32), UnsupportedOp, "keyword 'dtype'"),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_refusals_say_what_to_do(case: int) -> None:
    action, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        action()


def test_what_is_no_operand_is_left_to_python() -> None:
    for other in (None, object(), [1], {}):
        with pytest.raises(TypeError):
            x + other
    assert operator.eq(x, None) is False


def test_a_constant_term_has_a_value() -> None:
    assert float(const(1) / 4 + rw.sqrt(const(4))) == 2.25
    assert float(const(Fraction(1, 3))) == 1 / 3


def test_the_front_door_keeps_functions_that_share_a_name_with_a_module() -> None:
    import rewrite.evaluate
    from rewrite import evaluate, ops

    assert callable(rw.evaluate) and rw.evaluate is evaluate and rewrite.ops is ops
    assert set(dir(rw)) >= {"symbols", "sin", "arcsin", "parse", "compile", "evaluate"}
    with pytest.raises(AttributeError, match="no attribute 'sine'"):
        _ = rw.sine


def test_every_public_name_is_at_the_front_door() -> None:
    for name, module in rw._HOME.items():
        assert name in dir(rw)
        assert getattr(rw, name) is getattr(importlib.import_module(module), name)
    for name in ("pi", "e"):
        assert name in dir(rw) and isinstance(getattr(rw, name), rw.Term)
    assert rw.where(x > 0, x, 1).op.name == "where"  # the strategy of that name is elsewhere
    assert set(strategies.__all__) - {"where"} <= set(rw._HOME)
    assert strategies.saturate is rw.saturate


def test_a_million_levels(deep: rw.Term) -> None:
    assert deep.node_count() == DEEP + 2
    assert repr(deep).endswith("…") and len(repr(deep)) < 2100
    assert len(deep.sexpr()) < 4100 and len(deep.latex()) < 4100
    a, b = deep.free_symbols
    assert deep.substitute({a: b, b: a}).node_count() == DEEP + 2
    assert pickle.loads(pickle.dumps(deep)) == deep
    assert hash(deep) == hash(copy.copy(deep))


def test_a_name_that_is_no_text_is_hashed_as_any_other() -> None:
    store = rw.Store()
    odd = rw.Term(store, store.symbol(rw.Symbol("\udeff")))
    with rw.scope():
        assert pickle.loads(pickle.dumps(odd)) == odd and odd != symbol("x")


def test_an_exponential_term_is_small() -> None:
    term = x
    for _ in range(100):
        term = term * term
    assert term.node_count() == 101 and term.free_symbols == (x,)
    assert len(repr(term)) < 2100 and len(term.sexpr()) < 4100 and len(term.latex()) < 4100
    swapped = term.substitute({x: y})
    assert swapped.node_count() == 101 and pickle.loads(pickle.dumps(swapped)) == swapped


@pytest.mark.parametrize("compiled", [False, True])
def test_terms_of_a_chain_have_hashes_of_their_own(compiled: bool) -> None:
    def chain(count: int) -> list[Any]:
        made = [symbol("x") * 2.5]
        for _ in range(count):
            made.append(made[-1] * symbol("y"))
        return made

    terms = chain(6000)
    with rw.scope():
        others = chain(6000)
        hashes = [hash(others[-1])] if compiled else []  # all at once, from the top
        hashes = [*map(hash, others)]
    assert hashes == list(map(hash, terms)) and len(set(hashes)) == len(hashes)
    assert len(set(terms)) == len(terms) and {others[9], others[-1]} < set(terms)
