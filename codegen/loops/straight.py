"""Straight-line pieces as LLVM text: llvmlite's own builder takes ten times as long.

Values do not live for long, so that LLVM's allocator is quick: a result is stored as soon as it is
computed, its operands just before, and a cell is read again where it is used again much later.
"""

from typing import Any, Final

from llvmlite import ir

from codegen.cost import slower
from codegen.llvm.ops import SCALARS, Emitter
from codegen.llvm.paired import Paired
from codegen.llvm.shared import stated
from codegen.loops.instances import Instance
from codegen.loops.lives import FAR, lives
from codegen.loops.plan import Straight
from codegen.loops.scalars import Scalars
from codegen.target import ITEMSIZE, Float, Target

__all__ = ["Lines", "emit_straight"]

_NEAR: Final = 24
"""Lines over which a cell's value is kept: about as many as a machine has registers."""
_NEAR_OF_MANY: Final = 300
"""The same with 32 vector registers. Measured with AVX-512: calls take 2 to 4 % less."""
_I8 = ir.IntType(8)
_I1 = ir.IntType(1)


class _Value:
    """A value by its name."""

    __slots__ = ("name", "type")

    def __init__(self, type: Any, name: str) -> None:  # noqa: A002
        self.type, self.name = type, name

    def get_reference(self) -> str:
        """Return the name, as llvmlite's values do."""
        return self.name


class Lines:
    """Those methods of llvmlite's builder that ops use, writing lines of text."""

    def __init__(self, module: ir.Module) -> None:
        self.module = module
        self.lines: list[str] = []
        self._names: dict[int, tuple[Any, str]] = {}

    def named(self, kind: Any) -> str:
        """Return the text of a type."""
        known = self._names.get(id(kind))
        if known is None:  # the type is kept, so that no other one gets its place in memory
            known = self._names[id(kind)] = (kind, str(kind))
        return known[1]

    def line(self, kind: Any, text: str) -> _Value:
        """Append an instruction."""
        name = f"%v{len(self.lines)}"
        self.lines.append(f"  {name} = {text}")
        return _Value(kind, name)

    def _binary(self, op: str, a: Any, b: Any) -> _Value:
        text = f"{op} {self.named(a.type)} {a.get_reference()}, {b.get_reference()}"
        return self.line(a.type, text)

    def fadd(self, a: Any, b: Any) -> _Value:
        """Add."""
        return self._binary("fadd", a, b)

    def fsub(self, a: Any, b: Any) -> _Value:
        """Subtract."""
        return self._binary("fsub", a, b)

    def fmul(self, a: Any, b: Any) -> _Value:
        """Multiply."""
        return self._binary("fmul", a, b)

    def fdiv(self, a: Any, b: Any) -> _Value:
        """Divide."""
        return self._binary("fdiv", a, b)

    def fneg(self, a: Any) -> _Value:
        """Negate."""
        return self.line(a.type, f"fneg {self.named(a.type)} {a.get_reference()}")

    def and_(self, a: Any, b: Any) -> _Value:
        """Both."""
        return self._binary("and", a, b)

    def or_(self, a: Any, b: Any) -> _Value:
        """Either."""
        return self._binary("or", a, b)

    def not_(self, a: Any) -> _Value:
        """Negate a boolean."""
        ones = "true" if a.type == _I1 else "splat (i1 true)"
        return self.line(a.type, f"xor {self.named(a.type)} {a.get_reference()}, {ones}")

    def select(self, condition: Any, a: Any, b: Any) -> _Value:
        """Choose."""
        parts = ", ".join(self.typed(x) for x in (condition, a, b))
        return self.line(a.type, f"select {parts}")

    def typed(self, value: Any) -> str:
        """Return a value with its type."""
        return f"{self.named(value.type)} {value.get_reference()}"

    def _compare(self, words: str, a: Any, b: Any) -> _Value:
        kind = ir.VectorType(_I1, a.type.count) if isinstance(a.type, ir.VectorType) else _I1
        return self.line(kind, f"{words} {self.typed(a)}, {b.get_reference()}")

    def fcmp_ordered(self, sign: str, a: Any, b: Any) -> _Value:
        """Compare numbers; false where one is a NaN."""
        return self._compare(f"fcmp o{_SIGNS[sign]}", a, b)

    def fcmp_unordered(self, sign: str, a: Any, b: Any) -> _Value:
        """Compare numbers; true where one is a NaN."""
        return self._compare("fcmp uno" if sign == "uno" else f"fcmp u{_SIGNS[sign]}", a, b)

    def icmp_unsigned(self, sign: str, a: Any, b: Any) -> _Value:
        """Compare integers."""
        return self._compare(f"icmp {_SIGNS[sign]}", a, b)

    def call(self, function: Any, args: Any) -> _Value:
        """Call a function of the module."""
        kind = function.function_type.return_type
        given = ", ".join(map(self.typed, args))
        return self.line(kind, f'call {self.named(kind)} @"{function.name}"({given})')

    def extract_value(self, value: Any, place: int) -> _Value:
        """Return a field."""
        return self.line(value.type.elements[place], f"extractvalue {self.typed(value)}, {place}")

    def insert_element(self, vector: Any, value: Any, place: Any) -> _Value:
        """Replace a lane."""
        parts = ", ".join(map(self.typed, (vector, value, place)))
        return self.line(vector.type, f"insertelement {parts}")

    def extract_element(self, vector: Any, place: Any) -> _Value:
        """Return a lane."""
        text = f"extractelement {self.typed(vector)}, {self.typed(place)}"
        return self.line(vector.type.element, text)

    def shuffle_vector(self, a: Any, b: Any, mask: Any) -> _Value:
        """Pick lanes."""
        return self.line(a.type, "shufflevector " + ", ".join(map(self.typed, (a, b, mask))))

    def fpext(self, a: Any, kind: Any) -> _Value:
        """Widen."""
        return self.line(kind, f"fpext {self.typed(a)} to {self.named(kind)}")

    def fptrunc(self, a: Any, kind: Any) -> _Value:
        """Round."""
        return self.line(kind, f"fptrunc {self.typed(a)} to {self.named(kind)}")

    def zext(self, a: Any, kind: Any) -> _Value:
        """Widen an integer."""
        return self.line(kind, f"zext {self.typed(a)} to {self.named(kind)}")


_SIGNS = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


def emit_straight(
    module: ir.Module, code: Straight, name: str, dtype: Float, target: Target, *, batch: bool,
    apart: bool = False,
) -> str:  # fmt: skip
    """Return the text of a function; what it calls is declared in the module.

    One that is `apart` says which machine it is for.
    """
    lanes = target.lanes(dtype)
    lines = Lines(module)
    called = _functions(code)
    common = (lines, module, dtype)
    more = (target.vector_bits == 512, called, slower(target, dtype))
    emitter: Emitter
    if batch:
        emitter = Emitter(*common, lanes, *more)
    else:
        emitter = Scalars(*common, 1, *more, wide=lanes)
    near = _NEAR_OF_MANY if target.vector_bits == 512 else _NEAR
    memory = _Memory(lines, emitter, lanes if batch else 1, near)
    for instance in code.instances:
        _Written(emitter, memory, instance).emit()
    words = " ".join((f"alignstack({target.vector_bits // 8})", *(stated(target) if apart else ())))
    head = f'define void @"{name}"(ptr %segments, ptr %words, i64 %begin, i64 %end)'
    return "\n".join([f"{head} {words} {{", *memory.room(), *lines.lines, "  ret void", "}", ""])


def _functions(code: Straight) -> frozenset[str]:
    """Return all functions: called, each is code for once."""
    return frozenset(i.op for instance in code.instances for i in instance.body.instructions)


class _Written:
    """Writes an instance: each value where it is first needed; later uses may read it again."""

    def __init__(self, emitter: Emitter, memory: "_Memory", instance: Instance) -> None:
        self.emitter, self.memory, self.instance = emitter, memory, instance
        self.instructions = instance.body.instructions
        self.paired = Paired(emitter, instance.body)
        self.lives = lives(instance.body, written=not instance.adds)
        self.values: dict[int, Any] = {}
        self.seen: dict[int, int] = {}
        """At which step a value was last in a register."""
        self.cells: dict[int, tuple[int, int]] = {}
        self.slots: dict[int, int] = {}
        self.place = 0
        """At which step the code is."""

    def emit(self) -> None:
        """Write the results one after the other, or add them to their cells."""
        this = self.instance
        made = []
        for place, at in enumerate(self.lives.steps):
            self.place = place
            if at >= 0:
                self.compute(at)
                continue
            (root,), cell = this.body.outputs[~at].values, this.results[~at]
            value = self.value(root)
            if this.adds:  # what is added to may be read by this instance too
                made.append((cell, value))
            else:
                self.memory.store(*cell, this.types[~at], value)
                self.cells[root] = cell
        for cell, value in made:
            total = self.memory.load(*cell, "f")
            self.memory.store(*cell, "f", self.emitter.builder.fadd(total, value))

    def compute(self, at: int) -> None:
        """Write an instruction; what waits for a use far behind is stored."""
        this = self.instructions[at]
        value = self.paired.write(this, [self.value(k) for k in this.args])
        self.values[at], self.seen[at] = value, self.place
        if at in self.lives.waits:
            self.slots[at] = self.memory.wait(value)

    def value(self, at: int) -> Any:
        """Return a value, or read it."""
        payload = self.instructions[at].payload
        if isinstance(payload, tuple):
            number, this = payload[0], self.instance
            return self.memory.read(this.operands[number], this.body.arguments[number].type)
        if payload is not None:
            return self.paired.write(self.instructions[at], ())
        if self.place - self.seen[at] > FAR:
            if at in self.cells and self.instructions[at].type == "f":
                self.values[at] = self.memory.load(*self.cells[at], "f")
            elif at in self.slots:
                self.values[at] = self.memory.recall(self.slots[at])
        self.seen[at] = self.place
        if at in self.slots and self.lives.ends[at] == self.place:
            self.memory.free.append(self.slots.pop(at))
        return self.values[at]


class _Memory:
    """Cells at fixed addresses; what was read or written shortly before is known."""

    def __init__(self, lines: Lines, emitter: Emitter, cells: int, near: int) -> None:
        self.lines, self.emitter, self.cells, self.near = lines, emitter, cells, near
        element = SCALARS[emitter.dtype]
        single = cells == 1
        self.kinds = {
            "f": element if single else ir.VectorType(element, cells),
            "b": _I8 if single else ir.VectorType(_I8, cells),
        }
        self.sizes = {"f": ITEMSIZE[emitter.dtype] * cells, "b": cells}
        self.bases: dict[int, str] = {}
        self.known: dict[tuple[int, int], tuple[Any, int]] = {}
        """Values of cells, and in which line they were."""
        self.unread: dict[tuple[int, int], int] = {}
        """The lines of stores that no load has needed."""
        self.free: list[int] = []
        """Slots on the stack whose value is not needed any more."""
        self.slots = 0

    def wait(self, value: Any) -> int:
        """Store a number on the stack; return its slot."""
        if not self.free:
            self.free.append(self.slots)
            self.slots += 1
        slot = self.free.pop()
        kind = self.sizes["f"]
        self.lines.lines.append(f"  store {self.lines.typed(value)}, ptr %s{slot}, align {kind}")
        return slot

    def recall(self, slot: int) -> Any:
        """Read a number from the stack."""
        word = self.lines.named(self.kinds["f"])
        text = f"load {word}, ptr %s{slot}, align {self.sizes['f']}"
        return self.lines.line(self.kinds["f"], text)

    def room(self) -> list[str]:
        """Return the lines that make room on the stack."""
        word = self.lines.named(self.kinds["f"])
        return [f"  %s{k} = alloca {word}, align {self.sizes['f']}" for k in range(self.slots)]

    def read(self, part: tuple[Any, Any], kind: str) -> Any:
        """Return a constant, or what a cell holds."""
        if isinstance(part[0], float):
            return self.emitter.splat(part[0] if self.emitter.dtype == "f64" else part[1])
        return self.load(part[0], part[1], kind)

    def address(self, slot: int, cell: int, kind: str) -> str:
        """Write the address of a cell."""
        if slot not in self.bases:
            entry = self.lines.line(None, f"getelementptr ptr, ptr %segments, i64 {slot}")
            self.bases[slot] = self.lines.line(None, f"load ptr, ptr {entry.name}").name
        offset = cell * self.sizes[kind]
        return self.lines.line(None, f"getelementptr i8, ptr {self.bases[slot]}, i64 {offset}").name

    def load(self, slot: int, cell: int, kind: str) -> Any:
        """Read a cell."""
        found, line = self.known.get((slot, cell), (None, 0))
        if found is None or len(self.lines.lines) - line > self.near:
            self.unread.pop((slot, cell), None)
            at = self.address(slot, cell, kind)
            word = self.lines.named(self.kinds[kind])
            found = self.lines.line(
                self.kinds[kind], f"load {word}, ptr {at}, align {self.sizes[kind]}"
            )
            if kind == "b":
                zero = _Value(found.type, "0" if self.cells == 1 else "zeroinitializer")
                found = self.lines.icmp_unsigned("!=", found, zero)
            self.known[slot, cell] = found, len(self.lines.lines)
        return found

    def store(self, slot: int, cell: int, kind: str, value: Any) -> None:
        """Write a cell."""
        lines = self.lines.lines
        earlier = self.unread.get((slot, cell))
        if earlier is not None:
            lines[earlier] = ""
        self.known[slot, cell] = value, len(lines)
        if kind == "b":
            value = self.lines.zext(value, self.kinds["b"])
        at = self.address(slot, cell, kind)
        self.unread[slot, cell] = len(lines)
        lines.append(f"  store {self.lines.typed(value)}, ptr {at}, align {self.sizes[kind]}")
