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
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rewrite import ops
from rewrite.constants import PI, Constant, E, Named, constant_key
from rewrite.dag import Dag
from rewrite.egraph.arrays import Frozen
from rewrite.egraph.facts import ANALYSES, FACTS, RELATIONS, assumed, number
from rewrite.egraph.language import (
    DECLARATIONS,
    FOLD,
    PRUNE,
    constructor,
    exact,
    rule_text,
)
from rewrite.egraph.limits import IterationStats, Limits, Report, StopReason
from rewrite.egraph.relevance import heads
from rewrite.numeric import require_numbers
from rewrite.rule import Rule
from rewrite.sorts import BOOL, INT
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
MOST_COMMANDS: Final = 20_000
_SETTLE: Final = "(saturate (run fold :until (conflict 1))) (saturate (run prune))"
_SPAN: Final = eg.RustSpan("", 0, 0)
_PARSER: Final = eg.EGraph()
"""Parses text for all graphs; making one for each text would take longer than parsing it."""


@lru_cache(maxsize=1024)
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


_COMMANDS: Final[dict[tuple[int, str], tuple[Rule, Any]]] = {}


def _command(rule: Rule, phase: str) -> Any:
    """Parse one rule, once a process: by identity, as hashing its terms would take as long.

    The entry keeps the rule alive, so that no other can come to have its identity.
    """
    key = (id(rule), phase)
    if key not in _COMMANDS:
        if len(_COMMANDS) > MOST_COMMANDS:
            _COMMANDS.clear()
        _COMMANDS[key] = (rule, _PARSER.parse_program(rule_text(rule, phase))[0])
    return _COMMANDS[key][1]


class EGraph:
    """An e-graph over our ops, loaded with a program and driven phase by phase.

    `simplify` rules run every iteration, `expand` rules under back-off. With `fold`, exact
    arithmetic on constants is done and known values prune their classes. `present` are the op codes
    of the program that will be loaded.
    """

    def __init__(
        self, simplify: Iterable[Rule], expand: Iterable[Rule], *, fold: bool, limits: Limits,
        present: Iterable[int] = (),
    ) -> None:  # fmt: skip
        self._graph = eg.EGraph()
        self._fold = fold
        self._limits = limits
        self._leaves: list[Symbol | Constant] = []
        self._leaf_places: dict[Any, int] = {}
        self._originals: dict[Fraction, Constant] = {}
        self._nodes: list[bool] = []
        self._inputs = 0
        phases = (("simplify", tuple(simplify)), ("expand", tuple(expand)))
        self._names = {rule.name for _, rules in phases for rule in rules}
        commands = [_command(rule, phase) for phase, rules in phases for rule in rules]
        rulesets = _parsed("(ruleset simplify)(ruleset expand)")
        codes = frozenset(present).union(
            *(heads(r.lhs) | heads(r.rhs) for _, g in phases for r in g)
        )
        self._graph.run_program(*_library(codes, fold), *rulesets, *commands)

    # -- loading -----------------------------------------------------------------------------

    def load(self, dag: Dag, *, assume: Sequence[int] = ()) -> list[int]:
        """Load a program; return the loaded node of each of its positions.

        `assume` are positions that may be assumed to have a value (licence `nnan ninf`): what is
        divided by there is not zero, what a root is taken of is not negative, and so on.
        """
        require_numbers(dag, "the e-graph")
        first = len(self._nodes)
        rows, place = _binary(dag, first)
        self._inputs += len(rows)
        self._nodes += [sort == BOOL for *_, sort in rows]
        numbered = list(enumerate(rows, first))
        if len(rows) < ROWS_PAY:
            self._load_commands(numbered)
        else:
            self._load_rows(numbered)
        self._facts(numbered, {place[at] for at in assume})
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
        place = self._leaf_places.setdefault(key, len(self._leaves))
        if place == len(self._leaves):
            self._leaves.append(value)
        index = eg.Lit(_SPAN, eg.Int(place))
        return eg.Call(_SPAN, "LeafB" if truth else "Leaf", [index])

    def _load_commands(self, rows: list[Any]) -> None:
        actions = []
        for at, (code, args, value, sort) in rows:
            if value is not None:
                call = self._leaf(value, sort == BOOL)
            else:
                head = constructor(code, sort == BOOL)
                call = eg.Call(_SPAN, head, [self._node(a) for a in args])
            actions.append(eg.ActionCommand(eg.Union(_SPAN, self._node(at), call)))
        self._graph.run_program(*actions)

    def _load_rows(self, rows: list[Any]) -> None:
        """Write one tab-separated file an op, read them, and union each row by one rule an op."""
        tables: dict[tuple[int, bool], list[str]] = {}
        leaves = []
        for at, (code, args, value, sort) in rows:
            if value is not None:
                call = self._leaf(value, sort == BOOL)
                leaves.append(eg.ActionCommand(eg.Union(_SPAN, self._node(at), call)))
            else:
                line = "\t".join(map(str, (at, *args)))
                tables.setdefault((code, sort == BOOL), []).append(line)
        self._graph.run_program(*leaves)
        with tempfile.TemporaryDirectory() as folder:
            text = []
            for (code, truth), lines in tables.items():
                name = f"Rows{constructor(code, truth)}{int(truth)}"
                path = Path(folder) / f"{name}.tsv"
                path.write_text("\n".join(lines) + "\n")
                text.append(self._row_rule(name, code, truth, path))
            program = "\n".join(text) + "\n(run load 1)"
            self._graph.run_program(*self._graph.parse_program(program))

    @staticmethod
    def _row_rule(name: str, code: int, truth: bool, path: Path) -> str:
        row = ops.OPS[code]
        arity = 2 if row.arity < 0 else row.arity
        letters = [row.takes[min(k, len(row.takes) - 1)] for k in range(arity)]
        boolean = [letter == "b" or (letter == "x" and truth) for letter in letters]
        args = [f"({'NodeB' if b else 'Node'} a{k})" for k, b in enumerate(boolean)]
        names = " ".join(f"a{k}" for k in range(arity))
        node = "NodeB" if truth else "Node"
        return (
            f"(relation {name} ({' '.join(['i64'] * (arity + 1))}))\n"
            f'(input {name} "{path}")\n'
            f"(rule (({name} i {names})) ((union ({node} i) ({constructor(code, truth)} "
            f"{' '.join(args)}))) :ruleset load)"
        )

    def _facts(self, rows: list[Any], roots: set[int]) -> None:
        """State what is known of the symbols and, where the roots are defined, of their parts."""
        known = []
        for at, (_, _, value, sort) in rows:
            if isinstance(value, Symbol):
                for fact, bound in (("lo", value.low), ("hi", value.high)):
                    if bound is not None:
                        known.append(f"(set ({fact} (Node {at})) {number(Fraction(bound))})")
                if sort == INT:
                    known.append(f"(int (Node {at}))")
                if sort != BOOL:
                    known.append(f"(df (Node {at}))")
            elif isinstance(value, Named):
                known.append(f"(set (lo (Node {at})) {number(Fraction(value.value) * _BELOW)})")
                known.append(f"(set (hi (Node {at})) {number(Fraction(value.value) * _ABOVE)})")
        known += [f"({fact} (Node {at}))" for fact, at in assumed(rows, roots)]
        if known:
            self._graph.run_program(*self._graph.parse_program("\n".join(known)))

    # -- running -----------------------------------------------------------------------------

    def run(self, *, until: Callable[[], bool] | None = None) -> Report:
        """Saturate within the limits, iteration by iteration; Ctrl-C ends it with what there is."""
        limits, report = self._limits, Report()
        size = limits.node_limit(self._inputs)
        begin = time.perf_counter()
        self._schedule(
            f"(let-scheduler bo (back-off :match-limit {limits.match_limit(self._inputs)}"
            f" :node-limit {size}))"
        )
        first = f"{_SETTLE} " if self._fold else ""
        body = f"{first}(repeat 3 (run facts)) (run-with bo simplify) (run-with bo expand)"
        step = tuple(self._graph.parse_program(f"(run-schedule (seq {body}))"))
        try:
            for _ in range(limits.iterations):
                report.stop = self._iterate(step, report, size, begin)
                if report.stop is None and until is not None and until():
                    report.stop = StopReason.GOAL
                if report.stop is not None:
                    break
            else:
                report.stop = StopReason.ITERATIONS
        except KeyboardInterrupt:
            report.stop = StopReason.INTERRUPTED
        self.settle()
        report.matches = dict(sorted(report.matches.items()))
        report.seconds = time.perf_counter() - begin
        return report

    def settle(self) -> None:
        """Fold constants that the last rules or another load brought."""
        if self._fold:
            self._schedule(f"(run-schedule (seq {_SETTLE}))")

    def _schedule(self, text: str) -> None:
        self._graph.run_program(*self._graph.parse_program(text))

    def _iterate(self, step: Any, report: Report, size: int, begin: float) -> StopReason | None:
        outputs = self._graph.run_program(*step)
        done, held = True, True
        for output in outputs:
            run = getattr(output, "report", None)
            if run is None:
                continue
            done, held = done and run.can_stop, held and not run.updated
            for name, count in run.num_matches_per_rule.items():
                name = name.strip('"')
                if count and name in self._names:
                    report.matches[name] = report.matches.get(name, 0) + count
        grown = report.nodes
        sizes = self._sizes()
        report.nodes = sum(n for name, n in sizes.items() if _is_node(name))
        seconds = time.perf_counter() - begin
        report.iterations.append(IterationStats(report.nodes, seconds))
        if sizes["conflict"]:
            return StopReason.CONTRADICTION
        if done:
            return StopReason.SATURATED
        if report.nodes >= size or (held and grown == report.nodes):
            return StopReason.NODES  # the scheduler holds back all that is left
        return StopReason.TIME if seconds > self._limits.seconds else None

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
        ids: dict[tuple[bool, Any], int] = {}

        def number_of(truth: bool, value: Any) -> int:
            return ids.setdefault((truth, value), len(ids))

        node_class: dict[int, int] = {}
        for name, truth in (("Node", False), ("NodeB", True)):
            for row in functions[name].rows:
                at = self._graph.value_to_i64(row.inputs[0])
                node_class[at] = number_of(truth, row.output)
        codes: list[int] = []
        owner: list[int] = []
        start = [0]
        args: list[int] = []
        leaf: list[Any] = []
        for name, (code, kinds, makes) in _TABLES.items():
            found = functions.get(name)
            for row in found.rows if found is not None else ():
                if row.subsumed:
                    continue
                codes.append(code)
                owner.append(number_of(makes, row.output))
                if kinds is None:
                    leaf.append(self._leaf_value(name, row.inputs))
                else:
                    leaf.append(None)
                    args += [number_of(k, v) for k, v in zip(kinds, row.inputs, strict=True)]
                start.append(len(args))
        return Frozen(
            np.array(codes, np.uint8), np.array(owner, np.int32), np.array(start, np.int64),
            np.array(args, np.int32), leaf, len(ids), [node_class[at] for at in roots],
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
_BELOW: Final = 1 - Fraction(1, 1 << 50)
_ABOVE: Final = 1 + Fraction(1, 1 << 50)


def _binary(dag: Dag, first: int) -> tuple[list[Any], list[int]]:
    """Return (code, children, leaf, sort) rows numbered from `first`, and the row of each position.

    N-ary nodes become chains from the left.
    """
    rows: list[tuple[int, tuple[int, ...], Symbol | Constant | None, int]] = []
    place: list[int] = []
    sorts = dag.sort.tolist()
    for at, (code, args) in enumerate(dag.rows()):
        args = tuple(place[a] for a in args)
        arity = ops.OPS[code].arity
        while arity < 0 and len(args) > 2:
            rows.append((code, args[:2], None, sorts[at]))
            args = (first + len(rows) - 1, *args[2:])
        rows.append((code, args, dag.value[at], sorts[at]))
        place.append(first + len(rows) - 1)
    return rows, place
