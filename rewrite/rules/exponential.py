"""Exponentials, logarithms and the error function.

Sources: DLMF 4.2, 4.6, 4.8 (laws of exp and log), 7.2, 7.4 (erf); Herbie's groups "exponents",
"logarithms", "special"; Kahan's expm1 and log1p.
"""

from fractions import Fraction

from rewrite.conditions import integer, positive
from rewrite.constants import E
from rewrite.fastmath import FastMath
from rewrite.functions import FUNCTIONS
from rewrite.leaves import RULES, pattern_vars
from rewrite.rule import ruleset
from rewrite.rules.arithmetic import REAL
from rewrite.term import const

__all__ = [
    "ERROR_FUNCTION",
    "EXPONENTIALS",
    "EXPONENTIALS_APART",
    "EXPONENTIAL_VALUES",
    "INVERSES_OF_EXP",
    "LOGARITHMS",
    "LOGARITHMS_APART",
]

a, b, n = pattern_vars("a b n")
exp, exp2, expm1, log, log2, log10, log1p, erf, erfc, sqrt, cbrt = (
    FUNCTIONS[name] for name in "exp exp2 expm1 log log2 log10 log1p erf erfc sqrt cbrt".split()
)
EXACT = FastMath.NONE
HALF = Fraction(1, 2)
ZERO, ONE, TWO, TEN, EULER = (const(value, RULES) for value in (0, 1, 2, 10, E))
ABOVE = positive(a - (-1))

# fmt: off
EXPONENTIAL_VALUES = ruleset("exponential-values", EXACT,
    ("exp-zero",                exp(ZERO),                  1),
    ("exp2-zero",               exp2(ZERO),                 1),
    ("expm1-zero",              expm1(ZERO),                0),
    ("log-one",                 log(ONE),                   0),
    ("log2-one",                log2(ONE),                  0),
    ("log2-two",                log2(TWO),                  1),
    ("log10-one",               log10(ONE),                 0),
    ("log10-ten",               log10(TEN),                 1),
    ("log1p-zero",              log1p(ZERO),                0),
    ("erf-zero",                erf(ZERO),                  0),
    ("erfc-zero",               erfc(ZERO),                 1),
)
# log(e) -> 1 keeps no bits: log of the double next to e is 1, of the float next to e 0.99999994.
EXPONENTIALS = ruleset("exponentials", REAL,
    ("exp-mul-exp",             exp(a) * exp(b),            exp(a + b)),
    ("exp-div-exp",             exp(a) / exp(b),            exp(a - b)),
    ("recip-exp",               1 / exp(a),                 exp(-a)),
    ("div-exp",                 a / exp(b),                 a * exp(-b)),
    ("exp-pow",                 exp(a)**b,                  exp(a * b)),
    ("sqrt-exp",                sqrt(exp(a)),               exp(a / 2)),
    ("cbrt-exp",                cbrt(exp(a)),               exp(a / 3)),
    ("exp-minus-one",           exp(a) - 1,                 expm1(a)),
    ("one-minus-exp",           1 - exp(a),                 -expm1(a)),
    ("expm1-plus-one",          expm1(a) + 1,               exp(a)),
    ("e-pow",                   EULER**a,                   exp(a)),
    ("two-pow",                 2**a,                       exp2(a)),
    ("exp2-mul-exp2",           exp2(a) * exp2(b),          exp2(a + b)),
    ("exp2-div-exp2",           exp2(a) / exp2(b),          exp2(a - b)),
    ("exp2-pow",                exp2(a)**b,                 exp2(a * b)),
    ("recip-exp2",              1 / exp2(a),                exp2(-a)),
    ("exp-log-two",             exp(a * log(TWO)),          exp2(a)),
    ("sigmoid-neg",             exp(-a) / (1 + exp(-a)),    1 / (1 + exp(a))),
    ("sigmoid-complement",      1 - 1 / (1 + exp(a)),       1 / (1 + exp(-a))),
)
EXPONENTIALS_APART = ruleset("exponentials-apart", REAL,
    ("exp-of-sum",              exp(a + b),                 exp(a) * exp(b)),
    ("exp-of-difference",       exp(a - b),                 exp(a) / exp(b)),
    ("exp-of-neg",              exp(-a),                    1 / exp(a)),
    ("exp-of-double",           exp(2 * a),                 exp(a) * exp(a)),
    ("exp-of-product",          exp(a * n),                 exp(a)**n,              integer(n)),
    ("expm1-as-exp",            expm1(a),                   exp(a) - 1),
    ("expm1-of-double",         expm1(2 * a),               expm1(a) * (expm1(a) + 2)),
    ("exp2-as-exp",             exp2(a),                    exp(a * log(TWO))),
)
# a**b -> exp(b * log(a)) for a > 0 is sound, and would bring logarithms to every power: no gain.
INVERSES_OF_EXP = ruleset("inverses-of-exp", REAL,
    ("log-exp",                 log(exp(a)),                a),
    ("exp-log",                 exp(log(a)),                a,                      positive(a)),
    ("log2-exp2",               log2(exp2(a)),              a),
    ("exp2-log2",               exp2(log2(a)),              a,                      positive(a)),
    ("log1p-expm1",             log1p(expm1(a)),            a),
    ("expm1-log1p",             expm1(log1p(a)),            a,                      ABOVE),
    ("expm1-log",               expm1(log(a)),              a - 1,                  positive(a)),
    ("exp-log1p",               exp(log1p(a)),              a + 1,                  ABOVE),
    ("exp-mul-log",             exp(b * log(a)),            a**b,                   positive(a)),
    ("exp-log-mul",             exp(log(a) * b),            a**b,                   positive(a)),
    ("exp-neg-log",             exp(-log(a)),               1 / a,                  positive(a)),
    ("exp-log-plus",            exp(log(a) + b),            a * exp(b),             positive(a)),
    ("exp-minus-log",           exp(b - log(a)),            exp(b) / a,             positive(a)),
    ("exp-log-div",             exp(log(a) / b),            a**(1 / b),             positive(a)),
    ("e-log",                   log(EULER),                 1),
)
# Without positive(a): exp(-log(a)) at a = -1 gives nothing and -1, and so do the others.
LOGARITHMS = ruleset("logarithms", REAL,
    ("log-add-log",             log(a) + log(b),            log(a * b),             positive(a)),
    ("log-sub-log",             log(a) - log(b),            log(a / b),             positive(b)),
    ("log-sub-log-positive",    log(a) - log(b),            log(a / b),             positive(a)),
    ("log-of-recip",            log(1 / a),                 -log(a)),
    ("log-of-sqrt",             log(sqrt(a)),               HALF * log(a)),
    ("log-of-pow",              log(a**b),                  b * log(a),             positive(a)),
    ("log-one-plus",            log(1 + a),                 log1p(a)),
    ("log-plus-one",            log(a + 1),                 log1p(a)),
    ("log-one-minus",           log(1 - a),                 log1p(-a)),
    ("log-div-log-two",         log(a) / log(TWO),          log2(a)),
    ("log-div-log-ten",         log(a) / log(TEN),          log10(a)),
    ("log2-add-log2",           log2(a) + log2(b),          log2(a * b),            positive(a)),
    ("log2-sub-log2",           log2(a) - log2(b),          log2(a / b),            positive(b)),
    ("log2-sub-log2-positive",  log2(a) - log2(b),          log2(a / b),            positive(a)),
    ("log10-add-log10",         log10(a) + log10(b),        log10(a * b),           positive(a)),
    ("log10-sub-log10",         log10(a) - log10(b),        log10(a / b),           positive(b)),
    ("log10-sub-log10-positive", log10(a) - log10(b),       log10(a / b),           positive(a)),
    ("log2-of-pow",             log2(a**b),                 b * log2(a),            positive(a)),
    ("log10-of-pow",            log10(a**b),                b * log10(a),           positive(a)),
    ("log-of-mul-exp",          log(a * exp(b)),            log(a) + b),
    ("log-of-div-exp",          log(a / exp(b)),            log(a) - b),
    ("log1p-of-minus",          log1p(a - 1),               log(a)),
    ("log-sum-exp",             log(exp(a) + exp(b)),       a + log1p(exp(b - a))),
)
# log(a * a) -> 2*log(a): a = -1 gives 0 and nothing. log(a**b) -> b*log(a) likewise.
# log(a) + log(b) -> log(a*b) without positive(a): a = b = -1 gives nothing and 0.
LOGARITHMS_APART = ruleset("logarithms-apart", REAL,
    ("log-of-mul",              log(a * b),                 log(a) + log(b),        positive(a)),
    ("log-of-div",              log(a / b),                 log(a) - log(b),        positive(a)),
    ("mul-log",                 b * log(a),                 log(a**b),              positive(a)),
    ("log1p-as-log",            log1p(a),                   log(1 + a)),
    ("log2-as-log",             log2(a),                    log(a) / log(TWO)),
    ("log10-as-log",            log10(a),                   log(a) / log(TEN)),
    ("log-of-square",           log(a * a),                 2 * log(abs(a))),
)
# log(a*b) -> log(a) + log(b) without positive(a), from which b > 0 follows: a = b = -1 gives 0
# and nothing.
ERROR_FUNCTION = ruleset("error-function", REAL,
    ("erf-neg",                 erf(-a),                    -erf(a)),
    ("one-minus-erf",           1 - erf(a),                 erfc(a)),
    ("one-minus-erfc",          1 - erfc(a),                erf(a)),
    ("one-plus-erf",            1 + erf(a),                 erfc(-a)),
    ("erf-plus-erfc",           erf(a) + erfc(a),           1),
    ("two-minus-erfc",          2 - erfc(a),                erfc(-a)),
)
# fmt: on
