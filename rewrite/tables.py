"""Small tables for a prompt and a notebook: the same rows as text and as HTML."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Section", "Table", "clean", "cut"]

_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""


def clean(text: str) -> str:
    """Escape any text for XML and HTML, on one line; what they cannot hold is replaced.

    >>> clean("a<b" + chr(0))
    'a&lt;b\ufffd'
    """
    return html.escape(_ILLEGAL.sub("\ufffd", re.sub(r"[\t\n\r]", " ", text)))


def cut(text: str, length: int) -> str:
    """Shorten a text to a length, with an ellipsis.

    >>> cut("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= length else text[: length - 1] + "…"


@dataclass(frozen=True, slots=True)
class Section:
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
        return f'<td style="text-align:{side}">{clean(_text(value))}</td>'


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True, repr=False)
class Table:
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
        notes = "".join(f"<p>{clean(note)}</p>" for note in self.notes)
        return f"<div>{notes}{''.join(section.html() for section in self.sections)}</div>"
