"""How many rewrites are explained step by step, and replayed: `python tests/bench/explain.py`.

The 100 physics formulas and random terms of `rewrite.testing` are optimised; each result that
differs from its source is explained, and the explanation replayed by code that knows no e-graph.
"""

import collections
import statistics
import time
from typing import Any

from feynman import example
from hypothesis import Phase, given, seed, settings
from report import arguments, at_least, at_most, finish

import rewrite as rw
from rewrite.errors import ExplanationError, RewriteError
from rewrite.testing import symbols_with_domains, terms

SHARE = 0.95
SECONDS = 12.0
"""An explanation may take about twice the time limit of a search, which is 5 seconds, of a CPU."""


def formulas() -> list[tuple[str, rw.Term]]:
    """Read the physics formulas."""
    return [(f.name, rw.parse(f.text, f.symbols())) for f in example().formulas()]


def generated(count: int) -> list[tuple[str, rw.Term]]:
    """Draw random terms, the same ones in each run."""
    found: dict[rw.Term, None] = {}

    @seed(20)
    @settings(max_examples=8 * count, deadline=None, database=None, phases=[Phase.generate])
    @given(terms(symbols_with_domains(), max_ops=12))
    def draw(term: rw.Term) -> None:
        if term.args:
            found[term] = None

    draw()
    return [(f"random {k}", term) for k, term in enumerate(list(found)[-count:])]


def measured(name: str, source: rw.Term) -> dict[str, Any] | None:
    """Optimise, explain and replay; None where the result is as written."""
    best = rw.optimize(source)
    if best.terms == source:
        return None
    begin = time.process_time()
    found = best.explain()
    seconds = time.process_time() - begin
    replayed, why = False, found.why
    if found.explained:
        try:
            found.check()
            replayed = True
        except ExplanationError as error:
            why = str(error)
    return {
        "name": name, "source": repr(source), "result": repr(best.terms), "seconds": seconds,
        "explained": found.explained, "replayed": replayed, "why": why, "steps": len(found),
        "backwards": sum(not step.forward for step in found),
        "assumptions": len(found.assumptions),
    }  # fmt: skip


def report(title: str, sources: list[tuple[str, rw.Term]]) -> dict[str, Any]:
    """Print a row for each rewrite, and the shares; return the figures."""
    rows = []
    for name, source in sources:
        try:
            row = measured(name, source)
        except RewriteError as error:  # a term that no e-graph takes
            print(f"{name:12} left out: {error}")
            continue
        if row is None:
            continue
        rows.append(row)
        said = f"{row['steps']} steps" if row["explained"] else row["why"].split(";")[0]
        print(f"{name:12} {row['seconds']:6.2f} s  {row['source'][:60]}: {said}", flush=True)
    good = [row for row in rows if row["replayed"]]
    lengths = sorted(row["steps"] for row in good)
    times = sorted(row["seconds"] for row in rows)
    why = collections.Counter(row["why"] for row in rows if not row["replayed"])
    print(
        f"{title}: {len(sources)} terms, {len(rows)} rewritten, "
        f"{sum(row['explained'] for row in rows)} explained, {len(good)} replayed; steps "
        f"{statistics.mean(lengths):.1f} on average, {lengths[len(lengths) // 2]} in the middle, "
        f"{lengths[-1]} at most; {sum(row['backwards'] for row in good)} of {sum(lengths)} "
        f"backwards; seconds {statistics.mean(times):.2f} on average, "
        f"{times[len(times) // 2]:.2f} in the middle, {times[-1]:.2f} at most"
    )
    for reason, count in why.most_common():
        print(f"  not explained: {count}: {reason}")
    return {
        f"{title}: explained and replayed": at_least(len(good) / len(rows), SHARE),
        f"{title}: explained, and refused when replayed": at_most(
            sum(row["explained"] and not row["replayed"] for row in rows), 0
        ),
        f"{title}: most seconds": at_most(times[-1], SECONDS),
        f"{title}: mean steps": {"value": statistics.mean(lengths)},
        f"{title}: rows": rows,
    }


def main() -> None:
    """Explain both corpora and print their shares."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--count", type=int, default=200, help="random terms")
    given_ = parser.parse_args()
    figures = report("physics", formulas())
    figures |= report("random", generated(given_.count))
    finish(figures, given_.json)


if __name__ == "__main__":
    main()
