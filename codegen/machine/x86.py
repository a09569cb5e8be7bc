"""x86-64 instructions in LLVM's (AT&T) assembly text: their kind, registers and places."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from codegen.machine.code import Instruction
from rewrite.errors import TargetError

__all__ = ["KINDS", "decode"]

# fmt: off
KINDS: Final = (
    ("move",     r"movu?[ad]p[sd]|mov[au]p[sd]|movdq[au](8|16|32|64)?|movs[sd]|lddqu"),
    ("broadcast", r"broadcasts[sd]|broadcast[fi]\d+x\d|pbroadcast[bwdq]|movddup"),
    ("transfer", r"mov[dq]"),
    ("fadd",     r"(add|sub)[ps][sd]|addsubp[sd]"),
    ("fmul",     r"mul[ps][sd]"),
    ("fma",      r"fn?m(add|sub)(132|213|231)[ps][sd]"),
    ("fdiv64",   r"div[ps]d"),
    ("fdiv32",   r"div[ps]s"),
    ("fsqrt64",  r"sqrt[ps]d"),
    ("fsqrt32",  r"sqrt[ps]s"),
    ("estimate", r"r(sqrt|cp)14[ps][sd]"),
    ("fminmax",  r"(min|max|range)[ps][sd]"),
    ("round",    r"(rndscale|round)[ps][sd]"),
    ("fcmp",     r"cmp(\w*)[ps][sd]"),
    ("logic",    r"(and|andn|or|xor)p[sd]|p(and|andn|or|xor)[dq]?|pternlog[dq]"),
    ("iadd",     r"p(add|sub|min[us]|max[us]|abs)[bwdq]"),
    ("icmp64",   r"pcmpgtq"),
    ("icmp",     r"pcmp(eq|gt|n?le|n?lt|ne|n?ltu|n?leu|equ|nequ)?u?[bwdq]"),
    ("testmask", r"ptestn?m[bwdq]|pmov[bwdq]2m"),
    ("blendv",   r"p?blendv(p[sd]|b)"),
    ("blend",    r"p?blend(m?p[sd]|w|d|m[bwdq])"),
    ("masktest", r"k(or)?test[bwdq]"),
    ("maskop",   r"k(and|or|xor|xnor|andn|not|shift[lr]|unpck|add)\w*"),
    ("maskmove", r"kmov[bwdq]"),
    ("vtest",    r"p?test(p[sd])?|u?comis[sd]"),
    ("movmask",  r"movmskp[sd]|pmovmskb"),
    ("shift",    r"gf2p8affineqb|p(sll|srl|sra|ror|rol|shl|shr)v?(w|d|q|dq|ld|rd)"),
    ("shuffle",  r"shufp[sd]|p?unpck\w+|pshuf\w+|mov(hl|lh)ps|p?ermilp[sd]|p?align[rdq]|pack\w+|"
                 r"pack[su]s\w+|mov[hl]p[sd]|movs[lh]dup"),
    ("permute2", r"perm[it]2(p[sd]|[bwdq])"),
    ("permute",  r"perm(p[sd]|[bwdq]|2[fi]128)|extract[fi]\d+(x\d)?|insert[fi]\d+(x\d)?|"
                 r"p?mov(sx|zx)[bwdq]{2}|pmov(us|s)?[wdq][bwd]"),
    ("insert",   r"p?insr[bwdq]|p?extr[bwdq]|insertps|extractps"),
    ("convert",  r"cvt\w+"),
)
# fmt: on
"""Kinds of vector instructions by their mnemonic without the leading v."""

_KINDS: Final = [(kind, re.compile(pattern)) for kind, pattern in KINDS]
_GENERAL: Final = re.compile(
    r"(mov(abs|[sz][bwl]?[lq]?)?|add|sub|inc|dec|and|or|xor|not|neg|lea|shl|shr|sar|imul|cmov\w+|"
    r"set\w+|"
    r"xchg|bs[rf]|[lt]zcnt|popcnt|shlx|shrx|sarx|bts|btr|andn|bextr|blsr|blsi|bzhi|rorx|adc|sbb)[bwlq]?"
)
_COMPARES: Final = re.compile(r"(cmp|test|bt)[bwlq]?")
_NO_RESULT: Final = frozenset({"masktest", "vtest", "compare"})
_OVERWRITES: Final = re.compile(
    r"fn?m(add|sub)(132|213|231)|perm[it]2|pternlog"
)  # three operands with the result among them
_UNARY: Final = frozenset(
    "move broadcast transfer fsqrt64 fsqrt32 estimate round convert movmask permute".split()
)
_WIDTHS: Final = {"x": 128, "y": 256, "z": 512}
_MASK: Final = re.compile(r"\{%(k\d)\}")
_REGISTER: Final = re.compile(r"%(\w+)")
_ALIASES: Final = {
    f"{prefix}{name}{suffix}": "r" + name + last
    for name, last in (("a", "x"), ("b", "x"), ("c", "x"), ("d", "x"))
    for prefix, suffix in (("r", "x"), ("e", "x"), ("", "x"), ("", "l"), ("", "h"))
} | {
    f"{prefix}{name}{suffix}": "r" + name
    for name in ("si", "di", "bp", "sp")
    for prefix, suffix in (("r", ""), ("e", ""), ("", ""), ("", "l"))
}  # fmt: skip


def decode(mnemonic: str, operands: str, functions: Mapping[str, str]) -> Instruction:
    """Return an instruction of its text; raise `TargetError` for one that has no kind."""
    if mnemonic[0] == "j":
        kind = "jump" if mnemonic == "jmp" else "branch"
        return Instruction(kind, 64, ("flags",) if kind == "branch" else (), (), target=operands)
    if mnemonic.startswith("call"):
        name = operands.removeprefix("*")
        return Instruction("call", 64, (), (), target=functions.get(name, name))
    if mnemonic.startswith("ret"):
        return Instruction("return", 64, (), ())
    if mnemonic in ("vzeroupper", "nop", "ud2"):
        return Instruction("nop", 64, (), ())
    parts = _split(operands)
    if mnemonic in ("pushq", "popq"):
        kind = "store" if mnemonic == "pushq" else "load"
        return Instruction(kind, 64, (), ())
    return _data(mnemonic, parts)


@cache
def _split(operands: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r",\s*(?![^(]*\))", operands) if part.strip())


def _data(mnemonic: str, parts: tuple[str, ...]) -> Instruction:
    kind = _kind(mnemonic, parts)
    last = parts[-1]
    mask = _MASK.search(last)
    dest = _MASK.sub("", last).replace("{z}", "").strip()
    merges = mask is not None and "{z}" not in last
    read: list[str] = [mask[1]] if mask else []
    address: list[str] = []
    loads = 0
    for part in parts[:-1] if kind not in _NO_RESULT else parts:
        if _is_memory(part):
            address += _address(part)
            loads += 1
        else:
            read += _registers(part)
    bits = max((_WIDTHS.get(name[0], 64) for name in re.findall(r"%([xyz])mm", " ".join(parts))),
               default=64)  # fmt: skip
    writes: tuple[str, ...] = ("flags",)
    stored = ""
    if kind not in _NO_RESULT:
        if _is_memory(dest):
            address += _address(dest)
            stored = _place(dest)
            base = tuple(name for name in address if name != stored)
            return Instruction("store", bits, tuple(read), (), base,
                               0, stored)  # fmt: skip
        writes = tuple(_registers(dest))
        if merges or _reads_result(mnemonic, kind, parts):
            read += writes
        if kind == "alu" and mnemonic[:3] not in ("mov", "lea"):
            writes = (*writes, "flags")
    kind = _refined(kind, mnemonic, parts, mask is not None, dest, loads)
    if kind == "zero":
        read = []
    return Instruction(kind, bits, tuple(read), writes, tuple(address), loads)


def _refined(
    kind: str, mnemonic: str, parts: tuple[str, ...], masked: bool, dest: str, loads: int
) -> str:
    """Tell apart what one mnemonic does to registers, memory and masks."""
    if kind in ("move", "transfer"):
        return _moved(kind, parts, masked, loads)
    if kind == "broadcast" and not loads:
        return "permute" if re.match(r"%[xyz]mm", parts[0]) else "transfer"
    if kind == "alu" and loads and mnemonic.startswith("mov"):
        return "load"
    if kind in ("fcmp", "icmp", "icmp64") and dest.startswith("%k"):
        return kind.removesuffix("64") + "mask"
    if kind == "maskmove" and all(p.startswith("%k") for p in parts):
        return "maskop"
    same = len(parts) > 1 and len(set(parts)) == 1
    if "xor" in mnemonic and same and kind in ("logic", "alu"):
        return "zero"
    return kind


def _moved(kind: str, parts: tuple[str, ...], masked: bool, loads: int) -> str:
    """Tell loads, selections by a mask, and moves between registers apart."""
    if loads:
        return "masked" if masked else "load"
    if masked:
        return "blend"
    general = [part for part in parts if not re.match(r"%([xyz]mm|k)", part)]
    if kind == "move" or not general:
        return "move"
    return "alu" if len(general) == 2 else "transfer"


@cache
def _named(name: str) -> str:
    for kind, pattern in _KINDS:
        if pattern.fullmatch(name):
            return kind
    return ""


def _kind(mnemonic: str, parts: tuple[str, ...]) -> str:
    vectors = any(re.match(r"%([xyz]mm|k\d)", part) for part in parts)
    kind = _named(mnemonic[1:] if mnemonic[0] == "v" else mnemonic) if vectors else ""
    if not kind and _COMPARES.fullmatch(mnemonic):
        kind = "compare"
    if not kind and _GENERAL.fullmatch(mnemonic):
        kind = "alu"
    if not kind:
        raise TargetError(f"no kind of x86-64 instruction is known for {mnemonic!r}")
    return kind


def _reads_result(mnemonic: str, kind: str, parts: tuple[str, ...]) -> bool:
    if mnemonic[0] == "v":
        return bool(_OVERWRITES.match(mnemonic[1:]))
    if kind == "alu":
        return len(parts) == 1 or (len(parts) == 2 and mnemonic[:3] not in ("mov", "lea"))
    if kind in ("maskop", "maskmove"):
        return False
    return kind not in _UNARY and not mnemonic.startswith("pshuf")


def _is_memory(part: str) -> bool:
    return "(" in part or bool(re.match(r"[-\w.$@]+$", part) and part[0] not in "%$")


def _address(part: str) -> list[str]:
    found = _registers(part[part.index("(") :]) if "(" in part else []
    place = _place(part)
    return [*found, place] if place else found


def _place(part: str) -> str:
    """Return the name of a place in the stack frame."""
    inside = re.fullmatch(r"(-?\w*)\(%(rsp|rbp)\)(\{1to\d+\})?", part)
    return f"{inside[1] or 0}({inside[2]})" if inside else ""


@cache
def _register(name: str) -> str:
    if re.fullmatch(r"[xyz]mm\d+", name):
        return "v" + name[3:]
    return _ALIASES.get(name, re.sub(r"^(r\d+)[dwb]$", r"\1", name))


def _registers(part: str) -> list[str]:
    return [_register(name) for name in _REGISTER.findall(part)]
