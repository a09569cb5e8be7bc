"""What is known of a program before loops are looked for: its leaves, constants and results."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt

from codegen.cost import exact_inverse, is_root, product_exponent
from codegen.folding import constant_value, constant_values
from codegen.instruction import Argument, Constant, ValueType
from codegen.instructions import INLINED
from codegen.loops.machine.cones import survey
from codegen.loops.machine.kinds import ARG, CONST, INNER
from codegen.loops.program import WORK
from codegen.loops.program import Result as Segment
from codegen.lower import Parameter, Result
from rewrite import ops
from rewrite.bulk import heights
from rewrite.constants import Constant as Value
from rewrite.dag import Dag
from rewrite.errors import ArgumentError, TargetError, UnsupportedOp
from rewrite.numeric import require_numbers
from rewrite.sorts import BOOL
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = ["Constants", "Facts", "facts_of"]

type Ints = npt.NDArray[np.int32]
type Flags = npt.NDArray[np.bool_]

WEIGHTS: Final = np.array([max(1, INLINED.get(row.name, 1) // 4) for row in ops.BUILTIN], np.int64)
"""What an op adds to the size of a body; elementary functions are straight code of few values."""


@dataclass(frozen=True, eq=False)
class Constants:
    """The constants that are read, by number; truth values have numbers, and 0 here."""

    number: Ints
    """By position in the program; -1 where there is none."""
    f64: npt.NDArray[np.float64]
    f32: npt.NDArray[np.float32]
    bakes: npt.NDArray[np.uint8]
    """By position: 1 a truth value, 2 a power, 4 a divisor that the code is made for."""
    truth: npt.NDArray[np.int8]
    """By position: truth values."""


@dataclass(frozen=True, eq=False)
class Facts:
    """A program, and by position: kinds, uses, and the cells of what has some."""

    dag: Dag
    store: Store
    kind: npt.NDArray[np.uint8]
    uses: Ints
    boolean: Flags
    paired: Flags
    """Sines and cosines of one argument, where that makes a difference."""
    is_root: Flags
    segment: Ints
    """Of arguments and results; work cells for all others."""
    cell: Ints
    constants: Constants
    arguments: tuple[Argument, ...]
    outputs: tuple[Segment, ...]
    copies: npt.NDArray[np.int64]
    """Shape (n, 3): positions, and segments and cells of results that they are copied to."""


def facts_of(
    parameters: Sequence[Parameter], results: Sequence[Result], *, strict: bool = False,
    approximate: bool = False, name: str = "kernel",
) -> Facts:  # fmt: skip
    """Collect a program; raise `ArgumentError` as `codegen.lower.lower` does."""
    terms = [term for result in results for term in result.terms]
    store = terms[0].store if terms else Store()
    dag = Dag.of(store, [term.id for term in terms])
    dag = replace(dag, args=dag.args.copy())  # operands are put in order
    require_numbers(dag, "the compiler")
    n = len(dag)
    kind = np.full(n, INNER, np.uint8)
    segment, cell = np.full(n, WORK, np.int32), np.full(n, -1, np.int32)
    arguments, places = _arguments(parameters)
    fixed = dag.code == ops.CONST.code
    heights(dag.start, dag.args, fixed)
    is_root = np.zeros(n, np.bool_)
    is_root[dag.roots] = True
    leaves = np.flatnonzero((dag.code == ops.SYMBOL.code) | (dag.code == ops.PVAR.code))
    kind[leaves] = ARG
    uses = np.zeros(n, np.int32)
    survey(dag.start, dag.args, fixed, is_root, kind, uses)
    symbols: list[Any] = [dag.value[at] for at in leaves.tolist()]
    found = [places.get(symbol.name) for symbol in symbols]
    if None in found or (dag.code[leaves] == ops.PVAR.code).any():
        _refuse(dag, leaves.tolist(), places)
    pairs = np.array(found, np.int32).reshape(-1, 2)
    segment[leaves], cell[leaves] = pairs[:, 0], pairs[:, 1]
    outputs, copies = _outputs(dag, kind, results, name, len(arguments), segment, cell)
    is_root &= kind == INNER
    constants = _constants(dag, store, kind, strict)
    return Facts(
        dag, store, kind, uses, dag.sort == BOOL, _paired(dag, approximate), is_root, segment,
        cell, constants, arguments, outputs, copies,
    )  # fmt: skip


def _arguments(
    parameters: Sequence[Parameter],
) -> tuple[tuple[Argument, ...], dict[str, tuple[int, int]]]:
    arguments: list[Argument] = []
    places: dict[str, tuple[int, int]] = {}
    for number, parameter in enumerate(parameters):
        names, truths = _read(parameter)
        if len(truths) > 1:
            raise ArgumentError(f"argument {parameter.name!r} mixes numbers and truth values")
        kind: ValueType = "b" if truths == {True} else "f"
        arguments.append(Argument(parameter.name, parameter.shape, kind))
        before = len(places)
        places.update(zip(names, [(number, k) for k in range(len(names))], strict=True))
        if len(places) < before + len(names):
            counts = Counter([name for each in parameters for name in _read(each)[0]])
            name = next(name for name in names if counts[name] > 1)
            raise ArgumentError(f"two arguments are the symbol {name!r}")
    return tuple(arguments), places


def _read(parameter: Parameter) -> tuple[list[str], set[bool]]:
    """Return the names of the symbols of an argument, and which of them are truth values."""
    names: list[str] = []
    truths: set[bool] = set()
    for store, same in groupby(parameter.symbols, lambda symbol: symbol.store):
        columns, symbols = store.columns(), store.symbols
        ids = np.array([symbol.id for symbol in same], np.int64)
        names += [symbols[k].name for k in columns.payload[ids].tolist()]
        truths |= set(np.unique(columns.sort[ids] == BOOL).tolist())
    return names, truths


def _refuse(dag: Dag, leaves: list[int], places: dict[str, tuple[int, int]]) -> NoReturn:
    """Say which symbol has no place."""
    at = next(
        at for at in leaves
        if dag.code[at] == ops.PVAR.code or getattr(dag.value[at], "name", "") not in places
    )  # fmt: skip
    value: Any = dag.value[at]
    if dag.code[at] == ops.PVAR.code:
        raise UnsupportedOp(f"the pattern variable ?{value.name} cannot be compiled")
    given = ", ".join(places) or "none"
    raise ArgumentError(
        f"the expression has the free symbol {value.name!r}, which is not among the "
        f"arguments ({given}); add it to the arguments or substitute a value"
    )


def _outputs(
    dag: Dag, kind: Any, results: Sequence[Result], name: str, first: int, segment: Ints, cell: Ints
) -> tuple[tuple[Segment, ...], Any]:
    """Give the roots their cells; what has one, or is a leaf, is copied."""
    roots = np.array(dag.roots, np.int64)
    counts = [len(result.terms) for result in results]
    segments = np.repeat(np.arange(first, first + len(results)), counts)
    cells = np.concatenate([np.arange(count) for count in counts] or [np.empty(0, np.int64)])
    outputs, at = [], 0
    for result, count in zip(results, counts, strict=True):
        kinds = set((dag.sort[roots[at : at + count]] == BOOL).tolist())
        if len(kinds) > 1:
            raise TargetError(
                f"program {name!r}: output {result.name!r} mixes booleans and numbers"
            )
        outputs.append(Segment(result.name, result.shape, "b" if kinds == {True} else "f"))
        at += count
    _, firsts = np.unique(roots, return_index=True)
    home = np.zeros(len(roots), np.bool_)
    home[firsts] = True
    home &= kind[roots] == INNER
    segment[roots[home]], cell[roots[home]] = segments[home], cells[home]
    return tuple(outputs), np.stack([roots, segments, cells], axis=1)[~home]


def _paired(dag: Dag, approximate: bool) -> Flags:
    """Mark sines and cosines of one argument, which share all but the last step."""
    paired = np.zeros(len(dag), np.bool_)
    if approximate:
        sine, cosine = (np.flatnonzero(dag.code == row.code) for row in (ops.SIN, ops.COS))
        both = np.intersect1d(dag.args[dag.start[sine]], dag.args[dag.start[cosine]])
        for calls in (sine, cosine):
            paired[calls] = np.isin(dag.args[dag.start[calls]], both)
    return paired


def _constants(dag: Dag, store: Store, kind: Any, strict: bool) -> Constants:
    """Round the constants that are read; equal ones get one number."""
    number = np.full(len(dag), -1, np.int32)
    bakes, truth = np.zeros(len(dag), np.uint8), np.zeros(len(dag), np.int8)
    known: dict[Any, int] = {}
    wide: list[float] = []
    narrow: list[float] = []
    where = np.flatnonzero(kind == CONST).tolist()
    computed = [int(dag.ids[at]) for at in where if not isinstance(dag.value[at], _LITERAL)]
    constant_values(store, computed, strict)  # all at once, to be looked up below
    for at in where:
        value = dag.value[at]
        key = (type(value), value) if type(value) is float or type(value) is int else None
        place = known.get(key) if key is not None and (value != 0 or key[0] is int) else None
        if place is None:
            rounded = _rounded(dag, store, at, strict)
            bits: Any = rounded if isinstance(rounded, bool) else rounded.bits()
            truth[at] = rounded is True
            place = known.setdefault((bool, bits), len(wide))
            if place == len(wide):
                pair = (0.0, 0.0) if isinstance(rounded, bool) else (rounded.f64, rounded.f32)
                wide.append(pair[0])
                narrow.append(pair[1])
            if key is not None:
                known[key] = place
        number[at] = place
    bakes[dag.sort == BOOL] = 1
    for row, flag, fits in ((ops.POW, 2, _is_power(strict)), (ops.DIV, 4, exact_inverse)):
        second = dag.args[dag.start[np.flatnonzero(dag.code == row.code)] + 1]
        for at in np.unique(second[kind[second] == CONST]).tolist():
            value = dag.value[at]
            if value is None:  # computed from constants
                value = Constant(wide[number[at]], narrow[number[at]]).single
            if not isinstance(value, Symbol) and fits(value) is not None:
                bakes[at] |= flag
    with np.errstate(over="ignore"):
        return Constants(number, np.array(wide), np.array(narrow, np.float32), bakes, truth)


def _is_power(strict: bool) -> Any:
    def fits(value: Value | None) -> float | None:
        return 0.5 if is_root(value) else product_exponent(value, strict)

    return fits


_LITERAL: Final = (int, float, Fraction)


def _rounded(dag: Dag, store: Store, at: int, strict: bool) -> Constant | bool:
    value = dag.value[at]
    if isinstance(value, bool):
        return value
    if isinstance(value, _LITERAL):
        return Constant.of(value)
    return constant_value(Term(store, int(dag.ids[at])), strict)
