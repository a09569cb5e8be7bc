"""Small tables for a prompt and a notebook: the same rows as text and as HTML."""

import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rewrite.display import Displayed, legal

__all__ = ["Bar", "Section", "Table", "bars", "clean", "cut"]

WIDE: Final = 20
"""Letters of the longest bar."""


def clean(text: str) -> str:
    """Escape any text for XML and HTML, on one line; what they cannot hold is replaced.

    >>> clean("a<b" + chr(0))
    'a&lt;b\ufffd'
    """
    return html.escape(legal(re.sub(r"[\t\n\r]", " ", text)))


def cut(text: str, length: int) -> str:
    """Shorten a text to a length, with an ellipsis.

    >>> cut("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= length else text[: length - 1] + "…"


@dataclass(frozen=True, slots=True)
class Bar:
    """A cell that shows a number as a part of the largest one.

    >>> print(Bar(3, 4))
    ███████████████
    """

    value: float
    most: float

    @property
    def part(self) -> float:
        """The length, between 0 and 1; 0 where there is none."""
        good = self.most > 0 and math.isfinite(self.most) and self.value > 0
        return min(1.0, self.value / self.most) if good else 0.0

    def __str__(self) -> str:
        """Draw it in halves of a letter."""
        halves = round(2 * WIDE * self.part)
        return "█" * (halves // 2) + "▌" * (halves % 2)

    def html(self) -> str:
        """Draw it as a coloured box."""
        size = f"width:{10 * self.part:.2f}em;height:0.8em"
        return f'<div style="{size};background:#4c72b0"></div>'


def bars(
    title: str, rows: Sequence[tuple[Any, ...]], *, what: Sequence[str], at: int = -1
) -> "Section":
    """Make a table whose rows end in a bar, as long as the number in the column `at`.

    >>> print(bars("cost", [("before", 8.0), ("after", 2.0)], what=("", "cycles")))
    cost
              cycles
      before       8  ████████████████████
      after        2  █████
    """
    values = [float(row[at]) for row in rows]
    most = max((value for value in values if math.isfinite(value)), default=0.0)
    drawn = [(*row, Bar(value, most)) for row, value in zip(rows, values, strict=True)]
    return Section(title, (*what, ""), tuple(drawn))


@dataclass(frozen=True, slots=True)
class Section(Displayed):
    """A table with a title and named columns; numbers are set flush right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def __str__(self) -> str:
        """Align the columns."""
        cells = [self.columns, *(tuple(map(_text, row)) for row in self.rows)]
        width = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [self._line(row, width) for row in cells]
        return "\n".join([self.title, *(f"  {line}".rstrip() for line in lines)])

    def _line(self, row: Sequence[str], width: Sequence[int]) -> str:
        return "  ".join(
            text.rjust(size) if self._flush(k) else text.ljust(size)
            for k, (text, size) in enumerate(zip(row, width, strict=True))
        )

    def _flush(self, column: int) -> bool:
        return bool(self.rows) and all(isinstance(row[column], (int, float)) for row in self.rows)

    def html(self) -> str:
        """Write as an HTML table."""
        head = "".join(f"<th>{clean(name)}</th>" for name in self.columns)
        body = "".join(
            f"<tr>{''.join(self._cell(k, value) for k, value in enumerate(row))}</tr>"
            for row in self.rows
        )
        return (
            f"<table><caption>{clean(self.title)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )

    def _cell(self, column: int, value: Any) -> str:
        side = "right" if self._flush(column) else "left"
        return f'<td style="text-align:{side}">{_html(value)}</td>'

    def _repr_html_(self) -> str:
        return self.html()


def _html(value: Any) -> str:
    if isinstance(value, Bar):
        return value.html()
    text = _text(value)
    # what a page would take for LaTeX
    return f"<code>{clean(text)}</code>" if "$" in text or "\\" in text else clean(text)


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True, repr=False)
class Table(Displayed):
    """Tables below each other, after a few lines of text; prints as text, shows as HTML.

    >>> print(Table(("two laws",), (Section("laws", ("name", "fired"), (("mul-comm", 12),)),)))
    two laws
    laws
      name      fired
      mul-comm     12
    """

    notes: tuple[str, ...]
    sections: tuple[Section, ...]

    def __str__(self) -> str:
        """Write as text."""
        return "\n".join([*self.notes, *map(str, self.sections)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{_html(note)}</p>" for note in self.notes)
        return f"<div>{notes}{''.join(section.html() for section in self.sections)}</div>"
