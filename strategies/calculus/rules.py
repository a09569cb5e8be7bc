"""Differentiation as rewriting: the rules that the op table makes, and strategies that apply them.

This is what a derivative is. The compiled passes are tested against it, and are for large terms.

*Forward mode*: `derivative(t, x)` is pushed inwards, `derivative(sin(a), x)` becomes
`cos(a)*derivative(a, x)`, until it meets symbols and numbers; the laws of 0 and 1 clean up.

*Reverse mode*: `pull(t, g)` says that the result changes by g where t changes by one. It is taken
apart from the top: `pull(sin(a), g)` becomes `pull(a, cos(a)*g)`, and what several users pull at a
node is added before the node itself is taken apart. So the unary form of a program, one pull a
node, is walked once, and what is left at the symbols is the gradient.

After "Using rewrite strategies for efficient functional automatic differentiation" (2023) and
"Denotationally correct, purely functional, efficient reverse-mode automatic differentiation"
(2022).
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from rewrite import ops
from rewrite.conditions import atom, literal
from rewrite.derivatives import ARGUMENTS, FLAT, PARTIALS, VALUE
from rewrite.fastmath import licence
from rewrite.leaves import pattern_vars, rest
from rewrite.matching import apply_rule
from rewrite.overloads import define
from rewrite.rule import RuleSet, ruleset
from rewrite.sorts import BOOL, REAL
from rewrite.term import Term, apply
from strategies.base import Leaf, Strategy, choice, seq, strategy
from strategies.core import named, repeat, try_
from strategies.normal import SHRINKING, cleanup, fold
from strategies.traversal import innermost

__all__ = ["derivative", "forward", "forward_rules", "pull", "reverse", "reverse_rules"]

derivative: Final = define("derivative", [REAL, REAL], REAL)
"""derivative(t, x): what t changes by where x changes by one."""
pull: Final = define("pull", [REAL, REAL], REAL)
"""pull(t, g): the result changes by g where t changes by one."""

ALL: Final = licence("fast")
a, b, x, g, h = pattern_vars("a b x g h")
(c,) = pattern_vars("c", sort=BOOL)
others = rest("others")
SUM, PRODUCT = b + others, b * others
"""What is left of a sum or a product: one term or more."""


def _calls() -> Iterator[tuple[str, Term, list[tuple[Term, Term]]]]:
    """Yield each op of the table: its name, its call, and its arguments with their partials."""
    for code, parts in PARTIALS.items():
        row, args = ops.OPS[code], ARGUMENTS[: len(parts)]
        call = apply(row, *args)
        written = [part.substitute({VALUE: call}) for part in parts]
        yield row.name, call, list(zip(args, written, strict=True))


def _added(parts: list[Term]) -> Term:
    return parts[0] if len(parts) == 1 else apply(ops.ADD, *parts)


def _flat() -> list[tuple[str, Term]]:
    return [(ops.OPS[code].name, apply(ops.OPS[code], a)) for code in sorted(FLAT)]


def _d(term: Any) -> Term:
    return apply(derivative, term, x)


def _pull(term: Any, adjoint: Any) -> Term:
    return apply(pull, term, adjoint)


# fmt: off
@cache
def forward_rules() -> RuleSet:
    """Return the laws of `derivative`, made from the table of partial derivatives."""
    where = ops.WHERE
    return ruleset("forward", ALL,
        ("of-itself",  _d(x),                      1),
        ("of-number",  _d(a),                      0,                                  literal(a)),
        ("of-other",   _d(a),                      0,                                  atom(a)),
        ("of-sum",     _d(a + SUM),             _d(a) + _d(SUM)),
        ("of-product", _d(a * PRODUCT),             _d(a) * PRODUCT + a * _d(PRODUCT)),
        ("of-choice",  _d(apply(where, c, a, b)),  apply(where, c, _d(a), _d(b))),
        *((f"of-{name}", _d(call), _added([part * _d(arg) for arg, part in parts]))
          for name, call, parts in _calls()),
        *((f"of-{name}", _d(call), 0) for name, call in _flat()),
    )


@cache
def reverse_rules() -> RuleSet:
    """Return the laws of `pull`, made from the table of partial derivatives."""
    where = ops.WHERE
    return ruleset("reverse", ALL,
        ("at-number",  _pull(a, g),                     0,                              literal(a)),
        ("at-sum",     _pull(a + SUM, g),            _pull(a, g) + _pull(SUM, g)),
        ("at-product", _pull(a * PRODUCT, g),
                       _pull(a, g * PRODUCT) + _pull(PRODUCT, g * a)),
        ("at-choice",  _pull(apply(where, c, a, b), g),
                       _pull(a, apply(where, c, g, 0)) + _pull(b, apply(where, c, 0, g))),
        *((f"at-{name}", _pull(call, g), _added([_pull(arg, g * part) for arg, part in parts]))
          for name, call, parts in _calls()),
        *((f"at-{name}", _pull(call, g), 0) for name, call in _flat()),
    )


@cache
def merging() -> RuleSet:
    """Return the law that adds what several users pull at one node."""
    return ruleset("merging", ALL,
        ("merge",      _pull(a, g) + _pull(a, h),           _pull(a, g + h)),
        ("merge-more", _pull(a, g) + _pull(a, h) + others,  _pull(a, g + h) + others),
    )
# fmt: on


def forward() -> Strategy:
    """Return forward mode: apply it to `derivative(t, x)`.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> forward()(rw.apply(derivative, rw.sin(x) * y, x))
    cos(x)*y
    """
    laws = choice(strategy(forward_rules()), fold, strategy(SHRINKING.allowed(ALL)))
    return named("forward", innermost(laws))


def _summands(term: Term) -> Iterator[Term]:
    if term.op is ops.ADD:
        for part in term.args:
            yield from _summands(part)
    else:
        yield term


class _Highest(Leaf):
    """Take that pull of a sum apart whose node is no symbol and is used by no other of them.

    Ids of a store grow from arguments to calls, so it is the one with the greatest id.
    """

    def __str__(self) -> str:
        return "highest"

    def rewrite(self, term: Any) -> Any:
        """Apply one of the laws to one summand."""
        summands = list(_summands(term))
        open_ = [s for s in summands if s.op is pull and s.args[0].symbol is None]
        if not open_:
            return None
        top = max(open_, key=lambda s: s.args[0].id)
        for rule in reverse_rules():
            made = next(iter(apply_rule(rule, top)), None)
            if made is not None:
                summands.remove(top)
                return _added([*summands, *_summands(made)])
        return None


def reverse() -> Strategy:
    """Return reverse mode: apply it to `pull(t, 1)`; pulls at the symbols are left.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> reverse()(rw.apply(pull, rw.sin(x) * y, 1))
    pull(y, sin(x)) + pull(x, y*cos(x))
    """
    tidy = cleanup("fast")
    merge = repeat(strategy(merging()))
    return named("reverse", seq(repeat(seq(_Highest(), tidy, merge)), try_(tidy)))
