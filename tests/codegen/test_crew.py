"""Calls that several threads share: the same results, and no thread is ever waited for in vain."""

import ctypes
import os
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from codegen.crew.crew import Crew, crew, library
from codegen.crew.layout import MEMBERS_AT, Member
from codegen.crew.loop import SpreadLoop
from codegen.crew.spread import MOST_THREADS
from codegen.guarded import guarded
from codegen.kernel import Kernel
from codegen.target import host
from codegen.ufunc import make_ufunc

X, Y = rw.symbols("x y")
FORM = rw.exp(-X * X) * rw.sin(Y) + X * Y
SERIAL, SHARED = rw.compile([X, Y], FORM), rw.compile([X, Y], FORM, parallel=2)
SEVERAL = range(8)
PART = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
MUCH = 1e12


def shared(kernel: Kernel, helpers: Crew, **fields: int) -> Any:
    """Make a ufunc whose loops are shared by a crew."""
    loops = [SpreadLoop(loop, kernel.program, host(), helpers) for loop in kernel._loops.values()]
    for loop in loops:
        for name, value in fields.items():
            setattr(loop.data, name, value)
    return make_ufunc(kernel.program, loops, "")


def numbers(count: int, dtype: Any = "d", offset: int = 0) -> tuple[Any, Any]:
    room = np.random.default_rng(count).normal(size=(2, count + offset)).astype(dtype)
    return room[0, offset:], room[1, offset:]


@pytest.mark.parametrize("dtype", ["d", "f"])
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_blocks_have_the_bits_of_the_whole(threads: int, dtype: Any) -> None:
    helpers = Crew(threads, SEVERAL)
    for grain in (64, 640):
        ufunc = shared(SERIAL, helpers, least=2, grain=grain, most=4096)
        for count in (2, 63, 64, 65, 1000, 4097, 50_001):
            for offset in (0, 1, 3):
                x, y = numbers(count, dtype, offset)
                assert np.array_equal(ufunc(x, y), SERIAL.ufunc(x, y))
                assert np.array_equal(ufunc(x[::2], y[::2]), SERIAL.ufunc(x[::2], y[::2]))
                out = x.copy()
                ufunc(out, y, out=out)
                assert np.array_equal(out, SERIAL.ufunc(x, y))


def test_blocks_past_the_caches_have_the_same_bits() -> None:
    x = rw.symbol("x")
    kernel = rw.compile([x], 2.5 * x + 1)
    loop = kernel.loop()
    values = numbers(100_000)[0]
    expected = kernel.ufunc(values)
    before, loop.data.large = loop.data.large, 50_000
    try:
        ufunc = shared(kernel, Crew(3, SEVERAL), least=2, grain=640, most=4096)
        for count in (40_000, 100_000):
            assert np.array_equal(ufunc(values[:count]), expected[:count])
    finally:
        loop.data.large = before


def test_a_crew_does_all_of_the_work_once() -> None:
    helpers, taken = Crew(4, SEVERAL), list[int]()
    work = iter(range(3000))

    def part(_: int, number: int) -> None:
        taken.extend(work)

    function = PART(part)
    place = ctypes.cast(function, ctypes.c_void_p).value or 0
    helpers.share(place, 0, MUCH)
    assert sorted(taken) == list(range(3000)) and helpers.data.helpers == 3


def test_helpers_come_whether_they_sleep_or_not() -> None:
    helpers, came = Crew(3, SEVERAL), set[int]()
    everybody = threading.Event()

    def part(_: int, number: int) -> None:
        came.add(number)
        if len(came) == 3:
            everybody.set()
        everybody.wait(60)

    function = PART(part)
    place = ctypes.cast(function, ctypes.c_void_p).value or 0
    for pause in (0.0, 0.0, 0.05, 0.0, 0.2):
        time.sleep(pause)
        came.clear()
        everybody.clear()
        helpers.share(place, 0, MUCH)
        assert came == {0, 1, 2}


def test_little_work_wakes_nobody() -> None:
    helpers, came = Crew(2, SEVERAL), list[int]()
    function = PART(lambda _, number: came.append(number))
    place = ctypes.cast(function, ctypes.c_void_p).value or 0
    helpers.share(place, 0, MUCH)
    member = Member.from_address(helpers.address + MEMBERS_AT)
    end = time.monotonic() + 60
    while not member.asleep and time.monotonic() < end:
        time.sleep(0.01)
    assert member.asleep
    time.sleep(0.01)  # or the next call would follow closely
    came.clear()
    helpers.share(place, 0, 1e6)
    assert came == [0] and member.asleep


def test_nobody_waits_for_helpers_that_cannot_be_started() -> None:
    helpers = Crew(3, SEVERAL)
    helpers.data.helpers = -1
    ufunc = shared(SERIAL, helpers, least=2)
    x, y = numbers(10_000)
    for _ in range(3):
        assert np.array_equal(ufunc(x, y), SERIAL.ufunc(x, y))
    assert helpers.data.helpers == -1


def test_a_crew_that_is_busy_is_not_waited_for() -> None:
    helpers = Crew(2, SEVERAL)
    ufunc = shared(SERIAL, helpers, least=2)
    x, y = numbers(10_000)
    helpers.data.busy = 1
    assert np.array_equal(ufunc(x, y), SERIAL.ufunc(x, y))
    assert helpers.data.helpers == 0 and helpers.data.busy == 1


def test_a_crew_has_no_more_threads_than_there_are_processors() -> None:
    assert Crew(5, range(3)).helpers == 2 and Crew(2, range(3)).helpers == 1
    assert Crew(1000, range(900)).helpers == MOST_THREADS - 1
    assert crew(2) is crew(2)


def test_many_threads_call_one_kernel() -> None:
    given = [numbers(count) for count in (10_000, 30_001, 100_000, 7)]
    expected = [SERIAL(*each) for each in given]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda k: SHARED(*given[k % 4]), range(200)))
        mixed = list(pool.map(lambda k: SHARED(*[a.astype(int) for a in given[2]]), range(8)))
    assert all(np.array_equal(each, expected[k % 4]) for k, each in enumerate(found))
    whole = SERIAL(*[a.astype(int) for a in given[2]])
    assert all(np.array_equal(each, whole) for each in mixed)


def test_slices_keep_to_the_callers_context() -> None:
    narrow = rw.compile([X, Y], FORM, dtype=np.float32, parallel=2)
    big, y = np.full(400_000, 1e300), np.ones(400_000)
    with np.errstate(over="ignore"):
        assert np.isinf(narrow(big, y)).all()
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        narrow(big, y)
    with np.errstate(over="ignore"):
        assert np.isinf(narrow(big, y)).all()


@pytest.mark.parametrize(
    ("shapes", "large"),
    [
        (((50,), (50,)), False),
        (((100,), (100,)), True),
        (((9, 10), (9, 10)), False),
        (((10, 10), ()), True),
        (((10, 1), (1, 10)), True),
        (((10, 1), (1, 9)), False),
        (((10, 1), (10,)), True),
        (((), ()), False),
        (((0, 1000), (1000,)), True),
    ],
)
def test_the_guard_finds_calls_for_many_elements(shapes: Any, large: bool) -> None:
    def called(name: str) -> Any:
        return lambda *args: name

    call = guarded(
        called("call"), SERIAL.program, SERIAL.failure, narrow=False, large=(called("large"), 100)
    )
    assert call(*map(np.ones, shapes)) == ("large" if large else "call")


def run(text: str, **options: Any) -> str:
    """Run a program that ends by itself, and return what it prints."""
    head = """
    import os, signal, sys, threading, time
    import numpy as np
    import rewrite as rw
    x, y = rw.symbols("x y")
    form = rw.exp(-x * x) * rw.sin(y) + x * y
    serial, shared = rw.compile([x, y], form), rw.compile([x, y], form, parallel=2)
    a, b = np.random.default_rng(1).normal(size=(2, 200_000))
    def right():
        return np.array_equal(shared(a, b), serial(a, b))
    """
    source = textwrap.dedent(head) + textwrap.dedent(text)
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not done.stderr, done.stderr
    return str(done.stdout).strip()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_of_a_fork_starts_helpers_of_its_own() -> None:
    found = run("""
    from codegen.crew.crew import crew
    assert right() and crew(2).data.helpers in (1, -1)
    for _ in range(5):
        child = os.fork()
        if not child:
            assert crew(2).data.helpers in (0, -1)
            os._exit(0 if all(right() for _ in range(20)) else 1)
        assert os.waitpid(child, 0)[1] == 0 and right()
    import multiprocessing
    for way in ("fork", "forkserver"):
        with multiprocessing.get_context(way).Pool(2) as pool:
            found = pool.starmap(shared, [(a, b)] * 4)
        assert all(np.array_equal(each, serial(a, b)) for each in found)
    print("done")
    """)
    assert found == "done"


def test_a_fork_amid_a_call_of_another_thread_leaves_a_crew_that_works() -> None:
    found = run("""
    stop = threading.Event()
    def work():
        while not stop.is_set():
            right()
    other = threading.Thread(target=work)
    other.start()
    for _ in range(20):
        child = os.fork()
        if not child:
            os._exit(0 if right() else 1)
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    other.join()
    print(right())
    """)
    assert found == "True"


@pytest.mark.parametrize("state", ["looks for work", "sleeps", "works"])
def test_the_interpreter_ends_whatever_helpers_do(state: str) -> None:
    pause = 0.3 if state == "sleeps" else 0
    found = run(f"""
    for _ in range(50):
        assert right()
    def work():
        while True:
            shared(a, b)
    if {state == "works"}:
        threading.Thread(target=work, daemon=True).start()
        time.sleep(0.05)
    time.sleep({pause})
    print("done")
    """)
    assert found == "done"


def test_signals_go_to_python() -> None:
    found = run("""
    import signal
    assert right()
    caught = 0
    for casts in (False, True):
        args = [a.astype(int), b.astype(int)] if casts else [a, b]
        for _ in range(5):
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                end = time.monotonic() + 60
                while time.monotonic() < end:
                    shared(*args)
            except KeyboardInterrupt:
                caught += 1
            assert right()
    begin = time.monotonic()
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        caught += time.monotonic() - begin < 50
    print(caught)
    """)
    assert found == "11"


def test_code_that_a_helper_makes_waits_for_no_caller() -> None:
    """A few heavy points: NumPy keeps Python's lock for them, and a helper needs it to compile."""
    found = run("""
    from codegen.crew.crew import Crew
    from codegen.crew.loop import SpreadLoop
    from codegen.target import host
    from codegen.ufunc import make_ufunc
    for _ in range(3):
        kernel = rw.compile([x, y], form + rw.sin(x + _))
        loops = [SpreadLoop(each, kernel.program, host(), Crew(4, range(4)))
                 for each in kernel._loops.values()]
        for loop in loops:
            loop.data.least, loop.data.grain, loop.data.most = 2, 64, 64
            loop.data.work = 10**9
        ufunc = make_ufunc(kernel.program, loops, "")
        few = a[:400].astype("f"), b[:400].astype("f")
        assert np.array_equal(ufunc(*few), kernel(*few))
    print("done")
    """)
    assert found == "done"


def test_the_code_of_helpers_is_never_freed() -> None:
    made = library()
    assert sys.getrefcount(made) > 2 and library() is made
