"""A program as the Python source of a Numba CUDA kernel.

One thread computes whole elements, in a loop over the grid. Values stay in registers: each input is
read once and each result written once, however many steps lie between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final

from codegen.branches import Branch, Item, branches
from codegen.cuda.functions import SINCOS
from codegen.cuda.words import Words, literal
from codegen.llvm.parts import Part, cut
from codegen.llvm.repeat import order
from codegen.loops.program import Rolled
from codegen.program import Argument, Constant, Instruction, Output, Program
from codegen.target import Float

__all__ = ["Body", "Form", "entry", "functions_of", "indices", "kernel_source"]

_OPERATORS: Final = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_WORDS: Final = {
    "mul": "mul", "div": "div", "fma": "fma", "sqrt": "sqrt", "abs": "fabs", "floor": "floor",
    "ceil": "ceil", "trunc": "trunc", "round": "rint", "copysign": "copysign", "where": "select",
    "and": "both", "or": "either", "not": "negated",
}  # fmt: skip
_SIGNED: Final = {"add": "+", "sub": "-"}
_PLAIN: Final = frozenset((
    *_OPERATORS, *_WORDS, *_SIGNED, "const", "load", "neg", "sign", "minimum", "maximum", "while",
    "result",
))  # fmt: skip
_SINCOS: Final = ("sin", "cos")
LARGE: Final = 1500
"""Instructions of a program beyond which it is cut into functions."""
SIZE: Final = 700
"""Instructions of such a function: in fewer, most of Numba's time goes into what passes between."""
PART: Final = "part"
"""The beginning of their names."""


@dataclass(frozen=True, slots=True)
class Form:
    """What one kernel of a program is made for: everything that its source depends on."""

    dtype: Float
    rank: int = 1
    """Axes of the loop, after neighbouring ones have been joined where strides allow."""
    wide: bool = True
    """Whether elements are counted in 64 bits; divisions of 32 are four times as fast."""
    scalars: tuple[bool, ...] = ()
    """Which arguments are passed by value."""
    pack: int = 1
    """Elements that a thread reads with one wide load, where all operands are contiguous."""


def functions_of(program: Program | Rolled) -> frozenset[str]:
    """Return the elementary functions that a program calls."""
    if isinstance(program, Rolled):
        return frozenset[str]().union(*map(functions_of, program.bodies))
    called = {this.op for this in program.instructions} - _PLAIN
    found = frozenset(called | ({SINCOS} if _paired(program) else set()))
    return found.union(*map(functions_of, program.steps))


def _paired(program: Program) -> set[tuple[int, ...]]:
    """Return what both sine and cosine are taken of."""
    sines, cosines = ({x.args for x in program.instructions if x.op == op} for op in _SINCOS)
    return sines & cosines


def entry(program: Program | Rolled) -> list[str]:
    """Name the operands of a kernel in order: a0, a1, ... then r0, r1, ..."""
    arguments = [f"a{number}" for number in range(len(program.arguments))]
    return arguments + [f"r{number}" for number in range(len(program.outputs))]


def kernel_source(program: Program, form: Form) -> str:
    """Write the elementwise kernel `def kernel(n, d1, ..., a0, ..., r0, ...)`.

    `n` counts elements (packs of them), `d1` and on are the sizes of all axes but the first.
    """
    sizes = [f"d{axis}" for axis in range(1, form.rank)]
    lines = [
        f"def kernel({', '.join(['n', *sizes, *entry(program)])}):",
        "    count = N(n)",
        "    i = N(cuda.grid(1))",
        "    stride = N(cuda.gridsize(1))",
        "    while i < count:",
    ]
    words = Words(form.dtype, lines)
    index = indices(words, form, sizes)
    parts: list[str] = []
    if form.pack > 1:
        _packed(program, form, words)
    elif len(program.instructions) > LARGE and not program.steps:
        parts, slots = _in_parts(program, form, words, index)
        lines.insert(1, f"    w = cuda.local.array({max(slots, 1)}, F)")
    else:
        body = Body(program, words, form, index)
        body.compute()
        body.store_all()
    return "\n".join([*parts, *lines, "        i = N(i + stride)", ""])


def _in_parts(
    program: Program, form: Form, words: Words, index: tuple[str, ...]
) -> tuple[list[str], int]:
    """Write calls of a function for each part of a large program; return these, and the slots.

    Numba's time grows with the square of a function's length.
    """
    whole = Body(program, words, form, index)
    early = not program.is_elementwise
    called = frozenset(this.op for this in program.instructions)
    places = whole.places()
    parts, slots = cut(
        program, branches(program), called, () if early else tuple(places), large=LARGE, size=SIZE
    )
    given = ", ".join((*index, "w", *entry(program)))
    written: list[str] = []
    for number, part in enumerate(parts):
        lines = [f"def {PART}{number}({given}):"]
        body = Body(program, Words(form.dtype, lines, indent="    "), form, index)
        body.compute_part(part, places if early else {})
        if number == len(parts) - 1:
            body.store_all()
            lines.append("    return None")
        words.line(f"{PART}{number}({given})")
        written += [*lines, "", ""]
    return written, slots


def indices(words: Words, form: Form, sizes: Sequence[str]) -> tuple[str, ...]:
    """Write the indices of an element along the axes."""
    if form.rank == 1:
        return ("i",)
    rest, found = "i", []
    for size in reversed(sizes):
        found.append(words.write(f"rest({rest}, N({size}))"))
        rest = words.write(f"whole({rest}, N({size}))")
    return (rest, *reversed(found))


def _packed(program: Program, form: Form, words: Words) -> None:
    """Write the elements of a pack one after the other, their loads and stores together."""
    packs: dict[int, str] = {}
    for number in range(len(program.arguments)):
        if not form.scalars[number]:
            packs[number] = words.write(f"load{form.pack}(a{number}, i)")
    results: list[list[str]] = [[] for _ in program.outputs]
    for lane in range(form.pack):
        body = Body(program, words, form, ("i",))
        body.packs = {number: f"{pack}[{lane}]" for number, pack in packs.items()}
        body.compute()
        for found, output in zip(results, program.outputs, strict=True):
            found.append(body.values[output.values[0]])
    for number, found in enumerate(results):
        words.line(f"store{form.pack}(r{number}, i, {', '.join(found)})")


def element(array: str, index: Sequence[str]) -> tuple[int, str]:
    """Return the number of indices, and the text of an array with them, as words take them."""
    return len(index), ", ".join((array, *index))


class Body:
    """The values of one element; each is a name in the written code."""

    def __init__(self, program: Program, words: Words, form: Form, index: tuple[str, ...]) -> None:
        self.program, self.words, self.form, self.index = program, words, form, index
        self.values: dict[int, str] = {}
        self.packs: dict[int, str] = {}
        """What an argument's element was loaded as, where a pack of them was."""
        self.shared = _paired(program)
        self.pairs: dict[tuple[int, ...], Any] = {}
        self.given: Sequence[str] = ()
        """Of a step of a loop: its arguments."""
        self.loops: dict[int, list[str]] = {}
        """What loops leave."""

    def compute(self) -> None:
        """Write all values, those that few threads need behind branches.

        What has a shape is stored as soon as it is there: large results would not fit into
        registers.
        """
        places = {} if self.program.is_elementwise else self.places()
        for item in branches(self.program):
            self._item(item, places)

    def compute_part(self, part: Part, places: dict[int, list[Any]]) -> None:
        """Write the values of a part of a program, some of them read from memory."""
        for at, slot in part.reads.items():
            truth = self.program.instructions[at].type == "b"
            self.values[at] = self.words.write(f"peek(w, {slot}){' != F(0.0)' if truth else ''}")
        for item in part.items:
            self._item(item, places)
        for at, slot in part.writes.items():
            value = self.values[at]
            if self.program.instructions[at].type == "b":
                value = self.words.write(f"select({value}, F(1.0), F(0.0))")
            self.words.line(f"poke(w, {slot}, {value})")

    def store_all(self) -> None:
        """Store elementwise results: last, as a result may be an argument's array."""
        if self.program.is_elementwise:
            for value, targets in self.places().items():
                self._store(value, targets)

    def places(self) -> dict[int, list[Any]]:
        """Return where each value is stored."""
        found: dict[int, list[Any]] = {}
        for number, output in enumerate(self.program.outputs):
            for component, value in enumerate(output.values):
                place = self._element(f"r{number}", output, component)
                found.setdefault(value, []).append(place)
        return found

    def _store(self, value: int, targets: Sequence[Any]) -> None:
        self._leaves((value,) if targets else ())
        for target in targets:
            self.words.line(f"put{target[0]}({target[1]}, {self.values[value]})")

    def _element(self, array: str, operand: Argument | Output, component: int) -> tuple[int, str]:
        """Return the place of a component of an operand: how many axes, and the array with them."""
        index, left = [], component
        for size in reversed(operand.shape):
            left, at = divmod(left, size)
            index.append(str(at))
        return element(array, (*self.index, *reversed(index)))

    def _leaves(self, wanted: Sequence[int]) -> None:
        """Write arguments and constants that are not there, as in all parts but one."""
        for at in wanted:
            if at not in self.values:
                self.values[at] = self._value(self.program.instructions[at])

    def _item(self, item: Item, places: dict[int, list[Any]]) -> None:
        if isinstance(item, Branch):
            self._leaves((item.condition,))
            self._branch(item, places)
            return
        this = self.program.instructions[item]
        if this.op == "result":
            assert isinstance(this.payload, int)
            self.values[item] = self.loops[this.args[0]][this.payload]
        else:
            self._leaves(this.args)
            if isinstance(this.payload, Program):
                self.loops[item] = self._repeat(this, this.payload)
                return
            self.values[item] = self._value(this)
        self._store(item, places.get(item, ()))

    def _repeat(self, this: Instruction, step: Program) -> list[str]:
        """Write a loop, as often as this thread needs it; return the state that it leaves."""
        given = [self.values[arg] for arg in this.args]
        size = len(step.outputs) - 1
        state = [self.words.write(value) for value in given[:size]]
        own = Body(step, self.words, self.form, self.index)
        own.given = [*state, *given[size:]]
        with self.words.inside("while True:"):
            first, rest = order(step)
            for item in first:
                own._item(item, {})
            with self.words.inside(f"if not {own.values[step.outputs[0].values[0]]}:"):
                self.words.line("break")
            for item in rest:
                own._item(item, {})
            ends = [output.values[0] for output in step.outputs[1:]]
            own._leaves(ends)
            following = ", ".join(own.values[at] for at in ends)
            self.words.line(f"{', '.join(state)} = {following}")
        return state

    def _branch(self, branch: Branch, places: dict[int, list[Any]]) -> None:
        """Write values that are left out where this thread does not need them."""
        condition = self.values[branch.condition]
        results = [self._blank(value) for value in branch.results]
        outside, around = dict(self.values), dict(self.pairs)
        with self.words.inside(f"if {condition}:" if branch.when else f"if not {condition}:"):
            for item in branch.items:
                self._item(item, {})
            for value, names in zip(branch.results, results, strict=True):
                made = self.loops[value] if value in self.loops else [self.values[value]]
                for name, result in zip(names, made, strict=True):
                    self.words.line(f"{name} = {result}")
        # what was computed in there may not be used after it
        self.values, self.pairs = outside, around
        for value, names in zip(branch.results, results, strict=True):
            if value in self.loops:
                self.loops[value] = names
            else:
                (self.values[value],) = names
                self._store(value, places.get(value, ()))

    def _blank(self, value: int) -> list[str]:
        """Write what stands for a value, or for all that a loop leaves, where it is left out."""
        this = self.program.instructions[value]
        loop = isinstance(this.payload, Program)
        parts = this.args[: len(this.payload.outputs) - 1] if loop else (value,)  # type: ignore[union-attr]
        truths = [self.program.instructions[part].type == "b" for part in parts]
        return [self.words.write("False" if truth else "F(0.0)") for truth in truths]

    def _value(self, this: Instruction) -> str:
        payload = this.payload
        if isinstance(payload, tuple):
            return self._load(*payload)
        if isinstance(payload, bool):
            return str(payload)
        if isinstance(payload, Constant):
            held = payload.f64 if self.form.dtype == "f64" else payload.f32
            return f"F({literal(held)})"
        args = [self.values[arg] for arg in this.args]
        if this.op in _SINCOS and this.args in self.shared:
            return self._sine_or_cosine(this)
        if this.op in ("eq", "ne") and self.program.instructions[this.args[0]].type == "b":
            differ = self.words.write(f"differ({args[0]}, {args[1]})")
            return str(differ if this.op == "ne" else self.words.write(f"negated({differ})"))
        return str(_written(self.words, this.op, args))

    def _sine_or_cosine(self, this: Instruction) -> str:
        """Take one of a pair that is computed together: the same bits as apart, half the work."""
        if this.args not in self.pairs:
            self.pairs[this.args] = self.words.write(f"{SINCOS}({self.values[this.args[0]]})")
        return str(self.words.write(f"{self.pairs[this.args]}[{_SINCOS.index(this.op)}]"))

    def _load(self, number: int, component: int) -> str:
        if self.given:
            return self.given[number]
        argument = self.program.arguments[number]
        if number in self.packs:
            place = self.packs[number]
        elif self.form.scalars and self.form.scalars[number]:
            place = f"a{number}"
        else:
            axes, place = self._element(f"a{number}", argument, component)
            read = "real" if argument.type == "f" else "truth"
            return str(self.words.write(f"{read}{axes}({place})"))
        return str(self.words.write(f"F({place})" if argument.type == "f" else place))


def _written(words: Words, op: str, args: Sequence[str]) -> Any:
    """Write an op of numbers; booleans are compared elsewhere."""
    if op in _SIGNED:
        return words.write(f"{args[0]} {_SIGNED[op]} {args[1]}")
    if op in _OPERATORS:
        return words.write(f"{args[0]} {_OPERATORS[op]} {args[1]}")
    if op == "neg":
        return words.write(f"-{args[0]}")
    if op in ("minimum", "maximum"):
        return _extremum(words, "<" if op == "minimum" else ">", *args)
    if op == "sign":
        return _sign(words, args[0])
    return words.write(f"{_WORDS.get(op, op)}({', '.join(args)})")


def _extremum(words: Words, sign: str, a: str, b: str) -> Any:
    """NumPy's: a NaN wins, and of equal numbers (0.0, -0.0) the second is taken."""
    chosen = words.write(f"select({a} {sign} {b}, {a}, {b})")
    return words.write(f"select({a} != {a}, {a}, {chosen})")


def _sign(words: Words, a: str) -> Any:
    """1 or -1; 0.0 for both zeros; a NaN stays."""
    unit = words.write(f"copysign(F(1.0), {a})")
    chosen = words.write(f"select({a} != F(0.0), {unit}, F(0.0))")
    return words.write(f"select({a} != {a}, {a}, {chosen})")


def components(program: Program) -> int:
    """Return how many numbers of memory one element passes through."""
    return sum(prod(operand.shape) for operand in program.operands)
