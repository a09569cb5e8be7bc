"""Fit every polynomial and split every constant of `tables.py`; run as a module to rewrite it.

    python -m codegen.vecmath.generate

The fits minimise the weighted largest error (Remez exchange in 60-digit arithmetic). The
leading coefficients are rounded one by one, each time refitting the rest, so that the rounding
of a coefficient is made good by those after it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mpmath  # type: ignore[import-untyped]
import numpy as np
from mpmath import mpf

from codegen.vecmath.columns import block, columns
from codegen.vecmath.remez import Fit, fit, split
from rewrite.evaluate import fma

# erf changes from its series to 1 - erfc here.
ERF_SWITCH = 0.84375


def exp_rest(r: mpf) -> mpf:
    """(exp(r) - 1 - r) / r**2."""
    return (mpmath.exp(r) - 1 - r) / r**2


def sine_rest(z: mpf) -> mpf:
    """(sin(r)/r - 1) / z with z = r**2."""
    return (mpmath.sin(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1) / z


def sine_weight(z: mpf) -> mpf:
    """z r / sin(r): what makes an error of the rest relative to the sine."""
    return z * mpmath.sqrt(z) / mpmath.sin(mpmath.sqrt(z))


def log_series(z: mpf) -> mpf:
    """(log((1+s)/(1-s))/s - 2) / z with s = sqrt(z)."""
    s = mpmath.sqrt(z)
    return ((mpmath.log(1 + s) - mpmath.log(1 - s)) / s - 2) / z


def atan_rest(z: mpf) -> mpf:
    """(atan(t)/t - 1) / z with t = sqrt(z)."""
    t = mpmath.sqrt(z)
    return (mpmath.atan(t) / t - 1) / z


def scaled_erfc(a: mpf) -> mpf:
    """(1 + 2 a) exp(a**2) erfc(a), between 1.1 and 1.3 for a >= 0.7."""
    return (1 + 2 * a) * mpmath.exp(a * a) * mpmath.erfc(a)


def flat_erfc(a: mpf) -> mpf:
    """(1 + 9 a / 8) exp(a**2) erfc(a), nearly constant about zero."""
    return (1 + mpf(9) / 8 * a) * mpmath.exp(a * a) * mpmath.erfc(a)


FITS = (
    Fit(
        "EXP", "(exp(r) - 1 - r) / r**2",
        exp_rest,
        (-0.2878, 0.4057), lambda r: r**2 / mpmath.exp(r), 10, 5,
    ),
    Fit(
        "EXPM1", "(exp(r) - 1 - r - r**2/2) / r**3",
        lambda r: (mpmath.exp(r) - 1 - r - r**2 / 2) / r**3,
        (-0.2878, 0.4057), lambda r: r**3 / mpmath.expm1(r), 10, 5,
    ),
    Fit(
        "LOG", "(log((1+s)/(1-s))/s - 2) / z, z = s**2",
        log_series, (0.0, 0.02945), lambda z: z, 7, 3,
    ),
    Fit(
        "SIN", "(sin(r)/r - 1) / z, z = r**2",
        sine_rest,
        (0.0, 0.6170), sine_weight, 6, 3,
    ),
    Fit(
        "COS", "(cos(r) - 1 + z/2) / z**2, z = r**2",
        lambda z: (mpmath.cos(mpmath.sqrt(z)) - 1 + z / 2) / z**2,
        (0.0, 0.6170), lambda z: z**2 / mpmath.cos(mpmath.sqrt(z)), 6, 3,
    ),
    Fit(
        "EXP2", "(2**r - 1 - r log(2)) / r**2",
        lambda r: (2**r - 1 - r * mpmath.log(2)) / r**2,
        (-0.5001, 0.5001), lambda r: r**2 / 2**r, 10, 5,
    ),
    Fit(
        "EXP2_NEAR", "(2**r - 1) / r",
        lambda r: mpmath.log(2) if r == 0 else (2**r - 1) / r,
        (-0.5001, 0.5001), lambda r: abs(r) / 2**r, 11, 6,
    ),
    Fit(
        "EXP_MIDDLE", "(exp(r) - 1 - r) / r**2",
        exp_rest,
        (-0.3467, 0.3467), lambda r: r**2 / mpmath.expm1(r), 10, 6,
    ),
    Fit(
        "EXP_SIXTEENTH", "(exp(r) - 1 - r) / r**2",
        exp_rest,
        (-0.02167, 0.02167), lambda r: r**2 / mpmath.exp(r), 5, 2,
    ),
    Fit(
        "EXPM1_SIXTEENTH", "(exp(r) - 1 - r) / r**2",
        exp_rest,
        (-0.02167, 0.02167), lambda r: abs(r**2 / mpmath.expm1(r)), 6, 3,
    ),
    Fit(
        "EXP2_SIXTEENTH", "(2**r - 1) / r",
        lambda r: (2**r - 1) / r,
        (-0.03126, 0.03126), lambda r: abs(r) / 2**r, 6, 3,
    ),
    Fit(
        "TAN_HALF", "(2 tan(r/2)/r - 1) / z, z = r**2",
        lambda z: (2 * mpmath.tan(mpmath.sqrt(z) / 2) / mpmath.sqrt(z) - 1) / z,
        (0.0, 0.6170), lambda z: z, 9, 4,
    ),
    Fit(
        "SIN_WIDE", "(sin(r)/r - 1) / z, z = r**2",
        sine_rest,
        (0.0, 2.4684), sine_weight, 8, 4,
    ),
    Fit(
        "SINH", "(sinh(r)/r - 1) / z, z = r**2",
        lambda z: (mpmath.sinh(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1) / z,
        (0.0, 0.1203), lambda z: z, 5, 3,
    ),
    Fit(
        "COSH", "(cosh(r) - 1 - z/2) / z**2, z = r**2",
        lambda z: (mpmath.cosh(mpmath.sqrt(z)) - 1 - z / 2) / z**2,
        (0.0, 0.1203), lambda z: z**2, 4, 2,
    ),
    Fit(
        "ASIN", "(asin(s)/s - 1) / z, z = s**2",
        lambda z: (mpmath.asin(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1) / z,
        (0.0, 0.2501), lambda z: z, 12, 5,
    ),
    Fit(
        "ATAN", "(atan(t)/t - 1) / z, z = t**2",
        atan_rest,
        (0.0, 0.25), lambda z: z, 12, 5,
    ),
    Fit(
        "ATAN_WIDE", "(atan(t)/t - 1) / z, z = t**2",
        atan_rest, (0.0, 1.0), lambda z: z**1.5 / mpmath.atan(mpmath.sqrt(z)), 19, 8,
    ),
    Fit(
        "ATAN_SHORT", "(atan(t)/t - 1) / z, z = t**2",
        atan_rest, (0.0, 0.00239), lambda z: z, 4, 2,
    ),
    Fit(
        "ATANH", "(atanh(s)/s - 1 - z/3) / z**2, z = s**2",
        lambda z: (mpmath.atanh(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1 - z / 3) / z**2,
        (0.0, 0.02945), lambda z: z**2, 7, 3,
    ),
    Fit(
        "RCBRT", "m**(-1/3)",
        lambda m: 1 / mpmath.cbrt(m),
        (1.0, 8.0), lambda m: mpmath.cbrt(m), 6, 5,
    ),
    Fit(
        "RSQRT_ROUGH", "(1 / sqrt(1 - e) - 1) / e",
        lambda e: mpf(1) / 2 + 3 * e / 8 if e == 0 else (1 / mpmath.sqrt(1 - e) - 1) / e,
        (-0.0703, 0.0682), lambda e: abs(e), 2, 2,
    ),
    Fit(
        "RSQRT", "(1 / sqrt(1 - e) - 1) / e",
        lambda e: mpf(1) / 2 if e == 0 else (1 / mpmath.sqrt(1 - e) - 1) / e,
        (-0.0001222, 0.0001222), lambda e: abs(e), 3, 1,
    ),
    Fit(
        "ERF", "erf(x)/x - 1, z = x**2",
        lambda z: mpmath.erf(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1,
        (0.0, ERF_SWITCH**2), lambda z: mpmath.sqrt(z) / mpmath.erf(mpmath.sqrt(z)), 12, 6,
    ),
    Fit(
        "LOG_ERFC", "log(erfc(c + t) / erfc(c)) / t, c = 27/32",
        lambda t: mpmath.log(mpmath.erfc(ERF_SWITCH + t) / mpmath.erfc(ERF_SWITCH)) / t,
        (0.0, 5.2), lambda t: t * mpmath.exp(-((ERF_SWITCH + t) ** 2)) / 2, 18, 8,
    ),
    Fit(
        "ERFCX", "(1 + 2 a) erfcx(a) - 5/4, t = (a - 3) / (a + 3)",
        lambda t: scaled_erfc(3 * (1 + t) / (1 - t)) - mpf(5) / 4,
        (-0.6205, 0.8027), lambda t: mpf(1), 21, 10,
    ),
    Fit(
        "ERFCX_WHOLE", "(1 + 9 a / 8) erfcx(a) - 3/4, t = (a - 3) / (a + 3)",
        lambda t: flat_erfc(3 * (1 + t) / (1 - t)) - mpf(3) / 4,
        (-1.0, 0.8027), lambda t: 1 / flat_erfc(3 * (1 + t) / (1 - t)), 24, 12,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Split:
    """One constant as a sum of parts, given their widths in bits for both formats."""

    name: str
    formula: str
    value: Callable[[], mpf]
    f64: tuple[int, ...]
    f32: tuple[int, ...]
    down: bool = False


SPLITS = (
    Split("LOG2_E", "1 / log(2)", lambda: 1 / mpmath.log(2), (53, 53), (24, 24)),
    Split("LN2", "log(2)", lambda: mpmath.log(2), (53, 53), (24, 24)),
    Split("LN2_SHORT", "log(2), k * first part exact", lambda: mpmath.log(2), (42, 53), (16, 24)),
    Split("LOG10_E", "1 / log(10)", lambda: 1 / mpmath.log(10), (53, 53), (24, 24)),
    Split(
        "LOG10_2_SHORT",
        "log10(2), k * first part exact",
        lambda: mpmath.log10(2),
        (42, 53),
        (16, 24),
    ),
    Split("THIRD", "1 / 3", lambda: mpf(1) / 3, (53, 53), (24, 24)),
    Split("ERFC", "erfc(27/32)", lambda: mpmath.erfc(ERF_SWITCH), (53,), (24,)),
    Split("TWO_OVER_PI", "2 / pi", lambda: 2 / mpmath.pi, (53,), (24,)),
    Split("ONE_OVER_PI", "1 / pi", lambda: 1 / mpmath.pi, (53,), (24,)),
    Split("HALF_PI_PAIR", "pi / 2", lambda: mpmath.pi / 2, (53, 53), (24, 24)),
    Split(
        "HALF_PI",
        "pi / 2, k * second part exact for k < 2**22 and 2**11",
        lambda: mpmath.pi / 2,
        (53, 31, 53),
        (24, 13, 24),
    ),
    # 0 times a negative part would take the sign of a zero away
    Split("PI", "pi, no part negative", lambda: mpmath.pi, (53, 53, 53), (24, 24, 24), down=True),
)


def wide_sine(coefficients: list[float], dtype: str) -> float:
    """Compute the sine of the number nearest to pi/2 as `codegen.vecmath.fast` does."""
    kind = np.float64 if dtype == "f64" else np.float32
    c, r = np.array(coefficients, kind), kind(np.pi / 2)
    z, total = r * r, c[-1]
    for term in c[-2::-1]:
        total = fma(kind(total), z, term)
    return float(r * kind(fma(z, kind(total), kind(1))))


def exact_at_half_pi(coefficients: list[float], dtype: str) -> list[float]:
    """Move one coefficient by as little as makes the sine of pi/2 one.

    Else the cosine of zero would not be.
    """
    kind = np.float64 if dtype == "f64" else np.float32
    best, least = coefficients, 1.0
    for at, coefficient in enumerate(coefficients):
        unit = float(np.spacing(kind(coefficient)))
        for steps in range(-200, 201):
            moved = [*coefficients[:at], coefficient + steps * unit, *coefficients[at + 1 :]]
            change = abs(steps * unit) * (math.pi / 2) ** (2 * at + 2)
            if change < least and wide_sine(moved, dtype) == 1:
                best, least = moved, change
    assert least < 1.0, "no coefficient near by makes the sine of pi/2 one"
    return best


HEADER = '''"""Polynomial coefficients and split constants, written by `generate.py`; do not edit.

Each entry maps a format to its numbers: coefficients from the lowest power up, constants from
the largest part down. A fit's error is log2 of the largest weighted error, coefficients rounded.
"""

h = float.fromhex

'''


def text() -> str:
    """Return the source of `tables.py`."""
    blocks = []
    with mpmath.workdps(60):
        for constant in SPLITS:
            rows = {
                dtype: split(constant.value(), dtype, bits, down=constant.down)
                for dtype, bits in (("f64", constant.f64), ("f32", constant.f32))
            }
            blocks.append(block(constant.name, f"{constant.formula}, in parts", rows))
        for row in FITS:
            fits = {dtype: fit(row, dtype) for dtype in ("f64", "f32")}
            if row.name == "SIN_WIDE":
                fits = {d: (exact_at_half_pi(c, d), error) for d, (c, error) in fits.items()}
            errors = ", ".join(f"{dtype} 2**{error:.1f}" for dtype, (_, error) in fits.items())
            low, high = row.interval
            comment = f"{row.formula} on [{low:g}, {high:g}]: {errors}"
            rows = {dtype: values for dtype, (values, _) in fits.items()}
            blocks.append(block(row.name, comment, rows))
        blocks += columns()
    return HEADER + "\n".join(blocks)


if __name__ == "__main__":
    Path(__file__).with_name("tables.py").write_text(text())
