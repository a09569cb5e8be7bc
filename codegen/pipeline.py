"""The drivers that see all layers: `optimize` and `compile_kernel` (`rw.compile`).

Read `compile_kernel` as the table of contents of the project: one line a stage, each shown by
`rewrite.debug.emit` where it is asked for.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Final, Literal, TypedDict, Unpack, overload

import numpy as np

from codegen.autotune import tuned
from codegen.bounded import Compiled, attempts, first_within, ulps
from codegen.cost import cycles
from codegen.cuda.auto import AutoKernel
from codegen.cuda.build import cuda_kernel, present
from codegen.cuda.kernel import CudaKernel
from codegen.forms import (
    check_names,
    check_symbols,
    form_of,
    parameters_of,
    patterns_of,
    replaced,
    results_of,
    symbols_of,
)
from codegen.instructions import InstructionCount
from codegen.kernel import Kernel, float_name
from codegen.kernelcost import KernelCost
from codegen.loops.analysis import roll
from codegen.loops.program import Rolled
from codegen.loops.summary import SMALL, summary
from codegen.lower import Parameter, Result, lower
from codegen.program import Program
from codegen.store.request import Request, request
from codegen.target import Float, Target, get
from rewrite.collector import uncollected
from rewrite.cost import CostModel, Gowda2021, dag_cost
from rewrite.dag import Dag
from rewrite.debug import emit
from rewrite.egraph.explanation import Explanation
from rewrite.egraph.limits import Limits, Report
from rewrite.errors import ArgumentError, UnsupportedOp
from rewrite.extract import Mode, mode_of
from rewrite.fastmath import FastMath, licence
from rewrite.rule import Rule
from rewrite.rules import EXPAND, SIMPLIFY
from rewrite.term import Term
from strategies.base import Strategy
from strategies.base import strategy as strategy_of
from strategies.custom import follow, rules_of
from strategies.derive import derived
from strategies.explain import sufficient
from strategies.presets import GuardJudge, Setting, named_plan

__all__ = ["Optimized", "compile_kernel", "cost_model", "optimize", "plan"]


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

        Empty where none is needed, and where none was found within the limits. The steps of
        `explain` may use others, with which there are fewer of them.
        """
        return self._proof or ()

    @cached_property
    def _explanation(self) -> Explanation:
        found = derived(self._source, self._target, self._licence, self.limits, self._own)
        if self._source == self._target:
            return replace(found, why="nothing cheaper was found; the result is as written")
        return found

    def explain(self) -> Explanation:
        """Derive the result from the source, one law a step; it prints as on paper.

        It takes at most about twice the time limit of the search. Where no derivation is found
        within it, `.explained` is False, and laws that are enough are named instead.
        """
        return self._explanation

    def __repr__(self) -> str:
        """Show the result and the gain."""
        costs = f"{self.cost_before:.3g} -> {self.cost_after:.3g} {self.model.unit}"
        return f"<Optimized {self.terms!r}: {costs} ({self.model.name})>"


def cost_model(
    cost: "str | CostModel | None", target: Target, dtype: Float, allowed: FastMath
) -> CostModel:
    """Return the model that a `cost=` argument names; None is the target's own cycles."""
    if cost is None or (isinstance(cost, str) and cost != "gowda2021"):
        return cycles(
            target if cost is None else cost, dtype=dtype, strict=FastMath.REASSOC not in allowed,
            approximate=FastMath.AFN in allowed,
        )  # fmt: skip
    if isinstance(cost, str):
        return Gowda2021()
    if not isinstance(cost, CostModel):
        raise UnsupportedOp(f"cost={cost!r} is neither a name nor a CostModel")
    return cost


@uncollected()
def optimize(
    exprs: Any,
    *,
    target: str | Target = "native",
    math: str | FastMath = "guarded",
    cost: "str | CostModel | None" = None,
    strategy: Any = None,
    limits: Limits | None = None,
    extract: Mode = "search",
    dtype: Any = np.float64,
    executor: Executor | None = None,
    progress: bool | None = None,
    autotune: int = 0,
) -> Optimized:
    """Find the cheapest equal form of terms that the licence allows.

    `exprs` is a term, or a list, tuple, dictionary or `TermArray` of terms, optimised together so
    that they share subterms. `cost` is a model or its name ("gowda2021", a target); without it, CPU
    cycles an element on the target, and `rw.cycles` makes models that count latency too. A `dtype`
    of None is for code that will run in float64 or float32: it is judged in both.

    `extract` says how the cheapest form is found among all that are equal: "greedy" (the cheapest
    tree of each part), "search" (local search that counts what is shared once), or "exact" (an
    integer program; whether the optimum was proved within `limits.seconds` is in the report).

    Programs of more than some hundred nodes are done in parts, equal ones once. The parts go to an
    `executor` of `concurrent.futures` where one is given; the result is the same where no time
    limit is met. Work of over a second shows a progress bar at a terminal, or as `progress` says.
    What was found is kept on disk, in the folder that the environment variable REWRITE_CACHE names;
    0 turns that off.

    With `autotune` so many of the cheapest forms of a small program are compiled and timed here,
    and the fastest is kept; the report says by how much.

    A `strategy` replaces the default plan: it may be the name of another one ("accurate",
    "smallest", "textbook"; see `plan`), a strategy, a rule, a rule set, or a function of a term.
    Raise `StrategyError` where it uses laws that `math` does not grant, or makes anything but
    a term; functions are trusted in that. Under "guarded" its results are judged like those of the
    default plan: what is less accurate is replaced by the source, which the report notes.

    >>> import rewrite as rw
    >>> a, x, y = rw.symbols("a x y")
    >>> rw.optimize(a * x + a * y).terms
    a*(x + y)
    """
    mode_of(extract)
    results, rebuild = results_of(exprs)
    flat = [term for result in results for term in result.terms]
    source = Dag.of(flat[0].store, [term.id for term in flat])  # what follows takes it again
    check_names(symbols_of(flat))
    return _optimized(
        source, flat, rebuild, target=target, math=math, cost=cost, strategy=strategy,
        limits=limits, extract=extract, dtype=dtype, executor=executor, progress=progress,
        autotune=autotune,
    )  # fmt: skip


def _optimized(
    source: Dag,
    flat: list[Term],
    rebuild: Callable[[Sequence[Term]], Any],
    *,
    target: str | Target,
    math: str | FastMath,
    cost: "str | CostModel | None",
    strategy: Any,
    limits: Limits | None,
    dtype: Any,
    autotune: int,
    extract: Mode = "search",
    executor: Executor | None = None,
    progress: bool | None = None,
) -> Optimized:
    """Optimise the terms of a program; `rebuild` gives the result the form that is asked for."""
    machine = get(target) if isinstance(target, str) else target
    if isinstance(autotune, bool) or not isinstance(autotune, int) or autotune < 0:
        raise ArgumentError(f"autotune={autotune!r} is not a number of forms to measure")
    if autotune:
        machine.require_host()
    if executor is not None and not isinstance(executor, Executor):
        raise ArgumentError(f"executor={executor!r} is none of concurrent.futures")
    setting = replace(
        _setting(machine, math, cost, limits, dtype), extract=extract, executor=executor,
        progress=progress,
    )  # fmt: skip
    model, allowed = setting.cost, setting.licence
    if isinstance(strategy, str):
        strategy = named_plan(strategy, setting)
    elif strategy is not None and extract != "search":
        raise ArgumentError(
            f"extract={extract!r} is for plans that search; a strategy of your own says how it "
            "extracts: saturate(..., extract=...)"
        )
    emit("term", lambda: "\n".join(t.sexpr() for t in flat))
    own: tuple[Rule, ...] = ()
    if strategy is not None:
        judge = GuardJudge(setting.dtype) if setting.guarded and allowed else None
        best, report = follow(strategy, flat, licence=allowed, judge=judge)
        own = tuple(rule for rule in rules_of(strategy_of(strategy)) if rule not in _LIBRARY)
    else:
        best, report = setting.search(model).roots(flat)
    if autotune:
        best = tuned(setting.search(model), flat, best, report, autotune, machine)
    emit("egraph", lambda: str(report))
    before = dag_cost(source, model)
    after = dag_cost(Dag.of(best[0].store, [term.id for term in best]), model)
    emit("extract", lambda: "\n".join([*(t.sexpr() for t in best), f"{after:g} {model.unit}"]))
    kept = tuple(flat), tuple(best), allowed, own
    return Optimized(rebuild(best), before, after, model, report, setting.limits, *kept)


_LIBRARY: Final = frozenset((*SIMPLIFY, *EXPAND))
"""Rules that a proof uses in any case."""


def _setting(
    target: Target, math: str | FastMath, cost: "str | CostModel | None", limits: Limits | None,
    dtype: Any,
) -> Setting:  # fmt: skip
    """Resolve the options of `optimize` for plans, which know no machine."""
    if limits is not None and not isinstance(limits, Limits):
        raise ArgumentError(f"limits={limits!r} is not Limits(iterations=, nodes=, seconds=)")
    allowed = licence(math)
    precision: Float = "f64" if dtype is None else float_name(dtype)
    strict = FastMath.REASSOC not in allowed
    return Setting(
        cost_model(cost, target, precision, allowed), InstructionCount(strict=strict),
        allowed, limits or Limits(), not isinstance(math, str) or math == "guarded",
        "both" if dtype is None else precision,
    )  # fmt: skip


def plan(
    name: str,
    *,
    target: str | Target = "native",
    math: str | FastMath = "guarded",
    cost: "str | CostModel | None" = None,
    limits: Limits | None = None,
    dtype: Any = np.float64,
) -> Strategy:
    """Return a named plan as a strategy, to apply, to print, or to build on.

    "cheapest" searches for the fewest cycles, "accurate" keeps the form with the fewest measured
    bits of error, "smallest" searches for the fewest instructions, "textbook" writes what a person
    would. `optimize` and `compile` take the names as `strategy=`, and judge what comes out; applied
    by itself, "textbook" asks for no accuracy.

    Raise `StrategyError` for another name.

    >>> import rewrite as rw
    >>> x = rw.symbol("x", low=0, high=1)
    >>> rw.plan("textbook")((x * x - 1) / (x - 1) + rw.log1p(x) - x * rw.const(3) / 2)
    -x/2 + log(x + 1) + 1
    >>> rw.plan("smallest")
    saturate(simplify, expand, instructions)
    """
    machine = get(target) if isinstance(target, str) else target
    return named_plan(name, _setting(machine, math, cost, limits, dtype))


class Options(TypedDict, total=False):
    """What `compile_kernel` takes beside the target."""

    dtype: Any
    math: str | FastMath
    parallel: int
    cost: "str | CostModel | None"
    strategy: Any
    limits: Limits | None
    batch_axis: Literal[0, -1]
    name: str
    optimize_terms: bool
    autotune: int
    max_error: float | str | None


@overload
def compile_kernel(
    args: Any, exprs: Any, *, target: Literal["cuda"], **options: Unpack[Options]
) -> CudaKernel: ...
@overload
def compile_kernel(
    args: Any, exprs: Any, *, target: Literal["auto"], **options: Unpack[Options]
) -> AutoKernel: ...
@overload
def compile_kernel(
    args: Any, exprs: Any, *, target: str | Target = "native", **options: Unpack[Options]
) -> Kernel: ...


@uncollected()
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
    autotune: int = 0,
    max_error: float | str | None = None,
) -> Kernel | CudaKernel | AutoKernel:
    """Optimise terms and compile them to native SIMD code, called like a NumPy ufunc.

    `args` lists the arguments: symbols, or (nested) lists or `TermArray`s of symbols, each of which
    is one array argument with its axes last. `exprs` is a term, a nested list or `TermArray` (one
    array result), a sparse matrix of terms (the result is SciPy's sparse array), a tuple (several
    results) or a dictionary (named results). `math` is "strict", "guarded", "fast" or a `FastMath`;
    `strategy` and `autotune` are what `optimize` takes.

    "strict" computes what is written, in its order, with NumPy's bits in + - * / and sqrt. An
    `np.sum` over terms is written as one sum from left to right; NumPy adds long arrays pairwise,
    so that its own bits may differ there.

    `max_error` is a number of ulps, or "2ulp", that no result may be off at sample points in the
    domains of the symbols, in any float type that the kernel has. Where what `math` gives is worse,
    elementary functions within 1 ulp are tried, then the form that was measured to be the most
    accurate, then what is written.

    With `target="cuda"` it is a `CudaKernel`, cheapest on a GPU, which takes arrays of CuPy,
    PyTorch, JAX and Numba where they are, and copies NumPy's; "auto" runs where its arguments are.

    What was compiled before on this machine is loaded from disk (`rw.cache`), where the options are
    data: a strategy of your own and a cost model of your own are applied anew each time.

    Raise `ArgumentError` for a symbol that no argument brings or that two bring, and for two
    symbols of one name, `TargetError` for a target that this machine cannot run, `AccuracyError`
    where `max_error` cannot be met. Kernels raise no floating-point warnings.

    >>> import numpy as np, rewrite as rw
    >>> x = rw.symbol("x")
    >>> rw.compile([x], x * x + 1)(np.array([1.0, 2.0]))
    array([2., 5.])
    """
    if target == "auto":
        again: Any = partial(
            compile_kernel, args, exprs, dtype=dtype, math=math, cost=cost, strategy=strategy,
            limits=limits, batch_axis=batch_axis, name=name, optimize_terms=optimize_terms,
            max_error=max_error,
        )  # fmt: skip
        host = again(target="native", parallel=parallel, autotune=autotune)
        return AutoKernel(host, partial(again, target="cuda"))
    machine = _runnable(target)
    if dtype is not None:
        dtype = float_name(dtype)  # refuses at once what kernels cannot compute in
    parameters = parameters_of(args)
    results, _ = results_of(exprs)
    dag = check_symbols(parameters, results)
    flat = tuple(term for result in results for term in result.terms)
    allowed = licence(math)
    asked = request(machine, parameters, results, dag, {
        "dtype": dtype, "math": math, "cost": cost,
        "strategy": strategy, "limits": limits, "name": name, "optimize_terms": optimize_terms,
        "autotune": autotune, "max_error": max_error,
    })  # fmt: skip
    options: dict[str, Any] = {
        "name": name, "dtype": dtype, "results": form_of(exprs), "parallel": parallel,
        "batch_axis": batch_axis, "patterns": patterns_of(exprs), "math": math,
    }  # fmt: skip
    if max_error is not None:
        once: Any = partial(
            compile_kernel, args, exprs, target=machine, dtype=dtype, parallel=parallel, cost=cost,
            limits=limits, batch_axis=batch_axis, name=name, autotune=autotune,
        )  # fmt: skip
        ways = attempts(once, math, strategy, optimize_terms)
        return _bounded(asked, ulps(max_error), ways, parameters, results)
    if not machine.is_cuda and (known := asked.kernel(options)) is not None:
        return known
    if optimize_terms and flat:
        found = _optimized(
            dag, list(flat), tuple, target=machine, math=math, cost=cost, strategy=strategy,
            limits=limits, dtype=dtype, autotune=autotune,
        )  # fmt: skip
        flat, report = found.terms, found.report
        costs: Any = (found.cost_before, found.cost_after, found.model)
    else:
        report, costs = Report(), None
    best = replaced(results, flat)
    program, note = _program(parameters, best, allowed, name, loops=not machine.is_cuda)
    if note is not None:
        report = replace(report, notes=[*report.notes, note])
    emit("program", lambda: str(program))
    return _compiled(program, machine, asked, {
        "doc": _doc(best), "terms": flat, "report": report, "cost": _cost(costs), **options
    })  # fmt: skip


def _runnable(target: str | Target) -> Target:
    """Return a target that can run here, or raise what is missing."""
    machine = get(target)
    if machine.is_cuda:
        return present(machine)
    machine.require_host()
    return machine


def _compiled(
    program: Program | Rolled, machine: Target, asked: Request, options: dict[str, Any]
) -> Kernel | CudaKernel:
    """Make the kernel of a program, keep it, and show its last stages."""
    if machine.is_cuda:
        assert isinstance(program, Program), "loops are of CPUs"
        found = cuda_kernel(program, machine, options)
        emit("ptx", lambda: found.device_text)
        return found
    kernel = Kernel(program, machine, **options)
    asked.keep(kernel, options["doc"])
    emit("llvm", lambda: kernel.llvm)
    emit("asm", lambda: kernel.asm)
    return kernel


def _program(
    parameters: Sequence[Parameter], results: Sequence[Result], allowed: FastMath, name: str, *,
    loops: bool,
) -> tuple[Program | Rolled, str | None]:  # fmt: skip
    """Lower terms to a program: of loops where these are worth it, with what was found of them."""
    strict, approximate = FastMath.REASSOC not in allowed, FastMath.AFN in allowed
    options: Any = {"strict": strict, "approximate": approximate, "name": name}
    terms = [term for result in results for term in result.terms]
    arrays = any(p.shape for p in parameters) or any(result.shape for result in results)
    if loops and arrays and terms and _size(terms) > SMALL:
        rolled = roll(parameters, results, **options)
        found = summary(rolled)
        if found.worth_rolling:
            return rolled, str(found)
    return lower(parameters, results, **options), None


def _size(terms: Sequence[Term]) -> int:
    """Count nodes and stores: results may be many copies of few values."""
    return len(Dag.of(terms[0].store, [t.id for t in terms])) + len(terms)


def _bounded(
    asked: Request, bound: float, ways: Sequence[Callable[[], Compiled]],
    parameters: Sequence[Parameter], results: Sequence[Result],
) -> Compiled:  # fmt: skip
    """Return the first kernel within the bound: the one that was it before, where that is known."""
    known = asked.choice()
    if known is not None:
        kernel = ways[known[0]]()
        kernel.report.notes.append(known[1])
        return kernel
    made: list[Compiled] = []

    def noted(make: Callable[[], Compiled]) -> Compiled:
        made.append(make())
        return made[-1]

    kernel = first_within(bound, [partial(noted, make) for make in ways], parameters, results)
    asked.keep_choice(len(made) - 1, kernel.report.notes[-1])
    return kernel


def _cost(costs: Any) -> KernelCost | None:
    if costs is None:
        return None
    before, after, model = costs
    return KernelCost(before, after, model.unit, model.name)


def _doc(results: Sequence[Result]) -> str:
    return "\n".join(f"{r.name} = {t!r}" for r in results for t in r.terms[:4])[:2000]
