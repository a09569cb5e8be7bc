"""Multiply and add in one instruction: fma(a, b, c) is a*b + c rounded once.

Sources: IEEE 754-2019, 5.4.1; LLVM's `contract`. The sign of an operand is free on most machines,
so the forms with signs are one instruction too.
"""

from rewrite.fastmath import FastMath
from rewrite.functions import FUNCTIONS
from rewrite.leaves import pattern_vars
from rewrite.rule import ruleset
from rewrite.rules.arithmetic import REAL

__all__ = ["CONTRACTION", "CONTRACTION_APART", "FMA_ALGEBRA", "FMA_IDENTITIES", "FMA_ZEROS"]

a, b, c, d = pattern_vars("a b c d")
fma = FUNCTIONS["fma"]

# fmt: off
CONTRACTION = ruleset("contraction", FastMath.CONTRACT,
    ("fma-contract",            a * b + c,                  fma(a, b, c)),
    ("fma-contract-right",      c + a * b,                  fma(a, b, c)),
    ("fma-contract-sub",        a * b - c,                  fma(a, b, -c)),
    ("fma-contract-sub-from",   c - a * b,                  fma(-a, b, c)),
    ("fma-contract-neg",        -(a * b) - c,               fma(-a, b, -c)),
)
CONTRACTION_APART = ruleset("contraction-apart", FastMath.CONTRACT,
    ("fma-as-add",              fma(a, b, c),               a * b + c),
)
FMA_IDENTITIES = ruleset("fma-identities", FastMath.NONE,
    ("fma-comm",                fma(a, b, c),               fma(b, a, c)),
    ("fma-one",                 fma(a, 1, c),               a + c),
    ("fma-minus-one",           fma(a, -1, c),              c - a),
    ("fma-neg-neg",             fma(-a, -b, c),             fma(a, b, c)),
    ("fma-neg-right",           fma(a, -b, c),              fma(-a, b, c)),
)
FMA_ZEROS = ruleset("fma-zeros", FastMath.NSZ,
    ("fma-plus-zero",           fma(a, b, 0),               a * b),  # -0.0 + 0 is 0.0
    ("neg-fma",                 -fma(a, b, c),              fma(-a, b, -c)),
    ("neg-fma-neg",             -fma(-a, b, -c),            fma(a, b, c)),
    ("neg-fma-sub",             -fma(a, b, -c),             fma(-a, b, c)),
    ("neg-fma-sub-from",        -fma(-a, b, c),             fma(a, b, -c)),
)
FMA_ALGEBRA = ruleset("fma-algebra", REAL | FastMath.CONTRACT,
    ("fma-zero",                fma(a, 0, c),               c),
    ("fma-factor",              fma(a, b, a * c),           a * (b + c)),
    ("fma-factor-right",        fma(a, b, c * a),           a * (b + c)),
    ("fma-factor-fma",          fma(a, b, fma(a, c, d)),    fma(a, b + c, d)),
    ("fma-add",                 fma(a, b, c) + d,           fma(a, b, c + d)),
    ("fma-sub",                 fma(a, b, c) - d,           fma(a, b, c - d)),
    ("fma-mul-mul",             fma(a * b, c, a * d),       a * fma(b, c, d)),
)
# fmt: on
