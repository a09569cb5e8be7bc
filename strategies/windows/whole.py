"""A rewritten program as a whole: roots that got worse, and the windows that are to blame.

Each window was judged at values that its leaves take in some places. In others it may lose more,
and losses add up. So roots are compared with the source's; below one that is worse beyond doubt,
those windows keep their form where the loss arises: they are worse, and none below them is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.dag import Dag, below, rebuild
from rewrite.deadline import look
from rewrite.oracle import Exact
from rewrite.rowwise import evaluate_rows
from rewrite.store import Store
from rewrite.term import Term
from strategies.judged import Judge, PointJudge, WholeJudged
from strategies.windows.binary import Program, made
from strategies.windows.cut import Window
from strategies.windows.judging import count_for, sampled
from strategies.windows.shape import Form, instantiate

__all__ = ["Builder", "Known", "Rebuilt", "refused", "settled"]

POINTS: Final = ((2_000, 256), (10_000, 128), (40_000, 64))
"""Programs of up to so many nodes are judged at so many points, larger ones at 32."""
NEAR: Final = 2.0**-44
"""Values that differ by less, relatively, are taken as the same: no root is as bad by rounding."""
DOUBTS: Final = (2.0, 1.0, 0.0)
"""By so many times what chance makes the windows to blame must be worse; the first that do it."""
SURE: Final = 2.0


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A program made anew: the node of each position, -1 where there is none."""

    store: Store
    ids: list[int]

    def nodes(self, positions: Sequence[int]) -> list[int]:
        """Return the nodes of some positions."""
        return [self.ids[at] for at in positions]

    def dag(self, positions: Sequence[int]) -> Dag:
        """Return what computes some positions."""
        return Dag.of(self.store, self.nodes(positions))

    def terms(self, positions: Sequence[int]) -> list[Term]:
        """Return some positions as terms."""
        return [Term(self.store, node) for node in self.nodes(positions)]


class Builder:
    """Makes a program anew, some windows in other forms; what stays the same is made once."""

    def __init__(
        self, program: Program, windows: Sequence[Window],
        chosen: dict[int, tuple[Form, tuple[int, ...]]],
    ) -> None:  # fmt: skip
        self.program, self.windows, self.chosen = program, windows, chosen
        self.last: Rebuilt | None = None
        self.kept: set[int] = set()

    def __call__(self, kept: set[int]) -> Rebuilt:
        """Make it in other forms where they were chosen, but for the windows to be kept."""
        program, last = self.program, self.last
        store = Store() if last is None else last.store
        ids = self._leaves(store) if last is None else list(last.ids)
        turned = kept ^ self.kept
        stale = bytearray(len(program)) if last is not None else bytearray(b"\1") * len(program)
        for number, window in enumerate(self.windows):
            look()
            again = number in turned
            if number in self.chosen and number not in kept:
                form, leaves = self.chosen[number]
                if again or any([stale[at] for at in leaves]):
                    roots = instantiate(form, store, [ids[at] for at in leaves])
                    for at, node in zip(window.roots, roots, strict=True):
                        stale[at] = ids[at] != node
                        ids[at] = node
                continue
            for at in window.nodes:
                args = program.args[at]
                if again or any([stale[a] for a in args]):
                    node = store.make((program.code[at], *[ids[a] for a in args]))
                    stale[at] = ids[at] != node
                    ids[at] = node
        self.last, self.kept = Rebuilt(store, ids), set(kept)
        return self.last

    def _leaves(self, store: Store) -> list[int]:
        """Make the leaves, and what is made of constants."""
        program = self.program
        ids = [-1] * len(program)
        for at, value in enumerate(program.value):
            look()
            if value is not None or program.constant[at]:
                ids[at] = made(store, program.code[at], [ids[a] for a in program.args[at]], value)
        return ids


class Known:
    """What was computed of roots before: forms of one program have the same exact values."""

    def __init__(self) -> None:
        self.exact: dict[tuple[int, tuple[str, ...]], dict[int, Exact]] = {}
        """By number of the root, at so many points of some symbols: to compute them takes long."""
        self._values: dict[tuple[Store, int, tuple[str, ...]], dict[int, npt.NDArray[Any]]] = {}

    def values(
        self, store: Store, roots: Sequence[int], points: dict[str, npt.NDArray[Any]]
    ) -> list[npt.NDArray[Any]]:
        """Return the values of nodes of a store in floating point; each is evaluated once."""
        count = len(next(iter(points.values()), ()))
        here = self._values.setdefault((store, count, tuple(points)), {})
        missing = list(dict.fromkeys(root for root in roots if root not in here))
        if missing:
            made = evaluate_rows(Dag.of(store, missing), points)
            here.update((root, row.copy()) for root, row in zip(missing, made, strict=True))
        return [here[root] for root in roots]


def refused(
    judge: Judge, terms: Sequence[Term], candidate: Sequence[Term], known: Known, size: int = 0
) -> list[int]:
    """Return the numbers of the terms that are worse in a candidate beyond doubt.

    The terms may stand for a program of another size.
    """
    source = Dag.of(terms[0].store, [term.id for term in terms])
    store, nodes = candidate[0].store, [term.id for term in candidate]
    doubtful = _differing(source, terms, store, nodes, known, size)
    if not doubtful:
        return []
    return _Roots(judge, source, doubtful, known, size).worse(store, nodes)


def settled(
    judge: Judge, terms: Sequence[Term], build: Builder, known: Known, size: int = 0
) -> tuple[Rebuilt, int]:
    """Rebuild a program with what keeps all roots as good as they were; also return how many stay.

    `terms` are its roots as they were. It may stand for a program of another size.
    """
    found, kept = build(set()), set[int]()
    program, windows, changed = build.program, build.windows, set(build.chosen)
    source = program.dag()
    doubtful = _differing(source, terms, found.store, found.nodes(program.roots), known, size)
    if not doubtful:
        return found, 0
    roots = _Roots(judge, source, doubtful, known, size)
    bad = roots.worse(found.store, found.nodes(program.roots))
    for doubt in DOUBTS:
        if not bad or not isinstance(judge, PointJudge):
            break
        blamed = _below(program, windows, [program.roots[at] for at in bad], changed - kept)
        kept |= _origins(judge, source, windows, blamed, found, doubt, size)
        found = build(kept)
        bad = roots.worse(found.store, found.nodes(program.roots))
    if bad:  # all that they are made of stays: two forms of one part would cost more than one
        kept |= set(_below(program, windows, [program.roots[at] for at in bad], changed))
        found = build(kept)
    return found, len(kept)


class _Roots:
    """Some roots of a program, which are measured once."""

    def __init__(
        self, judge: Judge, source: Dag, doubtful: Sequence[int], known: Known, size: int
    ) -> None:
        self.doubtful = doubtful
        part = source.reached([source.roots[at] for at in doubtful])
        self.many: WholeJudged | None = None
        if isinstance(judge, PointJudge):
            count = count_for(part, POINTS, 32, size)
            points = sampled(part, count)
            here = known.exact.setdefault((count, tuple(points)), {})
            exact = [here.get(at) for at in doubtful]
            self.many = judge.whole(part, points, exact)
            here.update(
                (at, value) for at, value in zip(doubtful, exact, strict=True) if value is not None
            )
        else:
            self.verdict = judge(_terms(part))

    def worse(self, store: Store, nodes: Sequence[int]) -> list[int]:
        """Return the numbers of those that are worse in a candidate, given the nodes of all."""
        part = Dag.of(store, [nodes[at] for at in self.doubtful])
        if self.many is not None:
            worse = self.many(part, SURE).tolist()
            return [at for at, bad in zip(self.doubtful, worse, strict=True) if bad]
        return [] if self.verdict(_terms(part)) is None else list(self.doubtful)


def _terms(dag: Dag) -> list[Term]:
    store = Store()
    ids = rebuild(dag, store)
    return [Term(store, ids[root]) for root in dag.roots]


def _below(
    program: Program, windows: Sequence[Window], roots: Sequence[int], wanted: set[int]
) -> list[int]:
    """Return those of some windows, by number, that roots are made of; they come children first."""
    parts = below(list(zip(program.code, program.args, strict=True)), roots)
    return [k for k in sorted(wanted) if windows[k].roots[0] in parts]


def _origins(
    judge: PointJudge, source: Dag, windows: Sequence[Window], blamed: Sequence[int],
    found: Rebuilt, doubt: float, size: int,
) -> set[int]:  # fmt: skip
    """Return the windows that are worse though none of those below them is."""
    places = [windows[k].roots[0] for k in blamed]
    part = source.reached(places)
    many = judge.whole(part, sampled(part, count_for(part, POINTS, 32, size)))
    bad = many(found.dag(places), doubt).tolist()
    worse = {place for place, b in zip(places, bad, strict=True) if b}
    rows = source.rows()
    spoilt, origins = set[int](), set[int]()
    for at, (_, args) in enumerate(rows):
        if any(a in spoilt for a in args):
            spoilt.add(at)
        elif at in worse:
            spoilt.add(at)
            origins.add(at)
    return {k for k, place in zip(blamed, places, strict=True) if place in origins}


def _differing(
    source: Dag, terms: Sequence[Term], store: Store, nodes: Sequence[int], known: Known, size: int
) -> list[int]:
    """Return which nodes have values in floating point that are not nearly those of the terms.

    `source` are the terms as columns.
    """
    points = sampled(source, count_for(source, POINTS, 64, size))
    old = known.values(terms[0].store, [term.id for term in terms], points)
    new = known.values(store, nodes, points)
    found: list[int] = []
    for truth in (False, True):
        places = [
            at for at, (before, after) in enumerate(zip(old, new, strict=True))
            if before is not after and (before.dtype == np.bool_) is truth
        ]  # fmt: skip
        if places:
            before, after = _stacked([old[at] for at in places], [new[at] for at in places])
            same = np.equal(before, after) if truth else _is_near(before, after)
            found += np.array(places)[~same.all(1)].tolist()
    return sorted(found)


def _stacked(*many: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """Put rows together; those of constants have one number."""
    shape = np.broadcast_shapes((1,), *{row.shape for rows in many for row in rows})
    return [
        np.array([row if row.shape == shape else np.broadcast_to(row, shape) for row in rows])
        for rows in many
    ]


def _is_near(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    with np.errstate(all="ignore"):
        near = np.abs(after - before) <= NEAR * np.abs(before)
    same: npt.NDArray[np.bool_] = near | (before == after) | ~np.isfinite(before)
    return same
