"""The reference evaluator: what a program means in floating point, op by op with NumPy.

Every op rounds once, in the dtype that was asked for. It is the yardstick of tests and of the
accuracy guard, not fast code: that is made by `codegen`.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, overload

import numpy as np
import numpy.typing as npt

from rewrite import matrices, ops, signatures
from rewrite.array import TermArray, asarray
from rewrite.constants import Named, rounded
from rewrite.dag import Dag
from rewrite.errors import ArgumentError, SortError, TargetError, UnsupportedOp
from rewrite.sorts import BOOL, MATRIX, REAL, SORTS, Sort
from rewrite.store import Symbol
from rewrite.term import Term, join_all

__all__ = [
    "bind",
    "evaluate",
    "evaluate_dag",
    "float_dtype",
    "fma",
    "function_of",
    "is_plain",
    "name_of",
]

type Array = npt.NDArray[Any]
type Env = Mapping[Any, Any]
"""Values by symbol or by its name."""
type Meaning = Callable[[Dag, int, int], Callable[..., Any]]
"""Gives the function of a program's node, by its position and op."""

_LAST_LEAF: Final = ops.PVAR.code


@overload
def evaluate(terms: Term | TermArray, env: Env | None = None, *, dtype: Any = ...) -> Array: ...
@overload
def evaluate(
    terms: Sequence[Term], env: Env | None = None, *, dtype: Any = ...
) -> list[Array]: ...  # fmt: skip
def evaluate(
    terms: Term | TermArray | Sequence[Term], env: Env | None = None, *, dtype: Any = np.float64
) -> Array | list[Array]:
    """Evaluate terms at values of their symbols, which broadcast; every op rounds once in `dtype`.

    An array of terms has its own axes last. As with NumPy's scalars, a subterm of constants alone
    is evaluated in double precision and then rounded. Raise `SortError` for an array of terms of
    sorts that are no numbers.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> evaluate(x * x + 1, {"x": [1.0, 2.0]})
    array([2., 5.])
    """
    if isinstance(terms, Term):
        return evaluate_dag(Dag.of(terms.store, [terms.id]), env, dtype)[0]
    if isinstance(terms, TermArray):
        dag = Dag.of(terms.store, terms.ids.ravel().tolist())
        odd = [SORTS[dag.sort[root]] for root in dag.roots if dag.sort[root] > BOOL]
        if odd:
            raise SortError(f"an array of terms of sort {odd[0]} has no value; evaluate a list")
        values = np.broadcast_arrays(*evaluate_dag(dag, env, dtype)) if terms.size else ()
        shape = values[0].shape if values else ()
        stacked = np.stack(values, -1) if values else np.empty(0, float_dtype(dtype))
        return stacked.reshape(shape + terms.shape)
    if not terms:
        return []
    store = asarray(terms[0]).store
    return evaluate_dag(Dag.of(store, join_all(store, terms)), env, dtype)


def evaluate_dag(
    dag: Dag,
    env: Env | None = None,
    dtype: Any = np.float64,
    *,
    keep: bool = False,
    given: Mapping[int, Any] | None = None,
    meaning: Meaning | None = None,
) -> list[Array]:
    """Evaluate a program: the values of its roots, or with `keep` those of all its nodes.

    `given` are values of nodes, by position, that are taken as they are; `meaning` tells the
    function of a node by its position and op, where that is not the usual one.
    Without `keep`, intermediate arrays are freed as soon as nothing needs them.
    """
    kind = float_dtype(dtype)
    values: list[Any] = [None] * len(dag)
    with np.errstate(all="ignore"):
        for at, value in bind(dag, env or {}, kind).items():
            values[at] = value
        for at, constant in enumerate(dag.value):
            if constant is not None and not isinstance(constant, Symbol):
                values[at] = rounded(constant, kind)
        if kind == np.float32:
            _fold_constants(dag, values)
        for at, value in (given or {}).items():
            values[at] = kind.type(value)
        _run(dag, values, keep, meaning or _meaning(dag))
    wanted = range(len(dag)) if keep else dag.roots
    return [_as_array(SORTS[dag.sort[at]], values[at]) for at in wanted]


def _as_array(sort: Sort, value: Any) -> Any:
    """Return numbers and matrices as arrays, and values of a user's sort as they are."""
    return np.asarray(value) if sort.family in (REAL, BOOL, MATRIX) else value


def _run(dag: Dag, values: list[Any], keep: bool, meaning: Meaning) -> None:
    """Fill in the values that are still missing, children first."""
    uses = np.bincount(dag.args, minlength=len(dag))
    uses[dag.roots] += 1
    left: list[int] = uses.tolist()
    start, pool = dag.start.tolist(), dag.args.tolist()
    for at, code in enumerate(dag.code.tolist()):
        if code <= _LAST_LEAF:
            continue
        args = pool[start[at] : start[at + 1]]
        if values[at] is None:
            values[at] = meaning(dag, at, code)(*[values[a] for a in args])
        if not keep:
            for a in args:
                left[a] -= 1
                if not left[a]:
                    values[a] = None


def _fold_constants(dag: Dag, values: list[Any]) -> None:
    """Evaluate subterms of constants alone in double precision, then round them to float32."""
    wide: dict[int, Any] = {
        at: rounded(value, np.dtype(np.float64))
        for at, value in enumerate(dag.value)
        if value is not None and not isinstance(value, Symbol)
    }
    meaning = _meaning(dag)
    for at, (code, args) in enumerate(dag.rows() if wide else ()):
        if args and all(a in wide for a in args):
            wide[at] = meaning(dag, at, code)(*[wide[a] for a in args])
            single = SORTS[dag.sort[at]].fits(REAL)
            values[at] = np.float32(wide[at]) if single else wide[at]


# -- values going in -------------------------------------------------------------------------


def float_dtype(dtype: Any) -> np.dtype[Any]:
    """Return float64 or float32 as a dtype; raise `TargetError` for any other."""
    kind: np.dtype[Any] = np.dtype(dtype)
    if kind not in (np.float64, np.float32):
        raise TargetError(f"cannot evaluate in {kind.name}; choices: float64, float32")
    return kind


def bind(dag: Dag, env: Env, dtype: np.dtype[Any]) -> dict[int, Array]:
    """Return the values of a program's symbols by position, in the dtype that they have there."""
    named = {key if isinstance(key, str) else name_of(key): value for key, value in env.items()}
    bound: dict[int, Array] = {}
    sorts: list[int] = dag.sort.tolist()
    for at, value in enumerate(dag.value):
        if isinstance(value, Symbol):
            if value.name not in named:
                raise ArgumentError(
                    f"no value for the symbol {value.name!r}; given: {', '.join(named) or 'none'}"
                )
            given = named[value.name]
            ready = isinstance(given, np.ndarray) and given.dtype == dtype and sorts[at] == REAL
            bound[at] = given if ready else _converted(value, given, dtype)
    flat = {at: array for at, array in bound.items() if sorts[at] <= BOOL}
    try:
        np.broadcast_shapes(*{array.shape for array in flat.values()})
    except ValueError:
        shapes = {dag.value[at].name: a.shape for at, a in flat.items()}  # type: ignore[union-attr]
        raise ArgumentError(f"the values of the symbols do not broadcast: {shapes}") from None
    return bound


def name_of(key: str | Term) -> str:
    """Return the name of a symbol that is given by it, or as what it is."""
    if isinstance(key, str):
        return key
    symbol = key.symbol if isinstance(key, Term) else None
    if symbol is None:
        raise ArgumentError(f"values are given by symbol or by its name, not by {key!r}")
    return symbol.name


def _converted(symbol: Symbol, value: Any, dtype: np.dtype[Any]) -> Array:
    sort = symbol.sort
    if sort.fits(MATRIX):
        return matrices.checked(symbol.name, value, dtype)
    if sort.family not in (REAL, BOOL):
        return value  # type: ignore[no-any-return]
    array = np.asarray(value)
    boolean = sort.fits(BOOL)
    if array.dtype.kind not in ("b" if boolean else "fiub"):
        wanted = "truth values" if boolean else "real numbers"
        hint = "; split complex numbers into their parts" if array.dtype.kind == "c" else ""
        raise ArgumentError(f"symbol {symbol.name!r} takes {wanted}, not {array.dtype.name}{hint}")
    return array if boolean else array.astype(dtype, copy=False)


# -- the meaning of each op ------------------------------------------------------------------


def function_of(dag: Dag, at: int, code: int) -> Callable[..., Any]:
    """Return the function that computes a node from its operands."""
    if code == ops.POW.code:
        exponent = dag.value[dag.args[dag.start[at] + 1]]
        if not isinstance(exponent, (Symbol, Named)) and exponent in _POWERS:
            return _POWERS[exponent]
    return FUNCTIONS[code]


def _meaning(dag: Dag) -> Meaning:
    """Return what tells the functions of a program's nodes: of numbers by our ops, or of any."""
    return function_of if is_plain(dag) else _on_sorts


def is_plain(dag: Dag) -> bool:
    """Tell whether a program has none but our own ops, of numbers and truth values."""
    return bool((dag.sort <= BOOL).all() and (dag.code < len(FUNCTIONS)).all())


def _on_sorts(dag: Dag, at: int, code: int) -> Callable[..., Any]:
    """Return the function of a node on values of any sorts, from its op's signatures.

    Raise `UnsupportedOp` where a signature has none.
    """
    sorts: list[int] = dag.sort[dag.args[dag.start[at] : dag.start[at + 1]]].tolist()
    if code < len(FUNCTIONS) and max(sorts) <= BOOL:
        return function_of(dag, at, code)
    if ops.OPS[code].arity >= 0:
        return _of_signature(code, tuple(sorts))[0]
    steps, made = [], sorts[0]
    for sort in sorts[1:]:
        function, made = _of_signature(code, (made, sort))
        steps.append(function)

    def folded(first: Any, *rest: Any) -> Any:
        for step, value in zip(steps, rest, strict=True):
            first = step(first, value)
        return first

    return folded


def _of_signature(code: int, sorts: tuple[int, ...]) -> tuple[Callable[..., Any], int]:
    row, found = ops.OPS[code], signatures.find(code, sorts)
    assert found is not None, f"{row.name} was made of sorts {sorts} that it does not take"
    if found.function is not None:
        return found.function, found.makes
    if code < len(FUNCTIONS) and all(sort <= BOOL for sort in found.takes):
        return FUNCTIONS[code], found.makes
    given = ", ".join(SORTS[sort].name for sort in sorts)
    raise UnsupportedOp(
        f"{row.name} of ({given}) has no function on values; give one where it is registered, "
        "as function="
    )


def _base_alone(function: Callable[..., Any]) -> Callable[..., Any]:
    def of_base(x: Any, _exponent: Any) -> Any:
        return function(x)

    return of_base


_POWERS: Final = {
    2: _base_alone(np.square), -1: _base_alone(np.reciprocal), 0.5: _base_alone(np.sqrt),
}  # fmt: skip
"""What NumPy computes for x**2, x**-1 and x**0.5."""


def _left_to_right(ufunc: Callable[..., Any]) -> Callable[..., Any]:
    def reduced(*operands: Any) -> Any:
        return functools.reduce(ufunc, operands)

    return reduced


def _from_math(function: Callable[[float], float]) -> Callable[[Any], Any]:
    """Apply a function of the C library to each element; the result is rounded to its dtype."""
    each = np.frompyfunc(function, 1, 1)

    def elementwise(x: Any) -> Any:
        array = np.asarray(x)
        return np.asarray(each(array.astype(np.float64))).astype(array.dtype)

    return elementwise


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return a + b and its rounding error (Knuth)."""
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (b - shadow)


def _odd_sum(a: Array, b: Array) -> Array:
    """Add and round to odd: an inexact sum gets a last bit of one."""
    total, lost = _two_sum(a, b)
    bits = total.view(np.int64)
    step = np.where((lost > 0) == (total > 0), 1, -1)
    return np.where((lost != 0) & (bits & 1 == 0), bits + step, bits).view(np.float64)


def _two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """Return a*b and its rounding error (Dekker's product, with Veltkamp's splitting)."""
    high_a, high_b = a * 134217729.0, b * 134217729.0
    high_a, high_b = high_a - (high_a - a), high_b - (high_b - b)
    low_a, low_b = a - high_a, b - high_b
    product = a * b
    error = ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b
    return product, error


def fma(x: Any, y: Any, z: Any) -> Array:
    """Compute x*y + z with one rounding in the operands' dtype, float64 or float32.

    Source: S. Boldo, G. Melquiond, "Emulation of FMA and correctly rounded sums: proved
    algorithms using rounding to odd", 2008. Operands are scaled, so nothing overflows on the way.

    >>> float(fma(1e200, 1e200, -np.inf)), float(fma(0.1, 10.0, -1.0))
    (-inf, 5.551115123125783e-17)
    """
    with np.errstate(all="ignore"):
        rough, size = np.asarray(x * y), np.abs(z)
        x, y, z = np.broadcast_arrays(x, y, z)
        if rough.dtype == np.float32:
            return _fma32(x, y, z)
        usual = _usual(np.abs(rough)) & _usual(size + (size == 0))
        usual = usual & (np.maximum(np.abs(x), np.abs(y)) < 2.0**900)
        near: Array = np.asarray(_rounded_once(x, y, z)[0])
        if not usual.all():
            odd = ~usual
            near[odd] = _scaled(x[odd], y[odd], z[odd])
        return near


def _fma32(x: Array, y: Array, z: Array) -> Array:
    finite = np.isfinite(x) & np.isfinite(y)
    plain = np.where(np.isinf(z) & finite, z, x * y + z)
    sums = _odd_sum(x.astype(np.float64) * y, z.astype(np.float64))  # such products are exact
    return np.where(finite & np.isfinite(z), sums.astype(np.float32), plain)


def _scaled(x: Array, y: Array, z: Array) -> Array:
    """Compute what may over- or underflow on the way."""
    finite = np.isfinite(x) & np.isfinite(y)
    plain = np.where(np.isinf(z) & finite, z, x * y + z)
    scaled = finite & np.isfinite(z) & (x != 0) & (y != 0)
    return np.where(scaled, _fma64(x, y, z), plain)


def _usual(size: Array) -> Array:
    """Tell where nothing over- or underflows on the way to a sum of a product."""
    usual: Array = (size > 2.0**-900) & (size < 2.0**900)
    return usual


def _rounded_once(x: Array, y: Array, z: Array) -> tuple[Array, Array]:
    """Return x*y + z, and what it was rounded from beside its first part."""
    product, error = _two_product(x, y)
    high, low = _two_sum(z, error)
    total, rest = _two_sum(product, high)
    near, rest = _two_sum(total, _odd_sum(low, rest))
    return near, rest


def _fma64(x: Array, y: Array, z: Array) -> Array:
    (x, exponent_x), (y, exponent_y), (z, exponent_z) = np.frexp(x), np.frexp(y), np.frexp(z)
    # Beyond 2**120 the smaller summand counts only by its sign.
    scale = exponent_x + exponent_y
    scale = np.where(z != 0, np.maximum(scale, exponent_z - 120), scale)
    z = np.ldexp(z, np.maximum(exponent_z - scale, -120))
    near, rest = _rounded_once(x, y, z)
    result: Array = np.ldexp(near, scale)
    if not (np.abs(result) < 2.0**-1021).any():
        return result
    # Subnormal results have fewer bits: round to multiples of the smallest one instead.
    steps = np.ldexp(near, np.maximum(scale + 1074, -400))
    whole = np.rint(steps)
    tie = steps - whole
    whole = whole + ((tie == 0.5) & (rest > 0)) - ((tie == -0.5) & (rest < 0))
    tiny = np.copysign(np.ldexp(whole, -1074), near)
    result = np.where(np.frexp(near)[1] + scale <= -1022, tiny, result)
    return result


_SPECIAL: Final[dict[str, Callable[..., Any]]] = {
    **{row.name: _left_to_right(getattr(np, row.numpy)) for row in ops.BUILTIN if row.arity < 0},
    "fma": fma,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    # SciPy's are up to 2 and 87 ulp off, and its erfc has no subnormal results.
    "erf": _from_math(math.erf),
    "erfc": _from_math(math.erfc),
}
FUNCTIONS: Final[tuple[Callable[..., Any], ...]] = tuple(
    _SPECIAL.get(row.name) or getattr(np, row.numpy or "isnan") for row in ops.BUILTIN
)
"""By op code: the function that defines the op on floating-point numbers."""
