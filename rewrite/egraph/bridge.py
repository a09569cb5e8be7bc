"""The only module that talks to egglog: terms go in and come out as columns.

egglog's bindings are used, not its Python language: loading 10^5 nodes takes 0.3 s as rows of one
relation an op and 54 s through the language. Deep terms never travel as nested calls, which crash,
but as rows that refer to each other by number.
"""

import importlib
import importlib.util
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from itertools import count
from operator import itemgetter
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from rewrite import ops
from rewrite.constants import PI, Constant, E, Named, constant_key
from rewrite.dag import Dag
from rewrite.egraph.arrays import Frozen
from rewrite.egraph.facts import ANALYSES, FACTS, RELATIONS
from rewrite.egraph.language import DECLARATIONS, FOLD, PRUNE, constructor, exact
from rewrite.egraph.limits import Limits, Report, StopReason
from rewrite.egraph.loop import Run
from rewrite.egraph.plan import MOST_TEXTS, SETTLE, Aim, Plan, plan_of
from rewrite.egraph.rows import Bounds, Claim, Tables, binary, facts_of, facts_text
from rewrite.numeric import require_numbers
from rewrite.rule import Rule, RuleSet
from rewrite.schedule import default_schedule
from rewrite.sorts import BOOL
from rewrite.store import Symbol


def _bindings() -> ModuleType:
    """Load egglog's compiled module without its Python language, which takes 0.3 s to import.

    It is entered under its own name, so that a later `import egglog` finds and shares it.
    """
    name = "egglog.bindings"
    if name in sys.modules:
        return sys.modules[name]
    package = importlib.util.find_spec("egglog")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for suffix in EXTENSION_SUFFIXES:
            path = Path(folder) / f"bindings{suffix}"
            spec = importlib.util.spec_from_file_location(name, path) if path.exists() else None
            if spec is not None and spec.loader is not None:
                module = importlib.util.module_from_spec(spec)
                sys.modules[name] = module
                spec.loader.exec_module(module)
                return module
    return importlib.import_module(name)


if TYPE_CHECKING:
    import egglog.bindings as eg
else:
    eg = _bindings()

__all__ = ["EGraph"]

ROWS_PAY: Final = 200
"""From so many nodes on, loading rows from files beats building commands."""
_SPAN: Final = eg.RustSpan("", 0, 0)
_PARSER: Final = eg.EGraph()
"""Parses text for all graphs; making one for each text would take longer than parsing it."""


_READY: Final[dict[Any, Any]] = {}
"""The last e-graph that was closed, empty, by what it declares: that takes long."""


@lru_cache(maxsize=MOST_TEXTS)
def _parsed(text: str) -> tuple[Any, ...]:
    """Parse egglog text once a process; commands can be run in any e-graph."""
    return tuple(_PARSER.parse_program(text))


@lru_cache(maxsize=256)
def _library(codes: frozenset[int], fold: bool) -> tuple[Any, ...]:
    """Return declarations, and the analyses of those ops that can occur: declaring costs time."""
    absent = [constructor(row.code) + " " for row in ops.BUILTIN[3:] if row.code not in codes]
    rules = (*ANALYSES, *FOLD, *PRUNE) if fold else ANALYSES
    kept = [rule for rule in rules if not any(name in rule for name in absent)]
    return (*_parsed(DECLARATIONS), *(command for rule in kept for command in _parsed(rule)))


class EGraph:
    """An e-graph over our ops, loaded with a program and driven phase by phase.

    `simplify` rules run every iteration, `expand` rules under back-off. With `fold`, exact
    arithmetic on constants is done and known values prune their classes. `present` are the op codes
    of the program that will be loaded. Rules that are no laws between two terms are left out.
    """

    def __init__(
        self, simplify: Iterable[Rule], expand: Iterable[Rule], *, fold: bool, limits: Limits,
        present: Iterable[int] = (), aim: Aim | None = None,
    ) -> None:  # fmt: skip
        groups = [RuleSet(n, tuple(g)) for n, g in (("simplify", simplify), ("expand", expand))]
        self._begin(plan_of(default_schedule(*groups), fold=fold), limits, present, aim)

    @classmethod
    def of(
        cls, plan: Plan, limits: Limits, *, present: Iterable[int] = (), aim: Aim | None = None,
        again: bool = False,
    ) -> Self:  # fmt: skip
        """Make an e-graph that runs a plan; `again` says that it is the plan of many to come.

        Of those, one is in use at a time until it is closed.
        """
        made = cls.__new__(cls)
        made._begin(plan, limits, present, aim, again)
        return made

    def _begin(
        self, plan: Plan, limits: Limits, present: Iterable[int], aim: Aim | None,
        again: bool = False,
    ) -> None:  # fmt: skip
        self._plan = plan
        self._limits = limits
        self._aim = aim
        self._leaves: list[Symbol | Constant] = []
        self._leaf_places: dict[Any, int] = {}
        self._originals: dict[Fraction, Constant] = {}
        self._nodes: list[bool] = []
        self._inputs = 0
        self._commands: dict[str, tuple[Any, ...]] = {}
        self._names = {name for name, _ in plan.rules}
        codes = frozenset(present) | plan.codes | (aim.codes if aim else frozenset())
        key = plan.rules, plan.rulesets, plan.fold, codes
        self._kept = key if again else None
        self._graph: Any = _READY.pop(key, None) if again else None
        if self._graph is None:
            self._graph = eg.EGraph()
            rulesets = _parsed("".join(f"(ruleset r{k})" for k in range(plan.rulesets)))
            rules = [_parsed(text)[0] for _, text in plan.rules]
            self._graph.run_program(*_library(codes, plan.fold), *rulesets, *rules)
        if again:
            self._graph.run_program(*_parsed("(push)"))

    def close(self) -> None:
        """Empty the e-graph, so that another one may have what was declared."""
        if self._kept is not None:
            self._graph.run_program(*_parsed("(pop)"))
            _READY.clear()
            _READY[self._kept] = self._graph
        self._graph = None

    # -- loading -----------------------------------------------------------------------------

    def load(
        self, dag: Dag, *, assume: Sequence[int] = (), opaque: Container[int] = (),
        given: Mapping[int, Symbol] | None = None, facts: Iterable[tuple[str, int]] = (),
    ) -> list[int]:  # fmt: skip
        """Load a program; return the loaded node of each of its positions.

        `assume` are positions that may be assumed to have a value (licence `nnan ninf`): what is
        divided by there is not zero, what a root is taken of is not negative, and so on. `opaque`
        are symbols that may be undefined somewhere. `given` are positions whose value also is that
        of a symbol, and `facts` what is known of positions.
        """
        require_numbers(dag, "the e-graph")
        first = len(self._nodes)
        rows, place = binary(dag, first)
        self._inputs += len(rows)
        self._nodes += [sort == BOOL for *_, sort in rows]
        numbered = list(enumerate(rows, first))
        hidden = {place[at] for at in range(len(dag)) if at in opaque} if opaque else ()
        claims, bounds = facts_of(numbered, {place[at] for at in assume}, hidden)
        claims += [(fact, place[at]) for fact, at in facts]
        also = {place[at]: symbol for at, symbol in (given or {}).items()}
        if len(rows) < ROWS_PAY:
            self._load_commands(numbered, also)
        else:
            self._load_rows(numbered, also, claims, bounds)
            claims, bounds = [], []
        if text := facts_text(claims, bounds):
            self._graph.run_program(*self._graph.parse_program(text))
        return place

    def _node(self, at: int) -> Any:
        head = "NodeB" if self._nodes[at] else "Node"
        return eg.Call(_SPAN, head, [eg.Lit(_SPAN, eg.Int(at))])

    def _leaf(self, value: Symbol | Constant, truth: bool) -> Any:
        if isinstance(value, bool):
            return eg.Call(_SPAN, "True_" if value else "False_", [])
        if isinstance(value, Named):
            return eg.Call(_SPAN, "Named", [eg.Lit(_SPAN, eg.String(value.name))])
        rational = None if isinstance(value, Symbol) else exact(value)
        if rational is not None and not isinstance(value, Symbol):
            self._originals.setdefault(rational, value)
            return eg.Call(_SPAN, "Num", [_rational(rational)])
        key = value if isinstance(value, Symbol) else constant_key(value)
        index = eg.Lit(_SPAN, eg.Int(self._leaf_number(key, value)))
        return eg.Call(_SPAN, "LeafB" if truth else "Leaf", [index])

    def _leaf_number(self, key: Any, value: Symbol | Constant) -> int:
        place = self._leaf_places.setdefault(key, len(self._leaves))
        if place == len(self._leaves):
            self._leaves.append(value)
        return place

    def _load_commands(self, rows: list[Any], also: Mapping[int, Symbol]) -> None:
        """Load nodes one by one; `also` are symbols that have the value of a node."""
        actions = []
        for at, (code, args, value, sort) in rows:
            if value is not None:
                call = self._leaf(value, sort == BOOL)
            else:
                head = constructor(code, sort == BOOL)
                call = eg.Call(_SPAN, head, [self._node(a) for a in args])
            actions.append(eg.ActionCommand(eg.Union(_SPAN, self._node(at), call)))
        for at, symbol in also.items():
            leaf = self._leaf(symbol, self._nodes[at])
            actions.append(eg.ActionCommand(eg.Union(_SPAN, self._node(at), leaf)))
        self._graph.run_program(*actions)

    def _load_rows(
        self, rows: list[Any], also: Mapping[int, Symbol], claims: Iterable[Claim], bounds: Bounds
    ) -> None:  # fmt: skip
        """Write one tab-separated file an op, read them, and union each row by one rule an op."""
        tables, constants = Tables(f"Rows{rows[0][0]}x"), []
        for at, (code, args, value, sort) in rows:
            if value is None:
                tables.node(at, code, sort == BOOL, args)
            elif isinstance(value, Symbol):
                tables.leaf(at, sort == BOOL, self._leaf_number(value, value))
            else:
                leaf = self._leaf(value, sort == BOOL)
                constants.append(eg.ActionCommand(eg.Union(_SPAN, self._node(at), leaf)))
        for at, symbol in also.items():
            tables.leaf(at, self._nodes[at], self._leaf_number(symbol, symbol))
        for fact, at in claims:
            tables.fact(fact, at)
        for fact, at, bound in bounds:
            tables.bound(fact, at, bound)
        self._graph.run_program(*constants)
        with tempfile.TemporaryDirectory() as folder:
            program = tables.write(Path(folder))
            self._graph.run_program(*self._graph.parse_program(program))

    # -- running -----------------------------------------------------------------------------

    def run(
        self, *, until: Callable[[], bool] | None = None,
        watch: Callable[[Report], None] | None = None,
    ) -> Report:  # fmt: skip
        """Saturate within the limits, iteration by iteration; Ctrl-C ends it with what there is.

        `until` tells after an iteration whether a goal is reached; `watch` sees each one's report.
        """
        limits, report = self._limits, Report()
        size = limits.node_limit(self._inputs)
        self._start_schedulers(limits, size)
        run = Run(
            self, self._plan.steps, report, nodes=size, iterations=limits.iterations,
            seconds=limits.time_limit(self._inputs),
        )  # fmt: skip
        try:
            report.stop = StopReason.GOAL if self._reached(until) else None
            for _ in range(limits.iterations):
                if report.stop is not None:
                    break
                report.stop = run.iterate()
                if report.stop is None and self._reached(until):
                    report.stop = StopReason.GOAL
                if watch is not None:
                    watch(report)
            else:
                report.stop = report.stop or StopReason.ITERATIONS
        except KeyboardInterrupt:
            report.stop = StopReason.INTERRUPTED
        self.settle()
        sizes = self._sizes()
        if sizes["conflict"]:
            report.stop = StopReason.CONTRADICTION
            report.divided = bool(sizes["divided"])
        report.matches = dict(sorted(report.matches.items()))
        report.seconds = time.perf_counter() - run.begin
        return report

    def _start_schedulers(self, limits: Limits, size: int) -> None:
        text = []
        for name, bound, ban in self._plan.schedulers:
            most = limits.match_limit(self._inputs) if bound is None else bound
            options = f":match-limit {most} :ban-length {ban} :node-limit {size}"
            text.append(f"(let-scheduler {name} (back-off {options}))")
        self._schedule("".join(text))

    def _reached(self, until: Callable[[], bool] | None) -> bool:
        """Tell whether a goal is reached."""
        if self._aim is not None and self._aim.pair and self.equal([self._pair]):
            return True
        if self._aim is not None and self._aim.text:
            self._schedule("(run-schedule (run goal))")
            if self._sizes()["reached"]:
                return True
        return until is not None and until()

    def aim(self, roots: Sequence[int]) -> None:
        """Point the goal at loaded nodes; of a pair the last two must become equal."""
        assert self._aim is not None
        if self._aim.pair:
            self._pair = (roots[-2], roots[-1])
        elif "{root}" in self._aim.text:
            nodes = [f"({'NodeB' if self._nodes[at] else 'Node'} {at})" for at in roots]
            self._schedule("".join(self._aim.text.replace("{root}", node) for node in nodes))
        else:
            self._schedule(self._aim.text)

    def settle(self) -> None:
        """Fold constants that the last rules or another load brought."""
        if self._plan.fold:
            self._schedule(f"(run-schedule (seq {' '.join(SETTLE)}))")

    def _schedule(self, text: str) -> None:
        if text:
            self._graph.run_program(*self._graph.parse_program(text))

    def perform(self, text: str) -> Iterator[tuple[bool, bool, dict[str, int]]]:
        """Run a command; yield of each run whether it is done, whether idle, and its matches."""
        if text not in self._commands:
            program = self._graph.parse_program(f"(run-schedule (seq {text}))")
            self._commands[text] = tuple(program)
        for output in self._graph.run_program(*self._commands[text]):
            run = getattr(output, "report", None)
            if run is not None:
                counts = ((n.strip('"'), k) for n, k in run.num_matches_per_rule.items())
                matches = {name: k for name, k in counts if k and name in self._names}
                yield run.can_stop, not run.updated, matches

    def measure(self) -> tuple[int, bool]:
        """Count the e-nodes, and tell whether two facts exclude each other."""
        sizes = self._sizes()
        nodes = sum(n for name, n in sizes.items() if _is_node(name))
        return nodes, bool(sizes["conflict"])

    def _sizes(self) -> dict[str, int]:
        (output,) = self._graph.run_program(eg.PrintSize(_SPAN, None))
        assert isinstance(output, eg.PrintAllFunctionsSize), output
        return dict(output.sizes)

    def equal(self, pairs: Iterable[tuple[int, int]]) -> bool:
        """Tell whether each pair of loaded nodes is in one class by now."""
        found = [self._graph.eval_expr(self._node(at))[1] for pair in pairs for at in pair]
        return all(found[k] == found[k + 1] for k in range(0, len(found), 2))

    def known(self) -> list[dict[str, Any]]:
        """Return the facts of each loaded node: `lo` and `hi` as fractions, others as True."""
        functions = self._graph.freeze().functions
        by_class: dict[Any, dict[str, Any]] = {}
        for name in ("lo", "hi", "df", *FACTS):
            for row in functions[name].rows:
                bound = name in ("lo", "hi")
                value = self._graph.value_to_bigrat(row.output) if bound else True
                by_class.setdefault(row.inputs[0], {})[name] = value
        found: list[dict[str, Any]] = [{} for _ in self._nodes]
        for row in functions["Node"].rows:
            at = self._graph.value_to_i64(row.inputs[0])
            found[at] = by_class.get(row.output, {})
        return found

    # -- results -----------------------------------------------------------------------------

    def freeze(self, roots: Sequence[int]) -> Frozen:
        """Return all e-nodes as arrays; `roots` are positions of the loaded program's nodes."""
        functions = self._graph.freeze().functions
        # numbers and truth values are counted together, and their handles may coincide
        fresh = count()
        ids = [defaultdict[Any, int](fresh.__next__) for _ in range(2)]

        def numbered(truth: bool, values: Iterable[Any]) -> list[int]:
            return list(map(ids[truth].__getitem__, values))

        node_class: dict[int, int] = {}
        for name, truth in (("Node", False), ("NodeB", True)):
            rows = functions[name].rows
            places = [self._graph.value_to_i64(row.inputs[0]) for row in rows]
            owners = numbered(truth, [row.output for row in rows])
            node_class.update(zip(places, owners, strict=True))
        codes, owner, arity, args = [], list[int](), [], []
        leaf: list[Any] = []
        for name, (code, kinds, makes) in _TABLES.items():
            found = functions.get(name)
            rows = [row for row in found.rows if not row.subsumed] if found is not None else []
            if not rows:
                continue
            codes.append(np.full(len(rows), code, np.uint8))
            owner += numbered(makes, [row.output for row in rows])
            if kinds is None:
                leaf += [self._leaf_value(name, row.inputs) for row in rows]
                arity.append(np.zeros(len(rows), np.int64))
                continue
            leaf += [None] * len(rows)
            inputs = [row.inputs for row in rows]
            block = np.empty((len(rows), len(kinds)), np.int32)
            for place, truth in enumerate(kinds):
                block[:, place] = numbered(truth, map(itemgetter(place), inputs))
            args.append(block.ravel())
            arity.append(np.full(len(rows), len(kinds), np.int64))
        start = np.zeros(len(owner) + 1, np.int64)
        np.cumsum(_joined(arity, np.int64), out=start[1:])
        return Frozen(
            _joined(codes, np.uint8), np.array(owner, np.int32), start, _joined(args, np.int32),
            leaf, len(ids[0]) + len(ids[1]), [node_class[at] for at in roots],
        )  # fmt: skip

    def _leaf_value(self, name: str, inputs: list[Any]) -> Any:
        if name == "Num":
            value = self._graph.value_to_bigrat(inputs[0])
            whole = int(value) if value.denominator == 1 else value
            return self._originals.get(value, whole)
        if name == "Named":
            return _NAMED[self._graph.value_to_string(inputs[0])]
        if name in ("True_", "False_"):
            return name == "True_"
        return self._leaves[self._graph.value_to_i64(inputs[0])]


def _joined(parts: list[Any], kind: Any) -> Any:
    return np.concatenate(parts) if parts else np.empty(0, kind)


def _rational(value: Fraction) -> Any:
    parts: list[Any] = [
        eg.Call(_SPAN, "from-string", [eg.Lit(_SPAN, eg.String(str(part)))])
        for part in (value.numerator, value.denominator)
    ]
    return eg.Call(_SPAN, "bigrat", parts)


def _is_node(name: str) -> bool:
    return name not in RELATIONS and name not in ("Node", "NodeB") and name[:4] != "Rows"


def _tables() -> dict[str, tuple[int, tuple[bool, ...] | None, bool]]:
    """Map an egglog constructor to its op code, the truth-valued children, and its own kind."""
    leaf = ops.CONST.code
    found: dict[str, tuple[int, tuple[bool, ...] | None, bool]] = {
        "Num": (leaf, None, False),
        "Named": (leaf, None, False),
        "True_": (leaf, None, True),
        "False_": (leaf, None, True),
        "Leaf": (ops.SYMBOL.code, None, False),
        "LeafB": (ops.SYMBOL.code, None, True),
    }
    for row in ops.BUILTIN[3:]:
        arity = 2 if row.arity < 0 else row.arity
        letters = [row.takes[min(k, len(row.takes) - 1)] for k in range(arity)]
        for truth in (False, True) if row is ops.WHERE else (False,):
            kinds = tuple(c == "b" or (c == "x" and truth) for c in letters)
            makes = row.makes == "b" or truth
            found[constructor(row.code, truth)] = (row.code, kinds, makes)
    return found


_TABLES: Final = _tables()
_NAMED: Final = {named.name: named for named in (PI, E)}
