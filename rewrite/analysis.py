"""Facts about the real values of terms: what conditions of rules and the code generator ask.

Sources: domains and dtypes of symbols, exact constants, and the op table through
`rewrite.ranges`. Everything is conservative: what is not known does not hold. A fact holds
wherever the value is defined as a real number; it says nothing of what rounding, overflow or
underflow make of it (exp(x) is never 0, though as a double it may be).
"""

import functools
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.conditions import KINDS
from rewrite.constants import Constant
from rewrite.dag import SMALL, Dag
from rewrite.errors import PatternError
from rewrite.foreign import Foreign
from rewrite.intervals import INF, TOP, TRUTH, Fact, fact, fact_of_constant
from rewrite.leaves import RULES
from rewrite.ranges import transfer
from rewrite.rule import SHAPES, Condition
from rewrite.sorts import BOOL, INT
from rewrite.store import Store, Symbol
from rewrite.term import Term, join

__all__ = ["Facts", "fact_of", "facts", "holds", "pattern_rows"]


@dataclass(frozen=True, slots=True)
class Facts:
    """Columns beside those of a `Dag`: position i has its value in [lo[i], hi[i]], and so on."""

    lo: npt.NDArray[np.float64]
    hi: npt.NDArray[np.float64]
    nonzero: npt.NDArray[np.bool_]
    integer: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Count the positions."""
        return len(self.lo)

    def __getitem__(self, position: int) -> Fact:
        """Return the fact at a position; the last one is the root of a single term."""
        return Fact(
            float(self.lo[position]), float(self.hi[position]),
            bool(self.nonzero[position]), bool(self.integer[position]),
        )  # fmt: skip

    def holds(self, kind: str, position: int = -1) -> bool:
        """Tell whether a kind of condition is known to hold at a position."""
        return _meets(self[position], kind)


def facts(of: Term | Dag) -> Facts:
    """Analyse a program in one pass.

    >>> import rewrite as rw
    >>> x = rw.symbol("x", low=1)
    >>> facts(rw.exp(x) / x)[-1]
    Fact(lo=0.0, hi=inf, nonzero=True, integer=False)
    """
    dag = Dag.of(of.store, [of.id]) if isinstance(of, Term) else of
    known: list[Fact] = []
    odd = set(np.flatnonzero(dag.sort > BOOL).tolist())
    for at, (code, args) in enumerate(dag.rows()):
        value = dag.value[at]
        if value is not None:
            known.append(_leaf(value))
        elif odd and not odd.isdisjoint(args):  # of what is no number nothing is known
            known.append(TOP)
        else:
            known.append(transfer(code, args, [known[a] for a in args]))
    table = np.array(known, np.float64).reshape(len(known), 4)
    flags = table[:, 2:] != 0.0
    return Facts(table[:, 0].copy(), table[:, 1].copy(), flags[:, 0].copy(), flags[:, 1].copy())


def fact_of(store: Store | Foreign, node: int) -> Fact:
    """Return the fact of one node; those of a store are kept as long as it lives.

    Of terms of other types only numbers are known.

    >>> import rewrite as rw
    >>> n = rw.symbol("n", dtype="int64", low=1)
    >>> f = fact_of(n.store, (n * n + 1).id)
    >>> f.lo, f.integer
    (2.0, True)
    """
    if isinstance(store, Foreign):
        value = store.value(node)
        return TOP if value is None else fact_of_constant(value)
    known = _KNOWN.get(store)
    if known is None:
        known = _KNOWN.setdefault(store, {})
    found = known.get(node)
    if found is None:
        _learn(store, known, node)
        found = known[node]
    return found


_KNOWN: Final[weakref.WeakKeyDictionary[Store, dict[int, Fact]]] = weakref.WeakKeyDictionary()
"""Facts depend on a node alone, so they are never stale."""


type Bound = Mapping[str, int | tuple[int, ...]]
"""What each variable of a rule stands for: a node, or the nodes of a sequence."""


def holds(condition: Condition, store: Store | Foreign, bound: Bound) -> bool:
    """Check a rule's condition for pattern variables bound to nodes of a store.

    The instantiated term is analysed without being made. Of a sequence variable, each node must
    meet it.
    """
    symbol = condition.term.symbol
    if symbol is not None:
        given, name = bound[symbol.name], symbol.name
        if isinstance(given, tuple):
            return all(holds(condition, store, {**bound, name: node}) for node in given)
        if condition.kind in SHAPES:
            return _shaped(condition.kind, store, given)
    return _known_to(condition, store, bound)


def _shaped(kind: str, store: Store | Foreign, node: int) -> bool:
    code = store.code(node)
    if kind == "symbolic":
        return code != ops.CONST.code
    return code == ops.CONST.code or (kind == "atom" and code == ops.SYMBOL.code)


def _known_to(condition: Condition, store: Store | Foreign, bound: Bound) -> bool:
    pattern = join(RULES, condition.term)
    keys: list[tuple[object, ...]] = []
    known: list[Fact] = []
    odd: set[int] = set()  # positions that are made of something that is no number
    for code, args, value in pattern_rows(pattern.id):
        if code == ops.PVAR.code and isinstance(value, Symbol):
            node = bound[value.name]
            assert isinstance(node, int), f"{condition!r} has a sequence inside"
            keys.append(("node", node))
            known.append(fact_of(store, node))
            if value.sort > BOOL:
                odd.add(len(keys) - 1)
        elif value is not None:
            keys.append(("leaf", len(keys)))
            known.append(_leaf(value))
        elif not odd.isdisjoint(args):
            odd.add(len(keys))
            keys.append((code, *[keys[a] for a in args]))
            known.append(TOP)
        else:
            keys.append((code, *[keys[a] for a in args]))
            same = [keys.index(keys[a]) for a in args]  # equal operands, though matched apart
            known.append(transfer(code, same, [known[a] for a in args]))
    return _meets(known[-1], condition.kind)


def _meets(known: Fact, kind: str) -> bool:
    if kind not in KINDS:
        raise PatternError(f"no condition is called {kind!r}; choices: {', '.join(KINDS)}")
    return bool(getattr(known, kind))


@functools.cache
def pattern_rows(pattern: int) -> list[tuple[int, tuple[int, ...], Symbol | Constant | None]]:
    """Return the rows of a pattern, which lives in the store of the rules."""
    dag = Dag.of(RULES, [pattern])
    return [(*row, value) for row, value in zip(dag.rows(), dag.value, strict=True)]


def _learn(store: Store, known: dict[int, Fact], root: int) -> None:
    """Add what is missing below a node; no recursion, as ids increase from children to parents."""
    missing: set[int] = set()
    marks = _marks(store)
    stack = [root]
    while stack:
        node = stack.pop()
        if node < len(marks) and marks[node] == NOTHING:
            known[node] = TOP
        elif node not in known and node not in missing:
            missing.add(node)
            stack.extend(store.children(node))
    for node in sorted(missing):
        code = store.code(node)
        if code <= ops.PVAR.code:
            known[node] = _leaf_of(store, node)
        else:
            args = store.children(node)
            numbers = all(store.sort(a) <= BOOL for a in args)
            known[node] = transfer(code, args, [known[a] for a in args]) if numbers else TOP


NOTHING: Final = 1
"""The mark of `rewrite.unknowns` on nodes whose fact is `TOP`."""


def _marks(store: Store) -> Sequence[int] | npt.NDArray[np.uint8]:
    """Return which nodes of a large store nothing is known about; of a small one, none."""
    if store.table is None or len(store) <= SMALL:
        return ()
    from rewrite.unknowns import unknown

    return unknown(store, functools.partial(_leaf_of, store))


def _leaf_of(store: Store, node: int) -> Fact:
    """Return the fact of a symbol or constant of a store."""
    at = store.payload(node)
    return _leaf(store.constants[at] if store.code(node) == ops.CONST.code else store.symbols[at])


def _leaf(value: Symbol | Constant) -> Fact:
    return _symbol(value) if isinstance(value, Symbol) else fact_of_constant(value)


def _symbol(symbol: Symbol) -> Fact:
    """Read the domain and the dtype of a symbol."""
    if symbol.sort == BOOL:
        return TRUTH
    low = -INF if symbol.low is None else symbol.low
    high = INF if symbol.high is None else symbol.high
    if symbol.sort != INT:
        return fact(low, high) if symbol.low != symbol.high or symbol.low is None else _point(low)
    limits = np.iinfo(np.dtype(symbol.dtype))
    low, high = max(low, float(limits.min)), min(high, float(limits.max))
    return fact(low, high, integer=True) if low <= high else TOP


def _point(value: float) -> Fact:
    return fact(value, value, integer=value.is_integer())
