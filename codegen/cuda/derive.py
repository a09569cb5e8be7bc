"""Derive the rows of `codegen.targets.nvptx` from the machine code of each op.

`python -m codegen.cuda.derive sm_90` prints them; it needs no GPU, but `ptxas` and `nvdisasm` on
the PATH: the wheels nvidia-cuda-nvcc and nvidia-cuda-nvdisasm bring them. An op's kernel goes
through NVVM and ptxas; of its machine code the shortest way from entry to exit is taken, which is
that without rare arguments, and that of a kernel without the op is subtracted. Throughput is what
the busiest unit needs for a warp, latency the longest chain of registers.
"""

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from codegen.cuda.functions import own
from codegen.cuda.kernel import ptx_text
from codegen.instruction import SIGNATURES
from codegen.program import Program, ProgramBuilder
from codegen.target import Float

__all__ = ["RATES", "derive"]

# results a clock of a multiprocessor, by unit
# fmt: off
RATES: Final[Mapping[str, Mapping[str, float]]] = {
    #         float32        float64      approximations  integers     selections    instructions
    "sm_80": {"fp32": 64,  "fp64": 32, "xu": 16, "int": 64, "alu": 64, "issue": 128},
    "sm_86": {"fp32": 128, "fp64": 2,  "xu": 16, "int": 64, "alu": 64, "issue": 128},
    "sm_90": {"fp32": 128, "fp64": 64, "xu": 16, "int": 64, "alu": 64, "issue": 128},
}
# fmt: on
"""CUDA C++ Programming Guide, "Throughput of Native Arithmetic Instructions", for compute
capability 8.0, 8.6 and 9.0; a multiprocessor issues four warps' instructions a clock."""

LATENCIES: Final[Mapping[str, float]] = {
    "fp32": 4, "fp64": 8, "xu": 18, "int": 5, "alu": 5, "issue": 2
}  # fmt: skip
"""Cycles until a result can be used (Jia, Maggioni, Staiger & Scarpazza 2018, for Volta)."""

_SELECTED: Final = {
    **dict.fromkeys("lt le gt ge eq ne".split(), (("fp64", 1), ("alu", 1))),
    **dict.fromkeys("and or not".split(), (("alu", 1), ("alu", 1))),
    "where": (("alu", 2), ("alu", 1)),
}
"""What ptxas joins with its neighbours: the unit and the instructions, in float64 and float32."""

_WARP: Final = 32
_UNITS: Final = (
    (r"D(ADD|MUL|FMA|SETP|MNMX)", "fp64"),
    (r"F(ADD|MUL|FMA)", "fp32"),
    (r"MUFU|F2F|F2I|I2F|FRND|POPC|FLO", "xu"),
    (r"IMAD|IMUL", "int"),
    (r"BRA|BSSY|BSYNC|EXIT|CALL|RET|NOP|WARPSYNC|U[A-Z]|R2UR|S2|LD|ST|CS2R", "issue"),
)
_LINE: Final = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(@!?U?P\w+\s+)?([A-Z][\w.]*)([^;]*);")
_LABEL: Final = re.compile(r"^([.$][\w.$]+):")
_GOES: Final = re.compile(r"`\(([^)]+)\)")


@dataclass(frozen=True, slots=True)
class _Instruction:
    name: str
    guarded: bool
    operands: str

    @property
    def unit(self) -> str:
        """Return the unit that it keeps busy; the arithmetic logic unit where no row says."""
        return next((unit for text, unit in _UNITS if re.match(text, self.name)), "alu")


def _program(op: str | None) -> Program:
    """Apply an op once to numbers; without one, only pass numbers on."""
    builder = ProgramBuilder("one")
    numbers = [builder.load(builder.argument(f"x{k}")) for k in range(3)]
    flags = [builder.emit("lt", numbers[k], numbers[k + 1]) for k in range(2)]
    value = builder.emit("where", flags[0], numbers[0], numbers[1])
    value = builder.emit("where", flags[1], numbers[2], value)
    if op is not None:
        value = builder.emit(op, *(value, *numbers[1:])[: len(SIGNATURES[op][0][0])])
    builder.output("out", value)
    return builder.finish()


def _machine_code(text: str, arch: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder, "one.ptx"), Path(folder, "one.cubin")
        source.write_text(text)
        subprocess.run(["ptxas", f"-arch={arch}", source, "-o", binary], check=True)
        made = subprocess.run(["nvdisasm", "-c", binary], check=True, capture_output=True)
    return made.stdout.decode()


def _read(text: str) -> tuple[list[_Instruction], dict[str, int]]:
    """Return the kernel's instructions, and the places of labels."""
    found: list[_Instruction] = []
    labels: dict[str, int] = {}
    for line in text.splitlines():
        label, code = _LABEL.match(line.strip()), _LINE.search(line)
        if label:
            labels[label[1]] = len(found)
        elif code:
            found.append(_Instruction(code[3], bool(code[2]), code[4]))
    return found, labels


def _next(
    at: int, code: list[_Instruction], labels: Mapping[str, int], calls: bool
) -> Iterator[int]:
    """Say where control goes after an instruction; calls are rare, unless there is no other way."""
    this = code[at]
    goes = _GOES.search(this.operands)
    if this.name.startswith("BRA") and goes:
        target = labels.get(goes[1])
        if target is not None and target > at:  # one turn of the loop
            yield target
        if this.guarded or re.match(r"\s*!?U?P\d", this.operands) or (target or 0) <= at:
            yield at + 1
    elif this.name == "EXIT":
        if this.guarded:
            yield at + 1
    elif calls or not this.name.startswith(("CALL", "RET")):
        yield at + 1


def _way(
    code: list[_Instruction], labels: Mapping[str, int], *, longest: bool, calls: bool = False
) -> list[_Instruction]:
    """Return the shortest or longest way to the store of the result, with all of what it calls."""
    stores = [at for at, this in enumerate(code) if this.name.startswith("STG")]
    best: dict[int, list[int]] = {0: [0]}
    for at in range(stores[-1]):
        for follower in _next(at, code, labels, calls) if at in best else ():
            way, known = [*best[at], follower], best.get(follower)
            if known is None or (len(way) > len(known) if longest else len(way) < len(known)):
                best[follower] = way
    last = next((at for at in reversed(stores) if at in best), None)
    if last is None:
        return _way(code, labels, longest=longest, calls=True)
    found: list[_Instruction] = []
    for at in best[last]:
        goes = _GOES.search(code[at].operands) if code[at].name.startswith("CALL") else None
        if goes is not None:
            start = labels[goes[1]]
            end = next(at for at in range(start, len(code)) if code[at].name.startswith("RET"))
            found += code[start:end]
        found.append(code[at])
    return found


def _registers(text: str, wide: bool) -> set[int]:
    found = {int(number) for number in re.findall(r"\bR(\d+)", text)}
    return found | {number + 1 for number in found} if wide else found


def _chain(way: list[_Instruction]) -> float:
    """Return the longest chain of results that wait for each other, from load to store."""
    ready: dict[int, float] = {}
    for this in way:
        wide = this.unit == "fp64" or ".64" in this.name or ".WIDE" in this.name
        target, _, sources = this.operands.partition(",")
        start = max((ready.get(r, 0.0) for r in _registers(sources, wide)), default=0.0)
        if this.name.startswith(("ST", "LD")):
            start = 0.0 if this.name.startswith("LD") else start
        for register in _registers(target, wide):
            ready[register] = start + (0 if this.name.startswith("LD") else LATENCIES[this.unit])
    return max(ready.values(), default=0.0)


def _measured(program: Program, dtype: Float, arch: str, longest: bool) -> tuple[Any, float]:
    cc = (int(arch[3:-1]), int(arch[-1]))
    code = _read(_machine_code(ptx_text(program, dtype, cc, pack=1), arch))
    way = _way(*code, longest=longest)
    return Counter(this.unit for this in way), _chain(way)


def derive(op: str, dtype: Float, arch: str) -> tuple[str, float, float]:
    """Return the busiest unit, the latency and the reciprocal throughput of an op for a warp."""
    rates = RATES[arch]
    if op in _SELECTED:
        unit, count = _SELECTED[op][0 if dtype == "f64" else 1]
        return unit, LATENCIES[unit], _WARP * count / rates[unit]
    # rare arguments of ours are branched around, and special values of NVIDIA's in float64 are
    # what short ways are for
    theirs = op == "fmod" or (op.startswith("fast_") and dtype == "f64" and not own(op, dtype))
    counts, chain = _measured(_program(op), dtype, arch, theirs)
    bare, short = _measured(_program(None), dtype, arch, theirs)
    more = {unit: max(counts[unit] - bare[unit], 0) for unit in rates}
    more["issue"] = max(sum(counts.values()) - sum(bare.values()), 0)
    cycles = {unit: _WARP * count / rates[unit] for unit, count in more.items()}
    unit = max(cycles, key=lambda name: cycles[name])
    least = _WARP / rates["issue"]
    return unit, max(chain - short, LATENCIES[unit]), max(cycles[unit], least)


def main(arch: str, *only: str) -> None:
    """Print the rows of an architecture, or some of them."""
    for op in only or [op for op in SIGNATURES if op not in ("const", "load")]:
        unit, slow, wide = derive(op, "f64", arch)
        other, quick, narrow = derive(op, "f32", arch)
        unit = unit if unit == other else f"{unit}/{other}"
        print(f'    "{op}": ("{unit}", {slow:g}, {wide:g}, {quick:g}, {narrow:g}),', flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
