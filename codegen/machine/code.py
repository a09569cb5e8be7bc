"""The loop in an assembly text, as a straight path of instructions with what they read and write.

Branches forward are taken to be rare: LLVM lays code out so. Loops inside the loop run once a lane
(calls of the C library). Functions of the text are walked through where they are called; others
are named.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Decoder", "Instruction", "Loop", "loop"]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction as a core sees it: names of registers, and of places in the stack frame."""

    kind: str
    bits: int
    """Of its vectors; 64 where it has none."""
    reads: tuple[str, ...]
    """The registers that it computes with."""
    writes: tuple[str, ...]
    address: tuple[str, ...] = ()
    """The registers of an address, and a place in the stack frame that it is."""
    loads: int = 0
    """Loads that are part of it."""
    stored: str = ""
    """The place in the stack frame that it stores to."""
    target: str = ""
    """The label of a branch or the function of a call."""


@dataclass(frozen=True, slots=True)
class Loop:
    """The instructions of one pass, and the functions outside that it calls, once a call."""

    body: tuple[Instruction, ...]
    calls: tuple[str, ...]
    inner: tuple[tuple[Instruction, ...], ...] = ()
    """The bodies of the loops inside, whose trips were given; in `body` they run so often."""


type Decoder = Callable[[str, str, Mapping[str, str]], Instruction]
"""Takes mnemonic, operands, and the functions whose address a register holds."""

_LABEL: Final = re.compile(r"([.\w$]+):")
_LINE: Final = re.compile(r"\t([a-z][\w.]*)\s*(.*)")
_ADDRESS: Final = re.compile(r"movabsq\s+\$([^.\s][\w.]*), (%\w+)")
_MOST: Final = 100_000
"""No path is longer."""


def loop(
    text: str, symbol: str, decode: Decoder, lanes: int, trips: Sequence[int] = ()
) -> Loop:  # fmt: skip
    """Return the longest loop of a function in an assembly text, or what there is without one.

    Its inner loops are repeated as the trips say, in their order, and others `lanes` times.
    """
    lines, labels = _parsed(text, decode)
    path, edges, calls = _walked(lines, labels, symbol)
    if not edges:
        return Loop(tuple(path), tuple(name for _, name in calls))
    first, last = max(edges, key=lambda edge: edge[1] - edge[0])
    inner = sorted(edge for edge in edges if first <= edge[0] and edge[1] <= last)
    inner.remove((first, last))
    given = list(trips)
    body: list[Instruction] = []
    called: list[str] = []
    found: list[tuple[Instruction, ...]] = []
    at = first
    for a, b in [*inner, (last + 1, last)]:
        if a < at:
            continue
        count = given.pop(0) if given and a <= b else lanes
        body += path[at:a] + path[a : b + 1] * count
        called += [name for place, name in calls if at <= place < a]
        called += [name for place, name in calls if a <= place <= b] * count
        if len(found) < len(trips):
            found.append(tuple(path[a : b + 1]))
        at = b + 1
    return Loop(tuple(body), tuple(called), tuple(found))


def _parsed(text: str, decode: Decoder) -> tuple[list[Instruction], dict[str, int]]:
    lines: list[Instruction] = []
    labels: dict[str, int] = {}
    functions: dict[str, str] = {}
    for line in text.splitlines():
        if label := _LABEL.match(line):
            labels[label[1]] = len(lines)
        elif found := _LINE.match(line):
            if address := _ADDRESS.match(found[0].strip()):
                functions[address[2]] = address[1]
            lines.append(decode(found[1], found[2].strip(), functions))
    return lines, labels


def _walked(
    lines: list[Instruction], labels: dict[str, int], symbol: str
) -> tuple[list[Instruction], list[tuple[int, int]], list[tuple[int, str]]]:
    """Return the usual path, its backward branches (from, to) in it, and its calls."""
    path: list[Instruction] = []
    edges: list[tuple[int, int]] = []
    calls: list[tuple[int, str]] = []
    seen: dict[int, int] = {}
    back: list[tuple[int, dict[int, int]]] = []
    at = labels[symbol]
    while at < len(lines) and len(path) < _MOST:
        this = lines[at]
        seen[at] = len(path)
        path.append(this)
        at += 1
        target = labels.get(this.target, -1)
        if this.kind == "call":
            if target >= 0:
                back.append((at, seen))
                at, seen = target, {}
            else:
                calls.append((len(path) - 1, this.target))
        elif this.kind == "return":
            if not back:
                break
            at, seen = back.pop()
        elif target in seen:
            edges.append((seen[target], len(path) - 1))
            if this.kind == "jump":
                break
        elif this.kind == "jump" and target >= 0:
            at = target
    return path, edges, calls
