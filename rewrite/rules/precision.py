"""Differences without cancellation: the forms in which floating point keeps its digits.

Sources: R. Hamming, "Numerical methods for scientists and engineers", chapter 3; Herbie's groups
"difference-of-squares", "flip", "sum-to-product"; DLMF 4.21(iii), 4.35(iii). What is subtracted on
the right sides are operands, and not results, whose rounding errors a subtraction lays bare. They
cost more than what they replace, so neither union has them: plans for accuracy ask for them.

The difference of arctangents is the angle of (1 + ia)(1 - ib), which lies between -pi and pi as the
difference does, so `atan2` needs no guard. "compensated" is Kahan's difference of products: the
second `fma` is what the first product lost (Jeannerod, Louvet, Muller, "Further analysis of Kahan's
algorithm for the accurate computation of 2x2 determinants", 2013). The same error of a product
corrects a function of it to first order; these laws hold their left sides, and are applied once.
"""

from rewrite.conditions import nonzero, positive
from rewrite.fastmath import FastMath
from rewrite.functions import FUNCTIONS
from rewrite.leaves import RULES, pattern_vars
from rewrite.rule import ruleset
from rewrite.rules.arithmetic import REAL
from rewrite.term import const

__all__ = ["ARCTANGENTS", "COMPENSATED", "CONJUGATES", "DIFFERENCES", "NEAR_ONE"]

a, b, c, d = pattern_vars("a b c d")
exp, expm1, log, log1p, sqrt = (FUNCTIONS[name] for name in "exp expm1 log log1p sqrt".split())
sin, cos, tan, sinh, cosh, tanh = (FUNCTIONS[name] for name in "sin cos tan sinh cosh tanh".split())
asin, acos, atan, atan2, asinh, acosh = (
    FUNCTIONS[name] for name in "asin acos atan atan2 asinh acosh".split()
)
cbrt, hypot, fma = (FUNCTIONS[name] for name in "cbrt hypot fma".split())
ONE = const(1, RULES)
ABOVE = positive(a - (-1))
B_ABOVE = positive(b - (-1))

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
    ("law-of-cosines",          a**2 + b**2 - 2 * a * b * cos(c),
        (a - b)**2 + 4 * (a * b * sin(c / 2)**2)),
    ("tan-less-sin",            tan(a) - sin(a),            2 * (tan(a) * sin(a / 2)**2)),
    ("difference-of-exps",      exp(a) - exp(b),            exp(b) * expm1(a - b)),
    ("exps-less-two",           exp(a) - 2 + exp(-a),       4 * sinh(a / 2)**2),
    ("difference-of-cubes",     a**3 - b**3,                (a - b) * (a * a + a * b + b * b)),
    ("difference-of-fourths",   a**4 - b**4, (a - b) * ((a + b) * (a * a + b * b))),
    ("difference-of-tangents",  tan(a) - tan(b),            sin(a - b) / (cos(a) * cos(b))),
    ("difference-of-sinhs",     sinh(a) - sinh(b), 2 * (cosh((a + b) / 2) * sinh((a - b) / 2))),
    ("difference-of-coshs",     cosh(a) - cosh(b), 2 * (sinh((a + b) / 2) * sinh((a - b) / 2))),
    ("difference-of-tanhs",     tanh(a) - tanh(b),          sinh(a - b) / (cosh(a) * cosh(b))),
    ("difference-of-expm1s",    expm1(a) - expm1(b),        exp(b) * expm1(a - b)),
    ("difference-of-log1ps",    log1p(a) - log1p(b),        log1p((a - b) / (1 + b)), B_ABOVE),
    ("one-less-tanh",           ONE - tanh(a),              2 / (1 + exp(2 * a))),
    ("difference-of-logs",      log(a) - log(b),            log1p((a - b) / b),     positive(b)),
    ("difference-of-logs-left", log(a) - log(b),            -log1p((b - a) / a),    positive(a)),
)
# log(a) - log(b) -> log1p((a - b) / b) without positive(b): a = b = -1 gives nothing and 0.
ARCTANGENTS = ruleset("arctangents", REAL | FastMath.NINF,
    ("difference-of-arctangents", atan(a) - atan(b),        atan2(a - b, 1 + a * b)),
)
CONJUGATES = ruleset("conjugates", REAL | FastMath.ARCP,
    ("difference-of-roots",     sqrt(a) - sqrt(b), (a - b) / (sqrt(a) + sqrt(b)),   positive(a)),
    ("difference-of-roots-right", sqrt(a) - sqrt(b), (a - b) / (sqrt(a) + sqrt(b)), positive(b)),
    ("root-less-term",          sqrt(a) - b,       (a - b * b) / (sqrt(a) + b),     positive(b)),
    ("term-less-root",          b - sqrt(a),       (b * b - a) / (b + sqrt(a)),     positive(b)),
    ("root-plus-term",          sqrt(a) + b,       (a - b * b) / (sqrt(a) - b),     positive(-b)),
    ("hypot-less-leg",          hypot(a, b) - a,   b * b / (hypot(a, b) + a),       positive(a)),
    ("hypot-less-other-leg",    hypot(a, b) - b,   a * a / (hypot(a, b) + b),       positive(b)),
    ("difference-of-cube-roots", cbrt(a) - cbrt(b),
        (a - b) / (cbrt(a) * cbrt(a) + cbrt(a) * cbrt(b) + cbrt(b) * cbrt(b)), nonzero(a)),
    ("difference-of-cube-roots-right", cbrt(a) - cbrt(b),
        (a - b) / (cbrt(a) * cbrt(a) + cbrt(a) * cbrt(b) + cbrt(b) * cbrt(b)), nonzero(b)),
    ("difference-of-quotients", c / a - c / b,     c * (b - a) / (a * b)),
)
# sqrt(a) - sqrt(b) -> (a - b) / (sqrt(a) + sqrt(b)) without conditions: a = b = 0 gives 0 and
# nothing, and so do the others.
# cbrt(a) - cbrt(b) without nonzero(a) or nonzero(b): a = b = 0 gives 0 and nothing.
NEAR_ONE = ruleset("near-one", REAL,
    ("log-of-quotient",         log(a / b),                 log1p((a - b) / b)),
    ("power-of-one-plus",       (1 + a)**b,                 exp(b * log1p(a)),      ABOVE),
    ("power-of-one-plus-less-one", (1 + a)**b - 1,          expm1(b * log1p(a)),    ABOVE),
    ("power-less-one-as-expm1", a**b - 1,                   expm1(b * log(a)),      positive(a)),
    ("acos-one-less",           acos(1 - a),                2 * asin(sqrt(a / 2))),
    ("acos-tanh",               acos(tanh(a)),              2 * atan(exp(-a))),
    ("asin-tanh",               asin(tanh(a)),              atan(sinh(a))),
    ("acosh-one-plus",          acosh(1 + a),               2 * asinh(sqrt(a / 2))),
)
# (1 + a)**b -> exp(b*log1p(a)) without its condition: a = -3, b = 2 gives 4 and nothing.
COMPENSATED = ruleset("compensated", REAL | FastMath.CONTRACT,
    ("difference-of-products",  a * b - c * d, fma(a, b, -(c * d)) + fma(-c, d, c * d)),
    ("sine-of-product",         sin(a * b),
        sin(a * b) + cos(a * b) * fma(a, b, -(a * b))),
    ("sine-of-half-product",    sin(a * b / 2),
        sin(a * b / 2) + cos(a * b / 2) * (fma(a, b, -(a * b)) / 2)),
    ("cosine-of-product",       cos(a * b),
        cos(a * b) - sin(a * b) * fma(a, b, -(a * b))),
    ("exp-of-rounded-product",  exp(a * b),
        exp(a * b) + exp(a * b) * fma(a, b, -(a * b))),
    ("sum-of-products",         a * b + c * d, fma(a, b, c * d) + fma(c, d, -(c * d))),
)
# fmt: on
