"""How long programs of 10^3 to 10^6 operations take to compile: `python tests/bench/compiling.py`.

Two kinds: an irregular one, a random DAG in which nothing repeats, and one of reactions, where few
shapes make all terms. Each is a process of its own. Optimising is not part of it: for that see
`scale.py`. The exponent is fitted over all sizes.
"""

import json
import random
import subprocess
import sys
import time
from typing import Any

import numpy as np
from mass_action import random_network
from report import arguments, at_most, finish

import rewrite as rw
from rewrite.term import Term

SIZES = (1000, 10_000, 100_000, 1_000_000)
BOUNDS = {100_000: 10.0, 1_000_000: 120.0}
INPUTS = 100
RECENT = 5000


def irregular(size: int) -> tuple[Any, Any]:
    """Return inputs and ends of a random DAG: each operation takes two recent values."""
    rng = random.Random(size)
    inputs = [rw.symbol(f"x{k}") for k in range(INPUTS)]
    values: list[Term] = list(inputs)
    used = set()
    for _ in range(size):
        a, b = (values[max(0, len(values) - rng.randrange(1, RECENT))] for _ in range(2))
        used |= {a.id, b.id}
        kind = rng.random()
        if kind < 0.4:
            made = a + b
        elif kind < 0.6:
            made = a - b
        elif kind < 0.95:
            made = a * b * rng.choice((0.5, 0.25, 0.75))
        else:
            made = a / (b * b + 1)
        values.append(made)
    return rw.asarray(inputs), rw.asarray([made for made in values[INPUTS:] if made.id not in used])


def reactions(size: int) -> tuple[Any, Any]:
    """Return the state and right-hand side of a network with so many operations."""
    count = max(size // 6, 10)
    net = random_network(max(count // 20, 10), count)
    x = rw.asarray([rw.symbol(f"x{k}") for k in range(net.species)])
    return x, net.changes @ (net.constants * x[net.first] * x[net.second])


KINDS = {"irregular": irregular, "reactions": reactions}


def once(kind: str, size: int) -> dict[str, float]:
    """Compile and call one program in this process."""
    rw.compile([rw.symbol("x")], rw.symbol("x") + 1)(1.0)  # what all kernels share is loaded
    x, roots = KINDS[kind](size)
    begin = time.perf_counter()
    f = rw.compile([x], roots, optimize_terms=False)
    state = np.random.default_rng(0).uniform(0.5, 1.0, len(x))
    f(state)
    seconds = time.perf_counter() - begin
    best = min(_timed(f, state) for _ in range(20))
    return {"seconds": seconds, "call, us": 1e6 * best}


def _timed(f: Any, state: Any) -> float:
    begin = time.perf_counter()
    f(state)
    return time.perf_counter() - begin


def main() -> None:
    """Run all sizes of both kinds."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--once", nargs=2, help="compile one program in this process")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest size")
    options = parser.parse_args()
    if options.once:
        print(json.dumps(once(options.once[0], int(options.once[1]))))
        return
    figures: dict[str, Any] = {}
    for kind in KINDS:
        seconds = {}
        for size in [size for size in SIZES if size <= options.most]:
            command = [sys.executable, __file__, "--once", kind, str(size)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            one = json.loads(done.stdout.splitlines()[-1])
            seconds[size] = one["seconds"]
            print(f"{kind}, {size} operations: compiled in {one['seconds']:.2f} s, a call takes "
                  f"{one['call, us']:.1f} us")  # fmt: skip
            if size in BOUNDS:
                figures[f"{kind}, {size} operations, s"] = at_most(one["seconds"], BOUNDS[size])
        slope = float(np.polyfit(np.log(list(seconds)), np.log(list(seconds.values())), 1)[0])
        figures[f"{kind}: exponent"] = at_most(slope, 1.1)
    finish(figures, options.json)


if __name__ == "__main__":
    main()
