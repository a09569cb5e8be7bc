"""What writes the instructions of a program one by one, sine and cosine of one angle together."""

from collections.abc import Sequence
from typing import Final

from codegen.instruction import Constant, Instruction
from codegen.llvm.ops import OPS, Emitter, Value
from codegen.program import Program

__all__ = ["Paired"]

_SINCOS: Final = ("sin", "cos")


class Paired:
    """Writes instructions; of a pair both have the bits that they would have apart."""

    def __init__(self, emitter: Emitter, program: Program) -> None:
        self.emitter = emitter
        sines, cosines = ({i.args for i in program.instructions if i.op == op} for op in _SINCOS)
        self._shared = sines & cosines
        self.pairs: dict[tuple[int, ...], tuple[Value, Value]] = {}
        """What was written so, by the angle: as long as the code is where it may be read."""

    def write(self, this: Instruction, arguments: Sequence[Value]) -> Value:
        """Write an instruction, which is no load, and return its value."""
        payload = this.payload
        if isinstance(payload, bool):
            return self.emitter.truth(payload)
        if isinstance(payload, Constant):
            return self.emitter.splat(payload.f64 if self.emitter.dtype == "f64" else payload.f32)
        if this.op in _SINCOS and this.args in self._shared:
            if this.args not in self.pairs:
                self.pairs[this.args] = self.emitter.sincos(arguments[0])
            return self.pairs[this.args][_SINCOS.index(this.op)]
        return OPS[this.op](self.emitter, *arguments)
