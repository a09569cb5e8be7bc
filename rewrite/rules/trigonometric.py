"""Sines, cosines, tangents and their inverses.

Sources: DLMF 4.14 to 4.24; Herbie's groups "trig-reduce", "trig-expand", "trig-inverses".
The shifts hold for the exact pi: a double next to pi is another number, and another constant.
"""

from rewrite.conditions import at_least, at_most, nonneg, nonzero, positive
from rewrite.constants import PI
from rewrite.fastmath import FastMath
from rewrite.functions import FUNCTIONS
from rewrite.leaves import RULES, pattern_vars
from rewrite.rule import ruleset
from rewrite.rules.arithmetic import REAL
from rewrite.term import const

__all__ = [
    "ANGLES_APART",
    "ANGLE_SUMS",
    "HALF_ANGLES",
    "INVERSES_OF_TRIG",
    "PARITY",
    "POLAR",
    "PYTHAGORAS",
    "SHIFTS",
    "TANGENTS",
    "TRIG_VALUES",
]

a, b, c = pattern_vars("a b c")
sin, cos, tan, asin, acos, atan, atan2, sqrt, hypot = (
    FUNCTIONS[name] for name in "sin cos tan asin acos atan atan2 sqrt hypot".split()
)
EXACT = FastMath.NONE
FINITE = REAL | FastMath.NINF
ZERO, ONE, PI_ = (const(value, RULES) for value in (0, 1, PI))
sin2, cos2, tan2 = (f(a) * f(a) for f in (sin, cos, tan))
UNIT = (at_least(a, -1), at_most(a, 1))

# fmt: off
TRIG_VALUES = ruleset("trig-values", EXACT,
    ("sin-zero",                sin(ZERO),                  0),
    ("cos-zero",                cos(ZERO),                  1),
    ("tan-zero",                tan(ZERO),                  0),
    ("asin-zero",               asin(ZERO),                 0),
    ("acos-one",                acos(ONE),                  0),
    ("atan-zero",               atan(ZERO),                 0),
)
# NumPy keeps the bits of most of these, but not every libm is symmetric.
PARITY = ruleset("parity", FastMath.REASSOC,
    ("sin-neg",                 sin(-a),                    -sin(a)),
    ("cos-neg",                 cos(-a),                    cos(a)),
    ("tan-neg",                 tan(-a),                    -tan(a)),
    ("asin-neg",                asin(-a),                   -asin(a)),
    ("atan-neg",                atan(-a),                   -atan(a)),
    ("cos-abs",                 cos(abs(a)),                cos(a)),
    ("cos-of-difference-flip",  cos(a - b),                 cos(b - a)),
)
SHIFTS = ruleset("shifts", FastMath.REASSOC,
    ("sin-plus-pi",             sin(a + PI_),               -sin(a)),
    ("cos-plus-pi",             cos(a + PI_),               -cos(a)),
    ("tan-plus-pi",             tan(a + PI_),               tan(a)),
    ("sin-pi-minus",            sin(PI_ - a),               sin(a)),
    ("cos-pi-minus",            cos(PI_ - a),               -cos(a)),
    ("sin-plus-two-pi",         sin(a + 2 * PI_),           sin(a)),
    ("cos-plus-two-pi",         cos(a + 2 * PI_),           cos(a)),
    ("sin-plus-half-pi",        sin(a + PI_ / 2),           cos(a)),
    ("cos-plus-half-pi",        cos(a + PI_ / 2),           -sin(a)),
    ("sin-minus-half-pi",       sin(a - PI_ / 2),           -cos(a)),
    ("cos-minus-half-pi",       cos(a - PI_ / 2),           sin(a)),
    ("sin-half-pi-minus",       sin(PI_ / 2 - a),           cos(a)),
    ("cos-half-pi-minus",       cos(PI_ / 2 - a),           sin(a)),
    ("sin-pi",                  sin(PI_),                   0),
    ("cos-pi",                  cos(PI_),                   -1),
    ("sin-half-pi",             sin(PI_ / 2),               1),
    ("cos-half-pi",             cos(PI_ / 2),               0),
)
PYTHAGORAS = ruleset("pythagoras", REAL,
    ("sin2-plus-cos2",          sin2 + cos2,                1),
    ("cos2-plus-sin2",          cos2 + sin2,                1),
    ("one-minus-sin2",          1 - sin2,                   cos2),
    ("one-minus-cos2",          1 - cos2,                   sin2),
    ("sin2-minus-one",          sin2 - 1,                   -(cos2)),
    ("cos2-minus-one",          cos2 - 1,                   -(sin2)),
    ("hypot-sin-cos",           hypot(sin(a), cos(a)),      1),
    ("sqrt-one-minus-cos2",     sqrt(1 - cos2),             abs(sin(a))),
    ("sqrt-one-minus-sin2",     sqrt(1 - sin2),             abs(cos(a))),
)
TANGENTS = ruleset("tangents", REAL,
    ("sin-div-cos",             sin(a) / cos(a),            tan(a)),
    ("tan-mul-cos",             tan(a) * cos(a),            sin(a)),
    ("sin-div-tan",             sin(a) / tan(a),            cos(a),     nonzero(tan(a))),
    ("recip-cos2-minus-one",    1 / cos2 - 1,               tan2),
    ("sin-div-one-plus-cos",    sin(a) / (1 + cos(a)),      tan(a / 2)),
    ("one-minus-cos-div-sin",   (1 - cos(a)) / sin(a),      tan(a / 2), nonzero(sin(a))),
    ("recip-cos2",              1 / cos2,                   1 + tan2),
)
# cos(a) / sin(a) -> 1 / tan(a): a = pi/2 gives 0 and nothing, though no float is pi/2.
# tan(a + b) -> (tan(a) + tan(b)) / (1 - tan(a)*tan(b)): a = pi/2, b = 1 likewise.
# tan(a) * cos(a) -> sin(a) and 1 / tan(a) -> cos(a) / sin(a) add a value at pi/2, and stay: it is
# the limit of the other side, so whatever else is continuous there has it too.
HALF_ANGLES = ruleset("half-angles", FastMath.REASSOC,
    ("sin-mul-cos",             sin(a) * cos(a),            sin(2 * a) / 2),
    ("cos2-minus-sin2",         cos2 - sin2,                cos(2 * a)),
    ("one-minus-two-sin2",      1 - 2 * sin2,               cos(2 * a)),
    ("two-cos2-minus-one",      2 * cos2 - 1,               cos(2 * a)),
    ("one-plus-cos-double",     1 + cos(2 * a),             2 * cos2),
    ("one-minus-cos-double",    1 - cos(2 * a),             2 * sin2),
)
ANGLE_SUMS = ruleset("angle-sums", FastMath.REASSOC,
    ("sin-cos-plus-cos-sin",    sin(a) * cos(b) + cos(a) * sin(b), sin(a + b)),
    ("sin-cos-minus-cos-sin",   sin(a) * cos(b) - cos(a) * sin(b), sin(a - b)),
    ("cos-cos-minus-sin-sin",   cos(a) * cos(b) - sin(a) * sin(b), cos(a + b)),
    ("cos-cos-plus-sin-sin",    cos(a) * cos(b) + sin(a) * sin(b), cos(a - b)),
)
ANGLES_APART = ruleset("angles-apart", REAL,
    ("sin-double",              sin(2 * a),                 2 * (sin(a) * cos(a))),
    ("cos-double-sin",          cos(2 * a),                 1 - 2 * sin2),
    ("cos-double-cos",          cos(2 * a),                 2 * cos2 - 1),
    ("one-minus-cos",           1 - cos(a),                 2 * sin(a / 2) * sin(a / 2)),
    ("one-plus-cos",            1 + cos(a),                 2 * cos(a / 2) * cos(a / 2)),
    ("sin-squared",             sin2,                       (1 - cos(2 * a)) / 2),
    ("cos-squared",             cos2,                       (1 + cos(2 * a)) / 2),
    ("tan-as-sin-div-cos",      tan(a),                     sin(a) / cos(a)),
    ("sin-of-sum",              sin(a + b),                 sin(a) * cos(b) + cos(a) * sin(b)),
    ("sin-of-difference",       sin(a - b),                 sin(a) * cos(b) - cos(a) * sin(b)),
    ("cos-of-sum",              cos(a + b),                 cos(a) * cos(b) - sin(a) * sin(b)),
    ("cos-of-difference",       cos(a - b),                 cos(a) * cos(b) + sin(a) * sin(b)),
    ("sin2-as-cos2",            sin2,                       1 - cos2),
    ("cos2-as-sin2",            cos2,                       1 - sin2),
    ("acos-neg",                acos(-a),                   PI_ - acos(a)),
    ("recip-tan",               1 / tan(a),                 cos(a) / sin(a)),
    ("one-plus-tan2",           1 + tan2,                   1 / cos2),
)
# sin(a) + sin(b) -> 2*sin((a + b)/2)*cos((a - b)/2) and its kin save nothing.
INVERSES_OF_TRIG = ruleset("inverses-of-trig", FINITE,
    ("sin-asin",                sin(asin(a)),               a,                      UNIT),
    ("cos-acos",                cos(acos(a)),               a,                      UNIT),
    ("tan-atan",                tan(atan(a)),               a),
    ("sin-acos",                sin(acos(a)),               sqrt(1 - a * a)),
    ("cos-asin",                cos(asin(a)),               sqrt(1 - a * a)),
    ("tan-asin",                tan(asin(a)),               a / sqrt(1 - a * a)),
    ("tan-acos",                tan(acos(a)),               sqrt(1 - a * a) / a),
    ("sin-atan",                sin(atan(a)),               a / sqrt(1 + a * a)),
    ("cos-atan",                cos(atan(a)),               1 / sqrt(1 + a * a)),
    ("asin-sin",                asin(sin(a)), a, (at_least(a, -1.5), at_most(a, 1.5))),
    ("acos-cos",                acos(cos(a)),               a,          (nonneg(a), at_most(a, 3))),
    ("atan-tan",                atan(tan(a)), a, (at_least(a, -1.5), at_most(a, 1.5))),
    ("asin-plus-acos",          asin(a) + acos(a),          PI_ / 2,                UNIT),
    ("half-pi-minus-asin",      PI_ / 2 - asin(a),          acos(a)),
    ("half-pi-minus-acos",      PI_ / 2 - acos(a),          asin(a)),
    ("atan-plus-atan-recip",    atan(a) + atan(1 / a),      PI_ / 2,                positive(a)),
    ("half-pi-minus-atan",      PI_ / 2 - atan(a),          atan(1 / a),            positive(a)),
)
# asin(sin(a)) -> a: a = 3 gives pi - 3. acos(cos(a)) -> a: a = -1 gives 1.
# atan(tan(a)) -> a: a = 3 gives 3 - pi.
# atan(a) + atan(1/a) -> pi/2: a = -1 gives -pi/2.
# atan(a) + atan(b) -> atan((a + b) / (1 - a*b)): a = b = 2 gives 2.21 and -0.93.
POLAR = ruleset("polar", FINITE,
    ("atan2-over-positive",     atan2(a, b),                atan(a / b),            positive(b)),
    ("atan2-scaled",            atan2(a * c, b * c),        atan2(a, b),            positive(c)),
    ("atan2-neg",               atan2(-a, b),               -atan2(a, b)),
    ("cos-atan2",               cos(atan2(a, b)),           b / hypot(a, b),        nonzero(a)),
    ("cos-atan2-positive",      cos(atan2(a, b)),           b / hypot(a, b),        positive(b)),
    ("sin-atan2",               sin(atan2(a, b)),           a / hypot(a, b),        nonzero(a)),
    ("sin-atan2-positive",      sin(atan2(a, b)),           a / hypot(a, b),        positive(b)),
    ("tan-atan2",               tan(atan2(a, b)),           a / b,                  nonzero(a)),
    ("tan-atan2-positive",      tan(atan2(a, b)),           a / b,                  positive(b)),
    ("hypot-polar",             hypot(a * cos(b), a * sin(b)), abs(a)),
)
# atan2(a, b) -> atan(a/b) without positive(b): a = 0, b = -1 gives pi and 0.
# cos(atan2(a, b)) -> b / hypot(a, b) without conditions: a = 0, b = -1 gives nothing and -1.
# fmt: on
