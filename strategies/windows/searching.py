"""Forms of shapes whose first one the judge refused, searched side by side.

Each shape has a part of the e-graph to itself; what is found in all of them is judged together.
"""

from collections.abc import Sequence
from typing import Final

from rewrite import ops
from rewrite.extract import Extractor, Mode
from rewrite.store import Symbol
from strategies.judged import Bans
from strategies.windows.batch import Found, Source
from strategies.windows.costing import FormCosts
from strategies.windows.judging import Judged
from strategies.windows.shape import Form, Row

__all__ = ["Hunt", "accepted", "written"]

SECONDS_EACH: Final = 1.0
TRIES: Final = (3, 6)
"""So many programs are judged while single e-nodes are banned, and in all: shapes are many."""


class Hunt:
    """The search for a form of one shape that the judge accepts."""

    def __init__(
        self, source: Source, part: Found, before: float, *, cost: FormCosts, dtype: str, mode: Mode
    ) -> None:
        self.source, self.before, self.cost, self.mode = source, before, cost, mode
        self.extractor = Extractor(part.frozen, cost.model, dtype=dtype, together=True)
        row_of = {node: row for row, node in enumerate(source.ids)}
        classes = [part.classes[row_of[node]] for node in source.dag.ids.tolist()]
        self.bans = Bans(self.extractor, source.dag, classes, TRIES)
        self.seconds = SECONDS_EACH
        self.cut = False
        """Whether a proof took more time than there was."""
        self.nodes: list[int | None] = []
        """The e-node of each row of the last candidate."""

    def candidate(self) -> Form | None:
        """Return the cheapest form that is left, None where none is cheaper than the shape's."""
        while (banned := self.bans.banned) is not None:
            extraction = self.extractor.extract(
                banned=banned, mode=self.mode, seconds=max(0.0, self.seconds)
            )
            if extraction is not None:
                if extraction.proof is not None:
                    self.seconds -= extraction.proof.seconds
                    self.cut |= not extraction.proof.proved
                roots = self.extractor.frozen.roots
                made = written(self.extractor, extraction.choice, roots, self.source.number)
                if made is not None and self.cost(made[0]) < self.before - 1e-9:
                    form, self.nodes = made
                    return form
            self.bans.refuse((), judged=False)
        return None

    def refuse(self, rows: Sequence[int]) -> None:
        """Go on without what is to blame, given as rows of the last candidate, worst first."""
        self.bans.refuse([node for row in rows if (node := self.nodes[row]) is not None])


def accepted(hunts: dict[int, Hunt], judged: Judged | None) -> dict[int, Form]:
    """Search for all at once; return what the judge accepts, by number of the shape."""
    found: dict[int, Form] = {}
    left = dict(hunts)
    while left:
        tried = {k: form for k, hunt in left.items() if (form := hunt.candidate()) is not None}
        refused = {} if judged is None else judged.refused(tried)
        found |= {k: form for k, form in tried.items() if k not in refused}
        left = {k: left[k] for k in refused}
        for k, rows in refused.items():
            left[k].refuse(rows)
    return found


def written(
    extractor: Extractor, choice: Sequence[int], roots: Sequence[int], number: dict[str, int]
) -> tuple[Form, list[int | None]] | None:
    """Write down the chosen nodes below some classes, and the e-node of each row.

    None where another shape's leaf is used. A negation that costs nothing has no e-node.
    """
    rows: list[Row] = []
    nodes: list[int | None] = []
    places: dict[int, int] = {}
    for group in extractor.order(choice, roots):
        node = choice[group]
        args = [places[a] for a in extractor.below(node)]
        for k, flip in enumerate(extractor.negated.get(node, ())):
            if flip:
                rows.append((ops.NEG.code, (args[k],), None))
                nodes.append(None)
                args[k] = len(rows) - 1
        leaf = extractor.frozen.leaf[node] if node < len(extractor.frozen) else None
        if isinstance(leaf, Symbol):
            if leaf.name not in number:
                return None
            rows.append((ops.SYMBOL.code, (), number[leaf.name]))
        elif leaf is not None:  # among them those that the engine has no number for, as -0.0
            rows.append((ops.CONST.code, (), leaf))
        else:
            rows.append((extractor.code[node], tuple(args), None))
        nodes.append(node)
        places[group] = len(rows) - 1
    return (tuple(rows), tuple([places[root] for root in roots])), nodes
