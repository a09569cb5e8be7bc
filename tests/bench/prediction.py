"""Cycles that the cost models predict beside those measured: `python tests/bench/prediction.py`.

Over the 100 formulas and 300 generated kernels, as optimised: rank correlation and relative error
of `Kernel.predict` (the loop as it was emitted) and of the sum that extraction minimises. Then how
far the form that extraction picks is from the fastest of the eight cheapest of its e-graph,
compiled and timed in turns. Also by how much the optimised form is faster than the one written.

All of it takes some ten minutes. `--share 1/4 --json one.json` measures a quarter, and `--join
one.json two.json ...` states the figures of all that some runs have measured.
"""

import json
import math
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from feynman import example
from report import arguments, at_least, at_most, finish

import rewrite as rw
from codegen.autotune import candidates, compiled
from codegen.cost import cycles
from codegen.kernel import Kernel
from codegen.target import host
from codegen.targets.measure import clock, seconds
from codegen.timing import arrays
from rewrite.cost import dag_cost
from rewrite.dag import Dag
from rewrite.term import Term
from strategies.saturation import Saturate

POINTS = 4096
FORMS = 8
SWEEPS = 3
NEAR = 0.05
OTHER = "generated"

type Named = tuple[str, list[Term], Term]


def generated(count: int) -> list[tuple[list[Term], Term]]:
    """Return random kernels of 3 to 40 operations over up to four symbols."""
    rng = random.Random(0)
    found = []
    for _ in range(count):
        leaves = list(rw.symbols("a b c d", low=0.3, high=1.7))[: rng.randint(1, 4)]
        values: list[Any] = list(leaves)
        for _ in range(rng.randint(3, 40)):
            a, b = rng.choice(values[-6:]), rng.choice(values)
            kind = rng.choices(
                ["add", "mul", "sub", "div", "sqrt", "exp", "sin", "log", "tanh", "power"],
                [6, 6, 3, 1, 0.7, 0.5, 0.6, 0.5, 0.3, 1],
            )[0]
            values.append({
                "add": lambda a=a, b=b: a + b, "mul": lambda a=a, b=b: a * b,
                "sub": lambda a=a, b=b: a - b, "div": lambda a=a, b=b: a / (b * b + 1),
                "sqrt": lambda a=a, b=b: rw.sqrt(a * a + b), "exp": lambda a=a, b=b: rw.exp(-a * a),
                "sin": lambda a=a, b=b: rw.sin(a), "log": lambda a=a, b=b: rw.log(a * a + 1),
                "tanh": lambda a=a, b=b: rw.tanh(a), "power": lambda a=a, b=b: a**2,
            }[kind]())  # fmt: skip
        found.append((leaves, values[-1]))
    return found


def timed(kernels: Sequence[Kernel], spent: float = 0.03) -> list[float]:
    """Return the cycles an element of kernels: the least of three sweeps, each in turns by fours.

    A sweep takes long, so that what disturbs a part of it is gone in the next one.
    """
    calls = [called(kernel, POINTS) for kernel in kernels]
    best = [1e9] * len(calls)
    for _ in range(SWEEPS):
        for at in range(0, len(calls), 4):
            some = calls[at : at + 4]
            for k, time in enumerate(seconds(some, spent * len(some))):
                best[at + k] = min(best[at + k], time)
    return [time * 1e9 * clock(host()) / POINTS for time in best]


def called(kernel: Kernel, points: int) -> Callable[[], object]:
    """Return a call with its arguments in their places, as one that is written out.

    Unpacked from a tuple beside a keyword they take another third of a microsecond.
    """
    inputs, out = arrays(kernel, points)
    return partial(kernel, *inputs, *(out if isinstance(out, tuple) else (out,)))


def call_cycles() -> float:
    """Return what a call takes beside its elements: NumPy's part, and caches that arrays emptied.

    It is where the times of a scale loop over one and two times as many elements meet no elements.
    """
    x = rw.symbol("x")
    kernel = rw.compile([x], x * 1.5, dtype=np.float64)
    short, long = seconds([called(kernel, n) for n in (POINTS, 2 * POINTS)], 1)
    return (2 * short - long) * 1e9 * clock(host())


def forms(symbols: list[Term], term: Term) -> tuple[float, float, Kernel, Kernel]:
    """Return the sum, the prediction and the kernel of the optimised form, and the source's."""
    best = rw.compile(symbols, term, dtype=np.float64)
    plain = rw.compile(symbols, term, dtype=np.float64, optimize_terms=False)
    plain.terms = (term,)
    (form,) = best.terms
    added = dag_cost(Dag.of(form.store, [form.id]), cycles("native"))
    return added, best.predict(POINTS).cycles, best, plain


def loops(terms: Sequence[Named]) -> list[list[Any]]:
    """Return the name, the sum, the prediction, and what the form and the source's take.

    All of it is with what a call takes, of which the sum knows nothing.
    """
    made = [(name, *forms(symbols, term)) for name, symbols, term in terms]
    call = call_cycles() / POINTS
    print(f"a call takes {call * POINTS:.0f} cycles")
    times, plain = (timed([row[at] for row in made]) for at in (3, 4))
    return [
        [name, added + call, told, time, slow]
        for (name, added, told, *_), time, slow in zip(made, times, plain, strict=True)
    ]


def alternatives(term: Term) -> list[Kernel]:
    """Return kernels of the form that extraction picks, and of others.

    There are none where the e-graph has no other form that the judge accepts.
    """
    plan = rw.plan("cheapest")
    assert isinstance(plan, Saturate)
    found = candidates(plan, [term], [rw.optimize(term).terms], FORMS)
    kernels = [kernel for form in found if (kernel := compiled(form, plan, host())) is not None]
    return kernels if len(kernels) >= max(2, len(found)) else []


def picks(terms: Sequence[Named]) -> list[list[Any]]:
    """Return the name, the number of forms, and how far above the fastest two of them are.

    These are the form that extraction picks, and the one for which `predict` says least.
    """
    made = [(name, alternatives(term)) for name, _, term in terms]
    rows: list[list[Any]] = []
    for name, kernels in made:
        if kernels:
            times = timed(kernels)
            told = [kernel.predict(POINTS).cycles for kernel in kernels]
            chosen = times[int(np.argmin(told))]
            rows.append([name, len(times), times[0] / min(times) - 1, chosen / min(times) - 1])
            print("  {}: {} forms, picked {:.1%} above, {:.1%}".format(*rows[-1]), flush=True)
    return rows


def ranks(values: list[float]) -> Any:
    """Return the rank of each value."""
    return np.argsort(np.argsort(values)).astype(float)


def agreement(name: str, rows: Sequence[Any], figures: dict[str, Any]) -> None:
    """Compare predictions with what was measured."""
    found = [row[3] for row in rows]
    for kind, column in (("", 2), (" of the sum", 1)):
        told = [row[column] for row in rows]
        correlation = float(np.corrcoef(ranks(told), ranks(found))[0, 1])
        error = float(np.median([abs(p - f) / f for p, f in zip(told, found, strict=True)]))
        if kind:
            print(f"{name}{kind}: Spearman {correlation:.3f}, median error {error:.1%}")
            continue
        figures[f"{name}: Spearman"] = at_least(correlation, 0.95)
        figures[f"{name}: median error"] = at_most(error, 0.15)


def of_loops(rows: Sequence[Any], figures: dict[str, Any]) -> None:
    """State how good predictions are, and what the formulas gain."""
    formulas, others = (
        [r for r in rows if r[0].startswith(OTHER) is other] for other in (False, True)
    )
    for name, some in (("formulas", formulas), ("generated", others), ("all", rows)):
        if len(some) > 1:
            agreement(name, some, figures)
    if formulas:
        gains = [slow / time for _, _, _, time, slow in formulas]
        share = sum(gain >= 1.5 for gain in gains) / len(gains)
        figures["formulas that gain 1.5 times or more"] = at_least(share, 0.25)
        mean = math.exp(sum(map(math.log, gains)) / len(gains))
        figures["geometric mean of the gain"] = mean
        print(f"geometric mean gain {mean:.3g}")


def of_picks(rows: Sequence[Any], figures: dict[str, Any]) -> None:
    """Compare what extraction picks with the fastest of its e-graph's eight cheapest forms."""
    print(f"{len(rows)} formulas have other forms, {np.mean([r[1] for r in rows]):.1f} in the mean")
    for name, column in (("by the sum", 2), ("by `predict`", 3)):
        far = [row[column] for row in rows]
        print(f"  picked {name}: median {np.median(far):.1%}, 90 % within ", end="")
        print(f"{np.quantile(far, 0.9):.1%}, beyond 5 %: ", end="")
        print(
            ", ".join(f"{row[0]} {row[column]:.1%}" for row in rows if row[column] > NEAR) or "none"
        )
    far = [row[2] for row in rows]
    near = sum(each <= NEAR for each in far) / len(far)
    figures["picks within 5 % of the fastest form"] = at_least(near, 0.9)
    figures["pick, median above the fastest"] = at_most(float(np.median(far)), NEAR)


def share_of[T](items: Sequence[T], share: str) -> Sequence[T]:
    """Return the k-th of n equal shares of items, "k/n"."""
    number, count = map(int, share.split("/"))
    return items[len(items) * (number - 1) // count : len(items) * number // count]


def measured(part: str, share: str, count: int) -> dict[str, list[Any]]:
    """Measure what was asked for."""
    formulas: list[Named] = []
    for formula in example().formulas():
        symbols = formula.symbols()
        term = rw.parse(formula.text, symbols)
        formulas.append((formula.name, list(symbols.values()), term))
    more = [(f"{OTHER} {k}", *one) for k, one in enumerate(generated(count))]
    rows: dict[str, list[Any]] = {"loops": [], "picks": []}
    if part != "picks":
        rows["loops"] = loops(share_of([*formulas, *more], share))
    if part != "prediction":
        rows["picks"] = picks(share_of(formulas, share))
    return rows


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--generated", type=int, default=300)
    parser.add_argument("--part", choices=("prediction", "picks", "both"), default="both")
    parser.add_argument("--share", default="1/1", help="measure the k-th of n shares, k/n")
    parser.add_argument("--join", nargs="+", type=Path, help="JSON files of other runs, to sum up")
    options = parser.parse_args()
    rows: dict[str, list[Any]] = {"loops": [], "picks": []}
    runs = [json.loads(path.read_text()) for path in options.join or ()]
    for run in runs or [measured(options.part, options.share, options.generated)]:
        for kind, found in rows.items():
            found += run[kind]
    figures: dict[str, Any] = {}
    if rows["loops"]:
        of_loops(rows["loops"], figures)
    if rows["picks"]:
        of_picks(rows["picks"], figures)
    finish({**figures, **rows}, options.json)


if __name__ == "__main__":
    main()
