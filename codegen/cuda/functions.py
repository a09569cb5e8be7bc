"""Elementary functions of kernels: whose code they are, and how far off at most.

Within 1 ulp they are ours, with the bits of the CPU's vectors, but for rare arguments, for which
CPUs call the C library: these go to `codegen.cuda.rare`, and special values to NVIDIA's library,
in float32 all of them as doubles. Where the licence has `afn`, within 4 ulp, they
are NVIDIA's where these are shorter, as with the device's approximate instructions in float32, and
else ours.
"""

import math
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from codegen.cuda.words import Name, Words
from codegen.target import Float
from codegen.vecmath import MAX_ULP, written
from codegen.vecmath.logarithm import flagged
from codegen.vecmath.power import positive_power

__all__ = ["ARITY", "DOUBLES", "LIBDEVICE", "SINCOS", "bound", "device_name", "own", "source"]

SINCOS: Final = "sincos"
"""Sine and cosine of one argument: a function of two results."""

ARITY: Final = MappingProxyType({"pow": 2, "atan2": 2, "hypot": 2, "fmod": 2})
"""Arguments of a function where they are not one."""

# name: ulp at most in float64, in float32
# fmt: off
LIBDEVICE: Final[Mapping[str, tuple[float, float]]] = MappingProxyType({
    "exp": (1, 2), "exp2": (1, 2), "expm1": (1, 1), "log": (1, 1), "log2": (1, 1),
    "log10": (1, 2), "log1p": (1, 1), "sin": (2, 2), "cos": (2, 2), "tan": (2, 4),
    "asin": (2, 2), "acos": (2, 2), "atan": (2, 2), "atan2": (2, 3), "sinh": (2, 3),
    "cosh": (1, 2), "tanh": (1, 2), "asinh": (3, 3), "acosh": (3, 4), "atanh": (2, 3),
    "erf": (2, 2), "erfc": (5, 4), "cbrt": (1, 1), "rsqrt": (1, 2), "hypot": (2, 3), "pow": (2, 4),
    "fmod": (0, 0),
})
# fmt: on
"""What NVIDIA states of its library, without fast math.

From the appendix "Mathematical Functions" of the CUDA C++ Programming Guide, tables of maximum ulp
errors over the full range. They are "generated from extensive but not exhaustive tests".
"""

NVIDIAS: Final[Mapping[str, frozenset[str]]] = MappingProxyType({
    "f64": frozenset("acosh asinh atan atanh cbrt cos cosh erf log1p sin tanh".split()),
    "f32": frozenset(LIBDEVICE) - {"atan2", "cos", "hypot", "rsqrt", "sin"},
})  # fmt: skip
"""Functions of the faster grade that are NVIDIA's: where they are within 4 ulp, and their machine
code for Hopper is shorter than ours (`python -m codegen.cuda.derive`)."""

DOUBLES: Final = frozenset(
    "sin cos tan log log1p log2 log10 pow asinh acosh atanh atan2 sinh cosh erfc fmod".split()
)
"""Functions of doubles that rare arguments of ours go to, and fmod, which is exact there.

In float32 the result is that of the double, rounded once: within 0.5000001 ulp of what it was. In
float64 they are left with special values and with logarithms of subnormal numbers, as
`codegen.cuda.rare` has what they are 2 ulp off in.
"""

_PLACES: Final = {"f64": 0, "f32": 1}


def own(op: str, dtype: Float) -> bool:
    """Tell whether a function of a program is in our code, not in NVIDIA's."""
    name = op.removeprefix("fast_")
    return op != "fmod" if op == name else name not in NVIDIAS[dtype]


def bound(op: str, dtype: Float) -> float:
    """Return how far off a function of a program is at most, in ulp."""
    name = op.removeprefix("fast_")
    return MAX_ULP[op, dtype] if own(op, dtype) else LIBDEVICE[name][_PLACES[dtype]]


def device_name(name: str, dtype: Float) -> str:
    """Return the name of a function in NVIDIA's library."""
    return name if dtype == "f64" else f"{name}f"


@cache
def source(op: str, dtype: Float) -> str:
    """Write one of our functions, or `SINCOS`, as a Python function of its own name."""
    name = op.removeprefix("fast_")
    lines: list[str] = []
    words = Words(dtype, lines, indent="    ")
    args = [Name(f"x{number}") for number in range(ARITY.get(name, 1))]
    write = _power if name == "pow" else written(op)
    result = write(words, *args)
    results = ", ".join(result) if isinstance(result, tuple) else str(result)
    return "\n".join([f"def {op}({', '.join(args)}):", *lines, f"    return {results}", ""])


def _power(v: Words, x: Any, y: Any) -> Any:
    """x**y: that of |x|, and the sign here, as NVIDIA's is less accurate for x < 0."""
    size = v.abs(x)
    usual, far = positive_power(v, size, y)

    def signed() -> Any:
        whole = v.write(f"{v.intrinsic('rint', y)} == {y}")
        half = v.mul(y, 0.5)
        odd = v.write(f"{v.intrinsic('rint', half)} != {half}")
        return v.select(whole, v.select(odd, v.neg(usual), usual), math.nan)

    failed = v.ior(far, flagged(v, size))
    if v.format.bits == 64:  # of |x|
        usual = v.rarely(failed, usual, lambda: v.through_libm("pow", (x, y)))
        special = v.builder.or_(v.compare("==", x, 0.0), v.compare("==", size, math.inf))
        signed_too = v.builder.and_(v.compare("<", x, 0.0), v.builder.not_(special))
        usual = v.rarely(signed_too, usual, signed)
        return v.rarely(special, usual, lambda: v.write(f"libm_pow({x}, {y})"))
    usual = v.rarely(v.compare("<", x, 0.0), usual, signed)
    return v.rarely(failed, usual, lambda: v.through_libm("pow", (x, y)))
