"""Statements of Python on terms: choices are joined, loops are written out or become `Loop`."""

import ast
import inspect
import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rewrite.array import TermArray
from rewrite.flow.body import Body, Flow, Loop
from rewrite.flow.expressions import Expressions
from rewrite.flow.loops import Looping
from rewrite.flow.source import Source, assigned, source_of
from rewrite.flow.state import State, joined
from rewrite.flow.values import (
    Truth,
    Unset,
    conjunction,
    disjunction,
    is_number,
    negation,
    scalar,
    term_of,
)
from rewrite.store import Store
from rewrite.term import Term, scope
from rewrite.tracing import leaves, rebuilt

__all__ = ["Interpreter", "interpret"]

DEEPEST: Final = 50
"""Functions inside each other."""
MOST_STEPS: Final = 100_000
"""Steps of loops that are written out."""
SHORT: Final = 8
"""A loop over a known range of so many steps is written out."""

_REFUSED: Final = {
    "Try": "try", "TryStar": "try", "With": "with", "Raise": "raise", "Assert": "assert",
    "FunctionDef": "a function inside of a function", "ClassDef": "a class", "Delete": "del",
    "Import": "import", "ImportFrom": "import", "Global": "global", "Nonlocal": "nonlocal",
    "Match": "match", "AsyncFor": "async", "AsyncWith": "async", "AsyncFunctionDef": "async",
}  # fmt: skip


def interpret(
    fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], store: Store
) -> Flow:
    """Run a function on terms by its source; see `rewrite.flow`.

    Numbers are real: where Python counts in integers they are exact up to 2**53, and where it
    raises, as in 1/0, there are infinities and NaN. Raise `TraceError`, with the line, for what
    cannot be compiled.
    """
    with scope(store):
        interpreter = Interpreter(store)
        source = source_of(fn)
        result = interpreter.called(source, args, kwargs, source.tree)
        found = [_number(value, path, source) for path, value in leaves(result)]
        if not found:
            source.refuse("the function returns no numbers", source.tree)
        return Flow(Body(tuple(interpreter.loops), tuple(found)), rebuilt(result, iter(found)))


def _number(value: Any, path: str, source: Source) -> Term:
    value = scalar(value)
    if not is_number(value):
        source.refuse(f"{path} is {value!r}: return numbers, or containers of them", source.tree)
    return term_of(value)


@dataclass
class Interpreter:
    """What all functions of one reading share: the loops so far, and where control is."""

    store: Store
    loops: list[Loop] = field(default_factory=list)
    path: Truth = True
    """What holds where the statements at hand are run."""
    steps: int = 0
    """How many loops they are in."""
    depth: int = 0
    count: int = 0
    """Symbols made so far."""

    @property
    def always(self) -> bool:
        """Tell whether the statements at hand are run just once, whatever the arguments are."""
        return self.path is True and not self.steps

    def inlined(
        self, at: Expressions, node: ast.Call, fn: Any, args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:  # fmt: skip
        """Run a function that the one at hand calls."""
        if self.depth >= DEEPEST:
            at.source.refuse(f"functions call each other more than {DEEPEST} deep", node)
        self.depth += 1
        try:
            return self.called(source_of(fn), args, kwargs, node)
        finally:
            self.depth -= 1

    def called(
        self, source: Source, args: Sequence[Any], kwargs: Mapping[str, Any], node: ast.AST
    ) -> Any:
        """Return what a function returns."""
        bound = inspect.signature(source.fn).bind(*args, **kwargs)
        bound.apply_defaults()
        state = State({name: scalar(value) for name, value in bound.arguments.items()})
        if isinstance(source.tree, ast.Lambda):
            return Expressions(source, state, self).value(source.tree.body)
        state = _Statements(source, self).run(source.tree.body, state)
        if state.returned is not True or isinstance(state.result, Unset):
            source.refuse("the function may end without return", source.tree)
        return state.result


class _Statements(Looping):
    """Runs the statements of one function."""

    def __init__(self, source: Source, interpreter: Interpreter) -> None:
        self.source, self.interpreter = source, interpreter

    def at(self, state: State) -> Expressions:
        """Return what evaluates expressions in a state."""
        return Expressions(self.source, state, self.interpreter)

    def run(self, nodes: Sequence[ast.stmt], state: State) -> State:
        """Run statements; what follows a way out is run where that was not taken."""
        for place, node in enumerate(nodes):
            method = getattr(self, f"_{type(node).__name__.lower()}", None)
            if method is None:
                kind = type(node).__name__
                self.source.refuse(f"{_REFUSED.get(kind, kind)} cannot be compiled", node)
            state = method(node, state)
            if state.left is True:
                break
            if state.left is not False and nodes[place + 1 :]:
                return self.where_not(state.left, state, nodes[place + 1 :])
        return state

    def where_not(self, condition: Truth, state: State, nodes: Sequence[ast.stmt]) -> State:
        """Run statements where a condition does not hold, and leave the state where it does."""
        inside = self.under(negation(condition), nodes, state.branch())
        return self.join(condition, state, inside, nodes[0])

    def under(self, condition: Truth, nodes: Sequence[ast.stmt], state: State) -> State:
        """Run statements where a condition holds."""
        outside = self.interpreter.path
        self.interpreter.path = conjunction(outside, condition)
        found = self.run(nodes, state)
        self.interpreter.path = outside
        return found

    def join(self, condition: Truth, a: State, b: State, node: ast.AST) -> State:
        """Join two states; say where that cannot be."""
        with self.source.placed(node):
            return joined(condition, a, b)

    # -- plain statements --------------------------------------------------------------------

    def _pass(self, node: ast.Pass, state: State) -> State:
        return state

    def _expr(self, node: ast.Expr, state: State) -> State:
        if not isinstance(node.value, ast.Constant):
            self.at(state).value(node.value)
        return state

    def _assign(self, node: ast.Assign, state: State) -> State:
        value = self.at(state).value(node.value)
        for target in node.targets:
            self.assign(target, value, state)
        return state

    def _annassign(self, node: ast.AnnAssign, state: State) -> State:
        if node.value is not None:
            self.assign(node.target, self.at(state).value(node.value), state)
        return state

    def _augassign(self, node: ast.AugAssign, state: State) -> State:
        if not isinstance(node.target, ast.Name):
            self.source.refuse("only names can be assigned to", node)
        at = self.at(state)
        old = at.value(ast.copy_location(ast.Name(node.target.id, ast.Load()), node))
        if isinstance(old, (list, TermArray)):
            self.source.refuse("arrays and lists cannot be changed in place here", node)
        new = at.value(node.value)
        with self.source.placed(node):
            self.assign(node.target, at.binary(node, node.op, old, new), state)
        return state

    def assign(self, target: ast.expr, value: Any, state: State) -> None:
        """Assign to a name, or to several."""
        if isinstance(target, ast.Name):
            state.names[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            if any(isinstance(item, ast.Starred) for item in target.elts):
                self.source.refuse("* in a target cannot be compiled", target)
            if isinstance(value, Term) or not hasattr(value, "__len__"):
                self.source.refuse("one number cannot be taken apart", target)
            if len(value) != len(target.elts):
                self.source.refuse(f"{len(value)} values for {len(target.elts)} names", target)
            for item, part in zip(target.elts, value, strict=True):
                self.assign(item, scalar(part), state)
        else:
            self.source.refuse("only names can be assigned to, no elements or attributes", target)

    # -- ways ---------------------------------------------------------------------------------

    def _return(self, node: ast.Return, state: State) -> State:
        if node.value is None:
            self.source.refuse("return a number", node)
        state.result = self.at(state).value(node.value)
        state.returned = True
        return state

    def _break(self, node: ast.Break, state: State) -> State:
        state.broken = True
        return state

    def _continue(self, node: ast.Continue, state: State) -> State:
        state.skipped = True
        return state

    def _if(self, node: ast.If, state: State) -> State:
        condition = self.at(state).truth(node.test)
        if isinstance(condition, bool):
            return self.run(node.body if condition else node.orelse, state)
        one = self.under(condition, node.body, state.branch())
        other = self.under(negation(condition), node.orelse, state.branch())
        return self.join(condition, one, other, node)

    # -- loops that are written out ------------------------------------------------------------

    def _for(self, node: ast.For, state: State) -> State:
        if isinstance(node.iter, ast.Call) and self.at(state).value(node.iter.func) is range:
            at = self.at(state)
            bounds = [self._whole(at.value(arg), arg) for arg in node.iter.args]
            if not self._is_short(node, bounds):
                return self.counted(node, bounds, state)
            items: Any = range(*bounds)
        else:
            items = self.at(state).value(node.iter)
            if isinstance(items, Term):
                self.source.refuse("a number cannot be gone through: use range", node.iter)
        return self.written_out(node, items, state)

    def _whole(self, value: Any, node: ast.AST) -> Any:
        """Return a bound of a range; one that is known must be whole, as Python has it."""
        if isinstance(value, Term):
            return value
        if not isinstance(value, numbers.Integral):
            self.source.refuse(f"range takes whole numbers, not {value!r}", node)
        return int(value)

    def _is_short(self, node: ast.For, bounds: Sequence[Any]) -> bool:
        """Tell whether a loop is to be written out: a short one, or where its places are read."""
        if any(isinstance(bound, Term) for bound in bounds):
            return False
        names = set(assigned([ast.Assign([node.target], node.iter)]))
        return len(range(*bounds)) <= SHORT or _indexed_by(names, node.body)

    def written_out(self, node: ast.For, items: Any, state: State) -> State:
        """Run the body once for each of some known items."""
        for count, item in enumerate(items):
            if count >= MOST_STEPS:
                self.source.refuse(f"a loop of over {MOST_STEPS:,} steps is not written out", node)
            out: Truth = state.left
            if out is True:
                break
            inside = state.branch() if out is not False else state
            self.assign(node.target, scalar(item), inside)
            inside = self.under(negation(out), node.body, inside)
            inside.skipped = False
            state = self.join(out, state, inside, node) if out is not False else inside
        broken, state.broken = state.broken, False
        return self.otherwise(node, broken, state)

    def otherwise(self, node: ast.For | ast.While, broken: Truth, state: State) -> State:
        """Run the else of a loop where it was not broken off."""
        if not node.orelse or broken is True:
            return state
        left = state.left
        if left is True:
            return state
        if broken is False and left is False:
            return self.run(node.orelse, state)
        return self.where_not(disjunction(broken, left), state, node.orelse)


def _indexed_by(names: set[str], body: Sequence[ast.stmt]) -> bool:
    """Tell whether a container is read at a place that one of the names says."""
    return any(
        isinstance(part, ast.Name) and part.id in names
        for node in _walk(body) if isinstance(node, ast.Subscript)
        for part in ast.walk(node.slice)
    )  # fmt: skip


def _walk(nodes: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    for node in nodes:
        yield from ast.walk(node)
