"""Own laws and an own order: degrees are turned into radians, by a rule and by a strategy."""

import numpy as np

import rewrite as rw
from rewrite.fastmath import FastMath
from rewrite.leaves import pattern_vars
from rewrite.rule import ruleset
from strategies import Firing, bottomup, innermost, traced, try_

a, b = pattern_vars("a b")
# fmt: off
ANGLES = ruleset("angles", FastMath.REASSOC | FastMath.NNAN | FastMath.NINF | FastMath.NSZ,
    ("sine-sum",    rw.sin(a) * rw.cos(b) + rw.cos(a) * rw.sin(b),  rw.sin(a + b)),
    ("double",      a + a,                                          2 * a),
)
# fmt: on

x = rw.symbol("x", low=-3, high=3)
term = rw.sin(x) * rw.cos(x) + rw.cos(x) * rw.sin(x)

firings: list[Firing] = []
plan = traced(bottomup(try_(innermost(ANGLES))), firings)
print(f"{plan}\n  turns {term!r} into {plan(term)!r}")
for firing in firings:
    print("   ", firing)

kernel = rw.compile([x], term, strategy=bottomup(try_(innermost(ANGLES))))
points = np.linspace(-3, 3, 7)
print("largest difference:", np.abs(kernel(points) - np.sin(2 * points)).max())
