"""Quaternions from one file: a sort, ops on it, its laws, and checks of the laws."""

from functools import partial

import numpy as np

import rewrite as rw
from rewrite.fastmath import FastMath
from rewrite.rule import ruleset
from strategies import innermost


def product(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Multiply two quaternions (w, x, y, z) as Hamilton did."""
    return np.array(
        [p[0] * q[0] - p[1:] @ q[1:], *(p[0] * q[1:] + q[0] * p[1:] + np.cross(p[1:], q[1:]))]
    )


def conjugate(q: np.ndarray) -> np.ndarray:
    """Turn the vector part around."""
    return q * [1, -1, -1, -1]


Q = rw.sort("quaternion", sample=lambda random: random.integers(-5, 6, 4), equal=np.array_equal)
rw.overload("add", (Q, Q), Q, commutative=True, associative=True, function=np.add)
rw.overload("mul", (Q, Q), Q, associative=True, function=product)
rw.overload("mul", (rw.REAL, Q), Q, commutative=True, associative=True, function=np.multiply)
CONJ = rw.op("conj", (Q,), Q, function=conjugate)
NORM2 = rw.op("norm2", (Q,), rw.REAL, function=lambda q: float(q @ q))

p, q, r = rw.pattern_vars("p q r", sort=Q)
conj, norm2 = partial(rw.apply, CONJ), partial(rw.apply, NORM2)
# fmt: off
LAWS = ruleset("quaternions", FastMath.REASSOC,
    ("conj-conj",       conj(conj(p)),          p),
    ("conj-mul",        conj(p * q),            conj(q) * conj(p)),
    ("norm-mul",        norm2(p * q),           norm2(p) * norm2(q)),
    ("factor-left",     p * q + p * r,          p * (q + r)),
    ("factor-right",    q * p + r * p,          (q + r) * p),
)
COMMUTES = ruleset("false", FastMath.REASSOC, ("commutes", p * q, q * p))
# fmt: on
rw.testing.check_laws(LAWS)
try:
    rw.testing.check_laws(COMMUTES)
except AssertionError as found:
    print("refuted,", found)

i, j, k = rw.symbols("i j k", sort=Q)
x = rw.symbol("x")
term = conj(i * j) + conj(i * k)
print(f"{term!r} becomes {innermost(LAWS)(term)!r}")
print(f"{i * j + k * i!r} stays {innermost(LAWS)(i * j + k * i)!r}: i*k is not k*i")
UNITS = {"i": np.eye(4)[1], "j": np.eye(4)[2]}
print("i*j =", rw.evaluate(i * j, UNITS), "and j*i =", rw.evaluate(j * i, UNITS))
try:
    rw.compile([x], x * norm2(i))
except rw.RewriteError as refused:
    print("refused:", refused)
