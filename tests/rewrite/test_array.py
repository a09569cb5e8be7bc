"""Arrays of terms do what NumPy does to arrays of objects, and say what they cannot do."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import rewrite as rw
from rewrite.dag import SMALL
from rewrite.errors import (
    PlaceError,
    RewriteError,
    ShapeError,
    SortError,
    TraceError,
    UnsupportedOp,
)
from rewrite.evaluate import evaluate

symbol: Any = rw.symbol  # NumPy is told less about terms than it does with them
x, y, z = symbol("x"), symbol("y"), symbol("z")


def symbols_of(shape: tuple[int, ...], name: str = "s") -> Any:
    flat = [rw.symbol(f"{name}{k}") for k in range(math.prod(shape))]
    return rw.asarray(flat).reshape(shape) if flat else rw.asarray(np.empty(shape))


def objects(array: Any) -> Any:
    """Return NumPy's own array of the same terms."""
    out = np.empty(np.shape(array.ids), object)
    out.reshape(-1)[:] = array.terms()
    return out


def same(ours: Any, theirs: Any) -> None:
    if isinstance(ours, rw.Term):
        assert ours == theirs if isinstance(theirs, rw.Term) else ours == np.asarray(theirs).item()
        return
    theirs = np.asarray(theirs, object)
    assert ours.shape == theirs.shape
    assert ours.terms() == theirs.ravel().tolist()


shapes = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3, min_side=1)


@given(shapes, st.sampled_from([np.add, np.subtract, np.multiply, np.divide, np.power]))
def test_broadcasting_is_numpys(pair: hnp.BroadcastableShapes, ufunc: np.ufunc) -> None:
    a, b = symbols_of(pair.input_shapes[0], "a"), symbols_of(pair.input_shapes[1], "b")
    same(ufunc(a, b), ufunc(objects(a), objects(b)))


@given(st.data())
def test_indexing_is_numpys(data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(max_dims=3, max_side=4))
    a = symbols_of(shape)
    key = data.draw(hnp.basic_indices(shape, allow_newaxis=True) | hnp.integer_array_indices(shape))
    same(a[key], objects(a)[key])


@pytest.mark.parametrize(
    "function",
    [
        lambda a: a + 1, lambda a: 2 - a, lambda a: a * np.arange(3), lambda a: np.arange(3.0) / a,
        lambda a: -a, lambda a: a[:, None] * a, lambda a: a.T, lambda a: a.sum(), lambda a: a**2,
        lambda a: np.stack([a, a * 2]), lambda a: np.stack([a, a], axis=1),
        lambda a: np.concatenate([a, a[:1]]), lambda a: np.roll(a, 1), lambda a: np.flip(a),
        lambda a: np.reshape(a, (3, 1)), lambda a: a.reshape(3, 1), lambda a: a.reshape((1, 3)),
        lambda a: np.transpose(a[None]), lambda a: np.expand_dims(a, 0), lambda a: a.ravel(),
        lambda a: np.squeeze(a[None]), lambda a: np.broadcast_to(a, (2, 3)), lambda a: a[::-1],
        lambda a: np.moveaxis(a[None], 0, 1), lambda a: np.swapaxes(a[None], 0, 1),
        lambda a: a[[0, 2]], lambda a: a[np.array([True, False, True])], lambda a: a[...],
        lambda a: a[None, ..., None], lambda a: a.copy(), lambda a: a[1], lambda a: a[1:1],
    ],
)  # fmt: skip
def test_functions_of_one_array_are_numpys(function: Callable[[Any], Any]) -> None:
    a = rw.asarray([x, y, z])
    if "sum" in repr(function.__code__.co_names):
        assert function(a) == rw.apply("add", x, y, z)  # one node, where objects make two
    else:
        same(function(a), function(objects(a)))


def flattened(term: rw.Term) -> list[str]:
    """Return the sorted terms of a sum, however nested."""
    if term.op.name != "add":
        return [str(term)]
    return sorted(part for arg in term.args for part in flattened(arg))


@pytest.mark.parametrize(
    ("left", "right"),
    [((2, 3), (3, 2)), ((3,), (3, 2)), ((2, 3), (3,)), ((3,), (3,)), ((2, 2, 3), (3, 2)),
     ((2, 2, 3), (2, 3, 2)), ((1, 1), (1, 1))],
)  # fmt: skip
def test_matrix_products(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    a, b = symbols_of(left, "a"), symbols_of(right, "b")
    ours = np.asarray(objects(rw.asarray(a @ b)))
    theirs = np.asarray(objects(a) @ objects(b), object)
    assert ours.shape == theirs.shape
    for mine, its in zip(ours.ravel(), theirs.ravel(), strict=True):
        assert flattened(mine) == flattened(its)
    assert np.array_equal(objects(rw.asarray(np.matmul(a, b))), ours)


def test_products_with_numbers_and_terms() -> None:
    a = rw.asarray([x, y])
    matrix = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert str((-matrix @ a)[0]) == "-x + -2.0*y" and str((a @ matrix)[1]) == "x*2.0 + y*4.0"
    assert str(np.dot(a, a)) == "x*x + y*y" and np.dot(x, y) == x * y
    same(x * a, [x * x, x * y])
    same(a + x, [x + x, y + x])
    same(np.sin(x) * np.array([1, 2]), [np.sin(x) * 1, np.sin(x) * 2])
    same(np.add(a, [1, 2]), [x + 1, y + 2])


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_sums_and_products_are_one_node_an_element(axis: int | None) -> None:
    a = symbols_of((2, 3))
    for total in (a.sum(axis), np.sum(a, axis=axis), np.add.reduce(a, axis=axis)):
        assert isinstance(total, rw.Term if axis is None else rw.TermArray)
        terms = [total] if isinstance(total, rw.Term) else total.terms()
        assert {len(t.args) for t in terms} == {6 if axis is None else 2 if axis == 0 else 3}
        expected = np.sum(objects(a), axis=axis)
        for mine, its in zip(terms, np.ravel(np.asarray(expected, object)), strict=True):
            assert flattened(mine) == flattened(its)
    assert str(a.prod()) == "s0*s1*s2*s3*s4*s5"
    assert a[0, :0].sum().value == 0 and a[:1].sum(0).terms() == a[0].terms()


@pytest.mark.parametrize(
    ("name", "args"),
    [("where", (x > 0, x, y)), ("clip", (x, 0, 1)), ("round", (x,)), ("maximum", (x, 1)),
     ("fmin", (x, y)), ("square", (x,)), ("reciprocal", (x,)), ("isnan", (x,)), ("deg2rad", (x,))],
)  # fmt: skip
def test_terms_in_term_out_and_arrays_in_array_out(name: str, args: tuple[Any, ...]) -> None:
    function = getattr(np, name)
    alone = function(*args)
    assert isinstance(alone, rw.Term)
    many = function(rw.asarray([args[0]]), *args[1:])
    assert isinstance(many, rw.TermArray) and many.terms() == [alone]
    scalar = function(rw.asarray(args[0]), *args[1:])
    assert isinstance(scalar, rw.TermArray) and scalar.shape == () and scalar.item() == alone


def test_what_numpys_own_functions_mean() -> None:
    values = [0.0, 1.5, -2.5, math.nan, math.inf]
    a, b = np.meshgrid(values, values)
    for name in ("fmin", "fmax", "minimum", "maximum"):
        term = getattr(np, name)(x, y)
        found = evaluate(term, {"x": a, "y": b})
        assert np.array_equal(found, getattr(np, name)(a, b), equal_nan=True), name
    assert str(np.clip(x, None, 2)) == "minimum(x, 2)" and np.clip(x, None, None) == x
    assert str(np.clip(x, min=1)) == "maximum(x, 1)"


def test_assignment_and_copies() -> None:
    a: Any = rw.asarray([x, y, z])
    b = a.copy()
    a[0] = x + 1
    a[1:] = 0
    same(a, [x + 1, rw.const(0), rw.const(0)])
    same(b, [x, y, z])
    view = b[:2]
    view[0] = z
    assert b[0] == z


def test_comparison_is_elementwise_and_logic_works() -> None:
    a = rw.asarray([x, y])
    assert str(a == x) == "TermArray([x == x, y == x])"
    assert str((a < 1) & ~(a > 0)) == "TermArray([(x < 1) & ~(x > 0), (y < 1) & ~(y > 0)])"
    assert str(np.logical_or(a < 1, a > 2)[0]) == "(x < 1) | (x > 2)"


def test_looks_and_conversions() -> None:
    a = symbols_of((2, 2))
    assert repr(a) == "TermArray([[s0, s1],\n [s2, s3]])" and len(a) == 2 and a.size == 4
    assert repr(symbols_of((200,))) == "<TermArray of shape (200,)>"
    assert a.tolist() == [[a[0, 0], a[0, 1]], [a[1, 0], a[1, 1]]]
    assert [str(row) for row in a] == ["TermArray([s0, s1])", "TermArray([s2, s3])"]
    assert rw.asarray(a) is a and rw.asarray(x).shape == () and rw.asarray([]).shape == (0,)
    assert np.shape(a) == (2, 2) and np.ndim(a) == 2 and np.size(a) == 4
    same(rw.asarray([[x, 1], a[0]]), [[x, rw.const(1)], [a[0, 0], a[0, 1]]])
    same(rw.asarray(np.array([x, y], object)), [x, y])


def test_an_empty_array_stays_empty() -> None:
    a: Any = rw.asarray(np.empty((0, 3)))
    assert (a + x).shape == (0, 3) and np.sin(a).shape == (0, 3) and a.sum(0).shape == (3,)


def test_large_arrays_take_the_compiled_path_to_the_same_ids() -> None:
    with rw.scope() as store:
        a = rw.asarray([rw.symbol(f"s{k}") for k in range(90)])
        grid = a[:, None] - a
        assert grid.size > SMALL and store.table is not None
        assert [grid[i, j] == a[i] - a[j] for i, j in ((0, 0), (3, 88), (89, 1))] == [True] * 3
        before = len(store)
        assert (a[:, None] - a).terms() == grid.terms() and len(store) == before
        assert np.sin(grid)[4, 5] == np.sin(a[4] - a[5])


REFUSED: list[tuple[Callable[[Any], Any], type[RewriteError], str]] = [
    (lambda a: np.linalg.svd(a), UnsupportedOp, r"np\.linalg\.svd is not .*supported: .*\bsin\b"),
    (lambda a: np.linalg.inv(a), ShapeError, r"inv: shape \(2,\) is not that of a square matrix"),
    (lambda a: np.linalg.det(a[0] * np.ones((4, 4))), UnsupportedOp, "pivots"),
    (lambda a: np.frexp(a), UnsupportedOp, r"np\.frexp .* supported: .*\bwhere\b"),
    (lambda a: np.median(a), TraceError, r"np\.median: the order of terms depends on values"),
    (lambda a: np.sort(a), TraceError, r"np\.sort"),
    (lambda a: a.argmax(), TraceError, r"np\.argmax: the place of an extreme depends on values"),
    (lambda a: np.nonzero(a > 0), TraceError, r"np\.nonzero.*np\.where\(condition, a, b\)"),
    (lambda a: np.where(a > 0), TraceError, r"np\.where\(condition, a, b\)"),
    (lambda a: a[a > 0], TraceError, "what a condition or an index of terms picks depends"),
    (lambda a: a[a], TraceError, "what a condition or an index of terms picks depends"),
    (lambda a: np.array([1.0, 2.0])[a], TraceError, "cannot become an array of numbers"),
    (lambda a: a[2], PlaceError, r"index 2 is out of bounds .* shape \(2,\)"),
    (lambda a: a[:, 0], PlaceError, "too many indices"),
    (lambda a: np.stack([a, a[:1]]), ShapeError, "same shape"),
    (lambda a: a.reshape(3), ShapeError, "cannot reshape"),
    (lambda a: np.sum(a, axis=1), PlaceError, r"axis 1 is out of bounds .* shape \(2,\)"),
    (lambda a: np.concatenate([a, a[:, None]]), ShapeError, "dimensions"),
    (lambda a: np.pad(a, 1, mode="median"), UnsupportedOp, "modes: constant, edge, wrap"),
    (lambda a: np.einsum("ij->i", a), ShapeError, "does not fit an operand of 1 axes"),
    (lambda a: np.einsum("i,i->", a, a[:0]), ShapeError, "axis 'i' has"),
    (lambda a: np.sum(a, dtype=int), UnsupportedOp, "dtype"),
    (lambda a: a.astype(int), UnsupportedOp, "terms stand for float64"),
    (lambda a: a << 1, UnsupportedOp, r"np\.left_shift"),
    (lambda a: a ^ 1, SortError, "truth value"),
    (lambda a: np.arctan2.accumulate(a), UnsupportedOp, "arctan2 with methods is not supported"),
    (lambda a: np.add(a, 1, out=np.zeros(2)), TraceError, r"array of numbers \(out=\)"),
    (lambda a: np.add(a, a[0], out=np.zeros_like(a[:1])), ShapeError, "do not fit into a place"),
    (lambda a: np.add(a, 1, where=[True, False]), UnsupportedOp, "'where' needs out="),
    (lambda a: np.round(a, 2), UnsupportedOp, "decimals"),
    (lambda a: round(a, 2), UnsupportedOp, "decimals"),
    (lambda a: a @ np.ones(3), ShapeError, r"matmul: shapes \(2,\) and \(3,\) do not fit"),
    (lambda a: a + "1", UnsupportedOp, "of type str"),
    (lambda a: a + 1j, UnsupportedOp, "complex"),
    (lambda a: rw.asarray([[a[0]], a[0]]), UnsupportedOp, r"different shapes: \[\(\), \(1,\)\]"),
    (lambda a: np.array(a), TraceError, r"rw\.numpy_functions\(\)"),
    (lambda a: np.asarray(a, float), TraceError, r"rw\.compile"),
    (lambda a: bool(a), TraceError, r"rw\.where"),
    (lambda a: 1 if a[:1] > 0 else 2, TraceError, r"rw\.where"),
    (lambda a: float(a[:1]), TraceError, "cannot be an index"),
    (lambda a: math.sin(rw.asarray(a[0])), TraceError, r"np\.sin .* not math\.sin"),
    (lambda a: range(rw.asarray(a[0])), TraceError, "cannot be an index"),
    (lambda a: np.zeros(3)[rw.asarray(a[0])], TraceError, "array of numbers"),
    (lambda a: a & True, SortError, "and takes a truth value"),
    (lambda a: (a[0] > 0) + 1, SortError, "add takes a number"),
    (lambda a: (a > 0) - (a > 1), SortError, "truth"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_refusals_name_what_there_is(case: int) -> None:
    action, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        action(rw.asarray([x, y]))


def test_shapes_that_do_not_broadcast_are_numpys_error() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        rw.asarray([x, y]) + rw.asarray([x, y, z])
    with pytest.raises(TypeError):
        iter(rw.asarray(x))
    with pytest.raises(TypeError):
        hash(rw.asarray([x]))


def test_listed_functions_exist() -> None:
    names = rw.numpy_functions()
    assert names == sorted(set(names)) and {"sin", "where", "stack", "matmul"} <= set(names)
    known = {"ufunc.at", "ufunc.reduce", "linalg.norm", "erf", "erfc", "expit"}
    assert known <= set(names)
    assert all(hasattr(np, name) for name in names if "." not in name and name not in known)
