"""Cores by LLVM's CPU names: what `predict` knows of the machines that there are cost tables for.

Zen 4: measured by `codegen.machine.measure` on an EPYC of family 25, model 17; of its two
schedulers of 32 places, chains of fma, additions, products and logic (16 to 96 of them, one or two
at a time) fill 48, which other Zens are given too in proportion. Front end, window and register
file from AMD's Software Optimization Guide for family 19h (document 57647), and what no block
measured from LLVM's `X86ScheduleZnver4.td`. Zen 3: the same units, at 256 bits, as LLVM's
`X86ScheduleZnver3.td` has them, after AMD's guide (56665). Zen 5: LLVM's `X86ScheduleZnver5.td`,
after the guide 58455. Skylake-X, Ice Lake and Sapphire Rapids: LLVM's `X86SchedSkylakeServer.td`,
`X86SchedIceLake.td` and `X86SchedSapphireRapids.td`, uops.info, and A. Fog, "Instruction tables"
and "The microarchitecture of Intel, AMD and VIA CPUs". Neoverse N1: LLVM's
`AArch64SchedNeoverseN1.td`, after Arm's "Neoverse N1 Software Optimization Guide". Bandwidths of
other machines than Zen 4 are rough: nothing was measured there.

Units: letters by machine. AMD: 0 to 3 the vector pipes, D the divider, L loads, S stores, T to the
integer side. Intel: 0, 1, 5, 6 the ports, D the divider, L loads, S stores. Neoverse: V, W the
vector pipes, D the divider, L, M loads and stores, I, J, K integer, B branches.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from codegen.machine.core import Core, Effect, Level, effects

__all__ = ["CORES", "core_of"]

_FREE: Final = {name: (0, "") for name in ("nop", "return", "call", "jump", "zero", "move")}

# kind: latency, units, cycles on a unit, parts
# fmt: off
_AMD_GENERAL: Final = effects({
    **_FREE, "alu": (1, "abcd"), "branch": (1, "bc"), "load": (4, "LM"), "store": (1, "S"),
})
_AMD: Final = effects({
    **_FREE,
    "fadd": (3, "23"), "fmul": (3, "01"), "fma": (4, "01"), "fminmax": (2, "23"),
    "estimate": (5, "01"),
    "round": (3, "23"), "convert": (4, "23"), "fcmp": (2, "23"), "icmp": (1, "0123"),
    "icmp64": (2, "01"),
    "fcmpmask": (4, "01"), "icmpmask": (4, "01"), "testmask": (4, "01"),
    "logic": (1, "0123"), "iadd": (1, "0123"), "blend": (1, "0123"), "blendv": (1, "01"),
    "shift": (1, "23"), "shuffle": (1, "123"), "permute": (4, "12"), "permute2": (5, "12"),
    "transfer": (4, "T"), "insert": (3, "12"), "movmask": (4, "T"), "vtest": (4, "T", 1, 2),
    "maskop": (1, "23"), "maskmove": (3, "T"), "masktest": (3, "T"),
    "load": (8, "LM"), "masked": (9, "LM"), "store": (3, "S"), "broadcast": (0, ""),
    "fdiv64": (13, "D", 5, 1, "01", 2), "fdiv32": (11, "D", 3, 1, "01", 2),
    "fsqrt64": (21, "D", 9, 1, "01", 2), "fsqrt32": (15, "D", 5, 1, "01", 2),
})
_INTEL_GENERAL: Final = effects({
    **_FREE, "alu": (1, "0156"), "branch": (1, "06"), "load": (5, "LM"), "store": (1, "S"),
})
_INTEL: Final = {
    **_FREE,
    "fadd": (4, "01"), "fmul": (4, "01"), "fma": (4, "01"), "fminmax": (4, "01"),
    "estimate": (4, "0"),
    "round": (8, "01", 1, 2), "convert": (5, "01"), "fcmp": (4, "01"), "icmp": (1, "01"),
    "icmp64": (3, "5"), "fcmpmask": (4, "5"), "icmpmask": (3, "5"), "testmask": (3, "5"),
    "logic": (1, "015"), "iadd": (1, "015"), "blend": (1, "015"), "blendv": (2, "015", 1, 2),
    "shift": (1, "01"), "shuffle": (1, "5"), "permute": (3, "5"), "permute2": (3, "5"),
    "transfer": (3, "5"), "insert": (2, "5", 1, 2), "movmask": (3, "0"), "vtest": (3, "05", 1, 2),
    "maskop": (1, "0"), "maskmove": (3, "0"), "masktest": (2, "0"),
    "load": (7, "LM"), "masked": (8, "LM"), "store": (1, "S"), "broadcast": (0, ""),
    "fdiv64": (14, "D", 8), "fdiv32": (11, "D", 5),
    "fsqrt64": (18, "D", 12), "fsqrt32": (12, "D", 6),
}
_INTEL_WIDE: Final = {
    **_INTEL,
    **{kind: (4, "05") for kind in ("fadd", "fmul", "fma", "fminmax")},
    **{kind: (1, "05") for kind in ("logic", "iadd", "blend")},
    "estimate": (7, "0", 2),
    "shift": (1, "0"), "round": (8, "05", 1, 2), "convert": (5, "05"), "load": (8, "LM"),
    "fdiv64": (24, "D", 16), "fdiv32": (17, "D", 10),
    "fsqrt64": (32, "D", 24), "fsqrt32": (20, "D", 12),
}
_INTEL_128: Final = {
    **_INTEL, "load": (6, "LM"), "fdiv64": (14, "D", 4), "fdiv32": (11, "D", 3),
    "fsqrt64": (18, "D", 6), "fsqrt32": (12, "D", 3),
}
_NEOVERSE: Final = effects({
    **_FREE,
    "fadd": (2, "VW"), "fmul": (3, "VW"), "fma": (4, "VW"), "fminmax": (2, "VW"), "fcmp": (2, "VW"),
    "fsign": (2, "VW"), "round": (3, "V"), "round4": (4, "V", 1, 2), "convert": (3, "V"),
    "convert4": (4, "V", 1, 2), "logic": (2, "VW"), "iadd": (2, "VW"), "icmp": (2, "VW"),
    "shift": (2, "W"), "shiftadd": (4, "W"), "shuffle": (2, "VW"), "immediate": (2, "VW"),
    "reduce": (3, "W"), "broadcast": (3, "K"), "extract": (2, "W"), "move": (2, "VW"),
    "load": (5, "LM"), "store": (2, "LM", 1, 2),
    "fdiv64": (15, "D", 7), "fdiv32": (10, "D", 7),
    "fsqrt64": (17, "D", 7), "fsqrt32": (10, "D", 7),
})
_NEOVERSE_GENERAL: Final = effects({
    **_FREE, "move": (1, "IJK"), "alu": (1, "IJK"), "branch": (1, "B"), "load": (4, "LM"),
    "store": (1, "LM"),
})
# fmt: on


def _twice(kinds: Mapping[str, Effect]) -> dict[str, Effect]:
    """Return what 512 bits take where units have 256: twice the time, but for masks alone."""
    single = ("maskop", "maskmove", "masktest", "transfer")
    return {
        kind: e if kind in single else replace(e, cycles=2 * e.cycles) for kind, e in kinds.items()
    }


_ZEN4_WIDE: Final = {
    **_twice(_AMD),
    "load": Effect(8, "LM", 2), "masked": Effect(9, "LM", 2),
    "fcmpmask": Effect(5, "01", 2), "icmpmask": Effect(5, "01", 2), "testmask": Effect(5, "01", 2),
    "store": Effect(5, "S", 2),
    "broadcast": Effect(1, "12", 2),  # of a number from memory: a shuffle beside the load
    # of two registers: beside fma 1.9 cycles, beside logic 1.5, beside additions 1.4
    "permute2": Effect(5, "12", 2, 1, "0", 2),
    "fdiv64": Effect(18, "D", 9, 1, "01", 6), "fdiv32": Effect(14, "D", 6, 1, "01", 6),
    "fsqrt64": Effect(25, "D", 16, 1, "01", 4), "fsqrt32": Effect(18, "D", 10, 1, "01", 4),
}  # fmt: skip
_WITHOUT: Final = 1 << 62


def _intel(name: str, cpus: str, shape: tuple[int, int, int, int, int], stores: str, shuffles: str,
           levels: tuple[Level, ...]) -> Core:  # fmt: skip
    store = Effect(1, stores)
    more = {"store": store, "shuffle": Effect(1, shuffles)}
    kinds = {
        64: {**_INTEL_GENERAL, "store": store},
        128: {**effects(_INTEL_128), **more},
        256: {**effects(_INTEL), **more},
        512: {**effects(_INTEL_WIDE), "store": Effect(1, stores[0])},
    }
    return Core(name, "LLVM's scheduling model; uops.info; Fog", tuple(cpus.split()), *shape, kinds,
                levels)  # fmt: skip


_ZEN_LEVELS: Final = (
    Level(32 << 10, 0.0, 0.0), Level(1 << 20, 2.05, 2.05), Level(32 << 20, 2.8, 2.8),
    Level(_WITHOUT, 7.7, 7.7),
)  # fmt: skip

CORES: Final = (
    Core("zen4", "measured; AMD 57647", ("znver4",), 6, 320, 160, 48, 64,
         {64: _AMD_GENERAL, 128: _AMD, 256: _AMD, 512: _ZEN4_WIDE}, _ZEN_LEVELS),
    Core("zen3", "LLVM's X86ScheduleZnver3.td; AMD 56665", ("znver3",), 6, 256, 128, 48, 64,
         {64: _AMD_GENERAL, 128: _AMD, 256: _AMD}, _ZEN_LEVELS),
    Core("zen5", "LLVM's X86ScheduleZnver5.td; AMD 58455", ("znver5",), 8, 448, 352, 86, 96,
         {64: _AMD_GENERAL, 128: _AMD, 256: _AMD, 512: {**_AMD, "broadcast": Effect(1, "12")}},
         _ZEN_LEVELS),
    _intel("skylake-x", "skylake-avx512 cascadelake cooperlake", (4, 224, 136, 97, 0), "S", "5",
           (Level(32 << 10, 0.0, 0.0), Level(1 << 20, 2.0, 4.0), Level(24 << 20, 8.0, 14.0),
            Level(_WITHOUT, 20.0, 40.0))),
    _intel("icelake", "icelake-server icelake-client rocketlake tigerlake", (5, 352, 192, 160, 0),
           "ST", "15",
           (Level(48 << 10, 0.0, 0.0), Level(5 << 18, 2.0, 4.0), Level(32 << 20, 8.0, 14.0),
            Level(_WITHOUT, 20.0, 40.0))),
    _intel("sapphirerapids", "sapphirerapids emeraldrapids graniterapids graniterapids-d",
           (6, 512, 300, 205, 0), "ST", "15",
           (Level(48 << 10, 0.0, 0.0), Level(2 << 20, 2.0, 4.0), Level(32 << 20, 10.0, 16.0),
            Level(_WITHOUT, 20.0, 40.0))),
    Core("neoverse-n1", "LLVM's AArch64SchedNeoverseN1.td; Arm's Neoverse N1 optimization guide",
         ("neoverse-n1", "cortex-a76", "cortex-a77", "generic"), 4, 128, 96, 80, 0,
         {64: _NEOVERSE_GENERAL, 128: _NEOVERSE},
         (Level(64 << 10, 0.0, 0.0), Level(1 << 20, 2.0, 4.0), Level(32 << 20, 8.0, 14.0),
          Level(_WITHOUT, 20.0, 40.0))),
)  # fmt: skip

_BY_CPU: Final[Mapping[str, Core]] = MappingProxyType(
    {cpu: core for core in CORES for cpu in core.cpus}
)


def core_of(cpu: str) -> Core | None:
    """Return the core of a CPU by LLVM's name, if it is described."""
    return _BY_CPU.get(cpu)
