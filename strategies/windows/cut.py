"""Where a large program is cut: each window is a cone below a node that others share.

A node belongs to the window of its users if that is one and has room; else it begins a window of
its own. What lies directly below a window is seen as well (its context), so that laws can look
through a cut: sin(x) and cos(x) may be shared, and their squares still add up to one.
"""

from dataclasses import dataclass
from typing import Final

from rewrite.deadline import look
from strategies.windows.binary import Program

__all__ = ["MOST_NODES", "Window", "cut"]

MOST_NODES: Final = 48
"""So many nodes a window has, its context not counted."""
CONTEXT: Final = 6
"""So many nodes of other windows are seen below one."""
_SHARED: Final = -2
_NONE: Final = -1


@dataclass(frozen=True, slots=True)
class Window:
    """Nodes that are rewritten together, as positions of the program."""

    roots: tuple[int, ...]
    """What is used outside."""
    nodes: tuple[int, ...]
    """Its own nodes, children first."""
    context: tuple[int, ...] = ()
    """All nodes of small windows directly below, which may be looked at."""
    given: tuple[int, ...] = ()
    """The roots of those: their values are there for nothing."""


def cut(program: Program, most: int = MOST_NODES) -> list[Window]:
    """Cut a program into windows; every inner node is in one. They come children first."""
    owner = _owners(program, most)
    members: dict[int, list[int]] = {}
    for at, root in enumerate(owner):
        if root >= 0:
            members.setdefault(root, []).append(at)
    return [_window(program, root, members) for root in sorted(members)]


def _window(program: Program, root: int, members: dict[int, list[int]]) -> Window:
    """Look at small windows below, nearest first."""
    look()
    nodes = members[root]
    inside, given, room = set(nodes), dict[int, None](), CONTEXT
    front = nodes
    while front and room > 0:
        below = []
        for at in reversed(front):
            for child in program.args[at]:
                cone = members.get(child)
                if cone is None or child in inside or child in given or len(cone) > room:
                    continue
                given[child] = None
                room -= len(cone)
                below += cone
        front = below
    context = sorted(at for child in given for at in members[child])
    return Window((root,), tuple(nodes), tuple(context), tuple(sorted(given)))


def _owners(program: Program, most: int) -> list[int]:
    """Return for each inner node the root of its window, -1 for leaves."""
    args, count = program.args, len(program)
    user = [_NONE] * count
    for root in program.roots:
        user[root] = _SHARED
    owner, size = [_NONE] * count, [0] * count
    for at in range(count - 1, -1, -1):
        if not args[at] or program.constant[at]:
            continue
        root = user[at]
        if root < 0 or size[root] >= most:
            root = at
        owner[at] = root
        size[root] += 1
        for child in args[at]:
            if user[child] == _NONE:
                user[child] = root
            elif user[child] != root:
                user[child] = _SHARED
    return owner
