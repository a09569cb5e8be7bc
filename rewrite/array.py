"""`TermArray`: an array of terms with NumPy's protocols, so that NumPy code builds terms.

It is an array of ids with a shape; each array operation interns all its elements in one call.
Comparisons are elementwise. A `TermArray` of no dimension is what tracing passes in.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

import numpy as np

from rewrite import ops
from rewrite.constants import as_constant
from rewrite.dag import SMALL
from rewrite.errors import TraceError, UnsupportedOp
from rewrite.store import Ints, Store
from rewrite.term import Term, current_store, join

__all__ = ["TermArray", "asarray", "trace_function", "trace_ufunc"]


class TermArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array whose elements are terms of one store.

    >>> import numpy as np, rewrite as rw
    >>> x = rw.asarray(rw.symbols("a b"))
    >>> np.sin(x) * 2
    TermArray([sin(a)*2, sin(b)*2])
    """

    __array_priority__ = 1001

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
    def T(self) -> "TermArray":
        """The transpose."""
        return TermArray(self.store, self.ids.T)

    def __len__(self) -> int:
        """Return the length of the first axis."""
        return len(self.ids)

    def reshape(self, *shape: Any) -> "TermArray":
        """Give a new shape to the same elements."""
        return TermArray(self.store, self.ids.reshape(*shape))

    def ravel(self) -> "TermArray":
        """Flatten."""
        return TermArray(self.store, self.ids.ravel())

    def copy(self) -> "TermArray":
        """Copy, so that element assignment does not reach the original."""
        return TermArray(self.store, self.ids.copy())

    def __getitem__(self, key: Any) -> "TermArray | Term":
        """Index as NumPy does; one element is a `Term`."""
        picked = self.ids[key]
        if np.ndim(picked) == 0 and not (isinstance(key, tuple) and Ellipsis in key):
            return Term(self.store, int(picked))
        return TermArray(self.store, np.asarray(picked))

    def __setitem__(self, key: Any, value: Any) -> None:
        """Assign terms or numbers in place."""
        self.ids[key] = asarray(value, self.store).ids

    def __iter__(self) -> Iterator["TermArray | Term"]:
        """Iterate over the first axis."""
        if not self.ndim:
            raise TypeError("iteration over a TermArray of no dimension")
        return (self[i] for i in range(len(self.ids)))

    def item(self) -> Term:
        """Return the only element."""
        return Term(self.store, int(self.ids.item()))

    def terms(self) -> list[Term]:
        """Return all elements in row-major order."""
        return [Term(self.store, i) for i in self.ids.ravel().tolist()]

    def tolist(self) -> Any:
        """Return the elements as nested lists of terms."""
        flat = np.empty(self.ids.size, object)
        flat[:] = self.terms()
        return flat.reshape(self.shape).tolist()

    # -- refusals ----------------------------------------------------------------------------

    def __bool__(self) -> bool:
        """Refuse: no truth value until evaluated."""
        if self.size != 1:
            raise TraceError("the truth value of an array of terms is not known; use rw.where")
        return bool(self.item())

    __hash__ = None  # type: ignore[assignment]

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: elements are terms, not numbers."""
        raise TraceError(
            "an array of terms cannot become an array of numbers; compile it with rw.compile, or "
            "use the functions listed by rw.numpy_functions()"
        )

    def __index__(self) -> NoReturn:
        """Refuse: what Python counts with must be known now."""
        raise TraceError(
            "an array of terms cannot be an index, a length or a Python number; those must be "
            "known when the terms are built; use np.sin and the like, not math.sin"
        )

    __int__ = __float__ = __complex__ = __index__

    def __mod__(self, other: Any) -> NoReturn:
        """Refuse: Python's % is floored, C's is not."""
        raise UnsupportedOp("% is not supported on terms; use np.fmod, or x - y*np.floor(x/y)")

    __rmod__ = __divmod__ = __rdivmod__ = __mod__  # type: ignore[assignment]

    def __round__(self, digits: int | None = None) -> "TermArray":
        """Round halves to the even integer."""
        return asarray(_round(self, digits or 0))

    # -- operations --------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Apply a ufunc elementwise."""
        return trace_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Apply one of the supported array functions."""
        return trace_function(func, args, kwargs)

    def sum(self, axis: int | None = None) -> "TermArray | Term":
        """Add along an axis as one n-ary sum an element, from left to right.

        So does `np.sum` of terms. NumPy adds eight or more numbers pairwise, with other roundings:
        the last bits of its sums of long arrays are not these.
        """
        return _reduce(ops.ADD, self, axis, 0)

    def prod(self, axis: int | None = None) -> "TermArray | Term":
        """Multiply along an axis as one n-ary product an element."""
        return _reduce(ops.MUL, self, axis, 1)

    def __matmul__(self, other: Any) -> Any:
        """Matrix product, written out as sums of products."""
        return _matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        """Matrix product with an array of numbers on the left."""
        return _matmul(other, self)

    def __repr__(self) -> str:
        """Show the elements, cut short where there are many."""
        if self.size > 100:
            return f"<TermArray of shape {self.shape}>"
        flat = np.empty(self.size, object)
        flat[:] = self.terms()
        shown = np.array2string(flat.reshape(self.shape), separator=", ")
        return f"TermArray({shown})"


class Element(TermArray):
    """What a traced function sees of an array argument: any one element of it.

    Elementwise operations are recorded; whatever looks at the whole array is refused, since the
    kernel sees one element at a time.
    """

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        names = ", ".join(t.symbol.name for t in self.item().free_symbols[:3] if t.symbol)
        raise TraceError(
            f"the traced function looks at the shape or at several elements of {names}, but is "
            "traced for one element at a time; name such arguments in rw.jit(arrays=[...])"
        )

    shape = property(_refuse)
    ndim = property(_refuse)
    size = property(_refuse)
    T = property(_refuse)
    reshape = ravel = sum = prod = _refuse
    __len__ = __iter__ = __getitem__ = __setitem__ = __matmul__ = __rmatmul__ = _refuse

    def __bool__(self) -> bool:
        """Refuse: no truth value until evaluated."""
        return bool(self.item())

    def __repr__(self) -> str:
        """Show the term of the element."""
        return f"Element({self.item()!r})"


def _made(operands: Any, store: Store, ids: Ints) -> TermArray:
    """Return a result, which stands for one element where an operand does."""
    for operand in operands:
        if isinstance(operand, Element):
            if ids.ndim:
                operand._refuse()
            return Element(store, ids)
    return TermArray(store, ids)


def asarray(value: Any, store: Store | None = None) -> TermArray:
    """Make a `TermArray` of terms, numbers, or nested sequences of them."""
    if isinstance(value, TermArray) and (store is None or value.store is store):
        return value
    if isinstance(value, Term):
        store = store or value.store
        return TermArray(store, np.array(join(store, value).id, np.int32))
    if isinstance(value, TermArray):
        terms: Any = value.terms()
        shape = value.shape
    else:
        objects = _objects(value)
        terms, shape = objects.ravel().tolist(), objects.shape
    if store is None:
        store = next((t.store for t in terms if isinstance(t, Term)), None) or current_store()
    ids = np.array([_element(t, store) for t in terms], np.int32)
    return TermArray(store, ids.reshape(shape))


def _objects(value: Any) -> Any:
    """Return an object array; a Term counts as one element although it has NumPy's protocols."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, (list, tuple)):
        parts = [_objects(v) for v in value]
        shapes = {p.shape for p in parts}
        if len(shapes) > 1:
            raise UnsupportedOp(f"nested sequences of different shapes: {sorted(shapes)}")
        out = np.empty((len(parts), *next(iter(shapes), ())), object)
        for i, part in enumerate(parts):
            out[i] = part.item() if part.ndim == 0 else part
        return out
    if isinstance(value, TermArray):
        flat = np.empty(value.size, object)
        flat[:] = value.terms()
        return flat.reshape(value.shape)
    out = np.empty((), object)
    out[()] = value
    return out


def _element(value: Any, store: Store) -> int:
    if isinstance(value, Term):
        return value.id if value.store is store else join(store, value).id
    return store.constant(as_constant(value))


def elementwise(row: ops.Op, *operands: Any) -> TermArray:
    """Apply an op to arrays with broadcasting, interning all elements in one call."""
    store = next(
        (o.store for o in operands if isinstance(o, (TermArray, Term))), None
    ) or current_store()  # fmt: skip
    arrays = np.broadcast_arrays(*[asarray(o, store).ids for o in operands])
    shape = arrays[0].shape
    flat = [np.ascontiguousarray(a, np.int32).ravel() for a in arrays]
    count = flat[0].size if flat else 0
    if count <= SMALL and store.table is None:
        keys = zip(*[f.tolist() for f in flat], strict=True)
        ids = np.array([store.make((row.code, *key)) for key in keys], np.int32)
        return _made(operands, store, ids.reshape(shape))
    out = np.full(count, -1, np.int32)
    args = np.stack(flat, axis=1).ravel()
    start = np.arange(count + 1, dtype=np.int64) * len(flat)
    codes = np.full(count, row.code, np.uint8)
    store.indexed().intern(store, codes, start, args, out, local=False)
    return _made(operands, store, out.reshape(shape))


def _reduce(row: ops.Op, array: TermArray, axis: int | None, empty: int) -> "TermArray | Term":
    ids = array.ids.ravel()[None, :] if axis is None else np.moveaxis(array.ids, axis, -1)
    if ids.shape[-1] == 0:
        result = np.full(ids.shape[:-1], array.store.constant(empty), np.int32)
    elif ids.shape[-1] == 1:
        result = ids[..., 0]
    else:
        columns = [TermArray(array.store, ids[..., k]) for k in range(ids.shape[-1])]
        result = elementwise(row, *columns).ids
    if axis is None:
        return Term(array.store, int(result[0]))
    return _scalar(TermArray(array.store, result))


def _matmul(left: Any, right: Any) -> Any:
    store = next(o.store for o in (left, right) if isinstance(o, (Term, TermArray)))
    a, b = asarray(left, store), asarray(right, store)
    if not a.ndim or not b.ndim or a.shape[-1] != b.shape[-min(2, b.ndim)]:
        raise UnsupportedOp(f"matmul: shapes {a.shape} and {b.shape} do not fit")
    x = a.ids[..., :, None] if b.ndim > 1 else a.ids
    y = b.ids[..., None, :, :] if a.ndim > 1 and b.ndim > 1 else b.ids
    products = elementwise(ops.MUL, TermArray(store, x), TermArray(store, y))
    return _reduce(ops.ADD, products, -2 if b.ndim > 1 else -1, 0)


def _scalar(array: TermArray) -> "TermArray | Term":
    return array if array.ndim else array.item()


# -- NumPy's protocols -----------------------------------------------------------------------

_EXTRA: Final[dict[str, Callable[..., Any]]] = {
    "square": lambda x: elementwise(ops.MUL, x, x),
    "reciprocal": lambda x: elementwise(ops.DIV, 1.0, x),
    "positive": lambda x: x,
    "fabs": lambda x: elementwise(ops.ABS, x),
    "float_power": lambda x, y: elementwise(ops.POW, x, y),
    "fmin": lambda x, y: _other_if_nan(ops.LE)(x, y),
    "fmax": lambda x, y: _other_if_nan(ops.GE)(x, y),
    "floor_divide": lambda x, y: elementwise(ops.FLOOR, elementwise(ops.DIV, x, y)),
    "deg2rad": lambda x: elementwise(ops.MUL, x, np.pi / 180),
    "rad2deg": lambda x: elementwise(ops.MUL, x, 180 / np.pi),
    "bitwise_and": lambda x, y: elementwise(ops.AND, x, y),
    "bitwise_or": lambda x, y: elementwise(ops.OR, x, y),
    "invert": lambda x: elementwise(ops.NOT, x),
    "isnan": lambda x: elementwise(ops.NE, x, x),
    "matmul": _matmul,
    "erf": lambda x: elementwise(ops.ERF, x),
    "erfc": lambda x: elementwise(ops.ERFC, x),
}


def trace_ufunc(ufunc: np.ufunc, method: str, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """Build the term of a ufunc call; raise `UnsupportedOp` that lists what exists."""
    name = ufunc.__name__
    extra = {k for k, v in kwargs.items() if v is not None and not _harmless(k, v)}
    if method == "reduce" and name in ("add", "multiply") and extra <= {"axis"}:
        (array,) = inputs
        if isinstance(array, Element):
            array._refuse()
        row, empty = (ops.ADD, 0) if name == "add" else (ops.MUL, 1)
        return _reduce(row, asarray(array), kwargs.get("axis", 0), empty)
    if method != "__call__" or extra:
        what = f"method {method!r}" if method != "__call__" else f"keyword {sorted(extra)[0]!r}"
        raise UnsupportedOp(f"np.{name} with {what} is not supported on terms")
    if name in _EXTRA:
        result = _EXTRA[name](*inputs)
    elif name in ops.BY_NUMPY:
        result = elementwise(ops.BY_NUMPY[name], *inputs)
    else:
        raise UnsupportedOp(f"np.{name} is not supported on terms; {_listing()}")
    return _as_given(result, *inputs) if isinstance(result, TermArray) else result


def _harmless(keyword: str, value: Any) -> bool:
    """Tell whether a keyword of a ufunc changes nothing: float64 is what terms stand for."""
    return (keyword == "dtype" and np.dtype(value) == np.float64) or keyword in ("casting", "order")


def numpy_functions() -> list[str]:
    """List the NumPy functions that work on terms.

    >>> import rewrite as rw
    >>> "sin" in rw.numpy_functions()
    True
    """
    return sorted({*ops.BY_NUMPY, *_EXTRA, *_FUNCTIONS} - {".erf", ".erfc"})


def _listing() -> str:
    return "supported: " + ", ".join(numpy_functions())


def trace_function(func: Any, args: Any, kwargs: Any) -> Any:
    """Build the terms of an array function; raise `UnsupportedOp` that lists what exists."""
    name = getattr(func, "__name__", str(func))
    module = getattr(func, "__module__", "numpy").replace("numpy", "np", 1)
    known = _FUNCTIONS.get(name) if module == "np" else None
    if known is None:
        raise UnsupportedOp(f"{module}.{name} is not supported on terms; {_listing()}")
    if name not in ("where", "clip", "round"):
        for value in (*args, *(v for a in args if isinstance(a, (list, tuple)) for v in a)):
            if isinstance(value, Element):
                value._refuse()
    return known(*args, **kwargs)


def _common(arrays: Any) -> tuple[Store, list[Ints]]:
    store = next(
        (a.store for a in arrays if isinstance(a, (TermArray, Term))), None
    ) or current_store()  # fmt: skip
    return store, [asarray(a, store).ids for a in arrays]


def _joined(function: Callable[..., Any]) -> Callable[..., TermArray]:
    """Make an array function that only moves elements work on ids, over a sequence of arrays."""

    def moved(arrays: Any, axis: int = 0) -> TermArray:
        store, ids = _common(arrays)
        return TermArray(store, function(ids, axis=axis))

    return moved


def _moved(function: Callable[..., Any]) -> Callable[..., TermArray]:
    """Make an array function that only moves elements work on ids, for one array."""

    def moved(array: Any, *args: Any, **kwargs: Any) -> TermArray:
        source = asarray(array)
        return TermArray(source.store, function(source.ids, *args, **kwargs))

    return moved


def _where(condition: Any, x: Any, y: Any) -> Any:
    return _as_given(elementwise(ops.WHERE, condition, x, y), condition, x, y)


def _clip(x: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:  # noqa: A002
    low, high = a_min if min is None else min, a_max if max is None else max
    result = asarray(x) if low is None else elementwise(ops.MAXIMUM, x, low)
    result = result if high is None else elementwise(ops.MINIMUM, result, high)
    return _as_given(result, x, low, high)


def _as_given(result: TermArray, *operands: Any) -> "TermArray | Term":
    """Return a term where no operand is an array."""
    arrays = any(isinstance(x, (TermArray, np.ndarray, list, tuple)) for x in operands)
    return result if arrays else result.item()


def _dot(left: Any, right: Any) -> Any:
    if np.ndim(left) == 0 or np.ndim(right) == 0:
        return _as_given(elementwise(ops.MUL, left, right), left, right)
    if np.ndim(right) > 2:
        raise UnsupportedOp("np.dot with a right side of 3 or more dimensions; use np.matmul")
    return _matmul(left, right)


def _other_if_nan(row: ops.Op) -> Callable[[Any, Any], TermArray]:
    """Make fmin or fmax, which return the other argument where one is a NaN."""

    def chosen(x: Any, y: Any) -> TermArray:
        kept = elementwise(ops.WHERE, elementwise(row, x, y), x, y)
        return elementwise(ops.WHERE, elementwise(ops.NE, y, y), x, kept)

    return chosen


_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "where": _where,
    "clip": _clip,
    "sum": lambda a, axis=None: asarray(a).sum(axis),
    "prod": lambda a, axis=None: asarray(a).prod(axis),
    "dot": _dot,
    "stack": _joined(np.stack),
    "concatenate": _joined(np.concatenate),
    "reshape": _moved(np.reshape),
    "ravel": _moved(np.ravel),
    "transpose": _moved(np.transpose),
    "moveaxis": _moved(np.moveaxis),
    "swapaxes": _moved(np.swapaxes),
    "expand_dims": _moved(np.expand_dims),
    "squeeze": _moved(np.squeeze),
    "roll": _moved(np.roll),
    "flip": _moved(np.flip),
    "broadcast_to": _moved(np.broadcast_to),
    "shape": lambda a: asarray(a).shape,
    "ndim": lambda a: asarray(a).ndim,
    "size": lambda a: asarray(a).size,
    "round": lambda a, decimals=0: _round(a, decimals),
}


def _round(a: Any, decimals: int) -> Any:
    if decimals:
        raise UnsupportedOp("np.round with decimals is not supported on terms; scale first")
    return _as_given(elementwise(ops.ROUND, a), a)
