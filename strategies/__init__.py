"""How laws are applied: combinators, traversals, saturation, and plans made of them.

>>> import rewrite as rw
>>> from rewrite.rule import Rule
>>> from strategies import bottomup, try_
>>> (a,) = rw.pattern_vars("a")
>>> bottomup(try_(Rule("neg-neg", -(-a), a)))
bottomup(try(neg-neg))
"""

from strategies.core import (
    Firing,
    Strategy,
    choice,
    fail,
    identity,
    not_,
    repeat,
    seq,
    strategy,
    traced,
    try_,
    where,
)
from strategies.saturation import saturate
from strategies.traversal import (
    all_,
    alltd,
    bottomup,
    downup,
    innermost,
    oncebu,
    oncetd,
    one,
    outermost,
    some,
    topdown,
)

__all__ = [
    "Firing", "Strategy", "all_", "alltd", "bottomup", "choice", "downup", "fail", "identity",
    "innermost", "not_", "oncebu", "oncetd", "one", "outermost", "repeat", "saturate", "seq",
    "some", "strategy", "topdown", "traced", "try_", "where",
]  # fmt: skip
