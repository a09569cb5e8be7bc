"""One large point computed by several threads, which share the units of each piece.

Threads take chunks of a piece until there are none, and go on to the next when all are done. So
nobody waits for a thread that has not come yet, and bits do not depend on how many there are.
"""

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from codegen.calls import given
from codegen.crew.crew import Crew
from codegen.loops.driver import TEAM, TeamData
from codegen.loops.linkable import Compiled, Part
from codegen.loops.loop import RolledLoop, rolled_driver
from codegen.loops.program import Rolled

__all__ = ["POINT", "Teamed"]

POINT: Final = 3e7
"""Picoseconds of a point, by its operations, from which on it is looked at more closely."""
_WORTH: Final = 400_000.0
"""Cycles of a point below which the threads have little to share beyond what that takes."""
_CHUNK: Final = 15_000.0
"""Cycles of a chunk, at least: taking one costs some hundred where threads meet."""
_CHUNKS: Final = 8
"""Chunks of a piece for each thread, at most: the slowest is not waited for long."""
_CYCLE: Final = 280.0
"""Picoseconds of a cycle, roughly."""

type Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Teamed:
    """Call for one point by several threads where that pays, else call what is wrapped."""

    call: Callable[..., Any]
    program: Rolled
    loops: Mapping[str, RolledLoop]
    """By the letters of NumPy's dtypes."""
    crew: Crew
    idle: list[Array] = field(default_factory=list)
    """Work cells that no call is using."""
    known: dict[str, "_Shares"] = field(default_factory=dict)
    """How the point of each type is shared, once there is code for it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Look whether the arguments are those of one large point."""
        first = args[0] if args else None
        letter = first.dtype.char if type(first) is np.ndarray else ""
        shares = self.known.get(letter)
        if shares is not None and shares.cycles < _WORTH:
            return self.call(*args, **kwargs)
        if kwargs.keys() - {"out"} or letter not in self.loops or not self._is_one_point(args):
            return self.call(*args, **kwargs)
        if shares is None:
            shares = self.known[letter] = self._shares(self.loops[letter].compiled())
        outputs = self._outputs(args, kwargs.get("out"))
        if outputs is None or shares.cycles < _WORTH:
            return self.call(*args, **kwargs)
        self._run(self.loops[letter], shares, [*args, *outputs])
        return outputs[0] if len(outputs) == 1 else outputs

    def _is_one_point(self, args: tuple[Any, ...]) -> bool:
        parts = self.program.arguments
        return len(args) == len(parts) and all(
            _fits(arg, part.shape, "?" if part.type == "b" else args[0].dtype.char)
            for arg, part in zip(args, parts, strict=True)
        )

    def _outputs(self, args: tuple[Any, ...], out: Any) -> tuple[Array, ...] | None:
        parts = self.program.outputs
        kinds = ["?" if part.type == "b" else args[0].dtype.char for part in parts]
        if out is None:
            return tuple(np.empty(p.shape, kind) for p, kind in zip(parts, kinds, strict=True))
        wanted = given(out)
        right = len(wanted) == len(parts) and all(
            _fits(array, part.shape, kind) and array.flags.writeable
            for array, part, kind in zip(wanted, parts, kinds, strict=True)
        )
        if not right:
            return None
        others = [*args, *wanted]
        apart = not any(
            np.may_share_memory(array, other)
            for k, array in enumerate(wanted)
            for other in others[: len(args) + k]
        )
        return wanted if apart else None

    def _run(self, loop: RolledLoop, shares: "_Shares", arrays: list[Array]) -> None:
        """Let a crew loose on the pieces."""
        memory = self._work(loop.maker.work_bytes)
        places = [_place(array) for array in (*arrays, memory)]
        segments = (ctypes.c_void_p * len(places))(*places)
        count = len(shares.chunks)
        counters = (ctypes.c_int64 * (2 * count))()
        taken = ctypes.addressof(counters)
        data = TeamData(
            shares.rows, count, ctypes.addressof(segments), _place(shares.chunks),
            taken, taken + 8 * count,
        )  # fmt: skip
        place = rolled_driver(TEAM).address
        self.crew.share(place, ctypes.addressof(data), shares.cycles * _CYCLE)
        self.idle.append(memory)

    def _shares(self, compiled: Compiled) -> "_Shares":
        chunks = np.array([self._chunks(piece) for piece in compiled.parts], np.int64)
        cycles = sum(piece.cycles for piece in compiled.parts)
        return _Shares(ctypes.addressof(compiled.rows), chunks, cycles)

    def _chunks(self, piece: Part) -> int:
        if piece.serial:
            return 1
        most = min(_CHUNKS * (self.crew.helpers + 1), piece.units)
        return max(1, min(most, int(piece.cycles / _CHUNK)))

    def _work(self, size: int) -> Array:
        """Return memory for work cells."""
        try:
            found = self.idle.pop()
        except IndexError:
            found = np.empty(0, np.uint8)
        return found if found.nbytes >= size else np.empty(size, np.uint8)


@dataclass(frozen=True, eq=False)
class _Shares:
    """Where the pieces of a point are described, their chunks, and cycles of all of them."""

    rows: int
    chunks: Array
    cycles: float


def _place(array: Array) -> int:
    """Return where an array is, in a third of the time that `array.ctypes` takes."""
    return int(array.__array_interface__["data"][0])


def _fits(array: Any, shape: tuple[int, ...], kind: str) -> bool:
    """Tell whether code can read an array where it lies."""
    return (
        type(array) is np.ndarray
        and array.shape == shape
        and array.dtype.char == kind
        and array.flags.c_contiguous
        and array.flags.aligned
        and array.dtype.isnative
    )
