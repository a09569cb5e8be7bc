"""AArch64 instructions in LLVM's assembly text: their kind, registers and places."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from codegen.machine.code import Instruction
from rewrite.errors import TargetError

__all__ = ["KINDS", "decode"]

# fmt: off
KINDS: Final = (
    ("fadd",     r"fadd|fsub|fabd|faddp"),
    ("fmul",     r"fmulx?|fnmul"),
    ("fma",      r"fml[as]|fn?m(add|sub)"),
    ("fdiv",     r"fdiv"),
    ("fsqrt",    r"fsqrt"),
    ("fminmax",  r"f(min|max)(nm)?p?"),
    ("round",    r"frint[aimnpxz]"),
    ("fcmp",     r"f(cm|ac)(eq|ge|gt|le|lt)|fcsel"),
    ("fsign",    r"fneg|fabs"),
    ("logic",    r"and|orr|eor|bic|orn|mvni?|not|bsl|bit|bif|eon"),
    ("iadd",     r"add|sub|neg|addp|[su](min|max)p?|abs"),
    ("icmp",     r"cm(eq|ge|gt|hi|hs|le|lt|tst)"),
    ("shift",    r"shl|[su]shll?2?|[su]shr|sli|sri|shrn2?"),
    ("shiftadd", r"[us]r?sra"),
    ("shuffle",  r"ext|zip[12]|uzp[12]|trn[12]|tbl|xtn2?|rev\d+|ins|sqxtn|uqxtn|[us]mov"),
    ("immediate", r"movi|fmov"),
    ("reduce",   r"(u|s)(max|min)v|addv|f(max|min)(nm)?v"),
    ("convert",  r"[su]cvtf|fcvt\w*"),
    ("broadcast", r"dup"),
    ("move",     r"[us]?mov"),
)
# fmt: on
"""Kinds of vector instructions by their mnemonic."""

_KINDS: Final = [(kind, re.compile(pattern)) for kind, pattern in KINDS]
_GENERAL: Final = re.compile(
    r"(add|sub|and|orr|eor|bic|orn|neg|mvn|mul|madd|lsl|lsr|asr|ror|ubfx|sbfx|bfi|bfxil|ubfiz|sxt[bhw]|"
    r"mov|movk|movz|movn|adr|adrp|csel|cset|csinc|csetm|cinc|fmov|rbit|clz)s?"
)
_COMPARES: Final = frozenset("cmp cmn tst ccmp fcmp fccmp".split())
_OVERWRITES: Final = re.compile(r"fml[as]|bsl|bit|bif|[us]r?sra|movk|sli|sri|ins|xtn2|bfi|bfxil")
_VECTOR: Final = re.compile(r"[vqdshb]\d+")
_REGISTER: Final = re.compile(r"\b([vqdshbxw]\d+|sp|xzr|wzr)\b")


def decode(mnemonic: str, operands: str, functions: Mapping[str, str]) -> Instruction:
    """Return an instruction of its text; raise `TargetError` for one that has no kind."""
    parts = _split(operands)
    if mnemonic in ("b", "br"):
        return Instruction("jump", 64, (), (), target=operands)
    if mnemonic in ("bl", "blr"):
        return Instruction("call", 64, (), (), target=functions.get(operands, operands))
    if mnemonic == "ret":
        return Instruction("return", 64, (), ())
    if mnemonic == "nop":
        return Instruction("nop", 64, (), ())
    if re.fullmatch(r"b\.\w+", mnemonic):
        return Instruction("branch", 64, ("flags",), (), target=operands)
    if mnemonic in ("cbz", "cbnz", "tbz", "tbnz"):
        return Instruction("branch", 64, tuple(_registers(parts[0])), (), target=parts[-1])
    if re.match(r"(ld|st)(r|p|ur|1)", mnemonic):
        return _memory(mnemonic, parts)
    return _data(mnemonic, parts)


@cache
def _split(operands: str) -> tuple[str, ...]:
    return tuple(
        part.strip() for part in re.split(r",\s*(?![^\[{]*[\]}])", operands) if part.strip()
    )


def _memory(mnemonic: str, parts: tuple[str, ...]) -> Instruction:
    at = next(k for k, part in enumerate(parts) if part.startswith("["))
    data = [name for part in parts[:at] for name in _registers(part)]
    bits = 128 if re.search(r"\b[qv]\d", " ".join(parts[:at])) else 64
    base = _registers(parts[at])
    place = _place(parts[at])
    moved = tuple(base[:1]) if parts[at].endswith("!") or len(parts) > at + 1 else ()
    address = tuple(base)
    if mnemonic.startswith("st"):
        return Instruction("store", bits, tuple(data), moved, address, 0, place)
    return Instruction(
        "load", bits, (), (*data, *moved), (*address, *([place] if place else ())), 1
    )


def _place(part: str) -> str:
    inside = re.fullmatch(r"\[sp(?:, #(\d+))?\]", part)
    return f"{inside[1] or 0}(sp)" if inside else ""


def _data(mnemonic: str, parts: tuple[str, ...]) -> Instruction:
    vectors = [part for part in parts if _VECTOR.match(part)]
    kind = _kind(mnemonic, bool(vectors), parts)
    bits = 128 if vectors else 64
    read = [name for part in parts[1:] for name in _registers(part)]
    if kind == "compare":
        return Instruction("alu", 64, tuple(read + _registers(parts[0])), ("flags",))
    writes = tuple(_registers(parts[0]))
    if _OVERWRITES.match(mnemonic):
        read += writes
    if mnemonic.startswith(("cs", "cinc", "adc", "sbc", "fcsel")):
        read.append("flags")
    if mnemonic in ("adds", "subs", "ands"):
        writes = (*writes, "flags")
    if kind in ("fdiv", "fsqrt"):
        kind += "64" if re.search(r"d\b", parts[0]) or parts[0][0] == "d" else "32"
    if kind in ("round", "convert") and parts[0].endswith(".4s"):
        kind += "4"
    return Instruction(kind, bits, tuple(read), writes)


def _kind(mnemonic: str, vector: bool, parts: tuple[str, ...]) -> str:
    if mnemonic in _COMPARES:
        return "compare"
    if vector:
        kind = next((kind for kind, pattern in _KINDS if pattern.fullmatch(mnemonic)), "")
        general = any(re.match(r"[xw](\d|zr)", part) for part in parts)
        if kind in ("immediate", "move", "broadcast", "shuffle") and general:
            return "broadcast" if _VECTOR.match(parts[0]) else "extract"
        if kind == "immediate" and "#" not in parts[-1]:
            return "move"
        if kind:
            return kind
    elif _GENERAL.fullmatch(mnemonic):
        return "alu"
    raise TargetError(f"no kind of AArch64 instruction is known for {mnemonic!r}")


@cache
def _register(name: str) -> str:
    if name[0] in "qdshb" or name[0] == "v":
        return "v" + name[1:]
    return "x" + name[1:] if name[0] == "w" else name


def _registers(part: str) -> list[str]:
    return [_register(name) for name in _REGISTER.findall(part) if name not in ("xzr", "wzr")]
