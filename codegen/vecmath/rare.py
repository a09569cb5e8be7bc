"""Branches around what few lanes need: a repair in place, or the C library lane by lane.

Or none: where a vocabulary only notes what is rare, `any_of` tells whether some lane is, and other
code is to compute all of them again.
"""

import functools
from collections.abc import Callable, Sequence
from functools import singledispatch

from llvmlite import ir

from codegen.vecmath.lanes import Lanes
from codegen.vecmath.vector import Rare, Vector

PREFIX = "rewrite.libm."

type Ahead = Callable[..., tuple[ir.Value, ir.Value]]
_AHEAD: dict[str, Ahead] = {}
"""By function of the C library what vector code does for it."""


def before_libm(name: str) -> Callable[[Ahead], Ahead]:
    """Register what computes rare lanes as vectors, and returns the mask of those it cannot."""

    def register(function: Ahead) -> Ahead:
        _AHEAD[name] = function
        return function

    return register


def halves(builder: ir.IRBuilder, a: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return the first and the last lanes of a vector."""
    half = a.type.count // 2
    lanes = ir.VectorType(ir.IntType(32), half)
    nothing = ir.Constant(a.type, ir.Undefined)
    first, last = (
        builder.shuffle_vector(a, nothing, ir.Constant(lanes, list(range(at, at + half))))
        for at in (0, half)
    )
    return first, last


def any_lane(builder: ir.IRBuilder, mask: ir.Value) -> ir.Value:
    """Return an i1: is some lane of the mask set."""
    packed = ir.IntType(int(mask.type.count))
    word = builder.bitcast(mask, packed)
    return builder.icmp_unsigned("!=", word, ir.Constant(packed, 0))


def _any(v: Vector, found: ir.Value) -> ir.Value:
    """Return an i1: is some lane of a mask set, or of flags, those of all registers joined."""
    if found.type == v.mask_type:
        return any_lane(v.builder, found)
    widest = 512 if v.lookups else 256
    while found.type.count * v.format.bits > widest:
        found = v.builder.or_(*halves(v.builder, found))
    # compared with zero, LLVM makes it a movmsk, of registers too that movmsk cannot name
    bits = found.type.element.width
    sign = ir.Constant(found.type, [-1 << (bits - 1)] * found.type.count)
    return any_lane(
        v.builder,
        v.builder.icmp_unsigned("!=", v.builder.and_(found, sign), ir.Constant(found.type, None)),
    )


def any_of(v: Vector, rare: Rare) -> ir.Value:
    """Return an i1: is some lane among those that were noted, by one function or more."""
    return functools.reduce(v.builder.or_, [_any(v, each) for each in rare.joined.values()])


@singledispatch
def rarely(v: Vector, found: ir.Value, usual: ir.Value, repair: Callable[[], ir.Value]) -> ir.Value:
    """Branch around `repair` unless a live lane of a mask, or of flags, is set.

    `repair` is emitted into the rare block and returns the whole replacement vector. It must
    leave the other lanes as in `usual`, so that no lane sees its neighbours. The builder moves to
    the join.

    Dispatched on the vocabulary, as code that is no LLVM has branches of its own.
    """
    return _rarely(v, v.alive(found), usual, repair)


def _rarely(
    v: Vector, found: ir.Value, usual: ir.Value, repair: Callable[[], ir.Value]
) -> ir.Value:
    if v.rare is not None:
        v.rare.add(v.builder, found)
        return usual
    before = v.builder.block
    rare = v.builder.append_basic_block("rare")
    join = v.builder.append_basic_block("join")
    v.builder.cbranch(_any(v, found), rare, join).set_weights([1, 2000])
    v.builder.position_at_end(rare)
    repaired = repair()
    rare_end = v.builder.block
    v.builder.branch(join)
    v.builder.position_at_end(join)
    merged = v.builder.phi(v.type)
    merged.add_incoming(usual, before)
    merged.add_incoming(repaired, rare_end)
    return merged


@singledispatch
def through_libm(
    v: Vector, name: str, args: Sequence[ir.Value], found: ir.Value, usual: ir.Value
) -> ir.Value:
    """Replace the live lanes of a mask, or of flags, by the C library's results, one by one."""
    found = v.alive(found)

    def repair() -> ir.Value:
        function = declare_loop(v.builder.module, name, v.type, len(args))
        width = _mask_word(v.type)
        mask = found if found.type == v.mask_type else v.marked(found)
        packed = v.builder.bitcast(mask, ir.IntType(v.count))
        if v.count < 64:
            packed = v.builder.zext(packed, width)
        return v.builder.call(function, [*args, usual, packed])

    return _rarely(v, found, usual, repair)


def declare_loop(module: ir.Module, name: str, vector: ir.VectorType, arity: int) -> ir.Function:
    """Declare the loop over lanes that calls a scalar function; `define_loop` writes it."""
    word = "f64" if isinstance(vector.element, ir.DoubleType) else "f32"
    full = f"{PREFIX}{name}.v{vector.count}{word}"
    known = module.globals.get(full)
    if known is None:
        loop_type = ir.FunctionType(vector, [vector] * (arity + 1) + [_mask_word(vector)])
        known = ir.Function(module, loop_type, full)
        known.attributes.add("cold")
    return known


def _mask_word(vector: ir.VectorType) -> ir.IntType:
    return ir.IntType(max(64, int(vector.count)))


def define_loop(function: ir.Function) -> None:
    """Write a loop over lanes that `through_libm` has declared; it never is inlined."""
    name = function.name.removeprefix(PREFIX).partition(".")[0]
    b = ir.IRBuilder(function.append_basic_block("entry"))
    v = Lanes(b, function.args[0])
    width = _mask_word(v.type)
    *vectors, mask = function.args
    if name in _AHEAD:
        vectors[-1], mask = _ahead(v, name, vectors, mask)
    head, call, tail, done = (
        function.append_basic_block(label) for label in ("head", "call", "tail", "done")
    )
    # In memory: lanes with a variable number are dear to extract and to insert.
    slots = [b.alloca(v.type) for _ in vectors]
    for vector, slot in zip(vectors, slots, strict=True):
        b.store(vector, slot)
    scalars = [b.bitcast(slot, v.type.element.as_pointer()) for slot in slots]
    entry = b.block
    b.branch(head)
    b.position_at_end(head)
    lane = b.phi(width)
    chosen = b.trunc(b.lshr(mask, lane), ir.IntType(1))
    b.cbranch(chosen, call, tail)
    b.position_at_end(call)
    *places, place = (b.gep(scalar, [lane]) for scalar in scalars)
    b.store(_scalar_call(v, b, name, [b.load(p) for p in places]), place)
    b.branch(tail)
    b.position_at_end(tail)
    following = b.add(lane, ir.Constant(width, 1))
    b.cbranch(b.icmp_unsigned("<", following, ir.Constant(width, v.count)), head, done)
    b.position_at_end(done)
    b.ret(b.load(slots[-1]))
    lane.add_incoming(ir.Constant(width, 0), entry)
    lane.add_incoming(following, tail)


def _ahead(
    v: Lanes, name: str, vectors: Sequence[ir.Value], mask: ir.Value
) -> tuple[ir.Value, ir.Value]:
    """Return results with those of rare lanes that are vector code, and the lanes left."""
    b, lanes = v.builder, ir.IntType(v.count)
    *args, usual = vectors
    chosen = b.bitcast(b.trunc(mask, lanes) if v.count < mask.type.width else mask, v.mask_type)
    made, left = _AHEAD[name](v, *args)
    packed = b.bitcast(b.and_(chosen, left), lanes)
    rest = b.zext(packed, mask.type) if v.count < mask.type.width else packed
    return b.select(chosen, made, usual), rest


def _scalar_call(v: Vector, b: ir.IRBuilder, name: str, args: list[ir.Value]) -> ir.Value:
    """Call a C function of doubles, also for f32: some libraries' float versions are poor."""
    module = v.builder.module
    double = ir.DoubleType()
    function = module.globals.get(name)
    if function is None:
        signature = ir.FunctionType(double, [double] * len(args))
        function = ir.Function(module, signature, name)
    if v.format.bits == 64:
        return b.call(function, [_quiet(b, arg) for arg in args])
    wide = b.call(function, [b.fpext(arg, double) for arg in args])
    return b.fptrunc(wide, v.type.element)


def _quiet(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """Make a signalling NaN quiet, as widening does: by C23 pow(1, x) of one is NaN."""
    return b.select(b.fcmp_unordered("uno", x, x), ir.Constant(x.type, float("nan")), x)
