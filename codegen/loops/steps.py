"""From ordered units to the steps of a program: cells, tables and bodies."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from codegen.loops.bodies import Bodies, Recipe
from codegen.loops.facts import Facts
from codegen.loops.machine.kinds import CONST, IN, INLINE, PIECE, SHARED
from codegen.loops.machine.trace import collect
from codegen.loops.partition import Partition
from codegen.loops.program import WORK, Cells, Map, Numbers, Operand, Reduce, Scatter, Step, Zero
from codegen.loops.units import SUMS, Order, Units
from codegen.loops.workspace import Workspace

__all__ = ["Steps"]

STRAIGHT: Final = 0
LONGEST: Final = 600
_MOSTLY: Final = 0.9
"""Share of instances."""
"""A piece of straight-line code weighs no more."""

type Longs = npt.NDArray[np.int64]


class Steps:
    """Write steps in their order, and give out cells."""

    def __init__(
        self, facts: Facts, partition: Partition, units: Units, bodies: Bodies, weight: Longs
    ) -> None:
        self.facts, self.partition, self.units, self.bodies = facts, partition, units, bodies
        self.weight = weight
        self.cell = facts.cell.astype(np.int64)
        self.recipes: dict[int, Recipe] = {}
        by = np.argsort(units.shape, kind="stable")
        counts = np.bincount(units.shape) if len(units.shape) else np.zeros(0, np.int64)
        self._instances = by, np.r_[0, np.cumsum(counts)]
        n = len(facts.dag)
        self._scratch = np.empty(len(facts.dag.args) + n + 2, np.int64), np.full(n, -1, np.int64)
        self._gathered = np.empty(n + 1, np.int64)
        self.steps: list[Step] = []

    def write(self, order: Order, edges: tuple[Longs, Longs]) -> int:
        """Write all steps; return how many work cells there are."""
        pieces = list(self._pieces(order))
        step_of = np.full(self.units.count, -1, np.int64)
        for number, (_, members) in enumerate(pieces):
            step_of[members] = number
        sources, users = edges
        last = np.full(self.units.count, -1, np.int64)
        np.maximum.at(last, sources, step_of[users])
        out = np.zeros(self.units.count, np.bool_)
        out[sources[step_of[sources] != step_of[users]]] = True
        space = Workspace(len(pieces))
        self.space, self.last, self.out = space, last, out
        self._zeros()
        for number, (kind, members) in enumerate(pieces):
            space.at(number)
            if kind == STRAIGHT:
                self._straight(members, number)
            elif kind == SUMS:
                self._sums(members)
            elif members[0] >= self.units.first_scattered:
                self._scatter(members)
            else:
                self._map(members)
        self._copies()
        return space.size

    def _pieces(self, order: Order) -> Iterator[tuple[int, Longs]]:
        """Cut straight-line code into pieces."""
        for s, kind in enumerate(order.kinds.tolist()):
            members = order.units[order.begins[s] : order.begins[s + 1]]
            if kind != STRAIGHT:
                yield kind, np.sort(members)
                continue
            members = self._in_order(members)
            weights = np.cumsum(self.weight[members])
            piece = (weights - 1) // LONGEST
            cuts = np.flatnonzero(np.r_[True, piece[1:] != piece[:-1], True])
            for low, high in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
                yield STRAIGHT, members[low:high]

    def _in_order(self, members: Longs) -> Longs:
        """Put straight-line code into the order of the program, where values are used soon."""
        bounds, roots = self.units.traces.bounds, self.units.traces.roots
        if (bounds[members + 1] - bounds[members] > 1).any():
            return members  # clusters may not be in that order
        return members[np.argsort(roots[bounds[members]])]

    # -- loops ---------------------------------------------------------------------------------

    def _map(self, members: Longs) -> None:
        units = self.units
        traces, shape = units.traces, int(units.shape[members[0]])
        recipe = self._recipe(shape)
        members = self._sorted(members, recipe)
        leaves = self._leaves(members)
        width = int(traces.bounds[members[0] + 1] - traces.bounds[members[0]])
        roots = traces.roots[traces.bounds[members][:, None] + np.arange(width)]
        results = []
        for column in range(width):
            nodes = roots[:, column]
            if self.partition.shown[nodes[0]]:
                self._give(nodes, int(self.last[members].max()))
                results.append(self._cells(nodes))
        operands = tuple(self._operand(leaves[:, k]) for k in recipe.columns)
        self.steps.append(Map(recipe.body, operands, tuple(results)))

    def _give(self, nodes: Longs, last: int) -> None:
        """Give new work cells to nodes that are no results."""
        if self.facts.segment[nodes[0]] == WORK:
            self.cell[nodes] = self.space.take(len(nodes), last) + np.arange(len(nodes))

    def _leaves(self, traces: Longs) -> Longs:
        """Return the leaves of traces of one shape, a row each."""
        where = self.units.where
        width = int(where[traces[0] + 1] - where[traces[0]])
        found: Longs = self.units.leaves[where[traces][:, None] + np.arange(width)]
        return found

    def _sorted(self, members: Longs, recipe: Recipe) -> Longs:
        """Sort instances by their results' cells, or by those of a leaf that tells them apart."""
        traces = self.units.traces
        roots = traces.roots[traces.bounds[members]]
        if self.facts.segment[roots[0]] != WORK:
            return members[np.argsort(self.cell[roots], kind="stable")]
        leaves = self._leaves(members)
        for column in recipe.columns:
            nodes = leaves[:, column]
            if self.facts.kind[nodes[0]] != CONST:
                cells = self.cell[nodes]
                order = np.argsort(cells, kind="stable")
                if (np.diff(cells[order]) > 0).all():
                    return members[order]
        return members

    def _recipe(self, shape: int) -> Recipe:
        """Return the body of a shape."""
        if shape not in self.recipes:
            by, begins = self._instances
            traces = by[begins[shape] : begins[shape + 1]]
            self.recipes[shape] = self._body(int(traces[0]), self._leaves(traces))
        return self.recipes[shape]

    def _body(self, trace: int, leaves: Longs) -> Recipe:
        state, home = self.partition.state, self.units.traces.home
        traces = self.units.traces
        roots = traces.roots[traces.bounds[trace] : traces.bounds[trace + 1]].tolist()
        mark = int(traces.marks[trace])
        if mark:
            shown, factors = [True], traces.signs.get(mark) or ((1,) if mark == 1 else (-1,))
        else:
            shown, factors = self.partition.shown[roots].tolist(), ()

        def inside(at: int, first: bool) -> bool:
            if state[at] in (IN, INLINE) or home[at] == trace:
                return True
            return first and state[at] in (PIECE, SHARED)

        return self.bodies.of_shape(roots, leaves, inside, shown=shown, factors=factors)

    def _operand(self, nodes: Longs) -> Operand:
        """Return a table of what is read."""
        if self.facts.kind[nodes[0]] == CONST:
            constants = self.facts.constants
            numbers = constants.number[nodes]
            return Numbers(constants.f64[numbers], constants.f32[numbers])
        return self._cells(nodes)

    def _cells(self, nodes: Longs) -> Cells:
        return Cells(int(self.facts.segment[nodes[0]]), self.cell[nodes].astype(np.int32))

    # -- sums ----------------------------------------------------------------------------------

    def _sums(self, members: Longs) -> None:
        """Write sums, summands of one shape at a time."""
        sums, units = self.partition.sums, self.units
        traces = units.traces
        rows = traces.sums[members - units.first_sum]
        nodes = sums.nodes[rows]
        order = np.lexsort((self.cell[nodes], self.facts.segment[nodes]))
        members, nodes = members[order], nodes[order]
        for segment in np.unique(self.facts.segment[nodes]).tolist():
            there = self.facts.segment[nodes] == segment
            self._give(nodes[there], int(self.last[members[there]].max()))
        first = traces.clusters
        own = units.unit[first : first + traces.summands]
        low, high = np.searchsorted(own, members), np.searchsorted(own, members + 1)
        counts = high - low
        pieces = first + np.repeat(low - np.cumsum(counts) + counts, counts) + np.arange(
            counts.sum()
        )  # fmt: skip
        of = np.repeat(np.arange(len(members)), counts)
        shape = units.shape[pieces]
        turns = self._turns(shape, of)
        for turn in range(int(turns.max()) + 1):
            for kind in np.unique(shape[turns == turn]).tolist():
                chosen = (turns == turn) & (shape == kind)
                self._reduce_each(kind, pieces[chosen], nodes, of[chosen], adds=turn > 0)

    def _turns(self, shape: Longs, of: Longs) -> Longs:
        """Say when each summand is added: in their order, or as many of one shape as there are."""
        if self.bodies.strict:
            new = np.r_[False, shape[1:] != shape[:-1]]
            begins = np.r_[True, of[1:] != of[:-1]]
        else:
            order = np.lexsort((shape, of))
            new = np.r_[False, shape[order][1:] != shape[order][:-1]]
            begins = np.r_[True, of[1:] != of[:-1]]
        turn = np.cumsum(new & ~begins)
        turn -= turn[np.flatnonzero(begins)][np.cumsum(begins) - 1]
        if self.bodies.strict:
            return turn
        found = np.empty_like(turn)
        found[order] = turn
        return found

    def _reduce_each(
        self, shape: int, pieces: Longs, nodes: Longs, of: Longs, *, adds: bool
    ) -> None:  # fmt: skip
        """Write a step for each segment that the sums lie in."""
        segments = self.facts.segment[nodes[of]]
        for segment in np.unique(segments).tolist():
            there = segments == segment
            self._reduce(shape, pieces[there], nodes, of[there], adds)

    def _reduce(self, shape: int, pieces: Longs, nodes: Longs, of: Longs, adds: bool) -> None:
        recipe, leaves = self._recipe(shape), self._leaves(pieces)
        begins = np.flatnonzero(np.r_[True, of[1:] != of[:-1]])
        bounds = np.r_[begins, len(of)].astype(np.int32)
        operands = tuple(self._operand(leaves[:, k]) for k in recipe.columns)
        cells = self._cells(nodes[of[begins]])
        self.steps.append(Reduce(recipe.body, operands, bounds, cells, adds))

    def _zeros(self) -> None:
        """Clear the sums that are scattered to."""
        sums = self.partition.sums
        nodes = sums.nodes[sums.scattered]
        if not nodes.size:
            return
        for segment in np.unique(self.facts.segment[nodes]).tolist():
            there = nodes[self.facts.segment[nodes] == segment]
            there = there[np.argsort(self.cell[there], kind="stable")]
            self._give(there, int(self.last[self.units.maker[there]].max()))
            self.steps.append(Zero(self._cells(there)))

    def _scatter(self, members: Longs) -> None:
        units, sums = self.units, self.partition.sums
        traces = units.traces
        number = members - units.first_scattered
        chosen = traces.clusters + traces.summands + number
        targets = traces.targets[number]
        recipe = self._recipe(int(units.shape[chosen[0]]))
        width = len(recipe.body.outputs)
        cells = self.cell[sums.nodes[targets[:, :width]]]
        leaves = self._leaves(chosen)
        swapped = self._swapped(recipe, leaves, cells)
        if swapped is not None:
            cells = np.take_along_axis(cells, swapped, axis=1)
            targets = np.take_along_axis(targets[:, :width], swapped, axis=1)
        order = np.lexsort(cells.T[::-1])
        leaves, targets = leaves[order], targets[order]
        operands = tuple(self._operand(leaves[:, k]) for k in recipe.columns)
        results = tuple(self._cells(sums.nodes[targets[:, k]]) for k in range(width))
        self.steps.append(Scatter(recipe.body, operands, results))

    def _swapped(self, recipe: Recipe, leaves: Longs, cells: Longs) -> Longs | None:
        """Of targets that get equal numbers, put first what an operand has the number of.

        Then both are the same for many instances in a row, as the first species of reactions is.
        """
        values = [output.values for output in recipe.body.outputs]
        alike = np.array([k for k, value in enumerate(values) if value == values[0]])
        for k in recipe.columns:
            if self.facts.kind[leaves[0, k]] == CONST:
                continue
            match = cells[:, alike] == self.cell[leaves[:, k]][:, None]
            if match.any(axis=1).mean() > _MOSTLY:
                swapped = np.tile(np.arange(len(values)), (len(cells), 1))
                first = alike[match.argmax(axis=1)]
                swapped[:, 0] = first
                swapped[np.arange(len(cells)), first] = 0
                return swapped
        return None

    # -- straight-line code and copies ---------------------------------------------------------

    def _straight(self, members: Longs, turn: int) -> None:
        """Write units as one piece of straight-line code."""
        facts, partition, dag = self.facts, self.partition, self.facts.dag
        traces, constants = self.units.traces, self.facts.constants
        cones = (
            facts.kind, partition.state, facts.segment, partition.shown, traces.home,
            constants.bakes, constants.number, facts.paired,
        )  # fmt: skip
        stack, stamp = self._scratch
        count = collect(
            (dag.code, dag.start, dag.args), (traces.bounds, traces.roots, traces.marks), cones,
            stack, stamp, members, turn, self._gathered,
        )  # fmt: skip
        nodes = np.sort(self._gathered[:count])
        counts = traces.bounds[members + 1] - traces.bounds[members]
        begins = traces.bounds[members] - np.cumsum(counts) + counts
        roots = traces.roots[np.repeat(begins, counts) + np.arange(counts.sum())]
        kept = facts.is_root[roots] | self.out[traces.home[roots]] & partition.shown[roots]
        outputs = np.sort(roots[kept])
        body, read = self.bodies.of_nodes(nodes, outputs)
        there = outputs[facts.segment[outputs] == WORK]
        if there.size:
            self._give(there, int(self.last[members].max()))
        self._single(body, read, outputs)

    def _single(self, body: Any, read: Longs, outputs: Longs) -> None:
        segments = self.facts.segment

        def each(nodes: Longs) -> tuple[Cells, ...]:
            index = list(self.cell[nodes].astype(np.int32).reshape(-1, 1))
            return tuple(map(Cells, segments[nodes].tolist(), index))

        self.steps.append(Map(body, each(read), each(outputs)))

    def _copies(self) -> None:
        """Write results that are arguments, constants, or other results again."""
        facts, copies = self.facts, self.facts.copies
        for keys in _groups(self._copy_keys(copies)):
            nodes, segment = copies[keys, 0], int(copies[keys[0], 1])
            results = (Cells(segment, copies[keys, 2].astype(np.int32)),)
            if facts.kind[nodes[0]] == CONST and facts.boolean[nodes[0]]:
                body = self.bodies.truth(bool(facts.constants.truth[nodes[0]]))
                self.steps.append(Map(body, (), results))
            else:
                body = self.bodies.copy(self.bodies.type_of(int(nodes[0])))
                self.steps.append(Map(body, (self._operand(nodes),), results))

    def _copy_keys(self, copies: Longs) -> Longs:
        """Tell apart where copies are from, and where they go to."""
        facts, nodes = self.facts, copies[:, 0]
        constant = facts.kind[nodes] == CONST
        source = np.where(constant, -2 - facts.constants.truth[nodes], facts.segment[nodes])
        return np.stack([source, constant, copies[:, 1]], axis=1)


def _groups(keys: Longs) -> Sequence[Longs]:
    """Return the places of equal rows."""
    if not len(keys):
        return []
    _, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.reshape(-1)
    return [np.flatnonzero(group == k) for k in range(int(group.max()) + 1)]
