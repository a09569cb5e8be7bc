"""A builder for code that reads structures which Python writes, field by field."""

import ctypes

from llvmlite import ir

from codegen.llvm.scribe import I8, I64, POINTER, Scribe

__all__ = ["Words"]


class Words(Scribe):
    """A builder that reads and writes fields of structures by name."""

    def word(self, base: ir.Value, kind: type[ctypes.Structure], name: str) -> ir.Value:
        """Return where a field is."""
        return self.at(base, I64(getattr(kind, name).offset))

    def get(
        self, base: ir.Value, kind: type[ctypes.Structure], name: str, of: ir.Type = I64
    ) -> ir.Value:
        """Read a field."""
        return self.load(self.word(base, kind, name), typ=of)

    def put(self, value: ir.Value, base: ir.Value, kind: type[ctypes.Structure], name: str) -> None:
        """Write a field."""
        self.store(value, self.word(base, kind, name))

    def called(
        self, address: ir.Value, result: ir.Type, values: list[ir.Value]
    ) -> ir.Value:  # fmt: skip
        """Call a function whose address is a number."""
        kind = ir.FunctionType(result, [value.type for value in values])
        return self.call(self.inttoptr(address, kind.as_pointer()), values)

    def room(self, bytes_: int, align: int = 16) -> ir.Value:
        """Return memory on the stack."""
        made = self.alloca(ir.ArrayType(I8, bytes_))
        made.align = align
        made.type = POINTER
        return made
