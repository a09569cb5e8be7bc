"""How loops that share the store's columns are compiled, and when they are compiled again."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numba as nb
from numba.core.caching import FunctionCache
from numba.core.runtime.nrt import rtsys

__all__ = ["cached", "inlined", "native", "stored"]

_HERE: Final = Path(__file__).parent
_SOURCES: Final = (
    "native.py", "bulk.py", "ops.py", "pattern.py", "slim.py", "unknowns.py",
    *(f"machine/{name}.py" for name in ("groups", "layout", "loop", "match")),
)  # fmt: skip
"""Files whose code or constants end up in each other's machine code."""


type Stamp = tuple[tuple[str, int, int], ...]


def _stamps(files: Sequence[Path]) -> Stamp:
    stats = [(path.name, path.stat()) for path in files]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


_STAMP: Final = _stamps([_HERE / name for name in _SOURCES])


@cache
def _beside(folder: Path) -> Stamp:
    """Stamp the files of a folder of loops that is none of ours: they call each other."""
    return () if folder in (_HERE, _HERE / "machine") else _stamps(sorted(folder.glob("*.py")))


class _Cache(FunctionCache):
    """Loads machine code without all that could be called in a compilation.

    Numba fills its registries first, which imports SciPy: half of the time in which a kernel is
    loaded from the disk. What compiles does so itself.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load what was compiled for these types; None where nothing was."""
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)  # type: ignore[no-untyped-call]


class _LinkedCache(_Cache):
    """Numba looks at the file of a function alone, not at those of the functions that it calls."""

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        beside = _beside(Path(self._py_func.__code__.co_filename).parent)
        return (*super()._index_key(sig, codegen), _STAMP, beside)  # type: ignore[no-untyped-call]


def cached[F: Callable[..., Any]](function: F) -> F:
    """Compile a loop to machine code, which is kept beside its source; without the global lock."""
    compiled: Any = nb.njit(nogil=True)(function)
    compiled._cache = _Cache(function)  # type: ignore[no-untyped-call]
    return compiled  # type: ignore[no-any-return]


def native[F: Callable[..., Any]](function: F, *, inline: bool = False) -> F:
    """Compile a loop to machine code that only borrows its arrays.

    Arrays are not counted: each view and many a call would do so atomically, which took half of
    the time. So such a function must not make, slice or return an array. Without the global lock.

    A call copies the seven words of each array that it hands over: `inline` those that are made
    often, and from few places.
    """
    options: dict[str, Any] = {"nogil": True, "_nrt": False, "forceinline": inline}
    compiled: Any = nb.njit(**options)(function)
    compiled._cache = _LinkedCache(function)  # type: ignore[no-untyped-call]
    return compiled  # type: ignore[no-any-return]


def inlined[F: Callable[..., Any]](function: F) -> F:
    """Compile as `native` does, and into each caller."""
    return native(function, inline=True)


def stored(function: Any) -> bool:
    """Tell whether a compiled loop has machine code, here or on disk: else a call makes it."""
    if function.signatures:
        return True
    try:
        keys = function._cache._cache_file._load_index()
    except OSError:
        return False
    beside = _beside(Path(function.py_func.__code__.co_filename).parent)
    return any(_STAMP in key and beside in key for key in keys)
