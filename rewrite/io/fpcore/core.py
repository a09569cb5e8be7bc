"""`FPCore`: one benchmark, as terms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.errors import AccuracyError
from rewrite.evaluate import evaluate
from rewrite.sampling import sample_points
from rewrite.term import Term

__all__ = ["FPCore"]

TRIES: Final = 64
"""How many times as many points are drawn at most, where the precondition refuses some."""


@dataclass(frozen=True)
class FPCore:
    """A benchmark: what it computes, of which arguments, and where it is meant to hold.

    `rw.compile(core.args, core.term, dtype=core.dtype)` makes a kernel of it, and
    `rw.accuracy(core.term, core.points(), core.dtype)` measures it.
    """

    args: tuple[Term, ...]
    """Its symbols. Bounds in the precondition are their domains."""
    term: Term
    name: str = ""
    """The property `:name`."""
    identifier: str = ""
    """By which others of the same text can call it."""
    dtype: npt.DTypeLike = np.float64
    """float64 for binary64, float32 for binary32."""
    pre: Term | None = None
    """The precondition: true where the benchmark is meant to hold."""
    spec: Term | None = None
    """What it should compute, if that is given apart."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """All other properties as texts and tuples, by name."""

    def points(self, n: int = 256, *, seed: int = 0) -> dict[str, npt.NDArray[Any]]:
        """Return n values of each argument at which the precondition holds.

        Raise `AccuracyError` where it holds at none of the points that were tried.
        """
        if not self.args:
            return {}
        kept: list[dict[str, npt.NDArray[Any]]] = []
        found = tries = 0
        while found < n and tries < TRIES:
            points = sample_points(self.args, max(n, 16), seed=seed + tries, dtype=self.dtype)
            if self.pre is not None:
                holds = np.broadcast_to(evaluate(self.pre, points, dtype=self.dtype), max(n, 16))
                points = {name: values[holds] for name, values in points.items()}
            kept.append(points)
            found += len(next(iter(points.values())))
            tries += 1
        if not found:
            raise AccuracyError(f"no point was found at which {self.pre!r} holds")
        return {name: np.concatenate([points[name] for points in kept])[:n] for name in kept[0]}

    def __repr__(self) -> str:
        """Show the name and the term."""
        return f"<FPCore {self.name or self.identifier or 'without a name'!r}: {self.term!r}>"
