"""A rolled program written out: every operation of all instances, each value by a number."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from codegen.instruction import Constant, ValueType
from codegen.loops.instances import Instance, instances
from codegen.loops.program import Rolled

__all__ = ["Cell", "Flat", "Ref", "flat"]

type Cell = tuple[int, int]
"""The place of its segment in the table of addresses, and its number there."""
type Ref = int | Cell | Constant | bool
"""An operation, a cell of an argument, or a constant."""


@dataclass(frozen=True, slots=True)
class Flat:
    """Operations in an order in which they can be done."""

    ops: list[str] = field(default_factory=list)
    args: list[tuple[Ref, ...]] = field(default_factory=list)
    types: list[ValueType] = field(default_factory=list)
    results: dict[Cell, Ref] = field(default_factory=dict)
    """What the cells of outputs hold in the end."""

    def emit(self, op: str, args: tuple[Ref, ...], kind: ValueType) -> int:
        """Append an operation and return its number."""
        self.ops.append(op)
        self.args.append(args)
        self.types.append(kind)
        return len(self.ops) - 1


def flat(program: Rolled) -> Flat:
    """Write out all instances in order; sums stay sums from left to right."""
    made = Flat()
    held: dict[Cell, Ref] = {}
    for step in program.steps:
        for instance in instances(program, step):
            values = _values(made, instance, held)
            for cell, value in zip(instance.results, values, strict=True):
                if instance.adds:
                    value = made.emit("add", (held[cell], value), "f")
                held[cell] = value
    outputs = range(len(program.arguments), len(program.operands))
    made.results.update((cell, value) for cell, value in held.items() if cell[0] in outputs)
    return made


def _values(made: Flat, this: Instance, held: dict[Cell, Ref]) -> Sequence[Ref]:
    """Write out one instance and return its results."""
    values: list[Ref] = []
    for instruction in this.body.instructions:
        payload = instruction.payload
        if isinstance(payload, tuple):
            operand = this.operands[payload[0]]
            if isinstance(operand[0], float):
                values.append(Constant(operand[0], operand[1]))
            else:
                cell: Cell = operand  # type: ignore[assignment]
                values.append(held.get(cell, cell))
        elif isinstance(payload, Constant | bool):
            values.append(payload)
        else:
            args = tuple(values[k] for k in instruction.args)
            values.append(made.emit(instruction.op, args, instruction.type))
    return [values[output.values[0]] for output in this.body.outputs]
