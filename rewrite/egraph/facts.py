"""What is known of classes: definedness, signs, bounds, as egglog rules, and what may be assumed.

All facts are about real values at all points of one universe: the points of the symbols' domains
where the assumptions hold. A node may be undefined at some of them (a root of what may be
negative), and a class may hold such a node beside one that is defined everywhere. So a fact is only
drawn from a node that is known to be defined (`df`) throughout: then it is the value of the class.

`lo` and `hi` are rational bounds, rounded outwards to 80 binary places, so that they cannot grow
without end; `pos`, `ng`, `nn`, `np`, `nz` and `int` say positive, negative, not negative, not
positive, not zero, integer. They are true of the value, so that any order of finding them is
sound: bounds only ever tighten, and no rule combines a sign with a bound that may be stale. Two
facts that exclude each other derive `conflict`.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Final

from rewrite import ops

__all__ = ["ANALYSES", "DECLARED", "FACTS", "RELATIONS", "assumed", "number"]

FACTS: Final = ("pos", "ng", "nn", "np", "nz", "int")
RELATIONS: Final = (
    "lo", "hi", "df", "dfb", "conflict", "divided", "reached", "power", *FACTS,
)  # fmt: skip
"""All tables that are no e-nodes."""


def number(value: Fraction) -> str:
    """Write a rational as an egglog primitive."""
    top = f'(from-string "{value.numerator}")'
    return f'(bigrat {top} (from-string "{value.denominator}"))'


_ZERO: Final = number(Fraction(0))
_ONE: Final = number(Fraction(1))
_MINUS: Final = number(Fraction(-1))
_TWO: Final = number(Fraction(2))
_SCALE: Final = number(Fraction(1 << 80))
_FAR: Final = number(Fraction(1 << 200))

DECLARED: Final = "\n".join(
    [
        "(function lo (M) BigRat :merge (max old new))",
        "(function hi (M) BigRat :merge (min old new))",
        *(f"(relation {name} (M))" for name in ("df", *FACTS)),
        "(relation dfb (B))(relation conflict (i64))",
        "(ruleset facts)",
    ]
)


def _rule(body: str, actions: str) -> str:
    return f"(rule ({body}) ({actions}) :ruleset facts)"


def _bound(body: str, low: str = "", high: str = "") -> list[str]:
    """Set bounds to the given values, rounded outwards; bounds that are far off say nothing."""
    rows = []
    for fact, value, rounding in (("lo", low, "floor"), ("hi", high, "ceil")):
        if value:
            rounded = f"(/ ({rounding} (* v {_SCALE})) {_SCALE})"
            rows.append(
                _rule(f"{body} (= v {value}) (< (abs v) {_FAR})", f"(set ({fact} e) {rounded})")
            )
    return rows


def _basics() -> list[str]:
    """Leaves, and how signs and bounds follow from each other."""
    rows = [_rule(f"(= e ({head} v))", "(df e)") for head in ("Num", "Named")]
    rows += [_rule(f"(= e {head})", "(dfb e)") for head in ("(LeafB v)", "(True_)", "(False_)")]
    rows += _bound("(= e (Num a))", "a", "a")
    for test, fact in ((">", "pos"), ("<", "ng"), (">=", "nn"), ("<=", "np"), ("!=", "nz")):
        rows.append(_rule(f"(= e (Num a)) ({test} a {_ZERO})", f"({fact} e)"))
    rows.append(_rule("(= e (Num a)) (= a (floor a))", "(int e)"))
    signs = (("lo", ">", "pos"), ("lo", ">=", "nn"), ("hi", "<", "ng"), ("hi", "<=", "np"))
    for bound, test, fact in signs:
        rows.append(_rule(f"(= l ({bound} e)) ({test} l {_ZERO})", f"({fact} e)"))
    rows += [
        _rule("(pos e)", "(nn e) (nz e)"),
        _rule("(ng e)", "(np e) (nz e)"),
        _rule("(nn e) (nz e)", "(pos e)"),
        _rule("(np e) (nz e)", "(ng e)"),
        _rule("(nn e)", f"(set (lo e) {_ZERO})"),
        _rule("(np e)", f"(set (hi e) {_ZERO})"),
    ]
    return rows


_TOTAL: Final = (
    "add sub mul neg fma cbrt hypot exp exp2 expm1 sin cos atan sinh cosh tanh asinh erf erfc abs "
    "sign floor ceil trunc round minimum maximum"
).split()
_PARTIAL: Final = {
    "div": "(nz b)",
    "sqrt": "(nn a)",
    "rsqrt": "(pos a)",
    "log": "(pos a)",
    "log2": "(pos a)",
    "log10": "(pos a)",
    "log1p": f"(= l (lo a)) (> l {_MINUS})",
    "asin": f"(= l (lo a)) (>= l {_MINUS}) (= h (hi a)) (<= h {_ONE})",
    "acos": f"(= l (lo a)) (>= l {_MINUS}) (= h (hi a)) (<= h {_ONE})",
    "acosh": f"(= l (lo a)) (>= l {_ONE})",
    "atanh": f"(= l (lo a)) (> l {_MINUS}) (= h (hi a)) (< h {_ONE})",
    "atan2": "(nz a)",
    "copysign": "(nz b)",
    "fmod": "(nz b)",
}
"""Ops that are not defined everywhere, and what makes an application defined."""


def _call(name: str) -> tuple[str, list[str]]:
    row = ops.op(name)
    letters = list("abc"[: 2 if row.arity < 0 else row.arity])
    return f"(= e (Op{name.capitalize()} {' '.join(letters)}))", letters


def _definedness() -> list[str]:
    rows = []
    for name in (*_TOTAL, *_PARTIAL):
        body, letters = _call(name)
        defined = " ".join(f"(df {letter})" for letter in letters)
        rows.append(_rule(f"{body} {defined} {_PARTIAL.get(name, '')}", "(df e)"))
    whole = "(= e (OpPow a (Num n))) (df a) (= n (floor n))"
    rows += [
        _rule("(= e (OpPow a b)) (pos a) (df b)", "(df e)"),
        _rule(f"{whole} (>= n {_ZERO})", "(df e)"),
        _rule(f"{whole} (nz a)", "(df e)"),
        _rule(f"(= e (OpPow a (Num n))) (nn a) (> n {_ZERO})", "(df e)"),
        _rule("(= e (OpWhere c a b)) (dfb c) (df a) (df b)", "(df e)"),
        _rule("(= e (OpWhereB c a b)) (dfb c) (dfb a) (dfb b)", "(dfb e)"),
        _rule("(= e (OpNot a)) (dfb a)", "(dfb e)"),
    ]
    for name in ("And", "Or"):
        rows.append(_rule(f"(= e (Op{name} a b)) (dfb a) (dfb b)", "(dfb e)"))
    for name in ("Lt", "Le", "Gt", "Ge", "Eq", "Ne"):
        rows.append(_rule(f"(= e (Op{name} a b)) (df a) (df b)", "(dfb e)"))
    return rows


def _bounds() -> list[str]:
    """Interval arithmetic; each rule holds for any bounds, so also for such as will tighten."""
    lows, highs = "(= x (lo a)) (= y (lo b))", "(= x (hi a)) (= y (hi b))"
    crossed = ("(= x (lo a)) (= y (hi b))", "(= x (hi a)) (= y (lo b))")
    rows = [
        *_bound(f"(= e (OpAdd a b)) {lows}", low="(+ x y)"),
        *_bound(f"(= e (OpAdd a b)) {highs}", high="(+ x y)"),
        *_bound(f"(= e (OpSub a b)) {crossed[0]}", low="(- x y)"),
        *_bound(f"(= e (OpSub a b)) {crossed[1]}", high="(- x y)"),
        *_bound("(= e (OpNeg a)) (= x (lo a))", high="(neg x)"),
        *_bound("(= e (OpNeg a)) (= x (hi a))", low="(neg x)"),
    ]
    both = f"{lows} (>= x {_ZERO}) (>= y {_ZERO})"
    rows += _bound(f"(= e (OpMul a b)) {both}", low="(* x y)")
    corners = "(= x (lo a)) (= y (hi a)) (= z (lo b)) (= w (hi b))"
    least, most = (
        f"({pick} ({pick} (* x z) (* x w)) ({pick} (* y z) (* y w)))" for pick in ("min", "max")
    )
    rows += _bound(f"(= e (OpMul a b)) {corners}", low=least, high=most)
    above = f"(= x (hi a)) (>= x {_ZERO}) (= y (lo b)) (> y {_ZERO})"
    below = f"(= x (lo a)) (>= x {_ZERO}) (= y (hi b)) (pos b) (> y {_ZERO})"
    rows += _bound(f"(= e (OpDiv a b)) {above}", high="(/ x y)")
    rows += _bound(f"(= e (OpDiv a b)) {below}", low="(/ x y)")
    for name, pick, near, far in (("Minimum", "min", "lo", "hi"), ("Maximum", "max", "hi", "lo")):
        body = f"(= e (Op{name} a b))"
        near_bounds = f"(= x ({near} a)) (= y ({near} b))"
        rows += _bound(f"{body} {near_bounds}", **{_SIDE[near]: f"({pick} x y)"})
        rows += _bound(f"{body} (df b) (= x ({far} a))", **{_SIDE[far]: "x"})
        rows += _bound(f"{body} (df a) (= y ({far} b))", **{_SIDE[far]: "y"})
    hull = "(= e (OpWhere c a b)) (dfb c)"
    rows += _bound(f"{hull} {lows}", low="(min x y)")
    rows += _bound(f"{hull} {highs}", high="(max x y)")
    rows += _bound("(= e (OpAbs a)) (= x (lo a)) (= y (hi a))", high="(max (abs x) (abs y))")
    return rows


_SIDE: Final = {"lo": "low", "hi": "high"}
_PRODUCT: Final = (
    ("pos", "pos", "pos"), ("pos", "ng", "ng"), ("ng", "pos", "ng"), ("ng", "ng", "pos"),
    ("nz", "nz", "nz"),
)  # fmt: skip
_WEAK: Final = (("nn", "nn", "nn"), ("np", "np", "nn"), ("nn", "np", "np"), ("np", "nn", "np"))


def _signs() -> list[str]:
    """Signs of arithmetic; a fact of a child says that it is defined."""
    rows = []
    for x, y, z in (*_PRODUCT, *_WEAK):
        rows.append(_rule(f"(= e (OpMul a b)) ({x} a) ({y} b)", f"({z} e)"))
    strict = {"nn": "pos", "np": "ng"}
    for x, y, z in (*_PRODUCT, *((x, strict[y], z) for x, y, z in _WEAK)):
        rows.append(_rule(f"(= e (OpDiv a b)) ({x} a) ({y} b)", f"({z} e)"))
    both = "(df a) (df b)"
    rows += [
        _rule("(= e (OpAdd a b)) (pos a) (nn b)", "(pos e)"),
        _rule("(= e (OpAdd a b)) (nn a) (pos b)", "(pos e)"),
        _rule("(= e (OpNeg a)) (nz a)", "(nz e)"),
        _rule(f"(= e (OpMul a b)) (nz e) {both}", "(nz a) (nz b)"),
        _rule("(= e (OpNeg a)) (nz e) (df a)", "(nz a)"),
        _rule(f"(= e (OpSub a b)) (= f (OpSub b a)) (nz e) {both}", "(nz f)"),
        _rule("(= e (OpMul a a)) (df a)", "(nn e)"),
        _rule("(= e (OpNeg a)) (int a)", "(int e)"),
    ]
    for name in ("Add", "Sub", "Mul"):
        rows.append(_rule(f"(= e (Op{name} a b)) (int a) (int b)", "(int e)"))
    for name in ("Minimum", "Maximum"):
        for fact in ("pos", "ng", "nn", "np", "int"):
            rows.append(_rule(f"(= e (Op{name} a b)) ({fact} a) ({fact} b)", f"({fact} e)"))
    for fact in FACTS:
        body = f"(= e (OpWhere c a b)) (dfb c) ({fact} a) ({fact} b)"
        rows.append(_rule(body, f"({fact} e)"))
    whole = "(= e (OpPow a (Num n))) (= n (floor n))"
    even = f"(= m (/ n {_TWO})) (= m (floor m))"
    rows += [
        _rule(f"{whole} {even} (df a) (>= n {_ZERO})", "(nn e)"),
        _rule(f"{whole} {even} (nz a)", "(pos e)"),
        _rule("(= e (OpPow a b)) (pos a) (df b)", "(pos e)"),
        _rule(f"(= e (OpPow a (Num n))) (nn a) (> n {_ZERO})", "(nn e)"),
        _rule(f"{whole} (nz a)", "(nz e)"),
        _rule(f"{whole} (>= n {_ZERO}) (int a)", "(int e)"),
    ]
    return rows


def _functions() -> list[str]:
    """Ranges and signs of elementary functions."""
    rows = [_rule(f"(= e ({op} a)) (df a)", "(pos e)") for op in ("OpExp", "OpExp2", "OpErfc")]
    rows += [
        _rule("(= e (OpCosh a)) (df a)", f"(set (lo e) {_ONE})"),
        _rule("(= e (OpSqrt a)) (nn a)", "(nn e)"),
        _rule("(= e (OpSqrt a)) (pos a)", "(pos e)"),
        _rule("(= e (OpSqrt a)) (nn a) (nz e)", "(pos a)"),
        _rule("(= e (OpRsqrt a)) (pos a)", "(pos e)"),
        _rule("(= e (OpAbs a)) (df a)", "(nn e)"),
        _rule("(= e (OpAbs a)) (nz a)", "(nz e)"),
        _rule("(= e (OpHypot a b)) (df a) (df b)", "(nn e)"),
        _rule(f"(= e (OpLog a)) (= x (lo a)) (> x {_ONE})", "(pos e)"),
        _rule(f"(= e (OpLog a)) (= x (lo a)) (>= x {_ONE})", "(nn e)"),
    ]
    for name in ("acos", "acosh"):
        body, _ = _call(name)
        rows.append(_rule(f"{body} {_PARTIAL[name]}", "(nn e)"))
    for name in ("Sin", "Cos", "Tanh", "Erf", "Sign"):
        body = f"(= e (Op{name} a)) (df a)"
        rows.append(_rule(body, f"(set (lo e) {_MINUS}) (set (hi e) {_ONE})"))
    for name in ("Tanh", "Sinh", "Erf", "Atan", "Asinh", "Cbrt", "Expm1", "Sign"):
        for fact in ("pos", "ng", "nn", "np", "nz"):
            rows.append(_rule(f"(= e (Op{name} a)) ({fact} a)", f"({fact} e)"))
    for name in ("Floor", "Ceil", "Trunc", "Round", "Sign"):
        rows.append(_rule(f"(= e (Op{name} a)) (df a)", "(int e)"))
    return rows


def _conflicts() -> list[str]:
    """What cannot be: somewhere a rule or an assumption was false."""
    return [
        _rule("(= l (lo e)) (= h (hi e)) (> l h)", "(conflict 1)"),
        _rule("(pos e) (np e)", "(conflict 1)"),
        _rule("(ng e) (nn e)", "(conflict 1)"),
        _rule("(= e (Num a)) (= e (Num b)) (!= a b)", "(conflict 1)"),
    ]


ANALYSES: Final[tuple[str, ...]] = (
    *_basics(), *_definedness(), *_bounds(), *_signs(), *_functions(), *_conflicts(),
)  # fmt: skip


# -- what may be assumed ---------------------------------------------------------------------

_CARRY: Final = frozenset(
    ops.op(name).code
    for name in (
        "add sub mul neg fma sqrt log log2 log10 log1p sin cos tan cosh sinh asinh acosh cbrt abs "
        "floor ceil trunc round asin acos"
    ).split()
)
"""Ops whose value is not finite where an operand is not."""
_CARRY_NAN: Final = _CARRY | {
    ops.op(name).code
    for name in (
        "div rsqrt exp exp2 expm1 atan tanh erf erfc sign atanh minimum maximum fmod"
    ).split()
}
"""Ops whose value is NaN where an operand is."""


def assumed(rows: list[Any], roots: Iterable[int]) -> list[tuple[str, int]]:
    """Return (fact, node) pairs that hold wherever the only root is finite, as `nnan ninf` allow.

    Followed down from the root is what must spoil it: an infinity that must reach the root, and a
    NaN that must. A divisor, `exp` or `minimum` passes on no infinity; a comparison and the parts
    of `where` pass on nothing. With several roots each may be finite where another is not.
    """
    wanted = set(roots)
    if len(wanted) != 1:
        return []
    infinite, nan = set(wanted), set(wanted)
    facts: list[tuple[str, int]] = []
    for at, (code, args, *_) in reversed(rows):
        if at in infinite:
            if code in _CARRY:
                infinite.update(args)
            if code == ops.DIV.code:
                infinite.add(args[0])
                facts.append(("nz", args[1]))
            elif code in _LOGS:
                facts.append(("pos", args[0]))
        if at in nan:
            if code in _CARRY_NAN:
                nan.update(args)
            if code == ops.SQRT.code or code in _LOGS:
                facts.append(("nn", args[0]))
    return facts


_LOGS: Final = frozenset((ops.LOG.code, ops.LOG2.code, ops.LOG10.code))
