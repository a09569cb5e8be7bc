"""The drivers that see all layers: `optimize` and `compile_kernel` (`rw.compile`).

Read `compile_kernel` as the table of contents of the project: one line a stage, each shown by
`rewrite.debug.emit` where it is asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from codegen.cost import CycleCost, cycle_cost, table_for
from codegen.kernel import Kernel, Results, float_name
from codegen.lower import Parameter, Result, lower
from codegen.target import NAMES, Float, Target, get
from rewrite.array import TermArray, asarray
from rewrite.cost import CostModel, Gowda2021, dag_cost
from rewrite.dag import Dag
from rewrite.debug import emit
from rewrite.egraph.limits import Limits, Report
from rewrite.errors import ArgumentError, UnsupportedOp
from rewrite.fastmath import FastMath, licence
from rewrite.rule import Rule
from rewrite.store import Store
from rewrite.term import Term, current_store, join, lift
from strategies.core import Strategy
from strategies.explain import sufficient
from strategies.presets import default_plan

__all__ = ["Optimized", "compile_kernel", "cost_model", "optimize"]

LICENCES: Final = (FastMath.NONE, FastMath.GUARDED, FastMath.FAST)


@dataclass(frozen=True)
class Optimized:
    """What `optimize` found: the terms, their cost before and after, and how."""

    terms: Any
    """In the form that was given: a term, a list, a tuple, a dictionary or a `TermArray`."""
    cost_before: float
    cost_after: float
    model: CostModel
    report: Report
    _source: tuple[Term, ...] = field(repr=False)
    _target: tuple[Term, ...] = field(repr=False)
    _licence: FastMath = field(repr=False)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """A smallest set of rules found that makes the result equal to the source."""
        return sufficient(self._source, self._target, self._licence)

    def explain(self) -> str:
        """Say which laws lead from the source to the result.

        They are a set from which no rule can be left out, found by trying; with exact arithmetic on
        constants beside them.
        """
        if self._source == self._target:
            return "nothing cheaper was found; the result is as written"
        return "\n".join(f"{rule!r}    [{rule.licence.name}]" for rule in self.rules)

    def __repr__(self) -> str:
        """Show the result and the gain."""
        costs = f"{self.cost_before:.3g} -> {self.cost_after:.3g} {self.model.unit}"
        return f"<Optimized {self.terms!r}: {costs} ({self.model.name})>"


def cost_model(cost: "str | CostModel | None", target: Target, dtype: Float) -> CostModel:
    """Return the model that a `cost=` argument names; None is the target's own cycles."""
    if cost is None:
        return CycleCost(table_for(target), dtype)
    if isinstance(cost, str):
        if cost == "gowda2021":
            return Gowda2021()
        return CycleCost(table_for(get(cost)), dtype) if cost in NAMES else cycle_cost(cost, dtype)
    if not isinstance(cost, CostModel):
        raise UnsupportedOp(f"cost={cost!r} is neither a name nor a CostModel")
    return cost


def optimize(
    exprs: Any,
    *,
    target: str | Target = "native",
    math: str | FastMath = "guarded",
    cost: "str | CostModel | None" = None,
    strategy: Strategy | None = None,
    limits: Limits | None = None,
    extract: Literal["search"] = "search",
    dtype: Any = np.float64,
) -> Optimized:
    """Find the cheapest equal form of terms that the licence allows.

    `exprs` is a term, or a list, tuple, dictionary or `TermArray` of terms, optimised together so
    that they share subterms. `cost` is a model or its name ("gowda2021", a target); without it, CPU
    cycles an element on the target. A `strategy` replaces the default plan.

    >>> import rewrite as rw
    >>> a, x, y = rw.symbols("a x y")
    >>> rw.optimize(a * x + a * y).terms
    a*(x + y)
    """
    if extract != "search":
        raise UnsupportedOp(f"extract={extract!r}; only 'search' is there")
    results, rebuild = _results(exprs)
    flat = [term for result in results for term in result.terms]
    machine = get(target) if isinstance(target, str) else target
    precision = float_name(dtype)
    model, allowed = cost_model(cost, machine, precision), licence(math)
    emit("term", lambda: "\n".join(t.sexpr() for t in flat))
    if strategy is not None:
        found = [strategy(term) for term in flat]
        best = [old if new is None else new for old, new in zip(flat, found, strict=True)]
        report = Report(notes=[f"strategy: {strategy}"])
    else:
        checked = not isinstance(math, str) or math == "guarded"
        plan = default_plan(model, allowed, limits or Limits(), guarded=checked, dtype=precision)
        best, report = plan.roots(flat)
    emit("egraph", lambda: str(report))
    before, after = (
        dag_cost(Dag.of(ts[0].store, [t.id for t in ts]), model) for ts in (flat, best)
    )
    emit("extract", lambda: "\n".join([*(t.sexpr() for t in best), f"{after:g} {model.unit}"]))
    kept = tuple(flat), tuple(best), allowed
    return Optimized(rebuild(best), before, after, model, report, *kept)


def compile_kernel(
    args: Any,
    exprs: Any,
    *,
    target: str | Target = "native",
    dtype: Any = None,
    math: str | FastMath = "guarded",
    parallel: int = 1,
    cost: "str | CostModel | None" = None,
    strategy: Strategy | None = None,
    limits: Limits | None = None,
    batch_axis: Literal[0, -1] = 0,
    name: str = "kernel",
    optimize_terms: bool = True,
) -> Kernel:
    """Optimise terms and compile them to native SIMD code, called like a NumPy ufunc.

    `args` lists the arguments: symbols, or (nested) lists or `TermArray`s of symbols, each of which
    is one array argument with its axes last. `exprs` is a term, a nested list or `TermArray` (one
    array result), a tuple (several results) or a dictionary (named results). `math` is "strict",
    "guarded", "fast" or a `FastMath`.

    Raise `ArgumentError` for a symbol that no argument brings or that two bring, `TargetError` for
    a target that this machine cannot run. Kernels raise no floating-point warnings.

    >>> import numpy as np, rewrite as rw
    >>> x = rw.symbol("x")
    >>> rw.compile([x], x * x + 1)(np.array([1.0, 2.0]))
    array([2., 5.])
    """
    machine = get(target) if isinstance(target, str) else target
    machine.require_host()
    precision: Float = "f64" if dtype is None else float_name(dtype)
    parameters = _parameters(args)
    results, _ = _results(exprs)
    _check_symbols(parameters, results)
    flat = tuple(term for result in results for term in result.terms)
    allowed = licence(math)
    if optimize_terms and flat:
        found = optimize(
            flat, target=machine, math=math, cost=cost, strategy=strategy, limits=limits,
            dtype=precision,
        )  # fmt: skip
        flat, report = found.terms, found.report
        costs: Any = (found.cost_before, found.cost_after, found.model)
    else:
        report, costs = Report(), None
    best = _replace(results, flat)
    program = lower(parameters, best, strict=allowed == FastMath.NONE, name=name)
    emit("program", lambda: str(program))
    kernel = Kernel(
        program, machine, name=name, doc=_doc(best), terms=flat, report=report, cost=_cost(costs),
        dtype=dtype, results=_form(exprs), parallel=parallel, batch_axis=batch_axis,
    )  # fmt: skip
    emit("llvm", lambda: kernel.llvm)
    emit("asm", lambda: kernel.asm)
    return kernel


@dataclass(frozen=True, slots=True)
class KernelCost:
    """Predicted cost of a kernel's loop body, in the unit of its model."""

    before: float
    after: float
    unit: str
    model: str

    def __repr__(self) -> str:
        """Show both figures and where they come from."""
        return f"{self.before:.4g} -> {self.after:.4g} {self.unit} ({self.model})"


def _cost(costs: Any) -> KernelCost | None:
    if costs is None:
        return None
    before, after, model = costs
    return KernelCost(before, after, model.unit, model.name)


def _doc(results: Sequence[Result]) -> str:
    return "\n".join(f"{r.name} = {t!r}" for r in results for t in r.terms[:4])[:2000]


# -- arguments and results ---------------------------------------------------------------------


def _parameters(args: Any) -> list[Parameter]:
    if isinstance(args, (Term, TermArray)):
        args = [args]
    if not isinstance(args, (list, tuple)):
        raise ArgumentError(f"the arguments must be a list of symbols, not {args!r}")
    made = [_parameter(arg, place) for place, arg in enumerate(args)]
    names = [symbol.symbol.name for p in made for symbol in p.symbols if symbol.symbol]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ArgumentError(f"the symbol {twice[0]!r} is given twice among the arguments")
    return made


def _parameter(arg: Any, place: int) -> Parameter:
    array = asarray(arg) if not isinstance(arg, Term) else None
    terms: tuple[Term, ...] = (arg,) if array is None else tuple(array.terms())
    names = [term.symbol.name if term.symbol else "" for term in terms]
    if "" in names:
        odd = terms[names.index("")]
        raise ArgumentError(f"argument {place + 1} has {odd!r}, which is not a symbol")
    if array is None:
        return Parameter(names[0], (), terms)
    return Parameter(_common_name(terms, place), array.shape, terms)


def _common_name(terms: Sequence[Term], place: int) -> str:
    """Name an array argument after what its symbols' names share."""
    stems = {t.symbol.name.rstrip("0123456789_") for t in terms if t.symbol}
    stem = stems.pop() if len(stems) == 1 else ""
    return stem if stem.isidentifier() else f"array{place + 1}"


def _form(exprs: Any) -> Results:
    return "dict" if isinstance(exprs, dict) else "tuple" if isinstance(exprs, tuple) else "single"


def _results(exprs: Any) -> tuple[list[Result], Any]:
    """Return the results, and a function that gives new terms the form of `exprs`."""
    store = _store_of(exprs)
    if isinstance(exprs, dict):
        items = list(exprs.items())
        if not items:
            raise ArgumentError("there is no expression to compile")
        results = [_result(str(key), value, store) for key, value in items]
        return results, lambda terms: dict(_regroup([k for k, _ in items], results, terms))
    if isinstance(exprs, tuple):
        results = [_result(f"out{k}", value, store) for k, value in enumerate(exprs)]
        if not results:
            raise ArgumentError("there is no expression to compile")
        return results, lambda terms: tuple(v for _, v in _regroup(exprs, results, terms))
    result = _result("out", exprs, store)
    return [result], lambda terms: _shaped(result, terms)


def _store_of(exprs: Any) -> Store:
    if isinstance(exprs, (Term, TermArray)):
        return exprs.store
    parts = exprs.values() if isinstance(exprs, Mapping) else exprs
    if isinstance(parts, (list, tuple)) or isinstance(exprs, Mapping):
        for part in parts:
            found = _store_of(part)
            if found is not current_store():
                return found
    return current_store()


def _result(name: str, value: Any, store: Store) -> Result:
    if isinstance(value, TermArray):
        return Result(name, value.shape, tuple(join(store, t) for t in value.terms()))
    if isinstance(value, (list, np.ndarray)):
        array = asarray(value, store)
        return Result(name, array.shape, tuple(array.terms()))
    return Result(name, (), (lift(value, store),))


def _shaped(result: Result, terms: Sequence[Term]) -> Any:
    if not result.shape:
        return terms[0]
    ids = np.array([t.id for t in terms], np.int32).reshape(result.shape)
    return TermArray(terms[0].store, ids)


def _regroup(keys: Any, results: Sequence[Result], terms: Sequence[Term]) -> list[tuple[Any, Any]]:
    pairs, at = [], 0
    for key, result in zip(keys, results, strict=True):
        pairs.append((key, _shaped(result, terms[at : at + len(result.terms)])))
        at += len(result.terms)
    return pairs


def _replace(results: Sequence[Result], terms: Sequence[Term]) -> list[Result]:
    made, at = [], 0
    for result in results:
        count = len(result.terms)
        made.append(Result(result.name, result.shape, tuple(terms[at : at + count])))
        at += count
    return made


def _check_symbols(parameters: Sequence[Parameter], results: Sequence[Result]) -> None:
    """Refuse free symbols at once: searching first would only delay the message."""
    known = {s.symbol.name for p in parameters for s in p.symbols if s.symbol}
    roots = [t for r in results for t in r.terms]
    dag = Dag.of(roots[0].store, [t.id for t in roots])
    for value in dag.value:
        name = getattr(value, "name", None)
        if hasattr(value, "dtype") and name not in known:
            raise ArgumentError(
                f"the expression has the free symbol {name!r}, which is not among the arguments "
                f"({', '.join(sorted(known)) or 'none'}); add it or substitute a value"
            )
