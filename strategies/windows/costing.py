"""What forms of windows cost: `dag_cost` of many small programs, without making columns of each."""

from dataclasses import dataclass, field
from typing import Any

from rewrite import ops
from rewrite.cost import CostModel, dag_cost, latency_weight, priced
from strategies.windows.shape import Form, dag_of

__all__ = ["FormCosts"]

_CONST, _NEG, _FMA = ops.CONST.code, ops.NEG.code, ops.FMA.code


@dataclass(frozen=True)
class FormCosts:
    """Costs under one model, which is asked once about each op on no constants."""

    model: CostModel
    _plain: dict[tuple[int, int], float] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, form: Form) -> float:
        """Add up what a form costs."""
        if not self.model.sharing or latency_weight(self.model):
            return dag_cost(dag_of(form), self.model)
        rows = form[0]
        used, fused = _uses(form)
        constant: list[bool] = []
        total = 0.0
        for at, (code, args, _) in enumerate(rows):
            constant.append(all([constant[a] for a in args]) if args else code == _CONST)
            if args and used[at] and not constant[at] and not (code == _NEG and fused[at]):
                total += self._price(code, args, rows)
        return total

    def _price(self, code: int, args: tuple[int, ...], rows: Any) -> float:
        values = tuple([rows[a][2] if rows[a][0] == _CONST else None for a in args])
        if any([value is not None for value in values]):
            return priced(self.model, code, values)
        key = code, len(args)
        if key not in self._plain:
            self._plain[key] = priced(self.model, code, values)
        return self._plain[key]


def _uses(form: Form) -> tuple[list[bool], list[bool]]:
    """Tell which rows the roots are made of, and which of those only `fma` uses."""
    rows, roots = form
    used = [False] * len(rows)
    fused = [True] * len(rows)
    for root in roots:
        used[root], fused[root] = True, False
    for at in range(len(rows) - 1, -1, -1):
        if used[at]:
            code, args, _ = rows[at]
            for a in args:
                used[a] = True
                if code != _FMA:
                    fused[a] = False
    return used, fused
