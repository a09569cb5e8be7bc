"""Loops whose length depends on data: a state that is carried from step to step."""

import ast
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewrite.array import TermArray
from rewrite.flow.body import Body, Loop
from rewrite.flow.source import Source, assigned
from rewrite.flow.state import State
from rewrite.flow.values import (
    Truth,
    Unset,
    chosen,
    conjunction,
    is_number,
    negation,
    number_of,
    term_of,
)
from rewrite.flow.wholeness import is_whole
from rewrite.sorts import BOOL, INT
from rewrite.store import Symbol
from rewrite.term import Term, apply
from rewrite.tracing import leaves, rebuilt

if TYPE_CHECKING:
    from rewrite.flow.statements import Interpreter

__all__ = ["Looping"]

COUNTER, RETURNED, BROKEN, RESULT = " counter", " returned", " broken", " result"
"""Parts of the state that have no name in the function."""


@dataclass(frozen=True)
class _Plan:
    """How a loop goes on: its start, whether it goes on, and the step."""

    start: dict[str, Any]
    go: Callable[[State], Truth]
    step: Callable[[State], State]
    sure: bool
    """Whether the first step is taken for sure."""


class Looping:
    """The part of an interpreter that makes loops."""

    source: Source
    interpreter: "Interpreter"

    run: Callable[[Sequence[ast.stmt], State], State]
    at: Callable[[State], Any]
    assign: Callable[[ast.expr, Any, State], None]
    otherwise: Callable[[Any, Truth, State], State]

    def _while(self, node: ast.While, state: State) -> State:
        """Make a loop; one that is known to be over is left out."""
        outside, self.interpreter.loops = self.interpreter.loops, []
        first = self.at(state.branch()).truth(node.test)
        self.interpreter.loops = outside
        if first is False:
            return self.otherwise(node, False, state)
        plan = _Plan(
            {}, lambda inside: self.at(inside).truth(node.test),
            lambda inside: self.run(node.body, inside), first is True,
        )  # fmt: skip
        return self.looped(node, plan, state)

    def counted(self, node: ast.For, bounds: Sequence[Any], state: State) -> State:
        """Make a loop over a range."""
        start, stop, step = (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1)[:3]
        if not isinstance(step, int) or step == 0:
            self.source.refuse("the step of a range must be known, and not 0", node.iter)
        known = not isinstance(start, Term) and not isinstance(stop, Term)
        if known and not range(start, stop, step):
            return self.otherwise(node, False, state)

        def go(inside: State) -> Truth:
            return apply("lt" if step > 0 else "gt", inside.names[COUNTER], number_of(stop))

        def one(inside: State) -> State:
            here = inside.names[COUNTER]
            self.assign(node.target, here, inside)
            after = self.run(node.body, inside)
            after.names[COUNTER] = here + step
            return after

        return self.looped(node, _Plan({COUNTER: number_of(start)}, go, one, known), state)

    # -- the state -----------------------------------------------------------------------------

    def looped(self, node: ast.For | ast.While, plan: _Plan, state: State) -> State:
        """Make a loop, after a trial that shows what its state is."""
        start, real = self._carried(node, plan, state), set[str]()
        count = self.interpreter.count
        while True:
            self.interpreter.count = count
            found = self._tried(node, plan, state, start, real)
            if found.loop is not None:
                break
            start = found.start
        self.interpreter.loops.append(found.loop)
        return self._after(state, found.loop, found, node)

    def _carried(self, node: ast.For | ast.While, plan: _Plan, state: State) -> dict[str, Any]:
        """Return what the loop may change, as it is before."""
        start = dict(plan.start)
        target = [ast.Assign([node.target], node.iter)] if isinstance(node, ast.For) else []
        tests = [ast.Expr(node.test)] if isinstance(node, ast.While) else []
        for name in assigned([*target, *tests, *node.body]):
            held = state.names.get(name, Unset(name))
            if isinstance(held, Unset) and not plan.sure:
                continue
            if isinstance(held, (tuple, list)) and held and all(map(is_number, held)):
                self.source.refuse(
                    f"{name!r} is a container that a loop changes: give its parts names", node
                )
            if isinstance(held, Unset):
                start[name] = math.nan
            elif is_number(held):
                start[name] = held
            elif isinstance(held, TermArray):
                self.source.refuse(f"{name!r} is an array that a loop changes", node)
            else:
                self.source.refuse(f"a loop changes {name!r}, which is {held!r} before it", node)
        return start

    def _tried(
        self, node: Any, plan: _Plan, state: State, start: dict[str, Any], real: set[str]
    ) -> "_Found":
        """Run a step on symbols; a start that lacks a part, or has another sort, is mended.

        What is whole at first is taken to stay so, unless it is among the `real` ones, to which is
        added what did not.
        """
        interpreter = self.interpreter
        symbols = {
            name: self._symbol(name, value, whole=name not in real and is_whole(value))
            for name, value in start.items()
        }
        go, inside, inner = self._stepped(plan, state, symbols, assigned(node.body))
        mended = dict(start)
        parts = {n: inside.names[n] for n in start if n == COUNTER or not n.startswith(" ")}
        self._ways_out(inside, symbols, mended, parts)
        next_ = self._next(node, parts, mended)
        halves = {n for n, s in symbols.items() if s.sort == INT and not is_whole(next_[n])}
        real |= halves
        sorts = [{n: term_of(value).sort for n, value in each.items()} for each in (mended, start)]
        if halves or sorts[0] != sorts[1]:
            return _Found(mended, None, inside)
        for flag in (RETURNED, BROKEN):
            if flag in symbols:
                go = conjunction(go, negation(symbols[flag]))
        go = conjunction(interpreter.path, go)
        if go is True:
            self.source.refuse("this loop never ends", node)
        loop = Loop(
            tuple(map(term_of, start.values())), tuple(symbols.values()),
            Body(inner, (term_of(go), *(next_[n] for n in start))),
            tuple(self._symbol(n, start[n], whole=symbols[n].sort == INT) for n in start),
        )  # fmt: skip
        return _Found(start, loop, inside)

    def _stepped(
        self, plan: _Plan, state: State, symbols: dict[str, Term], changed: Iterable[str]
    ) -> tuple[Truth, State, tuple[Loop, ...]]:
        """Run a step: return whether it goes on, the state after it, and the loops in it."""
        interpreter = self.interpreter
        outside = interpreter.loops, interpreter.path
        interpreter.loops, interpreter.path = [], True
        interpreter.steps += 1
        held = {n: s for n, s in symbols.items() if n not in (RETURNED, BROKEN)}
        inside = State({**state.names, **held, **{n: Unset(n) for n in changed if n not in held}})
        go = plan.go(inside)
        inside = plan.step(inside)
        inner = tuple(interpreter.loops)
        interpreter.steps -= 1
        interpreter.loops, interpreter.path = outside
        return go, inside, inner

    def _ways_out(
        self, inside: State, symbols: dict[str, Term], start: dict[str, Any], parts: dict[str, Any]
    ) -> None:
        """Carry whether the loop was left, and the result where the function returned."""
        if inside.broken is not False:
            start.setdefault(BROKEN, False)
            parts[BROKEN] = inside.broken
        if inside.returned is False:
            return
        start.setdefault(RETURNED, False)
        parts[RETURNED] = inside.returned
        for place, (_, value) in enumerate(leaves(inside.result)):
            name = f"{RESULT}{place}"
            truth = isinstance(value, bool) or (isinstance(value, Term) and value.sort == BOOL)
            start.setdefault(name, False if truth else math.nan)
            parts[name] = chosen(inside.returned, value, symbols.get(name, value), "the result")

    def _next(self, node: Any, parts: dict[str, Any], start: dict[str, Any]) -> dict[str, Term]:
        """Return the next state as terms of the sorts of the first; mend what was a guess."""
        found = {}
        for name, value in parts.items():
            if isinstance(value, Unset) or not is_number(value):
                self.source.refuse(f"{name.strip()!r} is no number after a step of this loop", node)
            made, first = term_of(value), term_of(start[name])
            if made.sort == BOOL != first.sort:
                if isinstance(start[name], float) and math.isnan(start[name]):
                    start[name] = False
                else:
                    made = term_of(number_of(made))
            elif made.sort != BOOL == first.sort:
                start[name] = number_of(first)
            found[name] = made
        return found

    def _symbol(self, name: str, like: Any, *, whole: bool) -> Term:
        """Make a symbol for a part of a state."""
        interpreter = self.interpreter
        interpreter.count += 1
        plain = f"{name.strip()}__{interpreter.count}"
        kind = "bool" if term_of(like).sort == BOOL else "int64" if whole else None
        store = interpreter.store
        return Term(store, store.symbol(Symbol(plain, kind)))

    def _after(self, state: State, loop: Loop, found: "_Found", node: Any) -> State:
        """Return the state after a loop."""
        end = dict(zip(found.start, loop.end, strict=True))
        after = State({**state.names})
        after.names |= {n: value for n, value in end.items() if not n.startswith(" ")}
        after.names |= {n: Unset(n) for n in assigned(node.body) if n not in end}
        if RETURNED in end:
            after.returned = end[RETURNED]
            results = [end[n] for n in end if n.startswith(RESULT)]
            after.result = rebuilt(found.inside.result, iter(results))
        return self.otherwise(node, end.get(BROKEN, False), after)


@dataclass(frozen=True)
class _Found:
    """What a trial of a loop showed: the loop, or a start with which another trial may."""

    start: dict[str, Any]
    loop: Loop | None
    inside: State
