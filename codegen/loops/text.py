"""What the code of a rolled program looks like: LLVM and assembly, as much as a person reads."""

from collections.abc import Iterator

from codegen.engine import assembly
from codegen.loops.code import modules, planned
from codegen.loops.plan import Piece, Straight
from codegen.loops.program import Rolled
from codegen.target import Float, Target

__all__ = ["rolled_assembly", "rolled_llvm"]

_LONGEST = 200_000
"""Characters that are shown."""


def rolled_llvm(program: Rolled, dtype: Float, target: Target) -> str:
    """Return the LLVM text of the pieces for a point and for a batch."""
    return _joined(_texts(program, dtype, target))


def rolled_assembly(program: Rolled, dtype: Float, target: Target) -> str:
    """Return the assembly text of the pieces for a point and for a batch."""
    return _joined(
        text if text.startswith(";") else assembly(text, target)
        for text in _texts(program, dtype, target)
    )


def _texts(program: Rolled, dtype: Float, target: Target) -> Iterator[str]:
    for batch, title in ((False, "one point"), (True, "a batch, with a point in each lane")):
        found = planned(program, dtype, target, batch=batch)
        lines = [f"; {title}: {len(found)} pieces", *map(_described, range(len(found)), found)]
        yield "\n".join(lines) + "\n"
        for text, _, _ in modules(found, dtype, target, batch=batch):
            yield text


def _described(number: int, piece: Piece) -> str:
    code = piece.code
    if isinstance(code, Straight):
        size = sum(len(i.body.instructions) for i in code.instances)
        return f";   piece{number}: straight line of {size} instructions"
    columns = (*code.operands, *code.results)
    forms = " ".join(c.form + (f"({c.stride})" if c.stride else "") for c in columns)
    return f";   piece{number}: {code.form}, {piece.units} units; columns {forms}"


def _joined(texts: Iterator[str]) -> str:
    found, total = [], 0
    for text in texts:
        found.append(text)
        total += len(text)
        if total > _LONGEST:
            whole = "\n".join(found)[:_LONGEST]
            return f"{whole}\n; cut off here: the text is longer than {_LONGEST} characters\n"
    return "\n".join(found)
