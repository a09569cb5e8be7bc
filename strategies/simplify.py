"""`simplify`: the same laws by either engine, exchangeable by a word.

Classically the laws rewrite from the inside out and sums and products are put into canonical form.
In an e-graph all consequences of the laws are kept, in whatever order they are found, and the
smallest term is taken out and put into canonical form too; where the classical result is smaller,
it is that one. Neither gives back a term with more nodes than it was given; of equals, what was
written stays.
"""

from dataclasses import dataclass
from typing import Any, Final

from rewrite import ops
from rewrite.conditions import nonneg
from rewrite.constants import Constant
from rewrite.errors import StrategyError
from rewrite.fastmath import FastMath, licence
from rewrite.functions import FUNCTIONS
from rewrite.leaves import pattern_vars
from rewrite.options import configured
from rewrite.rule import RuleSet, ruleset
from rewrite.rules import ALL, EXPAND
from rewrite.rules.arithmetic import COMMUTATIVITY, FACTORING
from rewrite.term import Term
from strategies.algebra import normalize
from strategies.base import Strategy, choice
from strategies.core import best
from strategies.normal import Fold
from strategies.saturation import saturate
from strategies.traversal import innermost

__all__ = ["BACKENDS", "SQUARES", "TIDY", "Size", "simplifier", "simplify"]

sin, cos, sinh, cosh = (FUNCTIONS[name] for name in ("sin", "cos", "sinh", "cosh"))
sqrt, absolute = FUNCTIONS["sqrt"], FUNCTIONS["abs"]
_GROUPS: Final = (
    "identities", "negation", "zeros", "cancellation", "power-values", "exponential-values",
    "inverses-of-exp", "trig-values", "pythagoras", "hyperbolic-values", "absolute-exact",
    "minmax-known", "logic", "selects",
)  # fmt: skip
a = pattern_vars("a")[0]
SQUARES: Final = ruleset("squares", FastMath.REASSOC | FastMath.NSZ | FastMath.NNAN,
    ("sin-cos-squares",     sin(a)**2 + cos(a)**2,    1),
    ("cosh-sinh-squares",   cosh(a)**2 - sinh(a)**2,  1),
    ("one-minus-sin",       1 - sin(a)**2,            cos(a)**2),
    ("one-minus-cos",       1 - cos(a)**2,            sin(a)**2),
    ("sqrt-squared",        sqrt(a)**2,               a,              nonneg(a)),
    ("sqrt-of-square",      sqrt(a**2),               absolute(a)),
)  # fmt: skip
"""Squares as canonical products write them, where the library's tables have a * a."""
TIDY: Final = RuleSet("tidy", (*(rule for g in ALL if g.name in _GROUPS for rule in g), *SQUARES))
"""Laws that make a term smaller, or move a sign outwards, whatever stands around it."""
SEARCHED: Final = (COMMUTATIVITY, FACTORING)
"""What an e-graph may use beside: which order, or which common factor, is best shows in the end."""
BACKENDS: Final = ("classical", "egraph")


@dataclass(frozen=True)
class Size:
    """Every node costs one, shared ones once: what is read, not what is run."""

    name: str = "size"
    unit: str = "nodes"
    sharing: bool = True

    def price(self, op: ops.Op, constants: tuple[Constant | None, ...]) -> float:
        """Price any op the same."""
        return 1.0


def simplifier(
    backend: str = "classical", *, math: str | FastMath = "guarded", rules: RuleSet = TIDY
) -> Strategy:
    """Return `simplify` as a strategy; raise `StrategyError` for a backend that there is not."""
    allowed = licence(math)
    laws = rules.allowed(allowed)
    inner, canonical = innermost(choice(Fold(allowed), laws)), normalize(allowed)
    tidied = best(inner >> best(canonical >> best(inner)))
    if backend == "classical":
        return tidied
    if backend == "egraph":
        growing = [rule for rule in laws if rule in EXPAND.rules]
        shrinking = RuleSet(laws.name, tuple(r for r in laws if r not in growing))
        order = [rule for group in SEARCHED for rule in group.allowed(allowed)]
        expand = RuleSet("order", (*order, *(r for r in growing if r not in order)))
        search = saturate(shrinking, Size(), expand=expand, licence=allowed)
        return best(tidied, search >> tidied)
    raise StrategyError(f"no backend is called {backend!r}; choices: {', '.join(BACKENDS)}")


@configured
def simplify(
    term: Any, *, backend: str = "classical", math: str | FastMath = "guarded",
    rules: RuleSet = TIDY,
) -> Any:  # fmt: skip
    """Return an equal term, of the type it was given, that is no larger.

    `rules` are the laws that may be used, as far as `math` allows them; the e-graph also reorders
    and takes out common factors. The classical backend is some twenty times faster, and takes terms
    of other types too (`rewrite.interface`). Raise `StrategyError` for another backend, or for
    rules that do not end.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> simplify(rw.sin(x) ** 2 + rw.cos(x) ** 2 + y - y)
    1
    >>> simplify((x + y) * y - x * y - y**2 + 2 * x + 3 * x, backend="egraph")
    5*x
    """
    plan = _PLANS.get((backend, math)) if rules is TIDY else None
    if plan is None:
        plan = simplifier(backend, math=math, rules=rules)
        if rules is TIDY:
            _PLANS[backend, math] = plan
    if backend == "egraph" and not isinstance(term, Term):
        kind = type(term).__name__
        raise StrategyError(
            f'backend="egraph" takes terms of this library, not {kind}; use rw.from_sympy, or '
            'backend="classical"'
        )
    if isinstance(term, str):
        raise StrategyError(f"cannot simplify the text {term!r}; rw.parse makes a term of it")
    made = plan(term)
    return term if made is None else made


_PLANS: Final[dict[tuple[str, str | FastMath], Strategy]] = {}
"""Made once: a plan carries its compiled rules."""
