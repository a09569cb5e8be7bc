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

from rewrite.collector import uncollected

__version__ = "0.1.0"

# fmt: off
_HOME: Final[dict[str, str]] = {
    name: module
    for module, names in {
        "rewrite.term": "Term apply const scope",
        "rewrite.leaves": "pattern_vars rest symbol symbols",
        "rewrite.array": "TermArray asarray numpy_functions",
        "rewrite.store": "Store Symbol",
        "rewrite.overloads": "overload",
        "rewrite.derivatives": "register",
        "rewrite.sorts": "BOOL INT MATRIX REAL Sort",
        "rewrite.functions": "eq logical_and logical_not logical_or ne",
        "rewrite.tracing": "trace",
        "rewrite.errors": "RewriteError",
        "rewrite.rule": "Compute Condition Rule RuleSet compute predicate ruleset",
        "rewrite.conditions":
            "at_least at_most atom integer literal negative nonneg nonpos nonzero positive "
            "symbolic",
        "rewrite.fastmath": "FastMath",
        "rewrite.egraph.explanation": "Explanation Step",
        "rewrite.egraph.limits": "Limits Report StopReason",
        "rewrite.egraph.replay": "replay",
        "rewrite.cost": "CostModel LatencyModel",
        "rewrite.evaluate": "evaluate",
        "rewrite.oracle": "exact ulp_distance",
        "rewrite.accuracy": "Accuracy accuracy bits_of_error",
        "rewrite.guard": "Guard",
        "rewrite.sampling": "sample_points",
        "rewrite.fingerprint": "Fingerprint distinct fingerprint fingerprints",
        "rewrite.io.parse": "parse",
        "rewrite.io.sympy": "from_sympy to_sympy",
        "rewrite.debug": "show",
        "rewrite.options": "options",
        "strategies.core":
            "Firing Strategy best choice count fail identity if_ named not_ repeat repeat1 seq "
            "strategy traced try_",
        "strategies.traversal":
            "all_ alltd bottomup downup innermost on oncebu oncetd one outermost some topdown",
        "strategies.recursion": "fix",
        "strategies.timing": "timed",
        "strategies.normal": "cleanup fold",
        "strategies.algebra":
            "apart cancel collect expand factor factor_terms horner normalize spell substitute "
            "together",
        "strategies.saturation": "saturate",
        "strategies.simplify": "simplify",
        "strategies.check": "CheckReport check",
        "strategies.derive": "explain",
        "strategies.calculus.sparse":
            "SparseTerms column_coloring hessian_sparsity jacobian_sparsity sparse_hessian "
            "sparse_jacobian",
        "codegen.optimize": "Optimized optimize plan",
        "strategies.explore": "Saturated",
        "codegen.cost": "cycles",
        "codegen.alternatives": "Form Forms explore",
        "codegen.config": "show_config",
        "codegen.explore": "egraph",
        "codegen.jit": "jit",
        "codegen.calculus.functions": "diff gradient hessian hvp jacobian jvp vjp",
        "codegen.calculus.grad": "grad value_and_grad",
        "codegen.calculus.scan": "Scan scan",
        "codegen.calculus.elements": "ElementKernel element_kernel",
        "codegen.calculus.memory": "MemorySchedule memory_schedule",
        "codegen.kernel": "Kernel",
        "codegen.lambdify": "lambdify",
        "codegen.magic": "load_ipython_extension",
        "codegen.ode.ode": "Ode ode",
        "codegen.target": "Target",
    }.items()
    for name in names.split()
}
"""Public name -> the module that defines it. `rw.where` is the op; the strategy of that name is in
`strategies`."""
_RENAMED: Final[dict[str, tuple[str, str]]] = {
    "compile": ("codegen.compile", "compile_kernel"),
    "op": ("rewrite.overloads", "define"),
    "sort": ("rewrite.sorts", "define"),
}
_CALLED: Final = ("pi", "e")
"""Functions of `rewrite.leaves` that are called on each use: constants of the current store."""
_OWN: Final = ("cache", "errors", "interface", "io", "ops", "testing")
_MODULES: Final = {**{name: f"rewrite.{name}" for name in _OWN}, "plot": "codegen.plot"}
# fmt: on


def __getattr__(name: str) -> Any:
    if name == "__all__":  # for `import *` and pdoc; pi and e are those of the current store
        value: Any = [known for known in __dir__() if known not in _CALLED]
        for known in value:
            getattr(sys.modules[__name__], known)
    elif name in _HOME:
        value = getattr(_loaded(_HOME[name]), name)
    elif name in _CALLED:
        return getattr(_loaded("rewrite.leaves"), name)()
    elif name in _RENAMED:
        module, attribute = _RENAMED[name]
        value = getattr(_loaded(module), attribute)
    elif name in _MODULES:
        value = _loaded(_MODULES[name])
    elif not name.startswith("_") and importlib.util.find_spec(f"rewrite.{name}"):
        return _loaded(f"rewrite.{name}")  # `from rewrite import ops` asks first
    else:
        functions = _loaded("rewrite.functions").FUNCTIONS
        if name not in functions:
            raise AttributeError(f"module 'rewrite' has no attribute {name!r}")
        value = functions[name]
    globals()[name] = value
    return value


def _loaded(name: str) -> Any:
    """Import a module: what it makes stays, and the collector would walk over it often."""
    with uncollected():
        return importlib.import_module(name)


def __dir__() -> list[str]:
    functions = importlib.import_module("rewrite.functions").FUNCTIONS
    return sorted({*_HOME, *_RENAMED, *_CALLED, *_MODULES, *functions, "__version__"})


class _Front(types.ModuleType):
    """Keep `rw.evaluate` the function: Python puts the module of that name in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Front

if TYPE_CHECKING:
    from codegen import plot as plot
    from codegen.alternatives import Form as Form
    from codegen.alternatives import Forms as Forms
    from codegen.alternatives import explore as explore
    from codegen.calculus.elements import ElementKernel as ElementKernel
    from codegen.calculus.elements import element_kernel as element_kernel
    from codegen.calculus.functions import diff as diff
    from codegen.calculus.functions import gradient as gradient
    from codegen.calculus.functions import hessian as hessian
    from codegen.calculus.functions import hvp as hvp
    from codegen.calculus.functions import jacobian as jacobian
    from codegen.calculus.functions import jvp as jvp
    from codegen.calculus.functions import vjp as vjp
    from codegen.calculus.grad import grad as grad
    from codegen.calculus.grad import value_and_grad as value_and_grad
    from codegen.calculus.memory import MemorySchedule as MemorySchedule
    from codegen.calculus.memory import memory_schedule as memory_schedule
    from codegen.calculus.scan import Scan as Scan
    from codegen.calculus.scan import scan as scan
    from codegen.config import show_config as show_config
    from codegen.cost import cycles as cycles
    from codegen.explore import egraph as egraph
    from codegen.jit import jit as jit
    from codegen.kernel import Kernel as Kernel
    from codegen.lambdify import lambdify as lambdify
    from codegen.magic import load_ipython_extension as load_ipython_extension
    from codegen.ode.ode import Ode as Ode
    from codegen.ode.ode import ode as ode
    from codegen.optimize import Optimized as Optimized
    from codegen.target import Target as Target
    from rewrite.accuracy import Accuracy as Accuracy
    from rewrite.accuracy import accuracy as accuracy
    from rewrite.array import TermArray as TermArray
    from rewrite.array import asarray as asarray
    from rewrite.cost import CostModel as CostModel
    from rewrite.cost import LatencyModel as LatencyModel
    from rewrite.derivatives import register as register
    from rewrite.egraph.explanation import Explanation as Explanation
    from rewrite.egraph.explanation import Step as Step
    from rewrite.egraph.limits import Limits as Limits
    from rewrite.egraph.limits import Report as Report
    from rewrite.egraph.limits import StopReason as StopReason
    from rewrite.egraph.replay import replay as replay
    from rewrite.errors import RewriteError as RewriteError
    from rewrite.evaluate import evaluate as evaluate
    from rewrite.fastmath import FastMath as FastMath
    from rewrite.fingerprint import Fingerprint as Fingerprint
    from rewrite.fingerprint import distinct as distinct
    from rewrite.fingerprint import fingerprint as fingerprint
    from rewrite.fingerprint import fingerprints as fingerprints
    from rewrite.io.parse import parse as parse
    from rewrite.io.sympy import from_sympy as from_sympy
    from rewrite.io.sympy import to_sympy as to_sympy
    from rewrite.leaves import symbol as symbol
    from rewrite.leaves import symbols as symbols
    from rewrite.options import options as options
    from rewrite.overloads import overload as overload
    from rewrite.rule import Compute as Compute
    from rewrite.rule import Condition as Condition
    from rewrite.rule import Rule as Rule
    from rewrite.rule import RuleSet as RuleSet
    from rewrite.rule import compute as compute
    from rewrite.rule import predicate as predicate
    from rewrite.sorts import Sort as Sort
    from rewrite.store import Store as Store
    from rewrite.store import Symbol as Symbol
    from rewrite.term import Term as Term
    from rewrite.term import scope as scope
    from rewrite.tracing import trace as trace
    from strategies.calculus.sparse import SparseTerms as SparseTerms
    from strategies.calculus.sparse import column_coloring as column_coloring
    from strategies.calculus.sparse import hessian_sparsity as hessian_sparsity
    from strategies.calculus.sparse import jacobian_sparsity as jacobian_sparsity
    from strategies.calculus.sparse import sparse_hessian as sparse_hessian
    from strategies.calculus.sparse import sparse_jacobian as sparse_jacobian
    from strategies.check import CheckReport as CheckReport
    from strategies.check import check as check
    from strategies.core import Firing as Firing
    from strategies.core import Strategy as Strategy
    from strategies.derive import explain as explain
    from strategies.explore import Saturated as Saturated
