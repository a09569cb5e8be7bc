"""`TermArray`: an array of terms with NumPy's protocols, so that NumPy code builds terms.

It is an array of ids with a shape; each array operation interns all its elements in one call.
Comparisons are elementwise. A `TermArray` of no dimension is what tracing passes in. What
functions and ufuncs build is in tables of their own, which `registry` holds.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

import numpy as np

from rewrite import ops
from rewrite.array import interning
from rewrite.array.assignment import data_dependent, masked, picked, written
from rewrite.array.literal import in_trace
from rewrite.array.registry import numpys
from rewrite.constants import as_constant
from rewrite.display import Displayed
from rewrite.errors import (
    ElementError,
    NumbersError,
    ShapeError,
    SortError,
    TraceError,
    UnsupportedOp,
)
from rewrite.pickling import columns_of, restored
from rewrite.store import Ints, Store
from rewrite.term import Term, current_store, join

__all__ = [
    "PROTOCOL", "TermArray", "as_given", "as_numbers", "asarray", "coerced",
    "elementwise", "made", "one_into_many", "store_of",
]  # fmt: skip

_TO_NUMBERS: Final = (
    "an array of terms cannot become an array of numbers, or be stored in one; compile it with "
    "rw.compile, use the functions listed by rw.numpy_functions(), and make arrays to write to "
    "with np.zeros inside of the traced function, or with np.zeros_like of its arguments"
)


MOST_TYPESET: Final = 100
"""Elements of an array that is shown as a matrix."""
_TO_SPARSE: Final = {"_matmul_dispatch": np.array(None, object), "dot": np.zeros(())}
"""What methods of SciPy's sparse matrices are given when they ask for an array: so they leave the
product to the other operand, which knows it."""


def _method(name: str) -> Callable[..., Any]:
    """Make a method of the NumPy function that does the same."""

    def method(self: "TermArray", *args: Any, **kwargs: Any) -> Any:
        return getattr(np, name)(self, *args, **kwargs)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Return `np.{name}` of it."
    return method


class TermArray(np.lib.mixins.NDArrayOperatorsMixin, Displayed):
    """An array whose elements are terms of one store.

    >>> import numpy as np, rewrite as rw
    >>> x = rw.asarray(rw.symbols("a b"))
    >>> np.sin(x) * 2
    TermArray([sin(a)*2, sin(b)*2])
    """

    __array_priority__ = 1001
    single = False
    """Whether it stands for any one element of an array (see `rewrite.array.element`)."""

    def __init__(self, store: Store, ids: Ints) -> None:
        self.store = store
        self.ids = ids

    # -- shape -------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, as NumPy has it."""
        return self.ids.shape

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.ids.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.ids.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of what the terms stand for: bool or float64."""
        known = self.ids.size and self.ids.flat[0] != interning.UNSET
        boolean = known and interning.truths(self.store, self.ids).all()
        return np.dtype(np.bool_ if boolean else np.float64)

    @property
    def T(self) -> "TermArray":
        """The transpose, a view."""
        return TermArray(self.store, self.ids.T)

    mT = property(lambda self: TermArray(self.store, self.ids.mT), doc="Swap the last two axes.")
    real = property(lambda self: self, doc="Return it as it is: terms are real.")

    @property
    def flat(self) -> "TermArray":
        """All elements in row-major order, to read and to write to."""
        flat = self.ids.reshape(-1)
        if not np.may_share_memory(flat, self.ids):  # a write would not reach this array
            flat.flags.writeable = False
        return TermArray(self.store, flat)

    def __len__(self) -> int:
        """Return the length of the first axis."""
        if not self.ndim:
            raise TypeError("len() of a TermArray of no dimension")
        return len(self.ids)

    def reshape(self, *shape: Any, **order: Any) -> "TermArray":
        """Give a new shape to the same elements; a view where NumPy returns one.

        Raise `ShapeError` for a shape of another size.
        """
        try:
            return TermArray(self.store, self.ids.reshape(*shape, **order))
        except ValueError as error:
            raise ShapeError(f"reshape: {error}") from None

    def transpose(self, *axes: Any) -> "TermArray":
        """Return a view with the axes in another order, given one by one or as a tuple."""
        order = axes[0] if len(axes) == 1 else axes
        moved: TermArray = numpys.transpose(self, order or None)
        return moved

    def compress(self, condition: Any, axis: Any = None) -> Any:
        """Return the elements where a condition that is known now holds."""
        return numpys.compress(condition, self, axis)

    def ravel(self, order: Any = "C") -> "TermArray":
        """Flatten: a view where NumPy returns one."""
        return TermArray(self.store, self.ids.ravel(order))

    def flatten(self, order: Any = "C") -> "TermArray":
        """Return a flat copy."""
        return TermArray(self.store, self.ids.flatten(order))

    def copy(self, order: Any = "C") -> "TermArray":
        """Copy, so that element assignment does not reach the original."""
        return type(self)(self.store, self.ids.copy(order))

    def astype(self, dtype: Any, **options: Any) -> "TermArray":
        """Copy as float64 or bool; truth values become 1 and 0, numbers what differs from 0.

        Raise `UnsupportedOp` for other dtypes.
        """
        wanted = np.dtype(dtype)
        if wanted == self.dtype:
            return self.copy()
        if wanted == np.float64:
            return elementwise(ops.WHERE, self, 1.0, 0.0)
        if wanted == np.bool_:
            return elementwise(ops.NE, self, 0)
        raise UnsupportedOp(f"terms stand for float64 or bool; they cannot become {wanted.name}")

    def fill(self, value: Any) -> None:
        """Write one value everywhere."""
        self[...] = value

    def __getitem__(self, key: Any) -> "TermArray | Term":
        """Index as NumPy does; one element is a `Term`, and what NumPy calls a view is one."""
        try:
            found = picked(self.ids, key)
        except NumbersError:
            raise data_dependent("what a condition or an index of terms picks") from None
        if isinstance(found, np.ndarray):
            return TermArray(self.store, found)
        if found < 0:
            interning.require_set(np.asarray(found))
        return self._known(int(found)) if in_trace() else Term(self.store, int(found))

    def _known(self, node: int) -> Any:
        """Return an element in a trace: a number that the function has put there is one."""
        value = self.store.value(node)
        if isinstance(value, (bool, float)) and not self.single:
            return np.bool_(value) if isinstance(value, bool) else np.float64(value)
        return Term(self.store, node)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Assign terms or numbers in place; a condition of terms chooses as `np.where` does."""
        one_into_many(value, self)
        new: Any = np.int32(value.id) if _is_own(value, self.store) else _ids(value, self.store)
        if isinstance(key, TermArray):
            masked(self.store, self.ids, _ids(key, self.store), new)
            return
        try:
            written(self.ids, key, new)
        except NumbersError:
            raise data_dependent("the place that an index of terms names") from None

    def __iter__(self) -> Iterator["TermArray | Term"]:
        """Iterate over the first axis."""
        if not self.ndim:
            raise TypeError("iteration over a TermArray of no dimension")
        return (self[i] for i in range(len(self.ids)))

    def item(self, *place: Any) -> Term:
        """Return the only element, or the one at a place."""
        node = np.array(self.ids.item(*place), np.int32)
        interning.require_set(node)
        return Term(self.store, int(node))

    def terms(self) -> list[Term]:
        """Return all elements in row-major order."""
        interning.require_set(self.ids)
        return [Term(self.store, i) for i in self.ids.ravel().tolist()]

    def tolist(self) -> Any:
        """Return the elements as nested lists of terms."""
        flat = np.empty(self.ids.size, object)
        flat[:] = self.terms()
        return flat.reshape(self.shape).tolist()

    def __copy__(self) -> "TermArray":
        """Return an array of its own, as NumPy does."""
        return type(self)(self.store, self.ids.copy())

    def __deepcopy__(self, memo: Any) -> "TermArray":
        """Return an array of its own; terms are immutable."""
        return type(self)(self.store, self.ids.copy())

    def __reduce__(self) -> Any:
        """Pickle as the columns of its terms."""
        ids, places = np.unique(self.ids, return_inverse=True)
        unset = int(ids.size > 0 and ids[0] == interning.UNSET)
        columns = columns_of(self.store, ids[unset:].tolist())
        return _unpickle, (type(self), places.reshape(self.ids.shape) - unset, columns)

    # -- refusals ----------------------------------------------------------------------------

    def __bool__(self) -> bool:
        """Refuse: no truth value until evaluated."""
        if self.size != 1:
            raise TraceError("the truth value of an array of terms is not known; use rw.where")
        return bool(self.item())

    __hash__ = None  # type: ignore[assignment]

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the numbers of an array of constants; refuse terms."""
        caller = sys._getframe(1)
        if str(caller.f_globals.get("__name__")).startswith("scipy.sparse"):
            known = _TO_SPARSE.get(caller.f_code.co_name)
            if known is not None:
                return known
        numbers = interning.numbers_of(self.store, self.ids)
        if numbers is None:
            raise NumbersError(_TO_NUMBERS)
        dtype = args[0] if args else kwargs.get("dtype")
        return numbers if dtype is None else numbers.astype(dtype)

    def __index__(self) -> NoReturn:
        """Refuse: what Python counts with must be known now."""
        raise TraceError(
            "an array of terms cannot be an index, a length or a Python number; those must be "
            "known when the terms are built; use np.sin and the like, not math.sin"
        )

    __int__ = __float__ = __complex__ = __index__

    def refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise `ElementError`: it looks at several elements where this stands for one."""
        names = ", ".join(t.symbol.name for t in self.item().free_symbols[:3] if t.symbol)
        raise ElementError(
            f"the traced function looks at the shape or at several elements of {names}, but is "
            "traced for one element at a time; name such arguments in rw.jit(arrays=[...])"
        )

    def nonzero(self) -> Any:
        """Refuse: the shape of the result depends on values."""
        return numpys.nonzero(self)

    def __round__(self, digits: int | None = None) -> Any:
        """Round halves to the even integer."""
        return numpys.round(self, digits or 0)

    # -- operations --------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Apply a ufunc elementwise."""
        return PROTOCOL["ufunc"](ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Apply one of the supported array functions."""
        return PROTOCOL["function"](func, args, kwargs)

    def __rmul__(self, other: Any) -> Any:
        """Multiply; by a matrix of SciPy's older kind as it does, which is a matrix product."""
        if hasattr(other, "tocsr"):
            return np.matmul(other, self)
        return np.multiply(other, self)

    def __repr__(self) -> str:
        """Show the elements, cut short where there are many."""
        if self.size > 100 or (self.ids < 0).any():
            return f"<TermArray of shape {self.shape}>"
        flat = np.empty(self.size, object)
        flat[:] = self.terms()
        shown = np.array2string(flat.reshape(self.shape), separator=", ")
        return f"TermArray({shown})"

    def _repr_latex_(self) -> str | None:
        if self.ndim > 2 or not 0 < self.size <= MOST_TYPESET or (self.ids < 0).any():
            return None
        from rewrite.printing import displayed, latex_matrix

        table = self.reshape(-1, self.shape[-1] if self.ndim == 2 else 1).tolist()
        return displayed(latex_matrix(table))

    def sum(self, *args: Any, **kwargs: Any) -> Any:
        """Add along axes as one n-ary sum an element, from left to right.

        So does `np.sum` of terms. NumPy adds eight or more numbers pairwise, with other roundings:
        the last bits of its sums of long arrays are not these.
        """
        return numpys.sum(self, *args, **kwargs)

    prod, mean, var, std = map(_method, ("prod", "mean", "var", "std"))
    min, max, any, all = map(_method, ("min", "max", "any", "all"))
    cumsum, cumprod, dot, trace = map(_method, ("cumsum", "cumprod", "dot", "trace"))
    clip, round, conj, conjugate = map(_method, ("clip", "round", "conj", "conj"))
    squeeze, take, put = map(_method, ("squeeze", "take", "put"))
    swapaxes, diagonal, repeat = map(_method, ("swapaxes", "diagonal", "repeat"))
    sort, argsort, argmin = map(_method, ("sort", "argsort", "argmin"))
    argmax, searchsorted = map(_method, ("argmax", "searchsorted"))


PROTOCOL: Final[dict[str, Callable[..., Any]]] = {}
"""What NumPy's two protocols call: entered by the module that knows the tables."""


def _is_own(value: Any, store: Store) -> bool:
    return type(value) is Term and value.store is store


# -- making them -----------------------------------------------------------------------------


def store_of(operands: Any) -> Store:
    """Return the store of the first operand that has terms, or else the current one."""
    for operand in operands:
        if isinstance(operand, (TermArray, Term)):
            return operand.store
        if isinstance(operand, (list, tuple)):
            found = store_of(operand)
            if found is not current_store():
                return found
    return current_store()


def made(operands: Any, store: Store, ids: Ints) -> TermArray:
    """Return a result, which stands for one element where an operand does."""
    for operand in operands:
        if isinstance(operand, TermArray) and operand.single:
            if ids.ndim:
                operand.refuse()
            return type(operand)(store, ids)
    return TermArray(store, ids)


def as_given(result: TermArray, *operands: Any) -> "TermArray | Term":
    """Return a term where no operand is an array."""
    arrays = any(isinstance(x, (TermArray, np.ndarray, list, tuple)) for x in operands)
    return result if arrays else result.item()


def one_into_many(value: Any, array: TermArray) -> None:
    """Refuse to write what stands for one element of an array to an array of several."""
    if isinstance(value, TermArray) and value.single and not array.single:
        value.refuse()


def asarray(value: Any, store: Store | None = None) -> TermArray:
    """Make a `TermArray` of terms, numbers, or nested sequences of them.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> asarray([[x, 1], [y, x + y]]).shape
    (2, 2)
    """
    if isinstance(value, TermArray) and (store is None or value.store is store):
        return value
    store = store or (value.store if isinstance(value, Term) else store_of([value]))
    if isinstance(value, TermArray):
        return TermArray(store, _brought(value, store))
    return TermArray(store, _ids(value, store))


def _brought(array: TermArray, store: Store) -> Ints:
    """Return the ids of an array's terms in another store."""
    interning.require_set(array.ids)
    found, place = np.unique(array.ids, return_inverse=True)
    terms = [join(store, Term(array.store, node)).id for node in found.tolist()]
    return np.array(terms, np.int32)[place].reshape(array.shape)


def _ids(value: Any, store: Store) -> Ints:
    if isinstance(value, Term):
        return np.array(join(store, value).id, np.int32)
    if isinstance(value, TermArray):
        return value.ids if value.store is store else _brought(value, store)
    if isinstance(value, np.ndarray):
        if value.dtype != object:
            return interning.constants(store, value)
        flat = [_ids(each, store) for each in value.ravel().tolist()]
        return np.array(flat, np.int32).reshape(value.shape)
    if isinstance(value, (list, tuple)):
        for part in value:
            if isinstance(part, TermArray) and part.single:
                part.refuse()
        parts = [_ids(part, store) for part in value]
        shapes = {part.shape for part in parts}
        if len(shapes) > 1:
            raise UnsupportedOp(f"nested sequences of different shapes: {sorted(shapes)}")
        return np.stack(parts) if parts else np.empty(0, np.int32)
    return np.array(store.constant(as_constant(value)), np.int32)


def elementwise(row: ops.Op, *operands: Any) -> TermArray:
    """Apply an op to arrays with broadcasting, interning all elements in one call."""
    store = store_of(operands)
    arrays = [asarray(operand, store).ids for operand in operands]
    return made(operands, store, interning.applied(store, row, arrays))


_OF_TRUTHS: Final = {ops.ADD: ops.OR, ops.MUL: ops.AND, ops.SUB: ops.SUB, ops.NEG: ops.NEG}
"""What NumPy makes of ops of truth values alone; it refuses the last two."""


def _unpickle(kind: type[TermArray], places: Any, columns: tuple[Any, ...]) -> TermArray:
    """Build an array in the current store, with what nothing was written to at place -1."""
    store = current_store()
    ids = np.array([*restored(store, *columns), interning.UNSET], np.int32)
    return kind(store, ids[places])


def coerced(row: ops.Op, *operands: Any) -> TermArray:
    """Apply an op as NumPy does to truth values among numbers: they are 1 and 0 to arithmetic.

    Sums and products of truth values alone are disjunctions and conjunctions. Raise the
    `SortError` of the op where that is not the reason that it does not apply.
    """
    try:
        return elementwise(row, *operands)
    except SortError:
        if row.takes[-1] not in "rx":
            raise
    store = store_of(operands)
    arrays = [asarray(operand, store) for operand in operands]
    flags = [interning.truths(store, array.ids) for array in arrays]
    if not any(flag.any() for flag in flags):
        return elementwise(row, *operands)  # for another reason, which this says
    if all(flag.all() for flag in flags) and row in _OF_TRUTHS:
        return elementwise(_OF_TRUTHS[row], *operands)
    first = 1 if row is ops.WHERE else 0
    numbers = [*operands[:first], *map(as_numbers, operands[first:])]
    return elementwise(row, *numbers)


def as_numbers(value: Any) -> TermArray:
    """Return an array in which truth values are 1 and 0."""
    array = asarray(value)
    flags = interning.truths(array.store, array.ids)
    if not flags.any():
        return array
    ids = array.ids.copy()
    one, zero = array.store.constant(1), array.store.constant(0)
    conditions = ids[flags]
    parts = (conditions, *(np.array(each, np.int32) for each in (one, zero)))
    chosen = interning.applied(array.store, ops.WHERE, parts)
    for truth, number in ((True, one), (False, zero)):
        chosen[conditions == array.store.constant(truth)] = number
    ids[flags] = chosen
    return made([value], array.store, ids)
