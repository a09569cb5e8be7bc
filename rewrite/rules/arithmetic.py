"""Sums, products, negation and quotients: the laws of a field, and what of them floats keep.

Sources: field axioms; Herbie's groups "commutativity", "associativity", "distributivity",
"difference-of-squares-canonicalize", "id-reduce"; IEEE 754-2019, 6.3, for signs of zeros.
Division by other routes (common denominators, reciprocals) is in `rewrite.rules.reciprocal`.
"""

from fractions import Fraction

from rewrite.conditions import nonzero
from rewrite.fastmath import FastMath
from rewrite.leaves import pattern_vars
from rewrite.rule import ruleset

__all__ = [
    "ASSOCIATIVITY",
    "CANCELLATION",
    "COMMUTATIVITY",
    "DISTRIBUTIVITY",
    "DOUBLING",
    "FACTORING",
    "IDENTITIES",
    "NEGATION",
    "NEGATION_INWARD",
    "REAL",
    "REORDER",
    "SUBTRACTION",
    "ZEROS",
]

a, b, c, d = pattern_vars("a b c d")
EXACT = FastMath.NONE
REORDER = FastMath.REASSOC | FastMath.NSZ
REAL = REORDER | FastMath.NNAN
UNSIGNED = FastMath.NSZ
HALF = Fraction(1, 2)

# fmt: off
COMMUTATIVITY = ruleset("commutativity", EXACT,
    ("add-comm",                a + b,                      b + a),
    ("mul-comm",                a * b,                      b * a),
)
ASSOCIATIVITY = ruleset("associativity", REORDER,
    ("add-assoc-right",         (a + b) + c,                a + (b + c)),
    ("add-assoc-left",          a + (b + c),                (a + b) + c),
    ("mul-assoc-right",         (a * b) * c,                a * (b * c)),
    ("mul-assoc-left",          a * (b * c),                (a * b) * c),
    ("add-sub-left",            a + (b - c),                (a + b) - c),
    ("add-sub-right",           (a + b) - c,                a + (b - c)),
    ("sub-add-split",           a - (b + c),                (a - b) - c),
    ("sub-sub-join",            (a - b) - c,                a - (b + c)),
    ("sub-sub-split",           a - (b - c),                (a - b) + c),
    ("sub-add-join",            (a - b) + c,                a - (b - c)),
)
# The value is that of an operand, bit for bit.
IDENTITIES = ruleset("identities", EXACT,
    ("mul-one",                 a * 1,                      a),
    ("one-mul",                 1 * a,                      a),
    ("div-one",                 a / 1,                      a),
    ("sub-zero",                a - 0,                      a),
    ("neg-neg",                 -(-a),                      a),  # noqa: B002
    ("mul-minus-one",           a * -1,                     -a),
    ("minus-one-mul",           -1 * a,                     -a),
    ("div-minus-one",           a / -1,                     -a),
)
# Signs move without rounding; not through a sum, whose zero is +0 either way.
NEGATION = ruleset("negation", EXACT,
    ("add-neg",                 a + -b,                     a - b),
    ("neg-add",                 -a + b,                     b - a),
    ("sub-neg",                 a - -b,                     a + b),
    ("neg-mul-neg",             -a * -b,                    a * b),
    ("neg-div-neg",             -a / -b,                    a / b),
    ("neg-mul",                 -a * b,                     -(a * b)),
    ("mul-neg",                 a * -b,                     -(a * b)),
    ("neg-div",                 -a / b,                     -(a / b)),
    ("div-neg",                 a / -b,                     -(a / b)),
)
NEGATION_INWARD = ruleset("negation-inward", EXACT,
    ("neg-into-mul",            -(a * b),                   -a * b),
)
ZEROS = ruleset("zeros", UNSIGNED,
    ("add-zero",                a + 0,                      a),  # -0.0 + 0 is 0.0
    ("zero-add",                0 + a,                      a),
    ("zero-sub",                0 - a,                      -a),  # 0 - 0 is 0.0
    ("neg-sub",                 -(a - b),                   b - a),  # -(a - a) is -0.0
    ("neg-sum",                 -a - b,                     -(a + b)),
    ("neg-add-neg",             -a + -b,                    -(a + b)),
)
DOUBLING = ruleset("doubling", EXACT,
    ("add-self",                a + a,                      2 * a),
    ("double",                  2 * a,                      a + a),
    ("half",                    a / 2,                      a * HALF),
    ("quarter",                 a / 4,                      a * Fraction(1, 4)),
)
SUBTRACTION = ruleset("subtraction", UNSIGNED,
    ("sub-flip",                a - b,                      -(b - a)),
)
CANCELLATION = ruleset("cancellation", REAL,
    ("sub-self",                a - a,                      0),
    ("add-neg-self",            a + -a,                     0),
    ("mul-zero",                a * 0,                      0),
    ("zero-mul",                0 * a,                      0),
    ("zero-div",                0 / a,                      0,                      nonzero(a)),
    ("div-self",                a / a,                      1,                      nonzero(a)),
    ("div-neg-self",            a / -a,                     -1,                     nonzero(a)),
    ("add-sub-cancel",          (a + b) - b,                a),
    ("add-sub-cancel-left",     (a + b) - a,                b),
    ("sub-add-cancel",          (a - b) + b,                a),
    ("add-of-sub-cancel",       b + (a - b),                a),
    ("sub-sub-cancel",          a - (a - b),                b),
    ("sub-of-add-cancel",       a - (a + b),                -b),
    ("sub-of-add-cancel-right", a - (b + a),                -b),
    ("sub-sub-same",            (a - b) - a,                -b),
    ("sub-common",              (a + b) - (a + c),          b - c),
    ("sub-common-right",        (a + b) - (c + b),          a - c),
    ("sub-common-minuend",      (a - b) - (a - c),          c - b),
    ("sub-common-subtrahend",   (a - b) - (c - b),          a - c),
    ("add-telescope",           (a - b) + (b - c),          a - c),
    ("add-sub-same",            (a + b) + (a - b),          2 * a),
    ("sub-add-same",            (a + b) - (a - b),          2 * b),
    ("mul-div-cancel",          (a * b) / b,                a,                      nonzero(b)),
    ("mul-div-cancel-left",     (a * b) / a,                b,                      nonzero(a)),
    ("div-mul-cancel",          (a / b) * b,                a,                      nonzero(b)),
    ("mul-of-div-cancel",       b * (a / b),                a,                      nonzero(b)),
    ("div-common",              (a * b) / (c * b),          a / c,                  nonzero(b)),
    ("div-common-left",         (b * a) / (b * c),          a / c,                  nonzero(b)),
    ("div-common-cross",        (a * b) / (b * c),          a / c,                  nonzero(b)),
    ("div-common-cross-left",   (b * a) / (c * b),          a / c,                  nonzero(b)),
    ("div-common-divisor",      (a / b) / (c / b),          a / c,                  nonzero(b)),
    ("div-common-dividend",     (a / b) / (a / c),          c / b,      (nonzero(a), nonzero(c))),
    ("div-by-product",          a / (a * b),                1 / b,                  nonzero(a)),
    ("div-by-product-right",    a / (b * a),                1 / b,                  nonzero(a)),
    ("div-by-quotient",         a / (a / b),                b,          (nonzero(a), nonzero(b))),
    ("div-mul-telescope",       (a / b) * (b / c),          a / c,                  nonzero(b)),
)
# a - a -> 0 and a * 0 -> 0 keep bits for no a that may be infinite or negative: inf - inf, -1 * 0.
FACTORING = ruleset("factoring", REAL,
    ("factor-left",             a * b + a * c,              a * (b + c)),
    ("factor-right",            b * a + c * a,              (b + c) * a),
    ("factor-outer",            a * b + c * a,              a * (b + c)),
    ("factor-inner",            b * a + a * c,              a * (b + c)),
    ("factor-sub-left",         a * b - a * c,              a * (b - c)),
    ("factor-sub-right",        b * a - c * a,              (b - c) * a),
    ("factor-sub-outer",        a * b - c * a,              a * (b - c)),
    ("factor-sub-inner",        b * a - a * c,              a * (b - c)),
    ("factor-one-left",         a + a * b,                  a * (1 + b)),
    ("factor-one-right",        a * b + a,                  a * (b + 1)),
    ("factor-minus-one",        a * b - a,                  a * (b - 1)),
    ("factor-one-minus",        a - a * b,                  a * (1 - b)),
    ("square-minus-square",     a * a - b * b,              (a - b) * (a + b)),
    ("square-of-sum",           a * a + 2 * (a * b) + b * b, (a + b) * (a + b)),
    ("square-of-difference",    a * a - 2 * (a * b) + b * b, (a - b) * (a - b)),
)
DISTRIBUTIVITY = ruleset("distributivity", REAL,
    ("mul-distribute",          a * (b + c),                a * b + a * c),
    ("mul-distribute-right",    (b + c) * a,                b * a + c * a),
    ("mul-distribute-sub",      a * (b - c),                a * b - a * c),
    ("mul-distribute-sub-right", (b - c) * a,                b * a - c * a),
    ("product-to-squares",      (a - b) * (a + b),          a * a - b * b),
    ("square-expand",           (a + b) * (a + b),          a * a + 2 * (a * b) + b * b),
    ("square-expand-sub",       (a - b) * (a - b),          a * a - 2 * (a * b) + b * b),
    ("one-minus-square",        1 - a * a,                  (1 - a) * (1 + a)),
    ("square-minus-one",        a * a - 1,                  (a - 1) * (a + 1)),
)
# (a * b) / (a * c) -> b / c without nonzero(a): a = 0 gives nothing and b / c.
# fmt: on
