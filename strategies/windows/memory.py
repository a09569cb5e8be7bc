"""Forms that were found before, in this run and on disk.

A key on disk is a digest of the shape, the laws and their order, the cost model, the limits, and
the values at which the judge measured; of a form that comes from there the fingerprint must be that
of its shape.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rewrite import ops
from rewrite.constants import PI, E, Named
from rewrite.contentcache import ContentCache, digest, folder, stamp
from rewrite.egraph.plan import plan_of
from rewrite.fastmath import FastMath
from strategies.windows.shape import Form, Row, Shape

if TYPE_CHECKING:
    from strategies.saturation import Saturate

__all__ = ["Memory", "read", "settled_plan", "write"]

_OWN: Final = ("rewrite", "strategies", "codegen")
_NAMED: Final = {named.name: named for named in (PI, E)}
_SAME: Final = "null"
"""What stands for "its own form is the cheapest"."""


class Memory:
    """The forms of shapes under one plan."""

    def __init__(self, plan: "Saturate") -> None:
        where = folder()
        self.disk = None if where is None or not settled_plan(plan) else ContentCache(where)
        self.base = "" if self.disk is None else _base(plan)
        self.noted: dict[str, Form | None] = {}

    def key(self, shape: Shape, values: Sequence[Any], budget: str) -> str:
        """Return the key of a shape on disk."""
        data = b"".join(np.ascontiguousarray(value).tobytes() for value in values)
        return digest(self.base, budget, shape.key, data)

    def recall(self, keys: Mapping[str, Shape]) -> dict[str, Form | None]:
        """Return what is known, by key."""
        found: dict[str, Form | None] = {}
        for key, text in self.disk.get(keys).items() if self.disk is not None else ():
            try:
                found[key] = read(text, len(keys[key].leaves))
            except (ValueError, TypeError, KeyError, IndexError):
                continue  # damaged: it will be found again
        return found

    def note(self, forms: Mapping[str, Form | None]) -> None:
        """Take note of what was found."""
        self.noted |= forms

    def keep(self) -> None:
        """Keep what was noted, all at once: each write of its own takes as long."""
        if self.disk is not None:
            self.disk.put({key: write(form) for key, form in self.noted.items()})
        self.noted.clear()


def settled_plan(plan: "Saturate") -> bool:
    """Tell whether a plan is all data of ours: of other cost models and judges nothing is known."""
    parts = [plan.cost, *([] if plan.judge is None else [plan.judge])]
    return all(
        is_dataclass(part) and type(part).__module__.partition(".")[0] in _OWN for part in parts
    )


def _base(plan: "Saturate") -> str:
    """Return a digest of all that the results of a plan depend on besides the shape."""
    fold = FastMath.REASSOC in plan.licence
    rules = plan_of(
        plan.schedule_of(), fold=fold, kept=[r for group in plan.allowed for r in group]
    )
    limits = plan.limits
    parts = (
        stamp(), repr(rules.rules), repr(rules.steps), repr(rules.schedulers), repr(fold),
        repr(plan.cost), repr(plan.judge), plan.dtype, plan.extract, repr(plan.licence),
        repr((limits.iterations, limits.nodes, limits.matches)),
    )  # fmt: skip
    return digest(*parts)


def write(form: Form | None) -> str:
    """Write a form as text."""
    if form is None:
        return _SAME
    rows = [
        [ops.OPS[code].name, *args] if args else [ops.OPS[code].name, _constant(value)]
        for code, args, value in form[0]
    ]
    return json.dumps([rows, form[1]], separators=(",", ":"))


def _constant(value: Any) -> list[Any]:
    match value:
        case bool():
            return ["b", value]
        case int():
            return ["i", str(value)]
        case Fraction():
            return ["q", str(value)]
        case float():
            return ["f", value.hex()]
        case Named():
            return ["n", value.name]
    raise TypeError(value)


def read(text: str, leaves: int) -> Form | None:
    """Read a form that was written; raise `ValueError` or a like error for any other text."""
    found = json.loads(text)
    if found is None:
        return None
    rows: list[Row] = []
    for name, *rest in found[0]:
        row = ops.op(name)
        if row.arity == ops.LEAF:
            if row is ops.PVAR:
                raise ValueError(text)
            ((kind, value),) = rest
            known = _value(kind, value)
            if row is ops.SYMBOL and not 0 <= known < leaves:
                raise ValueError(text)
            rows.append((row.code, (), known))
        else:
            args = tuple(int(a) for a in rest)
            if not all(0 <= a < len(rows) for a in args):
                raise ValueError(text)
            rows.append((row.code, args, None))
    roots = tuple(int(root) for root in found[1])
    if not all(0 <= root < len(rows) for root in roots):
        raise ValueError(text)
    return tuple(rows), roots


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "b": bool, "i": int, "q": Fraction, "f": float.fromhex, "n": _NAMED.__getitem__,
}  # fmt: skip


def _value(kind: str, value: Any) -> Any:
    return _READERS[kind](value)
