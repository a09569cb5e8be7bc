"""The drivers that see all layers: `optimize` and `compile_kernel` (`rw.compile`).

Read `compile_kernel` as the table of contents of the project: one line a stage, each shown by
`rewrite.debug.emit` where it is asked for.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

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
from rewrite.store import Store, Symbol
from rewrite.term import Term, current_store, join, lift
from strategies.base import strategy as strategy_of
from strategies.custom import follow, rules_of
from strategies.explain import sufficient
from strategies.presets import GuardJudge, default_plan

__all__ = ["Optimized", "compile_kernel", "cost_model", "optimize"]


@dataclass(frozen=True)
class Optimized:
    """What `optimize` found: the terms, their cost before and after, and how."""

    terms: Any
    """In the form that was given: a term, a list, a tuple, a dictionary or a `TermArray`."""
    cost_before: float
    cost_after: float
    model: CostModel
    report: Report
    limits: Limits
    """Those of the search, within which `explain` looks for its proof again."""
    _source: tuple[Term, ...] = field(repr=False)
    _target: tuple[Term, ...] = field(repr=False)
    _licence: FastMath = field(repr=False)
    _own: tuple[Rule, ...] = field(default=(), repr=False)
    """Rules of the caller's strategy, which may not be in the library."""

    @cached_property
    def _proof(self) -> tuple[Rule, ...] | None:
        return sufficient(self._source, self._target, self._licence, self.limits, self._own)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """A smallest set of rules found that makes the result equal to the source.

        Empty where none is needed, and where none was found within the limits.
        """
        return self._proof or ()

    def explain(self) -> str:
        """Say which laws lead from the source to the result.

        They are a set from which no rule can be left out, found by trying; with exact arithmetic on
        constants beside them.
        """
        if self._source == self._target:
            return "nothing cheaper was found; the result is as written"
        if self._proof is None:
            return (
                "which laws lead to the result was not proved within the limits of "
                f"{self.limits.iterations} iterations and {self.limits.seconds:g} seconds; "
                "limits= sets others, and .report says which rules matched"
            )
        if not self._proof:
            return "exact arithmetic on constants alone"
        return "\n".join(f"{rule!r}    [{rule.licence.name}]" for rule in self._proof)

    def __repr__(self) -> str:
        """Show the result and the gain."""
        costs = f"{self.cost_before:.3g} -> {self.cost_after:.3g} {self.model.unit}"
        return f"<Optimized {self.terms!r}: {costs} ({self.model.name})>"


def cost_model(
    cost: "str | CostModel | None", target: Target, dtype: Float, *, strict: bool = False
) -> CostModel:
    """Return the model that a `cost=` argument names; None is the target's own cycles."""
    if cost is None:
        return CycleCost(table_for(target), dtype, strict=strict)
    if isinstance(cost, str):
        if cost == "gowda2021":
            return Gowda2021()
        table = table_for(get(cost)) if cost in NAMES else cycle_cost(cost).table
        return CycleCost(table, dtype, strict=strict)
    if not isinstance(cost, CostModel):
        raise UnsupportedOp(f"cost={cost!r} is neither a name nor a CostModel")
    return cost


def optimize(
    exprs: Any,
    *,
    target: str | Target = "native",
    math: str | FastMath = "guarded",
    cost: "str | CostModel | None" = None,
    strategy: Any = None,
    limits: Limits | None = None,
    extract: Literal["search"] = "search",
    dtype: Any = np.float64,
) -> Optimized:
    """Find the cheapest equal form of terms that the licence allows.

    `exprs` is a term, or a list, tuple, dictionary or `TermArray` of terms, optimised together so
    that they share subterms. `cost` is a model or its name ("gowda2021", a target); without it, CPU
    cycles an element on the target. A `dtype` of None is for code that will run in float64 or
    float32: it is judged in both.

    A `strategy` replaces the default plan: it may also be a rule, a rule set, or a function of a
    term. Raise `StrategyError` where it uses laws that `math` does not grant, or makes anything but
    a term; functions are trusted in that. Under "guarded" its results are judged like those of the
    default plan: what is less accurate is replaced by the source, which the report notes.

    >>> import rewrite as rw
    >>> a, x, y = rw.symbols("a x y")
    >>> rw.optimize(a * x + a * y).terms
    a*(x + y)
    """
    if extract != "search":
        raise UnsupportedOp(f"extract={extract!r}; only 'search' is there")
    results, rebuild = _results(exprs)
    flat = [term for result in results for term in result.terms]
    _check_names(_symbols(flat))
    machine = get(target) if isinstance(target, str) else target
    precision: Float = "f64" if dtype is None else float_name(dtype)
    judged = "both" if dtype is None else precision
    if limits is not None and not isinstance(limits, Limits):
        raise ArgumentError(f"limits={limits!r} is not Limits(iterations=, nodes=, seconds=)")
    allowed, limits = licence(math), limits or Limits()
    model = cost_model(cost, machine, precision, strict=FastMath.REASSOC not in allowed)
    guarded = not isinstance(math, str) or math == "guarded"
    emit("term", lambda: "\n".join(t.sexpr() for t in flat))
    own: tuple[Rule, ...] = ()
    if strategy is not None:
        judge = GuardJudge(judged) if guarded and allowed else None
        best, report = follow(strategy, flat, licence=allowed, judge=judge)
        own = rules_of(strategy_of(strategy))
    else:
        plan = default_plan(model, allowed, limits, guarded=guarded, dtype=judged)
        best, report = plan.roots(flat)
    emit("egraph", lambda: str(report))
    before, after = (
        dag_cost(Dag.of(ts[0].store, [t.id for t in ts]), model) for ts in (flat, best)
    )
    emit("extract", lambda: "\n".join([*(t.sexpr() for t in best), f"{after:g} {model.unit}"]))
    kept = tuple(flat), tuple(best), allowed, own
    return Optimized(rebuild(best), before, after, model, report, limits, *kept)


def compile_kernel(
    args: Any,
    exprs: Any,
    *,
    target: str | Target = "native",
    dtype: Any = None,
    math: str | FastMath = "guarded",
    parallel: int = 1,
    cost: "str | CostModel | None" = None,
    strategy: Any = None,
    limits: Limits | None = None,
    batch_axis: Literal[0, -1] = 0,
    name: str = "kernel",
    optimize_terms: bool = True,
) -> Kernel:
    """Optimise terms and compile them to native SIMD code, called like a NumPy ufunc.

    `args` lists the arguments: symbols, or (nested) lists or `TermArray`s of symbols, each of which
    is one array argument with its axes last. `exprs` is a term, a nested list or `TermArray` (one
    array result), a tuple (several results) or a dictionary (named results). `math` is "strict",
    "guarded", "fast" or a `FastMath`; `strategy` is what `optimize` takes.

    "strict" computes what is written, in its order, with NumPy's bits in + - * / and sqrt. An
    `np.sum` over terms is written as one sum from left to right; NumPy adds long arrays pairwise,
    so that its own bits may differ there.

    Raise `ArgumentError` for a symbol that no argument brings or that two bring, and for two
    symbols of one name, `TargetError` for a target that this machine cannot run. Kernels raise no
    floating-point warnings.

    >>> import numpy as np, rewrite as rw
    >>> x = rw.symbol("x")
    >>> rw.compile([x], x * x + 1)(np.array([1.0, 2.0]))
    array([2., 5.])
    """
    machine = get(target) if isinstance(target, str) else target
    machine.require_host()
    if dtype is not None:
        float_name(dtype)  # refuses at once what kernels cannot compute in
    parameters = _parameters(args)
    results, _ = _results(exprs)
    _check_symbols(parameters, results)
    flat = tuple(term for result in results for term in result.terms)
    allowed = licence(math)
    if optimize_terms and flat:
        found = optimize(
            flat, target=machine, math=math, cost=cost, strategy=strategy, limits=limits,
            dtype=dtype,
        )  # fmt: skip
        flat, report = found.terms, found.report
        costs: Any = (found.cost_before, found.cost_after, found.model)
    else:
        report, costs = Report(), None
    best = _replace(results, flat)
    program = lower(parameters, best, strict=FastMath.REASSOC not in allowed, name=name)
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
    symbols = [term.symbol for p in made for term in p.symbols if term.symbol]
    _check_names(symbols)
    twice = sorted(name for name, n in Counter(s.name for s in symbols).items() if n > 1)
    if twice:
        raise ArgumentError(f"the symbol {twice[0]!r} is given twice among the arguments")
    return made


def _parameter(arg: Any, place: int) -> Parameter:
    array = asarray(arg) if not isinstance(arg, Term) else None
    terms: tuple[Term, ...] = (arg,) if array is None else tuple(array.terms())
    if not terms:
        raise ArgumentError(f"argument {place + 1} is empty: an array argument has symbols")
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
    results, rebuild = _grouped(exprs, _store_of(exprs))
    if not results:
        raise ArgumentError("there is no expression to compile")
    for result in results:
        if not result.terms:
            raise ArgumentError(f"there is no expression to compile in the result {result.name!r}")
    return results, rebuild


def _grouped(exprs: Any, store: Store) -> tuple[list[Result], Any]:
    if isinstance(exprs, dict):
        items = list(exprs.items())
        results = [_result(str(key), value, store) for key, value in items]
        return results, lambda terms: dict(_regroup([k for k, _ in items], results, terms))
    if isinstance(exprs, tuple):
        results = [_result(f"out{k}", value, store) for k, value in enumerate(exprs)]
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
    given = [t.symbol for p in parameters for t in p.symbols if t.symbol]
    used = _symbols([t for r in results for t in r.terms])
    known = {symbol.name for symbol in given}
    for symbol in used:
        if symbol.name not in known:
            raise ArgumentError(
                f"the expression has the free symbol {symbol.name!r}, which is not among the "
                f"arguments ({', '.join(sorted(known)) or 'none'}); add it or substitute a value"
            )
    _check_names([*given, *used])


def _symbols(terms: Sequence[Term]) -> list[Symbol]:
    dag = Dag.of(terms[0].store, [t.id for t in terms])
    return [value for value in dag.value if isinstance(value, Symbol)]


def _check_names(symbols: Iterable[Symbol]) -> None:
    """Refuse two symbols of one name: a value given by name would be taken for both."""
    known: dict[str, Symbol] = {}
    for symbol in symbols:
        first = known.setdefault(symbol.name, symbol)
        if first != symbol:
            raise ArgumentError(
                f"{_written(first)} and {_written(symbol)} are two symbols of one name; make the "
                "symbol once, or give them two names"
            )


def _written(symbol: Symbol) -> str:
    """Write the call that makes a symbol."""
    entries = (("low", symbol.low), ("high", symbol.high), ("dtype", symbol.dtype))
    options = "".join(f", {name}={value!r}" for name, value in entries if value is not None)
    return f"symbol({symbol.name!r}{options})"
