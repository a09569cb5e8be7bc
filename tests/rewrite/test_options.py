"""Options: a keyword comes before a `with` block, a block before the environment."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import rewrite as rw
from rewrite.errors import ArgumentError
from rewrite.fastmath import FastMath
from rewrite.options import OPTIONS, configured, in_force, settled

x, y = rw.symbols("x y")
READ: list[tuple[str, str, Any]] = [
    ("math", "fast", "fast"), ("target", "sse2", "sse2"), ("cost", "gowda2021", "gowda2021"),
    ("strategy", "textbook", "textbook"), ("parallel", " 3 ", 3), ("autotune", "2", 2),
    ("progress", "off", False),
    ("limits", "nodes=90, seconds=0.5", rw.Limits(nodes=90, seconds=0.5)),
]  # fmt: skip


@configured
def seen(*, math: Any = "guarded", parallel: Any = 1) -> tuple[Any, Any]:
    return math, parallel


def test_a_keyword_comes_first_then_blocks_then_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert seen() == ("guarded", 1)
    monkeypatch.setenv("REWRITE_MATH", "fast")
    monkeypatch.setenv("REWRITE_PARALLEL", "4")
    assert seen() == ("fast", 4)
    with rw.options(math="strict") as here:
        assert here["math"] == "strict" and here["parallel"] == 4
        assert seen() == ("strict", 4) and seen(math="guarded") == ("guarded", 4)
        with rw.options(parallel=2):
            assert seen() == ("strict", 2) and seen(parallel=1) == ("strict", 1)
        assert seen() == ("strict", 4)
    assert seen() == ("fast", 4)


def test_it_reaches_what_is_optimised_and_compiled() -> None:
    assert rw.optimize(x + y - x).terms == y
    with rw.options(math="strict", target="sse2", parallel=2):
        assert rw.optimize(x + y - x).terms == x + y - x
        kernel = rw.compile([x], x + 1)
        assert (kernel.math, kernel.target.name, kernel.parallel) == ("strict", "sse2", 2)
        assert rw.compile([x], x + 1, math="fast").math == "fast"
        assert rw.simplify(rw.sin(x) ** 2 + rw.cos(x) ** 2) != 1
        assert not rw.explain(x + y - x, y).explained
    with rw.options(cost="gowda2021", strategy="textbook"):
        assert rw.optimize(x * x).model.name == "gowda2021"
    with rw.options(limits=rw.Limits(iterations=0)):
        assert rw.egraph(x + y - x).report.iterations == []


def test_a_decorated_function_keeps_the_options_of_its_place() -> None:
    with rw.options(math="fast", target="sse2"):

        @rw.jit
        def inside(a: Any) -> Any:
            return a + 1

    @rw.jit
    def outside(a: Any) -> Any:
        return a + 1

    with rw.options(math="strict"):
        inside(1.0)
        outside(1.0)
    assert [k.math for k in inside.kernels] == ["fast"]
    assert [k.math for k in outside.kernels] == ["guarded"]
    with rw.options(target="sse2"):
        step = rw.scan(lambda u: u * 0.5, 2)
    assert step.options["target"] == "sse2" and settled({"math": "fast"})["math"] == "fast"


@pytest.mark.parametrize(("name", "text", "value"), READ, ids=[row[0] for row in READ])
def test_the_environment_is_read(
    name: str, text: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"REWRITE_{name.upper()}", text)
    assert in_force()[name] == value
    monkeypatch.setenv(f"REWRITE_{name.upper()}", "")
    assert in_force()[name] == OPTIONS[name].default


def test_each_option_is_read_from_the_environment() -> None:
    assert [row[0] for row in READ] != list(OPTIONS) and {row[0] for row in READ} == set(OPTIONS)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"mth": "fast"}, "no option 'mth'; options: math, target, cost"),
        ({"math": "quick"}, r"^math='quick'; choose 'strict'"),
        ({"parallel": 0}, "parallel=0: it is a whole number of at least 1"),
        ({"parallel": True}, "parallel=True: it is a whole"), ({"autotune": -1}, "at least 0"),
        ({"limits": 3}, r"limits=3: it is rw\.Limits"),
    ],
)  # fmt: skip
def test_mistakes_are_named(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentError, match=told), rw.options(**given):
        pytest.fail("the block was entered")


@pytest.mark.parametrize(
    ("name", "text"),
    [("MATH", "quick"), ("PARALLEL", "many"), ("PROGRESS", "perhaps"), ("LIMITS", "nodes:3"),
     ("LIMITS", "seconds=-1")],
)  # fmt: skip
def test_mistakes_in_the_environment_name_the_variable(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"REWRITE_{name}", text)
    with pytest.raises(ArgumentError, match=f"environment variable REWRITE_{name}='{text}'"):
        in_force()


def test_a_block_ends_with_an_error_too() -> None:
    with pytest.raises(ZeroDivisionError), rw.options(math="fast"):
        raise ZeroDivisionError
    assert in_force()["math"] == "guarded"

    @rw.options(math=FastMath.CONTRACT)
    def decorated() -> Any:
        return in_force()["math"]

    assert decorated() is FastMath.CONTRACT and decorated() is FastMath.CONTRACT


def test_threads_do_not_see_each_others_blocks() -> None:
    barrier = threading.Barrier(8)

    def work(number: int) -> bool:
        before = in_force()["parallel"]
        with rw.options(parallel=number + 2):
            barrier.wait(timeout=30)
            inside = seen()[1]
            barrier.wait(timeout=30)
        return (before, inside, in_force()["parallel"]) == (1, number + 2, 1)

    with rw.options(parallel=50), ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_tasks_do_not_see_each_others_blocks() -> None:
    async def work(number: int) -> bool:
        with rw.options(parallel=number):
            await asyncio.sleep(0)
            inside = seen()[1]
            await asyncio.sleep(0)
        return bool(inside == number)

    async def main() -> list[bool]:
        with rw.options(math="fast"):
            assert await asyncio.create_task(asyncio.sleep(0, seen())) == ("fast", 1)
            return await asyncio.gather(*(work(number) for number in range(2, 9)))

    assert all(asyncio.run(main()))


def test_functions_with_loops_take_the_options_that_they_have() -> None:
    @rw.jit(control_flow=True)
    def halved(n: Any) -> Any:
        while n > 1:
            n = n / 2
        return n

    assert halved(8.0) == 1.0
    with rw.options(autotune=2):
        other = rw.jit(control_flow=True)(halved.fn)
    with pytest.raises(ArgumentError, match="autotune= is not for functions with loops"):
        other(8.0)
