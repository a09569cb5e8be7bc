"""Extraction until a judge is content: what it blames is banned, and the next cheapest is tried."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.cost import dag_cost
from rewrite.dag import Dag
from rewrite.deadline import look
from rewrite.egraph.arrays import mirrored
from rewrite.extract import Extraction, Extractor, Mode, Proof
from rewrite.oracle import Exact
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = [
    "CANDIDATES",
    "Bans",
    "Judge",
    "ManyJudged",
    "PointJudge",
    "Refusal",
    "Search",
    "Verdict",
    "WholeJudged",
]

CANDIDATES: Final = 16
"""How many programs are judged before the source is kept."""
SINGLE: Final = 11
"""So many of them while single e-nodes are banned."""
PATIENCE: Final = 7
"""After so many refusals more than one is banned at a time."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why candidate roots will not do: the positions in their `Dag` to blame, worst first."""

    blame: tuple[int, ...] = ()
    reason: str = ""


type Verdict = Callable[[Sequence[Term]], Refusal | None]
"""Says of candidate roots None ("good"), or why not."""
type Judge = Callable[[Sequence[Term]], Verdict]
"""Looks at the source once and returns what says whether a rewritten form of it will do."""


@runtime_checkable
class PointJudge(Protocol):
    """A judge that can be told which values the symbols take, and asked about single roots."""

    def at(self, source: Sequence[Term], points: Mapping[str, Any] | None) -> Verdict:
        """Judge at these values, by name of the symbol; sampled ones for None."""

    def whole(
        self, source: Dag, points: Mapping[str, Any], exact: list[Exact | None] | None = None
    ) -> "WholeJudged":
        """Look at a large program, whose parts are judged by themselves.

        `exact` are the values of its roots at these points; those that are None are filled in.
        """

    def together(
        self, sources: Sequence[Sequence[Term]], points: Sequence[Mapping[str, Any]]
    ) -> "ManyJudged":
        """Look at many sources at once, which share no symbols."""


class WholeJudged(Protocol):
    """Says of a rewritten form of a large program which roots are worse."""

    def __call__(self, candidate: Dag, doubt: float) -> npt.NDArray[np.bool_]:
        """Tell which roots are worse by more than so many times what chance makes."""


class ManyJudged(Protocol):
    """Says of rewritten forms of many sources whether they will do."""

    def refused(
        self, candidates: Mapping[int, Sequence[Term]], *, blame: bool = True
    ) -> Mapping[int, Sequence[int]]:
        """Return the numbers of the sources whose candidates, all of one store, will not do.

        Each comes with the ids of the nodes to blame, worst first, none without `blame`.
        """


class Bans:
    """What a search does without, the more the judge refuses: e-nodes first, then whole classes."""

    def __init__(
        self, extractor: Extractor, dag: Dag, classes: Sequence[int], tries: tuple[int, int]
    ) -> None:
        """`classes` are those of the source's nodes; `tries` as `SINGLE` and `CANDIDATES`."""
        self.extractor, self.dag, self.classes = extractor, dag, classes
        self.single, self.candidates = tries
        self.refused = 0
        self._next: list[int] = []
        self._steps = self._all()
        self._over = next(self._steps, None) is None

    @property
    def banned(self) -> list[int] | None:
        """The e-nodes that the next program must not use; None where the search is over."""
        return None if self._over else self._next

    def refuse(self, guilty: Sequence[int], *, judged: bool = True) -> None:
        """Go on after a program was refused; `guilty` are its e-nodes to blame, worst first.

        Where there was no program that is worth judging, `judged` is false.
        """
        self.refused += judged
        try:
            self._steps.send(guilty)
        except StopIteration:
            self._over = True

    def _all(self) -> Generator[bool, Sequence[int], None]:
        """Ban single e-nodes first; where that leads nowhere, keep whole classes as they are."""
        blamed: dict[int, None] = {}
        banned: list[int] = []
        while self.refused < self.single:
            self._next = banned
            guilty = yield True
            fresh = [node for node in guilty if node not in banned]
            if not fresh:
                break
            blamed[self.extractor.owner[fresh[0]]] = None
            banned = [*banned, *fresh[: max(1, self.refused - PATIENCE)]]
        if blamed:
            yield from self._keeping(list(blamed))

    def _keeping(self, kept: list[int]) -> Generator[bool, Sequence[int], None]:
        """Leave blamed classes as the source has them, after every refusal twice as many more."""
        members: dict[int, list[int]] = {}
        for node, group in enumerate(self.extractor.owner):
            members.setdefault(group, []).append(node)
        own = self._own()
        # of what the engine replaced for good, no form of the source is left to keep
        gone = set(self.classes) - {self.extractor.owner[node] for node in own}
        for more in range(self.candidates - self.refused):
            fixed = [group for group in kept if group not in gone]
            self._next = [node for group in fixed for node in members[group] if node not in own]
            guilty = yield True
            groups = dict.fromkeys(self.extractor.owner[node] for node in guilty)
            fresh = [group for group in groups if group not in kept]
            if not fresh:
                return
            kept += fresh[: 1 << more]

    def _own(self) -> set[int]:
        """Return the e-nodes that the source is made of."""
        start, args = self.extractor.start, self.extractor.args
        rows: dict[tuple[int, ...], int] = {}
        own = {n for n, leaf in enumerate(self.extractor.frozen.leaf) if isinstance(leaf, Symbol)}
        leaves = {self.classes[at] for at, value in enumerate(self.dag.value) if value is not None}
        for node, code in enumerate(self.extractor.code[: len(self.extractor.frozen)]):
            below = args[start[node] : start[node + 1]]
            if below:
                rows[code, *mirrored(code, tuple(below))] = node
            elif self.extractor.owner[node] in leaves:
                own.add(node)
        for code, children in self.dag.rows():
            groups = [self.classes[child] for child in children]
            # sums and products of many are chains from the left in the graph
            count = 2 if ops.OPS[code].arity < 0 else len(groups)
            some, rest = tuple(groups[:count]), iter(groups[count:])
            while (chosen := rows.get((code, *mirrored(code, some)))) is not None:
                own.add(chosen)
                if (right := next(rest, None)) is None:
                    break
                some = self.extractor.owner[chosen], right
        return own


class Search:
    """Extracts programs until the judge is content or nothing cheaper than the source is left."""

    def __init__(
        self, extractor: Extractor, dag: Dag, classes: list[int], before: float,
        verdict: Verdict | None, mode: Mode, seconds: float,
    ) -> None:  # fmt: skip
        self.bans = Bans(extractor, dag, classes, (SINGLE, CANDIDATES))
        self.extractor, self.before, self.verdict = extractor, before, verdict
        self.mode, self.seconds = mode, seconds
        self.proof: Proof | None = None
        """Of the last program, among those without what the judge blamed before."""
        self.cut = False
        """Whether a proof took more time than there was."""
        self.scratch = Store()
        self.reason = ""

    @property
    def refused(self) -> int:
        """So many programs were refused."""
        return self.bans.refused

    def best(self) -> list[Term] | None:
        """Return the cheapest program that the judge accepts; None where the source stays."""
        while (banned := self.bans.banned) is not None:
            if self.refused:
                look()
            left = max(0.0, self.seconds)
            extraction = self.extractor.extract(banned=banned, mode=self.mode, seconds=left)
            if extraction is None:
                self.bans.refuse((), judged=False)
                continue
            if extraction.proof is not None:
                self.proof = extraction.proof
                self.cut |= not extraction.proof.proved
                self.seconds -= extraction.proof.seconds
            if (good := self._judged(extraction)) is not None:
                return good
        return None

    def _judged(self, extraction: Extraction) -> list[Term] | None:
        """Return a program if the judge accepts it; else ban what it blames."""
        best, source = self.extractor.terms(extraction, self.scratch)
        made = Dag.of(self.scratch, [t.id for t in best])
        if dag_cost(made, self.extractor.model) >= self.before - 1e-9:
            self.bans.refuse((), judged=False)
            return None
        refusal = self.verdict(best) if self.verdict is not None else None
        if refusal is None:
            return best
        self.reason = refusal.reason
        blame = made.ids[list(refusal.blame)].tolist()
        self.bans.refuse([source[node] for node in blame if node in source])
        return None
