"""The term interface: the same rewriter on terms, tuples, SymPy, and a type of one's own."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sympy as sp

import rewrite as rw
from rewrite.errors import UnsupportedOp
from rewrite.interface import children, head, is_call, make

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
