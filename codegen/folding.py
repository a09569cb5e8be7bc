"""Subterms of constants, computed ahead of time: exactly and rounded once, or as kernels do.

`strict` kernels compute what is written, so a function of constants has the bits that its code
would give it in the loop: else a rule by which an operand becomes a constant, as `x**0 -> 1`, would
change them.
"""

import functools
import weakref
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np

from codegen.instruction import Constant
from rewrite import ops
from rewrite.constants import Named, rounded
from rewrite.dag import Dag
from rewrite.evaluate import evaluate, function_of
from rewrite.leaves import symbol
from rewrite.oracle import exact_dag
from rewrite.sorts import BOOL
from rewrite.store import Store, Symbol
from rewrite.term import Term, apply, const

__all__ = ["constant_value", "constant_values"]

_ALIKE = {"div", "sqrt"}
"""Real ops that NumPy computes with the same bits as kernels, beside those that make integers."""
_CHOSEN = {"minimum", "maximum"}
"""Of two zeros NumPy's choice depends on the CPU."""


type Known = dict[tuple[int, bool], Constant | bool]

_known: Final[weakref.WeakKeyDictionary[Store, Known]] = weakref.WeakKeyDictionary()
"""By store: the value of a node, under `strict` or not. Several stages of a kernel ask for it."""


def constant_value(term: Term, strict: bool) -> Constant | bool:
    """Evaluate a term made of constants: by steps in float64, or exactly and rounded once."""
    return constant_values(term.store, [term.id], strict)[0]


def constant_values(store: Store, nodes: Sequence[int], strict: bool) -> list[Constant | bool]:
    """Evaluate nodes made of constants, together and each once."""
    known = _known.setdefault(store, {})
    left = [node for node in dict.fromkeys(nodes) if (node, strict) not in known]
    numbers = [node for node in left if store.sort(node) != BOOL]
    if numbers and not strict:
        for node, value in zip(numbers, _exactly(Dag.of(store, numbers)), strict=True):
            if value is not None:
                known[node, strict] = value
    for node in left:
        if (node, strict) not in known:
            known[node, strict] = _alone(Term(store, node), strict)
    return [known[node, strict] for node in nodes]


def _exactly(dag: Dag) -> list[Constant | None]:
    """Evaluate exactly and round once; None where there is no value."""
    return [
        Constant.of(
            (Fraction(value.high[0]) + Fraction(value.low[0]))
            * Fraction(2) ** int(value.exponent[0])
        )
        if value.ok[0]
        else None
        for value in exact_dag(dag, {}, doubles=False)
    ]


def _alone(term: Term, strict: bool) -> Constant | bool:
    if term.sort == BOOL:
        return bool(evaluate(term))
    if strict:
        return Constant.of(_by_steps(Dag.of(term.store, [term.id])))
    return Constant.of(float(evaluate(term)))


def _by_steps(dag: Dag) -> float:
    """Return the value of a program of constants, each step with the bits of a strict kernel."""
    values: list[Any] = []
    with np.errstate(all="ignore"):
        for at, (code, args) in enumerate(dag.rows()):
            given = [values[a] for a in args]
            row = ops.OPS[code]
            leaf = dag.value[at]
            if leaf is not None and not isinstance(leaf, Symbol):
                values.append(rounded(leaf, np.dtype(np.float64)))
            elif (row.makes == "r" and row.name not in _ALIKE) or row.name in _CHOSEN:
                values.append(_kernel(code, len(args), _power(dag, code, args))(*given))
            else:
                values.append(function_of(dag, at, code)(*given))
    return float(values[dag.roots[0]])


def _power(dag: Dag, code: int, args: Sequence[int]) -> Any:
    """Return a number that is the exponent of a power, which decides how that is computed."""
    value = dag.value[args[1]] if code == ops.POW.code else None
    return None if isinstance(value, Named) else value


@functools.lru_cache(256)
def _kernel(code: int, count: int, power: Any) -> Callable[..., Any]:
    """Compile one op of so many numbers, for this exponent where it is known."""
    from codegen.kernel import Kernel  # which is made of programs whose constants are folded here
    from codegen.lower import Parameter, Result, lower

    operands = [symbol(f"x{number}") for number in range(count)]
    given = operands if power is None else [operands[0], const(power)]
    parameters = [Parameter(o.symbol.name, (), (o,)) for o in operands if o.symbol is not None]
    result = Result("out", (), (apply(ops.OPS[code], *given),))
    return Kernel(lower(parameters, [result], strict=True), dtype="f64")
