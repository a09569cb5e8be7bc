"""Autotuning: the cheapest forms of a program are compiled and timed, and the fastest is kept."""

from collections.abc import Sequence
from typing import Final

from codegen.balance import balanced
from codegen.cost import table_for
from codegen.forms import parameters_of, results_of
from codegen.kernel import MOST_OPERANDS, Kernel
from codegen.lower import lower
from codegen.target import Float, Target
from rewrite.dag import Dag
from rewrite.egraph.limits import Report
from rewrite.extract import Extractor
from rewrite.fastmath import FastMath
from rewrite.fingerprint import fingerprints
from rewrite.kbest import k_best
from rewrite.progress import each
from rewrite.store import Store, Symbol
from rewrite.term import Term, join_all
from strategies.saturation import WHOLE, Saturate

__all__ = ["candidates", "compiled", "tuned"]

POINTS: Final = 4096
SECONDS: Final = 0.05
"""For each form."""


def tuned(
    plan: Saturate, source: Sequence[Term], best: Sequence[Term], report: Report, count: int,
    target: Target,
) -> list[Term]:  # fmt: skip
    """Return the fastest of the source, the best form, and the `count` cheapest of the e-graph."""
    forms = candidates(plan, source, best, count)
    times = [_time(form, plan, target) for form in each(forms, "measuring", "form")]
    fastest = min(range(len(times)), key=times.__getitem__)
    report.notes.append(
        f"measured {len(times)} forms: {min(times):.4g} to {max(times):.4g} ns an element, the "
        f"cheapest {times[0]:.4g}"
    )
    return forms[fastest]


def candidates(
    plan: Saturate, source: Sequence[Term], best: Sequence[Term], count: int
) -> list[list[Term]]:
    """Return the best form, the `count` cheapest of the e-graph, and the source, each once."""
    forms: dict[tuple[int, ...], list[Term]] = {}
    store = source[0].store
    for form in (list(best), *_cheapest(plan, source, count), list(source)):
        ids = join_all(store, form)
        forms.setdefault(tuple(ids), [Term(store, node) for node in ids])
    return list(forms.values())


def _cheapest(plan: Saturate, source: Sequence[Term], count: int) -> list[list[Term]]:
    """Return the cheapest forms that a judge accepts; none of a large program."""
    store = source[0].store
    dag = Dag.of(store, [term.id for term in source])
    if len(dag) > WHOLE:
        return []
    frozen, _, _ = plan.saturated(dag)
    if frozen is None:
        return []
    extractor = Extractor(frozen, plan.cost, dtype=plan.dtype)
    verdict = None if plan.judge is None else plan.judge(list(source))
    known = fingerprints(list(source))
    found = []
    for program in k_best(extractor, count, mode="search"):
        form, _ = extractor.terms(program, Store())
        if fingerprints(form) == known and (verdict is None or verdict(form) is None):
            found.append(form)
    return found


def compiled(form: Sequence[Term], plan: Saturate, target: Target) -> Kernel | None:
    """Compile a form as `compile_kernel` does; None where it has no symbol."""
    store = form[0].store
    dag = Dag.of(store, [term.id for term in form])
    leaves = [at for at, value in enumerate(dag.value) if isinstance(value, Symbol)]
    if not leaves:
        return None
    parameters = parameters_of([Term(store, int(dag.ids[at])) for at in leaves])
    many = len(parameters) + len(form) > MOST_OPERANDS
    results, _ = results_of(list(form) if many else tuple(form))
    program = lower(
        parameters, results, strict=FastMath.REASSOC not in plan.licence,
        approximate=FastMath.AFN in plan.licence,
    )  # fmt: skip
    dtype: Float = "f32" if plan.dtype == "f32" else "f64"
    program = balanced(program, table_for(target), dtype)
    return Kernel(program, target, terms=tuple(form), dtype=dtype)


def _time(form: Sequence[Term], plan: Saturate, target: Target) -> float:
    """Return the ns an element of a form."""
    kernel = compiled(form, plan, target)
    return 0.0 if kernel is None else kernel.measure(POINTS, seconds=SECONDS).ns
