"""The term interface: the same rewriter on terms, tuples, SymPy, and a type of one's own."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import rewrite as rw
from rewrite.errors import SortError, UnsupportedOp
from rewrite.fastmath import FastMath
from rewrite.foreign import Foreign
from rewrite.interface import children, head, is_call, make, sort
from rewrite.matching import match
from rewrite.rule import Rule, ruleset
from strategies import bottomup, innermost, strategy, try_

x, y = rw.symbols("x y")
a, b = sp.symbols("x y")


def commuted(term: Any) -> Any:
    """Swap the arguments of every sum: a rewriter that knows no type."""
    if not is_call(term):
        return term
    parts = [commuted(child) for child in children(term)]
    return make(term, head(term), parts[::-1] if head(term) == "add" else parts)


def operators(term: Any) -> Iterator[str]:
    if is_call(term):
        yield head(term)
        for child in children(term):
            yield from operators(child)


@dataclass(frozen=True)
class Node:
    name: str
    parts: tuple[Any, ...]


is_call.register(Node, lambda term: True)
head.register(Node, lambda term: term.name)
children.register(Node, lambda term: term.parts)
make.register(Node, lambda like, head, children: Node(head, tuple(children)))


def test_terms() -> None:
    term = rw.sin(x * 2) + y
    assert is_call(term) and head(term) == "add" and children(term) == (rw.sin(x * 2), y)
    assert not is_call(x) and children(x) == () and not is_call(rw.const(1))
    assert commuted(term) == y + rw.sin(x * 2)
    assert make(x, "mul", [x, 3]) == x * 3
    assert list(operators(term)) == ["add", "sin", "mul"]


def test_tuples() -> None:
    term = ("add", ("sin", ("mul", "x", 2)), "y")
    assert is_call(term) and head(term) == "add" and children(term) == term[1:]
    assert commuted(term) == ("add", "y", ("sin", ("mul", "x", 2)))
    assert not is_call(()) and not is_call((1, 2)) and children((1, 2)) == ()
    assert list(operators(term)) == ["add", "sin", "mul"]


def test_sympy() -> None:
    term = sp.Add(sp.sin(sp.Mul(a, 2, evaluate=False)), b, evaluate=False)
    assert is_call(term) and head(term) == "add" and not is_call(a) and not is_call(sp.Integer(2))
    swapped = commuted(term)
    assert swapped.args == (b, sp.sin(sp.Mul(a, 2, evaluate=False)))
    assert list(operators(term)) == ["add", "sin", "mul"]
    assert make(a, "sqrt", [a]) == sp.sqrt(a) and make(a, "div", [1, a]) == 1 / a
    assert make(a, "add", [a, a]).args == (a, a)
    piecewise = sp.Piecewise((a, a > 0), (b, a > 1), (1, True))
    condition, then, rest = children(piecewise)
    assert head(piecewise) == "where" and (condition, then) == (a > 0, a)
    assert children(rest)[2] == 1 or head(rest) == "where"
    assert make(piecewise, "where", [condition, then, rest]).subs({a: 2, b: 3}) == 2
    gamma = sp.gamma(a)
    assert head(gamma) == "gamma" and make(gamma, "gamma", [b]) == sp.gamma(b)


def test_the_three_kinds_agree() -> None:
    ours = rw.exp(x) < x * y
    theirs = make(a, "lt", [sp.exp(a), a * b])
    assert list(operators(ours)) == list(operators(theirs)) == ["lt", "exp", "mul"]
    assert rw.from_sympy(theirs) == ours


def test_leaves_and_unknown_types() -> None:
    for leaf in (1, 2.5, "x", None, object(), x, a, (1,)):
        assert not is_call(leaf) and children(leaf) == ()
        with pytest.raises(UnsupportedOp, match=r"leaf|no call"):
            head(leaf)
    with pytest.raises(UnsupportedOp, match="no make is registered for object"):
        make(object(), "add", [1, 2])
    with pytest.raises(UnsupportedOp, match="no op is called 'nope'"):
        make(x, "nope", [x])


def test_a_type_from_outside() -> None:
    term = Node("add", (Node("sin", (1,)), 2))
    assert commuted(term) == Node("add", (2, Node("sin", (1,))))
    assert list(operators(term)) == ["add", "sin"]


def test_sympy_is_registered_when_it_is_met_and_not_imported_before() -> None:
    program = (
        "import sys, rewrite as rw\n"
        "from rewrite.interface import head, is_call\n"
        "assert is_call(rw.symbol('x') + 1) and not is_call(1.5) and not is_call(object())\n"
        "assert 'sympy' not in sys.modules and 'numba' not in sys.modules\n"
        "import sympy\n"
        "print(head(sympy.Symbol('x') + 1), is_call(sympy.Symbol('x')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "add False\n"


# -- sorts -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grid:
    """A leaf of a type from outside that does not commute."""

    name: str


sort.register(Grid, lambda term: rw.MATRIX)

SORTED: list[tuple[Any, rw.Sort]] = [
    (x, rw.REAL), (x < y, rw.BOOL), (rw.symbol("A", sort=rw.MATRIX), rw.MATRIX),
    (1, rw.INT), (True, rw.BOOL), (0.5, rw.REAL), ("x", rw.REAL), (Grid("A"), rw.MATRIX),
    (a, rw.REAL), (sp.Integer(2), rw.INT), (sp.Symbol("n", integer=True), rw.INT), (sp.pi, rw.REAL),
    (sp.true, rw.BOOL), (sp.oo, rw.REAL), (sp.Symbol("A", commutative=False), rw.MATRIX),
    (sp.MatrixSymbol("A", 2, 2), rw.MATRIX), (a < b, rw.BOOL), (sp.Rational(1, 2), rw.REAL),
]  # fmt: skip


@pytest.mark.parametrize(("term", "wanted"), SORTED, ids=lambda each: str(each))
def test_sorts(term: Any, wanted: rw.Sort) -> None:
    assert sort(term) is wanted


def test_the_sort_of_a_call_follows_from_its_arguments() -> None:
    nc, ms = sp.Symbol("A", commutative=False), sp.MatrixSymbol("M", 2, 2)
    grid = Grid("A")
    cases: list[tuple[Any, rw.Sort]] = [
        (("mul", 2, ("add", grid, grid)), rw.MATRIX), (("lt", "x", 1), rw.BOOL),
        (("add", 1, 2), rw.INT), (("div", 1, 2), rw.REAL), (("unknown", grid), rw.REAL),
        (("where", "p", grid, grid), rw.MATRIX), (("and", "p", "q"), rw.BOOL),
        (Node("mul", (grid, 2.0)), rw.MATRIX), (2 * nc + nc**2, rw.MATRIX), (2 * ms, rw.MATRIX),
        (sp.And(a, b), rw.BOOL), (a * 2, rw.REAL), (sp.gamma(a), rw.REAL),
    ]  # fmt: skip
    for term, wanted in cases:
        nodes = Foreign(term)
        assert nodes.sort(nodes.enter(term)) == wanted, term
    chain: Any = grid
    for _ in range(50_000):  # no recursion
        chain = ("neg", chain)
    nodes = Foreign(chain)
    assert nodes.sort(nodes.enter(chain)) == rw.MATRIX


def test_a_sort_that_is_none_is_refused() -> None:
    class Odd:
        pass

    wrong: Any = "no sort"
    sort.register(Odd, lambda term: wrong)
    nodes = Foreign(())
    with pytest.raises(SortError, match="is 'no sort', which is no sort"):
        nodes.sort(nodes.enter(Odd()))


@pytest.mark.parametrize(
    "term", [1j, sp.I, sp.Symbol("z", imaginary=True), sp.Symbol("z", real=False, complex=True)]
)
def test_complex_numbers_are_refused_by_name(term: Any) -> None:
    with pytest.raises(SortError, match="complex numbers are not supported"):
        sort(term)


p, q, r = rw.pattern_vars("p q r")
P, Q, R = rw.pattern_vars("P Q R", sort=rw.MATRIX)
(t,) = rw.pattern_vars("t", sort=rw.BOOL)
# fmt: off
MIXED = ruleset("mixed", FastMath.FAST,
    ("factor",      p * q + p * r,      p * (q + r)),
    ("matrices",    P * Q + P * R,      P * (Q + R)),
    ("one",         1 * p,              p),
    ("idempotent",  t & t,              t),
)
# fmt: on


def kinds() -> dict[str, tuple[Any, Any, Any, Any, Any]]:
    """Two numbers and two matrices of each type, and what makes its calls like."""
    A, B = rw.symbols("A B", sort=rw.MATRIX)
    return {
        "terms": (x, x, y, A, B),
        "tuples": ((), "x", "y", Grid("A"), Grid("B")),
        "symbols of SymPy": (a, a, b, *sp.symbols("A B", commutative=False)),
        "matrices of SymPy": (a, a, b, sp.MatrixSymbol("A", 3, 3), sp.MatrixSymbol("B", 3, 3)),
    }


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("plan", [innermost, lambda rules: bottomup(try_(rules))])
def test_no_type_commutes_matrices(kind: str, plan: Any) -> None:
    like, u, v, A, B = kinds()[kind]

    def f(name: str, *parts: Any) -> Any:
        return make(like, name, parts)

    run = plan(MIXED)
    kept = f("add", f("mul", A, B), f("mul", B, A))
    assert run(kept) == kept
    assert run(f("add", f("mul", A, B), f("mul", A, A))) == f("mul", A, f("add", B, A))
    assert run(f("add", f("mul", v, u), f("mul", u, u))) == f("mul", u, f("add", v, u))
    assert run(f("mul", 1, f("mul", A, B))) == f("mul", 1, f("mul", A, B))
    assert not list(match(p * q, f("mul", A, B))) and not list(match(P * Q, f("mul", u, v)))
    assert len(list(match(P * Q, f("mul", A, B)))) == 1
    assert len(list(match(p * P, f("mul", A, u)))) == 1
    assert len(list(match(p * q, f("mul", u, v)))) == 2


# -- equal calls, without recursion ----------------------------------------------------------


def test_deep_and_shared_tuples_are_compared_by_what_they_are_made_of() -> None:
    v, w = rw.pattern_vars("v w")
    double = Rule("double", v + v, 2 * v)
    deep: Any = "x"
    twin = shared = other = deep
    for _ in range(100_000):  # Python's hash of it overflows the stack of C
        deep, twin = ("sin", deep), ("sin", twin)
    assert strategy(double)(("add", deep, twin))[2] is deep
    assert strategy(double)(("add", deep, ("sin", twin))) is None
    for _ in range(200):  # 2^200 paths
        shared, other = ("sub", shared, shared), ("sub", other, other)
    assert strategy(double)(("add", shared, other)) is not None
    assert strategy(Rule("first", v - w, v))(shared) is not None


def test_leaves_without_hash_are_compared() -> None:
    (v,) = rw.pattern_vars("v")
    double = strategy(Rule("double", v + v, 2 * v))
    assert double(("add", [1], [1])) == ("mul", 2, [1])
    assert double(("add", [1], [2])) is None


def _plain(term: Any) -> Any:
    if is_call(term):
        return (head(term), *map(_plain, children(term)))
    symbol = getattr(term, "symbol", None)
    return str(term if symbol is None else symbol.name)


_LEAVES = st.sampled_from([*sp.symbols("x y z"), sp.Integer(2), sp.Integer(-1), sp.Rational(1, 2)])


def _grown(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pairs = st.tuples(parts, parts)
    return st.one_of(
        pairs.map(lambda p: p[0] + p[1]), pairs.map(lambda p: p[0] - p[1]),
        pairs.map(lambda p: p[0] * p[1]), pairs.map(lambda p: p[0] / (p[1] + sp.Symbol("w"))),
        parts.map(lambda p: -p), parts.map(lambda p: sp.sin(p)), parts.map(lambda p: p**-2),
        parts.map(lambda p: sp.sqrt(sp.Symbol("w") + p)),
    )  # fmt: skip


@given(st.recursive(_LEAVES, _grown, max_leaves=9))
def test_sums_products_and_powers_of_sympy_are_told_as_they_are_read(expr: Any) -> None:
    if expr.has(sp.zoo, sp.nan, sp.I):
        return
    assert _plain(expr) == _plain(rw.from_sympy(expr))


def test_rules_about_quotients_and_differences_apply_to_sympy() -> None:
    p, q = rw.pattern_vars("p q")
    x, y, z = sp.symbols("x y z")
    laws = ruleset("laws", FastMath.FAST,
        ("over-over",   p / (p / q),    q),
        ("sub-sub",     p - (p - q),    q),
        ("neg-over",    -(p / q),       p / -q),
        ("root",        rw.sqrt(p * p), abs(p)),
    )  # fmt: skip
    with sp.evaluate(False):
        terms = [x / (x / y), x - (x - z), sp.sqrt(x * x)]
    assert [innermost(laws)(term) for term in terms] == [y, z, sp.Abs(x)]
    assert rw.from_sympy(innermost(laws)(-(x / y))) == rw.symbol("x") / -rw.symbol("y")
