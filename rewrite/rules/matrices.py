"""Matrices: sums commute, products do not, scalars move freely.

Sources: the axioms of an algebra over a field. Nothing here is about the size of a matrix, so there
is no zero matrix: A - A has no other form. The tests draw matrices and compare both sides, see
`rewrite.lawcheck`.
"""

from rewrite.conditions import nonneg
from rewrite.fastmath import FastMath
from rewrite.leaves import pattern_vars
from rewrite.rule import ruleset
from rewrite.sorts import INT, MATRIX

__all__ = [
    "MATRIX_ASSOCIATIVITY", "MATRIX_CANCELLATION", "MATRIX_COMMUTATIVITY", "MATRIX_DISTRIBUTIVITY",
    "MATRIX_FACTORING", "MATRIX_IDENTITIES", "MATRIX_NEGATION", "MATRIX_POWERS",
    "MATRIX_SCALARS", "MATRIX_SIGNS",
]  # fmt: skip

A, B, C = pattern_vars("A B C", sort=MATRIX)
a, b = pattern_vars("a b")
m, n = pattern_vars("m n", sort=INT)
EXACT = FastMath.NONE
REORDER = FastMath.REASSOC | FastMath.NSZ
REAL = REORDER | FastMath.NNAN

# fmt: off
MATRIX_COMMUTATIVITY = ruleset("matrix-commutativity", EXACT,
    ("matrix-add-comm",         A + B,                      B + A),
)
# A * B -> B * A: [[0, 1], [0, 0]] * [[0, 0], [1, 0]] is not [[0, 0], [1, 0]] * [[0, 1], [0, 0]].
MATRIX_ASSOCIATIVITY = ruleset("matrix-associativity", REORDER,
    ("matrix-add-assoc-right",  (A + B) + C,                A + (B + C)),
    ("matrix-add-assoc-left",   A + (B + C),                (A + B) + C),
    ("matrix-mul-assoc-right",  (A * B) * C,                A * (B * C)),
    ("matrix-mul-assoc-left",   A * (B * C),                (A * B) * C),
)
MATRIX_IDENTITIES = ruleset("matrix-identities", EXACT,
    ("matrix-mul-one",          1 * A,                      A),
    ("matrix-div-one",          A / 1,                      A),
    ("matrix-neg-neg",          -(-A),                      A),  # noqa: B002
    ("matrix-mul-minus-one",    -1 * A,                     -A),
    ("matrix-div-minus-one",    A / -1,                     -A),
    ("matrix-power-one",        A**1,                       A),
)
MATRIX_NEGATION = ruleset("matrix-negation", EXACT,
    ("matrix-add-neg",          A + -B,                     A - B),
    ("matrix-sub-neg",          A - -B,                     A + B),
    ("matrix-scaled-neg",       a * -A,                     -(a * A)),
    ("matrix-neg-scale",        -a * A,                     -(a * A)),
    ("matrix-neg-div",          -A / a,                     -(A / a)),
)
# The sum of a row may be 0, whose sign is + either way.
MATRIX_SIGNS = ruleset("matrix-signs", FastMath.NSZ,
    ("matrix-neg-mul-neg",      -A * -B,                    A * B),
    ("matrix-neg-mul",          -A * B,                     -(A * B)),
    ("matrix-mul-neg",          A * -B,                     -(A * B)),
    ("matrix-neg-sub",          -(A - B),                   B - A),
)
MATRIX_SCALARS = ruleset("matrix-scalars", REAL,
    ("matrix-scalar-out-left",  (a * A) * B,                a * (A * B)),
    ("matrix-scalar-out-right", A * (a * B),                a * (A * B)),
    ("matrix-scalars-join",     a * (b * A),                (a * b) * A),
    ("matrix-divisors-join",    (A / a) / b,                A / (a * b)),
    ("matrix-divisor-out-left", (A / a) * B,                (A * B) / a),
    ("matrix-divisor-out-right", A * (B / a),               (A * B) / a),
)
MATRIX_DISTRIBUTIVITY = ruleset("matrix-distributivity", REAL,
    ("matrix-distribute-left",  A * (B + C),                A * B + A * C),
    ("matrix-distribute-right", (A + B) * C,                A * C + B * C),
    ("matrix-distribute-left-sub", A * (B - C),             A * B - A * C),
    ("matrix-distribute-right-sub", (A - B) * C,            A * C - B * C),
    ("matrix-distribute-scalar", a * (A + B),               a * A + a * B),
    ("matrix-distribute-scalars", (a + b) * A,              a * A + b * A),
)
MATRIX_FACTORING = ruleset("matrix-factoring", REAL,
    ("matrix-factor-left",      A * B + A * C,              A * (B + C)),
    ("matrix-factor-right",     A * C + B * C,              (A + B) * C),
    ("matrix-factor-left-sub",  A * B - A * C,              A * (B - C)),
    ("matrix-factor-right-sub", A * C - B * C,              (A - B) * C),
    ("matrix-factor-scalar",    a * A + a * B,              a * (A + B)),
    ("matrix-factor-scalars",   a * A + b * A,              (a + b) * A),
)
MATRIX_CANCELLATION = ruleset("matrix-cancellation", REAL,
    ("matrix-add-sub-cancel",   (A + B) - B,                A),
    ("matrix-add-sub-cancel-left", (A + B) - A,             B),
    ("matrix-sub-add-cancel",   (A - B) + B,                A),
    ("matrix-sub-sub-cancel",   A - (A - B),                B),
    ("matrix-add-self",         A + A,                      2 * A),
)
# Without nonneg: A**-1 * A has no value where A has no inverse, A**0 has.
MATRIX_POWERS = ruleset("matrix-powers", REAL,
    ("matrix-mul-self",         A * A,                      A**2),
    ("matrix-power-mul",        A**n * A,                   A**(n + 1),             nonneg(n)),
    ("matrix-mul-power",        A * A**n,                   A**(n + 1),             nonneg(n)),
    ("matrix-power-mul-power",  A**m * A**n,                A**(m + n), (nonneg(m), nonneg(n))),
    ("matrix-power-of-power",   (A**m)**n,                  A**(m * n), (nonneg(m), nonneg(n))),
)
# fmt: on
