"""`Picture`: an e-graph to look at, as SVG if it is small, in figures if not, and as text."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rewrite.display import Displayed
from rewrite.egraph.svg import Drawn, svg
from rewrite.errors import ArgumentError
from rewrite.tables import Section, Table, cut

__all__ = ["MOST_DRAWN", "Picture"]

MOST_DRAWN: Final = 300
"""E-nodes; of more a picture shows a tangle."""
LISTED: Final = 10


@dataclass(frozen=True, repr=False)
class Picture(Displayed):
    """An e-graph as a notebook shows it; `str` writes the classes and what is in them.

    Above `most` e-nodes there is no drawing but a summary.
    """

    drawn: Drawn
    notes: tuple[str, ...] = ()
    most: int = MOST_DRAWN

    @property
    def svg(self) -> str | None:
        """The drawing as SVG text, None if the e-graph is too large."""
        return svg(self.drawn) if len(self.drawn.nodes) <= self.most else None

    def summary(self) -> Table:
        """Count classes, nodes and ops, and list the largest classes."""
        nodes, classes = self.drawn.nodes, self.drawn.classes
        counts = Counter(item.owner for item in nodes)
        sizes = Section("size", ("what", "count"), (
            ("classes", len(classes)), ("e-nodes", len(nodes)), ("roots", len(self.drawn.roots)),
            ("arguments", sum(len(item.args) for item in nodes)),
        ))  # fmt: skip
        largest = tuple(
            (f"e{at}", count, cut(classes[at], 60))
            for at, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:LISTED]
        )
        ops = Counter(item.label if item.kind == "op" else item.kind for item in nodes)
        ranked = tuple(sorted(ops.items(), key=lambda pair: (-pair[1], pair[0])))
        return Table(self.notes, (
            sizes,
            Section("largest classes", ("class", "e-nodes", "cheapest form"), largest),
            Section("what the e-nodes are", ("op", "count"), ranked),
        ))  # fmt: skip

    def _repr_svg_(self) -> str | None:
        return self.svg

    def _repr_html_(self) -> str | None:
        if self.svg is not None:
            return None  # the drawing says more
        table = self.summary()
        return Table((self._refusal(), *table.notes), table.sections)._repr_html_()

    def _refusal(self) -> str:
        return (
            f"{len(self.drawn.nodes)} e-nodes are too many to draw (at most {self.most}); "
            "show(most=) sets another bound, and limits= of egraph makes a smaller e-graph"
        )

    def __str__(self) -> str:
        """Write the classes and what is in them, chosen nodes in brackets; if large, a summary."""
        if len(self.drawn.nodes) > self.most:
            return f"{self._refusal()}\n{self.summary()}"
        members: list[list[str]] = [[] for _ in self.drawn.classes]
        for at, item in enumerate(self.drawn.nodes):
            args = f"({', '.join(f'e{arg}' for arg in item.args)})" if item.args else ""
            written = item.label + args
            chosen = at in self.drawn.chosen
            members[item.owner].append(f"[{written}]" if chosen else written)
        lines = [f"e{at} = {' | '.join(some)}" for at, some in enumerate(members)]
        return "\n".join([*self.notes, *lines])

    __repr__ = __str__

    def save(self, path: str | Path) -> None:
        """Write the drawing as .svg, or the summary of any e-graph as .html or .txt.

        Raise `ArgumentError` for another kind of file, and for a drawing that is too large.
        """
        path = Path(path)
        if path.suffix == ".svg":
            text = self.svg
            if text is None:
                raise ArgumentError(f"{path.name}: {self._refusal()}; or save it as .html")
        elif path.suffix == ".html":
            shown = self._repr_html_() or self.svg
            text = f'<!DOCTYPE html><meta charset="utf-8"><title>e-graph</title>\n{shown}'
        elif path.suffix == ".txt":
            text = f"{self}\n"
        else:
            raise ArgumentError(f"{path.name}: choose one of the endings .svg, .html and .txt")
        # names may hold halves of letters that no file can
        path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
