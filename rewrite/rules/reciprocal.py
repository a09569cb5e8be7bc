"""Quotients: one division instead of several, common denominators, reciprocals.

Sources: field axioms; Herbie's groups "fractions-distribute", "fractions-transform"; LLVM's `arcp`.
A division costs as much as ten multiplications, so these laws pay. A denominator that the right
side does not divide by is a condition: the left side has no value where it is zero.
"""

from rewrite.conditions import nonzero
from rewrite.fastmath import FastMath
from rewrite.leaves import pattern_vars
from rewrite.rule import ruleset
from rewrite.rules.arithmetic import REAL

__all__ = ["FRACTIONS", "FRACTIONS_APART", "FRACTIONS_JOINED", "RECIPROCALS", "RECIPROCALS_APART"]

a, b, c, d = pattern_vars("a b c d")
ARCP = FastMath.ARCP
DIVISION = REAL | FastMath.ARCP

# fmt: off
RECIPROCALS = ruleset("reciprocals", ARCP,
    ("mul-recip",               a * (1 / b),                a / b),
    ("recip-mul",               (1 / b) * a,                a / b),
    ("recip-of-recip",          1 / (1 / a),                a,                      nonzero(a)),
    ("div-recip",               a / (1 / b),                a * b,                  nonzero(b)),
    ("recip-of-div",            1 / (a / b),                b / a,                  nonzero(b)),
)
RECIPROCALS_APART = ruleset("reciprocals-apart", ARCP,
    ("div-as-recip",            a / b, a * (1 / b)),  # for constant b: exact 1 / b
)
FRACTIONS = ruleset("fractions", DIVISION,
    ("div-div",                 (a / b) / c,                a / (b * c)),
    ("div-of-div",              a / (b / c),                (a * c) / b,            nonzero(c)),
    ("div-mul",                 (a / b) * c,                (a * c) / b),
    ("mul-div",                 a * (b / c),                (a * b) / c),
    ("div-mul-div",             (a / b) * (c / d),          (a * c) / (b * d)),
    ("div-div-div",             (a / b) / (c / d),          (a * d) / (b * c),      nonzero(d)),
    ("add-div",                 a / b + c / b,              (a + c) / b),
    ("sub-div",                 a / b - c / b,              (a - c) / b),
    ("add-recips",              1 / a + 1 / b,              (a + b) / (a * b)),
    ("sub-recips",              1 / a - 1 / b,              (b - a) / (a * b)),
    ("one-plus-div",            1 + a / b,                  (b + a) / b),
    ("one-minus-div",           1 - a / b,                  (b - a) / b),
    ("div-sub-one",             a / b - 1,                  (a - b) / b),
    ("parallel", 1 / (1 / a + 1 / b), (a * b) / (a + b), (nonzero(a), nonzero(b))),
    ("parallel-scaled", 1 / (1 / a + c / b), (a * b) / (b + c * a), (nonzero(a), nonzero(b))),
    ("series-scaled", 1 / (1 / a - c / b), (a * b) / (b - c * a), (nonzero(a), nonzero(b))),
    ("div-by-one-plus-div",     a / (1 + b / c),            (a * c) / (c + b),      nonzero(c)),
    ("div-by-one-minus-div",    a / (1 - b / c),            (a * c) / (c - b),      nonzero(c)),
    ("div-by-sum-of-div",       a / (b + c / d),            (a * d) / (b * d + c),  nonzero(d)),
    ("div-by-difference-of-div", a / (b - c / d),           (a * d) / (b * d - c),  nonzero(d)),
)
# 1 / (1/a + 1/b) <- a*b / (a + b): a = 0 gives 0 and nothing.
# One division for two, or a sum under one bar: more terms, so these run under back-off.
FRACTIONS_JOINED = ruleset("fractions-joined", DIVISION,
    ("add-fractions",           a / b + c / d,              (a * d + c * b) / (b * d)),
    ("sub-fractions",           a / b - c / d,              (a * d - c * b) / (b * d)),
    ("div-add",                 a / b + c,                  (a + c * b) / b),
    ("add-to-div",              c + a / b,                  (a + c * b) / b),
    ("div-sub",                 a / b - c,                  (a - c * b) / b),
    ("sub-from-div",            c - a / b,                  (c * b - a) / b),
)
FRACTIONS_APART = ruleset("fractions-apart", DIVISION,
    ("div-of-sum",              (a + b) / c,                a / c + b / c),
    ("div-of-difference",       (a - b) / c,                a / c - b / c),
    ("div-of-mul",              (a * b) / c,                a * (b / c)),
    ("div-of-mul-left",         (a * b) / c,                (a / c) * b),
    ("div-by-mul",              a / (b * c),                (a / b) / c),
    ("div-sum-self",            (a + b) / a,                1 + b / a),
    ("div-sum-self-right",      (a + b) / b,                a / b + 1),
    ("div-of-mul-div",          (a * c) / (b * d),          (a / b) * (c / d)),
)
# fmt: on
