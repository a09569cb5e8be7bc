"""Elementary functions as inlined vector LLVM IR: at most 1 ulp, the same bits on every width.

A lane's result depends on that lane's arguments only. No instruction carries a fast-math flag.
"""

from collections.abc import Callable, Sequence

from llvmlite import ir

from codegen.vecmath import error, exponential, hyperbolic, inverse, logarithm, power, trigonometric
from codegen.vecmath.lanes import Lanes

# fmt: off
# name: emitter, bound in ulp for f64, for f32
_FUNCTIONS: dict[str, tuple[Callable[..., ir.Value], float | None, float | None]] = {
    "exp":   (exponential.exp,       1.0, 1.0),
    "log":   (logarithm.log,         1.0, 1.0),
    "sin":   (trigonometric.sin,     1.0, 1.0),
    "cos":   (trigonometric.cos,     1.0, 1.0),
    "tan":   (trigonometric.tan,     1.0, 1.0),
    "tanh":  (hyperbolic.tanh,       1.0, 1.0),
    "asin":  (inverse.asin,          1.0, 1.0),
    "acos":  (inverse.acos,          1.0, 1.0),
    "atan":  (inverse.atan,          1.0, 1.0),
    "expm1": (exponential.expm1,     1.0, 1.0),
    "log1p": (logarithm.log1p,       1.0, 1.0),
    "exp2":  (exponential.exp2,      1.0, 1.0),
    "log2":  (logarithm.log2,        1.0, 1.0),
    "log10": (logarithm.log10,       1.0, 1.0),
    "sinh":  (hyperbolic.sinh,       1.0, 1.0),
    "cosh":  (hyperbolic.cosh,       1.0, 1.0),
    "asinh": (hyperbolic.asinh,      1.0, 1.0),
    "acosh": (hyperbolic.acosh,      1.0, 1.0),
    "atanh": (hyperbolic.atanh,      1.0, 1.0),
    "atan2": (inverse.atan2,         1.0, 1.0),
    "cbrt":  (power.cbrt,            1.0, 1.0),
    "hypot": (power.hypot,           1.0, 1.0),
    "pow":   (power.pow_,            1.0, 1.0),
    "erf":   (error.erf,             1.0, 1.0),
    "erfc":  (error.erfc,            1.0, 1.0),
}
# fmt: on

MAX_ULP: dict[tuple[str, str], float] = {
    (name, dtype): bound
    for name, (_, *bounds) in _FUNCTIONS.items()
    for dtype, bound in zip(("f64", "f32"), bounds, strict=True)
    if bound is not None
}


def supported(name: str, dtype: str) -> bool:
    """Tell whether `emit` knows the function in this format ("f64" or "f32")."""
    return (name, dtype) in MAX_ULP


def emit(name: str, builder: ir.IRBuilder, args: Sequence[ir.Value]) -> ir.Value:
    """Append code for one function of vector arguments and return its vector result.

    The builder may come back at the end of a new basic block: rare lanes are branched around.
    """
    if name not in _FUNCTIONS:
        raise ValueError(f"vecmath has no function {name!r}")
    lanes = Lanes(builder, args[0])
    if not supported(name, lanes.format.name):
        raise ValueError(f"vecmath has no {lanes.format.name} {name!r}")
    return _FUNCTIONS[name][0](lanes, *args)


def emit_sincos(builder: ir.IRBuilder, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Append sin and cos of one argument, sharing the reduction; same bits as apart."""
    return trigonometric.sincos(Lanes(builder, x), x)
