"""Options, markers and fixtures that every test shares."""

import functools
import importlib.util
import os
import pathlib
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from hypothesis import settings

os.environ["REWRITE_CACHE"] = "0"  # what an earlier run found would hide what this one does

GOLDEN = pathlib.Path(__file__).parent / "golden"

# in CI the same examples every time, so that a change is judged by itself; nightly finds new ones
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.register_profile("nightly", deadline=None, print_blob=True, max_examples=5_000)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rewrite")
    group.addoption("--update-golden", action="store_true", help="write golden texts anew")
    group.addoption(
        "--nightly", action="store_true", help="also tests marked nightly, and many more examples"
    )


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("nightly" if config.getoption("--nightly") else "ci")


@functools.cache
def hurry_simulator() -> None:
    """Let the simulator's threads take short turns, as they wait for each other.

    It looks whether a shared array is there and then makes it, so that two threads may each make
    their own: here that is one step.
    """
    simulator: Any = importlib.import_module("numba.cuda.simulator.kernelapi")
    lock = threading.Lock()

    def array(self: Any, shape: Any, dtype: Any) -> Any:
        caller = sys._getframe(1)
        place = caller.f_code.co_filename, caller.f_lineno
        is_numba = isinstance(dtype, simulator.types.Type)
        kind = simulator.numpy_support.as_dtype(dtype) if is_numba else dtype
        with lock:
            if place not in self._allocations:
                self._allocations[place] = np.empty(shape, kind)
            return self._allocations[place]

    simulator.FakeCUDAShared.array = array
    sys.setswitchinterval(1e-5)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("nightly") and not item.config.getoption("--nightly"):
        pytest.skip("nightly: run with --nightly")
    needed = {feature for marker in item.iter_markers("isa") for feature in marker.args}
    if missing := sorted(needed - host_features()):
        pytest.skip(f"this CPU lacks {', '.join(missing)}")
    if item.get_closest_marker("cuda"):
        if reason := no_cuda():
            pytest.skip(reason)
        if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") == "1":
            hurry_simulator()
    if item.get_closest_marker("nvvm") and (reason := no_nvvm()):
        pytest.skip(reason)


@functools.cache
def host_features() -> frozenset[str]:
    features = llvm.get_host_cpu_features()
    return frozenset(name for name, present in features.items() if present)


@functools.cache
def no_cuda() -> str | None:
    if importlib.util.find_spec("numba_cuda") is None:
        return "numba-cuda is not installed (the cuda extra, with NumPy below 2.5)"
    from numba import cuda  # imported late: most runs have no such test

    if cuda.is_available():
        return None
    return "Numba sees no CUDA device; NUMBA_ENABLE_CUDASIM=1 runs its simulator"


@functools.cache
def no_nvvm() -> str | None:
    if importlib.util.find_spec("numba_cuda") is None:
        return "numba-cuda is not installed (the cuda extra, with NumPy below 2.5)"
    simulated = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") == "1"
    return "there is no NVVM under Numba's CUDA simulator" if simulated else None


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Compare a text with tests/golden/<test file>/<test name>.txt; --update-golden writes it."""
    name = re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")
    path = GOLDEN / request.path.stem / f"{name}.txt"

    def compare(text: str) -> None:
        text = text.rstrip("\n") + "\n"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        if not path.is_file():
            pytest.fail(f"no golden text {path}; run with --update-golden and read what it wrote")
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt: a shell starts what runs in the background with that turned off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
