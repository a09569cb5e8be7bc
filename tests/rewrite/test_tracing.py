"""NumPy solvers are traced as they were written: what they write to, what is around them."""

import abc
import dataclasses
import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy import zeros

import rewrite as rw
from rewrite.errors import (
    NumbersError,
    PlaceError,
    RewriteError,
    ShapeError,
    TraceError,
    UnsupportedOp,
)
from rewrite.tracing import leaves

type Fn = Callable[..., Any]


def values(traced: Any, *numbers: Any) -> list[Any]:
    """Evaluate what a trace returned at the values of its arguments."""
    env: dict[str, Any] = {}
    for symbols, array in zip(traced.args, numbers, strict=True):
        terms = rw.asarray(symbols).terms()
        env |= {t.symbol.name: v for t, v in zip(terms, np.ravel(array), strict=True) if t.symbol}
    return [rw.evaluate(value, env) for _, value in leaves(traced.result)]


def agrees(f: Fn, *shapes: tuple[int, ...]) -> None:
    """Compare a traced function with NumPy's result on numbers."""
    random = np.random.default_rng(3)
    numbers = [random.uniform(-1, 1, shape) for shape in shapes]
    kept = [array.copy() for array in numbers]
    with rw.scope():
        found = values(rw.trace(f, list(shapes)), *numbers)
    expected = [value for _, value in leaves(f(*numbers))]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == np.shape(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-15)
    assert all(np.array_equal(a, b) for a, b in zip(numbers, kept, strict=True))


# -- what is written to ----------------------------------------------------------------------


def heat(u: Any) -> Any:
    du = np.zeros(u.shape)
    du[1:-1] = u[2:] - 2 * u[1:-1] + u[:-2]
    du[0], du[-1] = u[1] - u[0], 0.5
    return du


def heat_of_rows(u: Any) -> Any:
    du = np.empty_like(u)
    for i in range(len(u)):
        du[i, ...] = u[i - 1] - u[i]
    du[:, 0] *= 2
    du[1:, 1] -= du[:-1, 1]
    return du


def through_views(u: Any) -> Any:
    a = u.copy()
    b = a[::2]
    b += 1
    b.T[...] = b.T * 2
    a.reshape(-1)[1] = 7
    a.flat[0] = u[1, 1]
    a.ravel()[2:4] = u[0, :2]
    return a


def by_masks(u: Any) -> Any:
    du = np.ones(u.shape)
    known = np.arange(u.size).reshape(u.shape) % 2 == 0
    du[known] += u[known]
    du[~known] = 3.0
    du[u > 0.5] = -1.0
    du[[0, 1], [1, 0]] = u[0, :2]
    du[np.ix_([0, 1], [2])] = 4.0
    return du


def with_out(u: Any) -> Any:
    a, b = np.empty(u.shape), np.zeros_like(u)
    np.multiply(u, 2, out=a)
    np.add(a, u, a)
    np.exp(a, out=b, where=a > 0)
    np.divide(1.0, u, out=b, where=np.array([True, False, True]))
    np.sum(u, axis=0, out=a[0])
    np.clip(b, -1, 1, out=b)
    return a, b


def arrays_of_lists(u: Any) -> Any:
    x, y, z = u[0, :3]
    first = np.array([x * y, -z, 0.0])
    second = np.asarray([[x, y], [1, z]])
    return first, second, np.array(u), np.r_[u[0, -1], u[0], 2.0, 0:2], np.c_[u[0], u[1]]


def full_and_ones(u: Any) -> Any:
    a = np.full(3, u[0, 0])
    b = np.full((2, 3), 1.5)
    b[0] = a
    c = zeros(4)
    c[1:3] = u[1, :2]
    d = np.zeros(3, dtype=int)
    d[1] = 2
    return a, b, c, u[:, d], np.ones(2) * u[:, 0], np.zeros((2, 2)) + np.eye(2)


@pytest.mark.parametrize(
    "f", [heat, heat_of_rows, through_views, by_masks, with_out, arrays_of_lists, full_and_ones]
)
def test_arrays_are_written_to_as_in_numpy(f: Fn) -> None:
    agrees(f, (2, 3))


def _set(a: Any, key: Any, b: Any, mask: Any, u: Any) -> None:
    a[key] = u[0, 1] if b.size == 0 else b.ravel()[-1] * 2


def _add(a: Any, key: Any, b: Any, mask: Any, u: Any) -> None:
    a[key] += 1.5


def _mask(a: Any, key: Any, b: Any, mask: Any, u: Any) -> None:
    a[mask] -= u[1, 2]


def _out(a: Any, key: Any, b: Any, mask: Any, u: Any) -> None:
    np.multiply(a, 0.5, out=a)


STEPS: dict[str, Fn] = {
    "view": lambda a, key, b, mask, u: a[key],
    "turn": lambda a, key, b, mask, u: a.T,
    "set": _set, "add": _add, "mask": _mask, "out": _out,
}  # fmt: skip


@st.composite
def programs(draw: st.DrawFn) -> list[tuple[str, int, Any, int, Any]]:
    """Draw steps on arrays: the first two, and the views that earlier steps have made."""
    steps, shapes = [], [(3, 4), (3, 4)]
    for _ in range(draw(st.integers(1, 8))):
        place, source = (draw(st.integers(0, len(shapes) - 1)) for _ in range(2))
        shape = shapes[place]
        name = draw(st.sampled_from(list(STEPS)))
        key: Any = draw(hnp.basic_indices(shape, allow_ellipsis=True, allow_newaxis=True))
        mask = draw(hnp.arrays(bool, shape))
        made = STEPS[name](np.zeros(shape), key, np.zeros(()), mask, np.zeros((3, 4)))
        if made is None or np.ndim(made):
            steps.append((name, place, key, source, mask))
            shapes += [] if made is None else [np.shape(made)]
    return steps


@given(programs())
@settings(max_examples=60, deadline=None)
def test_random_programs_of_views_and_writes(steps: list[tuple[str, int, Any, int, Any]]) -> None:
    """Arrays, views of views, and writes through any of them, in any order."""

    def program(u: Any) -> Any:
        arrays = [u.copy(), np.zeros((3, 4))]
        for name, place, key, source, mask in steps:
            made = STEPS[name](arrays[place], key, arrays[source], mask, u)
            arrays += [] if made is None else [made]
        return [1.0 * each for each in arrays if each.size]

    agrees(program, (3, 4))


def test_small_ones_too() -> None:
    agrees(heat, (5,))


def test_numbers_and_truth_values_mix_as_in_numpy() -> None:
    agrees(lambda u: (u > 0) * u + (u > 0.5) + 2 * (u < 0) + np.array([True, False]) * u, (2,))
    agrees(lambda u: ((u > 0) + (u < -0.5)) * ((u > 0) * (u < 0.5)) * 1.0, (5,))


def test_an_element_is_assigned_where_a_condition_holds() -> None:
    @rw.jit(optimize_terms=False)
    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        y[x > 0] = 1.0
        y[...] = y + x
        z = x.copy()
        z[:] = 2 * y
        return y, z

    x = np.linspace(-1, 1, 7)
    assert np.array_equal(f(x)[0], (x > 0) + x) and np.array_equal(f(x)[1], 2 * f(x)[0])


# -- the example of the reaction-diffusion equation --------------------------------------------


def brusselator_like(size: int, axis: int = -1) -> tuple[Fn, Fn]:
    """Return the right-hand side of three species on a grid, allocating and in place."""
    Mx = np.diag(np.full(size, -2.0)) + np.eye(size, k=1) + np.eye(size, k=-1)
    Mx[1, 0] = Mx[-2, -1] = 2.0
    My = Mx.T.copy()
    a1 = np.zeros((size, size))
    a1[-(-4 * size // 5) :] = 1.0
    D = 100.0

    def allocating(u: Any) -> Any:
        A, B, C = np.moveaxis(u, axis, 0)
        DA = D * (My @ A + A @ Mx)
        dA = DA + a1 - A - A * B + C
        dB = 1 - B - A * B + C
        dC = 1 - C + A * B - C
        return np.stack([dA, dB, dC], axis=axis)

    MyA, AMx, DA = (np.zeros((size, size)) for _ in range(3))

    def in_place(du: Any, u: Any, p: Any, t: Any) -> None:
        A, B, C = (u[:, :, k] if axis else u[k] for k in range(3))
        dA, dB, dC = (du[:, :, k] if axis else du[k] for k in range(3))
        np.matmul(My, A, out=MyA)
        np.matmul(A, Mx, out=AMx)
        np.add(MyA, AMx, out=DA)
        np.multiply(D, DA, out=DA)
        np.add(DA, a1, out=dA)
        dA -= A + A * B
        dA += C
        dB[...] = 1 - B - A * B + C
        dC[:] = 1 - C + A * B - C

    return allocating, in_place


@pytest.mark.parametrize("axis", [-1, 0])
def test_both_forms_of_a_reaction_diffusion_equation(axis: int) -> None:
    f, g = brusselator_like(6, axis)
    shape = (6, 6, 3) if axis else (3, 6, 6)
    agrees(f, shape)
    u, du = np.random.default_rng(1).random(shape), np.empty(shape)
    with rw.scope():
        traced = rw.trace(g, [shape, shape, None, None], out=["du"])
        (found,) = values(traced, u, 0.0, 0.0)
        assert len(traced.args) == 3
    g(du, u, None, 0.0)
    np.testing.assert_allclose(found, du, rtol=1e-13)
    assert np.array_equal(f(u).round(9), du.round(9))


@pytest.mark.parametrize("form", [0, 1])
def test_its_jacobian_has_as_many_entries_as_published(form: int) -> None:
    f = brusselator_like(32)[form]
    shape = (32, 32, 3)
    arguments = [shape, shape, None, None] if form else [shape]
    with rw.scope():
        traced = rw.trace(f, arguments, out=["du"] if form else [])
        f_of_u, u = traced.result, traced.args[0]
        assert rw.jacobian_sparsity(f_of_u, u).nnz == 13_184
        assert rw.sparse_jacobian(f_of_u, u).nnz == 13_184


def test_terms_grow_with_the_grid_alone() -> None:
    counts = []
    for size in (24, 48):
        with rw.scope() as store:
            rw.trace(brusselator_like(size)[0], [(size, size, 3)])
            counts.append(len(store))
    assert counts[1] < 4.2 * counts[0]


# -- products with matrices of numbers ---------------------------------------------------------


def band(size: int) -> Any:
    return np.diag(np.ones(size - 1), 1) - 2 * np.eye(size)


@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", "coo_array", "dia_array"])
def test_sparse_matrices_multiply_from_both_sides(kind: str) -> None:
    S = getattr(scipy.sparse, kind)(band(3))
    for f in (lambda u: S @ u, lambda u: u.T @ S, lambda u: S.T @ u[:, 0], lambda u: u[:, 1] @ S,
              lambda u: S.dot(u), lambda u: S @ u[:, :1]):  # fmt: skip
        agrees(f, (3, 4))
    if kind == "csc_matrix":
        agrees(lambda u: S * u, (3, 4))
    with pytest.raises(ShapeError, match=r"matmul: shapes \(3, 3\) and \(4,\) do not fit"):
        rw.trace(lambda u: S @ u, [(4,)])


def test_strict_products_keep_the_zeros_of_dense_matrices() -> None:
    M = band(3)
    for math, first in (("strict", "-2.0*u_0 + u_1 + 0.0*u_2"), ("guarded", "-2.0*u_0 + u_1")):
        traced = rw.trace(lambda u: M @ u, [(3,)], math=math)
        assert str(traced.result[0]) == first
    assert str(rw.trace(lambda u: u @ M, [(3,)]).result[1]) == "u_0 + u_1*-2.0"
    S = scipy.sparse.csr_array(M)
    assert str(rw.trace(lambda u: S @ u, [(3,)], math="strict").result[0]) == "-2.0*u_0 + u_1"
    assert str((M @ rw.asarray(rw.symbols("x y z")))[2]) == "0.0*x + 0.0*y + -2.0*z"
    inf = np.array([np.inf, 1.0, 1.0])
    strict = rw.jit(arrays=["u"], math="strict")(lambda u: M @ u)
    guarded = rw.jit(arrays=["u"], optimize_terms=False)(lambda u: M @ u)
    assert np.isnan(strict(inf)[1:]).all() and guarded(inf).tolist() == [-np.inf, -1.0, -2.0]


# -- surroundings ----------------------------------------------------------------------------

CACHE = np.zeros(3)
SCALE = np.array([1.0, 2.0, 3.0])


def shifted(u: Any) -> Any:
    out = np.zeros(3)
    out[1:] = u[:-1]
    return out


def with_a_global_cache(u: Any) -> Any:
    np.multiply(u, SCALE, out=CACHE)
    CACHE[1:] += 1
    np.sin(CACHE, out=CACHE)
    return shifted(CACHE) + CACHE


class Solver:
    """Something that holds its caches."""

    def __init__(self) -> None:
        self.whole = np.zeros((2, 3))
        self.row = self.whole[1]
        self.calls = 0

    @staticmethod
    def half(u: Any) -> Any:
        out = np.zeros(3)
        out[...] = u / 2
        return out

    @property
    def scale(self) -> float:
        return 2.0

    def laplacian(self, u: Any) -> Any:
        self.whole[0, :] = u
        self.row[:] = self.scale * self.whole[0]
        return self.whole.sum(0) + self.half(u)

    def __call__(self, u: Any) -> Any:
        self.calls += 1
        return self.laplacian(u)


def test_caches_around_a_function_are_not_touched() -> None:
    agrees(with_a_global_cache, (3,))
    before = CACHE.copy()
    rw.trace(with_a_global_cache, [(3,)])
    assert np.array_equal(CACHE, before)
    solver = Solver()
    for f in (solver, solver.laplacian, lambda u: solver.laplacian(u), functools.partial(solver)):
        agrees(f, (3,))
    kept = solver.whole.copy(), solver.calls
    rw.trace(solver, [(3,)])
    assert np.array_equal(solver.whole, kept[0]) and solver.calls == kept[1]


def test_caches_in_containers_defaults_and_views() -> None:
    base = np.zeros((2, 4))
    caches: Any = {"a": base[0, ::2], "b": [base[:, :2], None]}

    def f(u: Any, cache: Any = base[1]) -> Any:
        caches["a"][...] = u
        caches["b"][0][1] = 2 * u
        cache[2:] = 3 * u
        return base * 1.0

    agrees(lambda u: f(u), (2,))


class Held(NamedTuple):
    """A tuple with names."""

    cache: Any
    scale: float


class Base(abc.ABC):
    """Something that has to be filled in."""

    def __init__(self) -> None:
        self.held = Held(np.zeros(2), 2.0)
        self.space = types.SimpleNamespace(cache=np.zeros(2))
        self.me = self

    @abc.abstractmethod
    def act(self, u: Any) -> Any: ...

    def __call__(self, u: Any) -> Any:
        return self.act(u) * self.held.scale


class Derived(Base):
    """It fills it in."""

    def act(self, u: Any) -> Any:
        assert super().__call__ is not None
        self.held.cache[:] = u
        self.space.cache[...] = self.held.cache + 1
        return self.me.space.cache * 2


@dataclasses.dataclass(frozen=True)
class Frozen:
    """A model with its caches, as a dataclass."""

    cache: Any = dataclasses.field(default_factory=lambda: np.zeros(2))

    def act(self, u: Any) -> Any:
        np.add(u, 1, out=self.cache)
        return self.cache * 2


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    """A model without a dictionary, with a slot that nothing was written to."""

    cache: Any = dataclasses.field(default_factory=lambda: np.zeros(2))
    inner: Any = None
    unused: Any = dataclasses.field(init=False)

    def __call__(self, u: Any) -> Any:
        np.add(u, 1, out=self.cache)
        return self.cache * 2 if self.inner is None else self.inner(u) + self.cache


class Plain:
    """A class with slots of its own, and one that is private."""

    __slots__ = ("__hidden", "cache")

    def __init__(self) -> None:
        self.cache, self.__hidden = np.zeros(3), np.zeros(3)

    def __call__(self, u: Any) -> Any:
        self.cache[:], self.__hidden[:] = u, 2 * u
        return self.cache + self.__hidden


@pytest.mark.parametrize("make", [Slotted, lambda: Slotted(inner=Slotted())])
def test_objects_with_slots_hold_caches(make: Callable[[], Any]) -> None:
    model = make()
    agrees(model, (2,))
    kept = model.cache.copy()
    rw.trace(lambda u: model(u), [(2,)])
    assert np.array_equal(model.cache, kept)
    plain = Plain()
    agrees(plain, (3,))
    rw.trace(plain.__call__, [(3,)])


def test_objects_of_many_kinds_hold_caches() -> None:
    loop: list[Any] = [np.zeros(2)]
    loop.append(loop)

    def through(u: Any) -> Any:
        loop[0][...] = u
        return loop[0] * 3

    derived = Derived()
    for f in (derived, Frozen().act, through):
        agrees(f, (2,))
    kept = derived.held.cache.copy()
    rw.trace(derived, [(2,)])
    assert np.array_equal(derived.held.cache, kept)


def test_what_is_reached_from_a_function_is_traced_with_it() -> None:
    module = types.ModuleType("a_module_of_helpers")
    exec(inspect.getsource(shifted), module.__dict__ | {"np": np, "Any": Any}, module.__dict__)
    module.__dict__.update(np=np, Any=Any)
    exec(inspect.getsource(shifted), module.__dict__)
    agrees(lambda u: module.shifted(u) * 2, (3,))

    def recursive(u: Any, n: int = 2) -> Any:
        out = np.zeros(3)
        out[:2] = u[1:]
        return recursive(out, n - 1) if n else out

    agrees(lambda u: recursive(u), (3,))

    def imports(u: Any) -> Any:
        import numpy

        out = numpy.zeros(3)
        out[0] = u[0]
        return out

    agrees(imports, (3,))
    inner = rw.jit(arrays=["u"])(shifted)
    found = rw.trace(lambda u: inner(u) * 2, [(3,)])
    assert str(found.result[1]) == "u_0*2" and not inner.kernels


@numba.njit
def compiled(u: Any) -> Any:
    out = np.zeros(3)
    for i in range(1, 3):
        out[i] = u[i] - u[i - 1]
    return out


def test_functions_of_numba_are_traced_as_python() -> None:
    agrees(lambda u: compiled(u) * 2, (3,))
    assert str(rw.trace(compiled, [(3,)]).result[1]) == "u_1 - u_0"


def test_what_is_not_an_array_of_floats_stays_as_it_is() -> None:
    seen: list[Any] = []
    order = np.array([2, 0, 1])

    def f(u: Any) -> Any:
        seen.append(isinstance(SCALE, np.ndarray) and isinstance(np.zeros(2, bool), np.ndarray))
        seen.append(np is not None and np.float64 is type(SCALE[0]) and np.pi > 3)
        return u[order] * SCALE

    agrees(f, (3,))
    assert all(seen) and len(seen) == 4


def test_arrays_of_numbers_are_known() -> None:
    def f(u: Any) -> Any:
        x = np.array([0.0, 1.0, 2.5])
        x += 0.5
        lines = np.zeros((2, 3))
        lines[1] = 1.0
        if x[0] > 0.25 and lines.sum() == 3.0 and (x > 0).all():
            u = u * int(x[1])
        u = u + np.interp(u, x, x**2)
        w = np.sqrt(x)
        w[0] = u[1]  # and may still be written to
        row = lines.reshape(-1)
        row[0] = u[0]  # as a view
        return u[x > 1], np.compress(x > 1, u), w, lines, np.fft.fft(x).real, np.gradient(u, x)

    agrees(f, (3,))
    with pytest.raises(TraceError, match=r"0\.0 < u_0.* is not known"):
        rw.trace(lambda u: u if np.zeros(1)[0] < u[0] else -u, [(1,)])


def test_functions_of_constants_are_numpys() -> None:
    def f(u: Any) -> Any:
        A = np.zeros((3, 3))
        A[0, 1] = A[1, 2] = A[2, 0] = 2.0
        return np.linalg.eigvals(A).real.sum() + np.linalg.matrix_rank(A) * u + A @ u

    agrees(f, (3,))


# -- mistakes --------------------------------------------------------------------------------


def writes_to_argument(u: Any) -> Any:
    u[0] = 1.0
    return u


def writes_to_view(u: Any) -> Any:
    inner = u[1:]
    inner += 1
    return u


def out_of_range(u: Any) -> Any:
    return u[1] + u[5]


def outside_on_writing(u: Any) -> Any:
    du = np.zeros(3)
    du[3] = u[0]
    return du


def misfit(u: Any) -> Any:
    return u + np.ones(4)


def misfit_on_writing(u: Any) -> Any:
    du = np.zeros(3)
    du[:2] = u
    return du


def reads_empty(u: Any) -> Any:
    du = np.empty(3)
    du[:2] = u[:2]
    return du * 2


def reads_one_empty(u: Any) -> Any:
    du = np.empty(3)
    return u[0] + du[1]


def returns_empty(u: Any) -> Any:
    du = np.empty(3)
    du[:2] = u[:2]
    return du


def picks_by_values(u: Any) -> Any:
    return u[u > 0].sum()


def counts_by_values(u: Any) -> Any:
    return np.nonzero(u)


def assigns_by_values(u: Any) -> Any:
    du = np.zeros(3)
    du[u > 0] = u[:2]
    return du


def broadcast_is_read_only(u: Any) -> Any:
    wide = np.broadcast_to(u, (2, 3))
    wide[0] = 1.0
    return wide


def library_cache(u: Any) -> Any:
    box = np.zeros(1, dtype=np.float32)
    box[0] = u[0]
    return box


MISTAKES: list[tuple[Fn, type[RewriteError], str]] = [
    (writes_to_argument, TraceError, r"an argument of the traced function.*u\.copy\(\).*out="),
    (writes_to_view, TraceError, r"a view of one.*u\.copy\(\)"),
    (out_of_range, PlaceError, r"index 5 is out of bounds .* shape \(3,\)"),
    (outside_on_writing, PlaceError, r"index 3 is out of bounds .* shape \(3,\)"),
    (misfit, ShapeError, r"add: arrays of shapes \(3,\) and \(4,\) do not broadcast"),
    (misfit_on_writing, ShapeError, r"shape \(3,\) do not fit into a place of shape \(2,\)"),
    (reads_empty, TraceError, r"1 of 3 elements .* before they are written, the first at \(2,\)"),
    (reads_one_empty, TraceError, r"before they are written"),
    (returns_empty, TraceError, r"leaves 1 of 3 elements of its result .* first at \(2,\)"),
    (picks_by_values, TraceError, r"depends on values.*np\.where"),
    (counts_by_values, TraceError, r"np\.nonzero: where terms are not zero depends on values"),
    (assigns_by_values, TraceError, r"how many values a condition of terms takes"),
    (broadcast_is_read_only, TraceError, r"a broadcast array"),
    (library_cache, NumbersError, r"not one number, and cannot be stored in an array of numbers"),
]


@pytest.mark.parametrize(("f", "error", "message"), MISTAKES, ids=[m[0].__name__ for m in MISTAKES])
def test_mistakes_say_where(f: Fn, error: type[RewriteError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        rw.trace(f, [(3,)])
    if f is not returns_empty:  # which has no line of its own
        lines, first = inspect.getsourcelines(f)
        place = str(caught.value).rpartition("  in ")[2]
        assert place.startswith(f"{f.__name__}, line ")
        number, _, text = place.partition("line ")[2].partition(": ")
        assert lines[int(number) - first].strip() == text


def fills(du: Any, u: Any) -> None:
    du[:] = 2 * u


def fills_some(du: Any, u: Any) -> None:
    du[1:] = u[1:]


def reads_what_it_fills(du: Any, u: Any) -> None:
    du += u


def fills_and_returns(du: Any, u: Any) -> Any:
    du[:] = u
    return u + 1


def test_outputs_are_filled_in() -> None:
    assert str(rw.trace(fills, [(2,), (2,)], out=["du"]).result[1]) == "2*u_1"
    with pytest.raises(TraceError, match=r"leaves 1 of 2 elements of its result"):
        rw.trace(fills_some, [(2,), (2,)], out=["du"])
    with pytest.raises(TraceError, match=r"read before they are written.*\n.*reads_what_it_fills"):
        rw.trace(reads_what_it_fills, [(2,), (2,)], out=["du"])
    with pytest.raises(TraceError, match="in place, and returned"):
        rw.trace(fills_and_returns, [(2,), (2,)], out=["du"])
    with pytest.raises(TraceError, match="has no argument 'dv' to fill in"):
        rw.trace(fills, [(2,), (2,)], out=["dv"])
    with pytest.raises(TraceError, match="'du' is filled in: give the shape of an array"):
        rw.trace(fills, [None, (2,)], out=["du"])
    with pytest.raises(TraceError, match="argument of the traced function"):
        rw.trace(fills, [(2,), (2,)])


def test_unlisted_functions_are_refused_with_the_line() -> None:
    with pytest.raises(UnsupportedOp, match=r"np\.linalg\.svd is not supported.*\n  in <lambda>"):
        rw.trace(lambda u: np.linalg.svd(u), [(3, 3)])
