"""`simplify` on random expressions, by both engines and by SymPy: `python tests/bench/simplify.py`.

A thousand random expressions of 50 nodes over three symbols. Every result of ours is compared with
its source at sampled points. SymPy takes minutes for all of them: it simplifies the first ones, and
the ratio is that of the times for the same expressions.
"""

import argparse
import random
import time

import numpy as np
from report import arguments, at_least, finish

import rewrite as rw
from rewrite.evaluate import evaluate
from rewrite.term import Term
from strategies.simplify import simplify

SIZE = 50
POINTS = 64


def expression(rng: random.Random, size: int) -> Term:
    """Make a random tree with so many nodes."""
    if size <= 1:
        leaf = rng.choice(("x", "y", "z", 1, 2, 3, 0))
        return rw.symbol(leaf) if isinstance(leaf, str) else rw.const(leaf)
    if size == 2 or rng.random() < 0.15:
        below = expression(rng, size - 1)
        return rng.choice((rw.sin, rw.cos, lambda t: -t, rw.exp if size < 6 else rw.sin))(below)
    left = rng.randint(1, size - 2)
    one, other = expression(rng, left), expression(rng, size - 1 - left)
    kind = rng.random()
    if kind < 0.4:
        return one + other
    return one - other if kind < 0.6 else one * other if kind < 0.95 else one / (other * other + 1)


def equal(source: Term, made: Term, rng: np.random.Generator) -> bool:
    """Compare values where the source is finite, relative to the size of what is added up."""
    points = {name: rng.uniform(-1.5, 1.5, POINTS) for name in "xyz"}
    before, after = evaluate(source, points), evaluate(made, points)
    before, after = np.broadcast_to(before, POINTS), np.broadcast_to(after, POINTS)
    sound = np.isfinite(before)
    scale = 1 + np.abs(before[sound])
    return bool((np.abs(after[sound] - before[sound]) <= 1e-7 * scale).all())


def main() -> None:
    """Print both sides of every ratio."""
    parser: argparse.ArgumentParser = arguments(__doc__ or "")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--sympy", type=int, default=40, help="expressions that SymPy simplifies")
    parser.add_argument("--egraph", type=int, default=100, help="expressions for that backend")
    given = parser.parse_args()
    import sympy
    from sympy.core.cache import clear_cache

    rng = random.Random(1)
    terms = [expression(rng, SIZE) for _ in range(given.count)]
    for backend in ("classical", "egraph"):
        simplify(expression(rng, SIZE), backend=backend)  # load the engines
    seconds: dict[str, list[float]] = {"classical": [], "egraph": [], "sympy": []}
    nodes: dict[str, int] = {}
    wrong = 0
    points = np.random.default_rng(2)
    for backend, part in (("classical", terms), ("egraph", terms[: given.egraph])):
        made = []
        for term in part:
            begin = time.perf_counter()
            made.append(simplify(term, backend=backend))
            seconds[backend].append(time.perf_counter() - begin)
        nodes[backend] = sum(t.node_count() for t in made[: given.egraph])
        wrong += sum(not equal(t, m, points) for t, m in zip(part, made, strict=True))
    for term in terms[: given.sympy]:
        source = rw.to_sympy(term)
        clear_cache()
        begin = time.perf_counter()
        sympy.simplify(source)
        seconds["sympy"].append(time.perf_counter() - begin)
    before = sum(t.node_count() for t in terms[: given.egraph])
    print(
        f"{given.count} expressions of {SIZE} nodes; results that differ from their source: {wrong}"
    )
    for name, times in seconds.items():
        size = f", {before} nodes became {nodes[name]}" if name in nodes else ""
        print(f"{name:10}{np.mean(times) * 1e3:10.2f} ms each, of {len(times)}{size}")
    same = sum(seconds["sympy"]) / sum(seconds["classical"][: given.sympy])
    figures = {
        "SymPy / classical": at_least(same, 50.0),
        "SymPy / egraph": {"value": sum(seconds["sympy"]) / sum(seconds["egraph"][: given.sympy])},
        "results equal to their source": at_least(1.0 - wrong / given.count, 1.0),
    }
    finish(figures, given.json)


if __name__ == "__main__":
    main()
