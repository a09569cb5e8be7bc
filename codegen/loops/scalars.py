"""Ops of one number at a time, with the bits that they have in vectors."""

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from codegen.llvm.ops import SCALARS, Emitter, Text, Value

__all__ = ["Scalars"]

_FIRST = ir.IntType(32)(0)


@dataclass
class Scalars(Emitter):
    """Emits scalar instructions; elementary functions are those of vectors with equal lanes."""

    wide: int = 1
    """The lanes of vectors that functions are computed in."""

    @property
    def vector(self) -> Any:
        """Return the type of numbers."""
        return SCALARS[self.dtype]

    def splat(self, value: float) -> Value:
        """Return a constant."""
        return ir.Constant(SCALARS[self.dtype], value)

    def truth(self, value: bool) -> Value:
        """Return a constant boolean."""
        return ir.Constant(ir.IntType(1), int(value))

    def intrinsic(self, name: str, *args: Value) -> Value:
        """Call an LLVM intrinsic."""
        return self.builder.call(self.function(f"llvm.{name}.{self.dtype}", len(args)), args)

    def elementary(self, name: str, *args: Value) -> Value:
        """Evaluate an elementary function."""
        result = self._vectors().elementary(name, *map(self._spread, args))
        return self.builder.extract_element(result, _FIRST)

    def sincos(self, x: Value) -> tuple[Value, Value]:
        """Evaluate sine and cosine with one range reduction."""
        found = self._vectors().sincos(self._spread(x))
        first, second = (self.builder.extract_element(value, _FIRST) for value in found)
        return first, second

    def _vectors(self) -> Emitter:
        common = (self.builder, self.module, self.dtype)
        return Emitter(*common, self.wide, self.lookups, self.called, self.slower)

    def _spread(self, value: Value) -> Value:
        """Return a vector with the same number in each lane: no other lane is a rare case."""
        kind = ir.VectorType(SCALARS[self.dtype], self.wide)
        single = self.builder.insert_element(Text(kind, "undef"), value, _FIRST)
        numbers = ir.VectorType(ir.IntType(32), self.wide)
        mask = ir.Constant(numbers, [_FIRST] * self.wide)
        return self.builder.shuffle_vector(single, Text(kind, "undef"), mask)
