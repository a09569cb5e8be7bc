"""`Target`: a machine that code is emitted for, as LLVM names it, and what the host can run."""

import platform
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import llvmlite.binding as llvm

from rewrite.errors import TargetError

__all__ = ["GPU_NAMES", "ITEMSIZE", "NAMES", "Float", "Target", "cache_bytes", "get", "host"]

type Float = Literal["f64", "f32"]

ITEMSIZE: Final = MappingProxyType({"f64": 8, "f32": 4})

_CACHES: Final = Path("/sys/devices/system/cpu/cpu0/cache")
_X86 = "x86_64-unknown-linux-gnu"
_V3 = "avx avx2 fma bmi bmi2 f16c lzcnt movbe popcnt"  # what LLVM's x86-64-v3 has past the baseline
# name: triple, CPU, vector bits, the features that emitted code relies on
_ISAS: dict[str, tuple[str, str, int, str]] = {
    "avx512": (_X86, "x86-64-v4", 512, f"{_V3} avx512f avx512vl avx512dq avx512bw avx512cd"),
    "avx2": (_X86, "x86-64-v3", 256, _V3),
    "sse2": (_X86, "x86-64", 128, ""),
    "neon": ("aarch64-unknown-linux-gnu", "generic", 128, "neon"),
}
NAMES: Final = ("native", *_ISAS)
"""Of CPUs."""

WARP_BITS: Final = 2048
"""A warp of 32 threads, as one vector of float64."""
# name: the architecture by NVIDIA's name; "cuda" is the device that is there
_GPUS: dict[str, str] = {
    "cuda": "sm_90", "cuda-sm90": "sm_90", "cuda-sm86": "sm_86", "cuda-sm80": "sm_80",
}  # fmt: skip
GPU_NAMES: Final = tuple(_GPUS)


@dataclass(frozen=True, slots=True)
class Target:
    """A machine: its LLVM triple, CPU and features, and the width of its vectors.

    A `Target` can be emitted for on any host; `require_host` tells whether it can run here.

    >>> get("avx2").lanes("f64"), get("avx2").lanes("f32"), get("neon").vector_bits
    (4, 8, 128)
    """

    name: str
    triple: str
    cpu: str
    features: str
    """LLVM's form: '+avx2,+fma,-sse4a'."""
    vector_bits: int

    @property
    def is_cuda(self) -> bool:
        """Tell whether it is a GPU, whose kernels are those of `codegen.cuda`."""
        return self.triple.startswith("nvptx")

    @property
    def capability(self) -> tuple[int, int]:
        """Return the compute capability of a GPU: (9, 0) for "sm_90"."""
        digits = self.cpu.removeprefix("sm_")
        return int(digits[:-1]), int(digits[-1])

    def lanes(self, dtype: Float) -> int:
        """Return how many numbers of a float type fill one vector."""
        return self.vector_bits // (8 * ITEMSIZE[dtype])

    def missing(self) -> tuple[str, ...]:
        """Name what the host lacks to run this target's code, in a fixed order."""
        triple, cpu = _here()
        if not _same_machine(self.triple, triple):
            return (self.triple.partition("-")[0],)
        if self.cpu == cpu:
            return ()
        have = llvm.get_host_cpu_features()
        needed = [flag[1:] for flag in self.features.split(",") if flag.startswith("+")]
        return tuple(name for name in needed if not have.get(name, False))

    def require_host(self) -> None:
        """Raise `TargetError` when the host cannot run this target's code."""
        if self.is_cuda:
            raise TargetError(
                f"target {self.name!r} is a GPU, and this needs code of the CPU; rw.compile(..., "
                "target='cuda') makes kernels for it, and kernel.assembly('cuda') shows PTX"
            )
        missing = self.missing()
        if missing:
            raise TargetError(
                f"target {self.name!r} cannot run here: this machine lacks {', '.join(missing)}; "
                f"target='native' always runs. For code of {self.name!r}, compile here without "
                "target= (cost= names the machine whose cycles count, such as 'intel-avx2'), then "
                f"kernel.assembly({self.name!r}) and kernel.llvm_ir({self.name!r}) are its text, "
                f"and kernel.export('f', targets=({self.name!r},)) writes an object and a header"
            )

    def machine(self, *, opt: int = 1, jit: bool = True) -> llvm.TargetMachine:
        """Return a new LLVM target machine; each execution engine takes over one of its own.

        JIT code may lie anywhere in memory, far from the C library; other code is what linkers
        take for programs and shared libraries alike.
        """
        _initialize()
        model, reloc = ("jitdefault", "default") if jit else ("default", "pic")
        return llvm.Target.from_triple(self.triple).create_target_machine(
            cpu=self.cpu, features=self.features, opt=opt, codemodel=model, reloc=reloc, jit=jit
        )

    def same_architecture(self, other: "Target") -> bool:
        """Tell whether the code of two targets can be in one file."""
        return _same_machine(self.triple, other.triple)


def get(name: "str | Target" = "native") -> Target:
    """Return a target by name: the host, or a fixed instruction set or GPU that may not be here.

    A `Target` is returned as it is.
    """
    if isinstance(name, Target):
        return name
    if name == "native":
        return host()
    if name in _GPUS:
        return Target(name, "nvptx64-nvidia-cuda", _GPUS[name], "", WARP_BITS)
    if name not in _ISAS:
        choices = ", ".join((*NAMES, *_GPUS))
        raise TargetError(f"there is no target {name!r}; choices: {choices}")
    triple, cpu, bits, features = _ISAS[name]
    return Target(name, triple, cpu, ",".join(f"+{f}" for f in features.split()), bits)


@cache
def cache_bytes() -> int:
    """Return the size of this machine's largest cache, or 32 MiB where the system does not say."""
    sizes = [path.read_text().strip() for path in _CACHES.glob("index*/size")]
    return max([int(s[:-1]) << 10 for s in sizes if re.fullmatch(r"\d+K", s)], default=32 << 20)


@cache
def host() -> Target:
    """Return the host's widest instruction set with all that its CPU has."""
    _initialize()
    triple, cpu = _here()
    name = _widest(triple)
    flags = llvm.get_host_cpu_features()
    # explicit 512-bit vectors are split in two where the CPU's tuning prefers 256 bits
    flags["prefer-256-bit"] = False
    features = flags.flatten() if name != "neon" else ""
    return Target(name, triple, cpu, features, _ISAS[name][2])


@cache
def _here() -> tuple[str, str]:
    """Return this process's triple and CPU; who asks LLVM waits while it compiles."""
    return llvm.get_process_triple(), llvm.get_host_cpu_name()


def _widest(triple: str) -> str:
    for name, (isa_triple, _, _, features) in _ISAS.items():
        have = llvm.get_host_cpu_features()
        if _same_machine(isa_triple, triple):
            if name == "neon" or all(have.get(f, False) for f in features.split()):
                return name
    raise TargetError(f"machines of type {platform.machine()!r} are not supported yet")


def _same_machine(first: str, second: str) -> bool:
    alias = {"arm64": "aarch64", "amd64": "x86_64"}
    left, right = (alias.get(t.split("-")[0], t.split("-")[0]) for t in (first, second))
    return left == right


@cache
def _initialize() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    llvm.initialize_native_asmparser()  # for the few lines of assembly in the driver
