"""Lowering: from terms to a `Program`, with constants rounded once and integer powers as products.

What is written is what is computed: nothing is reordered here. Subterms made of constants only
are evaluated ahead of time: step by step under `strict`, and else exactly, to be rounded once
(`codegen.folding`). `strict` is what holds wherever reassociation is not granted.
"""

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from codegen.cost import PLAIN_APPROXIMATE, PLAIN_POWERS, exact_inverse, is_root, product_exponent
from codegen.folding import constant_value
from codegen.instruction import SIGNATURES, Constant, Output, ValueType
from codegen.program import Program, ProgramBuilder
from rewrite import constants, ops
from rewrite.cost import constant_positions
from rewrite.dag import Dag
from rewrite.errors import ArgumentError, UnsupportedOp
from rewrite.numeric import require_numbers
from rewrite.sorts import BOOL
from rewrite.store import Store, Symbol
from rewrite.term import Term, symbols_at

__all__ = ["Parameter", "Result", "finished", "lower", "lower_part", "pruned"]


@dataclass(frozen=True)
class Parameter:
    """An argument of a kernel: its name, its shape, and the symbol of each component."""

    name: str
    shape: tuple[int, ...]
    symbols: tuple[Term, ...]

    @cached_property
    def leaves(self) -> list[Symbol | None]:
        """The symbols of the components, None for a term that is no symbol; read once."""
        return symbols_at(self.symbols)

    @property
    def kind(self) -> ValueType:
        """The type of its components; raise `ArgumentError` where they have several."""
        sorts = {symbol.sort == BOOL for symbol in self.symbols}
        if len(sorts) > 1:
            raise ArgumentError(f"argument {self.name!r} mixes numbers and truth values")
        return "b" if sorts == {True} else "f"


@dataclass(frozen=True, slots=True)
class Result:
    """A result of a kernel: its name, its shape, and the term of each component."""

    name: str
    shape: tuple[int, ...]
    terms: tuple[Term, ...]


def lower(
    parameters: Sequence[Parameter], results: Sequence[Result], *, strict: bool = False,
    approximate: bool = False, name: str = "kernel",
) -> Program:  # fmt: skip
    """Write the terms as a verified program; where `approximate`, with functions within 4 ulp.

    Raise `ArgumentError` for a symbol that no parameter brings, or that two bring.
    """
    roots = [term for result in results for term in result.terms]
    store = roots[0].store if roots else Store()
    dag = Dag.of(store, [root.id for root in roots])
    require_numbers(dag, "the compiler")
    angles = [{args for c, args in dag.rows() if c == row.code} for row in (ops.SIN, ops.COS)]
    pairs = set.intersection(*angles)
    lowering = _Lowering(dag, store, ProgramBuilder(name), strict, approximate, pairs)
    lowering.declare(parameters)
    lowering.run()
    at = 0
    for result in results:
        places = dag.roots[at : at + len(result.terms)]
        at += len(result.terms)
        lowering.builder.output(
            result.name, *[lowering.value[p] for p in places], shape=result.shape
        )
    return pruned(lowering.builder.finish())


def lower_part(
    dag: Dag, store: Store, inputs: Sequence[tuple[int, ValueType]], *, strict: bool,
    approximate: bool, pairs: Set[tuple[int, ...]],
) -> tuple[ProgramBuilder, list[int]]:  # fmt: skip
    """Write a part of a program; return the value of each row.

    `inputs` are the rows that become arguments, in their order; a number that stands for a truth
    value is not 0. Other leaves are constants, and all else is computed. `pairs` are the arguments
    of both sine and cosine in the whole program.
    """
    builder = ProgramBuilder("body")
    lowering = _Lowering(dag, store, builder, strict, approximate, pairs)
    given = {}
    for number, (row, kind) in enumerate(inputs):
        value = builder.load(builder.argument(f"a{number}", (), kind))
        if kind == "f" and dag.sort[row] == BOOL:
            value = builder.emit("ne", value, builder.const(0.0))
        given[row] = value
    lowering.run_part(given)
    return builder, lowering.value


def finished(builder: ProgramBuilder) -> Program:
    """Return the program without values that no output uses."""
    return pruned(builder.finish())


class _Lowering:
    def __init__(
        self, dag: Dag, store: Store, builder: ProgramBuilder, strict: bool, approximate: bool,
        pairs: Set[tuple[int, ...]],
    ) -> None:  # fmt: skip
        self.dag, self.store, self.builder, self.strict = dag, store, builder, strict
        self.approximate = approximate
        self.rows = dag.rows()
        self.pairs = pairs
        """Arguments of both sine and cosine, which share all but the last step of the one grade."""
        self.value: list[int] = []
        self.loads: dict[str, int] = {}
        self.known: dict[tuple[Any, ...], int] = {}

    def declare(self, parameters: Sequence[Parameter]) -> None:
        for parameter in parameters:
            number = self.builder.argument(parameter.name, parameter.shape, parameter.kind)
            for component, symbol in enumerate(parameter.symbols):
                assert symbol.symbol is not None
                if symbol.symbol.name in self.loads:
                    raise ArgumentError(f"two arguments are the symbol {symbol.symbol.name!r}")
                self.loads[symbol.symbol.name] = self.builder.load(number, component)

    def run_part(self, given: Mapping[int, int]) -> None:
        """Compute each row that is not given; those without arguments are constants."""
        append = self.value.append
        for at, (code, args) in enumerate(self.rows):
            if args:
                append(self._call(ops.OPS[code], args))
            else:
                append(given[at] if at in given else self._constant(at))

    def run(self) -> None:
        constant = constant_positions(self.dag)
        needed = self._needed(constant)
        for at, (code, args) in enumerate(self.rows):
            value = self.dag.value[at]
            if not needed[at]:
                self.value.append(-1)
            elif isinstance(value, Symbol):
                self.value.append(self._symbol(value, code))
            elif constant[at]:
                self.value.append(self._constant(at))
            else:
                self.value.append(self._call(ops.OPS[code], args))

    def _needed(self, constant: Sequence[bool]) -> list[bool]:
        """Mark what is computed in the loop: not the parts of constant subterms."""
        needed = [False] * len(self.rows)
        for root in self.dag.roots:
            needed[root] = True
        for at in range(len(self.rows) - 1, -1, -1):
            if needed[at] and not constant[at]:
                for a in self.rows[at][1]:
                    needed[a] = True
        return needed

    def _symbol(self, symbol: Symbol, code: int) -> int:
        if code == ops.PVAR.code:
            raise UnsupportedOp(f"the pattern variable ?{symbol.name} cannot be compiled")
        if symbol.name not in self.loads:
            given = ", ".join(self.loads) or "none"
            raise ArgumentError(
                f"the expression has the free symbol {symbol.name!r}, which is not among the "
                f"arguments ({given}); add it to the arguments or substitute a value"
            )
        return self.loads[symbol.name]

    def _constant(self, at: int) -> int:
        value = self.dag.value[at]
        if isinstance(value, bool):
            return self.builder.const(value)
        if value is not None and not isinstance(value, (Symbol, constants.Named)):
            return self.builder.const(value)
        return self.builder.const(
            constant_value(Term(self.store, int(self.dag.ids[at])), self.strict)
        )

    def _call(self, row: ops.Op, args: tuple[int, ...]) -> int:
        values = [self.value[a] for a in args]
        if row is ops.POW:
            power = product_exponent(self._known(args[1]), self.strict)
            if power is not None:
                return self._power(values[0], power)
            if is_root(self._known(args[1])):
                return self._emit("sqrt", values[0])
        if row is ops.DIV:
            inverse = exact_inverse(self._known(args[1]))
            if inverse is not None:
                return self._emit("mul", values[0], self.builder.const(inverse))
        if row is ops.RSQRT and self.strict:  # the same bits on every width, and NumPy's
            return self._emit("div", self.builder.const(1.0), self._emit("sqrt", *values))
        name = row.name
        paired = row in (ops.SIN, ops.COS) and args in self.pairs
        if self.approximate and f"fast_{name}" in SIGNATURES and not paired:
            name = f"fast_{name}"
        total = self._emit(name, *values[: max(row.arity, 1) if row.arity > 0 else 2])
        for value in values[2:] if row.arity < 0 else ():
            total = self._emit(name, total, value)
        return total

    def _emit(self, name: str, *values: int) -> int:
        key = (name, *values)
        if key not in self.known:
            self.known[key] = self.builder.emit(name, *values)
        return self.known[key]

    def _known(self, at: int) -> constants.Constant | None:
        """Return the number that a row is, also where it is computed from constants."""
        value = self.dag.value[at]
        if value is not None:
            return None if isinstance(value, Symbol) else value
        made = self.builder.known(self.value[at])
        return made.single if isinstance(made, Constant) else None

    def _power(self, base: int, n: int) -> int:
        """Write an integer power as products.

        Up to the cube they are plain, and up to the fifth power where 4 ulp will do. Further on,
        rounding errors would double with each squaring (x**8: 7 ulp at worst), so the error of each
        product is carried along by fma (Ogita, Rump & Oishi 2005), and the result is as good as one
        elementary function: at most 1 ulp.
        """
        if n == 0:
            return self.builder.const(1.0)
        size = abs(n)
        most = PLAIN_APPROXIMATE if self.approximate else PLAIN_POWERS
        if size <= (most if n > 0 else most - 1):
            total = base
            for step in "".join("s" if bit == "0" else "sm" for bit in bin(size)[3:]):
                total = self._emit("mul", total, total if step == "s" else base)
        else:
            total = self._compensated(base, size)
        return total if n > 0 else self._emit("div", self.builder.const(1.0), total)

    def _compensated(self, base: int, n: int) -> int:
        """Write base**n by squaring in pairs (high, low); the last step adds the low part."""
        high, low = base, -1
        steps = "".join("s" if bit == "0" else "sm" for bit in bin(n)[3:])
        for step in steps[:-1]:
            other = high if step == "s" else base
            product = self._emit("mul", high, other)
            error = self._emit("fma", high, other, self._emit("neg", product))
            if low >= 0:
                error = self._emit("fma", self._twice(high, step, base), low, error)
            high, low = product, error
        other = high if steps[-1] == "s" else base
        rest = self._emit("mul", self._twice(high, steps[-1], base), low)
        total = self._emit("fma", high, other, rest)
        # past the largest number the low part may be anything, but the product is infinite
        plain = self._emit("mul", high, other)
        good = self._emit("lt", self._emit("abs", plain), self.builder.const(math.inf))
        return self._emit("where", good, total, plain)

    def _twice(self, high: int, step: str, base: int) -> int:
        """Return what the low part is multiplied by: 2*high in a squaring, else the base."""
        return self._emit("add", high, high) if step == "s" else base


def pruned(program: Program) -> Program:
    """Drop values that no output uses, such as loads of unused components."""
    used = {value for output in program.outputs for value in output.values}
    for index in range(len(program.instructions) - 1, -1, -1):
        if index in used:
            used.update(program.instructions[index].args)
    if len(used) == len(program.instructions):
        return program
    place = {old: new for new, old in enumerate(sorted(used))}
    kept = [program.instructions[old] for old in sorted(used)]
    moved = tuple(type(i)(i.op, tuple(place[a] for a in i.args), i.type, i.payload) for i in kept)
    outputs = tuple(
        Output(o.name, tuple(place[v] for v in o.values), o.shape) for o in program.outputs
    )
    return Program(program.arguments, moved, outputs, program.name).verify()
