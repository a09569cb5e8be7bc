"""How laws are applied: combinators, traversals, saturation, and plans made of them.

>>> import rewrite as rw
>>> from rewrite.rule import Rule
>>> from strategies import bottomup, try_
>>> (a,) = rw.pattern_vars("a")
>>> bottomup(try_(Rule("neg-neg", -(-a), a)))
bottomup(try(neg-neg))

Each name is loaded from its module on first use: derivatives need none of them.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from strategies.core import Firing as Firing
    from strategies.core import Strategy as Strategy
    from strategies.core import best as best
    from strategies.core import choice as choice
    from strategies.core import count as count
    from strategies.core import fail as fail
    from strategies.core import identity as identity
    from strategies.core import if_ as if_
    from strategies.core import named as named
    from strategies.core import not_ as not_
    from strategies.core import repeat as repeat
    from strategies.core import repeat1 as repeat1
    from strategies.core import seq as seq
    from strategies.core import strategy as strategy
    from strategies.core import traced as traced
    from strategies.core import try_ as try_
    from strategies.core import where as where
    from strategies.recursion import fix as fix
    from strategies.saturation import saturate as saturate
    from strategies.timing import timed as timed
    from strategies.traversal import all_ as all_
    from strategies.traversal import alltd as alltd
    from strategies.traversal import bottomup as bottomup
    from strategies.traversal import downup as downup
    from strategies.traversal import innermost as innermost
    from strategies.traversal import on as on
    from strategies.traversal import oncebu as oncebu
    from strategies.traversal import oncetd as oncetd
    from strategies.traversal import one as one
    from strategies.traversal import outermost as outermost
    from strategies.traversal import some as some
    from strategies.traversal import topdown as topdown

__all__ = [
    "Firing", "Strategy", "all_", "alltd", "best", "bottomup", "choice", "count", "downup", "fail",
    "fix", "identity", "if_", "innermost", "named", "not_", "on", "oncebu", "oncetd", "one",
    "outermost", "repeat", "repeat1", "saturate", "seq", "some", "strategy", "timed", "topdown",
    "traced", "try_", "where",
]  # fmt: skip

# fmt: off
_HOME: Final[dict[str, str]] = {
    name: module
    for module, names in {
        "strategies.core":
            "Firing Strategy best choice count fail identity if_ named not_ repeat repeat1 "
            "seq strategy traced try_ where",
        "strategies.recursion": "fix",
        "strategies.saturation": "saturate",
        "strategies.timing": "timed",
        "strategies.traversal":
            "all_ alltd bottomup downup innermost on oncebu oncetd one outermost some topdown",
    }.items()
    for name in names.split()
}
"""Public name -> the module that defines it."""
# fmt: on


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'strategies' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
