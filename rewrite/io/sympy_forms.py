"""What SymPy has a class for and terms have a formula for: one row a class.

Where SymPy's function is of complex numbers, the formula is what it is on real ones.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final

import sympy as sp
from sympy.codegen import cfunctions, numpy_nodes, scipy_nodes
from sympy.logic import boolalg
from sympy.matrices.expressions import Determinant, DotProduct, Trace
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.tensor.array.expressions import ArrayElement, ArraySymbol

from rewrite.errors import UnsupportedOp
from rewrite.functions import FUNCTIONS, eq, logical_and, logical_not, logical_or, ne
from rewrite.term import const

__all__ = ["EXPLICIT", "FORMS", "LOGIC", "element", "explicit", "terms_of_sum"]

MOST_TERMS: Final = 100_000
"""A sum or product with more is refused: it would be written out."""

where, sqrt, exp, log, floor = (FUNCTIONS[n] for n in "where sqrt exp log floor".split())
absolute, log1p, exp2, log2 = (FUNCTIONS[name] for name in "abs log1p exp2 log2".split())
maximum, minimum = FUNCTIONS["maximum"], FUNCTIONS["minimum"]


def _sinc(x: Any) -> Any:
    return where(eq(x, 0), 1, FUNCTIONS["sin"](x) / x)


def _heaviside(x: Any, at_zero: Any) -> Any:
    return where(x > 0, 1, where(x < 0, 0, where(eq(x, 0), at_zero, x)))


def _logaddexp(x: Any, y: Any) -> Any:
    return maximum(x, y) + log1p(exp(-absolute(x - y)))


def _logaddexp2(x: Any, y: Any) -> Any:
    return maximum(x, y) + log2(1 + exp2(-absolute(x - y)))


def _over(name: str) -> Callable[[Any], Any]:
    function = FUNCTIONS[name]
    return lambda x: 1 / function(x)


def _of_reciprocal(name: str) -> Callable[[Any], Any]:
    function = FUNCTIONS[name]
    return lambda x: function(1 / x)


def _joined(join: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def joined(first: Any, *rest: Any) -> Any:
        for each in rest:
            first = join(first, each)
        return first

    return joined


def _negated(make: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: logical_not(make(*args))


def _differ(p: Any, q: Any) -> Any:
    return logical_or(logical_and(p, logical_not(q)), logical_and(logical_not(p), q))


def _equivalent(first: Any, *rest: Any) -> Any:
    return _joined(logical_and)(*(logical_not(_differ(first, each)) for each in rest))


def _same(x: Any) -> Any:
    return x


_AND, _OR, _XOR = _joined(logical_and), _joined(logical_or), _joined(_differ)

FORMS: Final[dict[Any, Callable[..., Any]]] = {
    sp.sinc: _sinc,
    sp.Heaviside: _heaviside,
    sp.sec: _over("cos"), sp.csc: _over("sin"), sp.cot: _over("tan"),
    sp.sech: _over("cosh"), sp.csch: _over("sinh"), sp.coth: _over("tanh"),
    sp.acot: _of_reciprocal("atan"), sp.asec: _of_reciprocal("acos"),
    sp.acsc: _of_reciprocal("asin"), sp.acoth: _of_reciprocal("atanh"),
    sp.asech: _of_reciprocal("acosh"), sp.acsch: _of_reciprocal("asinh"),
    sp.frac: lambda x: x - floor(x),
    sp.re: _same, sp.conjugate: _same, sp.im: lambda x: const(0),
    sp.UnevaluatedExpr: _same,
    cfunctions.isnan: lambda x: ne(x, x),
    cfunctions.isinf: lambda x: eq(absolute(x), float("inf")),
    scipy_nodes.cosm1: lambda x: -2 * FUNCTIONS["sin"](x / 2) ** 2,
    scipy_nodes.powm1: lambda x, y: where(x > 0, FUNCTIONS["expm1"](y * log(x)), x**y - 1),
    numpy_nodes.logaddexp: _logaddexp, numpy_nodes.logaddexp2: _logaddexp2,
    numpy_nodes.minimum: _joined(minimum), numpy_nodes.maximum: _joined(maximum),
    boolalg.Xor: _XOR,
    boolalg.Nand: _negated(_AND), boolalg.Nor: _negated(_OR), boolalg.Xnor: _negated(_XOR),
    boolalg.Implies: lambda p, q: logical_or(logical_not(p), q),
    boolalg.Equivalent: _equivalent,
}  # fmt: skip
"""Class -> what makes the term of the terms of its arguments."""


LOGIC: Final = frozenset(cls for cls in FORMS if cls.__module__ == boolalg.__name__)
"""Those whose arguments are truth values."""


def terms_of_sum(expr: Any) -> list[Any]:
    """Write out a sum or product over fixed ranges: its terms, the last range outermost."""
    body, limits = expr.function, list(expr.limits)
    points: list[dict[Any, Any]] = [{}]
    for limit in reversed(limits):
        pairs = ((point, k) for point in points for k in _range(expr, limit, point))
        points = [point | {limit[0]: k} for point, k in itertools.islice(pairs, MOST_TERMS + 1)]
        if len(points) > MOST_TERMS:
            raise UnsupportedOp(
                f"SymPy's {type(expr).__name__} has more than {MOST_TERMS} terms, which would all "
                f"be written out: {expr}"
            )
    return [body.xreplace(point) for point in points]


def _range(expr: Any, limit: Any, point: dict[Any, Any]) -> Iterator[Any]:
    ends = [sp.sympify(end).xreplace(point) for end in limit[1:]]
    if len(ends) != 2 or not all(end.is_Integer for end in ends):
        raise UnsupportedOp(
            f"SymPy's {type(expr).__name__} over {limit} has no fixed range: {expr}; substitute "
            "numbers for its ends, or ask SymPy for a closed form by .doit()"
        )
    low, high = map(int, ends)
    # one more than are allowed is enough to be refused
    return map(sp.Integer, range(low, min(high, low + MOST_TERMS) + 1))


def element(expr: Any) -> tuple[Any, tuple[int, ...]] | None:
    """Return the array and the indices of an element of one, such as a[0, 1], or nothing."""
    if not isinstance(expr, _ELEMENTS):
        return None
    base = getattr(expr, _BASES[type(expr)])
    if not isinstance(base, (sp.IndexedBase, sp.MatrixSymbol, ArraySymbol)):
        return None
    if not all(index.is_Integer and index >= 0 for index in map(sp.sympify, expr.indices)):
        raise UnsupportedOp(f"the element {expr} of an array has no fixed place: numbers only")
    return base, tuple(map(int, expr.indices))


_BASES: Final = {sp.Indexed: "base", MatrixElement: "parent", ArrayElement: "name"}
_ELEMENTS: Final = tuple(_BASES)


def _dot(expr: Any) -> Any:
    left, right = (sp.flatten(part.as_explicit().tolist()) for part in expr.args)
    return sp.Add(*(a * b for a, b in zip(left, right, strict=True)))


def explicit(expr: Any) -> Any:
    """Return the elements of a matrix expression that has some, of a fixed shape."""
    if not isinstance(expr, sp.MatrixExpr) or isinstance(expr, sp.MatrixSymbol):
        return expr
    parts = list(sp.preorder_traversal(expr))
    symbolic = any(isinstance(part, sp.MatrixSymbol) for part in parts)
    if symbolic and not any(isinstance(part, sp.MatrixBase) for part in parts):
        return expr
    fixed = all(sp.sympify(size).is_Integer for size in expr.shape)
    return expr.as_explicit() if fixed else expr


def _evaluated(expr: Any) -> Any:
    """Carry out what SymPy was told to leave as it is."""
    made = expr.doit()
    if made.has(type(expr)):
        raise UnsupportedOp(
            f"SymPy's {type(expr).__name__} has no op here, and SymPy cannot carry it out: {expr}"
        )
    return made


EXPLICIT: Final[dict[Any, Callable[[Any], Any]]] = {
    MatrixElement: lambda expr: expr.parent.as_explicit()[expr.indices],
    Trace: lambda expr: expr.arg.as_explicit().trace(),
    Determinant: lambda expr: expr.arg.as_explicit().det(),
    DotProduct: _dot,
    sp.Derivative: _evaluated, sp.Subs: _evaluated,
}  # fmt: skip
"""Classes -> what writes them out: by the elements of matrices, or as SymPy computes them."""
