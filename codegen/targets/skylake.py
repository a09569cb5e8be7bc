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
    "cbrt": ("fma", 124, 35.4, 100, 26.5),
    "hypot": ("fma", 83, 22.9, 71, 17.4),
    "exp": ("fma", 53, 14.1, 45, 10.4),
    "exp2": ("fma", 45, 12.1, 37, 9.1),
    "expm1": ("fma", 61, 19.6, 53, 15.4),
    "log": ("fma", 75, 19.7, 60, 14.2),
    "log2": ("fma", 75, 24.5, 60, 18.7),
    "log10": ("fma", 79, 26.7, 64, 19.9),
    "log1p": ("fma", 105, 35, 90, 25.7),
    "sin": ("fma", 46, 19.7, 46, 15.3),
    "cos": ("fma", 46, 19.6, 46, 15.3),
    "tan": ("fma", 92, 36.5, 85, 28.2),
    "asin": ("fma", 80, 27.5, 68, 17.6),
    "acos": ("fma", 79, 27.9, 68, 18.4),
    "atan": ("fma", 87, 30.8, 69, 22.4),
    "atan2": ("fma", 83, 38.3, 74, 29.4),
    "sinh": ("fma", 63, 26.6, 63, 24.3),
    "cosh": ("fma", 61, 24.4, 61, 21.8),
    "tanh": ("fma", 111, 38, 96, 29.6),
    "asinh": ("fma", 171, 70.7, 137, 50.2),
    "acosh": ("fma", 157, 62.1, 130, 48.2),
    "atanh": ("fma", 146, 54.5, 124, 43.5),
    "erf": ("fma", 107, 45.6, 79, 25),
    "erfc": ("fma", 126, 65.1, 95, 42.9),
    "pow": ("fma", 164, 81.9, 141, 68),
    "fmod": ("fma", 136, 136, 272, 272),
    "fast_exp": ("fma", 40, 9.1, 28, 7.6),
    "fast_log": ("fma", 71, 18.5, 56, 12.2),
    "fast_sin": ("fma", 62, 14.9, 54, 11.5),
    "fast_cos": ("fma", 66, 16.5, 58, 12.4),
    "fast_tanh": ("fma", 82, 24, 67, 15),
    "fast_erf": ("fma", 66, 23.5, 38, 9.2),
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
    "copysign": ("fma", 2, 1, 2, 1),
    "sign": ("fma", 7, 2.67, 7, 2.67),
    "floor": ("fma", 8, 1, 8, 1),
    "ceil": ("fma", 8, 1, 8, 1),
    "trunc": ("fma", 8, 1, 8, 1),
    "round": ("fma", 8, 1, 8, 1),
    "minimum": ("fma", 6, 1.67, 6, 1.67),
    "maximum": ("fma", 6, 1.67, 6, 1.67),
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
    "cbrt": ("fma", 126, 40.4, 102, 31.6),
    "hypot": ("fma", 71, 18.5, 65, 16.5),
    "exp": ("fma", 53, 15.1, 45, 10),
    "exp2": ("fma", 45, 13.3, 37, 8.2),
    "expm1": ("fma", 61, 20.4, 53, 15.5),
    "log": ("fma", 65, 20.7, 54, 14.2),
    "log2": ("fma", 65, 22.6, 54, 17.9),
    "log10": ("fma", 69, 24.2, 58, 18.9),
    "log1p": ("fma", 95, 32.5, 84, 26.7),
    "sin": ("fma", 48, 20.7, 48, 15.6),
    "cos": ("fma", 48, 21.1, 48, 15.7),
    "tan": ("fma", 86, 33.6, 83, 29.1),
    "asin": ("fma", 58, 23.1, 52, 15.7),
    "acos": ("fma", 57, 24.5, 51, 17.2),
    "atan": ("fma", 78, 32.9, 66, 25),
    "atan2": ("fma", 74, 37.7, 66, 32.4),
    "sinh": ("fma", 64, 27.5, 64, 24.5),
    "cosh": ("fma", 61, 23.9, 61, 20.9),
    "tanh": ("fma", 102, 35.2, 91, 29.8),
    "asinh": ("fma", 137, 54.2, 121, 43),
    "acosh": ("fma", 149, 56.6, 124, 45.9),
    "atanh": ("fma", 126, 45.4, 112, 37.4),
    "erf": ("fma", 108, 50.1, 80, 30),
    "erfc": ("fma", 132, 68.2, 97, 45.5),
    "pow": ("fma", 162, 80.5, 135, 68.8),
    "fmod": ("fma", 68, 68, 136, 136),
    "fast_exp": ("fma", 45, 12.8, 37, 8.6),
    "fast_log": ("fma", 61, 17.8, 50, 12.5),
    "fast_sin": ("fma", 62, 16.5, 54, 12.9),
    "fast_cos": ("fma", 66, 18, 58, 13.5),
    "fast_tanh": ("fma", 72, 16.8, 61, 12.7),
    "fast_erf": ("fma", 96, 46.7, 68, 26.1),
}
# fmt: on

_SOURCE = "LLVM's X86SchedSkylakeServer.td, uops.info and Fog (SkylakeX), through our own code"
_CPUS = ("skylake-avx512", "cascadelake", "cooperlake")

TABLES = (
    CostTable("skylake-avx512", "Intel Skylake-X", _SOURCE, 512, rows(_AVX512), _CPUS),
    CostTable("skylake-avx2", "Intel Skylake-X", _SOURCE, 256, rows(_AVX2), _CPUS),
)
