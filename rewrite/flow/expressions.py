"""Expressions of Python on terms: what is known is computed by Python, the rest becomes terms."""

import ast
import operator
import types
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rewrite.array import TermArray
from rewrite.changing import changing, refuse
from rewrite.flow.source import Source
from rewrite.flow.state import State, joined
from rewrite.flow.values import (
    MATH,
    Unset,
    chosen,
    conjunction,
    disjunction,
    divided,
    floored,
    is_number,
    modulo,
    multiplied,
    negated,
    negation,
    number_of,
    scalar,
    truth,
)
from rewrite.sorts import BOOL
from rewrite.term import Term, apply
from rewrite.tracing import OURS

if TYPE_CHECKING:
    from rewrite.flow.statements import Interpreter

__all__ = ["Expressions"]

_BINARY: Final[dict[type[ast.operator], tuple[Callable[..., Any], Callable[..., Any]]]] = {
    ast.Add: (operator.add, lambda a, b: apply("add", number_of(a), number_of(b))),
    ast.Sub: (operator.sub, lambda a, b: apply("sub", number_of(a), number_of(b))),
    ast.Mult: (operator.mul, multiplied),
    ast.Div: (operator.truediv, divided), ast.Pow: (operator.pow, MATH[pow]),
    ast.FloorDiv: (operator.floordiv, floored), ast.Mod: (operator.mod, modulo),
    ast.BitAnd: (operator.and_, lambda a, b: apply("and", truth(a), truth(b))),
    ast.BitOr: (operator.or_, lambda a, b: apply("or", truth(a), truth(b))),
    ast.BitXor: (operator.xor, lambda a, b: apply("ne", truth(a), truth(b))),
}  # fmt: skip
"""Operator -> what it is on known values, and on terms."""
_BITS: Final = (ast.BitAnd, ast.BitOr, ast.BitXor)
_COMPARED: Final[dict[type[ast.cmpop], tuple[Callable[..., Any], str]]] = {
    ast.Lt: (operator.lt, "lt"), ast.LtE: (operator.le, "le"), ast.Gt: (operator.gt, "gt"),
    ast.GtE: (operator.ge, "ge"), ast.Eq: (operator.eq, "eq"), ast.NotEq: (operator.ne, "ne"),
}  # fmt: skip
_KNOWN_ONLY: Final[dict[type[ast.cmpop], Callable[..., Any]]] = {
    ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip


_BUILTINS: Final = (tuple, list, dict, range, zip, enumerate, reversed, len)
"""Those that handle terms as any other objects."""


class Expressions:
    """Evaluates the expressions of one function in a state."""

    def __init__(self, source: Source, state: State, interpreter: "Interpreter") -> None:
        self.source, self.state, self.interpreter = source, state, interpreter

    def value(self, node: ast.expr) -> Any:
        """Return the value of an expression."""
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            kind = type(node).__name__
            self.source.refuse(f"{_WORDS.get(kind, kind)} cannot be compiled", node)
        with self.source.placed(node):
            return method(node)

    def truth(self, node: ast.expr) -> bool | Term:
        """Return whether an expression is true."""
        found = scalar(self.value(node))
        if isinstance(found, TermArray):
            self.source.refuse(
                "an array is neither true nor false: index it, or use all or any", node
            )
        return truth(found)

    # -- leaves ------------------------------------------------------------------------------

    def _constant(self, node: ast.Constant) -> Any:
        if isinstance(node.value, complex):
            self.source.refuse("complex numbers are not supported: split them", node)
        return node.value

    def _name(self, node: ast.Name) -> Any:
        names = self.state.names
        if node.id not in names and node.id in self.source.local:
            names = {node.id: Unset(node.id)}
        if node.id not in names:
            if node.id not in self.source.around:
                self.source.refuse(f"name {node.id!r} is not defined", node)
            return self.source.around[node.id]
        found = names[node.id]
        if isinstance(found, Unset):
            self.source.refuse(
                f"{node.id!r} may have no value here: give it one before the loop or choice",
                node,
            )
        return found

    def _tuple(self, node: ast.Tuple | ast.List) -> Any:
        found: list[Any] = []
        for item in node.elts:
            if isinstance(item, ast.Starred):
                found.extend(self.value(item.value))
            else:
                found.append(self.value(item))
        return tuple(found) if isinstance(node, ast.Tuple) else found

    _list = _tuple

    def _dict(self, node: ast.Dict) -> Any:
        if None in node.keys:
            self.source.refuse("** in a dictionary cannot be compiled", node)
        keys = [self.value(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(self.value, node.values), strict=True))

    def _attribute(self, node: ast.Attribute) -> Any:
        return getattr(self.value(node.value), node.attr)

    def _subscript(self, node: ast.Subscript) -> Any:
        held, index = self.value(node.value), self.value(node.slice)
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(part, Term) for part in parts):
            self.source.refuse(
                "an index that depends on numbers: only known places can be read", node
            )
        return scalar(held[index])

    def _slice(self, node: ast.Slice) -> slice:
        parts = (node.lower, node.upper, node.step)
        return slice(*(None if part is None else self.value(part) for part in parts))

    def _namedexpr(self, node: ast.NamedExpr) -> Any:
        found = self.value(node.value)
        self.state.names[node.target.id] = found
        return found

    # -- operators ---------------------------------------------------------------------------

    def _binop(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        return self.binary(node, node.op, left, right)

    def binary(self, node: ast.AST, op: ast.operator, left: Any, right: Any) -> Any:
        """Apply a binary operator."""
        known = _BINARY.get(type(op))
        if known is None:
            self.source.refuse(f"the operator {type(op).__name__} cannot be compiled", node)
        on_known, on_terms = known
        terms = [each for each in (left, right) if isinstance(each, Term)]
        arrays = any(isinstance(each, (TermArray, np.ndarray)) for each in (left, right))
        if not terms or arrays:
            return on_known(left, right)
        if isinstance(op, _BITS) and any(truth(term) is not term for term in terms):
            self.source.refuse("bits of numbers that are not known", node)
        return on_terms(left, right)

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            return negation(self.truth(node.operand))
        found = self.value(node.operand)
        if isinstance(node.op, ast.USub):
            return negated(found) if isinstance(found, Term) else -found
        if isinstance(node.op, ast.UAdd):
            return number_of(found) if isinstance(found, Term) else +found
        if isinstance(found, Term):
            return negation(truth(found)) if truth(found) is found else ~found
        return ~found

    def _boolop(self, node: ast.BoolOp) -> Any:
        """Return the first value that decides, as Python does; known ones end the search."""
        both = isinstance(node.op, ast.And)
        found: Any = None
        decided: bool | Term = False  # where an earlier value was taken
        for place, item in enumerate(node.values):
            value = self.guarded(negation(decided), item)
            if place == 0:
                found = value
            elif _is_truth(found) and _is_truth(value):
                found = (conjunction if both else disjunction)(found, value)
            else:
                found = chosen(decided, found, value, "a value")
            holds = truth(value)
            decided = disjunction(decided, negation(holds) if both else holds)
            if decided is True:
                break
        return found

    def guarded(self, condition: bool | Term, node: ast.expr) -> Any:
        """Evaluate what Python evaluates only where a condition holds."""
        if condition is True:
            return self.value(node)
        interpreter, before = self.interpreter, self.state
        self.state = before.branch()
        outside, interpreter.path = interpreter.path, conjunction(interpreter.path, condition)
        found = self.value(node)
        interpreter.path = outside
        if self.state.names != before.names:
            self.state.result = before.result
            merged = joined(condition, self.state, before)
            before.names = merged.names
        self.state = before
        return found

    def _compare(self, node: ast.Compare) -> Any:
        left = self.value(node.left)
        found: Any = True
        for op, item in zip(node.ops, node.comparators, strict=True):
            right = self.value(item)
            found = conjunction(found, self._compared(node, op, left, right))
            if found is False:
                break
            left = right
        return found

    def _compared(self, node: ast.AST, op: ast.cmpop, left: Any, right: Any) -> Any:
        terms = any(isinstance(each, Term) for each in (left, right))
        if not isinstance(op, (ast.Is, ast.IsNot)) and any(map(_holds_terms, (left, right))):
            self.source.refuse(
                "containers of numbers that are not known: compare their parts", node
            )
        if type(op) in _KNOWN_ONLY:
            if terms and not isinstance(op, (ast.Is, ast.IsNot)):
                self.source.refuse("'in' a container, of a number that is not known", node)
            if terms and left is not right and all(map(is_number, (left, right))):
                self.source.refuse("'is' between numbers that are not known: use ==", node)
            return bool(_KNOWN_ONLY[type(op)](left, right))
        on_known, name = _COMPARED[type(op)]
        if terms:
            return apply(name, number_of(left), number_of(right))
        return scalar(on_known(left, right))

    def _ifexp(self, node: ast.IfExp) -> Any:
        condition = self.truth(node.test)
        if isinstance(condition, bool):
            return self.value(node.body if condition else node.orelse)
        one = self.guarded(condition, node.body)
        other = self.guarded(negation(condition), node.orelse)
        return chosen(condition, one, other, "a value")

    # -- calls -------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> Any:
        fn = self.value(node.func)
        args = list(self._tuple(ast.Tuple(node.args, ast.Load())))
        kwargs: dict[str, Any] = {}
        for word in node.keywords:
            held = self.value(word.value)
            kwargs.update(held if word.arg is None else {word.arg: held})
        self._check_function(fn, args, node)
        if isinstance(fn, types.MethodType) and isinstance(fn.__func__, types.FunctionType):
            args = [fn.__self__, *args]
            fn = fn.__func__
        if not _depends((args, kwargs)) and not _is_own(fn):
            return fn(*args, **kwargs)
        if _is_hashable(fn) and fn in MATH:
            if any(isinstance(arg, TermArray) for arg in args):
                return fn(*args, **kwargs)
            return MATH[fn](*args, **kwargs)
        if fn is sum:
            return self._summed(node, *args, **kwargs)
        if _is_own(fn):
            return self.interpreter.inlined(self, node, _plain(fn), args, kwargs)
        if getattr(fn, "__module__", "") == "builtins" and fn not in _BUILTINS:
            name = getattr(fn, "__name__", repr(fn))
            self.source.refuse(f"{name} of numbers that are not known cannot be compiled", node)
        return fn(*args, **kwargs)

    def _check_function(self, fn: Any, args: Sequence[Any], node: ast.Call) -> None:
        """Refuse what gives something else in each call, and what changes objects now and then.

        And what looks for a number in a container: terms are equal where they are the same.
        """
        if (name := changing(fn)) is not None:
            refuse(name)
        looks = isinstance(fn, _METHODS) and fn.__name__ in ("count", "index", "remove")
        if looks and _depends((getattr(fn, "__self__", None), args)):
            self.source.refuse(
                f"{fn.__name__} of numbers that are not known: compare them one by one", node
            )
        if _changes(fn) and not self.interpreter.always:
            self.source.refuse(
                f"{fn.__name__} changes an object in a loop, or where a condition holds: give its "
                "parts names", node,
            )  # fmt: skip

    def _summed(self, node: ast.Call, items: Any, start: Any = 0) -> Any:
        found = start
        for item in items:
            found = self.binary(node, ast.Add(), found, item)
        return found


_WORDS: Final = {
    "Lambda": "a lambda", "ListComp": "a comprehension", "SetComp": "a comprehension",
    "DictComp": "a comprehension", "GeneratorExp": "a generator", "Await": "await",
    "Yield": "a generator", "YieldFrom": "a generator", "JoinedStr": "a formatted text",
    "Set": "a set", "Starred": "*",
}  # fmt: skip


def _depends(value: Any) -> bool:
    """Tell whether there is a term in a value."""
    if isinstance(value, dict):
        return any(map(_depends, value.values()))
    if isinstance(value, (tuple, list)):
        return any(map(_depends, value))
    return isinstance(value, (Term, TermArray))


def _holds_terms(value: Any) -> bool:
    """Tell whether a value is a container of Python's with a term in it."""
    return isinstance(value, (dict, tuple, list)) and _depends(value)


_METHODS: Final = (types.BuiltinMethodType, types.MethodDescriptorType)


def _changes(fn: Any) -> bool:
    """Tell whether a call changes the object that the function belongs to, or an iterator."""
    return isinstance(fn, _METHODS) and fn.__name__ in _CHANGING


_CHANGING: Final = frozenset(
    "add append appendleft clear difference_update discard extend extendleft fill insert "
    "intersection_update partition pop popitem popleft put remove resize reverse rotate setdefault "
    "sort symmetric_difference_update update delattr next setattr".split()
)
"""Methods of Python's containers and NumPy's arrays, and functions."""


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, Term) and value.sort == BOOL)


def _is_hashable(value: Any) -> bool:
    return getattr(type(value), "__hash__", None) is not None


def _plain(fn: Any) -> Any:
    """Return the function that a jitted one was made of."""
    return getattr(fn, "fn", fn)


def _is_own(fn: Any) -> bool:
    """Tell whether a function is the user's, whose source is read."""
    plain = _plain(fn)
    home = str(getattr(plain, "__module__", "")).partition(".")[0]
    return isinstance(plain, types.FunctionType) and home not in OURS
