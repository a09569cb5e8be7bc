"""What `best` chooses by: sizes, costs, and bits of error, as values that print as what they are.

A measure is a function of a term, and less is better. One with a method `against` looks at the
source first: it returns the function that measures the source and what was made of it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from rewrite import ops
from rewrite.cost import CostModel, dag_cost
from rewrite.dag import Dag
from rewrite.interface import children, is_call
from rewrite.term import Term

__all__ = ["Bits", "Cost", "InOrder", "Length", "Measure", "Nodes", "Relative", "against"]

type Measure = Callable[[Any], Any]
"""Maps terms to what can be compared."""


@runtime_checkable
class Relative(Protocol):
    """A measure that depends on the source."""

    def against(self, source: Any) -> Measure:
        """Return the measure of forms of this source."""


def against(by: Any, source: Any) -> Measure:
    """Return a measure for forms of one source."""
    return by.against(source) if isinstance(by, Relative) else by


@dataclass(frozen=True)
class Nodes:
    """The distinct nodes: what is shared counts once. Of terms of any type.

    >>> Nodes()(("add", ("mul", "x", 2), 1))
    5
    """

    def __call__(self, term: Any) -> int:
        if isinstance(term, Term):
            return term.node_count()
        seen: dict[int, Any] = {}  # keeps them alive, so that their identities stay their own
        stack = [term]
        while stack:
            node = stack.pop()
            if id(node) not in seen:
                seen[id(node)] = node
                stack += children(node) if is_call(node) else ()
        return len(seen)

    def __str__(self) -> str:
        return "nodes"


@dataclass(frozen=True)
class Length:
    """How long a term is when written out: names, numbers and operators, at every use."""

    def __call__(self, term: Term) -> int:
        dag = Dag.of(term.store, [term.id])
        total: list[int] = []
        for code, args in dag.rows():
            signs = len(args) - 1 if len(args) > 1 and ops.OPS[code].infix else len(args) > 0
            total.append(signs + sum([total[a] for a in args]) if args else 1)
        return total[dag.roots[0]]

    def __str__(self) -> str:
        return "length"


@dataclass(frozen=True)
class Cost:
    """The cost of a program under a model."""

    model: CostModel

    def __call__(self, term: Term) -> float:
        return dag_cost(Dag.of(term.store, [term.id]), self.model)

    def __str__(self) -> str:
        return self.model.name


@dataclass(frozen=True)
class Bits:
    """The mean bits of error at points of the source's domain, in steps of `grain`.

    The steps are there because means of a sample differ by chance, and because so little is not
    worth a cycle. A form that cannot be measured is worst.
    """

    dtype: str = "f64"
    grain: float = 0.05

    def against(self, source: Term) -> Callable[[Term], float]:
        """Sample points and compute the exact values there, once."""
        from rewrite.guard import Guard  # brings the oracle, which strategies do without

        guard = Guard(source, dtype=np.float32 if self.dtype == "f32" else np.float64)

        def measure(form: Term) -> float:
            (bits,) = guard.errors(form)
            if np.isnan(bits).all():
                return math.inf
            return round(float(np.nanmean(bits)) / self.grain) * self.grain

        return measure

    def __str__(self) -> str:
        return "bits of error"


@dataclass(frozen=True)
class InOrder:
    """One measure, and of what is equal under it another one."""

    first: Any
    second: Any

    def against(self, source: Any) -> Callable[[Any], tuple[Any, Any]]:
        """Return pairs, which compare so."""
        first, second = against(self.first, source), against(self.second, source)
        return lambda form: (first(form), second(form))

    def __str__(self) -> str:
        return f"{self.first} then {self.second}"
