"""What optimising does to accuracy: `python tests/bench/accuracy.py [--full]`.

Three corpora: textbook cancellations (`tests/data/fpcore`), the 100 formulas, and drawn expressions
(100, or 1,000 with --full). Each is optimised for speed, as by default, and for accuracy, and
measured at points that neither plan has seen, those of its precondition where it has one: the
source as NumPy computes it, and results as compiled, where a subterm of constants is rounded once,
by the same elementary functions. A contradiction is a point where the exact value of a result is
not that of its source to 2^-45, or
where it has none and the source has one, which the computed value misses (exponents like that of
exp(1e200) are beyond the oracle, so that 1/(1 + exp(1e200)) has no value there).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from feynman import example
from hypothesis import HealthCheck, Phase, given, seed, settings
from report import arguments, at_least, at_most, finish

import rewrite as rw
from rewrite.dag import Dag
from rewrite.evaluate import evaluate_dag
from rewrite.io import fpcore
from rewrite.measured import bits_of_error
from rewrite.measuring import Folded
from rewrite.oracle import TINY_EXPONENT, exact
from rewrite.sampling import sample_points
from rewrite.testing import terms

ROOT = Path(__file__).resolve().parents[2]
AGREE = 2.0**-45
POINTS, MORE = 256, 4096
DOUBT = 0.05
"""Bits of a loss that is measured again at more points: means of 256 are off by a tenth."""
LOST = 20
"""Bits of error from which a computed value misses the exact one."""


@dataclass(frozen=True)
class Case:
    """An expression and points at which it is measured."""

    name: str
    term: rw.Term
    points: Callable[[int], dict[str, Any]]
    dtype: Any = np.float64


def cancellations() -> Iterator[Case]:
    """Read the textbook's."""
    for core in fpcore.read(ROOT / "tests" / "data" / "fpcore" / "cancellation.fpcore"):
        yield Case(core.name, core.term, partial(core.points, seed=5), core.dtype)


def formulas() -> Iterator[Case]:
    """Read the 100 formulas."""
    for formula in example().formulas():
        term = rw.parse(formula.text, symbols=formula.symbols())
        yield Case(formula.name, term, partial(sample_points, term.free_symbols, seed=5))


def drawn(count: int) -> Iterator[Case]:
    """Draw expressions of at least three ops, each once."""
    symbols = [
        rw.symbol("x"), rw.symbol("p", low=0), rw.symbol("s", low=-1, high=1),
        rw.symbol("g", low=1, high=1e6),
    ]  # fmt: skip
    found: dict[rw.Term, None] = {}

    @seed(7)
    @settings(
        max_examples=6 * count, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(terms(symbols, max_ops=9))
    def collect(term: rw.Term) -> None:
        if len(found) < count and term.free_symbols and term.node_count() >= 5:
            found[term] = None

    collect()
    for number, term in enumerate(found):
        yield Case(f"drawn {number}", term, partial(sample_points, term.free_symbols, seed=5))


def measure(case: Case) -> dict[str, Any] | None:
    """Return the mean errors of the source and both results; None where it is undefined."""
    begin = time.perf_counter()
    fast = rw.optimize(case.term, dtype=case.dtype).terms
    middle = time.perf_counter()
    best = rw.optimize(case.term, dtype=case.dtype, objective="accuracy").terms
    end = time.perf_counter()
    forms = [case.term, fast, best]
    bits, known = _measured(forms, case, POINTS)
    if not known[0].ok.any():
        return None
    if np.nanmean(bits[1]) > np.nanmean(bits[0]) + DOUBT:
        bits, known = _measured(forms, case, MORE)
    row = {"name": case.name, "term": repr(case.term), "fast": repr(fast), "best": repr(best)}
    row |= {
        name: float(np.nanmean(b))
        for name, b in zip(("before", "speed", "accuracy"), bits, strict=True)
    }
    wrong = [
        _contradictions(known[0], other, off > LOST, case.dtype)
        for other, off in zip(known[1:], bits[1:], strict=True)
    ]
    return row | {"wrong": sum(wrong), "seconds": [middle - begin, end - middle]}


def _measured(forms: list[rw.Term], case: Case, count: int) -> tuple[list[Any], list[Any]]:
    """Return bits of error of each form, and the exact values."""
    points = case.points(count)
    known = exact(forms, points)
    folded = Folded(np.dtype(case.dtype))
    bits = [
        _bits(form, known[0], points, case.dtype, folded if at else None)
        for at, form in enumerate(forms)
    ]
    return bits, known


def _bits(
    form: rw.Term, known: Any, points: dict[str, Any], dtype: Any, folded: Folded | None
) -> Any:
    """Return the bits of error; `folded` rounds constants as compiling does."""
    dag = Dag.of(form.store, [form.id])
    given = folded.values(dag) if folded is not None else None
    values = evaluate_dag(dag, points, dtype, given=given)[0]
    return bits_of_error(np.broadcast_to(values, len(known)), known.broadcast(len(known)), dtype)


def _contradictions(source: Any, other: Any, far: Any, dtype: Any) -> int:
    """Count the points where exact values differ, or one is missing and the computed one far."""
    shift = np.clip(other.exponent - source.exponent, -1000, 1000).astype(int)
    apart = (source.high - np.ldexp(other.high, shift)) + (source.low - np.ldexp(other.low, shift))
    agree = AGREE if np.dtype(dtype) == np.float64 else 2.0**-22
    differs = np.abs(apart) > agree * np.abs(source.high)
    differs &= ~(_vanished(source) & _vanished(other))
    return int(np.count_nonzero(source.ok & (np.where(other.ok, differs, far))))


def _vanished(value: Any) -> Any:
    """Tell where a value is zero, or so small that the oracle may take it for zero."""
    return (value.high == 0) | (value.exponent < TINY_EXPONENT)


def main() -> None:
    """Measure, print a row an expression, and check the figures."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="1,000 drawn expressions")
    parser.add_argument("--corpus", choices=("fpcore", "formulas", "drawn"))
    options = parser.parse_args()
    corpora = {
        "fpcore": cancellations, "formulas": formulas,
        "drawn": lambda: drawn(1000 if options.full else 100),
    }  # fmt: skip
    figures: dict[str, Any] = {}
    for name, make in corpora.items():
        if options.corpus in (None, name):
            figures |= summary(name, [row for case in make() if (row := measured(case))])
    finish(figures, options.json)


def measured(case: Case) -> dict[str, Any] | None:
    """Measure and print a row."""
    row = measure(case)
    if row is not None:
        print(f"{row['before']:6.2f} {row['speed']:6.2f} {row['accuracy']:6.2f}", end=" ")
        print(
            f"{row['wrong']:3} {row['seconds'][1]:5.1f} s  {case.name}: {row['term'][:60]}",
            flush=True,
        )
    return row


def summary(corpus: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of a corpus."""
    bad = [row for row in rows if row["before"] > 1]
    before, after = (sum(row[key] for row in bad) for key in ("before", "accuracy"))
    lost = max((row["speed"] - row["before"] for row in rows), default=0.0)
    slower = [sum(row["seconds"][k] for row in rows) / max(len(rows), 1) for k in (0, 1)]
    print(
        f"{corpus}: {len(rows)} expressions, {len(bad)} above 1 bit, {slower[0]:.2f} s for speed, ",
        end="",
    )
    print(f"{slower[1]:.2f} s for accuracy")
    worse = [row["name"] for row in rows if row["speed"] > row["before"] + 0.1]
    print(f"{corpus}: lose over 0.1 bit by default: {worse or 'none'}")
    return {
        f"{corpus}: fall of the mean error in accuracy mode": at_least(
            1 - after / before if bad else 1, 0.6
        ),
        f"{corpus}: largest loss by default [bits]": at_most(lost, 0.1),
        f"{corpus}: contradictions": at_most(sum(row["wrong"] for row in rows), 0),
        f"{corpus}: rows": rows,
    }


if __name__ == "__main__":
    main()
