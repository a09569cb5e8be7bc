"""Sorts: what kind of value a term stands for; ops, rules and constructors dispatch on them.

Four are built in, others are registered by `rw.sort`. A sort is known by its name: its code is a
number of this process, used in columns and never written down.
"""

import threading
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import matrices
from rewrite.errors import SortError

__all__ = ["BOOL", "INT", "MATRIX", "REAL", "SORTS", "Sort", "by_name", "define", "fit_table"]

type Sample = Callable[[np.random.Generator], Any]
type Equal = Callable[[Any, Any], bool]

MOST: Final = 256
"""The column of sorts has one byte a node."""


class Sort(int):
    """The sort of a term; as a number, its code in the columns of a store.

    `isa` is the sort whose place it can take, `sample` draws a value and `equal` compares two, for
    the tests of its laws.
    """

    name: str
    isa: "Sort | None"
    sample: Sample | None
    equal: Equal | None

    def __new__(
        cls, code: int, name: str, isa: "Sort | None" = None, sample: Sample | None = None,
        equal: Equal | None = None,
    ) -> "Sort":  # fmt: skip
        """Make a row of the table; `define` registers one."""
        self = super().__new__(cls, code)
        self.name, self.isa, self.sample, self.equal = name, isa, sample, equal
        return self

    @property
    def code(self) -> int:
        """The number that columns hold."""
        return int(self)

    @property
    def line(self) -> "tuple[Sort, ...]":
        """The sort and those whose place it can take, the nearest first."""
        return (self, *(self.isa.line if self.isa is not None else ()))

    @property
    def family(self) -> "Sort":
        """The last of its line: values of two families are never equal."""
        return self.line[-1]

    def fits(self, other: "Sort | int") -> bool:
        """Tell whether a value of this sort can stand where one of the other is wanted.

        >>> INT.fits(REAL), REAL.fits(INT), BOOL.fits(REAL)
        (True, False, False)
        """
        return self == other or any(each == other for each in self.line)

    def same(self, one: Any, other: Any) -> bool:
        """Compare two values, as the nearest sort of its line does that says how."""
        equal = next((each.equal for each in self.line if each.equal is not None), None)
        return bool(one == other if equal is None else equal(one, other))

    def drawn(self, random: np.random.Generator) -> Any:
        """Draw a value; raise `SortError` where the sort does not say how."""
        if self.sample is None:
            raise SortError(f"the sort {self} draws no values; register it with sample=")
        return self.sample(random)

    def __repr__(self) -> str:
        """Show the name."""
        return self.name

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        """Show the name in messages."""
        return format(self.name, spec)

    def __reduce__(self) -> Any:
        """Pickle the name: codes differ between processes."""
        return by_name, (self.name,)


def _real(random: np.random.Generator) -> float:
    """Draw a small integer or a number between; both are met by laws in different ways."""
    return float(random.integers(-4, 5)) if random.random() < 0.5 else random.uniform(-4, 4)


def _close(one: Any, other: Any) -> bool:
    return bool(np.allclose(one, other, rtol=1e-9, atol=1e-9, equal_nan=True))


REAL: Final = Sort(0, "real", sample=_real, equal=_close)
"""A real number; floating point once lowered."""
INT: Final = Sort(1, "int", isa=REAL, sample=lambda random: int(random.integers(-4, 5)))
"""A real number known to be an integer; it is used wherever a real is."""
BOOL: Final = Sort(2, "bool", sample=lambda random: bool(random.integers(2)))
"""A truth value, made by comparisons and logic and consumed by ``where``."""
MATRIX: Final = Sort(3, "matrix", sample=matrices.sample, equal=matrices.equal)
"""A square matrix of numbers, whose products do not commute. Its size is not part of the sort."""

SORTS: Final[list[Sort]] = [REAL, INT, BOOL, MATRIX]
"""By code; it only grows."""
_NAMED: Final[dict[str, Sort]] = {each.name: each for each in SORTS}
_LOCK: Final = threading.Lock()


def fit_table() -> npt.NDArray[np.bool_]:
    """Return `Sort.fits` as a table [sort, wanted], as of now, for compiled loops.

    >>> fit_table()[INT, REAL], fit_table()[REAL, INT]
    (np.True_, np.False_)
    """
    count = len(SORTS)
    table = np.zeros((count, count), np.bool_)
    for sort in SORTS[:count]:
        table[sort, list(map(int, sort.line))] = True
    return table


def by_name(name: str) -> Sort:
    """Return the sort of a name.

    >>> by_name("matrix")
    matrix
    """
    try:
        return _NAMED[name]
    except KeyError:
        known = ", ".join(_NAMED)
        raise SortError(
            f"no sort is called {name!r}; register it first, rw.sort({name!r}); sorts: {known}"
        ) from None


def define(
    name: str, *, isa: Sort | None = None, sample: Sample | None = None, equal: Equal | None = None
) -> Sort:
    """Register a sort of terms, at most 256 of them, and return it.

    `isa` says that its values are values of another sort as well: ops and laws of that one apply to
    it. `sample` draws a value from a NumPy generator and `equal` compares two (default: ==); the
    laws of the sort are checked with them, see `rw.testing.check_laws`.

    Registering a name again gives the same sort, with the new functions. Raise `SortError` for
    another `isa` than before, and for a name that is no identifier.

    >>> import rewrite as rw
    >>> rw.sort("colour"), rw.sort("colour") is rw.sort("colour")
    (colour, True)
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise SortError(f"a sort's name must be an identifier, not {name!r}")
    if isa is not None and not isinstance(isa, Sort):
        raise SortError(f"sort {name!r}: isa={isa!r} is no sort; give one that rw.sort made")
    with _LOCK:
        known = _NAMED.get(name)
        if known is not None:
            if known <= MATRIX or known.isa is not isa:
                above = f" with isa={known.isa}" if known.isa is not None else ""
                raise SortError(f"there is a sort {name!r}{above} already; choose another name")
            known.sample, known.equal = sample or known.sample, equal or known.equal
            return known
        if len(SORTS) >= MOST:
            raise SortError(f"there are {MOST} sorts already; {name!r} is one too many")
        made = Sort(len(SORTS), name, isa, sample, equal)
        SORTS.append(made)
        _NAMED[name] = made
    return made
