"""Measure what instructions of each kind cost this core: `python -m codegen.machine.measure`.

Blocks of assembly, no program of ours: a row prints latency (a chain) and reciprocal throughput
(independent ones), and both of a block with as many additions or fma in between, which shows the
units that they share: the sum of the two where they are the same, the larger one where they are
not. The last lines are cycles a cache line that loops read, write or copy in each level of memory.
"""

import ctypes
import sys
from collections.abc import Callable
from typing import Final

import numpy as np

from codegen.engine import Code, load, object_code
from codegen.target import host
from codegen.targets.measure import clock, seconds

__all__ = ["block", "cycles"]

# fmt: off
TEMPLATES: Final = {
    "move": "vmovapd {a}, {d}", "fadd": "vaddpd {a}, {b}, {d}", "fmul": "vmulpd {a}, {b}, {d}",
    "fma": "vfmadd231pd {a}, {b}, {d}", "fdiv64": "vdivpd {a}, {b}, {d}",
    "fdiv32": "vdivps {a}, {b}, {d}", "fsqrt64": "vsqrtpd {a}, {d}", "fsqrt32": "vsqrtps {a}, {d}",
    "fminmax": "vminpd {a}, {b}, {d}", "logic": "vandpd {a}, {b}, {d}",
    "iadd": "vpaddq {a}, {b}, {d}", "shift": "vpsllq $3, {a}, {d}",
    "shuffle": "vunpcklpd {a}, {b}, {d}", "permute": "vpermpd $27, {a}, {d}",
    "load": "vmovupd (%rsi), {d}", "fma+load": "vfmadd231pd (%rsi), {b}, {d}",
    "add+load": "vaddpd (%rsi), {b}, {d}", "store": "vmovupd {a}, {o}(%rsi)",
    "broadcast": "vbroadcastsd (%rsi), {d}", "transfer": "vpbroadcastq %rsi, {d}",
    "alu": "addq $1, {g}",
}
WIDE: Final = {
    "estimate": "vrsqrt14pd {a}, {d}",
    "round": "vrndscalepd $9, {a}, {d}", "fcmpmask": "vcmpltpd {a}, {b}, %k{k}",
    "icmpmask": "vpcmpltuq {a}, {b}, %k{k}", "testmask": "vptestmq {a}, {b}, %k{k}",
    "blend": "vblendmpd {a}, {b}, {d} {{%k1}}", "merge": "vaddpd {a}, {b}, {d} {{%k1}}",
    "maskop": "korw %k1, %k2, %k{k}", "maskmove": "kmovw %k1, {e}", "masktest": "kortestw %k1, %k2",
    "permute2": "vpermt2pd {a}, {b}, {d}", "ternary": "vpternlogq $108, {a}, {b}, {d}",
}
NARROW: Final = {
    "round": "vroundpd $9, {a}, {d}", "fcmp": "vcmpltpd {a}, {b}, {d}",
    "icmp": "vpcmpgtq {a}, {b}, {d}", "blendv": "vblendvpd {a}, {b}, {c}, {d}",
    "vtest": "vtestpd {a}, {b}", "movmask": "vmovmskpd {a}, {e}",
}
# fmt: on
COUNT: Final = 96
TIMES: Final = (100, 1100)
_ROTATED: Final = 8
_GENERAL: Final = ("%r8", "%r9", "%r10", "%r11")
_START: Final = [f"vbroadcastsd (%rsi), %zmm{k}" for k in range(32)]


def block(lines: list[str], size: int = 1 << 15) -> Callable[[int], object]:
    """Compile a loop over lines of assembly, to be called with how often it runs."""
    text = ["block:", *_START, "1:", *lines, "decq %rdi", "jnz 1b", "vzeroupper", "ret"]
    body = "\n".join(f'module asm "{line}"' for line in (".text", ".globl block", *text))
    module = f'target triple = "{host().triple}"\n{body}\n'
    code: Code = load(object_code(module, host()), "block", host())
    call = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(code.address)
    room = np.full(size // 8, 1.37)
    place = (room.ctypes.data + 4095) & ~4095

    def run(times: int) -> object:
        assert code and room.size
        return call(times, place)

    return run


def cycles(lines: list[str]) -> float:
    """Return the cycles of one run of lines in a loop."""
    run = block(lines)
    short, long = seconds([lambda n=n: run(n) for n in TIMES], 0.1)  # type: ignore[misc]
    return (long - short) / (TIMES[1] - TIMES[0]) * clock(host()) * 1e9


def _line(template: str, letter: str, k: int, *, chain: bool = False) -> str:
    register = f"%{letter}mm{2 + (0 if chain else k % _ROTATED)}"
    return template.format(
        a=register if chain else f"%{letter}mm0", b=f"%{letter}mm1", c=f"%{letter}mm1", d=register,
        k=1 if chain else 3 + k % 4, g=_GENERAL[0 if chain else k % 4], e=f"%r{8 + k % 4}d",
        o=64 * (k % 8),
    )  # fmt: skip


def row(template: str, letter: str) -> tuple[float, ...]:
    """Return latency, throughput, and throughput beside additions and beside fma."""
    alone = [_line(template, letter, k) for k in range(COUNT)]
    chain = [_line(template, letter, k, chain=True) for k in range(COUNT)]
    found = [cycles(chain), cycles(alone)]
    for other in ("fadd", "fma", "logic"):
        both = []
        for k, line in enumerate(alone):
            pair = TEMPLATES[other].format(
                a=f"%{letter}mm0", b=f"%{letter}mm1", d=f"%{letter}mm{16 + k % _ROTATED}"
            )
            both += [line, pair]
        found.append(cycles(both))
    return tuple(value / COUNT for value in found)


def _sweep(body: str, size: int) -> float:
    """Return the cycles a line of a loop over so many bytes, and as many again behind them."""
    step = 256
    inner = [body.format(at=f"{at}(%rsi,%rax)", to=f"{at}(%rdx,%rax)") for at in range(0, step, 64)]
    lines = [f"leaq {size}(%rsi), %rdx", "xorl %eax, %eax", "2:", *"; ".join(inner).split("; "),
             f"addq ${step}, %rax", f"cmpq ${size}, %rax", "jb 2b"]  # fmt: skip
    run = block(lines, 2 * size + 8192)
    times = max(2, (1 << 22) // size)
    short, long = seconds([lambda n=n: run(n) for n in (times, 3 * times)], 0.5, 1)  # type: ignore[misc]
    return (long - short) / (2 * times) * clock(host()) * 1e9 / (size // 64)


SWEEPS: Final = {
    "read": "vmovupd {at}, %zmm2",
    "write": "vmovupd %zmm0, {at}",
    "copy": "vmovupd {at}, %zmm2; vmovupd %zmm2, {to}",
    "add": "vmovupd {at}, %zmm2; vaddpd {to}, %zmm2, %zmm2; vmovupd %zmm2, {to}",
}


def memory() -> None:
    """Print cycles a cache line of loops over arrays of some sizes, in KiB."""
    for kib in (8, 12, 64, 256, 2048, 8192, 65536):
        cells = " ".join(f"{name} {_sweep(body, kib << 10):6.2f}" for name, body in SWEEPS.items())
        print(f"{kib:6} KiB: {cells}", flush=True)


def main() -> None:
    """Print the rows of one vector width (x, y or z), or of all."""
    letters = sys.argv[1] if len(sys.argv) > 1 else "xyzm"
    print(f"# {host().cpu}, {clock(host()):.2f} GHz: latency, throughput, beside fadd, fma, logic")
    if "m" in letters:
        memory()
    for letter in letters.replace("m", ""):
        for kind, template in {**TEMPLATES, **(WIDE if letter == "z" else NARROW)}.items():
            cells = " ".join(f"{cell:6.2f}" for cell in row(template, letter))
            print(f"{letter} {kind:10} {cells}", flush=True)


if __name__ == "__main__":
    main()
