"""Cost tables of AMD Zen 5, whose units are 512 bits wide.

Unit: core cycles for one whole vector, measured by `codegen.targets.measure` on an EPYC of family
26 at 4.2 GHz: what an op adds to a loop that is busy with additions. Of what is hidden behind those
(products, sign bits, comparisons, selections) throughputs are those of two or four units, latencies
from A. Fog, "Instruction tables" (Zen 5). Left out: loads and stores.
"""

from codegen.targets.table import CostTable, rows

__all__ = ["TABLES"]

# op: port, latency and reciprocal throughput in float64, the same in float32; on every width
# fmt: off
_HIDDEN = {
    "add": ("add", 3, 0.5, 3, 0.5),
    "sub": ("add", 3, 0.5, 3, 0.5),
    "mul": ("mul", 3, 0.5, 3, 0.5),
    "fma": ("mul", 4, 0.5, 4, 0.5),
    "neg": ("logic", 1, 0.25, 1, 0.25),
    "abs": ("logic", 1, 0.25, 1, 0.25),
    "copysign": ("logic", 2, 0.5, 2, 0.5),
    "lt": ("add", 4, 0.5, 4, 0.5),
    "le": ("add", 4, 0.5, 4, 0.5),
    "gt": ("add", 4, 0.5, 4, 0.5),
    "ge": ("add", 4, 0.5, 4, 0.5),
    "eq": ("add", 4, 0.5, 4, 0.5),
    "ne": ("add", 4, 0.5, 4, 0.5),
    "and": ("mask", 1, 0.5, 1, 0.5),
    "or": ("mask", 1, 0.5, 1, 0.5),
    "not": ("mask", 1, 0.5, 1, 0.5),
    "where": ("logic", 1, 0.5, 1, 0.5),
}
# fmt: on

# op: port, latency and reciprocal throughput in float64, the same in float32
# fmt: off
_AVX512 = {
    **_HIDDEN,
    "sign": ("add", 10.8, 1.5, 10.9, 1.6),
    "floor": ("add", 3, 0.5, 3, 0.5),
    "ceil": ("add", 3, 0.5, 3, 0.5),
    "trunc": ("add", 3, 0.5, 3, 0.5),
    "round": ("add", 3, 0.5, 3, 0.5),
    "minimum": ("add", 9.2, 0.8, 8.7, 1.1),
    "maximum": ("add", 9.3, 0.8, 8.8, 1),
    "div": ("div", 13.4, 3, 10.7, 1.5),
    "sqrt": ("div", 20.2, 6.6, 14.3, 3.4),
    "cbrt": ("mul", 120.1, 32.6, 98.1, 24.7),
    "hypot": ("mul", 61.8, 14.9, 55.6, 14),
    "exp": ("mul", 58.7, 10.2, 47.9, 7.3),
    "exp2": ("mul", 53.4, 7.7, 43.4, 5.9),
    "expm1": ("mul", 64.4, 14.6, 53.6, 11.2),
    "log": ("mul", 41.6, 13.9, 32.3, 10.8),
    "log2": ("mul", 51.4, 17.1, 42.6, 14.2),
    "log10": ("mul", 54.3, 18.1, 46.1, 15.4),
    "log1p": ("mul", 79.3, 22, 65.4, 19.3),
    "sin": ("mul", 50.9, 16.4, 46.2, 11.9),
    "cos": ("mul", 50.7, 16.3, 45.5, 12.1),
    "tan": ("mul", 83.3, 29.2, 77, 26.7),
    "asin": ("mul", 50.3, 16.8, 37.4, 12.5),
    "acos": ("mul", 49.8, 16.6, 36.8, 12.3),
    "atan": ("mul", 78.4, 23, 60.8, 17.6),
    "atan2": ("mul", 77.2, 27.4, 59.3, 23.1),
    "sinh": ("mul", 56.8, 18.6, 52.8, 17),
    "cosh": ("mul", 51.2, 17.1, 45.6, 15.3),
    "tanh": ("mul", 92.8, 31.9, 68.8, 27),
    "asinh": ("mul", 126.2, 50.7, 104.9, 43.1),
    "acosh": ("mul", 145.6, 48.5, 119.5, 39.8),
    "atanh": ("mul", 114.3, 38.1, 95.3, 31.8),
    "erf": ("mul", 112.2, 49.2, 77.6, 21.6),
    "erfc": ("mul", 118.7, 70.6, 85.8, 46.4),
    "pow": ("mul", 205.3, 68.4, 159.9, 53.3),
    "fmod": ("mul", 136, 103.3, 257.5, 205.7),
    "fast_exp": ("mul", 56.3, 6.1, 51.6, 5),
    "fast_log": ("mul", 34.9, 11.6, 26.5, 8.8),
    "fast_sin": ("mul", 53.7, 12.4, 48.6, 9.4),
    "fast_cos": ("mul", 56.8, 13.9, 50.5, 10.5),
    "fast_tanh": ("mul", 68, 12, 59.1, 11.1),
    "fast_erf": ("mul", 69.5, 24.6, 37.4, 6.8),
}
# fmt: on

# op: port, latency and reciprocal throughput in float64, the same in float32
# fmt: off
_AVX2 = {
    **_HIDDEN,
    "sign": ("add", 8.5, 1.4, 9.7, 1.4),
    "floor": ("add", 3, 0.5, 3, 0.5),
    "ceil": ("add", 3, 0.5, 3, 0.5),
    "trunc": ("add", 3, 0.5, 3, 0.5),
    "round": ("add", 3, 0.5, 3, 0.5),
    "minimum": ("add", 5.5, 1, 5.5, 1),
    "maximum": ("add", 5.5, 1, 5.2, 1),
    "div": ("div", 13.2, 3, 9.9, 1.5),
    "sqrt": ("div", 19.9, 6.4, 13.6, 3.4),
    "cbrt": ("mul", 117.7, 33.1, 96.1, 26.4),
    "hypot": ("mul", 61.5, 14.6, 55.3, 14.2),
    "exp": ("mul", 58.5, 10.4, 48.5, 7.3),
    "exp2": ("mul", 51.9, 7.7, 42.4, 5.7),
    "expm1": ("mul", 62.6, 13.9, 51.7, 11),
    "log": ("mul", 39.2, 13.1, 32.1, 10.7),
    "log2": ("mul", 49.9, 16.6, 42.8, 14.3),
    "log10": ("mul", 52.3, 17.4, 45.6, 15.2),
    "log1p": ("mul", 79.1, 21.6, 67.3, 18.9),
    "sin": ("mul", 50.8, 16, 45.3, 12.4),
    "cos": ("mul", 49.2, 16.1, 44.2, 12.5),
    "tan": ("mul", 79.8, 27.7, 74.1, 23.8),
    "asin": ("mul", 52.3, 17.4, 39.3, 13.1),
    "acos": ("mul", 52.3, 17.4, 40.6, 13.5),
    "atan": ("mul", 74.2, 23.3, 58.2, 17.5),
    "atan2": ("mul", 70.1, 26.4, 57.9, 22.6),
    "sinh": ("mul", 54.3, 19.6, 50.9, 17.5),
    "cosh": ("mul", 51.3, 16.8, 47.1, 15),
    "tanh": ("mul", 89.8, 30.4, 76.8, 26),
    "asinh": ("mul", 116.8, 50.8, 102.2, 41.6),
    "acosh": ("mul", 149.1, 49.7, 121.5, 40.5),
    "atanh": ("mul", 111.5, 37.2, 94.1, 31.4),
    "erf": ("mul", 107.9, 34.5, 73.2, 19.6),
    "erfc": ("mul", 116.2, 60.6, 85, 39.3),
    "pow": ("mul", 205, 68.3, 156.9, 52.3),
    "fmod": ("mul", 71, 56, 134.5, 106.7),
    "fast_exp": ("mul", 57.1, 8.8, 48.3, 6.1),
    "fast_log": ("mul", 34.9, 11.6, 27.4, 9.1),
    "fast_sin": ("mul", 56.5, 12.2, 47, 9.3),
    "fast_cos": ("mul", 59.5, 13.4, 50.3, 10.6),
    "fast_tanh": ("mul", 70.3, 12.4, 58.3, 10.1),
    "fast_erf": ("mul", 101.8, 32.2, 68.1, 18.7),
}
# fmt: on

# op: port, latency and reciprocal throughput in float64, the same in float32
# fmt: off
_SSE2 = {
    **_HIDDEN,
    "fma": ("mul", 23.8, 7.6, 47.6, 15.5),
    "sign": ("add", 11.1, 1.9, 10.4, 1.9),
    "floor": ("add", 18, 7.2, 34.7, 16),
    "ceil": ("add", 18.4, 7.5, 35, 16.2),
    "trunc": ("add", 1, 7.3, 1, 16),
    "round": ("add", 18.4, 7.4, 35.7, 16.2),
    "minimum": ("add", 8.5, 1.2, 7.6, 1.3),
    "maximum": ("add", 8, 1.2, 7.7, 1.2),
    "div": ("div", 13.7, 3, 10.2, 1.5),
    "sqrt": ("div", 19.9, 6.4, 13.9, 3.4),
    "cbrt": ("mul", 268.9, 156.6, 283, 203.4),
    "hypot": ("mul", 106.7, 39.9, 113.6, 70.9),
    "exp": ("mul", 124.1, 100.1, 150.8, 119.6),
    "exp2": ("mul", 92.7, 90.8, 102.2, 98.9),
    "expm1": ("mul", 145.1, 114.5, 166.5, 150.1),
    "log": ("mul", 233, 77.7, 260.6, 86.9),
    "log2": ("mul", 303, 101, 395.4, 131.8),
    "log10": ("mul", 331.1, 110.4, 450.6, 150.2),
    "log1p": ("mul", 136, 92.6, 132.9, 106.6),
    "sin": ("mul", 144.2, 148.1, 198.7, 206.5),
    "cos": ("mul", 144.9, 145.1, 199.4, 208.4),
    "tan": ("mul", 210.1, 182.7, 290.4, 362.2),
    "asin": ("mul", 405.1, 135, 468.5, 156.2),
    "acos": ("mul", 398.2, 132.7, 482.1, 160.7),
    "atan": ("mul", 140, 124.3, 137.8, 138.5),
    "atan2": ("mul", 139.3, 131.1, 136, 140.1),
    "sinh": ("mul", 128.1, 117.8, 166.8, 168.7),
    "cosh": ("mul", 125.5, 119.3, 168.8, 173.4),
    "tanh": ("mul", 197.5, 136.8, 223.5, 197),
    "asinh": ("mul", 207.1, 125.7, 205.1, 147.8),
    "acosh": ("mul", 391.4, 130.5, 480.5, 160.2),
    "atanh": ("mul", 337.6, 112.5, 408.6, 136.2),
    "erf": ("mul", 333.2, 404, 338, 479.4),
    "erfc": ("mul", 398.4, 701.7, 465.7, 747.8),
    "pow": ("mul", 1295, 431.7, 1961.4, 653.8),
    "fmod": ("mul", 53.3, 34.3, 78.2, 60.1),
    "fast_exp": ("mul", 199.1, 105, 290.6, 150.2),
    "fast_log": ("mul", 240.8, 80.3, 292.1, 97.4),
    "fast_sin": ("mul", 136.4, 98.3, 149.1, 134.1),
    "fast_cos": ("mul", 138.4, 104.9, 157.9, 151.8),
    "fast_tanh": ("mul", 129.3, 112.6, 181.3, 170),
    "fast_erf": ("mul", 315.4, 348.3, 350.2, 391),
}
# fmt: on

_SOURCE = "measured by codegen.targets.measure; Fog (Zen 5) for what additions hide"

TABLES = (
    CostTable("zen5-avx512", "AMD Zen 5", _SOURCE, 512, rows(_AVX512), ("znver5",)),
    CostTable("zen5-avx2", "AMD Zen 5", _SOURCE, 256, rows(_AVX2), ("znver5",)),
    CostTable("zen5-sse2", "AMD Zen 5", _SOURCE, 128, rows(_SSE2), ("znver5",)),
)
