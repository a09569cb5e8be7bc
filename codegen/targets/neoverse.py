"""Cost table of Arm Neoverse N1, with two 128-bit units.

Unit: core cycles for one whole vector. Derived by `codegen.targets.derive`, nothing measured: each
op is emitted for the CPU, and its instructions run through the core's description in
`codegen.machine.cores`, from LLVM's `AArch64SchedNeoverseN1.td` and Arm's "Neoverse N1 Software
Optimization Guide". Elementary functions come from the instruction mix of our own code so. On Zen
4, where there are both, rows derived in this way are 5 % (AVX-512) and 13 % (AVX2) below those
measured in the median. Left out: loads, stores.
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
    "rsqrt": ("vector", 44, 15.1, 39, 13),
    "cbrt": ("vector", 119, 37, 84, 28.2),
    "hypot": ("vector", 61, 21, 54, 21.1),
    "exp": ("vector", 44, 19.3, 36, 15.4),
    "exp2": ("vector", 38, 15.4, 30, 10.9),
    "expm1": ("vector", 54, 24.6, 46, 20.4),
    "log": ("vector", 60, 20.7, 47, 15.4),
    "log2": ("vector", 60, 25.6, 47, 20.9),
    "log10": ("vector", 64, 26.5, 51, 22.2),
    "log1p": ("vector", 74, 31.3, 61, 27.1),
    "sin": ("vector", 47, 28.1, 47, 22.8),
    "cos": ("vector", 47, 28.2, 47, 22.7),
    "tan": ("vector", 74, 38.5, 69, 33.7),
    "asin": ("vector", 54, 28.3, 47, 23),
    "acos": ("vector", 52, 30.2, 45, 23.8),
    "atan": ("vector", 72, 36.4, 55, 27.9),
    "atan2": ("vector", 71, 43.9, 57, 35),
    "sinh": ("vector", 53, 31.3, 49, 29.2),
    "cosh": ("vector", 49, 28.4, 45, 25),
    "tanh": ("vector", 86, 34.5, 73, 30.5),
    "asinh": ("vector", 118, 48.9, 93, 44.1),
    "acosh": ("vector", 104, 49.5, 84, 45.1),
    "atanh": ("vector", 101, 42.5, 83, 36.3),
    "erf": ("vector", 97, 50.6, 69, 30.6),
    "erfc": ("vector", 119, 82, 81, 53.9),
    "pow": ("vector", 130, 69.53, 109, 60.62),
    "fmod": ("vector", 39, 9.59, 34, 9.64),
    "fast_exp": ("vector", 42, 17.1, 34, 14),
    "fast_exp2": ("vector", 38, 16.5, 30, 11.9),
    "fast_expm1": ("vector", 48, 19.5, 40, 16.3),
    "fast_log": ("vector", 60, 20.3, 47, 14.7),
    "fast_log2": ("vector", 56, 19.3, 43, 14.2),
    "fast_log10": ("vector", 59, 20.1, 46, 14.9),
    "fast_log1p": ("vector", 71, 27.27, 58, 21.87),
    "fast_sin": ("vector", 66, 20, 50, 15.7),
    "fast_cos": ("vector", 72, 21.7, 56, 16.9),
    "fast_tan": ("vector", 73, 26.9, 60, 19.6),
    "fast_asin": ("vector", 44, 18.8, 33, 12.9),
    "fast_acos": ("vector", 44, 19.8, 33, 13.8),
    "fast_atan": ("vector", 80, 25.2, 51, 14.2),
    "fast_sinh": ("vector", 68, 21.2, 55, 16.6),
    "fast_cosh": ("vector", 64, 18.3, 51, 14.5),
    "fast_tanh": ("vector", 69, 18.6, 56, 14.4),
    "fast_asinh": ("vector", 114, 41.15, 89, 34.56),
    "fast_acosh": ("vector", 96, 35.64, 76, 28.76),
    "fast_atanh": ("vector", 93, 34.29, 75, 27.54),
    "fast_cbrt": ("vector", 80, 26.98, 67, 23.17),
    "fast_rsqrt": ("vector", 38, 13.5, 33, 11.35),
    "fast_erf": ("vector", 97, 50.6, 65, 29.8),
    "fast_erfc": ("vector", 96, 51.23, 67, 37.87),
    "fast_pow": ("vector", 122, 64.67, 78, 55.49),
    "fast_atan2": ("vector", 82, 29.8, 53, 16.7),
    "fast_hypot": ("vector", 24, 5.9, 17, 5.9),
}
# fmt: on

_SOURCE = "LLVM's AArch64SchedNeoverseN1.td and Arm's optimization guide, through our own code"
_CPUS = ("neoverse-n1", "cortex-a76", "cortex-a77", "generic")

TABLES = (CostTable("neoverse-n1", "Arm Neoverse N1", _SOURCE, 128, rows(_NEON), _CPUS, "aarch64"),)
