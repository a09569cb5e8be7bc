"""What all benchmarks share: medians, the machine, and a JSON file beside the printed table."""

import argparse
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("REWRITE_CACHE", "0")  # what an earlier run found would be timed otherwise


def best_of(call: Callable[[], object], rounds: int = 7) -> float:
    """Return the best time of a call in seconds."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)


def median_of(call: Callable[[], object], rounds: int = 7) -> float:
    """Return the median time of a call in seconds."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def in_turns[K](
    calls: Mapping[K, Callable[[], object]], rounds: int, number: int = 1, *,
    figure: Callable[[list[float]], float] = statistics.median,
) -> dict[K, float]:  # fmt: skip
    """Return the median time of each call in seconds, or another figure of its times.

    The calls take turns, each so many times in a row.
    """
    times: dict[K, list[float]] = {key: [] for key in calls}
    for _ in range(rounds):
        for key, call in calls.items():
            begin = time.perf_counter()
            for _ in range(number):
                call()
            times[key].append((time.perf_counter() - begin) / number)
    return {key: figure(each) for key, each in times.items()}


def microseconds(call: Callable[[], object], seconds: float = 0.4) -> float:
    """Return the time of a call: the best of runs of some milliseconds each."""
    call()  # the first may compile for one point, the next for many
    call()
    begin = time.perf_counter()
    call()
    each = max(1, int(0.005 / max(time.perf_counter() - begin, 1e-7)))
    best, end = math.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        for _ in range(each):
            call()
        best = min(best, (time.perf_counter() - begin) / each)
    return 1e6 * best


def resident() -> float:
    """Return the megabytes that this process holds of the machine."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def machine() -> dict[str, Any]:
    """Name the machine and the versions that figures depend on."""
    import llvmlite
    import llvmlite.binding
    import numpy

    return {
        "cpu": llvmlite.binding.get_host_cpu_name(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "llvmlite": llvmlite.__version__,
    }


def arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser with the option that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    return parser


def finish(figures: dict[str, Any], path: Path | None) -> None:
    """Print figures against their targets, and write them as JSON where asked."""
    for name, entry in figures.items():
        if isinstance(entry, dict) and "target" in entry:
            met = "met" if entry["met"] else "MISSED"
            print(f"{met:7}{name}: {entry['value']:.4g} (target {entry['target']})")
    if path is not None:
        path.write_text(json.dumps({"machine": machine(), **figures}, indent=1, default=str) + "\n")


def at_most(value: float, bound: float) -> dict[str, Any]:
    """State a figure that must not exceed a bound."""
    return {"value": value, "target": f"at most {bound}", "met": value <= bound}


def at_least(value: float, bound: float) -> dict[str, Any]:
    """State a figure that must reach a bound."""
    return {"value": value, "target": f"at least {bound}", "met": value >= bound}
