"""What less memory costs in time: `python tests/bench/checkpoints.py`.

Gradients through a thousand steps within a memory budget, beside storing all: as a program of
terms (`memory_schedule`), and as a loop of a compiled step (`scan`). Results have the same bits.
Both sides are timed in turns, the best of each counts.
"""

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from report import arguments, at_least, at_most, finish, in_turns

import rewrite as rw
from codegen.calculus.memory import memory_schedule

STEPS: Final = 1000
LESS: Final = 6.8
FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "sine": lambda u, k: u + 0.01 * k * np.sin(u),
    "logistic": lambda u, k: u + 0.01 * k * u * (1 - u),
    "tanh": lambda u, k: u + 0.01 * np.tanh(k * u),
}


def same(one: Any, other: Any) -> bool:
    """Tell whether two results have the same bits."""
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


def programs(size: int = 1000) -> dict[str, Any]:
    """Time schedules of a gradient as a program."""
    found: dict[str, Any] = {}
    for name, step in FUNCTIONS.items():
        with rw.scope():
            x, k = rw.symbols("x k")
            u: Any = x
            for _ in range(STEPS):
                u = step(u, k)
            slope = rw.gradient(u, [x, k])
            plain = memory_schedule(slope)
            small = memory_schedule(slope, memory_budget=int(plain.peak / LESS))
        point = {"x": np.linspace(0, 1, size), "k": np.full(size, 2.0)}
        assert same(plain.run(point), small.run(point))
        calls = {each.peak: lambda s=each: s.run(point) for each in (plain, small)}  # type: ignore[misc] # noqa: B023
        best = in_turns(calls, 5, figure=min)
        ratio = best[small.peak] / best[plain.peak]
        print(
            f"{name}: {plain.peak} and {small.peak} values, {small.repeated:.0%} more operations, "
            f"{ratio:.2f} times as long"
        )
        found[f"{name}: memory of all / of the budget"] = at_least(plain.peak / small.peak, LESS)
        found[f"{name}: time of the budget / of all"] = at_most(ratio, 1.3)
    return found


def loops() -> dict[str, Any]:
    """Time loops with states stored in different ways."""
    found: dict[str, Any] = {}

    def loss(u: Any) -> Any:
        return u * u

    for size in (1, 1000):
        x = np.linspace(0, 1, size)
        for name, step in FUNCTIONS.items():
            loops = {way: rw.scan(step, STEPS, checkpoint=way) for way in ("all", "sqrt", "log")}
            made = {way: loop.value_and_grad(loss, x, 2.0) for way, loop in loops.items()}
            for value, slopes in made.values():
                assert same((value, *slopes), (made["all"][0], *made["all"][1]))
            calls = {way: lambda s=loop: s.value_and_grad(loss, x, 2.0)  # type: ignore[misc] # noqa: B023
                     for way, loop in loops.items()}  # fmt: skip
            best = in_turns(calls, 5, figure=min)
            kept = {way: loop.plan(x).kept for way, loop in loops.items()}
            shown = ", ".join(
                f"{way} {kept[way]} states, {best[way] * 1e3:.0f} ms" for way in loops
            )
            print(f"loop of {name}, {size} elements: {shown}")
            title = f"loop of {name}, {size} elements"
            found[f"{title}: states of all / of sqrt"] = at_least(kept["all"] / kept["sqrt"], LESS)
            found[f"{title}: time of sqrt / of all"] = at_most(best["sqrt"] / best["all"], 1.3)
    return found


def long() -> dict[str, Any]:
    """Time the schedule of twenty thousand steps."""
    with rw.scope():
        x, k = rw.symbols("x k")
        u: Any = x
        for _ in range(20 * STEPS):
            u = FUNCTIONS["sine"](u, k)
        slope = rw.gradient(u, [x, k])
        begin = time.perf_counter()
        found = memory_schedule(slope, memory_budget=2 * STEPS)
        took = time.perf_counter() - begin
    print(f"schedule of 20,000 steps within 2,000 values: {took:.2f} s, {found.repeated:.0%} more")
    return {"schedule of 20,000 steps, s": at_most(took, 5.0)}


def main() -> None:
    """Run all parts."""
    options = arguments(__doc__ or "").parse_args()
    finish(programs() | loops() | long(), options.json)


if __name__ == "__main__":
    main()
