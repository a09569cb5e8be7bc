"""Optimising large programs: `python tests/bench/scale.py`.

Two kinds of input, of 10^3 to 10^6 nodes: one in which formulas repeat with other symbols, as in
models and stencils, and one of random expressions that are all distinct, where nothing is done
once for many. Each run is a process of its own, with an empty cache; memory is that of the process
and, beside it, of the largest of its workers. Last, 10^4 runs in one process: what it grows by.
"""

import argparse
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
from report import arguments, at_most, finish, resident

import rewrite as rw
from rewrite import ops
from rewrite.cost import Gowda2021
from rewrite.dag import Dag
from rewrite.rules import FAMILIES
from rewrite.store import Store, Symbol
from rewrite.term import Term

KINDS = ("repeated", "distinct")
RUNS = 10_000
WHOLE = 20
"""Every so many of them are runs of the whole optimiser, which saturates twice."""


def repeated(size: int) -> list[Term]:
    """Return 40 random formulas, again and again over other symbols, chained by shared terms."""
    patterns = distinct(1200)[:40]
    store = Store()
    roots: list[Term] = []
    shared = store.symbol(Symbol("start", None, 0.5, 2.0))
    number = 0
    while len(store) < size:
        for pattern in patterns:
            number += 1
            dag = Dag.of(pattern.store, [pattern.id])
            ids: list[int] = []
            for (code, args), value in zip(dag.rows(), dag.value, strict=True):
                if isinstance(value, Symbol):
                    name = f"{value.name}_{number}"
                    ids.append(store.symbol(Symbol(name, None, value.low, value.high)))
                elif value is not None:
                    ids.append(store.constant(value))
                else:
                    ids.append(store.make((code, *[ids[a] for a in args])))
            shared = store.make((ops.ADD.code, store.make((ops.SIN.code, shared)), ids[-1]))
            roots.append(Term(store, ids[-1]))
    return [*roots, Term(store, shared)]


def distinct(size: int) -> list[Term]:
    """Return random expressions of 5 to 40 ops, which use some of those before."""
    rng, store = random.Random(0), Store()
    leaves = [store.symbol(Symbol(f"x{k}", None, 0.5, 2.0)) for k in range(20)]
    constants = [store.constant(value) for value in (2, 3, 0.5, 1)]
    binary = [op.code for op in (ops.ADD, ops.SUB, ops.MUL, ops.DIV)]
    made: list[int] = []

    def expression(count: int) -> int:
        if count <= 1:
            if made and rng.random() < 0.1:
                return rng.choice(made[-200:])
            return rng.choice(leaves if rng.random() < 0.9 else constants)
        if rng.random() < 0.1:
            return store.make((rng.choice([ops.SIN.code, ops.COS.code]), expression(count - 1)))
        left = rng.randrange(1, count) if count > 2 else 1
        (code,) = rng.choices(binary, [5, 3, 5, 0.6])
        return store.make((code, expression(left), expression(max(1, count - 1 - left))))

    while len(store) < size:
        made.append(expression(rng.randrange(5, 40)))
    return [Term(store, node) for node in made]


def one(kind: str, size: int, mode: str) -> dict[str, Any]:
    """Optimise one program here."""
    terms = repeated(size) if kind == "repeated" else distinct(size)
    nodes = len(Dag.of(terms[0].store, [term.id for term in terms]))
    begin, used = time.perf_counter(), time.process_time()
    best = rw.optimize(terms, math=mode, progress=False)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - used
    from rewrite.egraph import workers

    workers._end()
    own, other = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {
        "kind": kind, "nodes": nodes, "seconds": seconds, "cpu": cpu + other.ru_utime,
        "memory": (own.ru_maxrss + other.ru_maxrss) / 1024, "before": best.cost_before,
        "after": best.cost_after, "note": best.report.notes[0], "stop": str(best.report.stop),
    }  # fmt: skip


def drawn(rng: random.Random) -> Term:
    """Return a small random expression; its constants make that it never came before."""
    made: list[Term] = [*rw.symbols("x y z"), rw.const(rng.randrange(2, 10**6))]
    for _ in range(rng.randrange(3, 8)):
        a, b = rng.choice(made), rng.choice(made)
        made.append(rng.choice((a + b, a - b, a * b, a / b, rw.sin(a), rw.exp(a), rw.sqrt(a))))
    return made[-1] + made[-2] * made[-3]


def growth(runs: int) -> float:
    """Return by how many megabytes a process grows in so many runs, after some to warm up.

    Each saturates another expression with the laws of one family; some are runs of `optimize`.
    """
    rng, model = random.Random(0), Gowda2021()
    plans = [
        rw.saturate([rule for group in groups for rule in group], model)
        for groups in FAMILIES.values()
    ]

    def run(count: int) -> None:
        for k in range(count):
            with rw.scope():
                if k % WHOLE:
                    plans[k % len(plans)](drawn(rng))
                else:
                    rw.optimize(drawn(rng), math="fast")

    run(300)
    before = resident()
    run(runs)
    return resident() - before


def elsewhere(*words: str) -> Any:
    """Do one measurement in a process of its own, without a cache."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "REWRITE_CACHE": folder}
        command = [sys.executable, __file__, "--only", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def slope(rows: list[dict[str, Any]]) -> float:
    """Fit the exponent of the time over the size."""
    sizes, times = ([math.log(row[name]) for row in rows] for name in ("nodes", "seconds"))
    return float(np.polyfit(sizes, times, 1)[0])


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--largest", type=int, default=10**6, help="nodes of the largest programs")
    parser.add_argument("--math", default="guarded")
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    if options.only:
        what, *rest = options.only
        found: Any = growth(int(rest[0])) if what == "growth" else one(what, int(rest[0]), rest[1])
        print(json.dumps(found))
        return
    figures: dict[str, Any] = {}
    print(f"{'kind':10} {'nodes':>8} {'s':>8} {'CPU s':>8} {'MB':>7} {'cost':>7}  how")
    for kind in KINDS:
        sizes = [s for s in (10**3, 10**4, 10**5, 10**6) if s <= options.largest]
        rows = []
        for size in sizes:
            row = elsewhere(kind, str(size), options.math)
            rows.append(row)
            ratio = row["after"] / row["before"]
            print(
                f"{kind:10} {row['nodes']:8} {row['seconds']:8.2f} {row['cpu']:8.2f} "
                f"{row['memory']:7.0f} {ratio:7.4f}  {row['note']}; {row['stop']}",
                flush=True,
            )
        figures[f"{kind} rows"] = rows
        by_size = dict(zip(sizes, rows, strict=True))
        if 10**5 in by_size:
            figures[f"{kind}: seconds for 1e5 nodes"] = at_most(by_size[10**5]["seconds"], 30)
            figures[f"{kind}: MB for 1e5 nodes"] = at_most(by_size[10**5]["memory"], 2000)
        if len(rows) > 1:
            figures[f"{kind}: exponent of time"] = at_most(slope(rows), 1.15)
    figures["MB grown in runs"] = at_most(elsewhere("growth", str(options.runs)), 50)
    finish(figures, options.json)


if __name__ == "__main__":
    main()
