"""`InstructionCount`: what a program costs in instructions of its loop body, for small code.

Elementary functions are inlined, so each counts as many LLVM instructions as `codegen.vecmath`
writes for one float64 vector; fma is one. Constants and loads are not counted.
"""

from dataclasses import dataclass
from typing import Final

from codegen.cost import power_operations, product_exponent
from rewrite import ops
from rewrite.constants import Constant

__all__ = ["INLINED", "InstructionCount"]

# fmt: off
INLINED: Final[dict[str, int]] = {
    "sign": 5, "minimum": 4, "maximum": 4, "cbrt": 63, "hypot": 44, "exp": 54, "exp2": 51,
    "expm1": 70, "log": 41, "log2": 51, "log10": 53, "log1p": 63, "sin": 49, "cos": 47, "tan": 68,
    "asin": 47, "acos": 49, "atan": 55, "atan2": 75, "sinh": 58, "cosh": 50, "tanh": 62,
    "asinh": 96, "acosh": 97, "atanh": 79, "erf": 70, "erfc": 142, "fmod": 31, "pow": 110,
    "fast_exp": 64, "fast_log": 31, "fast_sin": 37, "fast_cos": 36, "fast_tan": 42, "fast_tanh": 33,
    "fast_asin": 28, "fast_acos": 31, "fast_atan": 34, "fast_expm1": 75, "fast_log1p": 49,
    "fast_exp2": 65, "fast_log2": 31, "fast_log10": 31, "fast_sinh": 39, "fast_cosh": 28,
    "fast_asinh": 58, "fast_acosh": 53, "fast_atanh": 54, "fast_atan2": 48, "fast_cbrt": 110,
    "rsqrt": 57, "fast_rsqrt": 55, "fast_hypot": 54, "fast_pow": 90, "fast_erf": 37,
    "fast_erfc": 70,
}
# fmt: on
"""LLVM instructions of what is not one instruction; a test counts them again."""


@dataclass(frozen=True)
class InstructionCount:
    """Instructions of the loop body, as a `CostModel`."""

    name: str = "instructions"
    unit: str = "instructions"
    sharing: bool = True
    strict: bool = False
    """Whether integer powers beyond the square stay `pow`, as strict code has them."""

    def price(self, op: ops.Op, constants: tuple[Constant | None, ...]) -> float:
        """Count the instructions of an op; integer powers are products."""
        n = product_exponent(constants[1], self.strict) if op is ops.POW else None
        if n is not None:
            return float(power_operations(n) + (n < 0))
        if op is ops.RSQRT and self.strict:
            return 2.0
        return float(INLINED.get(op.name, 1))
