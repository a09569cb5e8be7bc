"""Elementary functions as inlined vector LLVM IR: at most 1 ulp, or 4 in the faster grade.

The bits are the same on every width, but for what is in `LOOKUPS`. A lane's result depends on that
lane's arguments only. No instruction carries a fast-math flag.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from llvmlite import ir

from codegen.vecmath import (
    error,
    exponential,
    hyperbolic,
    inverse,
    logarithm,
    power,
    remainder,
    root,
    trigonometric,
)
from codegen.vecmath.fast import error as fast_error
from codegen.vecmath.fast import exponential as fast_exponential
from codegen.vecmath.fast import inverse as fast_inverse
from codegen.vecmath.fast import logarithm as fast_logarithm
from codegen.vecmath.fast import root as fast_root
from codegen.vecmath.fast import trigonometric as fast_trigonometric
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.vector import Rare

# name: emitter, bound in ulp for f64, for f32: the largest error seen (f64: of 10**8 arguments and
# of 10**7 near the worst of them, against long doubles; f32: every argument, of two 10**8) and a
# margin.
# fmt: off
_FUNCTIONS: dict[str, tuple[Callable[..., ir.Value], float | None, float | None]] = {
    "exp":   (exponential.exp,       0.90, 0.90),
    "log":   (logarithm.log,         0.93, 0.90),
    "sin":   (trigonometric.sin,     0.94, 0.90),
    "cos":   (trigonometric.cos,     0.93, 0.90),
    "tan":   (trigonometric.tan,     0.97, 0.95),
    "tanh":  (hyperbolic.tanh,       0.85, 0.75),
    "asin":  (inverse.asin,          0.80, 0.75),
    "acos":  (inverse.acos,          0.77, 0.70),
    "atan":  (inverse.atan,          0.82, 0.85),
    "expm1": (exponential.expm1,     0.95, 0.90),
    "log1p": (logarithm.log1p,       0.92, 0.90),
    "exp2":  (exponential.exp2,      0.90, 0.95),
    "log2":  (logarithm.log2,        0.77, 0.75),
    "log10": (logarithm.log10,       0.70, 0.70),
    "sinh":  (hyperbolic.sinh,       0.87, 0.90),
    "cosh":  (hyperbolic.cosh,       0.91, 0.75),
    "asinh": (hyperbolic.asinh,      0.98, 0.98),
    "acosh": (hyperbolic.acosh,      0.98, 0.90),
    "atanh": (hyperbolic.atanh,      0.96, 0.95),
    "atan2": (inverse.atan2,         0.90, 0.90),
    "cbrt":  (power.cbrt,            0.55, 0.55),
    "hypot": (power.hypot,           0.80, 0.80),
    "fmod":  (remainder.fmod,         0.00, 0.00),
    "rsqrt": (root.rsqrt,            0.70, 0.70),
    "pow":   (power.pow_,            0.85, 0.85),
    "erf":   (error.erf,             0.93, 0.85),
    "erfc":  (error.erfc,            0.95, 0.85),
    # the faster grade
    "fast_exp":   (fast_exponential.exp,       1.30, 1.30),
    "fast_log":   (fast_logarithm.log,         2.70, 2.20),
    "fast_sin":   (fast_trigonometric.sin,     3.00, 2.90),
    "fast_cos":   (fast_trigonometric.cos,     3.25, 3.10),
    "fast_tan":   (fast_trigonometric.tan,     2.60, 2.50),
    "fast_tanh":  (fast_exponential.tanh,      3.10, 3.10),
    "fast_asin":  (fast_inverse.asin,          2.50, 2.60),
    "fast_acos":  (fast_inverse.acos,          1.50, 1.60),
    "fast_atan":  (fast_inverse.atan,          2.20, 2.30),
    "fast_expm1": (fast_exponential.expm1,     2.40, 1.90),
    "fast_log1p": (fast_logarithm.log1p,       2.80, 2.80),
    "fast_exp2":  (fast_exponential.exp2,      1.30, 1.30),
    "fast_log2":  (fast_logarithm.log2,        2.80, 2.40),
    "fast_log10": (fast_logarithm.log10,       2.70, 3.30),
    "fast_sinh":  (fast_exponential.sinh,      3.00, 3.00),
    "fast_cosh":  (fast_exponential.cosh,      2.20, 1.80),
    "fast_asinh": (fast_logarithm.asinh,       3.30, 3.20),
    "fast_acosh": (fast_logarithm.acosh,       3.50, 3.10),
    "fast_atanh": (fast_logarithm.atanh,       3.40, 3.10),
    "fast_atan2": (fast_inverse.atan2,         2.70, 2.40),
    "fast_cbrt":  (fast_root.cbrt,             2.00, 1.80),
    "fast_rsqrt": (fast_root.rsqrt,            1.30, 1.30),
    "fast_hypot": (fast_root.hypot,            1.40, 1.40),
    "fast_pow":   (fast_logarithm.pow_,        2.80, 3.10),
    "fast_erf":   (fast_error.erf,             2.60, 2.90),
    "fast_erfc":  (fast_error.erfc,            4.00, 3.30),
}
# fmt: on

MAX_ULP: dict[tuple[str, str], float] = {
    (name, dtype): bound
    for name, (_, *bounds) in _FUNCTIONS.items()
    for dtype, bound in zip(("f64", "f32"), bounds, strict=True)
    if bound is not None
}


FAST: Final = frozenset(name for name in _FUNCTIONS if name.startswith("fast_"))
"""The functions of the faster grade."""

LOOKUPS: Final = {"rsqrt"} | FAST - {
    f"fast_{name}" for name in ("acos", "asin", "cos", "hypot", "sin", "tan")
}
"""Those that are other code, with other bits, with AVX-512: tables in registers, estimates."""


def supported(name: str, dtype: str) -> bool:
    """Tell whether `emit` knows the function in this format ("f64" or "f32")."""
    return (name, dtype) in MAX_ULP


def written(name: str) -> Callable[..., Any]:
    """Return what writes a function, or "sincos", with a vocabulary such as `Lanes`."""
    return trigonometric.sincos if name == "sincos" else _FUNCTIONS[name][0]


def emit(
    name: str, builder: ir.IRBuilder, args: Sequence[ir.Value], *, lookups: bool = False,
    live: ir.Value | None = None, rare: Rare | None = None,
) -> ir.Value:  # fmt: skip
    """Append code for one function of vector arguments and return its vector result.

    The builder may come back at the end of a new basic block: rare lanes are branched around.
    `lookups` says that the target has AVX-512's lookups in registers, for what is in `LOOKUPS`.
    Lanes outside the mask `live` may hold anything then. With `rare` there are no branches: lanes
    noted in it have results that are wrong.
    """
    if name not in _FUNCTIONS:
        raise ValueError(f"vecmath has no function {name!r}")
    lanes = Lanes(builder, args[0], lookups=lookups, live=live, rare=rare)
    if not supported(name, lanes.format.name):
        raise ValueError(f"vecmath has no {lanes.format.name} {name!r}")
    return _FUNCTIONS[name][0](lanes, *args)


def emit_sincos(
    builder: ir.IRBuilder, x: ir.Value, *, live: ir.Value | None = None,
    rare: Rare | None = None,
) -> tuple[ir.Value, ir.Value]:  # fmt: skip
    """Append sin and cos of one argument, sharing the reduction; same bits as apart."""
    return trigonometric.sincos(Lanes(builder, x, live=live, rare=rare), x)
