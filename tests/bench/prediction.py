"""Cycles that the cost model predicts beside those measured: `python tests/bench/prediction.py`.

Over the 100 formulas and generated kernels, as optimised: the rank correlation, and the median
relative error. Also by how much the optimised form is faster than the one written, through the same
code generator.
"""

import math
import random
from typing import Any

import numpy as np
from feynman import example
from report import arguments, at_least, at_most, finish

import rewrite as rw
from codegen.cost import cycles
from rewrite.cost import dag_cost
from rewrite.dag import Dag
from rewrite.term import Term

POINTS = 4096


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


def measured(symbols: list[Term], term: Term) -> tuple[float, float, float]:
    """Return predicted and measured cycles of the optimised form, and those of the one written."""
    best = rw.compile(symbols, term, dtype=np.float64)
    plain = rw.compile(symbols, term, dtype=np.float64, optimize_terms=False)
    plain.terms = (term,)
    (form,) = best.terms
    model = cycles("native")
    predicted = dag_cost(Dag.of(form.store, [form.id]), model)
    seconds = 0.03
    return predicted, best.measure(POINTS, seconds=seconds).cycles, plain.measure(
        POINTS, seconds=seconds
    ).cycles  # fmt: skip


def ranks(values: list[float]) -> Any:
    """Return the rank of each value."""
    return np.argsort(np.argsort(values)).astype(float)


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--generated", type=int, default=300)
    options = parser.parse_args()
    empty = rw.compile([rw.symbol("x")], rw.symbol("x") * 1.5, dtype=np.float64)
    call = empty.measure(POINTS).cycles
    rows = []
    for formula in example().formulas():
        symbols = formula.symbols()
        term = rw.parse(formula.text, symbols)
        rows.append((formula.name, *measured(list(symbols.values()), term)))
    for k, (symbols, term) in enumerate(generated(options.generated)):
        rows.append((f"generated {k}", *measured(symbols, term)))
    figures: dict[str, Any] = {}
    for name, some in (("formulas", rows[:100]), ("all", rows)):
        predicted, found = [r[1] for r in some], [r[2] for r in some]
        correlation = float(np.corrcoef(ranks(predicted), ranks(found))[0, 1])
        # loads, stores and the call, which the model leaves out, are those of a scale loop
        error = [abs(p + call - f) / f for p, f in zip(predicted, found, strict=True)]
        figures[f"{name}: Spearman"] = at_least(correlation, 0.95)
        figures[f"{name}: median error"] = at_most(float(np.median(error)), 0.15)
    gains = [r[3] / r[2] for r in rows[:100]]
    share = sum(g >= 1.5 for g in gains) / len(gains)
    figures["formulas that gain 1.5 times or more"] = at_least(share, 0.25)
    mean = math.exp(sum(map(math.log, gains)) / len(gains))
    print(f"scale loop {call:.3g} cycles, geometric mean gain {mean:.3g}")
    figures["geometric mean of the gain"] = mean
    finish({**figures, "rows": rows}, options.json)


if __name__ == "__main__":
    main()
