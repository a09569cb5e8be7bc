"""`Term`: a small handle on a node of a store, which behaves as a number.

Construction is literal: what is written is what is stored, in its order.
"""

import contextlib
import contextvars
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final, NoReturn

import numpy as np

from rewrite import ops
from rewrite.constants import Constant, as_constant
from rewrite.dag import Dag, count_nodes, rebuild, replaced
from rewrite.display import Displayed
from rewrite.division import floor_divmod
from rewrite.errors import NumbersError, TraceError, UnsupportedOp
from rewrite.hashing import term_hash
from rewrite.pickling import columns_of, restored
from rewrite.sorts import SORTS, Sort
from rewrite.store import Store, Symbol

__all__ = [
    "Term",
    "apply",
    "const",
    "current_store",
    "lift",
    "scope",
    "symbols_at",
]

_ADD, _SUB, _MUL, _DIV = ops.ADD.code, ops.SUB.code, ops.MUL.code, ops.DIV.code


FEW: Final = 64
"""Of so many terms symbols are looked up one by one."""


class Term(Displayed):
    """An expression; equal terms of one store are one node.

    `==` compares structure and gives a bool; `rw.eq(a, b)` builds an equation.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> (x + y) * 2
    (x + y)*2
    """

    __slots__ = ("id", "store")
    __array_priority__ = 1000

    store: Store
    id: int

    def __init__(self, store: Store, node: int) -> None:
        self.store = store
        self.id = node

    # -- structure ---------------------------------------------------------------------------

    @property
    def op(self) -> ops.Op:
        """The row of the op table at the head of this term."""
        return ops.OPS[self.store.code(self.id)]

    @property
    def args(self) -> tuple["Term", ...]:
        """The children."""
        store = self.store
        return tuple([Term(store, child) for child in store.children(self.id)])

    @property
    def sort(self) -> Sort:
        """The sort: real, integer, truth value, matrix, or one of a user's."""
        return SORTS[self.store.sort(self.id)]

    @property
    def value(self) -> Constant | None:
        """The exact value of a constant, None for anything else."""
        return self.store.value(self.id)

    @property
    def symbol(self) -> Symbol | None:
        """The name, dtype and domain of a symbol or pattern variable, None for anything else."""
        store, node = self.store, self.id
        if store.code(node) in _LETTERS:
            return store.symbols[store.payload(node)]
        return None

    @property
    def free_symbols(self) -> tuple["Term", ...]:
        """The symbols in this term, by name."""
        dag = Dag.of(self.store, [self.id])
        found = [
            (value.name, int(node))
            for value, node in zip(dag.value, dag.ids, strict=True)
            if isinstance(value, Symbol)
        ]
        return tuple(Term(self.store, node) for _, node in sorted(found))

    def node_count(self) -> int:
        """Count the distinct nodes: shared subterms once."""
        return count_nodes(self.store, self.id)

    def substitute(self, mapping: Mapping["Term", Any]) -> "Term":
        """Replace terms by others everywhere, in one pass over the distinct nodes.

        >>> import rewrite as rw
        >>> x, y = rw.symbols("x y")
        >>> (x * y + x).substitute({x: y + 1})
        (y + 1)*y + (y + 1)
        """
        store = self.store
        wanted = {
            (old.id if old.store is store else join(store, old).id): (
                new.id if type(new) is Term and new.store is store else lift(new, store).id
            )
            for old, new in mapping.items()
        }
        return Term(store, replaced(Dag.of(store, [self.id]), store, wanted)[0])

    # -- comparison --------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        """Compare structure, across stores too."""
        if not isinstance(other, Term):
            return NotImplemented
        if other.store is self.store:
            return other.id == self.id
        # equal hashes first: joining a term that differs would leave its nodes in this store
        alike = term_hash(self.store, self.id) == term_hash(other.store, other.id)
        return alike and join(self.store, other).id == self.id

    def __hash__(self) -> int:
        """Hash the whole structure, once, so that equal terms of different stores agree."""
        return hash(term_hash(self.store, self.id))

    def __bool__(self) -> NoReturn:
        """Refuse: a term has no truth value until it is evaluated."""
        raise TraceError(
            f"the truth value of the term {_short(self)} is not known; for a data-dependent "
            "choice write rw.where(condition, a, b), for logic use & | ~"
        )

    def __float__(self) -> float:
        """Evaluate a constant term."""
        from rewrite.evaluate import evaluate

        if self.free_symbols:
            raise NumbersError(
                f"the term {_short(self)} has free symbols; it is not one number, and cannot be "
                "stored in an array of numbers"
            )
        return float(evaluate(self))

    def __index__(self) -> NoReturn:
        """Refuse: what Python counts with must be known now."""
        raise TraceError(
            f"the term {_short(self)} cannot be an index, a length or a Python integer; those must "
            "be known when the terms are built"
        )

    __int__ = __index__

    def __iter__(self) -> NoReturn:
        """Refuse: a term is one number."""
        raise TraceError(f"the term {_short(self)} is one number; it cannot be iterated over")

    # -- arithmetic --------------------------------------------------------------------------

    def __add__(self, other: Any) -> Any:
        """x + y."""
        store = self.store
        if type(other) is Term and other.store is store:
            return Term(store, store.make((_ADD, self.id, other.id)))
        return _binary(ops.ADD, self, other)

    def __sub__(self, other: Any) -> Any:
        """x - y."""
        store = self.store
        if type(other) is Term and other.store is store:
            return Term(store, store.make((_SUB, self.id, other.id)))
        return _binary(ops.SUB, self, other)

    def __mul__(self, other: Any) -> Any:
        """x * y."""
        store = self.store
        if type(other) is Term and other.store is store:
            return Term(store, store.make((_MUL, self.id, other.id)))
        return _binary(ops.MUL, self, other)

    def __truediv__(self, other: Any) -> Any:
        """x / y."""
        store = self.store
        if type(other) is Term and other.store is store:
            return Term(store, store.make((_DIV, self.id, other.id)))
        return _binary(ops.DIV, self, other)

    def __radd__(self, other: Any) -> Any:
        """Y + x."""
        return _binary(ops.ADD, self, other, swap=True)

    def __rsub__(self, other: Any) -> Any:
        """Y - x."""
        return _binary(ops.SUB, self, other, swap=True)

    def __rmul__(self, other: Any) -> Any:
        """Y * x."""
        return _binary(ops.MUL, self, other, swap=True)

    def __rtruediv__(self, other: Any) -> Any:
        """Y / x."""
        return _binary(ops.DIV, self, other, swap=True)

    def __pow__(self, other: Any) -> Any:
        """x ** y."""
        return _binary(ops.POW, self, other)

    def __rpow__(self, other: Any) -> Any:
        """Y ** x."""
        return _binary(ops.POW, self, other, swap=True)

    def __divmod__(self, other: Any) -> Any:
        """(x // y, x % y), by the steps of Python and NumPy; `np.fmod` is C's %."""
        return _divmod(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        """(Y // x, Y % x)."""
        return _divmod(self, other, swap=True)

    def __mod__(self, other: Any) -> Any:
        """The rest of x / y, of the sign of y."""
        return _part(_divmod(self, other), 1)

    def __rmod__(self, other: Any) -> Any:
        """The rest of Y / x."""
        return _part(_divmod(self, other, swap=True), 1)

    def __floordiv__(self, other: Any) -> Any:
        """The floor of x / y; of the quotient as rounded: `floor(x / y)`."""
        return _part(_divmod(self, other), 0)

    def __rfloordiv__(self, other: Any) -> Any:
        """The floor of Y / x."""
        return _part(_divmod(self, other, swap=True), 0)

    def __xor__(self, other: Any) -> NoReturn:
        """Refuse: it is a power in other languages."""
        raise UnsupportedOp("^ is not supported on terms; write ** for a power, rw.ne for logic")

    __rxor__ = __xor__

    def __neg__(self) -> "Term":
        """-x."""
        return apply(ops.NEG, self)

    def __pos__(self) -> "Term":
        """+x, which is x."""
        return self

    def __abs__(self) -> "Term":
        """|x|."""
        return apply(ops.ABS, self)

    def __round__(self, digits: None = None) -> "Term":
        """Round halves to the even integer."""
        if digits is not None:
            raise UnsupportedOp("round with digits is not supported on terms; scale first")
        return apply(ops.ROUND, self)

    def __floor__(self) -> "Term":
        """math.floor."""
        return apply(ops.FLOOR, self)

    def __ceil__(self) -> "Term":
        """math.ceil."""
        return apply(ops.CEIL, self)

    def __trunc__(self) -> "Term":
        """math.trunc."""
        return apply(ops.TRUNC, self)

    def __lt__(self, other: Any) -> Any:
        """x < y as a term."""
        return _binary(ops.LT, self, other)

    def __le__(self, other: Any) -> Any:
        """x <= y as a term."""
        return _binary(ops.LE, self, other)

    def __gt__(self, other: Any) -> Any:
        """x > y as a term."""
        return _binary(ops.GT, self, other)

    def __ge__(self, other: Any) -> Any:
        """x >= y as a term."""
        return _binary(ops.GE, self, other)

    def __and__(self, other: Any) -> Any:
        """Conjunction of truth values."""
        return _binary(ops.AND, self, other)

    def __rand__(self, other: Any) -> Any:
        """Conjunction of truth values."""
        return _binary(ops.AND, self, other, swap=True)

    def __or__(self, other: Any) -> Any:
        """Disjunction of truth values."""
        return _binary(ops.OR, self, other)

    def __ror__(self, other: Any) -> Any:
        """Disjunction of truth values."""
        return _binary(ops.OR, self, other, swap=True)

    def __invert__(self) -> "Term":
        """Negation of a truth value."""
        return apply(ops.NOT, self)

    # -- NumPy -------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Let `np.sin(term)` build a term; with arrays beside it, a `TermArray`."""
        from rewrite import array

        return array.trace_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Let `np.where(term, a, b)` and the like build terms."""
        from rewrite import array

        return array.trace_function(func, args, kwargs)

    # -- looks -------------------------------------------------------------------------------

    def __repr__(self) -> str:
        """Write in Python syntax, cut short where it is very long."""
        from rewrite.printing import infix

        return infix(self)

    def sexpr(self, limit: int = 4000) -> str:
        """Write as an s-expression of op names."""
        from rewrite.printing import sexpr

        return sexpr(self, limit)

    def latex(self, limit: int = 4000) -> str:
        """Write as LaTeX."""
        from rewrite.printing import latex

        return latex(self, limit)

    def _repr_latex_(self) -> str | None:
        from rewrite.printing import displayed

        return displayed(self.latex())

    def __reduce__(self) -> Any:
        """Pickle as the columns of this term alone."""
        return _unpickle, columns_of(self.store, [self.id])

    def __copy__(self) -> "Term":
        """Terms are immutable."""
        return self

    def __deepcopy__(self, memo: Any) -> "Term":
        """Terms are immutable."""
        return self


_LETTERS: Final = (ops.SYMBOL.code, ops.PVAR.code)


def _unpickle(*columns: Any) -> Term:
    store = current_store()
    return Term(store, restored(store, *columns)[0])


def _short(term: Term) -> str:
    from rewrite.printing import infix

    return infix(term, 60)


# -- stores ----------------------------------------------------------------------------------

_DEFAULT: Final = Store()
_CURRENT: contextvars.ContextVar[Store] = contextvars.ContextVar("rewrite_store", default=_DEFAULT)


def current_store() -> Store:
    """Return the store in which symbols and constants are made in this context."""
    return _CURRENT.get()


@contextlib.contextmanager
def scope(store: Store | None = None) -> Iterator[Store]:
    """Make terms in a scratch store, which goes away with the last term that uses it.

    >>> import rewrite as rw
    >>> with rw.scope() as store:
    ...     t = rw.symbol("x") + 1
    >>> len(store)
    3
    """
    token = _CURRENT.set(store if store is not None else Store())
    try:
        yield _CURRENT.get()
    finally:
        _CURRENT.reset(token)


def join(store: Store, term: Term) -> Term:
    """Return the same term in another store."""
    if term.store is store:
        return term
    dag = Dag.of(term.store, [term.id])
    return Term(store, rebuild(dag, store)[dag.roots[0]])


def join_all(store: Store, terms: Iterable[Term]) -> list[int]:
    """Return the ids that several terms have in another store; what they share is copied once."""
    found: list[int] = []
    for source, same in groupby(terms, lambda term: term.store):
        own = [term.id for term in same]
        if source is not store:
            dag = Dag.of(source, own)
            ids = rebuild(dag, store)
            own = [ids[root] for root in dag.roots]
        found += own
    return found


def symbols_at(terms: Iterable[Term]) -> list[Symbol | None]:
    """Return the symbol that each term is, None for what is none; many at once."""
    found: list[Symbol | None] = []
    for store, same in groupby(terms, lambda term: term.store):
        ids = [term.id for term in same]
        if len(ids) <= FEW:
            found += [Term(store, node).symbol for node in ids]
            continue
        columns, pool = store.columns(), store.symbols
        node = np.array(ids, np.int64)
        named = np.isin(columns.op[node], (ops.SYMBOL.code, ops.PVAR.code))
        payload = np.where(named, columns.payload[node], -1).tolist()
        found += [pool[at] if at >= 0 else None for at in payload]
    return found


# -- construction ----------------------------------------------------------------------------


def const(value: Any, store: Store | None = None) -> Term:
    """Make a constant term; ints and fractions stay exact.

    >>> import rewrite as rw
    >>> rw.const(0.5) == rw.const(0.5), rw.const(0.0) == rw.const(-0.0)
    (True, False)
    """
    store = store if store is not None else current_store()
    return Term(store, store.constant(as_constant(value)))


def lift(value: Any, store: Store) -> Term:
    """Make a term of a number, or bring a term into this store."""
    if isinstance(value, Term):
        return join(store, value)
    return Term(store, store.constant(as_constant(value)))


def apply(op: ops.Op | str, *args: Any) -> Term:
    """Apply an op to terms and numbers.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> rw.apply("add", x, 1, 2)
    x + 1 + 2
    """
    row = ops.op(op) if isinstance(op, str) else op
    store = next((a.store for a in args if isinstance(a, Term)), None) or current_store()
    return Term(store, store.make((row.code, *[lift(a, store).id for a in args])))


def _binary(row: ops.Op, term: Term, other: Any, swap: bool = False) -> Any:
    if not isinstance(other, Term):
        # an array of terms ranks above a term, and knows what to do with one
        ranks_above = getattr(other, "__array_priority__", 0) > Term.__array_priority__
        if isinstance(other, (np.ndarray, list, tuple)) or ranks_above:
            return NotImplemented
        try:
            other = Term(term.store, term.store.constant(as_constant(other)))
        except UnsupportedOp:
            if hasattr(other, "__array_ufunc__") or isinstance(other, (complex, str, bytes)):
                raise
            return NotImplemented
    store = term.store
    other_id = other.id if other.store is store else join(store, other).id
    key = (row.code, other_id, term.id) if swap else (row.code, term.id, other_id)
    return Term(store, store.make(key))


def _divmod(term: Term, other: Any, swap: bool = False) -> Any:
    if _binary(ops.FMOD, term, other) is NotImplemented:  # an array, or a stranger
        return NotImplemented
    return floor_divmod(apply, *((other, term) if swap else (term, other)))


def _part(both: Any, place: int) -> Any:
    return both if both is NotImplemented else both[place]
