"""Whether a rewritten window is as accurate as it was, at the values that its leaves take."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.dag import Dag
from rewrite.evaluate import evaluate_dag
from rewrite.sampling import sample_points
from rewrite.store import Store, Symbol
from rewrite.term import Term, join
from strategies.judged import Judge, ManyJudged, PointJudge, Refusal, Verdict
from strategies.windows.batch import Source
from strategies.windows.binary import Program
from strategies.windows.shape import Form, instantiate

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


def values_at(program: Program, wanted: Sequence[int]) -> Values:
    """Evaluate a program where its symbols are sampled; return the values of some positions."""
    part = program.dag(wanted).reached()
    count = count_for(part, POINTS, 64)
    found = evaluate_dag(part, sampled(part, count))
    return {at: np.broadcast_to(value, count) for at, value in zip(wanted, found, strict=True)}


def without_value(program: Program) -> set[int]:
    """Return the positions that are nowhere finite though their arguments are: x/(y - y)."""
    dag = program.dag()
    values = evaluate_dag(dag, sampled(dag, FEW), keep=True)
    finite = [bool(np.isfinite(value).any()) for value in values]
    bad = [at for at, known in enumerate(finite) if not known]
    return {at for at in bad if all(finite[a] for a in program.args[at])}


def count_for(dag: Dag, table: Sequence[tuple[int, int]], least: int) -> int:
    """Return at how many points a program of its size is evaluated."""
    return next((points for size, points in table if len(dag) <= size), least)


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
        finite = np.logical_and.reduce([np.isfinite(value) for value in values])
        if np.count_nonzero(finite) >= ENOUGH:
            return {name: value[finite] for name, value in zip(names, values, strict=True)}
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
        good = {
            k
            for k, form in forms.items()
            if k not in self.place and self.verdict(k)(_terms(self.sources[k], form)) is None
        }
        for many in dict.fromkeys([many for many, _ in self.place.values()]):
            own = {at: k for k, (other, at) in self.place.items() if other is many and k in forms}
            found = many.accepted({at: self.sources[k].made(forms[k]) for at, k in own.items()})
            good |= {own[at] for at in found}
        return good

    def verdict(self, k: int) -> Verdict:
        """Return what says whether a form of a shape will do; it measures the shape when asked."""
        return judged(self.sources[k], lambda: self._asked(k))

    def _asked(self, k: int) -> Verdict:
        source = self.sources[k]
        if k in self.place:
            many, at = self.place[k]
            return many.verdict(at)
        return self.judge(source.expanded)


def _terms(source: Source, form: Form) -> list[Term]:
    """Make a form over the symbols of a shape."""
    store = Store()
    leaves = [store.symbol(symbol) for symbol in source.symbols]
    return [Term(store, node) for node in instantiate(form, store, leaves)]


def judged(source: Source, asked: Callable[[], Verdict]) -> Verdict:
    """Return what says whether a form of a window will do; it asks for a verdict when needed."""
    made: list[Verdict] = []

    def verdict(best: Sequence[Term]) -> Refusal | None:
        if not made:
            made.append(asked())
        expanded, origin = _expanded(source, best)
        refusal = made[0](expanded)
        if refusal is None or not refusal.blame:
            return refusal
        store = best[0].store
        ids = Dag.of(store, [term.id for term in expanded]).ids.tolist()
        place = {
            node: at for at, node in enumerate(Dag.of(store, [t.id for t in best]).ids.tolist())
        }
        blame = [place[origin[ids[at]]] for at in refusal.blame if ids[at] in origin]
        return Refusal(tuple(dict.fromkeys(blame)), refusal.reason)

    return verdict


def _expanded(source: Source, best: Sequence[Term]) -> tuple[list[Term], dict[int, int]]:
    """Put what others compute in the place of its symbol; also map nodes to those they were."""
    store = best[0].store
    dag = Dag.of(store, [term.id for term in best])
    made: list[int] = []
    origin: dict[int, int] = {}
    ids = dag.ids.tolist()
    for at, ((code, args), value) in enumerate(zip(dag.rows(), dag.value, strict=True)):
        node = ids[at]
        if isinstance(value, Symbol) and value.name in source.given:
            node = _joined(store, source, value.name)
        elif args:
            node = store.make((code, *[made[a] for a in args]))
            origin.setdefault(node, ids[at])
        made.append(node)
    return [Term(store, made[root]) for root in dag.roots], origin


def _joined(store: Store, source: Source, name: str) -> int:
    return join(store, Term(source.store, source.given[name])).id
