"""S-expressions with their places: no recursion, every size bounded."""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn

from rewrite.errors import ParseError

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "Atom", "Group", "Node", "Source"]

MAX_LENGTH: Final = 10_000_000
MAX_DEPTH: Final = 1_000

_TOKEN: Final = re.compile(
    r'\s+|;[^\n]*|(?P<open>[(\[])|(?P<close>[)\]])|(?P<string>"(?:[^"\\]|\\.)*")'
    r"|(?P<word>[A-Za-z0-9~!@$%^&*_\-+=<>.?/:']+)|(?P<other>.)",
    re.DOTALL,
)
_CLOSES: Final = {"(": ")", "[": "]"}


@dataclass(frozen=True, slots=True)
class Atom:
    """A word or a text in quotes, and where it is."""

    text: str
    at: int

    @property
    def is_string(self) -> bool:
        """Whether it is a text in quotes."""
        return self.text.startswith('"')

    @property
    def width(self) -> int:
        """How many characters it takes."""
        return len(self.text)


@dataclass(frozen=True, slots=True)
class Group:
    """What is between two parentheses, and where the first one is."""

    items: "tuple[Node, ...]"
    at: int

    width = 1

    @property
    def head(self) -> str:
        """The word that it begins with, if it does."""
        first = self.items[0] if self.items else None
        return first.text if isinstance(first, Atom) else ""


type Node = Atom | Group


class _Open(NamedTuple):
    """A parenthesis that is not closed yet, and what is in it so far."""

    at: int
    token: str
    items: list[Node]


@dataclass(frozen=True, slots=True)
class Source:
    """A text that is read, with its name for messages."""

    text: str
    filename: str = "<fpcore>"

    def fail(self, message: str, node: "Node | int", width: int = 1) -> NoReturn:
        """Raise a `ParseError` at a place, with its line."""
        at = node if isinstance(node, int) else node.at
        width = width if isinstance(node, int) else node.width
        line = self.text.count("\n", 0, at) + 1
        begin = self.text.rfind("\n", 0, at) + 1
        end = self.text.find("\n", at)
        shown = self.text[begin : end if end >= 0 else len(self.text)]
        raise ParseError(message, shown, at - begin, width, filename=self.filename, lineno=line)

    def groups(self) -> list[Group]:
        """Read all groups of the text."""
        if len(self.text) > MAX_LENGTH:
            self.fail(f"a text of {len(self.text):,} characters; {MAX_LENGTH:,} are allowed", 0)
        stack: list[_Open] = [_Open(0, "", [])]
        for match in _TOKEN.finditer(self.text):
            self._take(match.lastgroup or "", match.group(), match.start(), stack)
        if len(stack) > 1:
            self.fail("this parenthesis is never closed", stack[-1].at)
        for node in stack[0].items:
            if isinstance(node, Atom):
                self.fail("expected (FPCore ...)", node)
        return [node for node in stack[0].items if isinstance(node, Group)]

    def _take(self, kind: str, token: str, at: int, stack: "list[_Open]") -> None:
        """Take a token; white space and comments have no kind."""
        if kind == "open":
            stack.append(_Open(at, token, []))
            if len(stack) > MAX_DEPTH:
                self.fail(f"nested deeper than {MAX_DEPTH} levels", at)
        elif kind == "close":
            opened = stack.pop()
            if not stack:
                self.fail("this parenthesis closes nothing", at)
            if _CLOSES[opened.token] != token:
                self.fail(f"expected {_CLOSES[opened.token]!r} for the {opened.token!r} before", at)
            stack[-1].items.append(Group(tuple(opened.items), opened.at))
        elif kind == "other":
            self.fail("this text has no end" if token == '"' else f"{token!r} is no FPCore", at)
        elif kind:
            stack[-1].items.append(Atom(token, at))
