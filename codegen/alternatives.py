"""`explore` (`rw.explore`): the cheapest forms of a term side by side, with cost and accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, overload

import numpy as np

from codegen.explore import egraph
from codegen.kernel import float_name
from codegen.objective import price
from codegen.optimize import optimize
from rewrite.accuracy import Accuracy, accuracy
from rewrite.cost import CostModel
from rewrite.display import Displayed
from rewrite.egraph.limits import Limits
from rewrite.errors import AccuracyError, ArgumentError
from rewrite.fastmath import FastMath
from rewrite.options import configured
from rewrite.progress import followed
from rewrite.sampling import sample_points
from rewrite.tables import Table, bars, cut
from rewrite.term import Term

__all__ = ["Form", "Forms", "explore"]

WIDE: Final = 80
"""Letters of a form in the table."""
POINTS: Final = 256


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a term: what it costs, and how far off it is."""

    term: Term
    cost: float
    accuracy: Accuracy | None
    """None where no point has an exact value."""
    note: str = ""
    """Any of "as written", "chosen" (by `rw.optimize`), "accurate" (by its plan of that name)."""


@dataclass(frozen=True, repr=False)
class Forms(Displayed, Sequence[Form]):
    """Forms of one term, cheapest first; a prompt and a notebook show them as a table."""

    forms: tuple[Form, ...]
    model: CostModel

    @overload
    def __getitem__(self, at: int) -> Form: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Form, ...]: ...
    def __getitem__(self, at: int | slice) -> Form | tuple[Form, ...]:
        """Return a form, or several."""
        return self.forms[at]

    def __len__(self) -> int:
        """Count the forms."""
        return len(self.forms)

    def table(self) -> Table:
        """List the forms, with bits of error over sample points, cost, and a bar."""
        rows = [
            (cut(repr(form.term), WIDE), form.note, *_bits(form.accuracy), form.cost)
            for form in self.forms
        ]
        columns = ("form", "", "mean bits lost", "most", self.model.unit)
        return Table((), (bars(f"cost by {self.model.name}", rows, what=columns),))

    def __repr__(self) -> str:
        """Write the table."""
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _bits(found: Accuracy | None) -> tuple[Any, Any]:
    return ("", "") if found is None else (found.mean_bits, found.max_bits)


@followed
@configured
def explore(
    term: Term,
    k: int = 8,
    *,
    target: Any = "native",
    math: str | FastMath = "guarded",
    cost: "str | CostModel | None" = None,
    limits: Limits | None = None,
    dtype: Any = np.float64,
    progress: bool | None = None,
) -> Forms:
    """Show the k cheapest forms of a term, with what each costs and how accurate it is.

    They come from the e-graph of all laws that `math` allows. None is left out for its accuracy:
    what is measured at points in the domains of the symbols stands beside the cost. The form that
    was given is among them, the one that `rw.optimize` chooses, and the one that it chooses under
    `strategy="accurate"`; options are those it takes.

    Raise `ArgumentError` for what is no term, and for a k that is no number of forms.

    >>> import rewrite as rw
    >>> a, x, y = rw.symbols("a x y")
    >>> for form in rw.explore(a * x + a * y, k=2, cost="gowda2021"):
    ...     print(form.term, form.cost, form.note or "-")
    a*(x + y) 4.0 chosen, accurate
    fma(a, x, a*y) 4.0 -
    a*x + a*y 7.0 as written
    """
    if not isinstance(term, Term):
        raise ArgumentError(f"explore takes one term, not {term!r}")
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ArgumentError(f"k={k!r} is not a number of forms, 1 or more")
    options: dict[str, Any] = {"target": target, "math": math, "cost": cost, "limits": limits}
    chosen = optimize(term, dtype=dtype, strategy=None, **options)
    careful = optimize(term, dtype=dtype, strategy="accurate", **options)
    options["cost"] = model = chosen.model
    notes: dict[Term, list[str]] = {form: [] for form in egraph(term, **options).best(k)}
    for form, note in ((term, "as written"), (chosen.terms, "chosen"), (careful.terms, "accurate")):
        notes.setdefault(form, []).append(note)
    kind = np.float32 if float_name(dtype) == "f32" else np.float64
    points = sample_points(term.free_symbols, POINTS, dtype=kind)
    made = [
        Form(form, price([form], model), _accuracy(form, points, kind), ", ".join(told))
        for form, told in notes.items()
    ]
    made.sort(key=lambda form: form.cost)
    return Forms(tuple(form for at, form in enumerate(made) if at < k or form.note), model)


def _accuracy(term: Term, points: Any, dtype: Any) -> Accuracy | None:
    try:
        return accuracy(term, points, dtype)
    except AccuracyError:
        return None
