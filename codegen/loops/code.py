"""Machine code of a list of pieces, in modules of bounded size."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final

from llvmlite import ir

from codegen.coder import begin
from codegen.engine import object_code
from codegen.llvm.shared import define_shared, state_target
from codegen.loops.costs import Costs
from codegen.loops.emit import emit_loop
from codegen.loops.linkable import Compiled, owners_of, packed, placed
from codegen.loops.nearby import nearby, worth_ordering
from codegen.loops.plan import Piece, Straight, pieces
from codegen.loops.program import Rolled
from codegen.loops.reshape import reshaped
from codegen.loops.straight import emit_straight
from codegen.store.objects import looked_up
from codegen.store.rolled import rolled_digest
from codegen.target import Float, Target
from rewrite.progress import each, shown

__all__ = ["begun", "linkable_module", "modules", "planned", "prepared", "straight_level"]

_MODULE: Final = 4000
"""Instructions of a module, roughly."""
_COLD: Final = 32_000
"""Straight-line instructions from which on LLVM's quickest way to emit code is taken: it takes a
tenth of the time. Measured on Zen 4: its code takes 1.3 to 1.4 times as long."""


def planned(program: Rolled, dtype: Float, target: Target, *, batch: bool) -> list[Piece]:
    """Choose the pieces of a program on a target."""
    return prepared(program, dtype, target, batch=batch)[1]


def prepared(
    program: Rolled, dtype: Float, target: Target, *, batch: bool
) -> tuple[int, list[Piece]]:
    """Return how many work cells there are, and the pieces of a program on a target."""
    costs = Costs(target, dtype)
    whole = reshaped(program, costs, batch=batch)
    found = pieces(whole, costs, batch=batch)
    if batch and worth_ordering(whole, found, target):
        ordered = nearby(whole, target)
        if ordered is not whole:
            whole, found = ordered, pieces(ordered, costs, batch=True)
    return whole.work, found


def modules(
    found: Sequence[Piece], dtype: Float, target: Target, *, batch: bool
) -> Iterator[tuple[str, int, list[int]]]:
    """Yield LLVM modules: their text, the level to emit them at, and whose functions they hold.

    The function of piece k is `piece<k>`; equal ones have that of the first.
    """
    level = straight_level(found)
    straight, loops = list[int](), list[int]()
    for number in sorted(set(owners_of(found))):
        (straight if isinstance(found[number].code, Straight) else loops).append(number)
    for chosen in _shares(found, loops):
        yield _module(found, chosen, dtype, target, batch), 1, chosen
    for chosen in _shares(found, straight):
        yield _module(found, chosen, dtype, target, batch), level, chosen


def straight_level(found: Sequence[Piece]) -> int:
    """Return LLVM's level for straight-line code."""
    long = sum(_size(piece) for piece in found if isinstance(piece.code, Straight))
    return 0 if long > _COLD else 1


def linkable_module(
    found: Sequence[Piece], dtype: Float, target: Target, stem: str, *, batch: bool
) -> str:
    """Return one module of all pieces, to be linked with those of other targets.

    Its functions are `<stem><k>`, say which machine they are for, and have all that they call.
    """
    return _module(
        found, sorted(set(owners_of(found))), dtype, target, batch, stem=stem, apart=True
    )


def _size(piece: Piece) -> int:
    if isinstance(piece.code, Straight):
        return sum(len(i.body.instructions) for i in piece.code.instances)
    return 20 + 5 * len(piece.code.body.instructions)


def _shares(found: Sequence[Piece], numbers: list[int]) -> Iterator[list[int]]:
    chosen: list[int] = []
    total = 0
    for number in numbers:
        chosen.append(number)
        total += _size(found[number])
        if total > _MODULE:
            yield chosen
            chosen, total = [], 0
    if chosen:
        yield chosen


def _module(
    found: Sequence[Piece], numbers: list[int], dtype: Float, target: Target, batch: bool,
    *, stem: str = "piece", apart: bool = False,
) -> str:  # fmt: skip
    module = ir.Module(name="pieces")
    module.triple = target.triple
    texts = []
    for number in numbers:
        code, name = found[number].code, f"{stem}{number}"
        if isinstance(code, Straight):
            texts.append(emit_straight(module, code, name, dtype, target, batch=batch, apart=apart))
        else:
            emit_loop(module, code, name, dtype, target, batch=batch)
    if apart:
        define_shared(module, target)
        state_target(module, target)
    return "\n".join([str(module), *texts])


def begun(program: Rolled, dtype: Float, target: Target, *, batch: bool) -> Future[Compiled]:
    """Write the pieces of a program and their tables, or load what was compiled before.

    LLVM compiles what is written in the meantime and afterwards.
    """

    def parts() -> tuple[str, ...]:
        return "pieces", rolled_digest(program), dtype, "batch" if batch else "point"

    known, keep = looked_up(target, parts)
    if known is not None:
        loaded: Future[Compiled] = Future()
        loaded.set_result(placed(known, target))
        return loaded
    with shown(None):  # the first call of a kernel may be what compiles it
        work, found = prepared(program, dtype, target, batch=batch)
        texts = each(modules(found, dtype, target, batch=batch), "generating code", "part")
        objects = [begin(partial(object_code, text, target, opt=level)) for text, level, _ in texts]

    def made() -> Compiled:
        parcel = packed(work, found, [code.result() for code in objects], dtype)
        keep(parcel)
        return placed(parcel, target)

    return begin(made)
