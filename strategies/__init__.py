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
    best,
    choice,
    count,
    fail,
    identity,
    if_,
    named,
    not_,
    repeat,
    repeat1,
    seq,
    strategy,
    traced,
    try_,
    where,
)
from strategies.recursion import fix
from strategies.saturation import saturate
from strategies.timing import timed
from strategies.traversal import (
    all_,
    alltd,
    bottomup,
    downup,
    innermost,
    on,
    oncebu,
    oncetd,
    one,
    outermost,
    some,
    topdown,
)

__all__ = [
    "Firing", "Strategy", "all_", "alltd", "best", "bottomup", "choice", "count", "downup", "fail",
    "fix", "identity", "if_", "innermost", "named", "not_", "on", "oncebu", "oncetd", "one",
    "outermost", "repeat", "repeat1", "saturate", "seq", "some", "strategy", "timed", "topdown",
    "traced", "try_", "where",
]  # fmt: skip
