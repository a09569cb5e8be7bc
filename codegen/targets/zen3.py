"""Cost table of AMD Zen 3, whose units are 256 bits wide.

Unit: core cycles for one whole vector. Derived by `codegen.targets.derive`, nothing measured: each
op is emitted for the CPU, and its instructions run through the core's description in
`codegen.machine.cores`, from LLVM's `X86ScheduleZnver3.td`, AMD's "Software Optimization Guide for
AMD Family 19h Processors" (56665), and what is the same in Zen 4. Elementary functions come from
the instruction mix of our own code so. On Zen 4, where there are both, rows derived in this way are
5 % (AVX-512) and 13 % (AVX2) below those measured in the median. Left out: loads, stores.
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
    "rsqrt": ("mul", 40, 8, 35, 6.4),
    "cbrt": ("mul", 107, 35.4, 86, 26.9),
    "hypot": ("mul", 60, 15.7, 54, 14.1),
    "exp": ("mul", 48, 12.7, 40, 8.9),
    "exp2": ("mul", 41, 11, 33, 6.9),
    "expm1": ("mul", 54, 17.3, 46, 12.4),
    "log": ("mul", 59, 18.4, 49, 12.2),
    "log2": ("mul", 59, 20.5, 49, 14.9),
    "log10": ("mul", 63, 22, 53, 15.6),
    "log1p": ("mul", 81, 28.1, 71, 22.5),
    "sin": ("mul", 44, 17.6, 43, 13.3),
    "cos": ("mul", 44, 17.1, 43, 13.2),
    "tan": ("mul", 72, 28.6, 70, 24.7),
    "asin": ("mul", 56, 23.5, 50, 15.4),
    "acos": ("mul", 55, 24.4, 49, 16.7),
    "atan": ("mul", 65, 27.9, 52, 19.7),
    "atan2": ("mul", 63, 34.8, 53, 27.9),
    "sinh": ("mul", 52, 21.8, 51, 19),
    "cosh": ("mul", 50, 18.4, 49, 15.8),
    "tanh": ("mul", 87, 32, 77, 26.4),
    "asinh": ("mul", 124, 47.9, 106, 36.7),
    "acosh": ("mul", 139, 50.9, 112, 40.5),
    "atanh": ("mul", 107, 37.7, 95, 31.5),
    "erf": ("mul", 98, 46.2, 70, 28.2),
    "erfc": ("mul", 125, 62.6, 88, 38),
    "pow": ("mul", 148, 57.65, 119, 46.1),
    "fmod": ("mul", 32, 6.35, 30, 6.06),
    "fast_exp": ("mul", 43, 11.3, 35, 8.1),
    "fast_exp2": ("mul", 38, 9.63, 26, 5.57),
    "fast_expm1": ("mul", 46, 13.2, 38, 9.69),
    "fast_log": ("mul", 57, 16.5, 47, 11.4),
    "fast_log2": ("mul", 53, 15, 43, 10.2),
    "fast_log10": ("mul", 56, 16.5, 46, 10.8),
    "fast_log1p": ("mul", 74, 24.27, 64, 17.92),
    "fast_sin": ("mul", 62, 14, 46, 9.28),
    "fast_cos": ("mul", 69, 15.4, 53, 11.3),
    "fast_tan": ("mul", 68, 21.5, 58, 14.1),
    "fast_asin": ("mul", 40, 13.3, 34, 8.1),
    "fast_acos": ("mul", 40, 16.1, 34, 8.7),
    "fast_atan": ("mul", 70, 24.2, 44, 10.8),
    "fast_sinh": ("mul", 67, 17.2, 57, 13.8),
    "fast_cosh": ("mul", 63, 15.6, 53, 12.2),
    "fast_tanh": ("mul", 66, 15.3, 56, 11.6),
    "fast_asinh": ("mul", 121, 42.26, 103, 33.48),
    "fast_acosh": ("mul", 107, 35.64, 91, 29.84),
    "fast_atanh": ("mul", 94, 30.29, 82, 24.7),
    "fast_cbrt": ("mul", 72, 22.79, 68, 20.13),
    "fast_rsqrt": ("mul", 36, 6.73, 31, 4.78),
    "fast_erf": ("mul", 98, 46.2, 62, 23.9),
    "fast_erfc": ("mul", 89, 53.6, 63, 31.05),
    "fast_pow": ("mul", 127, 51.84, 87, 41.04),
    "fast_atan2": ("mul", 72, 24.1, 46, 12.6),
    "fast_hypot": ("mul", 28, 7.9, 22, 3.9),
}
# fmt: on

_SOURCE = "LLVM's X86ScheduleZnver3.td and AMD's guide 56665, through our own code"

TABLES = (CostTable("zen3-avx2", "AMD Zen 3", _SOURCE, 256, rows(_AVX2), ("znver3",)),)
