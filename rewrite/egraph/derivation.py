"""How an `Explanation` looks on a page: a derivation in LaTeX, and as a table of steps."""

import itertools
from collections.abc import Iterator
from typing import Final

from rewrite import printing
from rewrite.display import MOST
from rewrite.egraph.explanation import Explanation, Step
from rewrite.tables import clean, cut

__all__ = ["html", "latex"]

WIDE: Final = 240
"""Letters of a term in a table."""
_CELL: Final = 'style="text-align:left;vertical-align:top"'
_ROW: Final = f"<tr><td {_CELL}>%s</td><td {_CELL}>%s</td><td {_CELL}>%s</td></tr>"


def _results(found: Explanation) -> Iterator[tuple[str, list[Step]]]:
    """Yield the steps of each result, and of each part with its title."""
    for part in found.parts:
        for title, steps in _results(part.explanation):
            yield part.title + (f", {title}" if title else ""), steps
    for _, own in itertools.groupby(found.steps, key=lambda step: step.result):
        yield "", list(own)


def latex(found: Explanation) -> str:
    r"""Write the steps as aligned equations, the law beside each.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> print(latex(rw.explain(x * 1 + 0, x)))
    \begin{aligned}
    & x \cdot 1 + 0\\
    &= x + 0 && \texttt{mul-one}\\
    &= x && \texttt{add-zero}\\
    \end{aligned}
    """
    lines = []
    for title, steps in _results(found):
        if title:
            lines.append(f"& {printing.words(title, 'text')}\\\\")
        lines.append(f"& {printing.latex(steps[0].before)}\\\\")
        lines += [
            f"&= {printing.latex(step.after)} && {printing.words(step.name, 'texttt')}\\\\"
            for step in steps
        ]
    return "\n".join(["\\begin{aligned}", *lines, "\\end{aligned}"])


def html(found: Explanation) -> str:
    """Write a table of steps: what is made, by which law, and why that may be used."""
    if not len(found):
        return f"<p>{clean(str(found))}</p>"
    rows: list[str] = []
    left = MOST // 2
    for row in _rows(found):
        left -= len(row)
        if left < 0:
            rows.append(_ROW % ("", "…", "print shows all steps"))
            break
        rows.append(row)
    return f"<table><tbody>{''.join(rows)}</tbody></table>{_assumed(found)}"


def _rows(found: Explanation) -> Iterator[str]:
    count = itertools.count(1)
    for title, steps in _results(found):
        if title:
            yield _ROW % ("", f"<i>{clean(title)}</i>", "")
        yield _ROW % ("", _term(steps[0].before), "")
        yield from (_step(next(count), step) for step in steps)


def _step(number: int, step: Step) -> str:
    name, _, law = step.law().partition(": ")
    why = [f"<b>{clean(name)}</b>", f"<small><code>{clean(cut(law, WIDE))}</code></small>"]
    return _ROW % (number, f"= {_term(step.after)}", "<br>".join(why))


def _term(term: object) -> str:
    return f"<code>{clean(cut(repr(term), WIDE))}</code>"


def _assumed(found: Explanation) -> str:
    if not found.assumptions:
        return ""
    facts = ", ".join(map(str, found.assumptions))
    return f"<p>where the value is finite: <code>{clean(facts)}</code></p>"
