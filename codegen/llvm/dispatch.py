"""Which of several targets' loops a CPU runs: asked once by cpuid and xgetbv, kept in a global.

A target runs where the CPU has each feature that its code relies on, and where the operating
system keeps the registers that those features have. Any number of threads may ask first at the
same time: all find the same answer, and store it in one atomic write.
"""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from llvmlite import ir

from codegen.llvm.scribe import I32, I64, Scribe
from codegen.target import Target
from rewrite.errors import TargetError

__all__ = ["CPUID", "STATE", "WORDS", "declare_probes", "emit_choice", "emit_probes"]

WORDS: Final = ir.LiteralStructType([I32] * 4)
"""What cpuid answers: eax, ebx, ecx, edx."""
_EBX, _ECX = 1, 2
_OSXSAVE: Final = 1 << 27
_EXTENDED: Final = 0x80000000

CPUID: Final = MappingProxyType(
    {
        "avx": (1, _ECX, 28),
        "avx2": (7, _EBX, 5),
        "avx512bw": (7, _EBX, 30),
        "avx512cd": (7, _EBX, 28),
        "avx512dq": (7, _EBX, 17),
        "avx512f": (7, _EBX, 16),
        "avx512vl": (7, _EBX, 31),
        "bmi": (7, _EBX, 3),
        "bmi2": (7, _EBX, 8),
        "f16c": (1, _ECX, 29),
        "fma": (1, _ECX, 12),
        "lzcnt": (_EXTENDED + 1, _ECX, 5),
        "movbe": (1, _ECX, 22),
        "popcnt": (1, _ECX, 23),
    }
)
"""LLVM's name of a feature: leaf, register and bit (Intel SDM 2A, CPUID; AMD APM 3, appendix E)."""
STATE: Final = MappingProxyType({"avx512": 0xE6, "avx": 0x06, "f16c": 0x06, "fma": 0x06})
"""Start of a feature's name: the bits of XCR0 that say that its registers are kept (SDM 1, 13)."""


def emit_probes(module: ir.Module) -> tuple[ir.Function, ir.Function]:
    """Write `cpuid(leaf, subleaf)` and `xgetbv()`, the low half of XCR0."""
    cpuid, xgetbv = declare_probes(module)
    cpuid.linkage = xgetbv.linkage = "internal"
    code = Scribe(cpuid.append_basic_block("entry"))
    wide = ir.FunctionType(WORDS, [I32, I32])
    places = "={ax},={bx},={cx},={dx},{ax},{cx},~{dirflag},~{fpsr},~{flags}"
    code.ret(code.asm(wide, "cpuid", places, cpuid.args, True))
    code = Scribe(xgetbv.append_basic_block("entry"))
    pair = ir.FunctionType(ir.LiteralStructType([I32, I32]), [I32])
    read = code.asm(pair, "xgetbv", "={ax},={dx},{cx}", [I32(0)], True)
    code.ret(code.extract_value(read, 0))
    return cpuid, xgetbv


def declare_probes(module: ir.Module) -> tuple[ir.Function, ir.Function]:
    """Declare the two functions that ask the CPU."""
    cpuid = ir.Function(module, ir.FunctionType(WORDS, [I32, I32]), "cpuid")
    return cpuid, ir.Function(module, ir.FunctionType(I32, []), "xgetbv")


def emit_choice(
    module: ir.Module, targets: Sequence[Target], probes: tuple[ir.Function, ir.Function]
) -> ir.Function:
    """Write `choice()`: the place of the first target that the CPU runs, else of the last one."""
    detect = _emit_detect(module, targets, *probes)
    kept = ir.GlobalVariable(module, I32, "choice.kept")
    kept.linkage, kept.initializer = "internal", I32(-1)
    function = ir.Function(module, ir.FunctionType(I64, []), "choice")
    function.linkage = "internal"
    code = Scribe(function.append_basic_block("entry"))
    known = code.load_atomic(kept, "monotonic", 4, typ=I32)
    with code.if_then(code.less(known, I32(0)), likely=False):
        found = code.call(detect, [])
        code.store_atomic(found, kept, "monotonic", 4)
        code.ret(code.zext(found, I64))
    code.ret(code.zext(known, I64))
    return function


def _emit_detect(
    module: ir.Module, targets: Sequence[Target], cpuid: ir.Function, xgetbv: ir.Function
) -> ir.Function:
    function = ir.Function(module, ir.FunctionType(I32, []), "detect")
    function.linkage = "internal"
    code = Scribe(function.append_basic_block("entry"))
    leaves = sorted({CPUID[name][0] for t in targets for name in _features(t)} | {1})
    answers = {leaf: _leaf(code, cpuid, leaf) for leaf in leaves}
    state = code.alloca(I32)
    code.store(I32(0), state)
    # without this bit xgetbv is no instruction
    managed = code.and_(code.extract_value(answers[1], _ECX), I32(_OSXSAVE))
    with code.if_then(code.icmp_unsigned("!=", managed, I32(0))):
        code.store(code.call(xgetbv, []), state)
    registers = code.load(state, typ=I32)
    result: ir.Value = I32(len(targets) - 1)
    for place in range(len(targets) - 2, -1, -1):
        runs = _runs(code, targets[place], answers, registers)
        result = code.select(runs, I32(place), result)
    code.ret(result)
    return function


def _leaf(code: Scribe, cpuid: ir.Function, leaf: int) -> ir.Value:
    """Ask for a leaf; of leaves that a CPU does not have, no bit is set."""
    highest = code.extract_value(code.call(cpuid, [I32(leaf & _EXTENDED), I32(0)]), 0)
    words = code.call(cpuid, [I32(leaf), I32(0)])
    there = code.icmp_unsigned("<=", I32(leaf), highest)
    return code.select(there, words, ir.Constant(WORDS, [0] * 4))


def _runs(
    code: Scribe, target: Target, answers: dict[int, ir.Value], registers: ir.Value
) -> ir.Value:
    """Compare all bits that a target needs with those that are set."""
    masks: dict[tuple[int, int], int] = {}
    state = 0
    for name in _features(target):
        leaf, register, bit = CPUID[name]
        masks[leaf, register] = masks.get((leaf, register), 0) | 1 << bit
        state |= next((bits for start, bits in STATE.items() if name.startswith(start)), 0)
    pairs = [(registers, state)]
    pairs += [(code.extract_value(answers[leaf], r), m) for (leaf, r), m in sorted(masks.items())]
    checks = [code.equal(code.and_(word, I32(mask)), I32(mask)) for word, mask in pairs]
    result = checks[0]
    for check in checks[1:]:
        result = code.and_(result, check)
    return result


def _features(target: Target) -> list[str]:
    """Name what a target's code relies on."""
    names = [flag[1:] for flag in target.features.split(",") if flag.startswith("+")]
    unknown = [name for name in names if name not in CPUID]
    if unknown:
        raise TargetError(
            f"no bit of cpuid is known for {unknown[0]!r}, on which {target.name} relies"
        )
    return names
