"""Powers and roots, with exponents that are integers, halves, thirds, or any real number.

Sources: DLMF 4.2(iv), 4.6; Herbie's groups "squares", "pow-reduce", "pow-expand", "sqrt".
x**y is defined for x > 0, for integer y (x != 0 if y < 0; 0**0 is 1), and for x = 0 < y: so most
laws come twice or more, for bases of a known sign and for integer exponents.
"""

from fractions import Fraction

from rewrite.conditions import integer, nonneg, nonzero, positive
from rewrite.fastmath import FastMath
from rewrite.functions import FUNCTIONS
from rewrite.leaves import pattern_vars
from rewrite.rule import ruleset
from rewrite.rules.arithmetic import REAL

__all__ = [
    "CUBE_ROOTS",
    "HYPOTENUSE",
    "HYPOTENUSE_APART",
    "POWERS",
    "POWERS_APART",
    "POWERS_AS_PRODUCTS",
    "POWERS_EXACT",
    "POWER_VALUES",
    "RECIPROCAL_ROOTS",
    "RECIPROCAL_ROOTS_APART",
    "RECIPROCAL_ROOTS_JOINED",
    "ROOTS",
    "ROOTS_APART",
]

a, b, c, n, m = pattern_vars("a b c n m")
sqrt, rsqrt, cbrt, hypot = (FUNCTIONS[name] for name in "sqrt rsqrt cbrt hypot".split())
EXACT = FastMath.NONE
FINITE = REAL | FastMath.NINF
NOT_NEGATIVE = (nonneg(a), nonneg(b))
HALF, THIRD = Fraction(1, 2), Fraction(1, 3)

# fmt: off
POWER_VALUES = ruleset("power-values", EXACT,
    ("pow-zero",                a**0,                       1),  # NaN**0 is 1, as in C
    ("pow-one",                 a**1,                       a),
    ("one-pow",                 1**a,                       1),
)
# NumPy evaluates these so, bit for bit.
POWERS_EXACT = ruleset("powers-exact", EXACT,
    ("pow-two",                 a**2,                       a * a),
    ("pow-minus-one",           a**-1,                      1 / a),
    ("pow-half",                a**HALF,                    sqrt(a)),
)
# Products are the normal form of small integer powers: they share factors, and cost what they show.
POWERS_AS_PRODUCTS = ruleset("powers-as-products", FastMath.REASSOC,
    ("pow-three",               a**3,                       a * (a * a)),
    ("pow-four",                a**4,                       (a * a) * (a * a)),
    ("pow-minus-two",           a**-2,                      1 / (a * a)),
    ("pow-minus-three",         a**-3,                      1 / (a * (a * a))),
)
POWERS = ruleset("powers", FINITE,
    ("pow-mul-pow", a**n * a**m, a**(n + m), (integer(m), nonneg(n), nonneg(m))),
    ("pow-mul-pow-nonneg", a**n * a**m, a**(n + m), (nonneg(a), nonneg(n), nonneg(m))),
    ("pow-mul-pow-nonzero",     a**n * a**m,                a**(n + m), (nonzero(a), integer(m))),
    ("pow-mul-pow-positive",    a**n * a**m,                a**(n + m),             positive(a)),
    ("pow-mul",                 a**n * a,                   a**(n + 1),             nonneg(n)),
    ("pow-mul-nonzero",         a**n * a,                   a**(n + 1),             nonzero(a)),
    ("mul-pow",                 a * a**n,                   a**(n + 1),             nonneg(n)),
    ("mul-pow-nonzero",         a * a**n,                   a**(n + 1),             nonzero(a)),
    ("pow-div-pow",             a**n / a**m,                a**(n - m), (nonzero(a), integer(m))),
    ("pow-div-pow-positive",    a**n / a**m,                a**(n - m),             positive(a)),
    ("pow-div",                 a**n / a,                   a**(n - 1),             nonzero(a)),
    ("div-pow",                 a / a**n,                   a**(1 - n),             nonzero(a)),
    ("pow-pow", (a**n)**m, a**(n * m), (integer(n), integer(m), nonneg(n))),
    ("pow-pow-nonzero", (a**n)**m, a**(n * m), (nonzero(a), integer(n), integer(m))),
    ("pow-pow-nonneg",          (a**b)**c,                  a**(b * c), (nonneg(a), nonneg(b))),
    ("pow-pow-positive",        (a**b)**c,                  a**(b * c),             positive(a)),
    ("pow-mul-base",            a**n * b**n,                (a * b)**n,             integer(n)),
    ("pow-mul-base-nonneg",     a**n * b**n,                (a * b)**n,             NOT_NEGATIVE),
    ("pow-mul-base-positive",   a**n * b**n,                (a * b)**n,             positive(a)),
    ("pow-div-base",            a**n / b**n,                (a / b)**n, (nonzero(b), integer(n))),
    ("pow-div-base-positive",   a**n / b**n,                (a / b)**n,             positive(b)),
    ("div-pow-neg",             1 / a**n,                   a**-n,                  nonneg(n)),
    ("div-pow-neg-nonzero",     1 / a**n,                   a**-n,                  nonzero(a)),
    ("zero-pow",                0**a,                       0,                      positive(a)),
    ("pow-minus-half",          a**-HALF,                   1 / sqrt(a)),
    ("pow-third",               a**THIRD,                   cbrt(a),                nonneg(a)),
)
# (a**b)**c -> a**(b*c) without conditions: a = -1, b = 2, c = 1/2 gives 1 and -1.
# (a**n)**m -> a**(n*m) for integer m only: a = -1, n = 1/2, m = 2 gives nothing and -1.
# a**n * a**m -> a**(n + m) without conditions: a = 0, n = -1, m = 2, or a = -1, n = m = 1/2.
# a**n * b**n -> (a*b)**n without conditions: a = b = -1, n = 1/2 gives nothing and 1.
# a**n / b**n -> (a/b)**n without nonzero(b): b = 0, n = 0 gives 1 / 1 and a quotient by 0.
# a**(1/3) -> cbrt(a) without nonneg(a): a = -1 gives nothing and -1.
# 0**a -> 0 for a >= 0: 0**0 is 1.
POWERS_APART = ruleset("powers-apart", REAL,
    ("three-halves",            a**Fraction(3, 2),          a * sqrt(a)),
    ("minus-three-halves",      a**Fraction(-3, 2),         1 / (a * sqrt(a))),
    ("five-halves",             a**Fraction(5, 2),          (a * a) * sqrt(a)),
    ("mul-sqrt",                a * sqrt(a),                a**Fraction(3, 2)),
    ("pow-of-mul",              (a * b)**n,                 a**n * b**n,            integer(n)),
    ("pow-of-mul-nonneg",       (a * b)**c,                 a**c * b**c,            NOT_NEGATIVE),
    ("pow-of-mul-positive",     (a * b)**c,                 a**c * b**c,            positive(a)),
    ("pow-of-div",              (a / b)**n,                 a**n / b**n, (nonzero(n), integer(n))),
    ("pow-of-div-nonzero",      (a / b)**n,                 a**n / b**n, (nonzero(b), integer(n))),
    ("pow-of-div-positive",     (a / b)**c,                 a**c / b**c,            positive(b)),
    ("pow-of-sum",              a**(b + c),                 a**b * a**c,            positive(a)),
    ("sqrt-as-pow",             sqrt(a),                    a**HALF),
    ("pow-of-neg",              a**-n,                      1 / a**n,               nonzero(a)),
)
# (a*b)**c -> a**c * b**c without conditions: a = b = -1, c = 1/2 gives 1 and nothing.
# a**(b + c) -> a**b * a**c for a < 0: b = c = 1/2, a = -1 gives -1 and nothing;
# for a = 0: b = 2, c = -1 gives 0 and nothing.
# a**-n -> 1 / a**n without nonzero(a): a = 0, n = -1 gives 0 and nothing.
ROOTS = ruleset("roots", REAL,
    ("sqrt-mul-sqrt",           sqrt(a) * sqrt(b),          sqrt(a * b),            NOT_NEGATIVE),
    ("sqrt-mul-sqrt-positive",  sqrt(a) * sqrt(b),          sqrt(a * b),            positive(a)),
    ("sqrt-div-sqrt",           sqrt(a) / sqrt(b),          sqrt(a / b),            positive(b)),
    ("sqrt-div-sqrt-positive",  sqrt(a) / sqrt(b),          sqrt(a / b),            positive(a)),
    ("sqrt-mul-self",           sqrt(a) * sqrt(a),          a,                      nonneg(a)),
    ("sqrt-of-mul-self",        sqrt(a * a),                abs(a)),
    ("div-sqrt-self",           a / sqrt(a),                sqrt(a),                nonzero(a)),
    ("sqrt-div-self",           sqrt(a) / a,                1 / sqrt(a)),
    ("one-div-sqrt-div",        1 / sqrt(a / b),            sqrt(b / a),            nonzero(b)),
    ("sqrt-of-recip",           sqrt(1 / a),                1 / sqrt(a)),
)
# sqrt(a*a) -> a: a = -1 gives 1 and -1.
# sqrt(a)*sqrt(a) -> a, or abs(a), without nonneg(a): a = -1 gives nothing and -1, or 1. Both, or
# one and sqrt(a)*sqrt(b) -> sqrt(a*b), would make a and abs(a) one class.
ROOTS_APART = ruleset("roots-apart", REAL,
    ("sqrt-of-mul",             sqrt(a * b),                sqrt(a) * sqrt(b),      NOT_NEGATIVE),
    ("sqrt-of-div",             sqrt(a / b),                sqrt(a) / sqrt(b),      positive(b)),
    ("sqrt-square-out",         sqrt((a * a) * b),          abs(a) * sqrt(b),       nonneg(b)),
)
# sqrt(a*b) -> sqrt(a)*sqrt(b) without conditions: a = b = -1 gives 1 and nothing.
# sqrt(a/b) -> sqrt(a)/sqrt(b) without conditions: a = b = -1.
# 1 / sqrt(a) costs two operations of a divider, rsqrt(a) a few products and sums.
RECIPROCAL_ROOTS = ruleset("reciprocal-roots", FastMath.ARCP,
    ("recip-sqrt",              1 / sqrt(a),                rsqrt(a)),
    ("div-by-sqrt",             a / sqrt(b),                a * rsqrt(b)),
    ("recip-rsqrt",             1 / rsqrt(a),               sqrt(a),                nonzero(a)),
    ("div-by-rsqrt",            a / rsqrt(b),               a * sqrt(b),            nonzero(b)),
)
# 1 / rsqrt(a) -> sqrt(a) without nonzero(a): a = 0 gives nothing and 0.
RECIPROCAL_ROOTS_JOINED = ruleset("reciprocal-roots-joined", REAL | FastMath.ARCP,
    ("mul-rsqrt-self",          a * rsqrt(a),               sqrt(a),                nonzero(a)),
    ("sqrt-mul-rsqrt-self",     sqrt(a) * rsqrt(a),         1,                      positive(a)),
    ("rsqrt-mul-self",          rsqrt(a) * rsqrt(a),        1 / a,                  nonneg(a)),
    ("rsqrt-mul-rsqrt",         rsqrt(a) * rsqrt(b),        rsqrt(a * b),           nonneg(a)),
    ("rsqrt-of-recip",          rsqrt(1 / a),               sqrt(a),                nonzero(a)),
    ("rsqrt-of-div",            rsqrt(a / b),               sqrt(b / a),            nonzero(b)),
    ("rsqrt-of-mul-self",       rsqrt(a * a),               1 / abs(a)),
)
# rsqrt(a)*rsqrt(a) -> 1 / a without nonneg(a): a = -1 gives nothing and -1.
# rsqrt(a)*rsqrt(b) -> rsqrt(a*b) without conditions: a = b = -1 gives nothing and 1.
# a*rsqrt(a) -> sqrt(a) without nonzero(a): a = 0 gives nothing and 0.
RECIPROCAL_ROOTS_APART = ruleset("reciprocal-roots-apart", REAL | FastMath.ARCP,
    ("rsqrt-as-recip",          rsqrt(a),                   1 / sqrt(a)),
    ("sqrt-as-rsqrt",           sqrt(a),                    a * rsqrt(a),           nonzero(a)),
    ("sqrt-div-as-rsqrt",       sqrt(a / b),                a * rsqrt(a * b),       positive(a)),
    ("div-by-mul-sqrt",         a / (b * sqrt(c)),          (a * rsqrt(c)) / b),
    ("rsqrt-div-self",          rsqrt(a) / a,               (rsqrt(a) * rsqrt(a)) * rsqrt(a)),
    ("rsqrt-of-mul",            rsqrt(a * b),               rsqrt(a) * rsqrt(b),    nonneg(a)),
    ("rsqrt-of-mul-right",      rsqrt(a * b),               rsqrt(a) * rsqrt(b),    nonneg(b)),
)
# sqrt(a/b) -> a*rsqrt(a*b) for a < 0: a = b = -1 gives 1 and -1.
# rsqrt(a*b) -> rsqrt(a)*rsqrt(b) without conditions: a = b = -1 gives 1 and nothing.
CUBE_ROOTS = ruleset("cube-roots", REAL,
    ("cbrt-mul-cbrt",           cbrt(a) * cbrt(b),          cbrt(a * b)),
    ("cbrt-div-cbrt",           cbrt(a) / cbrt(b),          cbrt(a / b)),
    ("cbrt-of-cube",            cbrt(a**3),                 a),
    ("cbrt-cubed",              cbrt(a)**3,                 a),
    ("cbrt-neg",                cbrt(-a),                   -cbrt(a)),
    ("cbrt-of-recip",           cbrt(1 / a),                1 / cbrt(a)),
)
# cbrt(a) -> a**(1/3): a = -1 gives -1 and nothing; a**(1/3) -> cbrt(a) is in POWERS.
HYPOTENUSE = ruleset("hypotenuse", REAL,
    ("hypot-comm",              hypot(a, b),                hypot(b, a)),
    ("hypot-neg",               hypot(-a, b),               hypot(a, b)),
    ("hypot-zero",              hypot(a, 0),                abs(a)),
    ("hypot-abs",               hypot(abs(a), b),           hypot(a, b)),
    ("hypot-squared",           hypot(a, b) * hypot(a, b),  a * a + b * b),
    ("hypot-as-sqrt",           hypot(a, b),                sqrt(a * a + b * b)),
)
HYPOTENUSE_APART = ruleset("hypotenuse-apart", REAL,
    ("hypot-scale",             hypot(a * c, b * c),        hypot(a, b) * abs(c)),
    ("sqrt-as-hypot",           sqrt(a * a + b * b),        hypot(a, b)),
    ("sqrt-as-hypot-one",       sqrt(1 + a * a),            hypot(1, a)),
)
# fmt: on
