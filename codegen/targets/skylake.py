"""Cost tables of Intel Skylake-X, Cascade Lake and Cooper Lake, with two 512-bit units.

Unit: core cycles for one whole vector. Derived by `codegen.targets.derive`, nothing measured: each
op is emitted for the CPU, and its instructions run through the core's description in
`codegen.machine.cores`, from LLVM's `X86SchedSkylakeServer.td`, uops.info and A. Fog, "Instruction
tables" (SkylakeX). Elementary functions come from the instruction mix of our own code so. On Zen 4,
where there are both, rows derived in this way are 5 % (AVX-512) and 13 % (AVX2) below those
measured in the median. Calls of the C library (fmod) take what they take on Zen 4. Left out: loads,
stores.
"""

from codegen.targets.table import CostTable, rows

__all__ = ["TABLES"]

# op: port, latency and reciprocal throughput in float64, the same in float32
# fmt: off
_AVX512 = {
    "add": ("fma", 4, 0.5, 4, 0.5),
    "sub": ("fma", 4, 0.5, 4, 0.5),
    "mul": ("fma", 4, 0.5, 4, 0.5),
    "fma": ("fma", 4, 0.5, 4, 0.5),
    "neg": ("fma", 1, 0.5, 1, 0.5),
    "abs": ("fma", 1, 0.5, 1, 0.5),
    "copysign": ("fma", 1, 0.5, 1, 0.5),
    "sign": ("fma", 6, 3.5, 6, 3.5),
    "floor": ("fma", 8, 1, 8, 1),
    "ceil": ("fma", 8, 1, 8, 1),
    "trunc": ("fma", 8, 1, 8, 1),
    "round": ("fma", 8, 1, 8, 1),
    "minimum": ("fma", 5, 2, 5, 2),
    "maximum": ("fma", 5, 2, 5, 2),
    "lt": ("p5", 4, 1, 4, 1),
    "le": ("p5", 4, 1, 4, 1),
    "gt": ("p5", 4, 1, 4, 1),
    "ge": ("p5", 4, 1, 4, 1),
    "eq": ("p5", 4, 1, 4, 1),
    "ne": ("p5", 4, 1, 4, 1),
    "and": ("p5", 1, 1, 1, 1),
    "or": ("p5", 1, 1, 1, 1),
    "not": ("p5", 1, 1, 1, 1),
    "where": ("fma", 1, 0.5, 1, 0.5),
    "div": ("div", 24, 16, 17, 10),
    "sqrt": ("div", 32, 24, 20, 12),
    "cbrt": ("fma", 124, 38.7, 100, 28.3),
    "hypot": ("fma", 83, 22.9, 71, 17.2),
    "exp": ("fma", 53, 14.1, 45, 10.3),
    "exp2": ("fma", 45, 12.2, 37, 9.1),
    "expm1": ("fma", 61, 19.2, 53, 15),
    "log": ("fma", 75, 20.1, 60, 14.3),
    "log2": ("fma", 75, 23.7, 60, 18.9),
    "log10": ("fma", 79, 26.1, 64, 19.9),
    "log1p": ("fma", 105, 33.8, 90, 28.3),
    "sin": ("fma", 46, 19.2, 46, 15.3),
    "cos": ("fma", 46, 19.4, 46, 15.4),
    "tan": ("fma", 92, 36.4, 85, 30.4),
    "asin": ("fma", 80, 26.6, 68, 17.2),
    "acos": ("fma", 79, 27.5, 68, 18.1),
    "atan": ("fma", 87, 32.1, 69, 21.5),
    "atan2": ("fma", 83, 35.4, 69, 27.1),
    "sinh": ("fma", 63, 27.7, 63, 24.5),
    "cosh": ("fma", 61, 24.4, 61, 21.6),
    "tanh": ("fma", 111, 43.2, 96, 31.6),
    "asinh": ("fma", 171, 74.9, 137, 58.7),
    "acosh": ("fma", 157, 73.8, 130, 57.5),
    "atanh": ("fma", 146, 57, 124, 42.9),
    "erf": ("fma", 107, 52.5, 79, 29),
    "erfc": ("fma", 126, 77.2, 95, 50.1),
    "pow": ("fma", 164, 80.9, 141, 63.1),
    "fmod": ("fma", 136, 136, 272, 272),
    "fast_exp": ("fma", 40, 9.2, 28, 7.6),
    "fast_log": ("fma", 71, 17.3, 56, 12.1),
    "fast_sin": ("fma", 62, 16.3, 54, 11.9),
    "fast_cos": ("fma", 66, 18, 58, 12.7),
    "fast_tanh": ("fma", 82, 23.2, 67, 13.7),
    "fast_erf": ("fma", 66, 25.2, 38, 9.3),
}
# fmt: on

# op: port, latency and reciprocal throughput in float64, the same in float32
# fmt: off
_AVX2 = {
    "add": ("fma", 4, 0.5, 4, 0.5),
    "sub": ("fma", 4, 0.5, 4, 0.5),
    "mul": ("fma", 4, 0.5, 4, 0.5),
    "fma": ("fma", 4, 0.5, 4, 0.5),
    "neg": ("fma", 1, 0.33, 1, 0.33),
    "abs": ("fma", 1, 0.33, 1, 0.33),
    "copysign": ("fma", 1, 0.33, 1, 0.33),
    "sign": ("fma", 6, 3, 6, 3),
    "floor": ("fma", 8, 1, 8, 1),
    "ceil": ("fma", 8, 1, 8, 1),
    "trunc": ("fma", 8, 1, 8, 1),
    "round": ("fma", 8, 1, 8, 1),
    "minimum": ("fma", 5, 1.83, 5, 1.83),
    "maximum": ("fma", 5, 1.83, 5, 1.83),
    "lt": ("p5", 4, 0.5, 4, 0.5),
    "le": ("p5", 4, 0.5, 4, 0.5),
    "gt": ("p5", 4, 0.5, 4, 0.5),
    "ge": ("p5", 4, 0.5, 4, 0.5),
    "eq": ("p5", 4, 0.5, 4, 0.5),
    "ne": ("p5", 4, 0.5, 4, 0.5),
    "and": ("p5", 1, 0.33, 1, 0.33),
    "or": ("p5", 1, 0.33, 1, 0.33),
    "not": ("p5", 1, 0.33, 1, 0.33),
    "where": ("fma", 2, 0.67, 2, 0.67),
    "div": ("div", 14, 8, 11, 5),
    "sqrt": ("div", 18, 12, 12, 6),
    "cbrt": ("fma", 124, 38, 100, 26.6),
    "hypot": ("fma", 69, 15.7, 63, 14.9),
    "exp": ("fma", 53, 13.8, 45, 8.9),
    "exp2": ("fma", 45, 11.6, 37, 7.6),
    "expm1": ("fma", 61, 18.2, 53, 13),
    "log": ("fma", 65, 17.3, 54, 11.9),
    "log2": ("fma", 65, 20.6, 54, 16.2),
    "log10": ("fma", 69, 23.3, 58, 17.6),
    "log1p": ("fma", 95, 31.1, 84, 26.1),
    "sin": ("fma", 46, 17.9, 46, 13.4),
    "cos": ("fma", 46, 17.9, 46, 13.5),
    "tan": ("fma", 82, 32.5, 79, 27.5),
    "asin": ("fma", 66, 22.2, 60, 15),
    "acos": ("fma", 65, 21.8, 60, 15.4),
    "atan": ("fma", 77, 27.9, 63, 17.4),
    "atan2": ("fma", 73, 28.5, 63, 21.6),
    "sinh": ("fma", 63, 24.2, 63, 21.1),
    "cosh": ("fma", 61, 22.6, 61, 19.9),
    "tanh": ("fma", 101, 40.5, 90, 29.4),
    "asinh": ("fma", 137, 60.1, 121, 50.9),
    "acosh": ("fma", 133, 57.4, 116, 51),
    "atanh": ("fma", 126, 48.4, 112, 38.7),
    "erf": ("fma", 107, 52, 79, 28),
    "erfc": ("fma", 116, 71.3, 89, 47.2),
    "pow": ("fma", 154, 76.1, 135, 60.4),
    "fmod": ("fma", 68, 68, 136, 136),
    "fast_exp": ("fma", 45, 11.5, 37, 7.8),
    "fast_log": ("fma", 61, 14.4, 50, 9.9),
    "fast_sin": ("fma", 62, 15.9, 54, 10.9),
    "fast_cos": ("fma", 66, 17.4, 58, 11.8),
    "fast_tanh": ("fma", 72, 15.1, 61, 12.4),
    "fast_erf": ("fma", 95, 50.3, 67, 27.9),
}
# fmt: on

_SOURCE = "LLVM's X86SchedSkylakeServer.td, uops.info and Fog (SkylakeX), through our own code"
_CPUS = ("skylake-avx512", "cascadelake", "cooperlake")

TABLES = (
    CostTable("skylake-avx512", "Intel Skylake-X", _SOURCE, 512, rows(_AVX512), _CPUS),
    CostTable("skylake-avx2", "Intel Skylake-X", _SOURCE, 256, rows(_AVX2), _CPUS),
)
