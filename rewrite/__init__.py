"""A compiler for numeric Python: terms, rewrite rules, e-graphs, cycle costs, native SIMD code.

>>> import rewrite as rw
>>> x, y = rw.symbols("x y")
>>> x * y + x
x*y + x

Every public name is loaded from its module on first use, so `import rewrite` stays fast.
"""

import importlib
import importlib.util
import sys
import types
from typing import TYPE_CHECKING, Any, Final

__version__ = "0.1.0"

# fmt: off
_HOME: Final[dict[str, str]] = {
    **dict.fromkeys(("Term", "apply", "const", "pattern_vars"), "rewrite.term"),
    **dict.fromkeys(("scope", "symbol", "symbols"), "rewrite.term"),
    **dict.fromkeys(("TermArray", "asarray", "numpy_functions"), "rewrite.array"),
    **dict.fromkeys(("Store", "Symbol"), "rewrite.store"),
    **dict.fromkeys(("Sort", "BOOL", "INT", "REAL"), "rewrite.sorts"),
    **dict.fromkeys(("eq", "ne", "logical_and", "logical_or", "logical_not"), "rewrite.functions"),
    "trace": "rewrite.tracing",
    "RewriteError": "rewrite.errors",
    **dict.fromkeys(("Rule", "RuleSet", "ruleset"), "rewrite.rule"),
    **dict.fromkeys(("FastMath",), "rewrite.fastmath"),
    **dict.fromkeys(("Limits", "Report", "StopReason"), "rewrite.egraph.limits"),
    **dict.fromkeys(("CostModel",), "rewrite.cost"),
    **dict.fromkeys(("evaluate",), "rewrite.evaluate"),
    **dict.fromkeys(("accuracy",), "rewrite.accuracy"),
    **dict.fromkeys(("parse",), "rewrite.io.parse"),
    **dict.fromkeys(("from_sympy", "to_sympy"), "rewrite.io.sympy"),
    **dict.fromkeys(("show",), "rewrite.debug"),
    **dict.fromkeys(("optimize",), "codegen.pipeline"),
    **dict.fromkeys(("jit",), "codegen.jit"),
    **dict.fromkeys(("Kernel",), "codegen.kernel"),
}
"""Public name -> the module that defines it."""
_RENAMED: Final[dict[str, tuple[str, str]]] = {
    "compile": ("codegen.pipeline", "compile_kernel"),
    "pi": ("rewrite.term", "pi"),
    "e": ("rewrite.term", "e"),
}
_MODULES: Final = ("errors", "interface", "ops", "testing", "io")
# fmt: on


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name in ("pi", "e"):
        return getattr(importlib.import_module("rewrite.term"), name)()
    elif name in _RENAMED:
        module, attribute = _RENAMED[name]
        value = getattr(importlib.import_module(module), attribute)
    elif not name.startswith("_") and importlib.util.find_spec(f"rewrite.{name}"):
        return importlib.import_module(f"rewrite.{name}")  # `from rewrite import ops` asks first
    else:
        functions = importlib.import_module("rewrite.functions").FUNCTIONS
        if name not in functions:
            raise AttributeError(f"module 'rewrite' has no attribute {name!r}")
        value = functions[name]
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    functions = importlib.import_module("rewrite.functions").FUNCTIONS
    return sorted({*_HOME, *_RENAMED, *_MODULES, *functions, "__version__"})


class _Front(types.ModuleType):
    """Keep `rw.evaluate` the function: Python puts the module of that name in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Front

if TYPE_CHECKING:
    from codegen.jit import jit as jit
    from rewrite.array import TermArray as TermArray
    from rewrite.array import asarray as asarray
    from rewrite.errors import RewriteError as RewriteError
    from rewrite.io.parse import parse as parse
    from rewrite.io.sympy import from_sympy as from_sympy
    from rewrite.io.sympy import to_sympy as to_sympy
    from rewrite.term import Term as Term
    from rewrite.term import scope as scope
    from rewrite.term import symbol as symbol
    from rewrite.term import symbols as symbols
    from rewrite.tracing import trace as trace
