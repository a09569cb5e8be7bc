"""The two walks behind all traversals, with explicit stacks over numbered nodes.

`walk` rewrites every distinct node once; `Search` rewrites the first place where a strategy
applies.
"""

from typing import Any, Final, Protocol

from rewrite.errors import SortError, StrategyError
from rewrite.foreign import Foreign
from rewrite.store import Store
from rewrite.term import Term, join
from strategies.base import Script, Strategy, cut
from strategies.tracing import runaway

__all__ = ["Nodes", "Run", "Search", "allowance", "allowed", "nodes_of", "walk"]

STEPS: Final = 10_000
"""Fewer steps than these are never too many, so that nothing has to be counted for them."""


class Nodes(Protocol):
    """What a walk needs of a kind of terms, whose nodes are numbers."""

    def enter(self, term: Any) -> int: ...
    def leave(self, node: int) -> Any: ...
    def children(self, node: int) -> tuple[int, ...]: ...
    def rebuild(self, node: int, children: tuple[int, ...]) -> int: ...


class Terms:
    """Nodes of a store; what comes from another store is brought in."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def enter(self, term: Term) -> int:
        return join(self.store, term).id

    def leave(self, node: int) -> Term:
        return Term(self.store, node)

    def children(self, node: int) -> tuple[int, ...]:
        return self.store.children(node)

    def rebuild(self, node: int, children: tuple[int, ...]) -> int:
        return self.store.make((self.store.code(node), *children))


def nodes_of(term: Any) -> Nodes:
    """Return the nodes that a term is one of."""
    return Terms(term.store) if isinstance(term, Term) else Foreign(term)


def allowance(nodes: Nodes, root: int) -> int:
    """Return how many steps a term may take unless it is said: 10,000, and ten a node."""
    seen, stack = {root}, [root]
    while stack:
        for child in nodes.children(stack.pop()):
            if child not in seen:
                seen.add(child)
                stack.append(child)
    return allowed(len(seen))


def allowed(nodes: int) -> int:
    """Return how many steps a term of so many nodes may take."""
    return STEPS + 10 * nodes


class Run:
    """One run of a strategy over the nodes of a term, with a bound on how often it may fire."""

    def __init__(
        self, whole: Strategy, body: Strategy, term: Any, limit: int | None = None
    ) -> None:
        self.whole, self.body = whole, body
        self.nodes = nodes_of(term)
        self.root = self.nodes.enter(term)
        self.limit = limit
        self.fired = 0
        self.last = self.root

    def fire(self, node: int, body: Strategy | None = None) -> Script:
        """Apply the strategy, or another one, to a node."""
        made = yield body or self.body, self.nodes.leave(node)
        if made is None:
            return None
        result = self.nodes.enter(made)
        if result != node:
            self.fired += 1
            self.last = node
            if self.fired > (self.limit or STEPS) and self.fired > self.bound():
                raise self.runaway(f"after {self.fired - 1} steps")
        return result

    def bound(self) -> int:
        """Return the limit, counting the nodes of the term when it is first needed."""
        if self.limit is None:
            self.limit = allowance(self.nodes, self.root)
        return self.limit

    def runaway(self, when: str) -> StrategyError:
        """Say which rule does not end."""
        return runaway(self.whole, self.body, self.nodes.leave(self.last), when)

    def rebuild(self, node: int, done: dict[int, int]) -> int:
        """Replace the children of a node by their results."""
        new = tuple([done[child] for child in self.nodes.children(node)])
        return self.rebuilt(node, new)

    def rebuilt(self, node: int, new: tuple[int, ...]) -> int:
        """Give a node other children; name the strategy where their sorts do not fit."""
        if new == self.nodes.children(node):
            return node
        try:
            return self.nodes.rebuild(node, new)
        except SortError as error:
            shown = ", ".join(cut(self.nodes.leave(child)) for child in new[:4])
            raise SortError(
                f"the strategy {self.whole} made {shown} of the arguments of "
                f"{cut(self.nodes.leave(node))}: {error}"
            ) from None


_OPEN: Final = -1
_ENTER, _LEAVE, _ALIAS = range(3)


def walk(
    run: Run, *, before: bool = False, after: bool = False, stop: bool = False, again: bool = False
) -> Script:
    """Rewrite every distinct node: `before` its children, `after` them, or both.

    A node to which the strategy does not apply ends the walk: it returns None. With `stop` it is
    applied on the way down, and nothing below is visited where it applies. With `again`, a node
    that was rewritten `after` its children is walked anew, and one to which it does not apply is
    finished.
    """
    done: dict[int, int] = {}
    stack = [(_ENTER, run.root, run.root)]
    while stack:
        phase, node, now = stack.pop()
        if phase == _ALIAS:
            done[node] = done[now]
        elif phase == _LEAVE:
            built = run.rebuild(now, done)
            result = (yield from run.fire(built)) if after else built
            if again and result not in (None, built):
                stack += [(_ALIAS, node, result), (_ENTER, result, result)]
            elif result is None and not again:
                return None
            else:
                done[node] = built if result is None else result
                if again:  # a normal form, should it be met later
                    done.setdefault(built, built)
        elif not _seen(run, done, node):
            fresh = (yield from run.fire(node)) if before or stop else node
            if stop and fresh is not None:
                done[node] = fresh
                continue
            fresh = node if stop else fresh
            if fresh is None:
                return None
            children = run.nodes.children(fresh)
            stack.append((_LEAVE, node, fresh))
            stack += [(_ENTER, child, child) for child in reversed(children)]
    return run.nodes.leave(done[run.root])


def _seen(run: Run, done: dict[int, int], node: int) -> bool:
    known = done.get(node)
    if known == _OPEN:
        raise run.runaway(f"it came back to {cut(run.nodes.leave(node))}")
    if known is None:
        done[node] = _OPEN
    return known is not None


class Search:
    """Looks for the first place where a strategy applies; what failed once is not tried again.

    `upwards` tries children before their parent. With `changing`, results equal to the term do not
    count.
    """

    def __init__(self, run: Run, *, upwards: bool = False, changing: bool = False) -> None:
        self.run, self.upwards, self.changing = run, upwards, changing
        self.failed: set[int] = set()

    def once(self, root: int) -> Script:
        """Return the root with its first such place rewritten, None if there is none."""
        path: list[tuple[int, tuple[int, ...], int]] = []  # node, its children, the place in them
        node: int | None = root
        while True:
            if node is not None and node not in self.failed:
                made = None if self.upwards else (yield from self._try(node))
                if made is not None:
                    return self._climb(path, made)
                path.append((node, self.run.nodes.children(node), -1))
            if not path:
                return None
            node, children, place = path.pop()
            if place + 1 < len(children):
                path.append((node, children, place + 1))
                node = children[place + 1]
                continue
            made = (yield from self._try(node)) if self.upwards else None
            if made is not None:
                return self._climb(path, made)
            self.failed.add(node)
            node = None

    def _try(self, node: int) -> Script:
        made = yield from self.run.fire(node)
        return None if self.changing and made == node else made

    def _climb(self, path: list[tuple[int, tuple[int, ...], int]], made: int) -> int:
        for node, children, place in reversed(path):
            made = self.run.rebuilt(node, (*children[:place], made, *children[place + 1 :]))
        return made
