"""Without a GPU: one error that names what is missing; and machines that have little installed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from codegen.cuda import runtime
from codegen.cuda.arrays import is_on_device
from codegen.cuda.kernel import CudaKernel
from codegen.kernel import Kernel
from codegen.target import get
from rewrite.errors import TargetError

x, y = rw.symbols("x y")
ROOT = Path(__file__).parents[2]
INSTALLED = importlib.util.find_spec("numba_cuda") is not None


@pytest.fixture
def nothing(monkeypatch: Any) -> None:
    """Say that there is no GPU, whatever there is."""
    if runtime.missing() is None:
        monkeypatch.setattr(runtime, "missing", lambda: "target 'cuda' cannot run here: no driver")


@pytest.mark.usefixtures("nothing")
def test_one_error_at_compile_names_what_is_missing() -> None:
    with pytest.raises(TargetError, match=r"numba-cuda|driver") as failure:
        rw.compile([x], x * x, target="cuda")
    assert "target='auto'" in str(failure.value) and "assembly('cuda')" in str(failure.value)


@pytest.mark.skipif(INSTALLED, reason="numba-cuda is installed")
def test_the_package_is_named_where_it_is_missing() -> None:
    with pytest.raises(TargetError, match=r"needs the package numba-cuda.*pip install"):
        rw.compile([x], x * x, target="cuda")
    with pytest.raises(TargetError, match="numba-cuda"):
        rw.compile([x], x * x).assembly("cuda")


@pytest.mark.nvvm
def test_the_driver_is_named_where_it_is_missing() -> None:
    if runtime.missing() is None:
        pytest.skip("there is a GPU")
    assert "no NVIDIA driver" in str(runtime.missing()) or "no GPU" in str(runtime.missing())


@pytest.mark.usefixtures("nothing")
def test_auto_says_that_it_uses_the_cpu() -> None:
    found = rw.compile([x], x * x + 1, target="auto")
    assert "runs on the CPU" in repr(found)
    assert any("runs on the CPU" in note for note in found.report.notes)
    assert found(np.ones(2)).tolist() == [2.0, 2.0]
    assert found.terms == found.host.terms


@pytest.mark.usefixtures("nothing")
def test_auto_folds_on_the_cpu() -> None:
    found = rw.compile([x, y], {"a": x * y, "b": x + y}, target="auto")
    a = np.arange(1.0, 7.0)
    assert found.reduce("sum", a, 2.0) == {"a": 42.0, "b": 33.0}
    assert found.reduce("max", a.reshape(2, 3), 2.0, axis=-1)["a"].tolist() == [6.0, 12.0]
    assert found.reduce("sum", a, 2.0, bounds=[0, 2, 2, 6])["a"].tolist() == [6.0, 0.0, 36.0]
    single = rw.compile([x], x * x, target="auto")
    assert single.reduce("min", a) == 1.0
    with pytest.raises(rw.RewriteError, match="no reduction 'mean'"):
        single.reduce("mean", a)


def test_terms_are_optimised_for_a_gpu_without_one() -> None:
    best = rw.optimize(x / y + x, target="cuda")
    assert best.model.name == "cuda-sm90/f64" and best.cost_after <= best.cost_before
    assert get("cuda-sm80").capability == (8, 0)
    with pytest.raises(TargetError, match="is a GPU"):
        get("cuda").require_host()


@pytest.mark.parametrize("value", [1.0, 3, True, None, "x", np.ones(3), np.float32(1), [1.0]])
def test_what_is_not_on_a_device_is_known(value: Any) -> None:
    assert not is_on_device(value)


BARE = """
import importlib.abc, pickle, sys

ALLOWED = {"numba", "numba_cuda", "llvmlite", "numpy", "rewrite", "strategies", "codegen", "cuda"}
REFUSED = {"egglog", "sympy", "flint", "highspy", "scipy", "mpmath", "tqdm", "platformdirs"}

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"{name} is not installed here", name=name)

sys.meta_path.insert(0, Refuse())
import numpy as np

with open(sys.argv[1], "rb") as file:
    kernel, args = pickle.load(file)
print(kernel(*args).tolist())
print(type(kernel.program).__name__)
print(kernel.terms)
"""


def bare(kernel: Kernel | CudaKernel, args: tuple[Any, ...], folder: Path) -> None:
    """Load a kernel where only Numba and NumPy can be imported: it computes what it does here."""
    import pickle

    wanted = kernel(*args).tolist()
    (folder / "kernel").write_bytes(pickle.dumps((kernel, args)))
    done = subprocess.run(
        [sys.executable, "-c", BARE, folder / "kernel"], capture_output=True, text=True,
        check=False, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = [str(wanted), type(kernel.program).__name__, str(kernel.terms)]
    assert done.stdout.splitlines() == shown


def sums(**options: Any) -> Any:
    """Compile a program of loops."""
    u = rw.asarray([rw.symbol(f"u{k}") for k in range(60)])
    inner = rw.exp(u) * u
    terms = [inner @ np.random.default_rng(k).uniform(size=60) for k in range(40)]
    return rw.compile([u], terms, optimize_terms=False, **options)


POINTS = np.arange(4.0), np.array([1, 2, 3, 4])
STATES = np.linspace(0, 1, 120).reshape(2, 60)


def test_optimised_kernels_run_where_little_is_installed(tmp_path: Path) -> None:
    bare(rw.compile([x, y], rw.exp(-x) * y + rw.sin(x)), POINTS, tmp_path)
    kernel = sums()
    assert type(kernel.program).__name__ == "Rolled"
    bare(kernel, (STATES,), tmp_path)


@pytest.mark.cuda
def test_optimised_cuda_kernels_run_where_little_is_installed(tmp_path: Path) -> None:
    bare(rw.compile([x, y], rw.exp(-x) * y + rw.sin(x), target="cuda"), POINTS, tmp_path)
    bare(sums(target="cuda"), (STATES,), tmp_path)
