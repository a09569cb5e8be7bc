"""The kernels of the elementwise benchmark, written once for every engine.

Each is a function of a namespace of functions (`m.sin`, ...) and of arguments that have operators:
terms, symbols of another system, arrays, or `Written`, which makes the text of C or numexpr.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["KERNELS", "Formula", "Written", "generated", "inputs", "written"]


@dataclass(frozen=True)
class Formula:
    """A kernel, its arguments with the interval of each, and those that are scalars."""

    name: str
    title: str
    function: Callable[..., Any]
    arguments: dict[str, tuple[float, float]]
    scalars: tuple[str, ...] = ()


COEFFICIENTS = tuple(round(random.Random(k).uniform(-2, 2), 3) for k in range(11))


def polynomial(m: Any, x: Any) -> Any:
    """Sum a polynomial of degree 10 as it is written out."""
    total = COEFFICIENTS[0] + COEFFICIENTS[1] * x
    for k in range(2, 11):
        total = total + COEFFICIENTS[k] * x**k
    return total


def wave(m: Any, x: Any) -> Any:
    """Mix an exponential with a sine and a cosine of one argument."""
    return m.exp(-x * x / 2) * m.sin(3 * x) + m.cos(3 * x) ** 2


def black_scholes(m: Any, S: Any, K: Any, T: Any, r: Any, sigma: Any) -> Any:
    """Price a call option."""
    spread = sigma * m.sqrt(T)
    d1 = (m.log(S / K) + (r + sigma * sigma / 2) * T) / spread
    d2 = d1 - spread
    normal = [0.5 + 0.5 * m.erf(d * 0.7071067811865476) for d in (d1, d2)]
    return S * normal[0] - K * m.exp(-r * T) * normal[1]


def rational(m: Any, x: Any, y: Any) -> Any:
    """Add three quotients with one denominator."""
    d = 1 + x * x + y * y
    return x / d + x * y / d - y * y / d


def mixed(m: Any, x: Any, y: Any) -> Any:
    """Use what few have as vector code."""
    return m.tanh(x - y) + m.pow(x, y) + m.atan2(y, x)


WORDS = (
    "add " * 74 + "mul " * 56 + "sub " * 19 + "sin " * 9 + "cos " * 9 + "log " * 9 + "exp " * 5
    + "tanh " * 5 + "sqrt " * 6 + "div " * 4 + "neg " * 5
)  # fmt: skip
"""201 operations in all."""


def drawn(m: Any, *leaves: Any) -> Any:
    """Draw some 200 operations over recent values; log, sqrt and div get what is above one.

    Every sixth value is made smaller, so that values stay about one and errors do not grow.
    """
    rng = random.Random(5)
    words = WORDS.split()
    rng.shuffle(words)
    large = [v * v + 1 for v in leaves]  # 8 operations
    values = [*leaves, *(m.cos(v) for v in leaves)]  # 4
    waiting = {word: words.count(word) for word in ("sin", "cos")}
    waiting["cos"] -= len(leaves)
    made = {
        "sin": lambda a, b, c: m.sin(a),
        "cos": lambda a, b, c: m.cos(a),
        "add": lambda a, b, c: a + b,
        "sub": lambda a, b, c: a - b,
        "mul": lambda a, b, c: a * b,
        "log": lambda a, b, c: m.log(c),
        "sqrt": lambda a, b, c: m.sqrt(c),
        "div": lambda a, b, c: a / c,
        "exp": lambda a, b, c: m.exp(-c),
        "neg": lambda a, b, c: -a,
        "tanh": lambda a, b, c: m.tanh(a),
    }
    for word in words:
        if waiting.get(word, 1):
            waiting[word] = waiting.get(word, 1000) - 1
            recent = values[-16:]
            values.append(made[word](rng.choice(recent), rng.choice(recent), rng.choice(large)))
            if len(values) % 6 == 0:  # what grew is brought back
                values[-1] = values[-1] * 0.25
    total = values[-1]
    for value in values[-16:-1]:
        total = total + value
    return total


KERNELS = (
    Formula("A1", "degree-10 polynomial, expanded", polynomial, {"x": (-1, 1)}),
    Formula("A2", "exp(-x^2/2) sin(3x) + cos(3x)^2", wave, {"x": (-3, 3)}),
    Formula("A3", "Black-Scholes call", black_scholes,
            {"S": (80, 120), "K": (80, 120), "T": (0.1, 2), "r": (0.03, 0.03),
             "sigma": (0.25, 0.25)}, ("r", "sigma")),
    Formula("A4", "three quotients by 1 + x^2 + y^2", rational, {"x": (-2, 2), "y": (-2, 2)}),
    Formula("A5", "some 200 random operations", drawn, dict.fromkeys("abcd", (0.2, 1.5))),
    Formula("A6", "tanh, pow and atan2", mixed, {"x": (0.1, 3), "y": (-2, 2)}),
)  # fmt: skip


def inputs(formula: Formula, n: int, dtype: Any) -> list[Any]:
    """Return the arguments: arrays of n numbers, and scalars."""
    rng = np.random.default_rng(0)
    found: list[Any] = []
    for name, (low, high) in formula.arguments.items():
        if name in formula.scalars:
            found.append(np.dtype(dtype).type(low))
        else:
            found.append(rng.uniform(low, high, n).astype(dtype))
    return found


class Written:
    """An expression as text, one line an operation."""

    def __init__(self, text: str, pen: "Pen") -> None:
        self.text, self.pen = text, pen

    def _with(self, sign: str, other: Any, swapped: bool = False) -> "Written":
        left, right = (other, self) if swapped else (self, other)
        return self.pen.joined(sign, self.pen.word(left), self.pen.word(right))

    def __add__(self, other: Any) -> "Written":
        return self._with("+", other)

    def __radd__(self, other: Any) -> "Written":
        return self._with("+", other, swapped=True)

    def __sub__(self, other: Any) -> "Written":
        return self._with("-", other)

    def __mul__(self, other: Any) -> "Written":
        return self._with("*", other)

    def __rmul__(self, other: Any) -> "Written":
        return self._with("*", other, swapped=True)

    def __truediv__(self, other: Any) -> "Written":
        return self._with("/", other)

    def __neg__(self) -> "Written":
        return self.pen.negated(self.text)

    def __pow__(self, n: int) -> "Written":
        found = self
        for bit in bin(n)[3:]:
            found = found * found
            found = found * self if bit == "1" else found
        return found


class Pen:
    """A namespace of functions that write lines of C."""

    kind = "real"

    def __init__(self, single: bool) -> None:
        self.single, self.lines = single, list[str]()

    def word(self, value: Any) -> str:
        """Write an operand."""
        if isinstance(value, Written):
            return value.text
        return f"{float(value)!r}{'f' if self.single else ''}"

    def note(self, text: str) -> Written:
        """Write a line and return its name."""
        name = f"v{len(self.lines)}"
        self.lines.append(f"    const {self.kind} {name} = {text};")
        return Written(name, self)

    def joined(self, sign: str, left: str, right: str) -> Written:
        """Write an operation on two."""
        return self.note(f"{left} {sign} {right}")

    def negated(self, text: str) -> Written:
        """Write a change of sign."""
        return self.note(f"-{text}")

    def __getattr__(self, name: str) -> Callable[..., Written]:
        """Return a function of the C library."""
        suffix = "f" if self.single else ""
        return lambda *args: self.note(f"{name}{suffix}({', '.join(map(self.word, args))})")


class Vectors(Pen):
    """A namespace of functions that write calls of those of `reference.c`."""

    kind = "W"

    def word(self, value: Any) -> str:
        """Write an operand."""
        return value.text if isinstance(value, Written) else f"same({float(value)!r})"

    def joined(self, sign: str, left: str, right: str) -> Written:
        """Write an operation on two."""
        name = {"+": "add", "-": "sub", "*": "mul", "/": "quotient"}[sign]
        return self.note(f"{name}({left}, {right})")

    def negated(self, text: str) -> Written:
        """Write a change of sign."""
        return self.note(f"neg({text})")

    def __getattr__(self, name: str) -> Callable[..., Written]:
        """Return a function of vectors."""
        own = "root" if name == "sqrt" else f"v_{name}"
        return lambda *args: self.note(f"{own}({', '.join(map(self.word, args))})")


def generated() -> str:
    """Return what `reference.c` includes: the numbers of A1, and A5 op by op."""
    formula, pen = next(f for f in KERNELS if f.name == "A5"), Vectors(False)
    result = formula.function(pen, *(Written(name, pen) for name in formula.arguments))
    args = ", ".join(f"W {name}" for name in formula.arguments)
    body = "\n".join(pen.lines)
    return (
        f"static const real C[] = {{{', '.join(map(repr, COEFFICIENTS))}}};\n"
        f"INLINE W drawn({args}) {{\n{body}\n    return {result.text};\n}}\n"
    )


def written(formula: Formula, single: bool) -> str:
    """Return a kernel as C: a loop over arrays, `out` last but for the count."""
    pen = Pen(single)
    names = list(formula.arguments)
    leaves = [Written(n if n in formula.scalars else f"p_{n}[i]", pen) for n in names]
    result = formula.function(pen, *leaves)
    parts: Sequence[str] = [
        f"real {n}" if n in formula.scalars else f"const real *restrict p_{n}" for n in names
    ]
    body = "\n".join(pen.lines)
    return (
        f"#include <math.h>\ntypedef {'float' if single else 'double'} real;\n"
        f"void kernel({', '.join(parts)}, real *restrict out, long n) {{\n"
        f"  for (long i = 0; i < n; i++) {{\n{body}\n    out[i] = {result.text};\n  }}\n}}\n"
    )
