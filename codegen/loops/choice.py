"""Which program terms become: loops recovered from repetition, or straight-line code."""

from collections.abc import Sequence
from typing import Any

from codegen.loops.analysis import roll
from codegen.loops.program import Rolled
from codegen.loops.summary import SMALL, summary
from codegen.lower import Parameter, Result, lower
from codegen.program import Program
from rewrite.dag import Dag
from rewrite.fastmath import FastMath
from rewrite.term import Term

__all__ = ["has_arrays", "may_be_rolled", "program_of", "straight"]


def program_of(
    parameters: Sequence[Parameter], results: Sequence[Result], allowed: FastMath, name: str
) -> tuple[Program | Rolled, str | None]:  # fmt: skip
    """Lower terms to a program: of loops where these are worth it, with what was found of them."""
    terms = [term for result in results for term in result.terms]
    if terms and may_be_rolled(parameters, results, _size(terms)):
        rolled = roll(parameters, results, **_options(allowed, name))
        found = summary(rolled)
        if found.worth_rolling:
            return rolled, str(found)
    return straight(parameters, results, allowed, name), None


def may_be_rolled(parameters: Sequence[Parameter], results: Sequence[Result], size: int) -> bool:
    """Tell whether loops are looked for in terms of so many nodes and stores."""
    return has_arrays(parameters, results) and size > SMALL


def has_arrays(parameters: Sequence[Parameter], results: Sequence[Result]) -> bool:
    """Tell whether an argument or a result has axes of its own."""
    return any(p.shape for p in parameters) or any(result.shape for result in results)


def straight(
    parameters: Sequence[Parameter], results: Sequence[Result], allowed: FastMath, name: str
) -> Program:
    """Lower terms to straight-line code."""
    return lower(parameters, results, **_options(allowed, name))


def _options(allowed: FastMath, name: str) -> dict[str, Any]:
    strict, approximate = FastMath.REASSOC not in allowed, FastMath.AFN in allowed
    return {"strict": strict, "approximate": approximate, "name": name}


def _size(terms: Sequence[Term]) -> int:
    """Count nodes and stores: results may be many copies of few values."""
    return len(Dag.of(terms[0].store, [t.id for t in terms])) + len(terms)
