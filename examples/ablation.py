"""The order of laws matters: the same rules under several plans, and what each of them gives."""

from typing import Any

import rewrite as rw
from rewrite.rules.arithmetic import CANCELLATION, DISTRIBUTIVITY, FACTORING, IDENTITIES
from rewrite.rules.contraction import CONTRACTION
from strategies import bottomup, innermost, outermost, repeat, saturate, strategy, topdown, try_
from strategies.measures import Cost

x = rw.symbol("x", low=0.5, high=2)
y, z = rw.symbols("y z", low=1, high=1.001)
TERMS = {
    "a polynomial": x * y + x * z + (y + z) * (x - 1),
    "a difference": (x * y - x * z) / (y - z) + x * (y - z) * (y + z),
}
EXPAND = rw.RuleSet("expand", DISTRIBUTIVITY.rules[:4])
TIDY = rw.RuleSet("tidy", (*IDENTITIES, *CANCELLATION, *FACTORING.rules[:-3]))
ONE_WAY = rw.RuleSet("one way", (*CONTRACTION, *TIDY))
MODEL = rw.optimize(x).model
cost = Cost(MODEL)


def everywhere(rules: rw.RuleSet) -> rw.Strategy:
    """Apply rules bottom-up until none applies any more."""
    return repeat(bottomup(try_(rules)), limit=100)


expand, tidy, contract = (everywhere(rules) for rules in (EXPAND, TIDY, CONTRACTION))
PLANS: dict[str, Any] = {
    "as written": rw.identity,
    "expand ; tidy ; contract": expand >> tidy >> contract,
    "contract ; expand ; tidy": contract >> expand >> tidy,
    "tidy ; contract ; expand": tidy >> contract >> expand,
    "innermost": innermost(ONE_WAY),
    "outermost": outermost(ONE_WAY),
    "topdown, once": topdown(try_(strategy(ONE_WAY))),
    "saturation of the same": saturate(ONE_WAY, MODEL, expand=EXPAND),
    **{name: rw.plan(name) for name in ("cheapest", "accurate", "smallest", "textbook")},
}


print(f"cycles of {MODEL.name}\n")
for title, source in TERMS.items():
    print(f"{title}: {source}\n{'plan':26}{'cycles':>8}{'nodes':>7}{'bits':>7}  result")
    cycles: dict[str, float] = {}
    for name, plan in PLANS.items():
        made = try_(plan)(source)
        cycles[name], bits = cost(made), rw.accuracy(made).mean_bits
        print(f"{name:26}{cycles[name]:8.2f}{made.node_count():7}{bits:7.2f}  {made}")
    print()
    assert cycles["expand ; tidy ; contract"] != cycles["contract ; expand ; tidy"]
    assert cycles["cheapest"] <= cycles["as written"]
