"""Cost table of AMD Zen 3, whose units are 256 bits wide.

Unit: core cycles for one whole vector. Derived by `codegen.targets.derive`, nothing measured: each
op is emitted for the CPU, and its instructions run through the core's description in
`codegen.machine.cores`, from LLVM's `X86ScheduleZnver3.td`, AMD's "Software Optimization Guide for
AMD Family 19h Processors" (56665), and what is the same in Zen 4. Elementary functions come from
the instruction mix of our own code so. On Zen 4, where there are both, rows derived in this way are
5 % (AVX-512) and 13 % (AVX2) below those measured in the median. Calls of the C library (fmod) take
what they take on Zen 4. Left out: loads, stores.
"""

from codegen.targets.table import CostTable, rows

__all__ = ["TABLES"]

# op: port, latency and reciprocal throughput in float64, the same in float32
# fmt: off
_AVX2 = {
    "add": ("add", 3, 0.5, 3, 0.5),
    "sub": ("add", 3, 0.5, 3, 0.5),
    "mul": ("mul", 3, 0.5, 3, 0.5),
    "fma": ("mul", 4, 0.5, 4, 0.5),
    "neg": ("logic", 1, 0.25, 1, 0.25),
    "abs": ("logic", 1, 0.25, 1, 0.25),
    "copysign": ("logic", 2, 0.75, 2, 0.75),
    "sign": ("logic", 4, 2.25, 4, 2.25),
    "floor": ("add", 3, 0.5, 3, 0.5),
    "ceil": ("add", 3, 0.5, 3, 0.5),
    "trunc": ("add", 3, 0.5, 3, 0.5),
    "round": ("add", 3, 0.5, 3, 0.5),
    "minimum": ("add", 3, 1.5, 3, 1.5),
    "maximum": ("add", 3, 1.5, 3, 1.5),
    "lt": ("add", 2, 0.5, 2, 0.5),
    "le": ("add", 2, 0.5, 2, 0.5),
    "gt": ("add", 2, 0.5, 2, 0.5),
    "ge": ("add", 2, 0.5, 2, 0.5),
    "eq": ("add", 2, 0.5, 2, 0.5),
    "ne": ("add", 2, 0.5, 2, 0.5),
    "and": ("logic", 1, 0.25, 1, 0.25),
    "or": ("logic", 1, 0.25, 1, 0.25),
    "not": ("logic", 1, 0.25, 1, 0.25),
    "where": ("logic", 1, 0.5, 1, 0.5),
    "div": ("div", 13, 5, 11, 3),
    "sqrt": ("div", 21, 9, 15, 5),
    "cbrt": ("mul", 107, 43, 86, 30.3),
    "hypot": ("mul", 60, 17.1, 54, 15.9),
    "exp": ("mul", 48, 13.5, 40, 9.1),
    "exp2": ("mul", 41, 10.7, 33, 6.6),
    "expm1": ("mul", 54, 18.4, 46, 13.1),
    "log": ("mul", 59, 16.6, 49, 12.2),
    "log2": ("mul", 59, 20.1, 49, 15.3),
    "log10": ("mul", 63, 21.8, 53, 17.5),
    "log1p": ("mul", 81, 29.9, 71, 23.6),
    "sin": ("mul", 44, 18.1, 43, 12.8),
    "cos": ("mul", 44, 18.9, 43, 14.8),
    "tan": ("mul", 72, 32.7, 70, 27),
    "asin": ("mul", 56, 20.6, 50, 15.8),
    "acos": ("mul", 55, 21.1, 49, 17.1),
    "atan": ("mul", 65, 27.2, 52, 19.3),
    "atan2": ("mul", 63, 32.5, 53, 26.1),
    "sinh": ("mul", 52, 21.2, 51, 19.6),
    "cosh": ("mul", 50, 18.7, 49, 16.3),
    "tanh": ("mul", 87, 36.3, 77, 29),
    "asinh": ("mul", 124, 54.4, 106, 45),
    "acosh": ("mul", 117, 52.6, 101, 43.7),
    "atanh": ("mul", 107, 46.2, 95, 38.7),
    "erf": ("mul", 98, 52.6, 70, 28.8),
    "erfc": ("mul", 103, 72.1, 77, 47.1),
    "pow": ("mul", 137, 83.4, 119, 61.4),
    "fmod": ("mul", 68, 68, 136, 136),
    "fast_exp": ("mul", 43, 11.6, 35, 7.5),
    "fast_log": ("mul", 57, 15, 47, 10.7),
    "fast_sin": ("mul", 54, 15.3, 46, 11.3),
    "fast_cos": ("mul", 58, 16.6, 50, 12.2),
    "fast_tanh": ("mul", 66, 16.5, 56, 12.2),
    "fast_erf": ("mul", 90, 47.9, 62, 25.7),
}
# fmt: on

_SOURCE = "LLVM's X86ScheduleZnver3.td and AMD's guide 56665, through our own code"

TABLES = (CostTable("zen3-avx2", "AMD Zen 3", _SOURCE, 256, rows(_AVX2), ("znver3",)),)
