"""Words for writing scalar LLVM code by hand: loops, struct fields, copies, float environment."""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from llvmlite import ir

__all__ = [
    "I1",
    "I8",
    "I32",
    "I64",
    "POINTER",
    "VOID",
    "Scribe",
    "align_stack",
    "declared",
    "default_environment",
    "emit_copy",
    "places",
    "strides",
]

VOID, POINTER = ir.VoidType(), ir.PointerType()
I1, I8, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))
_DEFAULT_MXCSR = 0x1F80
_MXCSR_CONTROL = 0xFFC0  # rounding, masks, subnormals
_LOOKS = 1 << 12  # at what other threads write, before the processor is offered to them
_REPORTED = 0x1D  # invalid, division by zero, overflow, underflow


def places(kind: type[ctypes.Structure]) -> dict[str, int]:
    """Return which field of a structure has which number."""
    return {field[0]: number for number, field in enumerate(kind._fields_)}


def align_stack(function: ir.Function, size: int) -> None:
    """Make a function begin its stack frame at a multiple of so many bytes.

    So a spilled vector is in one cache line, not across two, wherever the caller's frame ends.
    """
    function.attributes.alignstack = size
    # llvmlite writes the alignment only beside another attribute
    function.attributes.add("nounwind")


class Scribe(ir.IRBuilder):  # type: ignore[misc]
    """A builder with words for loops, struct fields and byte addresses."""

    def at(self, base: ir.Value, offset: ir.Value) -> ir.Value:
        """Return the address some bytes further."""
        return self.gep(base, [offset], source_etype=I8)

    def slot(self, table: ir.Value, index: ir.Value) -> ir.Value:
        """Return the address of an 8-byte table entry."""
        return self.gep(table, [index], source_etype=I64)

    def read(self, table: ir.Value, index: ir.Value, kind: ir.Type = I64) -> ir.Value:
        """Read an 8-byte table entry."""
        return self.load(self.slot(table, index), typ=kind)

    def field(self, base: ir.Value, struct: ir.Type, place: int) -> ir.Value:
        """Read a field of a structure."""
        where = self.gep(base, [I32(0), I32(place)], source_etype=struct)
        return self.load(where, typ=struct.elements[place])

    def less(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Compare as signed integers."""
        return self.icmp_signed("<", a, b)

    def equal(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Compare integers."""
        return self.icmp_signed("==", a, b)

    def smaller(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Return the lesser."""
        return self.select(self.less(a, b), a, b)

    def larger(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Return the greater."""
        return self.select(self.less(a, b), b, a)

    def splat(self, value: ir.Value, kind: ir.VectorType) -> ir.Value:
        """Return a vector that has a value in all lanes."""
        lane = self.insert_element(ir.Constant(kind, ir.Undefined), value, I32(0))
        zeros = ir.Constant(ir.VectorType(I32, kind.count), [0] * kind.count)
        return self.shuffle_vector(lane, lane, zeros)

    @contextmanager
    def counted(self, start: ir.Value, stop: ir.Value) -> Iterator[ir.Value]:
        """Run the block for each index from start up to stop."""
        before = self.block
        head, work, after = (self.append_basic_block(n) for n in ("head", "work", "after"))
        self.branch(head)
        self.position_at_end(head)
        index = self.phi(I64)
        index.add_incoming(start, before)
        self.cbranch(self.less(index, stop), work, after)
        self.position_at_end(work)
        yield index
        index.add_incoming(self.add(index, I64(1)), self.block)
        self.branch(head)
        self.position_at_end(after)

    def outside(self, name: str, result: ir.Type, values: Sequence[ir.Value]) -> ir.Value:
        """Call a function of the C library, or of LLVM."""
        kind = ir.FunctionType(result, [value.type for value in values])
        return self.call(declared(self.module, kind, name), values)

    def pause(self) -> None:
        """Tell the core that this is a loop that waits."""
        if not str(self.module.triple).startswith("aarch64"):
            self.outside("llvm.x86.sse2.pause", VOID, [])

    def again(self, block: Callable[[], ir.Value]) -> None:
        """Run the block until it says no."""
        loop, after = self.append_basic_block("again"), self.append_basic_block("enough")
        self.branch(loop)
        self.position_at_end(loop)
        self.cbranch(block(), loop, after)
        self.position_at_end(after)

    def wait_while(self, goes_on: Callable[[], ir.Value]) -> None:
        """Wait for other threads while a condition holds, which looks at what they write."""
        before = self.block
        head, again, after = (self.append_basic_block(n) for n in ("wait", "again", "done"))
        self.branch(head)
        self.position_at_end(head)
        looks = self.phi(I64)
        looks.add_incoming(I64(0), before)
        self.cbranch(goes_on(), again, after)
        self.position_at_end(again)
        self.pause()
        often = self.and_(looks, I64(_LOOKS - 1))
        with self.if_then(self.equal(often, I64(_LOOKS - 1)), likely=False):
            self.outside("sched_yield", I32, [])
        looks.add_incoming(self.add(looks, I64(1)), self.block)
        self.branch(head)
        self.position_at_end(after)


@contextmanager
def strides(builder: ir.IRBuilder, stop: ir.Value, step: int) -> Iterator[ir.Value]:
    """Run the block for 0, step, 2 step, ... below stop, and at least once."""
    before, head = builder.block, builder.append_basic_block("stride")
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(I64)
    index.add_incoming(I64(0), before)
    yield index
    following = builder.add(index, I64(step))
    index.add_incoming(following, builder.block)
    after = builder.append_basic_block("after")
    builder.cbranch(builder.icmp_unsigned("<", following, stop), head, after)
    builder.position_at_end(after)


def declared(module: ir.Module, kind: ir.FunctionType, name: str) -> ir.Function:
    """Declare a function once for a module."""
    return module.globals.get(name) or ir.Function(module, kind, name)


def emit_copy(module: ir.Module) -> ir.Function:
    """Write `copy(to, to_step, source, source_step, count, size)` for sizes of 8, 4 and 1 bytes."""
    signature = ir.FunctionType(VOID, [POINTER, I64, POINTER, I64, I64, I64])
    function = ir.Function(module, signature, "copy")
    function.linkage = "internal"
    to, to_step, source, source_step, count, size = function.args
    code = Scribe(function.append_basic_block("entry"))
    cases = {8: I64, 4: I32, 1: I8}
    blocks = {width: code.append_basic_block(f"bytes{width}") for width in cases}
    choice = code.switch(size, blocks[8])
    for width, kind in cases.items():
        if width != 8:
            choice.add_case(I64(width), blocks[width])
        code.position_at_end(blocks[width])
        with code.counted(I64(0), count) as index:
            read = code.load(code.at(source, code.mul(index, source_step)), typ=kind, align=1)
            code.store(read, code.at(to, code.mul(index, to_step)), align=1)
        code.ret_void()
    return function


def default_environment(code: Scribe, *, x87: bool = True) -> AbstractContextManager[None]:
    """Return the context in which code runs in the default floating-point environment.

    `x87` says whether glibc's fmod may be called, which leaves flags in that unit.
    """
    is_arm = str(code.module.triple).startswith("aarch64")
    return _arm_environment(code) if is_arm else _x86_environment(code, x87)


@contextmanager
def _x86_environment(code: Scribe, x87: bool) -> Iterator[None]:
    """Work with default control bits, and put back the caller's word if that or a flag changed.

    Loading the word costs as much as a whole call for one element, so it is done only where it
    shows; the flags for inexact and subnormal operands, which NumPy does not read, are left set.
    """
    word = ir.FunctionType(VOID, [POINTER])
    save = declared(code.module, word, "llvm.x86.sse.stmxcsr")
    set_ = declared(code.module, word, "llvm.x86.sse.ldmxcsr")
    saved, other = code.alloca(I32), code.alloca(I32)
    code.call(save, [saved])
    before = code.load(saved, typ=I32)
    control = code.and_(before, I32(_MXCSR_CONTROL))
    unusual = code.icmp_unsigned("!=", control, I32(_DEFAULT_MXCSR))
    with code.if_then(unusual, likely=False):
        code.store(I32(_DEFAULT_MXCSR), other)
        code.call(set_, [other])
    yield
    code.call(save, [other])
    after = code.load(other, typ=I32)
    raised = code.and_(code.and_(after, code.not_(before)), I32(_REPORTED))
    flagged = code.icmp_unsigned("!=", raised, I32(0))
    with code.if_then(code.or_(unusual, flagged), likely=False):
        code.call(set_, [saved])
    if x87:
        _clear_x87(code)


def _clear_x87(code: Scribe) -> None:
    """Clear the flags of the x87 unit, which NumPy reads as well."""
    half = ir.IntType(16)
    status = code.asm(ir.FunctionType(half, []), "fnstsw $0", "={ax},~{fpsr}", [], True)
    flagged = code.icmp_unsigned("!=", code.and_(status, half(_REPORTED)), half(0))
    with code.if_then(flagged, likely=False):
        code.asm(ir.FunctionType(VOID, []), "fnclex", "~{fpsr}", [], True)


@contextmanager
def _arm_environment(code: Scribe) -> Iterator[None]:
    """Work with the default control register, and put it and the status flags back."""
    names = ("llvm.aarch64.get.fpcr", "llvm.aarch64.get.fpsr")
    get = [declared(code.module, ir.FunctionType(I64, []), name) for name in names]
    names = ("llvm.aarch64.set.fpcr", "llvm.aarch64.set.fpsr")
    set_ = [declared(code.module, ir.FunctionType(VOID, [I64]), name) for name in names]
    saved = [code.call(register, []) for register in get]
    code.call(set_[0], [I64(0)])
    yield
    for register, value in zip(set_, saved, strict=True):
        code.call(register, [value])
