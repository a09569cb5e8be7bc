"""What a kernel computes, in either form, as arrays and back."""

from collections.abc import Mapping
from typing import Any

from codegen.loops.program import Rolled
from codegen.program import Program
from codegen.store.columns import pack_program, unpack_program
from codegen.store.rolled import pack_rolled, unpack_rolled
from rewrite.parcel import Parcel

__all__ = ["pack", "unpack"]


def pack(program: Program | Rolled) -> Parcel:
    """Write straight-line code or a program of loops."""
    if isinstance(program, Rolled):
        made = pack_rolled(program)
        return Parcel({**made.header, "rolled": True}, made.blocks)
    return pack_program(program)


def unpack(header: Mapping[str, Any], blocks: Mapping[str, Any]) -> Any:
    """Read a program in the form that it had."""
    read = unpack_rolled if header.get("rolled") else unpack_program
    return read(header, blocks)
