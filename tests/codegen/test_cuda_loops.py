"""Programs of loops on a device, or on Numba's simulator: layouts, tables, sparse results."""

import pickle
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from codegen.cuda.kernel import CudaKernel, ptx_text
from codegen.cuda.loops import staged
from codegen.cuda.rolled import planned
from codegen.cuda.sparse import DeviceMatrix
from codegen.loops.program import Rolled
from codegen.program import Program
from rewrite.errors import ArgumentError

SPECIES, REACTIONS = 40, 400


def network(species: int = SPECIES, reactions: int = REACTIONS, **options: Any) -> Any:
    """Compile right-hand sides of reactions A + B -> C."""
    rng = np.random.default_rng(0)
    a, b, c = np.sort(rng.integers(0, species, (3, reactions)))
    b, c = rng.permutation(b), rng.permutation(c)
    rates = rng.uniform(0.5, 2, reactions)
    u = rw.asarray([rw.symbol(f"u{k}") for k in range(species)])
    flux = rates * u[a] * u[b]
    change = [0.0 * u[0]] * species
    for k in range(reactions):
        change[a[k]], change[b[k]] = change[a[k]] - flux[k], change[b[k]] - flux[k]
        change[c[k]] = change[c[k]] + flux[k]
    return rw.compile([u], change, optimize_terms=False, **options)


@pytest.fixture(scope="module")
def on_cpu() -> Any:
    kernel = network(batch_axis=-1)
    assert isinstance(kernel.program, Rolled)
    return kernel


@pytest.fixture(scope="module")
def on_device(on_cpu: Any) -> Any:
    made = network(batch_axis=-1, target="cuda")
    assert isinstance(made, CudaKernel) and isinstance(made.program, Rolled)
    return made


@pytest.mark.cuda
def test_states_are_computed_where_they_lie(on_cpu: Any, on_device: Any, box: Any) -> None:
    states = np.random.default_rng(1).uniform(size=(SPECIES, 7))
    np.testing.assert_array_equal(on_device(states), on_cpu(states))
    for given in (states, states[:, ::2], states[:, ::-1], np.asfortranarray(states)):
        made = on_device(box(given))
        assert type(made) is box
        np.testing.assert_array_equal(made.numpy(), on_cpu(given))
    one = states[:, 0]
    np.testing.assert_array_equal(on_device(one), on_cpu(one))
    grid = states[:, :6].reshape(SPECIES, 2, 3)
    np.testing.assert_array_equal(on_device(grid), on_cpu(grid))


@pytest.mark.cuda
def test_one_state_after_the_other(on_cpu: Any) -> None:
    kernel = network(target="cuda")
    states = np.random.default_rng(1).uniform(size=(5, SPECIES))
    np.testing.assert_array_equal(kernel(states), on_cpu(states.T.copy()).T)
    assert kernel(np.empty((0, SPECIES))).shape == (0, SPECIES)


def stencil(n: int, target: str) -> Any:
    u, k = rw.asarray([rw.symbol(f"u{j}") for j in range(n * n)]).reshape(n, n), rw.symbol("k")
    around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
    inner = u[1:-1, 1:-1]
    step = inner + k * around + rw.exp(-inner) * (1 - inner) * (inner - 0.3)
    return rw.compile([u, k], {"next": step, "top": u[0]}, target=target, optimize_terms=False)


@pytest.mark.cuda
@pytest.mark.isa("fma")
def test_arrays_of_two_axes_with_any_strides(box: Any) -> None:
    kernel, cpu = stencil(14, "cuda"), stencil(14, "native")
    assert isinstance(kernel.program, Rolled)
    whole = np.random.default_rng(2).uniform(size=(3, 14, 20))
    for u in (whole[..., :14], np.ascontiguousarray(whole[..., 3:17]), whole[1, :, 5:19]):
        for k in (0.25, np.linspace(0, 1, 3) if u.ndim == 3 else 0.5):
            given = box(k) if np.ndim(k) else k
            made, wanted = kernel(box(u), given), cpu(u, k)
            for name in wanted:
                np.testing.assert_array_equal(made[name].numpy(), wanted[name])


@pytest.mark.cuda
def test_kernels_of_loops_are_pickled_and_compared(on_device: Any) -> None:
    again = pickle.loads(pickle.dumps(on_device))
    assert again == on_device and hash(again) == hash(on_device)
    states = np.random.default_rng(3).uniform(size=(SPECIES, 3))
    np.testing.assert_array_equal(again(states), on_device(states))
    assert "def part0(" in on_device.source


@pytest.mark.cuda
def test_room_for_work_cells_is_looked_for(box: Any, monkeypatch: Any) -> None:
    """Fewer states at a time where memory is short; no launch where there is none."""
    from numba import cuda

    u = rw.asarray([rw.symbol(f"u{k}") for k in range(60)])
    inner = rw.exp(u) + rw.sin(u)  # what the sums share are work cells
    sums = [inner @ np.random.default_rng(k).uniform(size=60) for k in range(40)]
    kernel = rw.compile([u], sums, optimize_terms=False, target="cuda")
    assert isinstance(kernel.program, Rolled) and kernel.loops.program.work
    states = np.random.default_rng(1).uniform(size=(6, 60))
    wanted = rw.compile([u], sums, optimize_terms=False)(states)
    held = box(states)
    kernel(held)  # the tables are there
    kernel.loops._work.clear()
    size = 8 * kernel.loops.program.work

    def memory(free: float) -> Any:
        context = type("Context", (), {"get_memory_info": lambda self: (free, 2.0**30)})
        monkeypatch.setattr(cuda, "current_context", context)

    memory(40 * 8 + 10)
    with pytest.raises(ArgumentError, match="room for work cells"):
        kernel(box(states[0]))
    memory(8.0 * size)
    np.testing.assert_array_equal(kernel(held).numpy(), wanted)


def test_threads_are_laid_out_by_cost() -> None:
    """Many states fill a device by themselves; of few, all share the instances of each."""
    stages = staged(network(4 * SPECIES, 4 * REACTIONS).program).stages
    machine: dict[str, Any] = {"threads": 256, "resident": 132 * 1024}
    many = planned(stages, 10**5, **machine, by_states=True)
    assert many.lanes >= 32 and not many.apart and many.columns <= machine["resident"] // 256
    rows = planned(stages, 10**5, **machine, by_states=False)
    assert rows.lanes < 32 and not rows.apart
    large = staged(network(2000, 30_000).program).stages
    assert planned(large, 1, **machine, by_states=True) == (1, 1, True)
    assert planned(large, 1, **machine, by_states=True, room=0) == (1, 1, False)


SYMBOLS = rw.asarray(rw.symbols("a b c"))
FIELD = [SYMBOLS[0] * SYMBOLS[1], SYMBOLS[1] ** 2 + rw.sin(SYMBOLS[2]), SYMBOLS[2] * 3]


@pytest.mark.cuda
@pytest.mark.isa("fma")
@pytest.mark.parametrize("form", ["csr", "csc"])
def test_sparse_jacobians(form: Any, box: Any) -> None:
    exprs = {"f": FIELD, "jac": rw.sparse_jacobian(FIELD, SYMBOLS, format=form)}
    kernel, cpu = rw.compile([SYMBOLS], exprs, target="cuda"), rw.compile([SYMBOLS], exprs)
    point = np.array([1.0, 2.0, 3.0])
    wanted = cpu(point)
    made, there = kernel(point), kernel(box(point))
    np.testing.assert_array_equal(made["jac"].toarray(), wanted["jac"].toarray())
    assert made["jac"].format == form and type(there["f"]) is box
    matrix = there["jac"]
    assert isinstance(matrix, DeviceMatrix) and matrix[3:] == ((3, 3), form)
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(matrix, part).numpy(), getattr(wanted["jac"], part))
    assert kernel(box(point))["jac"].indices is matrix.indices  # copied to the device once
    batch = np.stack([point, point + 1])
    np.testing.assert_array_equal(kernel(batch)["jac"], cpu(batch)["jac"])
    again = pickle.loads(pickle.dumps(kernel))
    assert again == kernel
    np.testing.assert_array_equal(again(point)["jac"].toarray(), wanted["jac"].toarray())


@pytest.mark.cuda
def test_sparse_results_are_filled_in_place(box: Any) -> None:
    jac = rw.sparse_jacobian(FIELD, SYMBOLS)
    kernel = rw.compile([SYMBOLS], jac, target="cuda")
    point = np.array([1.0, 2.0, 3.0])
    matrix, there = kernel(point), kernel(box(point))
    assert kernel(2 * point, out=matrix) is matrix and matrix[1, 1] == 8.0
    assert kernel(box(2 * point), out=there) is there and there.data.numpy()[2] == 8.0
    values = box(np.zeros(5))
    assert kernel(box(point), out=values) is values and values.numpy()[2] == 4.0
    with pytest.raises(ArgumentError, match=r"csr"):
        kernel(point, out=matrix.tocsc())


@pytest.mark.cuda
def test_matrices_without_entries(box: Any) -> None:
    x, y = rw.symbols("x y")
    kernel = rw.compile([x], rw.sparse_jacobian([x + 1, x * x], [y]), target="cuda")
    assert kernel(1.5).shape == (2, 1) and kernel(1.5).nnz == 0
    made = kernel(box(np.array(1.5)))
    assert isinstance(made, DeviceMatrix) and made.data.shape == (0,)


@pytest.mark.nvvm
def test_loops_are_one_kernel_that_contracts_nothing(on_cpu: Any) -> None:
    text = on_cpu.assembly("cuda")
    assert text.count(".visible .entry") == 1 and ".func" not in text
    assert "mul.rn.f64" in text and "fma.rn" not in text and "bar.sync" in text
    assert len(text) < 60_000  # whatever the number of reactions
    assert ".target sm_80" in ptx_text(on_cpu.program, "f32", (8, 0))


def test_small_programs_stay_straight_on_a_gpu() -> None:
    kernel = network(6, 20)
    assert isinstance(kernel.program, Program)
