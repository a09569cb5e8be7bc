"""Hyperbolic functions and their inverses.

Sources: DLMF 4.28 to 4.38; Herbie's groups "hyperbolic", "ahtrig", "sech".
"""

from fractions import Fraction

from rewrite.conditions import at_least, nonzero, positive
from rewrite.fastmath import FastMath
from rewrite.functions import FUNCTIONS
from rewrite.leaves import RULES, pattern_vars
from rewrite.rule import ruleset
from rewrite.rules.arithmetic import REAL
from rewrite.term import const

__all__ = [
    "HYPERBOLICS",
    "HYPERBOLICS_APART",
    "HYPERBOLIC_PARITY",
    "HYPERBOLIC_VALUES",
    "INVERSES_OF_HYPERBOLICS",
]

a, b = pattern_vars("a b")
exp, expm1, log, log1p, sinh, cosh, tanh, asinh, acosh, atanh, sqrt = (
    FUNCTIONS[name] for name in "exp expm1 log log1p sinh cosh tanh asinh acosh atanh sqrt".split()
)
EXACT = FastMath.NONE
HALF = Fraction(1, 2)
sinh2, cosh2, tanh2 = (f(a) * f(a) for f in (sinh, cosh, tanh))
ZERO, ONE = const(0, RULES), const(1, RULES)

# fmt: off
HYPERBOLIC_VALUES = ruleset("hyperbolic-values", EXACT,
    ("sinh-zero",               sinh(ZERO),                 0),
    ("cosh-zero",               cosh(ZERO),                 1),
    ("tanh-zero",               tanh(ZERO),                 0),
    ("asinh-zero",              asinh(ZERO),                0),
    ("acosh-one",               acosh(ONE),                 0),
    ("atanh-zero",              atanh(ZERO),                0),
)
HYPERBOLIC_PARITY = ruleset("hyperbolic-parity", FastMath.REASSOC,
    ("sinh-neg",                sinh(-a),                   -sinh(a)),
    ("cosh-neg",                cosh(-a),                   cosh(a)),
    ("tanh-neg",                tanh(-a),                   -tanh(a)),
    ("asinh-neg",               asinh(-a),                  -asinh(a)),
    ("atanh-neg",               atanh(-a),                  -atanh(a)),
    ("cosh-abs",                cosh(abs(a)),               cosh(a)),
)
HYPERBOLICS = ruleset("hyperbolics", REAL,
    ("exp-plus-exp-neg",        exp(a) + exp(-a),           2 * cosh(a)),
    ("exp-minus-exp-neg",       exp(a) - exp(-a),           2 * sinh(a)),
    ("exp-plus-recip",          exp(a) + 1 / exp(a),        2 * cosh(a)),
    ("exp-minus-recip",         exp(a) - 1 / exp(a),        2 * sinh(a)),
    ("tanh-from-exps",          (exp(a) - exp(-a)) / (exp(a) + exp(-a)), tanh(a)),
    ("tanh-from-exp",           (exp(a) - 1) / (exp(a) + 1), tanh(a / 2)),
    ("tanh-from-expm1",         expm1(a) / (exp(a) + 1),    tanh(a / 2)),
    ("tanh-from-sigmoid",       2 / (1 + exp(-a)) - 1,      tanh(a / 2)),
    ("sech-from-exps",          2 / (exp(a) + exp(-a)),     1 / cosh(a)),
    ("cosh-plus-sinh",          cosh(a) + sinh(a),          exp(a)),
    ("cosh-minus-sinh",         cosh(a) - sinh(a),          exp(-a)),
    ("cosh2-minus-sinh2",       cosh2 - sinh2,              1),
    ("one-plus-sinh2",          1 + sinh2,                  cosh2),
    ("cosh2-minus-one",         cosh2 - 1,                  sinh2),
    ("sinh-div-cosh",           sinh(a) / cosh(a),          tanh(a)),
    ("tanh-mul-cosh",           tanh(a) * cosh(a),          sinh(a)),
    ("sinh-div-tanh",           sinh(a) / tanh(a),          cosh(a),                nonzero(a)),
    ("sinh-mul-cosh",           sinh(a) * cosh(a),          sinh(2 * a) / 2),
    ("cosh2-plus-sinh2",        cosh2 + sinh2,              cosh(2 * a)),
    ("one-plus-two-sinh2",      1 + 2 * sinh2,              cosh(2 * a)),
    ("two-cosh2-minus-one",     2 * cosh2 - 1,              cosh(2 * a)),
    ("sinh-cosh-plus",          sinh(a) * cosh(b) + cosh(a) * sinh(b), sinh(a + b)),
    ("sinh-cosh-minus",         sinh(a) * cosh(b) - cosh(a) * sinh(b), sinh(a - b)),
    ("cosh-cosh-plus",          cosh(a) * cosh(b) + sinh(a) * sinh(b), cosh(a + b)),
    ("cosh-cosh-minus",         cosh(a) * cosh(b) - sinh(a) * sinh(b), cosh(a - b)),
    ("recip-cosh2",             1 / cosh2,                  1 - tanh2),
)
HYPERBOLICS_APART = ruleset("hyperbolics-apart", REAL,
    ("sinh-as-exp",             sinh(a),                    (exp(a) - exp(-a)) / 2),
    ("cosh-as-exp",             cosh(a),                    (exp(a) + exp(-a)) / 2),
    ("tanh-as-expm1",           tanh(a),                    expm1(2 * a) / (expm1(2 * a) + 2)),
    ("tanh-as-exp",             tanh(a),                    1 - 2 / (exp(2 * a) + 1)),
    ("tanh-as-sinh-div-cosh",   tanh(a),                    sinh(a) / cosh(a)),
    ("sigmoid-as-tanh",         1 / (1 + exp(-a)),          HALF + HALF * tanh(a / 2)),
    ("sinh-double",             sinh(2 * a),                2 * (sinh(a) * cosh(a))),
    ("cosh-double",             cosh(2 * a),                1 + 2 * sinh2),
    ("cosh-minus-one",          cosh(a) - 1,                2 * sinh(a / 2) * sinh(a / 2)),
    ("asinh-as-log",            asinh(a),                   log(a + sqrt(a * a + 1))),
    ("acosh-as-log",            acosh(a),                   log(a + sqrt(a * a - 1))),
    ("atanh-as-log",            atanh(a),                   HALF * log((1 + a) / (1 - a))),
    ("one-minus-tanh2",         1 - tanh2,                  1 / cosh2),
)
INVERSES_OF_HYPERBOLICS = ruleset("inverses-of-hyperbolics", REAL,
    ("sinh-asinh",              sinh(asinh(a)),             a),
    ("asinh-sinh",              asinh(sinh(a)),             a),
    ("cosh-acosh",              cosh(acosh(a)),             a,                      at_least(a, 1)),
    ("acosh-cosh",              acosh(cosh(a)),             abs(a)),
    ("tanh-atanh",              tanh(atanh(a)), a, (positive(a - (-1)), positive(1 - a))),
    ("atanh-tanh",              atanh(tanh(a)),             a),
    ("cosh-asinh",              cosh(asinh(a)),             sqrt(a * a + 1)),
    ("sinh-acosh",              sinh(acosh(a)),             sqrt(a * a - 1),        at_least(a, 1)),
    ("cosh-atanh",              cosh(atanh(a)),             1 / sqrt(1 - a * a)),
    ("sinh-atanh",              sinh(atanh(a)),             a / sqrt(1 - a * a)),
    ("tanh-asinh",              tanh(asinh(a)),             a / sqrt(1 + a * a)),
    ("tanh-acosh",              tanh(acosh(a)),             sqrt(a * a - 1) / a,    at_least(a, 1)),
    ("asinh-from-log",          log(a + sqrt(a * a + 1)),   asinh(a)),
    ("acosh-from-log",          log(a + sqrt(a * a - 1)),   acosh(a)),
    ("atanh-from-log",          log((1 + a) / (1 - a)),     2 * atanh(a)),
    ("atanh-from-log1p",        log1p(a) - log1p(-a),       2 * atanh(a)),
    ("exp-asinh",               exp(asinh(a)),              a + sqrt(a * a + 1)),
    ("exp-acosh",               exp(acosh(a)),              a + sqrt(a * a - 1),    at_least(a, 1)),
)
# acosh(cosh(a)) -> a: a = -1 gives 1.
# exp(acosh(a)) -> a + sqrt(a*a - 1) without a >= 1: a = -2 gives nothing and -0.27.
# fmt: on
