"""Matching in classes: patterns as programs, and every way in which an e-node matches one."""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from rewrite import ops
from rewrite.constants import Constant
from rewrite.dag import Dag
from rewrite.egraph.plain import plain
from rewrite.egraph.proofs import Proofs
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = ["Binding", "Pattern", "Program", "Snapshot", "pattern_of", "program_of"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A variable by its name, a constant as a term, or an op with patterns below."""

    name: str = ""
    constant: Term | None = None
    code: int = -1
    below: tuple["Pattern", ...] = ()


@functools.lru_cache(maxsize=4096)
def _pattern(store: Store, node: int) -> Pattern:
    scratch = Store()
    dag = Dag.of(scratch, [plain(scratch, Term(store, node))])
    made: list[Pattern] = []
    for at, (code, args) in enumerate(dag.rows()):
        value = dag.value[at]
        if isinstance(value, Symbol):
            made.append(Pattern(name=value.name))
        elif value is not None:
            made.append(Pattern(constant=Term(scratch, int(dag.ids[at]))))
        else:
            made.append(Pattern(code=code, below=tuple(made[a] for a in args)))
    return made[dag.roots[0]]


def pattern_of(term: Term) -> Pattern:
    """Return a rule's side, with sums and products of many as chains."""
    return _pattern(term.store, term.id)


type Binding = dict[str, int]
type Registers = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A pattern as steps on registers, the first of which are the children of an e-node.

    After de Moura & Bjorner 2007, "Efficient E-matching for SMT solvers". `(code, k, -1)` adds the
    children of each e-node of that op in the class of register k, `(-1, k, j)` asks for the same
    class as register j's, and `(-2, k, j)` for the class of constant number j.
    """

    code: int
    steps: tuple[tuple[int, int, int], ...]
    names: tuple[tuple[str, int], ...]
    constants: tuple[Constant, ...]


def program_of(term: Term) -> Program:
    """Return a side of a rule as a program; what has many answers is asked last."""
    return _program(term.store, term.id)


@functools.lru_cache(maxsize=4096)
def _program(store: Store, node: int) -> Program:
    pattern = _pattern(store, node)
    steps: list[tuple[int, int, int]] = []
    names: dict[str, int] = {}
    constants: list[Constant] = []
    waiting: list[tuple[int, Pattern]] = []
    count = 0

    def enter(below: tuple[Pattern, ...]) -> None:
        nonlocal count
        for part in below:
            place, count = count, count + 1
            if part.constant is not None:
                assert part.constant.value is not None
                constants.append(part.constant.value)
                steps.append((-2, place, len(constants) - 1))
            elif not part.name:
                waiting.append((place, part))
            elif names.setdefault(part.name, place) != place:
                steps.append((-1, place, names[part.name]))

    enter(pattern.below)
    while waiting:
        place, part = waiting.pop(0)
        steps.append((part.code, place, -1))
        enter(part.below)
    return Program(pattern.code, tuple(steps), tuple(names.items()), tuple(constants))


class Snapshot:
    """The classes as they are now, for matching many patterns."""

    def __init__(self, proofs: Proofs) -> None:
        self.proofs, self.store = proofs, proofs.store
        self.root = {node: proofs.find(node) for node in proofs.root}
        self._children: dict[int, dict[int, list[Registers]]] = {}
        self._at: dict[int, list[int]] = {}
        for root, members in proofs.members.items():
            if root in proofs.constant:
                continue  # a class with an exact value needs no other form of it
            below = self._children[root] = {}
            for node in members:
                code = self.store.code(node)
                if code > ops.PVAR.code:
                    below.setdefault(code, []).append(self.store.children(node))
                    self._at.setdefault(code, []).append(node)
        for nodes in self._at.values():
            nodes.sort()

    def matches(self, program: Program) -> Iterator[Binding]:
        """Yield what the variables stand for wherever an e-node matches: terms, oldest first."""
        return self.matches_at(program, self._at.get(program.code, ()))

    def matches_at(self, program: Program, nodes: Iterable[int]) -> Iterator[Binding]:
        """Yield what the variables stand for where one of these e-nodes matches."""
        constants = [self.root.get(self.store.constant(v), -1) for v in program.constants]
        for node in nodes:
            for found in self._run(program, constants, self.store.children(node)):
                yield {name: found[k] for name, k in program.names}

    def _run(self, program: Program, constants: list[int], children: Registers) -> list[Registers]:
        root, found = self.root, [children]
        for code, k, j in program.steps:
            if code >= 0:
                found = [
                    (*regs, *below)
                    for regs in found
                    for below in self._children.get(root[regs[k]], _NONE).get(code, ())
                ]
            elif code == -1:
                found = [regs for regs in found if root[regs[k]] == root[regs[j]]]
            else:
                found = [regs for regs in found if root[regs[k]] == constants[j]]
            if not found:
                break
        return found


_NONE: Final[dict[int, list[Registers]]] = {}
