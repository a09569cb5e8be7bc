"""Sparse results: a kernel's values become SciPy's sparse arrays, and `out=` fills one in place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rewrite.errors import ArgumentError
from strategies.calculus.pattern import Pattern

__all__ = ["Filled", "filled"]


def filled(
    call: Callable[..., Any], patterns: tuple[Pattern | None, ...], names: tuple[str, ...]
) -> Callable[..., Any]:  # fmt: skip
    """Return a call of a kernel of values whose results have their patterns.

    That a single matrix has the pattern is known at once where its arrays of places are those of
    the last call: a solver fills one matrix many times, and its kernel may take two microseconds.
    """
    whole = Filled(call, patterns, names)
    own = patterns[0] if len(patterns) == 1 else None
    if own is None or not own.nnz:
        return whole
    shape = own.shape
    last: tuple[Any, Any, Any] = (None, None, None)

    def run(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        nonlocal last
        kind, indices, places = last
        if type(out) is kind and out.indices is indices and out.indptr is places:
            if out.shape == shape:
                call(*args, out=out.data, **kwargs)
                return out
        made = whole(*args, out=out, **kwargs)
        if made is out and type(out) is not np.ndarray and own.is_own(made):
            last = type(made), made.indices, made.indptr
        return made

    return run


@dataclass(frozen=True)
class Filled:
    """Call a kernel of values and give them their patterns, without copying them.

    With leading axes in the arguments a sparse result is an array of values, one row for each point
    (`Pattern.filled` makes a matrix of one).
    """

    call: Callable[..., Any]
    patterns: tuple[Pattern | None, ...]
    names: tuple[str, ...]

    def __call__(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Evaluate; each result that has a pattern is SciPy's sparse array."""
        if out is not None and len(self.patterns) == 1 and not isinstance(out, tuple):
            self.call(*args, out=self._values(out, self.patterns[0], self.names[0]), **kwargs)
            return out
        given = out if isinstance(out, tuple) else (out,) * (out is not None)
        if given:
            if len(given) != len(self.patterns):
                raise ArgumentError(
                    f"out= has {len(given)} entries, but there are {len(self.patterns)} results: "
                    f"{', '.join(self.names)}"
                )
            kwargs["out"] = tuple(map(self._values, given, self.patterns, self.names))
        results = self.call(*args, **kwargs)
        parts = results if isinstance(results, tuple) else (results,)
        made = self._made(parts, given)
        return made[0] if len(made) == 1 else tuple(made)

    @staticmethod
    def _values(given: Any, pattern: Pattern | None, name: str) -> Any:
        if pattern is None or given is None or isinstance(given, np.ndarray):
            return given if pattern is None or pattern.nnz else None
        values = pattern.values_of(given, name)
        return values if pattern.nnz else None

    def _made(self, parts: Sequence[Any], given: Sequence[Any]) -> list[Any]:
        made = []
        for k, (part, pattern) in enumerate(zip(parts, self.patterns, strict=True)):
            if given and given[k] is not None:
                made.append(given[k])
            else:
                if pattern is not None and not pattern.nnz:
                    part = np.asarray(part)[..., None][..., :0]
                made.append(part if pattern is None or part.ndim != 1 else pattern.filled(part))
        return made
