"""Differences without cancellation: the forms in which floating point keeps its digits.

Sources: R. Hamming, "Numerical methods for scientists and engineers", chapter 3; Herbie's groups
"difference-of-squares", "flip", "sum-to-product"; DLMF 4.21(iii), 4.35(iii). What is subtracted on
the right sides are operands, and not results, whose rounding errors a subtraction lays bare. They
cost more than what they replace, so neither union has them: plans for accuracy ask for them.
"""

from rewrite.conditions import positive
from rewrite.fastmath import FastMath
from rewrite.functions import FUNCTIONS
from rewrite.rule import ruleset
from rewrite.rules.arithmetic import REAL
from rewrite.term import RULES, const, pattern_vars

__all__ = ["CONJUGATES", "DIFFERENCES"]

a, b, c = pattern_vars("a b c")
exp, expm1, log, log1p, sqrt = (FUNCTIONS[name] for name in "exp expm1 log log1p sqrt".split())
sin, cos, tan, sinh, cosh = (FUNCTIONS[name] for name in "sin cos tan sinh cosh".split())
ONE = const(1, RULES)

# fmt: off
DIFFERENCES = ruleset("differences", REAL,
    ("difference-of-powers",    a**2 - b**2,                (a - b) * (a + b)),
    ("power-less-one",          a**2 - ONE,                 (a - 1) * (a + 1)),
    ("one-less-power",          ONE - a**2,                 (1 - a) * (1 + a)),
    ("difference-of-sines",     sin(a) - sin(b), 2 * (cos((a + b) / 2) * sin((a - b) / 2))),
    ("difference-of-cosines",   cos(a) - cos(b), -2 * (sin((a + b) / 2) * sin((a - b) / 2))),
    ("cos-less-one",            cos(a) - ONE,               -2 * sin(a / 2)**2),
    ("one-less-cos",            ONE - cos(a),               2 * sin(a / 2)**2),
    ("cosh-less-one",           cosh(a) - ONE,              2 * sinh(a / 2)**2),
    ("tan-less-sin",            tan(a) - sin(a),            2 * (tan(a) * sin(a / 2)**2)),
    ("difference-of-exps",      exp(a) - exp(b),            exp(b) * expm1(a - b)),
    ("exps-less-two",           exp(a) - 2 + exp(-a),       4 * sinh(a / 2)**2),
    ("difference-of-logs",      log(a) - log(b),            log1p((a - b) / b),     positive(b)),
    ("difference-of-logs-left", log(a) - log(b),            -log1p((b - a) / a),    positive(a)),
)
# log(a) - log(b) -> log1p((a - b) / b) without positive(b): a = b = -1 gives nothing and 0.
CONJUGATES = ruleset("conjugates", REAL | FastMath.ARCP,
    ("difference-of-roots",     sqrt(a) - sqrt(b), (a - b) / (sqrt(a) + sqrt(b)),   positive(a)),
    ("difference-of-roots-right", sqrt(a) - sqrt(b), (a - b) / (sqrt(a) + sqrt(b)), positive(b)),
    ("root-less-term",          sqrt(a) - b,       (a - b * b) / (sqrt(a) + b),     positive(b)),
    ("term-less-root",          b - sqrt(a),       (b * b - a) / (b + sqrt(a)),     positive(b)),
    ("difference-of-quotients", c / a - c / b,     c * (b - a) / (a * b)),
)
# sqrt(a) - sqrt(b) -> (a - b) / (sqrt(a) + sqrt(b)) without conditions: a = b = 0 gives 0 and
# nothing, and so do the others.
# fmt: on
