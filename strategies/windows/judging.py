"""Whether a rewritten window is as accurate as it was, at the values that its leaves take."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.dag import Dag
from rewrite.deadline import look
from rewrite.measured import stacked
from rewrite.rowwise import evaluate_rows
from rewrite.sampling import sample_points
from rewrite.store import Symbol
from rewrite.term import Term
from strategies.judged import Judge, ManyJudged, PointJudge, Verdict
from strategies.windows.batch import Source
from strategies.windows.binary import Program
from strategies.windows.shape import Form

__all__ = ["Judged", "count_for", "sampled", "values_at", "without_value"]

ENOUGH: Final = 48
"""With fewer points at which all leaves are finite, values are made up."""
MADE_UP: Final = 64
"""So many."""
SLOTS: Final = (16, 64, 256)
"""They are made up for so many symbols at a time, and kept."""
POINTS: Final = ((1500, 256), (6000, 128))
"""Programs of up to so many nodes are evaluated at so many points, larger ones at 64."""

LEAST: Final = 64
"""So many points at least are sampled; where fewer are wanted, they are some of them."""
FEW: Final = 8
"""At so many points it is looked for nodes without a value."""

type Values = Mapping[int, npt.NDArray[Any]]


def values_at(program: Program, wanted: Sequence[int], size: int = 0) -> Values:
    """Evaluate a program where its symbols are sampled; return the values of some positions.

    It may stand for one of another size.
    """
    look()
    part = program.dag(wanted).reached()
    count = count_for(part, POINTS, 64, size)
    found = evaluate_rows(part, sampled(part, count))
    return {at: np.broadcast_to(value, count) for at, value in zip(wanted, found, strict=True)}


def without_value(program: Program) -> set[int]:
    """Return the positions that are nowhere finite though their arguments are: x/(y - y)."""
    dag = program.dag()
    values = stacked(evaluate_rows(dag, sampled(dag, FEW), keep=True), FEW)
    finite: list[bool] = np.isfinite(values).any(1).tolist()
    bad = [at for at, known in enumerate(finite) if not known]
    return {at for at in bad if all(finite[a] for a in program.args[at])}


def count_for(dag: Dag, table: Sequence[tuple[int, int]], least: int, size: int = 0) -> int:
    """Return at how many points a program of its size, or of a larger one, is evaluated."""
    size = max(size, len(dag))
    return next((points for most, points in table if size <= most), least)


def sampled(dag: Dag, count: int) -> dict[str, npt.NDArray[Any]]:
    """Return values of a program's symbols, at a power of two of points up to `LEAST` or more."""
    symbols = tuple([value for value in dag.value if isinstance(value, Symbol)])
    step = max(1, LEAST // count)
    return {name: column[::step] for name, column in _samples(symbols, count * step).items()}


@functools.lru_cache(maxsize=4)
def _samples(symbols: tuple[Symbol, ...], count: int) -> dict[str, npt.NDArray[Any]]:
    """Sample once what is asked for again and again while a program is optimised."""
    return sample_points(symbols, count)


def points_of(source: Source, values: Sequence[npt.NDArray[Any]]) -> dict[str, Any]:
    """Name the values of the leaves; they are made up where too few points have all finite."""
    names = [symbol.name for symbol in source.symbols]
    if values:
        finite = np.isfinite(np.stack(values)).all(0)
        if np.count_nonzero(finite) >= ENOUGH:
            some = values if finite.all() else [value[finite] for value in values]
            return dict(zip(names, some, strict=True))
    slots = next((most for most in SLOTS if len(names) <= most), len(names))
    return {
        symbol.name: _made_up(symbol.dtype, symbol.low, symbol.high, slots)[k]
        for k, symbol in enumerate(source.symbols)
    }


@functools.lru_cache(maxsize=256)
def _made_up(dtype: str | None, low: float | None, high: float | None, slots: int) -> list[Any]:
    """Sample values of so many symbols of one kind; those of several kinds go together."""
    symbols = [Symbol(f"s{k:03}", dtype, low, high) for k in range(slots)]
    points = sample_points(symbols, MADE_UP)
    return [points[symbol.name] for symbol in symbols]


class Judged:
    """Shapes whose forms are judged: many at once where the judge can do that."""

    def __init__(
        self, judge: Judge, sources: Sequence[Source],
        values: Sequence[Sequence[npt.NDArray[Any]]], wanted: Sequence[int],
    ) -> None:  # fmt: skip
        self.judge, self.sources, self.values = judge, sources, values
        self.place: dict[int, tuple[ManyJudged, int]] = {}
        """Those that are judged together, and the number of each shape there."""
        self.alone: dict[int, Verdict] = {}
        if isinstance(judge, PointJudge):
            for group in self._by_points(wanted):
                many = judge.together([sources[k].expanded for k in group], list(group.values()))
                self.place.update({k: (many, at) for at, k in enumerate(group)})

    def _by_points(self, wanted: Sequence[int]) -> list[dict[int, dict[str, Any]]]:
        """Group shapes by their number of points, so that few are made up to make it one."""
        groups: dict[int, dict[int, dict[str, Any]]] = {}
        for k in wanted:
            if self.sources[k].symbols:
                points = points_of(self.sources[k], self.values[k])
                count = len(next(iter(points.values())))
                groups.setdefault((count - 1).bit_length(), {})[k] = points
        return list(groups.values())

    def accepted(self, forms: Mapping[int, Form]) -> set[int]:
        """Return the shapes, by number, whose forms will do."""
        return set(forms).difference(self.refused(forms, blame=False))

    def refused(self, forms: Mapping[int, Form], *, blame: bool = True) -> dict[int, list[int]]:
        """Return the shapes, by number, whose forms will not do, each with the rows to blame.

        They are left out without `blame`.
        """
        ids = {k: self.sources[k].interned(form) for k, form in forms.items()}
        terms = {
            k: [Term(self.sources[k].store, ids[k][root]) for root in form[1]]
            for k, form in forms.items()
        }
        guilty: dict[int, Sequence[int]] = {}
        for k in forms:
            refusal = None if k in self.place else self._verdict(k)(terms[k])
            if refusal is not None:
                dag = Dag.of(self.sources[k].store, [term.id for term in terms[k]])
                guilty[k] = dag.ids[list(refusal.blame)].tolist()
        for many in dict.fromkeys([many for many, _ in self.place.values()]):
            own = {at: k for k, (other, at) in self.place.items() if other is many and k in forms}
            found = many.refused({at: terms[k] for at, k in own.items()}, blame=blame)
            guilty |= {own[at]: nodes for at, nodes in found.items()}
        return {k: _places(ids[k], nodes) for k, nodes in guilty.items()}

    def _verdict(self, k: int) -> Verdict:
        """Return what judges one shape alone; it is measured when first asked about."""
        if k not in self.alone:
            self.alone[k] = self.judge(self.sources[k].expanded)
        return self.alone[k]


def _places(ids: Sequence[int], nodes: Sequence[int]) -> list[int]:
    """Return the first row that is each of some nodes, of those that are a row."""
    row_of: dict[int, int] = {}
    for row, node in enumerate(ids):
        row_of.setdefault(node, row)
    return [row_of[node] for node in nodes if node in row_of]
