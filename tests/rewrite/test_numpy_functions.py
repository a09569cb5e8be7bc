# ruff: noqa: E501 - a table reads better on long lines
"""Each function that `rw.numpy_functions()` lists does with terms what NumPy does with numbers.

A row has the calls that exercise a function, and the shapes of their arguments. NumPy's result on
numbers is compared with the traced terms, evaluated at the same numbers.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special as special
from hypothesis import example, given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite.array.registry import FUNCTIONS, METHODS, UFUNCS
from rewrite.tracing import leaves

Case = tuple[Callable[..., Any], list[tuple[int, ...]]]

V, M, T = (5,), (3, 4), (2, 3, 4)
SQUARE = (3, 3)
KEEP = np.array([True, False, True, True, False])
WIDE = np.array([[True, False, True, True], [False] * 4, [True] * 4])
MATRIX = np.array([[2.0, 0.0, 1.0], [0.0, 0.0, -1.5], [1.0, 3.0, 0.0], [0.0, 1.0, 0.0]])
SUBTRACT: Any = np.subtract
STEP = np.array([0.0, 0.5, 0.75, 2.0, 2.5])


def on(*shapes: tuple[int, ...]) -> Callable[..., list[Case]]:
    """Give the same shapes to several calls."""
    return lambda *calls: [(call, list(shapes)) for call in calls]


def written(action: Callable[..., Any], *shapes: tuple[int, ...]) -> list[Case]:
    """Return a case that writes to a copy of its first argument."""

    def call(a: Any, *rest: Any) -> Any:
        b = a.copy()
        action(b, *rest)
        return b

    return [(call, list(shapes))]


def filled(array: Any, a: Any) -> Any:
    array[..., 1:3] += a[:2]
    return array


# fmt: off
CASES: dict[str, list[Case]] = {
    # moving
    "reshape": on(M)(lambda a: np.reshape(a, (2, 6)), lambda a: np.reshape(a, -1), lambda a: a.reshape(4, 3), lambda a: a.reshape((6, -1), order="F")),
    "ravel": on(M)(np.ravel, lambda a: a.ravel(), lambda a: np.ravel(a, "F"), lambda a: a.flatten()),
    "transpose": on(T)(np.transpose, lambda a: np.transpose(a, (1, 0, 2)), lambda a: a.T, lambda a: a.transpose(2, 0, 1)),
    "permute_dims": on(T)(lambda a: np.permute_dims(a, (2, 1, 0))),
    "matrix_transpose": on(T)(np.matrix_transpose, lambda a: a.mT),
    "moveaxis": on(T)(lambda a: np.moveaxis(a, 0, -1), lambda a: np.moveaxis(a, [0, 1], [2, 0])),
    "rollaxis": on(T)(lambda a: np.rollaxis(a, 2)),
    "swapaxes": on(T)(lambda a: np.swapaxes(a, 0, 2), lambda a: a.swapaxes(1, 2)),
    "expand_dims": on(M)(lambda a: np.expand_dims(a, 0), lambda a: np.expand_dims(a, (0, -1))),
    "squeeze": on((1, 3, 1))(np.squeeze, lambda a: np.squeeze(a, 0), lambda a: a.squeeze()),
    "roll": on(M)(lambda a: np.roll(a, 1), lambda a: np.roll(a, -1, axis=0), lambda a: np.roll(a, (1, 2), axis=(0, 1))),
    "flip": on(M)(np.flip, lambda a: np.flip(a, 1)),
    "fliplr": on(M)(np.fliplr), "flipud": on(M)(np.flipud),
    "rot90": on(M)(np.rot90, lambda a: np.rot90(a, 2)),
    "tile": on(M)(lambda a: np.tile(a, 2), lambda a: np.tile(a, (2, 1, 3))),
    "repeat": on(M)(lambda a: np.repeat(a, 2), lambda a: np.repeat(a, [1, 0, 2], axis=0), lambda a: a.repeat(2, axis=1)),
    "resize": on(M)(lambda a: np.resize(a, (5, 3))),
    "delete": on(V)(lambda a: np.delete(a, 1), lambda a: np.delete(a, [0, -1])) + on(M)(lambda a: np.delete(a, slice(0, 2), axis=1)),
    "diagonal": on(T)(np.diagonal, lambda a: a.diagonal(1, 1, 2)),
    "broadcast_to": on(V)(lambda a: np.broadcast_to(a, (2, 5))),
    "broadcast_arrays": on(V, (2, 1))(lambda a, b: np.broadcast_arrays(a, b)),
    "meshgrid": on(V, (3,))(lambda a, b: np.meshgrid(a, b), lambda a, b: np.meshgrid(a, b, indexing="ij")),
    "split": on((6,))(lambda a: np.split(a, 3), lambda a: np.split(a, [1, 4])),
    "array_split": on(V)(lambda a: np.array_split(a, 3)),
    "hsplit": on(M)(lambda a: np.hsplit(a, 2)), "vsplit": on(M)(lambda a: np.vsplit(a, 3)),
    "dsplit": on(T)(lambda a: np.dsplit(a, 2)),
    "unstack": on(M)(lambda a: np.unstack(a), lambda a: np.unstack(a, axis=1)),
    "take": on(M)(lambda a: np.take(a, [0, 5, 5]), lambda a: a.take([1, 0], axis=1), lambda a: np.take(a, 3), lambda a: np.take(a, -7, mode="wrap")),
    "take_along_axis": on(M)(lambda a: np.take_along_axis(a, np.array([[0], [3], [1]]), 1)),
    "compress": on(V)(lambda a: np.compress(KEEP, a), lambda a: a.compress(KEEP)) + on(M)(lambda a: np.compress([True, False], a, axis=0)),
    "extract": on(M)(lambda a: np.extract(WIDE, a)),
    "append": on(M, V)(lambda a, b: np.append(a, b)) + on(V)(lambda a: np.append(a, 1.5)) + on(M, M)(lambda a, b: np.append(a, b, axis=1)),
    "insert": on(V)(lambda a: np.insert(a, 0, 2.0), lambda a: np.insert(a, [1, 3], a[:2])),
    "stack": on(M, M)(lambda a, b: np.stack([a, b]), lambda a, b: np.stack((a, b), axis=-1)) + on(V)(lambda a: np.stack([a, np.ones(5)])),
    "concatenate": on(M, M)(lambda a, b: np.concatenate([a, b]), lambda a, b: np.concatenate((a, b), axis=1), lambda a, b: np.concatenate([a, b], axis=None)),
    "concat": on(V)(lambda a: np.concat([a, a[:1]])),
    "hstack": on(V, (3,))(lambda a, b: np.hstack([a, b])) + on(M)(lambda a: np.hstack((a, a))),
    "vstack": on(V, V)(lambda a, b: np.vstack([a, b])), "dstack": on(M, M)(lambda a, b: np.dstack([a, b])),
    "column_stack": on(V, V)(lambda a, b: np.column_stack([a, b])),
    "block": on(SQUARE)(lambda a: np.block([[a, np.zeros((3, 1))], [np.ones((1, 3)), 2.0]])),
    "atleast_1d": on(())(lambda a: np.atleast_1d(a)) + on(V, ())(lambda a, b: np.atleast_1d(a, b)),
    "atleast_2d": on(V)(lambda a: np.atleast_2d(a)), "atleast_3d": on(V)(lambda a: np.atleast_3d(a)),
    "pad": on(V)(
        lambda a: np.pad(a, 2), lambda a: np.pad(a, (1, 3), constant_values=(1.0, a[0])), lambda a: np.pad(a, 2, mode="edge"),
        lambda a: np.pad(a, 2, "wrap"), lambda a: np.pad(a, (4, 9), "wrap"), lambda a: np.pad(a, 3, mode="reflect"), lambda a: np.pad(a, 3, mode="symmetric"),
    ) + on(M)(lambda a: np.pad(a, ((1, 0), (2, 2)), mode="wrap"), lambda a: np.pad(a, 1), lambda a: np.pad(a, [(0, 0), (1, 1)], "edge"), lambda a: np.pad(a, 1, "empty")[1:-1, 1:-1]),
    "diag": on(V)(np.diag, lambda a: np.diag(a, -2), lambda a: np.diag(a, 1)) + on(M)(np.diag, lambda a: np.diag(a, 1)),
    "diagflat": on(M)(np.diagflat), "tril": on(M)(np.tril, lambda a: np.tril(a, -1)) + on(T)(np.tril),
    "triu": on(M)(np.triu, lambda a: np.triu(a, 1)),
    "shape": on(M)(lambda a: a + np.shape(a)[1]), "ndim": on(M)(lambda a: a + np.ndim(a)),
    "size": on(M)(lambda a: a + np.size(a), lambda a: a * np.size(a, 0)),
    "copy": on(M)(np.copy, lambda a: a.copy()),
    # writing
    "copyto": written(lambda b, a: np.copyto(b, a), M, ()) + written(lambda b, a: np.copyto(b, a, where=WIDE), M, M) + written(lambda b, a: np.copyto(b, a, where=a > 0), M, M),
    "put": written(lambda b, a: np.put(b, [0, -1], a), M, (2,)) + written(lambda b: b.put([1], 3.0), V),
    "putmask": written(lambda b, a: np.putmask(b, WIDE, a), M, M),
    "place": written(lambda b, a: np.place(b, WIDE, a), M, (2,)),
    "fill_diagonal": written(lambda b: np.fill_diagonal(b, 2.0), SQUARE) + written(lambda b, a: np.fill_diagonal(b, a), SQUARE, (3,)),
    # made like others
    "zeros_like": on(M)(np.zeros_like, lambda a: a + np.zeros_like(a, dtype=int), lambda a: np.zeros_like(a, shape=(2, 2))),
    "ones_like": on(M)(np.ones_like), "empty_like": written(lambda b: np.empty_like(b), M) + on(V)(lambda a: np.add(a, 1, out=np.empty_like(a))),
    "full_like": on(M)(lambda a: np.full_like(a, 3), lambda a: np.full_like(a, a[0, 0])),
    "zeros": on(V)(lambda a: filled(np.zeros(5), a), lambda a: filled(np.zeros((2, 5)), a)), "ones": on(V)(lambda a: filled(np.ones(5), a)),
    "empty": on(V)(lambda a: np.multiply(a, 2, out=np.empty(5))), "full": on(V)(lambda a: np.full((2, 5), a), lambda a: filled(np.full(5, 2.5), a)),
    "array": on(V)(np.array, lambda a: np.array([a, [a[0], 1.0, a[2], 0.0, 2]]), lambda a: filled(np.array([1.0] * 5), a), lambda a: np.array(a[0], ndmin=2)),
    "asarray": on(V)(np.asarray, lambda a: np.asarray([a, a * 2], dtype=float)), "asanyarray": on(V)(np.asanyarray), "ascontiguousarray": on(M)(lambda a: np.ascontiguousarray(a.T)),
    "r_": on(V)(lambda a: np.r_[a[-1], a, 1.0], lambda a: np.r_[0:3, a]), "c_": on(V, V)(lambda a, b: np.c_[a, b]),
    # reducing
    "sum": on(M)(np.sum, lambda a: np.sum(a, 0), lambda a: a.sum(axis=-1, keepdims=True), lambda a: np.sum(a, initial=2.0), lambda a: np.sum(a, 1, where=WIDE), lambda a: np.sum(a > 0)) + on(T)(lambda a: np.sum(a, (0, 2)), lambda a: np.sum(a, axis=1, out=np.zeros((2, 4)))),
    "prod": on(M)(np.prod, lambda a: a.prod(0), lambda a: np.prod(a, axis=1, keepdims=True)),
    "min": on(M)(np.min, lambda a: a.min(0), lambda a: np.min(a, axis=1, initial=0.0)), "amin": on(M)(np.amin),
    "max": on(M)(np.max, lambda a: a.max(axis=1), lambda a: np.max(a, where=WIDE, initial=-9.0)), "amax": on(M)(np.amax),
    "ptp": on(M)(np.ptp, lambda a: np.ptp(a, axis=0)),
    "any": on(M)(lambda a: np.any(a > 1), lambda a: (a > 0).any(axis=0), lambda a: np.any(a, axis=1)),
    "all": on(M)(lambda a: np.all(a > -1, axis=1), lambda a: (a > 0).all()),
    "count_nonzero": on(M)(lambda a: np.count_nonzero(a > 0), lambda a: np.count_nonzero(a, axis=0)),
    "mean": on(M)(np.mean, lambda a: a.mean(axis=0), lambda a: np.mean(a, 1, keepdims=True), lambda a: np.mean(a > 0)),
    "var": on(M)(np.var, lambda a: a.var(axis=0), lambda a: np.var(a, axis=1, ddof=1, keepdims=True)),
    "std": on(M)(np.std, lambda a: a.std(axis=1), lambda a: np.std(a, 0, ddof=1)),
    "average": on(M)(np.average, lambda a: np.average(a, axis=1, weights=[1.0, 2.0, 3.0, 4.0]), lambda a: np.average(a, axis=0, weights=[1.0, 2.0, 3.0])) + on(M, M)(lambda a, w: np.average(a, weights=w + 9)),
    "cumsum": on(M)(np.cumsum, lambda a: np.cumsum(a, axis=0), lambda a: a.cumsum(1)),
    "cumprod": on(M)(np.cumprod, lambda a: a.cumprod(axis=1)),
    # products
    "matmul": on(M, (4, 2))(np.matmul, lambda a, b: a @ b) + on(T, (4,))(np.matmul) + on((3,), T)(np.matmul) + on(M)(lambda a: a @ MATRIX, lambda a: MATRIX @ a, lambda a: a @ MATRIX[:, 0]) + on(T)(lambda a: a @ MATRIX, lambda a: MATRIX @ a, lambda a: MATRIX[0] @ a) + on(V)(lambda a: np.eye(5)[1:3] @ a, lambda a: np.arange(5) @ a, lambda a: a @ a) + on(T, (2, 4, 2))(np.matmul),
    "vecdot": on(M, M)(np.vecdot), "matvec": on(T, (4,))(np.matvec) if hasattr(np, "matvec") else [], "vecmat": on((3,), T)(np.vecmat) if hasattr(np, "vecmat") else [],
    "dot": on(M, (4, 2))(np.dot, lambda a, b: a.dot(b)) + on(V, V)(np.dot) + on(())(lambda a: np.dot(a, 2.0)) + on(M, (2, 4, 3))(np.dot) + on(M)(lambda a: np.dot(MATRIX, a), lambda a: np.dot(a, MATRIX, out=np.zeros((3, 3)))),
    "vdot": on(M, M)(np.vdot), "inner": on(M, T)(np.inner) + on(V, ())(np.inner), "outer": on(V, M)(np.outer) + on(V)(lambda a: np.outer([1.0, 2.0], a)),
    "kron": on(M, (2, 2))(np.kron) + on(V)(lambda a: np.kron(np.eye(2), a)),
    "tensordot": on(T, (3, 4, 2))(np.tensordot, lambda a, b: np.tensordot(a, b, ([0], [2])), lambda a, b: np.tensordot(a, b, axes=([1, 2], [0, 1]))) + on(V, V)(lambda a, b: np.tensordot(a, b, 0)),
    "trace": on(SQUARE)(np.trace, lambda a: a.trace(1)) + on(T)(lambda a: np.trace(a, axis1=1, axis2=2)),
    "cross": on((3,), (3,))(np.cross) + on((2, 3), (3,))(np.cross),
    "einsum": on(M, (4, 2))(lambda a, b: np.einsum("ij,jk->ik", a, b), lambda a, b: np.einsum("ij,jk", a, b), lambda a, b: np.einsum("ij,jk->ki", a, b))
        + on(SQUARE)(lambda a: np.einsum("ii", a), lambda a: np.einsum("ii->i", a), lambda a: np.einsum("ij->ji", a), lambda a: np.einsum("ij->j", a), lambda a: np.einsum("ij,ij->", a, a), lambda a: np.einsum("ij,jk,kl->il", a, a, a), lambda a: np.einsum("ij,kj->ik", np.eye(3), a))
        + on(T, T)(lambda a, b: np.einsum("bij,bij->bi", a, b), lambda a, b: np.einsum("...ij,...kj->...ik", a, b), lambda a, b: np.einsum("...j,j->...", a, b[0, 0])) + on(V, V)(lambda a, b: np.einsum("i,j->ij", a, b), lambda a, b: np.einsum("i,j->", a, b)),
    "linalg.norm": on(V)(np.linalg.norm, *(lambda a, k=k: np.linalg.norm(a, k) for k in (1, 2, 3, np.inf, -np.inf, 0))) + on(M)(np.linalg.norm, lambda a: np.linalg.norm(a, "fro"), lambda a: np.linalg.norm(a, axis=1), lambda a: np.linalg.norm(a, np.inf, axis=0, keepdims=True), lambda a: np.linalg.norm(a, axis=(0, 1))),
    "linalg.det": on(SQUARE)(np.linalg.det) + on((2, 2))(np.linalg.det) + on((4, 2, 2))(np.linalg.det),
    "linalg.inv": on(SQUARE)(lambda a: np.linalg.inv(a + 9 * np.eye(3))) + on((2, 2))(lambda a: np.linalg.inv(a + 9 * np.eye(2))) + on((1, 1))(lambda a: np.linalg.inv(a + 9)),
    "linalg.solve": on(SQUARE, (3,))(lambda a, b: np.linalg.solve(a + 9 * np.eye(3), b)) + on((4,))(lambda b: np.linalg.solve(np.array([[0.0, 2, 0, 1], [1, 1, 0, 0], [0, 3, 4, 1], [2, 0, 1, 5]]), b)) + on((3, 2))(lambda b: np.linalg.solve(MATRIX[:3] + np.eye(3), b)),
    # sampled values
    "diff": on(M)(np.diff, lambda a: np.diff(a, 2), lambda a: np.diff(a, axis=0), lambda a: np.diff(a, prepend=0.0, append=a[:, :1])),
    "ediff1d": on(M)(np.ediff1d, lambda a: np.ediff1d(a, to_begin=0.0, to_end=[1.0, 2.0])),
    "gradient": on(V)(np.gradient, lambda a: np.gradient(a, 0.5), lambda a: np.gradient(a, STEP), lambda a: np.gradient(a, STEP, edge_order=2), lambda a: np.gradient(a, 2.0, edge_order=2)) + on(M)(np.gradient, lambda a: np.gradient(a, 0.5, 2.0), lambda a: np.gradient(a, axis=1), lambda a: np.gradient(a, 1.0, axis=(0, 1))),
    "trapezoid": on(M)(np.trapezoid, lambda a: np.trapezoid(a, dx=0.5, axis=0), lambda a: np.trapezoid(a, [0.0, 1.0, 1.5, 4.0])),
    "convolve": on(V, (3,))(*(lambda a, b, m=m: np.convolve(a, b, m) for m in ("full", "same", "valid")), lambda a, b: np.convolve(b, a), lambda a, b: np.convolve(b, a, "same")) + on(V)(lambda a: np.convolve(a, [1, -2, 1], "same"), lambda a: np.convolve(a, [1.0, 2.0], "same")),
    "correlate": on(V, (3,))(*(lambda a, b, m=m: np.correlate(a, b, m) for m in ("full", "same", "valid")), lambda a, b: np.correlate(b, a, "full"), lambda a, b: np.correlate(b, a, "same"), lambda a, b: np.correlate(b, a)) + on(V)(lambda a: np.correlate(a, [1.0, 3.0], "same"), lambda a: np.correlate([1.0, 3.0], a, "same")),
    "polyval": on(M)(lambda a: np.polyval([1.0, -2.0, 0.5], a)) + on((3,), V)(np.polyval),
    "vander": on(V)(np.vander, lambda a: np.vander(a, 3, increasing=True)),
    "interp": on(V)(lambda a: np.interp(a, [-1.0, 0.0, 0.25, 1.0], [1.0, 3.0, -2.0, 5.0]), lambda a: np.interp(a, [-0.5, 0.5], [1.0, 2.0], left=-7.0, right=8.0)) + on((), (3,))(lambda x, f: np.interp(x, [-1.0, 0.0, 2.0], f)),
    # choosing
    "where": on(M, M)(lambda a, b: np.where(a > b, a, b), lambda a, b: np.where(WIDE, a, b), lambda a, b: np.where(a > 0, 1.0, b), lambda a, b: np.where(a > 0, b > 0, a), lambda a, b: np.where([[True], [False], [True]], a, 0)),
    "clip": on(M)(lambda a: np.clip(a, -0.5, 0.5), lambda a: a.clip(0), lambda a: np.clip(a, None, 0.25), lambda a: np.clip(a, min=0.0, max=1.0), lambda a: np.clip(a, -1, 0, out=np.empty_like(a))),
    "round": on(M)(np.round, lambda a: a.round()),
    "around": on(M)(np.around), "fix": on(M)(lambda a: np.fix(a * 3)),
    "select": on(M)(lambda a: np.select([a > 0.5, a > 0], [a, 2 * a], 7.0), lambda a: np.select([a < -0.5, WIDE], [a, -a])),
    "piecewise": on(M)(lambda a: np.piecewise(a, [a < 0, a >= 0.5], [lambda x: -x, 2.0, lambda x: x**2]), lambda a: np.piecewise(a, [a > 0], [1.0])),
    "nan_to_num": on(V)(np.nan_to_num, lambda a: np.nan_to_num(a / np.array([0.0, 1, 0, 1, 0])), lambda a: np.nan_to_num(np.sqrt(a), nan=-1.0)),
    "real": on(M)(np.real, lambda a: a.real), "imag": on(M)(np.imag), "iscomplexobj": on(M)(lambda a: a * 2 if np.iscomplexobj(a) else a), "isrealobj": on(M)(lambda a: a * 2 if np.isrealobj(a) else a),
    "isclose": on(M, M)(np.isclose, lambda a, b: np.isclose(a, a + 1e-9)), "sinc": on(V)(np.sinc, lambda a: np.sinc(a * 0)),
    # methods of ufuncs
    "ufunc.reduce": on(M)(np.add.reduce, lambda a: np.maximum.reduce(a, axis=1), lambda a: np.multiply.reduce(a, axis=None), lambda a: np.subtract.reduce(a, axis=1), lambda a: np.logical_and.reduce(a > 0), lambda a: np.add.reduce(a, axis=(0, 1), keepdims=True), lambda a: np.divide.reduce(a, 1), lambda a: np.minimum.reduce(a, initial=0.0)),
    "ufunc.accumulate": on(M)(np.add.accumulate, lambda a: np.multiply.accumulate(a, axis=1), lambda a: np.maximum.accumulate(a, 1), lambda a: np.subtract.accumulate(a)),
    "ufunc.outer": on(V, M)(np.add.outer, np.multiply.outer, lambda a, b: np.greater.outer(a, b)),
    "ufunc.reduceat": on((8,))(lambda a: np.add.reduceat(a, [0, 4, 1, 5]), lambda a: np.maximum.reduceat(a, [0, 3])) + on(M)(lambda a: np.add.reduceat(a, [0, 2], axis=1)),
    "divmod": on(M, M)(np.divmod),
    "ufunc.at": written(lambda b, a: np.add.at(b, [0, 1, 0, 0], a), V, (4,)) + written(lambda b: SUBTRACT.at(b, np.s_[:, [1, 1]], 1.5), M) + written(lambda b: np.negative.at(b, [0, 2]), V),
    "expit": on(V)(lambda a: special.expit(a)),
    "erf": on(V)(lambda a: special.erf(a)), "erfc": on(V)(lambda a: special.erfc(a)),
    # truth values
    "bitwise_and": on(M)(lambda a: (a > 0) & (a < 1)), "bitwise_or": on(M)(lambda a: (a > 1) | (a < 0)), "invert": on(M)(lambda a: ~(a > 0)),
    "bitwise_xor": on(M)(lambda a: (a > 0) ^ (a < 1)), "logical_xor": on(M, M)(np.logical_xor, lambda a, b: np.logical_xor(a > 0, b)),
    "logical_and": on(M, M)(np.logical_and, lambda a, b: np.logical_and(a > 0, b)), "logical_or": on(M, M)(np.logical_or), "logical_not": on(M)(np.logical_not, lambda a: np.logical_not(a > 0)),
    "conjugate": on(V)(np.conjugate, lambda a: a.conj()),
}
"""By name; a ufunc that has no row is called with as many matrices as it takes."""
# fmt: on

INSIDE = {"arccosh": 2.0, "log": 1.5, "log2": 1.5, "log10": 1.5}
"""What is added to numbers between -1.5 and 1.5, for functions that have no value there."""


def cases(name: str) -> list[Case]:
    if name in CASES:
        return CASES[name]
    ufunc = getattr(np, name)
    assert isinstance(ufunc, np.ufunc), f"no case exercises np.{name}"
    shift = INSIDE.get(name, 0.0)
    together = on(*[M] * ufunc.nin)(lambda *args: ufunc(*[a + shift for a in args]))
    into = on(*[M] * ufunc.nin)(lambda *args: ufunc(*args, out=np.zeros(M, type_of(ufunc))))
    return together + (into if type_of(ufunc) is float else [])


def type_of(ufunc: np.ufunc) -> type:
    return bool if ufunc.types[-1][-1] == "?" else float


def values_of(made: Any, traced: Any, numbers: list[Any]) -> list[Any]:
    """Evaluate what a trace returned."""
    env: dict[str, Any] = {}
    for symbols, given_ in zip(traced.args, numbers, strict=True):
        flat = rw.asarray(symbols).terms()
        env |= {t.symbol.name: v for t, v in zip(flat, np.ravel(given_), strict=True) if t.symbol}
    return [rw.evaluate(value, env) for _, value in leaves(traced.result)]


PARAMETERS = [(name, k) for name in rw.numpy_functions() for k in range(len(cases(name)))]


@pytest.mark.parametrize(("name", "place"), PARAMETERS)
@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
@example(0, True)
def test_terms_have_numpys_values(name: str, place: int, seed: int, bulk: bool) -> None:
    call, shapes = cases(name)[place]
    random = np.random.default_rng(seed)
    numbers = [random.uniform(-1.5, 1.5, shape) for shape in shapes]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = [np.asarray(value) for _, value in leaves(call(*numbers))]
        with rw.scope() as store:
            if bulk:  # by the loops that large arrays take
                store.indexed()
            traced = rw.trace(call, list(shapes))
            found = values_of(call, traced, numbers)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-13)


def test_each_listed_function_is_exercised() -> None:
    listed = set(rw.numpy_functions())
    assert {name for name in CASES if name != "unstack" or hasattr(np, name)} <= listed
    assert {*FUNCTIONS, *UFUNCS, *(f"ufunc.{name}" for name in METHODS)} <= listed
    for name in listed - set(CASES):
        assert isinstance(getattr(np, name), np.ufunc)
