"""`optimize`: the cheapest equal form of terms that a licence allows, and the plans to find it."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Literal, TypedDict, Unpack, overload

import numpy as np

from codegen.cost import cycles
from codegen.forms import check_names, results_of, symbols_of
from codegen.instructions import InstructionCount
from codegen.kernel import float_name
from codegen.kernelcost import KernelCost
from codegen.objective import Objective, asked_for, front, mean_bits, price
from codegen.target import Float, Target, get
from rewrite.collector import uncollected
from rewrite.cost import CostModel, Gowda2021, dag_cost
from rewrite.dag import Dag
from rewrite.debug import emit
from rewrite.display import Displayed
from rewrite.egraph.explanation import Explanation
from rewrite.egraph.limits import Limits, Report
from rewrite.errors import ArgumentError, UnsupportedOp
from rewrite.extract import Mode, mode_of
from rewrite.fastmath import FastMath, licence
from rewrite.options import configured
from rewrite.progress import followed, shown
from rewrite.rule import Rule
from rewrite.rules import EXPAND, SIMPLIFY
from rewrite.tables import Table
from rewrite.term import Term
from strategies.base import Strategy
from strategies.base import strategy as strategy_of
from strategies.cases import by_cases
from strategies.custom import follow, rules_of
from strategies.derive import derived
from strategies.explain import sufficient
from strategies.presets import GuardJudge, Setting, accurate, named_plan
from strategies.regimes import MostAccurate

__all__ = ["Optimized", "cost_model", "optimize", "optimized", "plan"]


FEW: Final = 20
"""Terms that are written out."""


@dataclass(frozen=True)
class Optimized(Displayed):
    """What `optimize` found: the terms, their cost before and after, and how."""

    terms: Any = field(compare=False)  # what is in `_target`, in a form that may have no hash
    """In the form that was given: a term, a list, a tuple, a dictionary or a `TermArray`."""
    cost_before: float
    cost_after: float
    model: CostModel
    report: Report = field(hash=False)
    limits: Limits
    """Those of the search, within which `explain` looks for its proof again."""
    _source: tuple[Term, ...] = field(repr=False)
    _target: tuple[Term, ...] = field(repr=False)
    _licence: FastMath = field(repr=False)
    _own: tuple[Rule, ...] = field(default=(), repr=False)
    """Rules of the caller's strategy, which may not be in the library."""
    _dtype: str = field(default="f64", repr=False)
    _branched: bool = field(default=False, repr=False)
    """Whether there may be series and branches, for accuracy."""

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

    @property
    def parts(self) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
        """The terms that were given and those that were found, without their form."""
        return self._source, self._target

    @cached_property
    def accuracy(self) -> float:
        """The mean bits of error of the result over points of the source's domain.

        Of several terms it is the mean of theirs; NaN where they are undefined at every point.
        """
        return mean_bits(self._source, self._dtype)(self._target)

    @cached_property
    def _explanation(self) -> Explanation:
        if self._branched:
            setting = Setting(self.model, self.model, self._licence, self.limits, dtype=self._dtype)
            found = by_cases(self._source, self._target, accurate(setting), self.limits, self._own)
        else:
            found = derived(self._source, self._target, self._licence, self.limits, self._own)
        if self._source == self._target:
            return replace(found, why="nothing cheaper was found; the result is as written")
        return found

    def explain(self, *, progress: bool | None = None) -> Explanation:
        """Derive the result from the source, one law a step; it prints as on paper.

        It takes at most about twice the time limit of the search. Where no derivation is found
        within it, `.explained` is False, and laws that are enough are named instead. Sides of a
        branch are derived one by one (`.parts`), and a series is a step with its bound.
        """
        with shown(progress):
            return self._explanation

    def __repr__(self) -> str:
        """Show the result and the gain."""
        costs = f"{self.cost_before:.3g} -> {self.cost_after:.3g} {self.model.unit}"
        many = len(self._target)
        shown = repr(self.terms) if many <= FEW else f"{many} terms"
        return f"<Optimized {shown}: {costs} ({self.model.name})>"

    @property
    def cost(self) -> KernelCost:
        """The cost before and after, with the unit and the name of the model."""
        return KernelCost(self.cost_before, self.cost_after, self.model.unit, self.model.name)

    def table(self) -> Table:
        """Compare the cost before and after, with what the search has to say.

        >>> import rewrite as rw
        >>> a, x, y = rw.symbols("a x y")
        >>> print(rw.optimize(a * x + a * y, cost="gowda2021").table().sections[0])
        cost by gowda2021
                  cycles (2021 table)
          before                    7  ████████████████████
          after                     4  ███████████▌
        """
        return Table(tuple(self.report.notes), (self.cost.section(),))

    def _repr_html_(self) -> str:
        from codegen.look import optimized_html

        return optimized_html(self)


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


class Options(TypedDict, total=False):
    """What `optimize` takes beside the objective."""

    target: str | Target
    math: str | FastMath
    cost: "str | CostModel | None"
    strategy: Any
    limits: Limits | None
    extract: Mode
    dtype: Any
    executor: Executor | None
    progress: bool | None
    autotune: int


@overload
def optimize(
    exprs: Any, *, objective: Literal["speed", "accuracy"] = "speed", **options: Unpack[Options]
) -> Optimized: ...
@overload
def optimize(
    exprs: Any, *, objective: tuple[Literal["pareto"], int], **options: Unpack[Options]
) -> list[Optimized]: ...
@uncollected()
@followed
@configured
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
    objective: Objective = "speed",
) -> Optimized | list[Optimized]:
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
    limit is met. Work of over a second shows a progress bar at a terminal and in a notebook, or as
    `progress` says.
    What was found is kept on disk, in the folder that the environment variable REWRITE_CACHE names;
    0 turns that off.

    With `autotune` so many of the cheapest forms of a small program are compiled and timed here,
    and the fastest is kept; the report says by how much.

    A `strategy` replaces the default plan: it may be the name of another one ("accurate",
    "smallest", "textbook"; see `plan`), a strategy, a rule, a rule set, or a function of a term.
    Raise `StrategyError` where it uses laws that `math` does not grant, or makes anything but
    a term; functions are trusted in that. Under "guarded" its results are judged like those of the
    default plan: what is less accurate is replaced by the source, which the report notes.

    An `objective` of "accuracy" is for the fewest bits of error, as the plan "accurate" measures
    them: where no form keeps its digits everywhere, differences become series and branches are
    made. With `("pareto", k)` it is a list of at most k results from the fastest to the most
    accurate, each of which costs more than the one before and has fewer bits of error (`accuracy`).

    >>> import rewrite as rw
    >>> a, x, y = rw.symbols("a x y")
    >>> rw.optimize(a * x + a * y).terms
    a*(x + y)
    """
    mode_of(extract)
    count = asked_for(objective, strategy, autotune)
    results, rebuild = results_of(exprs)
    flat = [term for result in results for term in result.terms]
    source = Dag.of(flat[0].store, [term.id for term in flat])  # what follows takes it again
    check_names(symbols_of(flat))
    if objective == "accuracy":
        strategy = "accurate"
    fastest = optimized(
        source, flat, rebuild, target=target, math=math, cost=cost, strategy=strategy,
        limits=limits, extract=extract, dtype=dtype, executor=executor, autotune=autotune,
    )  # fmt: skip
    if count is None:
        return fastest
    return _front(count, fastest, rebuild, _setting(target, math, cost, limits, dtype))


def _front(
    count: int, fastest: Optimized, rebuild: Callable[[Sequence[Term]], Any], setting: Setting
) -> list[Optimized]:
    """Return results from the fastest to the most accurate."""
    flat, best = fastest.parts
    found: list[Optimized] = []
    for terms in front(count, flat, best, setting):
        report = fastest.report if terms == best else Report(notes=["one of a Pareto front"])
        found.append(replace(
            fastest, terms=rebuild(terms), cost_after=price(terms, setting.cost), report=report,
            _target=terms, _branched=terms != best,
        ))  # fmt: skip
    return found


def optimized(
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
        _setting(machine, math, cost, limits, dtype), extract=extract, executor=executor
    )
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
    branched = isinstance(strategy, MostAccurate)
    if strategy is not None:
        judge = GuardJudge(setting.dtype) if setting.guarded and allowed else None
        best, report = follow(strategy, flat, licence=allowed, judge=judge)
        own = tuple(rule for rule in rules_of(strategy_of(strategy)) if rule not in _LIBRARY)
    else:
        best, report = setting.search(model).roots(flat)
    if autotune:
        from codegen.autotune import tuned

        best = tuned(setting.search(model), flat, best, report, autotune, machine)
    emit("egraph", lambda: str(report))
    before = dag_cost(source, model)
    after = price(best, model)
    emit("extract", lambda: "\n".join([*(t.sexpr() for t in best), f"{after:g} {model.unit}"]))
    kept = tuple(flat), tuple(best), allowed, own, setting.dtype, branched
    return Optimized(rebuild(best), before, after, model, report, setting.limits, *kept)


_LIBRARY: Final = frozenset((*SIMPLIFY, *EXPAND))
"""Rules that a proof uses in any case."""


def _setting(
    target: str | Target, math: str | FastMath, cost: "str | CostModel | None",
    limits: Limits | None, dtype: Any,
) -> Setting:  # fmt: skip
    """Resolve the options of `optimize` for plans, which know no machine."""
    machine = get(target) if isinstance(target, str) else target
    if limits is not None and not isinstance(limits, Limits):
        raise ArgumentError(f"limits={limits!r} is not Limits(iterations=, nodes=, seconds=)")
    allowed = licence(math)
    precision: Float = "f64" if dtype is None else float_name(dtype)
    strict = FastMath.REASSOC not in allowed
    return Setting(
        cost_model(cost, machine, precision, allowed), InstructionCount(strict=strict),
        allowed, limits or Limits(), not isinstance(math, str) or math == "guarded",
        "both" if dtype is None else precision,
    )  # fmt: skip


@configured
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
    return named_plan(name, _setting(target, math, cost, limits, dtype))
