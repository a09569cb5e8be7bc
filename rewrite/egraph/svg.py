"""Pictures of e-graphs as SVG text: dashed boxes are classes, what is in them is equal.

Nothing from outside is needed to draw one, nor to look at it: no script, font or style sheet.
"""

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from rewrite.egraph.edges import Box, Route
from rewrite.egraph.layout import layout
from rewrite.tables import clean, cut

__all__ = ["Drawn", "Item", "svg"]

LETTER: Final = 7.83
"""Width of a letter: 0.602 of the size in Menlo, DejaVu Sans Mono and Courier, less in others."""
SIZE: Final = 13
LONGEST: Final = 24
FONT: Final = "Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
ARROW: Final = {"down": "-3.5,-7 3.5,-7", "up": "-3.5,7 3.5,7", "left": "7,-3.5 7,3.5"}
COLOURS: Final = {"op": "#ffffff", "symbol": "#eaf6ec", "constant": "#fdf4d7"}
STYLE: Final = (
    ".class rect{fill:#f6f7f9;stroke:#9aa4b0;stroke-dasharray:5 3}"
    ".root rect{stroke:#4b5563}"
    ".class text{font-size:10px;fill:#6b7280}"
    ".node rect{stroke:#6b7280}.node text{fill:#1f2937;text-anchor:middle}"
    ".edge path{fill:none;stroke:#a3adb9}.edge polygon{fill:#a3adb9}"
    ".edge.chosen path{stroke:#1d6fd1;stroke-width:1.7}.edge.chosen polygon{fill:#1d6fd1}"
    ".node.chosen rect{stroke:#1d6fd1;stroke-width:2.2}.node.chosen text{font-weight:bold}"
)


@dataclass(frozen=True, slots=True)
class Item:
    """An e-node as it is drawn."""

    owner: int
    label: str
    args: tuple[int, ...] = ()
    kind: Literal["op", "symbol", "constant"] = "op"
    title: str = ""
    """What a mouse over it shows."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What to draw: nodes, a title of each class, and the classes of the roots."""

    nodes: tuple[Item, ...]
    classes: tuple[str, ...]
    roots: tuple[int, ...]
    chosen: Collection[int] = ()
    """The nodes to set off from the others."""


def svg(drawn: Drawn) -> str:
    """Draw classes and nodes; the chosen nodes, and the edges from them, are set off.

    >>> text = svg(Drawn((Item(0, "neg", (1,)), Item(1, "x", kind="symbol")), ("-x", "x"), (0,)))
    >>> text.count('class="node'), text.count("<polygon")
    (2, 1)
    """
    made = layout(
        [item.owner for item in drawn.nodes], [item.args for item in drawn.nodes],
        [_width(item) for item in drawn.nodes], len(drawn.classes), drawn.roots,
    )  # fmt: skip
    size = f"{made.width:.0f} {made.height:.0f}"
    width, height = size.split()
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{width}" '
        f'height="{height}" font-family="{FONT}" font-size="{SIZE}">',
        f"<style>{_scoped(STYLE)}</style>",
        f'<g class="egraph"><rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
    ]
    parts += [_class(at, box, drawn) for at, box in enumerate(made.classes)]
    # chosen ones last, so that none is drawn over
    edges = sorted(made.routes, key=lambda route: route.node in drawn.chosen)
    parts += [_edge(route, route.node in drawn.chosen) for route in edges]
    parts += [
        _node(at, box, item, at in drawn.chosen)
        for at, (box, item) in enumerate(zip(made.nodes, drawn.nodes, strict=True))
    ]
    return "\n".join([*parts, "</g></svg>"]) + "\n"


def _scoped(style: str) -> str:
    """Keep the style from what else is on the page."""
    rules = [rule for rule in style.split("}") if rule]
    return "".join(f".egraph {rule}}}" for rule in rules)


def _width(item: Item) -> float:
    return max(30.0, LETTER * _letters(_label(item)) + 16, 14.0 * len(item.args) + 8)


def _label(item: Item) -> str:
    return cut(item.label, LONGEST)


def _letters(text: str) -> int:
    """Count columns: East Asian wide letters take two, combining marks none."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def _rect(box: Box, radius: float, more: str = "") -> str:
    return (
        f'<rect x="{box.left:.1f}" y="{box.top:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="{radius:g}"{more}/>'
    )


def _class(at: int, box: Box, drawn: Drawn) -> str:
    root = at in drawn.roots
    name = f"e{at} root" if root else f"e{at}"
    kind = "class root" if root else "class"
    return (
        f'<g class="{kind}" data-class="e{at}"><title>{clean(drawn.classes[at])}</title>'
        f'{_rect(box, 6)}<text x="{box.left + 7:.1f}" y="{box.top + 11:.1f}">{name}</text></g>'
    )


def _node(at: int, box: Box, item: Item, chosen: bool) -> str:
    kind = "node chosen" if chosen else "node"
    label = _label(item)
    # other fonts may be wider than what was counted on
    fit = "" if label.isascii() else f' textLength="{LETTER * _letters(label):.1f}"'
    return (
        f'<g class="{kind}" data-node="{at}" data-class="e{item.owner}">'
        f"<title>{clean(item.title or item.label)}</title>"
        f"{_rect(box, 13 if item.kind == 'op' else 4, f' fill="{COLOURS[item.kind]}"')}"
        f'<text x="{box.middle:.1f}" y="{box.top + 17.5:.1f}"{fit}>{clean(label)}</text></g>'
    )


def _edge(route: Route, chosen: bool) -> str:
    kind = "edge chosen" if chosen else "edge"
    x, y = route.end
    return (
        f'<g class="{kind}" data-node="{route.node}" data-argument="{route.argument}" '
        f'data-class="e{route.target}"><path d="{route.path}"/>'
        f'<polygon points="0,0 {ARROW[route.heading]}" transform="translate({x:.1f},{y:.1f})"/></g>'
    )
