"""Bodies of steps: small programs of shapes, and straight-line code, lowered as elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from codegen.instruction import ValueType
from codegen.loops.facts import Facts
from codegen.loops.machine.kinds import CONST, INNER
from codegen.loops.program import WORK
from codegen.lower import finished, lower_part
from codegen.program import Program, ProgramBuilder
from rewrite import ops
from rewrite.dag import Dag

__all__ = ["Bodies", "Recipe"]

_SYMBOL: Final = ops.SYMBOL.code
_CONST: Final = ops.CONST.code


@dataclass(frozen=True, eq=False)
class Recipe:
    """The body of a shape, and which leaves of an instance are its operands."""

    body: Program
    columns: tuple[int, ...]


class Bodies:
    """Write bodies of the cones of one program."""

    def __init__(self, facts: Facts, *, strict: bool, approximate: bool) -> None:
        self.facts, self.strict, self.approximate = facts, strict, approximate
        self._known: dict[Program, Program] = {}
        """Bodies that there are: equal ones are one object."""
        self._place = np.full(len(facts.dag), -1, np.int64)
        known = [*(argument.type for argument in facts.arguments)]
        known += [output.type for output in facts.outputs]
        self._types = np.array([*known, "f"])
        """By segment; that of work cells is the last one, at -1."""

    def of_shape(
        self, roots: Sequence[int], leaves: npt.NDArray[np.int64], inside: Any, *,
        shown: Sequence[bool], factors: Sequence[int],
    ) -> Recipe:  # fmt: skip
        """Write the body of a shape from its first instance, `leaves[0]`.

        What is the same in all instances becomes part of it. `inside` tells which nodes below the
        roots it computes. Each root that is shown is an output, or the first one with the signs
        that `factors` gives.
        """
        part = _Part(self.facts)
        slots = self._slots(leaves, part)
        walk = _Walk(part, slots, inside)
        values = [walk.visit(root, top=True) for root in roots]
        inputs = [(row, self.type_of(at)) for row, at in part.read]
        builder, found = self._lower(part.dag(), inputs, part.pairs)
        kept = [
            self._kept(builder, root, found[value])
            for root, value, show in zip(roots, values, shown, strict=True)
            if show
        ]
        if factors:
            signed = {
                sign: kept[0] if sign > 0 else builder.emit("neg", kept[0])
                for sign in sorted(set(factors))
            }
            kept = [signed[sign] for sign in factors]
        for number, value in enumerate(kept):
            builder.output(f"r{number}", value)
        columns = tuple(k for k, slot in enumerate(slots) if part.column[slot] == k)
        body = finished(builder)
        return Recipe(self._known.setdefault(body, body), columns)

    def of_nodes(
        self, nodes: npt.NDArray[np.int64], outputs: npt.NDArray[np.int64]
    ) -> tuple[Program, npt.NDArray[np.int64]]:
        """Write straight-line code of some nodes; return it, and the nodes that it reads."""
        facts, dag, kind = self.facts, self.facts.dag, self.facts.kind
        counts = dag.start[nodes + 1] - dag.start[nodes]
        start = np.r_[0, np.cumsum(counts)]
        edges = dag.args[np.repeat(dag.start[nodes] - start[:-1], counts) + np.arange(start[-1])]
        place = self._place
        place[nodes] = np.arange(len(nodes))
        outside = np.flatnonzero(place[edges] < 0)
        leaves = np.unique(edges[outside])
        place[leaves] = np.arange(len(leaves)) - len(leaves)
        args = place[edges] + len(leaves)
        where = place[outputs] + len(leaves)
        place[nodes], place[leaves] = -1, -1
        empty = np.zeros(len(leaves), np.int64)
        is_read = kind[leaves] != CONST
        values: list[Any] = [None] * (len(leaves) + len(nodes))
        for row in np.flatnonzero(~is_read).tolist():
            values[row] = dag.value[leaves[row]]
        part = Dag(
            np.r_[dag.code[leaves], dag.code[nodes]], np.r_[empty, start], args.astype(np.int32),
            np.r_[dag.sort[leaves], dag.sort[nodes]], values, [],
            np.r_[dag.ids[leaves], dag.ids[nodes]],
        )  # fmt: skip
        read = leaves[is_read]
        types = self._types[facts.segment[read]].tolist()
        pairs = {part.rows()[k + len(leaves)][1] for k in np.flatnonzero(facts.paired[nodes])}
        builder, found = self._lower(
            part, list(zip(np.flatnonzero(is_read).tolist(), types, strict=True)), pairs
        )
        for number, (root, value) in enumerate(zip(outputs.tolist(), where.tolist(), strict=True)):
            builder.output(f"r{number}", self._kept(builder, root, found[value]))
        return finished(builder), read

    def copy(self, kind: ValueType) -> Program:
        """Write a body that returns its argument."""
        builder = ProgramBuilder("body")
        builder.output("r0", builder.load(builder.argument("a0", (), kind)))
        return builder.finish()

    def truth(self, value: bool) -> Program:
        """Write a body that returns a truth value."""
        builder = ProgramBuilder("body")
        builder.output("r0", builder.const(value))
        return builder.finish()

    def type_of(self, at: int) -> ValueType:
        """Return the type of a leaf."""
        facts = self.facts
        return "f" if facts.kind[at] == CONST else self._types[facts.segment[at]].item()

    def _slots(self, leaves: Any, part: "_Part") -> list[int]:
        """Give each leaf a row: that of a constant, of an argument, or of an equal leaf."""
        constants = self.facts.constants
        first = leaves[0].tolist()
        rows: list[int] = []
        seen: dict[int, list[int]] = {}
        for k, at in enumerate(first):
            same = next((j for j in seen.get(at, ()) if (leaves[:, j] == leaves[:, k]).all()), None)
            if same is not None:
                rows.append(rows[same])
                continue
            seen.setdefault(at, []).append(k)
            if self.facts.kind[at] == CONST:
                numbers = constants.number[leaves[:, k]]
                varies = bool((numbers != numbers[0]).any())
                rows.append(part.leaf(at, constant=not varies, column=k))
            else:
                rows.append(part.leaf(at, constant=False, column=k))
        return rows

    def _kept(self, builder: ProgramBuilder, root: int, value: int) -> int:
        """Return what is written of a node: a number for a truth value in a work cell."""
        if not self.facts.boolean[root] or self.facts.segment[root] != WORK:
            return value
        return builder.emit("where", value, builder.const(1.0), builder.const(0.0))

    def _lower(
        self, part: Dag, inputs: Sequence[tuple[int, ValueType]], pairs: set[tuple[int, ...]]
    ) -> tuple[ProgramBuilder, list[int]]:
        return lower_part(
            part, self.facts.store, inputs, strict=self.strict, approximate=self.approximate,
            pairs=pairs,
        )  # fmt: skip


class _Part:
    """A part of a program that is being written, children first."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.rows: list[tuple[int, tuple[int, ...]]] = []
        self.value: list[Any] = []
        self.origin: list[int] = []
        self.read: list[tuple[int, int]] = []
        """For each argument its row, and a leaf."""
        self.column: list[int] = []
        """By row: the column of the leaf that is read, -1 for others."""
        self.pairs: set[tuple[int, ...]] = set()

    def leaf(self, at: int, *, constant: bool, column: int = -1) -> int:
        """Append an argument, or the constant itself."""
        self.rows.append((_CONST if constant else _SYMBOL, ()))
        self.value.append(self.facts.dag.value[at] if constant else None)
        self.column.append(-1 if constant else column)
        if not constant:
            self.read.append((len(self.rows) - 1, at))
        self.origin.append(at)
        return len(self.rows) - 1

    def node(self, at: int, code: int, args: tuple[int, ...]) -> int:
        """Append an inner node."""
        self.rows.append((code, args))
        self.value.append(None)
        self.origin.append(at)
        self.column.append(-1)
        if self.facts.paired[at]:
            self.pairs.add(args)
        return len(self.rows) - 1

    def dag(self) -> Dag:
        """Return the part as a program."""
        facts = self.facts
        origin = np.array(self.origin, np.int64)
        start = np.zeros(len(self.rows) + 1, np.int64)
        np.cumsum([len(args) for _, args in self.rows], out=start[1:])
        return Dag(
            np.array([code for code, _ in self.rows], np.uint8), start,
            np.array([a for _, args in self.rows for a in args], np.int32), facts.dag.sort[origin],
            self.value, list(range(len(self.rows))), facts.dag.ids[origin],
        )  # fmt: skip


class _Walk:
    """Visit a cone as the compiled walk does, so that leaves come in the same order."""

    def __init__(self, part: _Part, slots: Sequence[int], inside: Any) -> None:
        self.part, self.slots, self.inside = part, slots, inside
        self.found: dict[int, int] = {}
        self.met = 0

    def visit(self, root: int, *, top: bool = False) -> int:
        """Return the row of a node, after those of its arguments; without recursion."""
        results: list[int] = []
        stack: list[tuple[int, int, int]] = [(root, -1, 0)]
        while stack:
            at, parent, place = stack.pop()
            if place < 0:  # its arguments are done
                count = -place - 1
                args = tuple(results[len(results) - count :])
                del results[len(results) - count :]
                row = self.part.node(at, int(self.part.facts.dag.code[at]), args)
                self.found[at] = row
                results.append(row)
            elif self._opens(at, first=top and parent < 0):
                if at in self.found:
                    results.append(self.found[at])
                    continue
                self._open(at, stack)
            else:
                results.append(self._leaf(at, parent, place))
        return results[0]

    def _opens(self, at: int, *, first: bool) -> bool:
        return self.part.facts.kind[at] == INNER and bool(self.inside(at, first))

    def _open(self, at: int, stack: list[tuple[int, int, int]]) -> None:
        dag = self.part.facts.dag
        args = dag.args[dag.start[at] : dag.start[at + 1]].tolist()
        stack.append((at, -1, -len(args) - 1))
        stack += [(child, at, k) for k, child in reversed(list(enumerate(args)))]

    def _leaf(self, at: int, parent: int, place: int) -> int:
        facts = self.part.facts
        if facts.kind[at] == CONST and parent >= 0 and _baked(facts, at, parent, place):
            return self.part.leaf(at, constant=True)
        self.met += 1
        return self.slots[self.met - 1]


def _baked(facts: Facts, at: int, parent: int, place: int) -> bool:
    """Tell whether a constant is part of the code (see the compiled `is_baked`)."""
    bakes, code = int(facts.constants.bakes[at]), int(facts.dag.code[parent])
    power, divisor = code == ops.POW.code and bakes & 2, code == ops.DIV.code and bakes & 4
    return bool(bakes & 1 or (place == 1 and (power or divisor)))
