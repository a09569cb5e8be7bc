"""A compute-bound kernel on worker processes of Dask: `python tests/bench/dask_workers.py`.

The same blocks are computed in this process one after another, by one worker process of one thread,
and by two; a block's bits are folded to one number where it is made, so that no results travel, and
these are compared. All sides take turns in one run; the figures are medians. Beside them stands the
processor time of this process against that of the busier worker: what two idle cores would give.
"""

import os
import statistics
import time
from typing import Any

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from report import arguments, at_least, at_most, finish

import rewrite as rw

ONE_BLOCK = 2_500_000
TARGET = 1.6
SETTINGS = {
    "distributed.scheduler.worker-saturation": "inf",  # no worker waits for its next block
    # workers keep memory as this process does: by default each array is of fresh pages
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 1 << 30,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 1 << 30,
}


def formula() -> Any:
    """Make a damped sum of oscillations."""
    x, rate = rw.symbols("x rate")
    waves = [rw.sin(k * x + rate) / k * rw.exp(-rate * x / k) for k in range(1, 25)]
    return rw.compile([x, rate], sum(waves[1:], waves[0]), name="waves")


def folded(block: Any) -> Any:
    """Fold the bits of a block to one number."""
    return np.bitwise_xor.reduce(block.view(np.int64), keepdims=True)


def blocks_here(kernel: Any, count: int) -> Any:
    """Compute block by block, as each of them is in a worker."""
    edges = range(0, count, ONE_BLOCK)
    ends = [min(edge + ONE_BLOCK, count) for edge in edges]
    pairs = zip(edges, ends, strict=True)
    return np.concatenate([folded(kernel(np.arange(a, b) * 1e-7, 0.75)) for a, b in pairs])


def lazy_blocks(kernel: Any, count: int) -> Any:
    """Return the same as a Dask array."""
    x = da.arange(count, chunks=ONE_BLOCK) * 1e-7
    lengths = (1,) * len(x.chunks[0])
    return kernel(x, 0.75).map_blocks(folded, dtype=np.int64, chunks=(lengths,))


def main() -> None:
    """Print and write the figures."""
    parser = arguments(str(__doc__))
    parser.add_argument("--elements", type=int, default=100_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    kernel, count = formula(), given.elements
    plain = dict(threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50)
    times: dict[str, list[float]] = {"here": [], "one worker": [], "two workers": []}
    alone, shared, same = list[float](), list[float](), True
    dask.config.set(SETTINGS)
    with (
        LocalCluster(n_workers=1, **plain) as single, LocalCluster(n_workers=2, **plain) as double,
        Client(single) as one, Client(double) as two,
    ):  # fmt: skip
        sides = {
            "here": lambda: blocks_here(kernel, count),
            "one worker": lambda: one.compute(lazy_blocks(kernel, count)).result(),
            "two workers": lambda: two.compute(lazy_blocks(kernel, count)).result(),
        }
        expected, *_ = [run() for run in sides.values()]  # and each worker has compiled
        for _ in range(given.rounds):
            for name, run in sides.items():
                mine, theirs = time.process_time(), two.run(time.process_time)
                begin = time.perf_counter()
                found = run()
                times[name].append(time.perf_counter() - begin)
                same = same and found.tobytes() == expected.tobytes()
                if name == "here":
                    alone.append(time.process_time() - mine)
                elif name == "two workers":
                    after = two.run(time.process_time)
                    shared.append(max(after[each] - theirs[each] for each in after))
    seconds = {name: statistics.median(each) for name, each in times.items()}
    blocks = -(-count // ONE_BLOCK)
    over = 1e6 * (seconds["one worker"] - seconds["here"]) / blocks
    ratios = [a / b for a, b in zip(times["here"], times["two workers"], strict=True)]
    print(f"{count} elements in {blocks} blocks on {os.cpu_count()} cores, load {os.getloadavg()}")
    print({name: round(value, 3) for name, value in seconds.items()}, f"{over:.0f} us a block")
    finish(
        {
            "two workers against this process": at_least(statistics.median(ratios), TARGET),
            "two workers against one": at_least(
                seconds["one worker"] / seconds["two workers"], TARGET
            ),
            "processor time against the busier worker": at_least(
                statistics.median(alone) / statistics.median(shared), TARGET
            ),
            "results with other bits": at_most(int(not same), 0),
            "seconds": times,
            "elements": count,
        },
        given.json,
    )


if __name__ == "__main__":
    main()
