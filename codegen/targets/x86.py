"""Cost tables of x86-64 at three vector widths (preliminary)."""

from codegen.targets.table import CostTable, Row

# op: port, latency f64, throughput f64 of one 512-bit vector, throughput f32
_BASE = {
    "add": ("add", 3, 1, 1), "sub": ("add", 3, 1, 1), "mul": ("mul", 3, 1, 1), "fma": ("mul", 4, 1, 1),
    "div": ("div", 13, 9, 6), "sqrt": ("div", 21, 16, 10), "neg": ("logic", 1, .5, .5), "abs": ("logic", 1, .5, .5),
    "copysign": ("logic", 1, 1, 1), "sign": ("logic", 4, 2, 2), "floor": ("add", 3, 1, 1), "ceil": ("add", 3, 1, 1),
    "trunc": ("add", 3, 1, 1), "round": ("add", 3, 1, 1), "minimum": ("add", 4, 3, 3), "maximum": ("add", 4, 3, 3),
    "lt": ("add", 3, 1, 1), "le": ("add", 3, 1, 1), "gt": ("add", 3, 1, 1), "ge": ("add", 3, 1, 1), "eq": ("add", 3, 1, 1), "ne": ("add", 3, 1, 1),
    "and": ("logic", 1, .5, .5), "or": ("logic", 1, .5, .5), "not": ("logic", 1, .5, .5), "where": ("logic", 1, .5, .5),
    "exp": ("mul", 40, 16, 10), "exp2": ("mul", 40, 15, 10), "expm1": ("mul", 50, 22, 14), "log": ("mul", 45, 16, 12), "log2": ("mul", 45, 18, 12),
    "log10": ("mul", 45, 18, 12), "log1p": ("mul", 50, 22, 14), "sin": ("mul", 45, 17, 12), "cos": ("mul", 45, 18, 12), "tan": ("mul", 60, 32, 20),
    "asin": ("mul", 60, 30, 20), "acos": ("mul", 60, 30, 20), "atan": ("mul", 60, 30, 20), "atan2": ("mul", 80, 50, 30),
    "sinh": ("mul", 60, 30, 20), "cosh": ("mul", 60, 30, 20), "tanh": ("mul", 60, 25, 16), "asinh": ("mul", 70, 40, 26), "acosh": ("mul", 70, 40, 26),
    "atanh": ("mul", 70, 35, 22), "cbrt": ("mul", 60, 30, 20), "hypot": ("mul", 60, 25, 16), "pow": ("mul", 100, 45, 30), "erf": ("mul", 80, 45, 25),
    "erfc": ("mul", 80, 60, 35), "fmod": ("div", 200, 160, 160),
}  # fmt: skip


def _table(name: str, bits: int, fma: float) -> CostTable:
    scale = bits / 512
    rows = []
    for op, (port, latency, f64, f32) in _BASE.items():
        factor = fma if op == "fma" else 1
        rows.append(Row(op, "f64", port, latency, f64 * scale * factor))
        rows.append(Row(op, "f32", port, latency, f32 * scale * factor))
    return CostTable(name, "AMD Zen 4", "preliminary", bits, 3.66, tuple(rows))


AVX512 = _table("avx512", 512, 1)
AVX2 = _table("avx2", 256, 1)
SSE2 = _table("sse2", 128, 40)
