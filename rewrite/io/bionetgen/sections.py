"""The layout of a `.net` file: its sections between `begin NAME` and `end NAME`, and their lines.

Sections that say nothing about the equations, such as the rules that a network was made by, are
skipped, and so is what stands between sections: BioNetGen's actions.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isinf
from typing import Final, NamedTuple, NoReturn

from rewrite.errors import ParseError

__all__ = ["File", "Line", "Named", "functions", "groups", "is_fixed", "parameters", "species"]

KNOWN: Final = ("parameters", "functions", "species", "reactions", "groups")
MAX_LENGTH: Final = 1 << 30
_ABOUT: Final = {
    "parameters": "a number, a name and an expression, as in '3 kon 2*k0'",
    "functions": "a number, a name with arguments and an expression, as in '1 f() k/(K+A)'",
    "species": "a number, a species and its start value, as in '2 A(b) 100'",
    "reactions": "a number, reactants, products and a rate law, as in '4 1,2 3 kon'",
    "groups": "a number, a name and species with weights, as in '1 Total 1,2*3'",
}
_MARK: Final = re.compile(r"^[^\S\n]*(?:begin|end)[^\n]*", re.MULTILINE)
_FUNCTION: Final = re.compile(r"([A-Za-z_]\w*)(?:\s*\(([\w\s,]*)\)|(?=\s))\s*=?\s*(.+)", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_FIXED: Final = re.compile(r"(?:@\w+::?)?\$")
_ENTRY: Final = re.compile(r"(?:([0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?)\*)?([0-9]{1,9})")


class Line(NamedTuple):
    """A line without its comment; lines that are continued are one."""

    number: int
    text: str


@dataclass(frozen=True)
class File:
    """The lines of the sections that matter, by the name of the section."""

    name: str
    sections: dict[str, list[Line]] = field(default_factory=dict)

    @staticmethod
    def of(text: str, name: str) -> "File":
        """Find the sections of a text; raise `ParseError` where they are not what they must be."""
        file = File(name)
        if len(text) > MAX_LENGTH:
            file.fail(Line(1, text[:80]), f"a file of {len(text):,} characters is too large")
        lines = text.split("\n")
        begun: Line | None = None
        for line, word, title in _marks(text):
            if begun is None:
                if word == "end":
                    file.fail(line, f"expected 'begin {title}' before this line")
                begun = Line(line.number, title)
            elif word == "end" and title == begun.text:
                file.add(begun, lines[begun.number : line.number - 1])
                begun = None
            elif begun.text in KNOWN:
                file.fail(line, f"expected 'end {begun.text}' for line {begun.number}")
        if begun:
            file.fail(Line(len(lines), ""), f"expected 'end {begun.text}' for line {begun.number}")
        for needed in ("species", "reactions"):
            if needed not in file.sections:
                file.fail(Line(len(lines), ""), f"expected a section 'begin {needed}'")
        return file

    def add(self, begun: Line, raw: list[str]) -> None:
        """Keep the lines of a section, if it matters."""
        title = begun.text
        if title in self.sections:
            self.fail(begun, f"expected one section {title!r}; this is the second")
        if title in KNOWN:
            texts = [(line.partition("#")[0] if "#" in line else line).strip() for line in raw]
            if "\\" in "".join(texts):
                _join(texts)
            numbers = range(begun.number + 1, begun.number + 1 + len(texts))
            self.sections[title] = [line for line in map(Line, numbers, texts) if line.text]

    def lines(self, section: str) -> list[Line]:
        """Return the lines of a section, none where there is no such section."""
        return self.sections.get(section, [])

    def rows(self, section: str, *, numbered: bool) -> Iterator[tuple[Line, str]]:
        """Give each line of a section with its text after the number that it begins with."""
        for place, line in enumerate(self.lines(section), 1):
            word, text = _parted(line.text)
            if not word.isdecimal():
                if numbered:
                    self.expected(line, section)
                text = line.text
            elif word != str(place):
                self.fail(line, f"expected the number {place}, not {word[:20]}", 0, len(word))
            yield line, text

    def fail(self, line: Line, message: str, column: int = 0, width: int = 1) -> NoReturn:
        """Raise `ParseError` at a line."""
        raise ParseError(
            message, line.text, column, width, filename=self.name, lineno=line.number
        )  # fmt: skip

    def expected(self, line: Line, section: str) -> NoReturn:
        """Say how a line of a section is written."""
        self.fail(line, f"expected {_ABOUT[section]}")


def _marks(text: str) -> Iterator[tuple[Line, str, str]]:
    """Find the lines that begin and end sections, with the word and the section's name."""
    number, counted = 1, 0
    for found in _MARK.finditer(text):
        number += text.count("\n", counted, found.start())
        counted = found.start()
        word, title = _parted(" ".join(found[0].partition("#")[0].split()))
        if word in ("begin", "end") and title != "model":  # around all sections, if at all
            yield Line(number, found[0].strip()), word, title


def _join(texts: list[str]) -> None:
    """Make continued lines one, at the place of the first; the others become empty."""
    for place in range(len(texts) - 1, -1, -1):
        if texts[place].endswith("\\"):
            more = texts[place + 1] if place + 1 < len(texts) else ""
            texts[place] = f"{texts[place][:-1]} {more}".strip()
            texts[place + 1 : place + 2] = [""]


def _parted(text: str) -> tuple[str, str]:
    """Return the first word and the rest."""
    word, *rest = text.split(None, 1) or [""]
    return word, rest[0] if rest else ""


# -- sections of names -----------------------------------------------------------------------


class Named(NamedTuple):
    """A parameter, a function or a species, and the expression that belongs to it."""

    line: Line
    name: str
    text: str
    arguments: tuple[str, ...] = ()


def parameters(file: File) -> list[Named]:
    """Read the parameters, in their order."""
    found = []
    for line, rest in file.rows("parameters", numbered=False):
        name, text = _parted(rest)
        if not _NAME.fullmatch(name) or not text:
            file.expected(line, "parameters")
        found.append(Named(line, name, text))
    return found


def functions(file: File) -> list[Named]:
    """Read the functions, in their order."""
    found = []
    for line, rest in file.rows("functions", numbered=False):
        match = _FUNCTION.fullmatch(rest)
        if match is None:
            file.expected(line, "functions")
        name, between, text = match.groups("")
        inside = tuple(part.strip() for part in between.split(",")) if between.strip() else ()
        if not all(map(_NAME.fullmatch, inside)) or len(set(inside)) < len(inside):
            file.expected(line, "functions")
        found.append(Named(line, name, text, inside))
    return found


def is_fixed(name: str) -> bool:
    """Tell whether a species keeps its amount: `$A()`, also behind a compartment, `@C::$A()`."""
    return _FIXED.match(name) is not None


def species(file: File) -> list[Named]:
    """Read the species with the expressions of their start values."""
    found = []
    for line, rest in file.rows("species", numbered=True):
        name, text = _parted(rest)
        if not text:
            file.expected(line, "species")
        found.append(Named(line, name, text))
    if not found:
        file.fail(Line(1, ""), "expected one species or more")
    return found


def groups(file: File, count: int) -> dict[str, tuple[Line, list[tuple[int, float]]]]:
    """Read the observables: sums of species, counted from 0, with weights."""
    found: dict[str, tuple[Line, list[tuple[int, float]]]] = {}
    for line, rest in file.rows("groups", numbered=False):
        name, text = _parted(rest)
        if not _NAME.fullmatch(name):
            file.expected(line, "groups")
        if name in found:
            file.fail(line, f"expected another name; {name} is in line {found[name][0].number}")
        entries = text.replace(" ", "").split(",") if text else []
        found[name] = line, [_entry(file, line, entry, count) for entry in entries if entry != "0"]
    return found


def _entry(file: File, line: Line, text: str, count: int) -> tuple[int, float]:
    match = _ENTRY.fullmatch(text)
    if match is None:
        file.expected(line, "groups")
    weight, index = match.groups()
    if weight and isinf(float(weight)):
        file.fail(line, f"expected a weight that a double can hold, not {weight[:20]}")
    if not 1 <= int(index) <= count:
        file.fail(line, f"expected species from 1 to {count}, not {index}")
    return int(index) - 1, float(weight) if weight else 1.0
