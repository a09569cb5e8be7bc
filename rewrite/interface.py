"""The term interface: what a rewriter must know about a type to walk and rebuild its terms.

`is_call, head, children, make` are `functools.singledispatch` functions. A head is the name of an
op (`"add"`), the same for every type, so that one rule matches all of them. Terms of this library,
nested tuples such as `("add", x, y)` and SymPy expressions are known. To add a type, register the
four for it; nothing else needs to change. A type whose leaves are not all real numbers registers a
fifth, `sort`, so that no law of numbers is applied to them:

>>> class Node:
...     def __init__(self, name, *parts):
...         self.name, self.parts = name, parts
>>> _ = is_call.register(Node, lambda term: True)
>>> _ = head.register(Node, lambda term: term.name)
>>> _ = children.register(Node, lambda term: term.parts)
>>> _ = make.register(Node, lambda like, head, children: Node(head, *children))
>>> head(Node("add", 1, 2)), children(Node("add", 1, 2))
('add', (1, 2))

What is registered nowhere is a leaf, and a real number: numbers, text, any other object.
"""

import functools
import importlib
import numbers
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.errors import SortError, UnsupportedOp
from rewrite.sorts import BOOL, INT, REAL, Sort
from rewrite.term import Term, apply

__all__ = ["children", "head", "is_call", "make", "sort"]

_LATE: Final = {"sympy": "rewrite.io.sympy"}
"""Top package of a type -> the module that registers it, imported when such a value is met."""


def _registered_late(value: object) -> bool:
    """Import what registers the value's type, if that was not done yet."""
    for base in type(value).__mro__:
        module = _LATE.pop(base.__module__.partition(".")[0], None)
        if module is not None:
            importlib.import_module(module)
            return True
    return False


@functools.singledispatch
def is_call(term: Any) -> bool:
    """Tell whether a term is an op applied to children; any other is a leaf.

    >>> is_call(("add", "x", 1)), is_call("x")
    (True, False)
    """
    return is_call(term) if _registered_late(term) else False


@functools.singledispatch
def head(term: Any) -> str:
    """Return the name of the op of a call; raise `UnsupportedOp` for a leaf.

    >>> head(("add", "x", 1))
    'add'
    """
    if _registered_late(term):
        return head(term)
    raise UnsupportedOp(f"{term!r} of type {type(term).__name__} is a leaf; it has no head")


@functools.singledispatch
def children(term: Any) -> tuple[Any, ...]:
    """Return the children of a call, and nothing for a leaf.

    >>> children(("add", "x", 1))
    ('x', 1)
    """
    return children(term) if _registered_late(term) else ()


@functools.singledispatch
def make(like: Any, head: str, children: Sequence[Any]) -> Any:
    """Make a call of the same type as `like`, without simplifying it.

    >>> make(("neg", "x"), "add", ["x", 1])
    ('add', 'x', 1)
    """
    if _registered_late(like):
        return make(like, head, children)
    raise UnsupportedOp(
        f"no make is registered for {type(like).__name__}; see rewrite.interface on how to add it"
    )


@functools.singledispatch
def sort(term: Any) -> Sort:
    """Return the sort of a leaf, or of a call whose head is no op of ours; real by default.

    That of any other call follows from its arguments. Raise `SortError` for complex numbers.

    >>> sort(True), sort(2), sort("x")
    (bool, int, real)
    """
    if _registered_late(term):
        return sort(term)
    if isinstance(term, (bool, np.bool_)):
        return BOOL
    if isinstance(term, numbers.Complex) and not isinstance(term, numbers.Real):
        raise SortError(f"complex numbers are not supported: {term!r}; split it into its parts")
    return INT if isinstance(term, numbers.Integral) else REAL


@is_call.register
def _(term: Term) -> bool:
    return term.op.arity != ops.LEAF


@head.register
def _(term: Term) -> str:
    if term.op.arity == ops.LEAF:
        raise UnsupportedOp(f"{term!r} is a leaf; it has no head")
    return term.op.name


@children.register
def _(term: Term) -> tuple[Any, ...]:
    return term.args


@make.register
def _(like: Term, head: str, children: Sequence[Any]) -> Term:
    return apply(head, *children)


@sort.register
def _(term: Term) -> Sort:
    return term.sort


@is_call.register
def _(term: tuple) -> bool:  # type: ignore[type-arg]
    return bool(term) and isinstance(term[0], str)


@head.register
def _(term: tuple) -> str:  # type: ignore[type-arg]
    if not is_call(term):
        raise UnsupportedOp(f"{term!r} is no call; write ('add', x, y)")
    return str(term[0])


@children.register
def _(term: tuple) -> tuple[Any, ...]:  # type: ignore[type-arg]
    return term[1:] if is_call(term) else ()


@make.register
def _(like: tuple, head: str, children: Sequence[Any]) -> Any:  # type: ignore[type-arg]
    return (head, *children)
