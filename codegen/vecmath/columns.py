"""Tables that the faster grade looks up in registers, and the polynomials that go with them.

Their numbers are computed here; `generate.py` writes them.
"""

import json
from collections.abc import Callable

import mpmath  # type: ignore[import-untyped]
from mpmath import mpf

from codegen.vecmath.remez import Fit, Function, fit, to_format
from codegen.vecmath.vector import F32, F64

# fast erf: polynomials about the multiples of a step, the last of which is where erf is one
ERF_STEPS = {"f64": 13 / 32, "f32": 17 / 64}
ERF_COEFFICIENTS = {"f64": 13, "f32": 6}
ERF_PIECES = 16


def erf_piece(at: int, dtype: str) -> list[float]:
    """Fit erf about a multiple of the step; about zero with a relative error, and no constant."""
    step, count = ERF_STEPS[dtype], ERF_COEFFICIENTS[dtype]
    center, half = at * step, 0.501 * step
    if at == ERF_PIECES - 1:
        return [1.0] + [0.0] * (count - 1)
    interval = (-half if at else 0.0, half)
    if at:
        row = Fit(
            "", "", lambda t: mpmath.erf(center + t), interval, lambda t: mpf(1), count, count
        )
        return fit(row, dtype)[0]

    def slope(t: mpf) -> mpf:
        return mpmath.erf(t) / t if t else 2 / mpmath.sqrt(mpmath.pi)

    row = Fit("", "", slope, interval, lambda t: 1 / slope(t), count - 1, count - 1)
    return [0.0, *fit(row, dtype)[0]]


def powers() -> list[str]:
    """Print 2**(j/16), less j in the place where the exponent's fraction will be added."""
    columns: dict[str, list[float]] = {}
    lost: dict[str, list[float]] = {}
    for form in (F64, F32):
        exact = [mpf(2) ** (mpf(j) / 16) for j in range(16)]
        near = [to_format(value, form.name) for value in exact]
        moved = [form.encode(value) - (j << (form.fraction - 4)) for j, value in enumerate(near)]
        columns[form.name] = [form.decode(bits) for bits in moved]
        lost[form.name] = [
            to_format(value / mpf(rounded) - 1, form.name)
            for value, rounded in zip(exact, near, strict=True)
        ]
    note = "2**(j/16), j = 0 to 15, less j units of the fourth bit below the exponent"
    return [
        block("EXP_POWERS", note, columns),
        block("EXP_LOST", "what the rounding of 2**(j/16) lost, as a share of it", lost),
    ]


def fractions() -> str:
    """Print 2**(j/16) - 1 for j by its low four bits: from 8 on they are those of j - 16."""
    values = [mpf(2) ** (mpf(j - 16 * (j >= 8)) / 16) - 1 for j in range(16)]
    rows = {dtype: [to_format(value, dtype) for value in values] for dtype in ("f64", "f32")}
    return block("EXP_FRACTIONS", "2**(j/16) - 1, j = 0 to 7, then -8 to -1", rows)


def pieces(name: str, comment: str, found: Callable[[int, str], list[float]]) -> str:
    """Print the coefficients of pieces, those of one power together."""
    lines = [
        f"# {comment}: by power, then by piece",
        f"{name}: dict[str, tuple[tuple[float, ...], ...]] = {{",
    ]
    for dtype in ("f64", "f32"):
        lines.append(f'    "{dtype}": (')
        for column in zip(*[found(at, dtype) for at in range(16)], strict=True):
            lines += ["        (", *[f"            {number(v)}," for v in column], "        ),"]
        lines.append("    ),")
    return "\n".join([*lines, "}"]) + "\n"


def number(value: float) -> str:
    """Print a float so that it reads back exactly."""
    return f'h("{value.hex()}")'


def block(name: str, comment: str, rows: dict[str, list[float]]) -> str:
    """Print one table entry."""
    lines = [f"# {comment}", f"{name}: dict[str, tuple[float, ...]] = {{"]
    for dtype, values in rows.items():
        if len(values) == 1:
            lines.append(f'    "{dtype}": ({number(values[0])},),')
            continue
        body = "".join(f"        {number(value)},\n" for value in values)
        lines.append(f'    "{dtype}": (\n{body}    ),')
    return "\n".join([*lines, "}"]) + "\n"


# log: a number m from about 3/4 to 3/2 is (1 + r) / c, c from a table by the leading bits of m
LOG_ENTRIES = {"f64": 16, "f32": 32}
LOG_START = {"f64": -136 / 256, "f32": -132 / 256}  # of 1, in binades: makes the largest r least
LOG_REACH = {"f64": 0.03418, "f32": 0.01979}
LOG_UNIT = {"f64": 42, "f32": 16}  # k log(2) is a multiple of the unit 2**-this


def log_ends(at: int, dtype: str) -> tuple[float, float]:
    """Return the ends of one interval: equal steps in the bits of the numbers."""
    form = F64 if dtype == "f64" else F32
    start = form.encode(1.0) + int(LOG_START[dtype] * 2**form.fraction)
    step = 2**form.fraction // LOG_ENTRIES[dtype]
    return form.decode(start + at * step), form.decode(start + (at + 1) * step)


def log_factor(at: int, dtype: str) -> float:
    """Return the c for which c m - 1 is exact, and least, in one interval."""
    low, high = log_ends(at, dtype)
    if low < 1 <= high:
        return 1.0
    form = F64 if dtype == "f64" else F32
    best, least = 1.0, 1.0
    for bits in range(1, 9):
        near = round(2 / (low + high) * 2**bits)
        for c in ((near + i) / 2**bits for i in (-1, 0, 1)):
            reach = max(abs(low * c - 1), abs(high * c - 1))
            exact = reach * 2 ** (form.fraction + (low < 1) + bits) <= 2 ** (form.fraction + 1)
            if exact and reach < least:
                best, least = c, reach
    assert least <= LOG_REACH[dtype], "the polynomials are for less"
    return best


def log_columns() -> list[str]:
    """Print c, and -log(c) in the parts and to the bases that are needed."""
    names = ("LOG_FACTOR", "LOG_HIGH", "LOG_LOW", "LOG_E", "LOG_E_LOW", "LOG_2", "LOG_10")
    tables: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    for dtype, count in LOG_ENTRIES.items():
        factors = [log_factor(at, dtype) for at in range(count)]
        logs = [-mpmath.log(c) for c in factors]
        unit = mpf(2) ** -LOG_UNIT[dtype]
        high = [mpmath.nint(value / unit) * unit for value in logs]
        low = [value - part for value, part in zip(logs, high, strict=True)]
        lost = [value - mpf(to_format(value, dtype)) for value in logs]
        columns = [factors, high, low, logs, lost]
        columns += [[value / mpmath.log(base) for value in logs] for base in (2, 10)]
        for name, column in zip(names, columns, strict=True):
            tables[name][dtype] = [to_format(mpf(value), dtype) for value in column]
    notes = ("c, m = (1 + r) / c", "-log(c), a multiple of the unit of LN2_SHORT", "the rest of it",
             "-log(c)", "what its rounding lost", "-log2(c)", "-log10(c)")  # fmt: skip
    return [block(name, note, tables[name]) for name, note in zip(names, notes, strict=True)]


# exp after the log of a power: beyond log(2)/32 by what the log is uncertain when n is chosen
EXP_REACH = {"f64": 0.0286, "f32": 0.02167}


def written(
    name: str, formula: str, target: Function, weight: Function,
    reaches: dict[str, float], counts: tuple[int, int],
) -> str:  # fmt: skip
    """Fit and print a polynomial whose interval is about zero and differs by the format."""
    found = {}
    for dtype, reach in reaches.items():
        found[dtype] = fit(Fit("", "", target, (-reach, reach), weight, *counts), dtype)
    errors = ", ".join(f"{dtype} 2**{error:.1f}" for dtype, (_, error) in found.items())
    return block(name, f"{formula}: {errors}", {d: c for d, (c, _) in found.items()})


def log_polynomials() -> list[str]:
    """Print the polynomials in r."""

    def third(r: mpf) -> mpf:
        return (mpmath.log1p(r) - r + r**2 / 2) / r**3

    def second(r: mpf) -> mpf:
        return (mpmath.log1p(r) - r) / r**2

    def relative(r: mpf) -> mpf:
        return abs(r**2 / mpmath.log1p(r))

    def scaled(function: Function, factor: mpf) -> Function:
        return lambda r: function(r) * factor

    made = [
        written("LOG_THIRD", "(log(1 + r) - r + r**2/2) / r**3", third,
                lambda r: r**3 / mpmath.log1p(r), LOG_REACH, (9, 3)),
        written("EXP_POWER", "(exp(r) - 1 - r) / r**2",
                lambda r: (mpmath.exp(r) - 1 - r) / r**2, lambda r: r**2, EXP_REACH, (5, 2)),
    ]  # fmt: skip
    for name, base in (("LOG_SECOND", 1), ("LOG2_SECOND", 2), ("LOG10_SECOND", 10)):
        factor = 1 / mpmath.log(base) if base > 1 else mpf(1)
        formula = f"(log(1 + r) - r) / r**2, to the base {base if base > 1 else 'e'}"
        functions = scaled(second, factor), scaled(relative, 1 / factor)
        made.append(written(name, formula, *functions, LOG_REACH, (8, 3)))
    return made


def cbrt_columns() -> list[str]:
    """Print c**(-1/3), 2**(s/3) for s by its low four bits, and the polynomial in r."""
    factors, powers = {}, {}
    for dtype, count in LOG_ENTRIES.items():
        factors[dtype] = [
            to_format(1 / mpmath.cbrt(log_factor(at, dtype)), dtype) for at in range(count)
        ]
        powers[dtype] = [1.0] * 16
        powers[dtype][1] = to_format(mpmath.cbrt(2), dtype)
        powers[dtype][-1] = to_format(1 / mpmath.cbrt(2), dtype)

    def near(r: mpf) -> mpf:
        return (mpmath.cbrt(1 + r) - 1) / r

    return [
        block("CBRT_FACTORS", "c**(-1/3)", factors),
        block("CBRT_POWERS", "2**(s/3), s = 0, 1, and in the last place -1", powers),
        written("CBRT_NEAR", "((1 + r)**(1/3) - 1) / r", near, abs, LOG_REACH, (8, 3)),
    ]


# erfc: exp(a**2) erfc(a) by pieces of w = 1 / (a + 2) about the multiples of a step, 16 as 0
ERFC_CENTER = 2.0
ERFC_STEP = 1 / 32
ERFC_COEFFICIENTS = {"f64": 10, "f32": 5}


def erfc_piece(at: int, dtype: str) -> list[float]:
    """Fit one piece with a relative error."""
    middle, half, count = at * ERFC_STEP, 0.501 * ERFC_STEP, ERFC_COEFFICIENTS[dtype]

    def scaled(u: mpf) -> mpf:
        a = 1 / (middle + u) - mpf(ERFC_CENTER)
        return mpmath.exp(a * a) * mpmath.erfc(a)

    least = max(-half, 1 / (28 + ERFC_CENTER) - middle)
    interval = (least, half if at < 16 else 0.001 * ERFC_STEP)
    return fit(Fit("", "", scaled, interval, lambda u: 1 / scaled(u), count, count), dtype)[0]


# atan: the angle of a quotient from the nearest multiple of a step, 15 of which are beyond one
ATAN_STEP = 18 / 256


def atan_points() -> str:
    """Print the angles of the multiples of the step."""
    points = [mpmath.atan(at * ATAN_STEP) for at in range(16)]
    rows = {dtype: [to_format(point, dtype) for point in points] for dtype in ("f64", "f32")}
    return f"ATAN_STEP = {ATAN_STEP!r}\n\n" + block(
        "ATAN_POINTS", "atan of the multiples of a step", rows
    )


def columns() -> list[str]:
    """Print all of them."""
    return [
        *powers(),
        fractions(),
        f"ERF_STEP: dict[str, float] = {json.dumps(ERF_STEPS)}\n",
        pieces("ERF_PIECES", "erf about multiples of a step", erf_piece),
        f"LOG_START: dict[str, float] = {json.dumps(LOG_START)}\n",
        *log_columns(),
        *log_polynomials(),
        *cbrt_columns(),
        f"ERFC_CENTER, ERFC_STEP = {ERFC_CENTER!r}, {ERFC_STEP!r}\n",
        pieces(
            "ERFC_PIECES",
            "exp(a**2) erfc(a) about multiples of a step in 1 / (a + 2), the last as 0",
            lambda at, dtype: erfc_piece(at or 16, dtype),
        ),
        atan_points(),
    ]
