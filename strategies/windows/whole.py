"""A rewritten program as a whole: roots that got worse, and the windows that are to blame.

Each window was judged at values that its leaves take in some places. In others it may lose more,
and losses add up. So roots are compared with the source's; below one that is worse beyond doubt,
those windows keep their form where the loss arises: they are worse, and none below them is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rewrite.dag import Dag, rebuild
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

__all__ = ["Known", "Rebuilt", "rebuilt", "refused", "settled"]

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

    def dag(self, positions: Sequence[int]) -> Dag:
        """Return what computes some positions."""
        return Dag.of(self.store, [self.ids[at] for at in positions])

    def terms(self, positions: Sequence[int]) -> list[Term]:
        """Return some positions as terms."""
        return [Term(self.store, self.ids[at]) for at in positions]


def rebuilt(
    program: Program, windows: Sequence[Window],
    chosen: dict[int, tuple[Form, tuple[int, ...]]],
) -> Rebuilt:  # fmt: skip
    """Make the program anew, some windows in other forms."""
    store = Store()
    ids = [-1] * len(program)
    for at, value in enumerate(program.value):
        look()
        if value is not None or program.constant[at]:
            ids[at] = made(store, program.code[at], [ids[a] for a in program.args[at]], value)
    for number, window in enumerate(windows):
        look()
        if number in chosen:
            form, leaves = chosen[number]
            roots = instantiate(form, store, [ids[at] for at in leaves])
            for at, node in zip(window.roots, roots, strict=True):
                ids[at] = node
        else:
            for at in window.nodes:
                ids[at] = store.make((program.code[at], *[ids[a] for a in program.args[at]]))
    return Rebuilt(store, ids)


type Known = dict[tuple[int, tuple[str, ...]], dict[int, Exact]]
"""Exact values of roots, by number, at so many points of some symbols.

All forms of a program have the same ones, and to compute them takes long.
"""


def refused(judge: Judge, source: Dag, candidate: Dag, known: Known, size: int = 0) -> list[int]:
    """Return the roots of a candidate that are worse than the source's beyond doubt.

    The source may stand for a program of another size.
    """
    doubtful = _differing(source, candidate, size)
    if not doubtful:
        return []
    return _Roots(judge, source, doubtful, known, size).worse(candidate)


def settled(
    judge: Judge, program: Program, windows: Sequence[Window], changed: set[int],
    build: Callable[[set[int]], Rebuilt], known: Known, size: int = 0,
) -> tuple[Rebuilt, int]:  # fmt: skip
    """Rebuild a program with what keeps all roots as good as they were; also return how many stay.

    `build` makes it with some windows, by number, as they were; `changed` are those that differ.
    The program may stand for one of another size.
    """
    found, kept = build(set()), set[int]()
    source = program.dag()
    doubtful = _differing(source, found.dag(program.roots), size)
    if not doubtful:
        return found, 0
    roots = _Roots(judge, source, doubtful, known, size)
    bad = roots.worse(found.dag(program.roots))
    for doubt in DOUBTS:
        if not bad or not isinstance(judge, PointJudge):
            break
        below = _below(program, windows, [program.roots[at] for at in bad], changed - kept)
        kept |= _origins(judge, source, windows, below, found, doubt, size)
        found = build(kept)
        bad = roots.worse(found.dag(program.roots))
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
            here = known.setdefault((count, tuple(points)), {})
            exact = [here.get(at) for at in doubtful]
            self.many = judge.whole(part, points, exact)
            here.update(
                (at, value) for at, value in zip(doubtful, exact, strict=True) if value is not None
            )
        else:
            self.verdict = judge(_terms(part))

    def worse(self, candidate: Dag) -> list[int]:
        """Return the numbers of those that are worse in a candidate, which has all roots."""
        part = candidate.reached([candidate.roots[at] for at in self.doubtful])
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
    parts = set(program.dag(roots).reached().ids.tolist())
    return [k for k in sorted(wanted) if windows[k].roots[0] in parts]


def _origins(
    judge: PointJudge, source: Dag, windows: Sequence[Window], below: Sequence[int],
    found: Rebuilt, doubt: float, size: int,
) -> set[int]:  # fmt: skip
    """Return the windows that are worse though none of those below them is."""
    places = [windows[k].roots[0] for k in below]
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
    return {k for k, place in zip(below, places, strict=True) if place in origins}


def _differing(source: Dag, candidate: Dag, size: int) -> list[int]:
    """Return the roots whose values in floating point are not nearly those of the source."""
    points = sampled(source, count_for(source, POINTS, 64, size))
    found = []
    old, new = (evaluate_rows(dag, points) for dag in (source, candidate))
    for at, (before, after) in enumerate(zip(old, new, strict=True)):
        if before.dtype == np.bool_:
            same = np.equal(before, after)
        else:
            with np.errstate(all="ignore"):
                same = np.abs(after - before) <= NEAR * np.abs(before)
            same = same | (before == after) | ~np.isfinite(before)
        if not same.all():
            found.append(at)
    return found
