"""A saturated e-graph as arrays: what extraction reads, free of the engine that made it."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from rewrite.constants import Constant
from rewrite.store import Symbol

__all__ = ["Frozen"]

type Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Frozen:
    """E-nodes in a deterministic order; `args[start[i]:start[i+1]]` are the child classes of i.

    `leaf[i]` is the symbol or constant of a leaf node, None for others. `roots` are classes, in
    the order asked for.
    """

    code: npt.NDArray[np.uint8]
    owner: Ints
    """The class of each node."""
    start: npt.NDArray[np.int64]
    args: Ints
    leaf: list[Symbol | Constant | Fraction | None]
    classes: int
    roots: list[int]

    def __len__(self) -> int:
        """Count the e-nodes."""
        return len(self.code)
