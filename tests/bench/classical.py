"""Classical normalisation of a shared DAG: `python tests/bench/classical.py`.

One random DAG of a million distinct nodes, in layers that share what is below them, is normalised
innermost with 50 rules of the library by the compiled engine. Beside it: symengine building the
same DAG, which simplifies as it builds, and expanding its top layer; and the same rules through the
generic interface on nested tuples, on a smaller DAG of the same kind, as time for a node.
"""

import argparse
import gc
import statistics
import time
from typing import Any

import numpy as np
from report import arguments, at_least, at_most, finish

import rewrite as rw
from rewrite import ops
from rewrite.rule import RuleSet
from rewrite.store import Store, Symbol
from strategies import innermost
from strategies.normal import SHRINKING

RULES = RuleSet("fifty", tuple(SHRINKING)[:50])
LAYERS = 8
SYMBOLS = 500
OPS = [ops.ADD, ops.ADD, ops.ADD, ops.MUL, ops.MUL, ops.SUB, ops.SUB, ops.NEG, ops.DIV, ops.SIN]
CONSTANTS = [0, 1, -1, 2, 3, 5]
EXPANDED = 60.0
"""Seconds after which symengine need not go on expanding."""

type Rows = list[tuple[int, tuple[int, ...]]]


def layered(nodes: int, seed: int) -> Rows:
    """Return rows (op code, children) of a DAG; children index leaves and then earlier rows."""
    rng = np.random.default_rng(seed)
    leaves = SYMBOLS + len(CONSTANTS)
    rows: Rows = []
    seen: set[tuple[int, tuple[int, ...]]] = set()
    last, below, here = 0, 0, 0
    while len(rows) < nodes:
        wanted = min(nodes, (here + 1) * (nodes // LAYERS + 1))
        first = leaves + last if here else 0
        size = leaves + below - first
        while len(rows) < wanted:
            kinds = rng.integers(0, len(OPS), 4096).tolist()
            near = rng.integers(0, size, 4096).tolist()
            far = rng.integers(0, leaves + below, 4096).tolist()
            turn = rng.integers(0, 2, 4096).tolist()
            for kind, one, other, swap in zip(kinds, near, far, turn, strict=True):
                row = OPS[kind]
                pair = (other, first + one) if swap else (first + one, other)
                key = (row.code, pair[: 1 if row.arity == 1 else 2])
                if key not in seen and len(rows) < wanted:
                    seen.add(key)
                    rows.append(key)
        last, below, here = below, wanted, here + 1
    return rows


def ours(rows: Rows) -> tuple[float, float, int]:
    """Return seconds to intern the DAG in bulk, seconds to normalise it, and its nodes."""
    store = Store()
    leaves = [store.symbol(Symbol(f"x{k}")) for k in range(SYMBOLS)]
    leaves += [store.constant(value) for value in CONSTANTS]
    codes = np.array([code for code, _ in rows], np.uint8)
    start = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(args) for _, args in rows], out=start[1:])
    flat = np.array([arg for _, args in rows for arg in args], np.int32)
    count = len(leaves)
    codes = np.concatenate([np.zeros(count, np.uint8), codes])
    start = np.concatenate([np.zeros(count, np.int64), start])
    out = np.full(count + len(rows), -1, np.int32)
    out[:count] = leaves
    begin = time.perf_counter()
    store.indexed().intern(store, codes, start, flat, out, local=True)
    built = time.perf_counter() - begin
    terms = rw.TermArray(store, out[count:])
    plan = innermost(RULES)
    gc.collect()
    begin = time.perf_counter()
    plan(terms)
    return built, time.perf_counter() - begin, len(set(out[count:].tolist()))


def symengine_side(rows: Rows) -> tuple[float, float, float]:
    """Return seconds to build, seconds to expand the top layer, and the part that was expanded."""
    import symengine

    known: list[Any] = [symengine.Symbol(f"x{k}") for k in range(SYMBOLS)]
    known += [symengine.Integer(value) for value in CONSTANTS]
    add, sub, mul, div = ops.ADD.code, ops.SUB.code, ops.MUL.code, ops.DIV.code
    neg, sin = ops.NEG.code, symengine.sin
    gc.collect()
    begin = time.perf_counter()
    for code, args in rows:
        one = known[args[0]]
        if code == add:
            made = one + known[args[1]]
        elif code == mul:
            made = one * known[args[1]]
        elif code == sub:
            made = one - known[args[1]]
        elif code == div:
            below = known[args[1]]
            made = one / below if below != 0 else one
        else:
            made = -one if code == neg else sin(one)
        known.append(made)
    built = time.perf_counter() - begin
    top = known[-(len(rows) // LAYERS) :]
    begin = time.perf_counter()
    done = 0
    for term in top:
        symengine.expand(term)
        done += 1
        if time.perf_counter() - begin > EXPANDED:
            break
    return built, time.perf_counter() - begin, done / len(top)


def tuples_side(rows: Rows) -> float:
    """Return seconds a node for the same rules over nested tuples."""
    names = {row.code: row.name for row in OPS}
    known: list[Any] = [f"x{k}" for k in range(SYMBOLS)]
    known += CONSTANTS
    for code, args in rows:
        known.append((names[code], *[known[arg] for arg in args]))
    plan = innermost(RULES)
    top = ("hypot", *known[-2:])
    for term in reversed(known[-(len(rows) // LAYERS) :]):
        top = ("hypot", term, top)
    count = len(rows) + len(rows) // LAYERS
    begin = time.perf_counter()
    plan(top)
    return (time.perf_counter() - begin) / count


def main() -> None:
    """Print both sides of every ratio."""
    parser: argparse.ArgumentParser = arguments(__doc__ or "")
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    ours(layered(5_000, 0))  # load the compiled loops
    rows = layered(given.nodes, 1)
    times = [ours(rows) for _ in range(given.rounds)]
    nodes = times[0][2]
    built, normal = (statistics.median(t[k] for t in times) for k in (0, 1))
    peer_built, peer_expanded, part = symengine_side(rows)
    tuples = tuples_side(layered(min(given.nodes, 20_000), 1))
    print(f"{nodes} distinct nodes, {len(RULES)} rules")
    print(f"ours: interned in bulk     {built / nodes * 1e9:9.0f} ns a node")
    print(f"ours: normalised           {normal / nodes * 1e9:9.0f} ns a node")
    print(f"symengine: built           {peer_built / nodes * 1e9:9.0f} ns a node")
    print(
        f"symengine: top expanded    {peer_expanded / nodes * 1e9:9.0f} ns a node "
        f"({part:.1%} of the top layer)"
    )
    print(f"tuples: normalised         {tuples * 1e9:9.0f} ns a node")
    figures = {
        "normalise, us a node": at_most(normal / nodes * 1e6, 2.0),
        "symengine built and expanded / ours interned and normalised": at_least(
            (peer_built + peer_expanded) / (built + normal), 1.0
        ),
        "symengine built / ours interned and normalised": {"value": peer_built / (built + normal)},
        "tuples / ours": at_least(tuples / (normal / nodes), 113.0),
    }
    finish(figures, given.json)


if __name__ == "__main__":
    main()
