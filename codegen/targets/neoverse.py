"""Cost table of Arm Neoverse N1, with two 128-bit units.

Unit: core cycles for one whole vector. Derived by `codegen.targets.derive`, nothing measured: each
op is emitted for the CPU, and its instructions run through the core's description in
`codegen.machine.cores`, from LLVM's `AArch64SchedNeoverseN1.td` and Arm's "Neoverse N1 Software
Optimization Guide". Elementary functions come from the instruction mix of our own code so. On Zen
4, where there are both, rows derived in this way are 5 % (AVX-512) and 13 % (AVX2) below those
measured in the median. Calls of the C library (fmod) take what they take on Zen 4. Left out: loads,
stores.
"""

from codegen.targets.table import CostTable, rows

__all__ = ["TABLES"]

# op: port, latency and reciprocal throughput in float64, the same in float32
# fmt: off
_NEON = {
    "add": ("vector", 2, 0.5, 2, 0.5),
    "sub": ("vector", 2, 0.5, 2, 0.5),
    "mul": ("vector", 3, 0.5, 3, 0.5),
    "fma": ("vector", 4, 0.5, 4, 0.5),
    "neg": ("vector", 2, 0.5, 2, 0.5),
    "abs": ("vector", 2, 0.5, 2, 0.5),
    "copysign": ("vector", 2, 0.5, 2, 0.5),
    "sign": ("vector", 6, 2.5, 6, 2.5),
    "floor": ("vector", 3, 1, 4, 2),
    "ceil": ("vector", 3, 1, 4, 2),
    "trunc": ("vector", 3, 1, 4, 2),
    "round": ("vector", 3, 1, 4, 2),
    "minimum": ("vector", 6, 2, 6, 2),
    "maximum": ("vector", 6, 2, 6, 2),
    "lt": ("vector", 2, 0.5, 2, 0.5),
    "le": ("vector", 2, 0.5, 2, 0.5),
    "gt": ("vector", 2, 0.5, 2, 0.5),
    "ge": ("vector", 2, 0.5, 2, 0.5),
    "eq": ("vector", 2, 0.5, 2, 0.5),
    "ne": ("vector", 2, 0.5, 2, 0.5),
    "and": ("vector", 2, 0.5, 2, 0.5),
    "or": ("vector", 2, 0.5, 2, 0.5),
    "not": ("vector", 2, 0.5, 2, 0.5),
    "where": ("vector", 2, 0.5, 2, 0.5),
    "div": ("div", 15, 7, 10, 7),
    "sqrt": ("div", 17, 7, 10, 7),
    "cbrt": ("vector", 119, 38.7, 84, 27),
    "hypot": ("vector", 61, 20.2, 54, 20.4),
    "exp": ("vector", 44, 18.7, 36, 14.1),
    "exp2": ("vector", 38, 16, 30, 11.3),
    "expm1": ("vector", 54, 26.2, 46, 20.1),
    "log": ("vector", 60, 21.8, 47, 15.9),
    "log2": ("vector", 60, 27, 47, 20.2),
    "log10": ("vector", 64, 28.4, 51, 21.8),
    "log1p": ("vector", 74, 33.9, 61, 27.8),
    "sin": ("vector", 47, 26.7, 47, 20.9),
    "cos": ("vector", 47, 26.9, 47, 20.6),
    "tan": ("vector", 74, 42.5, 69, 34.5),
    "asin": ("vector", 54, 28.8, 47, 23.2),
    "acos": ("vector", 52, 31.2, 45, 24),
    "atan": ("vector", 72, 35.1, 55, 26.3),
    "atan2": ("vector", 71, 45.9, 57, 36),
    "sinh": ("vector", 53, 33.4, 49, 30),
    "cosh": ("vector", 49, 29, 45, 25.9),
    "tanh": ("vector", 86, 35.8, 73, 31.2),
    "asinh": ("vector", 118, 68.5, 93, 50.2),
    "acosh": ("vector", 104, 66.3, 84, 50.5),
    "atanh": ("vector", 101, 52.8, 83, 39.8),
    "erf": ("vector", 97, 62.4, 69, 33.6),
    "erfc": ("vector", 108, 85.5, 81, 59.5),
    "pow": ("vector", 130, 83.8, 109, 68.8),
    "fmod": ("vector", 34, 34, 68, 68),
    "fast_exp": ("vector", 42, 16.6, 34, 12.9),
    "fast_log": ("vector", 60, 20, 47, 13.1),
    "fast_sin": ("vector", 58, 21.4, 50, 16.3),
    "fast_cos": ("vector", 62, 22.7, 54, 18.2),
    "fast_tanh": ("vector", 69, 19.4, 56, 16.5),
    "fast_erf": ("vector", 93, 56.4, 65, 31.3),
}
# fmt: on

_SOURCE = "LLVM's AArch64SchedNeoverseN1.td and Arm's optimization guide, through our own code"
_CPUS = ("neoverse-n1", "cortex-a76", "cortex-a77", "generic")

TABLES = (CostTable("neoverse-n1", "Arm Neoverse N1", _SOURCE, 128, rows(_NEON), _CPUS, "aarch64"),)
