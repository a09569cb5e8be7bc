"""How many elements a call is for, as the arrays that it is given tell."""

from collections.abc import Sequence

from llvmlite import ir

from codegen.llvm.builtin import RANK_AT, SIZES_AT, TYPE_AT
from codegen.llvm.scribe import I1, I32, I64, POINTER, Scribe

__all__ = ["alike", "emit_large", "rank_of", "size_of"]


def emit_large(module: ir.Module) -> ir.Function:
    """Write `large(arguments, count, least, array_type)`: may a call be for so many elements?

    Arrays of one shape are for as many as one of them has; others are broadcast, and may be for the
    product of what they have.
    """
    function = ir.Function(module, ir.FunctionType(I1, [POINTER, I64, I64, I64]), "large")
    function.linkage = "internal"
    arguments, count, least, array_type = function.args
    code = Scribe(function.append_basic_block("entry"))
    first, product, mixed = code.alloca(I64), code.alloca(I64), code.alloca(I1)
    for place, value in ((first, I64(0)), (product, I64(1)), (mixed, I1(0))):
        code.store(value, place)
    _few_in_rows(code, function.args)
    with code.counted(I64(0), count) as index:
        array = code.read(arguments, index, POINTER)
        kind = code.load(code.at(array, I64(TYPE_AT)), typ=I64)
        with code.if_then(code.equal(kind, array_type)):
            size = size_of(code, array)
            with code.if_then(code.icmp_signed(">=", size, least)):
                code.ret(I1(1))
            before = code.load(first, typ=I64)
            is_first = code.equal(before, I64(0))
            code.store(code.select(is_first, code.ptrtoint(array, I64), before), first)
            other = code.inttoptr(code.load(first, typ=I64), POINTER)
            differs = code.not_(alike(code, array, other))
            code.store(code.or_(code.load(mixed, typ=I1), differs), mixed)
            counts = code.or_(is_first, differs)
            factor = code.select(counts, size, I64(1))
            # neither is larger than `least`, which is less than 2^31
            grown = code.smaller(code.mul(code.load(product, typ=I64), factor), least)
            code.store(grown, product)
    enough = code.icmp_signed(">=", code.load(product, typ=I64), least)
    code.ret(code.and_(enough, code.load(mixed, typ=I1)))
    return function


def _few_in_rows(code: Scribe, given: Sequence[ir.Value]) -> None:
    """Return at once where no array has more axes than one, nor many elements: the commonest."""
    arguments, count, least, array_type = given
    other = code.append_basic_block("other")
    with code.counted(I64(0), count) as index:
        array = code.read(arguments, index, POINTER)
        kind = code.load(code.at(array, I64(TYPE_AT)), typ=I64)
        with code.if_then(code.equal(kind, array_type)):
            rank = rank_of(code, array)
            with code.if_then(code.less(I64(0), rank)):
                sizes = code.load(code.at(array, I64(SIZES_AT)), typ=POINTER)
                few = code.less(code.load(sizes, typ=I64), least)
                few = code.and_(few, code.equal(rank, I64(1)))
                fine = code.append_basic_block("few")
                code.cbranch(few, fine, other)
                code.position_at_end(fine)
    code.ret(I1(0))
    code.position_at_end(other)


def rank_of(code: Scribe, array: ir.Value) -> ir.Value:
    """Return how many axes an array has."""
    return code.zext(code.load(code.at(array, I64(RANK_AT)), typ=I32), I64)


def size_of(code: Scribe, array: ir.Value) -> ir.Value:
    """Count the elements of an array."""
    sizes = code.load(code.at(array, I64(SIZES_AT)), typ=POINTER)
    with code.goto_entry_block():
        found = code.alloca(I64)
    code.store(I64(1), found)
    with code.counted(I64(0), rank_of(code, array)) as axis:
        code.store(code.mul(code.load(found, typ=I64), code.read(sizes, axis)), found)
    return code.load(found, typ=I64)


def alike(code: Scribe, array: ir.Value, other: ir.Value) -> ir.Value:
    """Tell whether two arrays have the same shape."""
    ranks = [rank_of(code, each) for each in (array, other)]
    own, theirs = (code.load(code.at(each, I64(SIZES_AT)), typ=POINTER) for each in (array, other))
    with code.goto_entry_block():
        same = code.alloca(I1)
    code.store(code.equal(*ranks), same)
    with code.counted(I64(0), code.smaller(*ranks)) as axis:
        equal = code.equal(code.read(own, axis), code.read(theirs, axis))
        code.store(code.and_(code.load(same, typ=I1), equal), same)
    return code.load(same, typ=I1)
