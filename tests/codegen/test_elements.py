"""Energies over elements: sums, gradients and Hessians against differences and a plain loop."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse

import rewrite as rw
from codegen.calculus.elements import BLOCK
from codegen.loops.program import Rolled
from rewrite.errors import ArgumentError


def membrane(x: Any, mu: Any = 1.0) -> Any:
    """A hyperelastic triangle: it has a reference area of 1/2."""
    a, b = x[1] - x[0], x[2] - x[0]
    j = a[0] * b[1] - a[1] * b[0]
    return mu * ((a * a).sum() + (b * b).sum()) / 2 - np.log(j) + (j - 1) ** 2


def grid(n: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return points and triangles of a square of n x n cells, moved a little."""
    rng = np.random.default_rng(0)
    i, j = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    points = np.stack([i, j], -1).reshape(-1, 2) + 0.1 * rng.uniform(-1, 1, ((n + 1) ** 2, 2))
    at = (i * (n + 1) + j)[:-1, :-1].reshape(-1)
    lower = np.stack([at, at + n + 1, at + 1], -1)
    upper = np.stack([at + n + 2, at + 1, at + n + 1], -1)
    return points, np.concatenate([lower, upper])


def by_loop(points: Any, triangles: Any, mu: Any = 1.0) -> float:
    return sum(
        float(membrane(points[t], np.broadcast_to(mu, len(triangles))[k]))
        for k, t in enumerate(triangles)
    )


def test_values_and_derivatives_are_those_of_a_plain_loop() -> None:
    points, triangles = grid(4)
    made = rw.element_kernel(membrane, over=triangles)(points)
    assert made.value == pytest.approx(by_loop(points, triangles), rel=1e-13)
    assert made.gradient.shape == points.shape
    assert made.hessian.format == "csr"
    assert made.hessian.has_sorted_indices
    h, size = 1e-5, points.size
    matrix = made.hessian.toarray()
    np.testing.assert_array_equal(matrix, matrix.T)
    slope = rw.element_kernel(membrane, over=triangles, order=1)
    for k in range(0, size, 7):
        step = np.zeros(size)
        step[k] = h
        up, down = points + step.reshape(points.shape), points - step.reshape(points.shape)
        difference = (by_loop(up, triangles) - by_loop(down, triangles)) / (2 * h)
        assert made.gradient.ravel()[k] == pytest.approx(difference, abs=1e-8)
        column = (slope(up).gradient - slope(down).gradient).ravel() / (2 * h)
        np.testing.assert_allclose(matrix[:, k], column, atol=1e-7)


def test_more_than_a_block_of_elements_with_parameters() -> None:
    points, triangles = grid(30)
    assert len(triangles) > BLOCK
    mu = np.random.default_rng(1).uniform(0.5, 2, len(triangles))
    kernel = rw.element_kernel(membrane, over=triangles)
    made = kernel(points, mu)
    assert made.value == pytest.approx(by_loop(points, triangles, mu), rel=1e-12)
    same = kernel(points, 1.5)
    assert same.value == pytest.approx(by_loop(points, triangles, 1.5), rel=1e-12)
    # a sum over any part of the elements is the sum of its parts
    cut = slice(0, 700), slice(700, None)
    pieces = [rw.element_kernel(membrane, over=triangles[s])(points, mu[s]) for s in cut]
    np.testing.assert_allclose(sum(p.gradient for p in pieces), made.gradient, atol=1e-11)
    difference = pieces[0].hessian + pieces[1].hessian - made.hessian
    assert abs(difference).max() < 1e-10


def test_results_are_filled_in_place() -> None:
    points, triangles = grid(3)
    kernel = rw.element_kernel(membrane, over=triangles)
    first = kernel(points)
    moved = points * 1.01
    expected = kernel(moved)
    data = first.hessian.data
    again = kernel(moved, out=first)
    assert again.hessian is first.hessian
    assert first.hessian.data is data
    np.testing.assert_array_equal(again.gradient, expected.gradient)
    np.testing.assert_array_equal(data, expected.hessian.data)
    with pytest.raises(ArgumentError, match="no float64 gradient of shape"):
        kernel(points, out=first._replace(gradient=np.zeros(3)))
    other = scipy.sparse.csr_array(np.eye(points.size))
    with pytest.raises(ArgumentError, match="has another pattern"):
        kernel(points, out=first._replace(hessian=other))


def test_points_may_be_numbers_and_orders_lower() -> None:
    springs = [[0, 1], [1, 2], [2, 3], [0, 3]]

    def spring(x: Any, k: Any) -> Any:
        return k[0] * (x[1] - x[0]) ** 2 + k[1] * x[0]

    x = np.array([0.0, 1.0, 3.0, 7.0])
    k = np.array([[1.0, 0], [2, 1], [3, 0], [0.5, 2]])
    made = [rw.element_kernel(spring, over=springs, order=n)(x, k) for n in (0, 1, 2)]
    value = 1 + 2 * 4 + 1 + 3 * 16 + 0.5 * 49
    assert [m.value for m in made] == [value] * 3
    assert made[0].gradient is None
    assert made[1].hessian is None
    np.testing.assert_allclose(made[2].gradient, [-2 - 7 + 2, 2 - 8 + 1, 8 - 24, 24 + 7])


def test_a_constant_energy_has_no_slope() -> None:
    made = rw.element_kernel(lambda x: 0 * x[0] + 2, over=[[0, 1], [1, 2]])(np.ones(3))
    assert made.value == 4
    assert not made.gradient.any()
    assert not made.hessian.data.any()


@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_mesh_may_have_no_elements(order: Any) -> None:
    kernel = rw.element_kernel(membrane, over=np.zeros((0, 3), int), order=order)
    for points in (np.ones((4, 2)), np.ones((0, 2))):
        made = kernel(points, np.zeros(0))
        assert made.value == 0
        if order:
            np.testing.assert_array_equal(made.gradient, np.zeros_like(points))
        if order == 2:
            assert made.hessian.shape == (points.size,) * 2
            assert made.hessian.nnz == 0


def solid(x: Any, k: Any) -> Any:
    """A tetrahedron, which resists changes of its volume and of its edges."""
    a, b, c = x[1] - x[0], x[2] - x[0], x[3] - x[0]
    volume = (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        - a[1] * (b[0] * c[2] - b[2] * c[0])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )
    return k * (volume - 1) ** 2 + (a @ a) * (b @ b) + np.sin(c @ c)


@pytest.mark.parametrize(
    "over",
    [[[0, 1, 2, 3], [1, 2, 3, 4], [4, 2, 5, 0]], [[0, 1, 1, 3], [2, 2, 2, 2]], [[5, 0, 3, 2]]],
)
def test_tetrahedra_may_repeat_points_and_leave_some_out(over: Any) -> None:
    rng = np.random.default_rng(1)
    points, stiffness = rng.uniform(size=(6, 3)), rng.uniform(1, 2, len(over))
    kernel = rw.element_kernel(solid, over=over)
    made = kernel(points, stiffness)
    each = [solid(points[row], k) for row, k in zip(over, stiffness, strict=True)]
    np.testing.assert_allclose(made.value, sum(each), rtol=1e-13)
    step = 1e-5
    for _ in range(3):
        along = rng.uniform(-1, 1, points.shape)
        up, down = (kernel(points + sign * step * along, stiffness) for sign in (1, -1))
        slope = (up.value - down.value) / (2 * step)
        np.testing.assert_allclose((made.gradient * along).sum(), slope, rtol=1e-7, atol=1e-8)
        change = (up.gradient - down.gradient).ravel() / (2 * step)
        np.testing.assert_allclose(made.hessian @ along.ravel(), change, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rw.element_kernel(membrane, over=[0, 1]), "give a row of point indices"),
        (lambda: rw.element_kernel(membrane, over=[[0.5, 1]]), "as integers"),
        (lambda: rw.element_kernel(membrane, over=[[0, 1], [2, -1]]), "element 1 .* negative"),
        (lambda: rw.element_kernel(membrane, over=[[0, 1], [2]]), "rows of different lengths"),
        (lambda: rw.element_kernel(membrane, over=[[0, 1]], order=3), "order=3 is none of"),  # type: ignore[arg-type]
        (lambda: rw.element_kernel(membrane, over=[[0, 1]], order=True), "order=True is none of"),  # type: ignore[arg-type]
        (lambda: rw.element_kernel(3, over=[[0, 1]]), "the energy is 3, which is no function"),  # type: ignore[arg-type]
        (
            lambda: rw.element_kernel(membrane, over=[[0, 1, 9]])(np.ones((4, 2))),
            r"element 0 has the points \[0, 1, 9\], but there are only 4",
        ),
        (
            lambda: rw.element_kernel(membrane, over=[[0, 1, 2]])(np.ones((4, 2)), np.ones(3)),
            "parameter 1 has 3 entries, there are 1 elements",
        ),
        (
            lambda: rw.element_kernel(lambda x: x, over=[[0, 1]])(np.ones(3)),
            r"the energy has shape \(2,\)",
        ),
        (
            lambda: rw.element_kernel(membrane, over=[[0, 1, 2]])(np.ones((4, 2, 2))),
            r"the points have shape \(4, 2, 2\)",
        ),
    ],
)
def test_mistakes_are_named(call: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call()


def test_a_gradient_that_cannot_be_filled_in_place_is_refused() -> None:
    springs = rw.element_kernel(lambda x: ((x[1] - x[0]) ** 2).sum(), over=[[0, 1], [1, 2]])
    points = np.arange(6.0).reshape(3, 2)
    made = springs(points)._replace(gradient=np.zeros((2, 3)).T)
    with pytest.raises(ArgumentError, match="not C-contiguous"):
        springs(points, out=made)


def test_complex_numbers_are_refused() -> None:
    springs = rw.element_kernel(lambda x, k: k * (x[1] - x[0]) ** 2, over=[[0, 1]])
    with pytest.raises(ArgumentError, match="the points: complex128 is not supported"):
        springs(np.array([0, 1j]), 1.0)
    with pytest.raises(ArgumentError, match="parameter 1: complex128 is not supported"):
        springs(np.array([0.0, 1.0]), 1j)


@pytest.mark.cuda
@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_gpu_sums_what_the_cpu_sums(order: Any, box: Any) -> None:
    points, triangles = grid(3)
    mu = np.random.default_rng(1).uniform(0.5, 2, len(triangles))
    wanted = rw.element_kernel(membrane, over=triangles, order=order)(points, mu)
    kernel = rw.element_kernel(membrane, over=triangles, order=order, target="cuda")
    made, there = kernel(points, mu), kernel(box(points), box(mu))
    assert made.value == pytest.approx(wanted.value, rel=1e-13)
    assert there.value.numpy() == pytest.approx(wanted.value, rel=1e-13)
    if order:
        np.testing.assert_allclose(made.gradient, wanted.gradient, atol=1e-12)
        np.testing.assert_allclose(there.gradient.numpy(), wanted.gradient, atol=1e-12)
    if order == 2:
        np.testing.assert_allclose(made.hessian.toarray(), wanted.hessian.toarray(), atol=1e-12)
        parts = (part.numpy() for part in there.hessian[:3])
        matrix = scipy.sparse.csr_array(tuple(parts), shape=there.hessian.shape)
        np.testing.assert_allclose(matrix.toarray(), wanted.hessian.toarray(), atol=1e-12)


@pytest.mark.cuda
def test_auto_sums_where_the_points_are(box: Any) -> None:
    kernel = rw.element_kernel(
        lambda x, k: k * (x[1] - x[0]) ** 2, over=[[0, 1], [1, 2]], target="auto"
    )
    points = np.array([0.0, 1.0, 3.0])
    here, there = kernel(points, 2.0), kernel(box(points), 2.0, stream=None)
    assert type(here.value) is float and type(there.gradient) is box
    assert here.value == there.value.numpy() == 10.0
    np.testing.assert_array_equal(there.gradient.numpy(), here.gradient)
    np.testing.assert_array_equal(there.hessian.data.numpy(), here.hessian.data)


@pytest.mark.cuda
def test_a_large_element_of_a_gpu_is_straight_line_code(box: Any) -> None:
    """Whose Hessian would be a program of loops on a CPU."""
    over = np.arange(24).reshape(1, 24)

    def energy(x: Any) -> Any:
        apart = x[:, None] - x[None, :]
        return (np.exp(-(apart**2)) * apart**2).sum()

    kernel = rw.element_kernel(energy, over=over, target="cuda", optimize_terms=False)
    points = np.random.default_rng(0).normal(size=24)
    cpu = rw.element_kernel(energy, over=over, optimize_terms=False)
    wanted, made = cpu(points), kernel(points)
    assert isinstance(next(iter(cpu.kernels.values())).program, Rolled)
    assert made.value == pytest.approx(wanted.value, rel=1e-12)
    np.testing.assert_allclose(made.hessian.toarray(), wanted.hessian.toarray(), atol=1e-11)


@pytest.mark.cuda
def test_results_beyond_the_memory_are_refused(monkeypatch: Any) -> None:
    from numba import cuda

    kernel = rw.element_kernel(lambda x: (x[1] - x[0]) ** 2, over=[[0, 1], [1, 2]], target="cuda")
    points = np.array([0.0, 1.0, 3.0])
    context = type("Context", (), {"get_memory_info": lambda self: (40.0, 2.0**30)})
    with monkeypatch.context() as patch:
        patch.setattr(cuda, "current_context", context)
        with pytest.raises(ArgumentError, match="the Hessian's values of shape"):
            kernel(points)
    assert kernel(points).value == 5.0


@pytest.mark.cuda
def test_a_gpu_takes_points_of_one_coordinate_and_numbers(box: Any) -> None:
    kernel = rw.element_kernel(
        lambda x, k: k * (x[1] - x[0]) ** 2, over=[[0, 1], [1, 2]], target="cuda"
    )
    made = kernel(np.array([0.0, 1.0, 3.0]), 2.0)
    assert made.value == 10.0 and made.gradient.tolist() == [-4.0, -4.0, 8.0]
    with pytest.raises(ArgumentError, match="C-contiguous array of float64"):
        kernel(box(np.zeros(3, np.float32)), 2.0)
    with pytest.raises(ArgumentError, match="but there are only 2"):
        kernel(box(np.zeros(2)), 2.0)
