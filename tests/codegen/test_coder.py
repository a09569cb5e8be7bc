"""The thread in which LLVM works: order, errors, forks, and the end of a process."""

import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from codegen import coder
from codegen.loops.program import Rolled


def network(seed: int) -> tuple[Any, Any]:
    """Return symbols, and enough irregular terms of them for a program of loops."""
    x = rw.asarray([rw.symbol(f"x{k}") for k in range(60)])
    picks = np.random.default_rng(seed).integers(0, 60, (3, 900))
    return x, (x[picks[0]] * x[picks[1]] - x[picks[2]]).reshape(60, 15).sum(-1)


def compiled(seed: int) -> Any:
    x, terms = network(seed)
    kernel = rw.compile([x], terms, optimize_terms=False)
    assert isinstance(kernel.program, Rolled)
    return kernel


def test_jobs_are_done_in_order_and_few_wait() -> None:
    gate, done = threading.Event(), list[int]()
    first = coder.begin(gate.wait)
    jobs = [coder.begin(lambda k=k: done.append(k)) for k in range(coder.MOST - 1)]  # type: ignore[misc]
    threading.Timer(0.05, gate.set).start()
    last = coder.begin(lambda: len(done))  # waits for the first one
    assert first.done()
    assert last.result() == coder.MOST - 1 == len(jobs)
    assert done == list(range(coder.MOST - 1))


def test_a_job_that_fails_fails_where_it_is_waited_for() -> None:
    def fails() -> None:
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        coder.begin(fails).result()
    assert coder.begin(lambda: 1).result() == 1


def test_what_is_made_once_is_made_by_one_thread_and_again_where_that_failed() -> None:
    gate, made = threading.Event(), list[int]()

    @coder.once
    def maker(number: int, *, scale: int = 1) -> list[int]:
        made.append(number)
        gate.wait()
        if len(made) == 1:
            raise MemoryError("no room")
        return [scale * number]

    failed = coder.begin(lambda: maker(3, scale=2))
    gate.set()
    assert isinstance(failed.exception(), MemoryError)
    gate.clear()
    pending = [coder.begin(lambda: maker(3, scale=2)) for _ in range(2)]
    threading.Timer(0.05, gate.set).start()
    assert maker(3, scale=2) is pending[0].result() is pending[1].result()
    assert maker(3) == [3] and made == [3, 3, 3]
    maker.clear()
    assert maker(3) == [3] and made == [3] * 4


def test_kernels_may_be_dropped_and_called_in_any_order() -> None:
    u = np.linspace(0.5, 1.5, 60)
    kernels: list[Any] = [compiled(seed) for seed in range(4)]
    expected = [
        rw.evaluate(network(seed)[1], {f"x{k}": u[k] for k in range(60)}) for seed in (3, 1)
    ]
    kernels[0] = kernels[2] = None
    for kernel, values in zip((kernels[3], kernels[1]), expected, strict=True):
        assert np.allclose(kernel(u), np.ravel(values), rtol=1e-12)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_has_what_was_begun_and_begins_anew() -> None:
    u = np.linspace(0.5, 1.5, 60)
    kernel = compiled(5)  # its code is being made
    child = os.fork()
    if child == 0:
        again = compiled(6)
        right = np.isfinite(kernel(u)).all() and np.isfinite(again(u)).all()
        os._exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert np.isfinite(kernel(u)).all()


ENDING = """
import atexit
import numpy as np, rewrite as rw

def network(seed):
    x = rw.asarray([rw.symbol(f"x{k}") for k in range(60)])
    picks = np.random.default_rng(seed).integers(0, 60, (3, 900))
    terms = (x[picks[0]] * x[picks[1]] - x[picks[2]]).reshape(60, 15).sum(-1)
    return rw.compile([x], terms, optimize_terms=False)

@atexit.register
def last():
    print(np.isfinite(network(1)(np.ones(60))).all())

network(0)
"""


def test_code_is_made_at_the_end_of_a_process_too() -> None:
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)
