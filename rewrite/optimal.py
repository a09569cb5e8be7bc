"""Exact extraction: the cheapest DAG of an e-graph as an integer program, solved by HiGHS.

A node is chosen or not, a class used or not: a used class chooses one node, whose children are
used. That alone would let classes use each other in a circle. So for a set of classes, a class of
it is used only if some node is chosen in the set that has no child there: the loop formulas of
answer set programming. They are stated for what reaches itself, and added where solutions break
them.

Source: F. Lin and Y. Zhao, "ASSAT: computing answer sets of a logic program by SAT solvers", 2004.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rewrite.errors import UnsupportedOp
from rewrite.levels import Least, Levels
from rewrite.reduction import Reduced, knots, reduced

__all__ = ["Exact", "solve"]

EPSILON: Final = 1e-6
"""Values of a relaxation, and costs, are told apart from here on."""
RELAXED: Final = 12
"""How often a relaxation is cut before integers are asked for."""
ROUNDS: Final = 4
"""How often nodes are dropped that the relaxation proves too dear."""
WORTH: Final = 0.05
"""Which share of the nodes must have been dropped for another round."""

type Choices = dict[int, int]
type Improve = Callable[[set[int]], tuple[Choices, float] | None]
"""Searches the program among some nodes: the choices of used classes, and the cost."""


@dataclass(frozen=True, slots=True)
class Exact:
    """The cheapest program found, None without any, and a bound below all programs."""

    choice: Choices | None
    cost: float
    bound: float


def solve(g: Any, roots: Sequence[int], improve: Improve, *, seconds: float,
          forbidden: Sequence[frozenset[int]] = (), dropped: Iterable[int] = (),
          late: Sequence[float] = ()) -> Exact:  # fmt: skip
    """Find the cheapest program, within a time; `improve` finds good ones to start from.

    With `forbidden`, sets of nodes of which no program may hold all, the cheapest other one. With
    `late`, the latency of each node, the critical path costs too. Costs of trees must be in
    `g.best`.
    """
    deadline = time.perf_counter() + seconds
    dropped = set(dropped)
    least = Least(g, roots, late) if late else None
    best = _Best(None if forbidden else improve(set(range(len(g.price))) - dropped))
    bound = 0.0
    for _ in range(ROUNDS):
        limit = None if forbidden or best.choice is None else best.cost
        if least is not None and limit is not None:
            dropped |= least.too_late(limit)
            limit -= least.path
        model = reduced(g, roots, limit=limit, dropped=dropped, by_price=least is None)
        if not model.members:
            return Exact(best.choice, best.cost, best.cost)
        program = _Program(g, model, forbidden)
        if least is not None:
            program.levels = Levels(program.solver, program, least, best.cost)
        bound = max(bound, program.relax(deadline))
        if not forbidden:
            best.take(improve({node for node, x in program.values.items() if x > EPSILON}))
        if bound >= best.cost - EPSILON:
            return Exact(best.choice, best.cost, best.cost)
        dear = program.dear(best.cost)
        dropped |= dear
        if len(dear) < WORTH * len(program.column) or time.perf_counter() > deadline:
            break
    if not forbidden:
        best.take(improve(set(program.column)))
    bound = max(bound, program.integers(best, deadline))
    return Exact(best.choice, best.cost, min(bound, best.cost))


class _Best:
    """The best program so far."""

    def __init__(self, found: tuple[Choices, float] | None = None) -> None:
        self.choice: Choices | None = None
        self.cost = float("inf")
        self.take(found)

    def take(self, found: tuple[Choices, float] | None) -> None:
        """Keep a program if it costs less."""
        if found is not None and found[1] < self.cost - EPSILON / 10:
            self.choice, self.cost = found


class _Program:
    """The integer program of a reduced e-graph: a column a node, one a class of several nodes."""

    def __init__(self, g: Any, model: Reduced, forbidden: Sequence[frozenset[int]]) -> None:
        self.g, self.model = g, model
        self.column: dict[int, int] = {}
        self.used: dict[int, int] = {}
        """The column that says whether a class is used: its node's, if it has one alone."""
        cost: list[float] = []
        for group, nodes in model.members.items():
            for node in nodes:
                self.column[node] = len(cost)
                cost.append(g.price[node])
            self.used[group] = self.column[nodes[0]] if len(nodes) == 1 else len(cost)
            if len(nodes) > 1:
                cost.append(0.0)
        self.cost = np.array(cost)
        self.levels: Levels | None = None
        self.knot = {group: knot for knot in knots(model) for group in knot}
        self.solver = self._load()
        self.stopped = False
        self.solver.cbMipInterrupt += self._stop
        self.values: dict[int, float] = {}
        """Of each node, in the last solution."""
        self.least: dict[int, float] = {}
        """What a program with each node costs at least, by the relaxation."""
        for knot in dict.fromkeys(self.knot.values()):
            for group in sorted(knot):
                self._cut(knot, group)
        for program in forbidden:
            if program <= self.column.keys():
                self._row({self.column[node]: 1.0 for node in program}, len(program) - 1.0)

    def _load(self) -> Any:
        highspy = _highspy()
        solver, lp = _solver(), highspy.HighsLp()
        for option, value in (
            ("threads", 1), ("mip_rel_gap", 0.0), ("mip_abs_gap", EPSILON),
        ):  # fmt: skip
            solver.setOptionValue(option, value)
        rows = list(self._rows())
        lp.num_col_, lp.num_row_ = len(self.cost), len(rows)
        lower = np.zeros(len(self.cost))
        lower[[self.used[group] for group in self.model.always]] = 1.0
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = self.cost, lower, np.ones(len(self.cost))
        lp.row_lower_ = np.array([low for _, low in rows], np.float64)
        lp.row_upper_ = np.zeros(len(rows))
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.cumsum([0, *[len(row) for row, _ in rows]])
        lp.a_matrix_.index_ = np.array([at for row, _ in rows for at in row], np.int32)
        lp.a_matrix_.value_ = np.array([v for row, _ in rows for v in row.values()], np.float64)
        solver.passModel(lp)
        return solver

    def _rows(self) -> Any:
        """Yield rows that are at most 0, each with its lower bound."""
        for group, nodes in self.model.members.items():
            if len(nodes) > 1:
                yield {**{self.column[n]: 1.0 for n in nodes}, self.used[group]: -1.0}, 0.0
            users: dict[int, list[int]] = {}
            for node in nodes:
                for child in self.model.children[node]:
                    users.setdefault(child, []).append(node)
            for child, some in users.items():
                if child not in self.model.always:
                    whole = len(some) == len(nodes)
                    columns = [self.used[group]] if whole else [self.column[n] for n in some]
                    yield {**dict.fromkeys(columns, 1.0), self.used[child]: -1.0}, -np.inf

    def _row(self, row: dict[int, float], upper: float) -> None:
        index, value = np.array(list(row), np.int32), np.array(list(row.values()), np.float64)
        self.solver.addRow(-np.inf, upper, len(row), index, value)

    def _cut(self, some: frozenset[int], group: int) -> None:
        """State that a class of some needs a chosen node among them that leads out of them."""
        row = {self.used[group]: 1.0}
        for other in sorted(some):
            for node in self.model.members[other]:
                if not self.model.children[node] & some:
                    row[self.column[node]] = row.get(self.column[node], 0.0) - 1.0
        self._row({at: value for at, value in row.items() if value}, 0.0)

    def _run(self, deadline: float) -> Any:
        self.solver.setOptionValue("time_limit", max(0.01, deadline - time.perf_counter()))
        # in a thread of its own, so that Ctrl-C is answered; highspy's own allow one at a time
        worker = threading.Thread(target=self._work, daemon=True)
        worker.start()
        try:
            while worker.is_alive():
                worker.join(1.0)
        except KeyboardInterrupt:
            self.stopped = True
            worker.join(0.4)
            raise
        return self.solver.getModelStatus()

    def _work(self) -> None:
        self.solver.run()
        self.solver.resetThreadScheduler(False)  # what it started for this thread ends with it

    def _stop(self, event: Any) -> None:
        if self.stopped:
            event.interrupt()

    def relax(self, deadline: float) -> float:
        """Solve without integers, cutting circles off; return the bound that it gives."""
        done = _highspy().HighsModelStatus.kOptimal
        bound = 0.0
        for _ in range(RELAXED):
            if self._run(deadline) != done:
                break
            bound = self.solver.getInfo().objective_function_value
            solution = self.solver.getSolution()
            self.values = {node: solution.col_value[at] for node, at in self.column.items()}
            excess = np.array(solution.col_dual)
            excess[[self.used[group] for group in self.model.always]] = 0.0  # they cannot be left
            self.least = {node: bound + excess[at] for node, at in self.column.items()}
            broken = self._unsupported(self.values)
            for some, group in broken:
                self._cut(some, group)
            if not broken:
                break
        return bound

    def _unsupported(self, x: dict[int, float]) -> list[tuple[frozenset[int], int]]:
        """Find sets of classes that support each other, each grown from a class by its support."""
        found = []
        for group in self.knot:
            wanted = sum(x[node] for node in self.model.members[group])
            some = {group}
            while wanted > 1e-4:
                leaving = [
                    (x[node], node)
                    for other in some
                    for node in self.model.members[other]
                    if x[node] > 1e-9 and not self.model.children[node] & some
                ]
                if sum(value for value, _ in leaving) < wanted - 1e-4:
                    found.append((frozenset(some), group))
                    break
                inside = [
                    (value, node, child)
                    for value, node in leaving
                    for child in self.model.children[node]
                    if child in self.knot[group]
                ]
                if not inside:
                    break
                some.add(max(inside)[2])
        return list(dict.fromkeys(found))

    def _circles(self, choice: Choices) -> list[tuple[frozenset[int], int]]:
        """Find the sets of classes that choose each other in a circle."""
        chosen = {group: [node] for group, node in choice.items()}
        found = knots(Reduced(chosen, self.model.children, set()))
        return [(some, group) for some in found for group in sorted(some)]

    def dear(self, limit: float) -> set[int]:
        """Return the nodes that by the relaxation are in no program cheaper than the limit."""
        return {node for node, cost in self.least.items() if cost > limit + EPSILON}

    def integers(self, best: _Best, deadline: float) -> float:
        """Solve with integers until the choices have no circle; return the bound reached."""
        highspy = _highspy()
        count = len(self.cost)
        kinds = np.array([highspy.HighsVarType.kInteger] * count)
        self.solver.changeColsIntegrality(count, np.arange(count, dtype=np.int32), kinds)
        bound = 0.0
        while time.perf_counter() < deadline:
            # else what the last run left behind may come back as the solution (HiGHS 1.16)
            self.solver.clearSolver()
            self._start(best)
            status = self._run(deadline)
            if self._astray():
                self.solver.clearSolver()
                status = self._run(deadline)
            info = self.solver.getInfo()
            if status == highspy.HighsModelStatus.kInfeasible:
                return best.cost
            bound = max(bound, info.mip_dual_bound)
            if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
                break
            x = self.solver.getSolution().col_value
            chosen = [node for node, at in self.column.items() if x[at] > 0.5]
            choice = {self.g.owner[node]: node for node in chosen}
            circles = self._circles(choice)
            if not circles:
                if all(self.model.children[node] <= choice.keys() for node in chosen):
                    best.take((choice, self._cost(choice)))
                break
            fractions = self._unsupported({node: x[at] for node, at in self.column.items()})
            for some, group in dict.fromkeys((*circles, *fractions)):
                self._cut(some, group)
        return bound

    def _astray(self) -> bool:
        """Tell whether the solution is not the one of the cost that is reported.

        HiGHS 1.16 may give back the start beside the cost of a better solution.
        """
        info = self.solver.getInfo()
        if info.primal_solution_status != _highspy().SolutionStatus.kSolutionStatusFeasible:
            return False
        x = np.array(self.solver.getSolution().col_value)
        total = float(self.cost @ x[: len(self.cost)])
        if self.levels is not None:
            total += float(x[self.levels.length])
        return abs(total - float(info.objective_function_value)) > 1e-5 * (1 + total)

    def _cost(self, choice: Choices) -> float:
        """Add up what a program costs."""
        total: float = sum(self.g.price[node] for node in choice.values())
        return total if self.levels is None else total + self.levels.path(choice)

    def _start(self, best: _Best) -> None:
        """Hand over the best program, if all of its nodes are left."""
        if best.choice is None or not self.column.keys() >= set(best.choice.values()):
            return
        x = np.zeros(self.solver.getNumCol())
        for group, node in best.choice.items():
            x[self.column[node]] = x[self.used[group]] = 1.0
        if self.levels is not None:
            self.levels.fill(x, best.choice)
        solution = _highspy().HighsSolution()
        solution.col_value = x.tolist()
        self.solver.setSolution(solution)


def _highspy() -> Any:
    try:
        import highspy
    except ImportError as error:
        raise UnsupportedOp(
            "extract='exact' needs HiGHS: pip install highspy; 'search' and 'greedy' do without"
        ) from error
    return highspy


def _solver() -> Any:
    """Make a solver that never prints: enabling callbacks would show a banner once a process."""

    class Silent(_highspy().Highs):  # type: ignore[misc]
        def enableCallbacks(self) -> None:
            self.silent()
            super().enableCallbacks()

    return Silent()
