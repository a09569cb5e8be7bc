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
from strategies.simplify import BACKENDS, simplify

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


def timed(terms: list[Term], backend: str) -> tuple[list[Term], list[float]]:
    """Simplify terms; return the results and the seconds of each."""
    made, seconds = [], []
    for term in terms:
        begin = time.perf_counter()
        made.append(simplify(term, backend=backend))
        seconds.append(time.perf_counter() - begin)
    return made, seconds


def by_sympy(terms: list[Term]) -> list[float]:
    """Return the seconds that SymPy takes for each."""
    import sympy
    from sympy.core.cache import clear_cache

    seconds = []
    for term in terms:
        source = rw.to_sympy(term)
        clear_cache()
        begin = time.perf_counter()
        sympy.simplify(source)
        seconds.append(time.perf_counter() - begin)
    return seconds


def main() -> None:
    """Print both sides of every ratio, and the table of the README."""
    parser: argparse.ArgumentParser = arguments(__doc__ or "")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--sympy", type=int, default=20, help="expressions that SymPy simplifies")
    parser.add_argument("--egraph", type=int, default=200, help="expressions for that backend")
    given = parser.parse_args()
    rng = random.Random(1)
    terms = [expression(rng, SIZE) for _ in range(given.count)]
    for backend in BACKENDS:
        simplify(expression(rng, SIZE), backend=backend)  # load the engines
    points = np.random.default_rng(2)
    classical, seconds = timed(terms, "classical")
    few = terms[: given.egraph]
    searched, longer = timed(few, "egraph")
    pairs = [*zip(terms, classical, strict=True), *zip(few, searched, strict=True)]
    wrong = sum(not equal(source, made, points) for source, made in pairs)
    theirs = by_sympy(terms[: given.sympy])
    print(
        f"{given.count} expressions of {SIZE} nodes, shared ones counted once below; results that "
        f"differ from their source: {wrong}"
    )
    sizes = np.array(
        [[t.node_count() for t in row] for row in zip(few, classical, searched, strict=False)]
    )
    before = sizes[:, 0].mean()
    print(f"{'':12}{'mean nodes':>18}{'ms each':>10}{'smaller than the other':>26}")
    for name, place, other, times in (
        ("classical", 1, 2, seconds), ("egraph", 2, 1, longer),
    ):  # fmt: skip
        share = float((sizes[:, place] < sizes[:, other]).mean())
        change = f"{before:.1f} -> {sizes[:, place].mean():.1f}"
        print(f"{name:12}{change:>18}{np.mean(times) * 1e3:10.1f}{share:26.1%}")
    print(f"{'sympy':12}{'':>18}{np.mean(theirs) * 1e3:10.1f}")
    same = sum(theirs) / sum(seconds[: given.sympy])
    figures = {
        "SymPy / classical": at_least(same, 50.0),
        "SymPy / egraph": {"value": sum(theirs) / sum(longer[: given.sympy])},
        "results equal to their source": at_least(1.0 - wrong / len(pairs), 1.0),
        "e-graph results no larger": at_least(float((sizes[:, 2] <= sizes[:, 1]).mean()), 1.0),
    }
    finish(figures, given.json)


if __name__ == "__main__":
    main()
