"""How kernels and optimised terms look in a notebook: what is computed, and what it costs."""

import itertools
from collections.abc import Iterator
from typing import Any, Final

from codegen.program import Program
from rewrite.array import TermArray
from rewrite.display import preformatted
from rewrite.tables import Table, clean

__all__ = ["kernel_html", "optimized_html", "shown_terms"]

LISTED: Final = 20
"""Terms of a result, and instructions of a program, that are shown at once."""
MOST_INSTRUCTIONS: Final = 2000


def shown_terms(terms: Any) -> str:
    """Write the terms of a result, a line each; of many the first.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> print(shown_terms({"sum": x + y, "both": [x, y]}))
    sum = x + y
    both = [x, y]
    """
    if isinstance(terms, TermArray) and terms.size > LISTED:
        terms = terms.ravel().terms()
    shown = list(itertools.islice(_lines(terms), LISTED))
    left = len(terms) - LISTED if isinstance(terms, (dict, list, tuple)) else 0
    return "\n".join([*shown, f"… {left} more"] if left > 0 else shown)


def _lines(terms: Any) -> Iterator[str]:
    if isinstance(terms, dict):
        yield from (f"{name} = {value!r}" for name, value in terms.items())
    elif isinstance(terms, (list, tuple)):
        yield from map(repr, terms)
    elif isinstance(terms, TermArray):
        yield from str(terms).splitlines()
    else:
        yield repr(terms)


def optimized_html(found: Any) -> str:
    """Show the terms, what they cost before and after, and the notes of the search."""
    return f"{preformatted(shown_terms(found.terms))}{found.table()._repr_html_()}"


def kernel_html(kernel: Any) -> str:
    """Show the operands, what is computed, its cost, notes and, of a short one, the program."""
    parts = [f"<p><code>{clean(repr(kernel))}</code></p>", preformatted(kernel.expression)]
    notes = () if kernel.report is None else tuple(kernel.report.notes)
    costs = () if kernel.cost is None else (kernel.cost.section(),)
    parts.append(Table(notes, costs)._repr_html_())
    program = kernel.program
    if not isinstance(program, Program) or len(program.instructions) <= MOST_INSTRUCTIONS:
        text = preformatted(str(program))
        parts.append(f"<details><summary>program</summary>{text}</details>")
    return "".join(parts)
