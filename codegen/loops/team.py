"""One large point computed by several threads, which share the units of each piece.

Threads take chunks of a piece until there are none, and go on to the next when all are done. So
nobody waits for a thread that has not come yet, and bits do not depend on how many there are.
"""

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from codegen.crew.crew import Crew
from codegen.loops.driver import TEAM, TeamData
from codegen.loops.linkable import Compiled, Part
from codegen.loops.loop import RolledLoop, rolled_driver
from codegen.loops.program import Rolled

__all__ = ["Teamed"]

_WORTH: Final = 400_000.0
"""Cycles of a point below which it is done before another thread is awake."""
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

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Look whether the arguments are those of one large point."""
        loop = self.loops.get(args[0].dtype.char) if self._is_one_point(args) else None
        if loop is None or kwargs.keys() - {"out"}:
            return self.call(*args, **kwargs)
        compiled = loop.compiled()
        outputs = self._outputs(args, kwargs.get("out"))
        if outputs is None or sum(p.cycles for p in compiled.parts) < _WORTH:
            return self.call(*args, **kwargs)
        self._run(loop, compiled, [*args, *outputs])
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
        given = out if isinstance(out, tuple) else (out,)
        right = len(given) == len(parts) and all(
            _fits(array, part.shape, kind) and array.flags.writeable
            for array, part, kind in zip(given, parts, kinds, strict=True)
        )
        if not right:
            return None
        others = [*args, *given]
        apart = not any(
            np.may_share_memory(array, other)
            for k, array in enumerate(given)
            for other in others[: len(args) + k]
        )
        return given if apart else None

    def _run(self, loop: RolledLoop, compiled: Compiled, arrays: list[Array]) -> None:
        """Let a crew loose on the pieces."""
        memory = self._work(loop.maker.work_bytes)
        places = [array.ctypes.data for array in (*arrays, memory)]
        segments = (ctypes.c_void_p * len(places))(*places)
        chunks = np.array([self._chunks(piece) for piece in compiled.parts], np.int64)
        counters = np.zeros((2, len(chunks)), np.int64)
        data = TeamData(
            ctypes.addressof(compiled.rows), len(chunks), ctypes.addressof(segments),
            chunks.ctypes.data, counters[0].ctypes.data, counters[1].ctypes.data,
        )  # fmt: skip
        work = sum(piece.cycles for piece in compiled.parts) * _CYCLE
        self.crew.share(rolled_driver(TEAM).address, ctypes.addressof(data), work)
        self.idle.append(memory)

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
