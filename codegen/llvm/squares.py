"""Squares of numbers that lie in rows, turned into columns by vectors."""

from collections.abc import Sequence

from llvmlite import ir

from codegen.llvm.scribe import I32, Scribe

__all__ = ["emit_square"]


def emit_square(
    code: Scribe, kind: ir.Type, sources: Sequence[ir.Value], targets: Sequence[ir.Value]
) -> None:
    """Read as many numbers from each place as there are places; write number k of each to target k.

    Rows exchange single numbers, then parts of twice the size, and so on.

    Source: J. O. Eklundh, "A fast computer method for matrix transposing", 1972.
    """
    wide, align = len(sources), kind.width // 8
    vector = ir.VectorType(kind, wide)
    rows = [code.load(source, typ=vector, align=align) for source in sources]
    size = 1
    while size < wide:
        rows = _exchanged(code, rows, size)
        size *= 2
    for row, target in zip(rows, targets, strict=True):
        code.store(row, target, align=align)


def _exchanged(code: Scribe, rows: Sequence[ir.Value], size: int) -> list[ir.Value]:
    """Exchange parts of a size between rows that are as far apart."""
    wide = len(rows)
    made = list(rows)
    for at in range(wide):
        if at & size:
            continue
        pair = rows[at], rows[at + size]
        low = [k if not k & size else wide + k - size for k in range(wide)]
        made[at] = _mixed(code, *pair, low)
        made[at + size] = _mixed(code, *pair, [k + size for k in low])
    return made


def _mixed(code: Scribe, one: ir.Value, other: ir.Value, lanes: Sequence[int]) -> ir.Value:
    """Pick lanes of two vectors."""
    mask = ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes))
    return code.shuffle_vector(one, other, mask)
