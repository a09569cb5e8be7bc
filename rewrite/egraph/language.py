"""Our ops, rules and analyses as egglog text. Pure text: the bridge runs it.

Numbers are of sort `M`, truth values of sort `B`. A constant with an exact value is a `Num` of
that rational, so folding is exact; everything else that is a leaf is a `Leaf` of an index into
the caller's own table (0.0 and -0.0 are one value inside egglog, so -0.0 travels as a leaf).

What is known of classes, which conditions of rules ask for, is in `rewrite.egraph.facts`.
"""

from fractions import Fraction
from functools import cache
from typing import Final

from rewrite import ops
from rewrite.constants import Constant, Named
from rewrite.egraph.facts import DECLARED, number
from rewrite.errors import PatternError, UnsupportedOp
from rewrite.rule import Condition, Rule, symbols_of
from rewrite.sorts import BOOL, INT
from rewrite.term import Term

__all__ = [
    "DECLARATIONS", "FOLD", "PRUNE", "constructor", "exact", "pattern_text", "rule_text",
]  # fmt: skip

_SORT: Final = {"r": "M", "b": "B"}


@cache
def constructor(code: int, truth: bool = False) -> str:
    """Name the egglog constructor of an op; `where` of truth values has one of its own."""
    if code >= len(ops.BUILTIN):
        raise UnsupportedOp(f"the e-graph does not have the op {ops.OPS[code].name!r}")
    name = ops.OPS[code].name
    return "Op" + name.capitalize() + ("B" if truth and name == "where" else "")


def exact(value: Constant) -> Fraction | None:
    """Return the rational value of a constant that folding may use, else None.

    None for -0.0, infinities, NaN, names, truth values, and numbers of more than 4,096 bits.
    """
    if isinstance(value, (bool, Named)):
        return None
    if isinstance(value, float) and (value - value != 0 or str(value) == "-0.0"):
        return None
    rational = Fraction(value)
    return rational if _bits(rational) <= MOST_BITS else None


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


MOST_BITS: Final = 4096
"""Exact constants stay below this size, or their products would grow without end."""


def _declarations() -> str:
    rows = [
        "(sort M)(sort B)",
        "(constructor Num (BigRat) M)",
        "(constructor Named (String) M)",
        "(constructor Leaf (i64) M)",
        "(constructor LeafB (i64) B)",
        "(constructor True_ () B)(constructor False_ () B)",
        "(constructor Node (i64) M)(constructor NodeB (i64) B)",
        DECLARED,
        "(relation power (M BigRat BigRat))",
        "(relation reached (i64))(relation divided (i64))",
        "(ruleset load)(ruleset fold)(ruleset prune)(ruleset goal)",
    ]
    for row in ops.BUILTIN[3:]:
        arity = 2 if row.arity < 0 else row.arity
        for truth in (False, True) if row is ops.WHERE else (False,):
            letters = [row.takes[min(k, len(row.takes) - 1)] for k in range(arity)]
            takes = [_SORT.get(letter, "B" if truth else "M") for letter in letters]
            makes = "B" if row.makes == "b" or truth else "M"
            rows.append(f"(constructor {constructor(row.code, truth)} ({' '.join(takes)}) {makes})")
    return "\n".join(rows)


DECLARATIONS: Final = _declarations()

_ZERO: Final = number(Fraction(0))
_ONE: Final = number(Fraction(1))
_C64: Final = number(Fraction(64))

_FOLDED: Final = {
    "add": "(+ a b)", "sub": "(- a b)", "mul": "(* a b)", "neg": "(neg a)", "abs": "(abs a)",
    "fma": "(+ (* a b) c)", "minimum": "(min a b)", "maximum": "(max a b)",
    "div": f"(/ a b) :when (!= b {_ZERO})",
}  # fmt: skip
"""Op -> its exact value on rationals, and when it has one."""


def _within(name: str, bits: int) -> str:
    """Say that numerator and denominator of a rational have at most so many bits."""
    return " ".join(
        f"(= (bigint 0) (>> ({part} (abs {name})) {bits}))" for part in ("numer", "denom")
    )


def _fold() -> tuple[str, ...]:
    rows = []
    small = _within("v", MOST_BITS)
    for name, text in _FOLDED.items():
        value, _, given = text.partition(" :when ")
        count = max(2, ops.op(name).arity) if ops.op(name).arity != 1 else 1
        args = " ".join(f"(Num {letter})" for letter in "abc"[:count])
        left = f"(= e ({constructor(ops.op(name).code)} {args})) {given}"
        rows.append(f"(rule ({left} (= v {value}) {small}) ((union e (Num v))) :ruleset fold)")
    # in two steps, as the conditions of one rule are tested in any order: 0.1**(64**3) has no end
    whole = f"(= e (OpPow (Num a) (Num b))) (= b (floor b)) (!= a {_ZERO})"
    for most, bits in ((_C64, MOST_BITS // 64), (number(Fraction(4)), MOST_BITS // 4)):
        ready = f"{whole} (<= (abs b) {most}) {_within('a', bits)}"
        rows.append(f"(rule ({ready}) ((power e a b)) :ruleset fold)")
    rows += [
        "(rule ((power e a b) (= v (pow a b))) ((union e (Num v))) :ruleset fold)",
        f"(rule ((= e (OpPow a (Num {_ONE})))) ((union e a)) :ruleset fold)",
        # what collapses must stop at once: a class with two numbers folds to ever more of them
        "(rule ((= e (Num a)) (= e (Num b)) (!= a b)) ((conflict 1)) :ruleset fold)",
        f"(rule ((= e (OpDiv a (Num {_ZERO})))) ((conflict 1) (divided 1)) :ruleset fold)",
    ]
    return tuple(rows)


FOLD: Final = _fold()

PRUNE: Final = tuple(
    f"(rule ((= e ({constructor(row.code)} {args})) (= e (Num v)))"
    f" ((subsume ({constructor(row.code)} {args}))) :ruleset prune)"
    for row in ops.BUILTIN[3:]
    if row.makes in "ri"
    for args in [" ".join("abc"[: 2 if row.arity < 0 else row.arity])]
)
"""A class with an exact value needs no other node: without this, constants breed forms."""


# -- rules -----------------------------------------------------------------------------------


def pattern_text(pattern: Term) -> str:
    """Write a pattern; n-ary sums and products become binary from the left."""
    row = pattern.op
    if row is ops.PVAR:
        assert pattern.symbol is not None
        return f"v_{pattern.symbol.name}"
    if row is ops.CONST:
        return _constant_text(pattern.value)
    parts = [pattern_text(child) for child in pattern.args]
    truth = row is ops.WHERE and pattern.sort == 2
    head = constructor(row.code, truth)
    while len(parts) > max(row.arity, 2):
        parts[:2] = [f"({head} {parts[0]} {parts[1]})"]
    return f"({head} {' '.join(parts)})"


def _constant_text(value: Constant | None) -> str:
    if isinstance(value, bool):
        return "(True_)" if value else "(False_)"
    if isinstance(value, Named):
        return f'(Named "{value.name}")'
    rational = exact(value) if value is not None else None
    if rational is None:
        raise PatternError(f"a rule cannot have the constant {value!r}")
    return f"(Num {number(rational)})"


_FACT: Final = {"nonzero": "nz", "positive": "pos", "negative": "ng", "nonneg": "nn",
                "nonpos": "np", "integer": "int"}  # fmt: skip


def condition_text(condition: Condition, fresh: str) -> str:
    """Write a condition as egglog facts; `fresh` names variables that no pattern has.

    A bound, written as the sign of `p - c`, asks the bounds of p: `p - c` itself need not be in
    the graph.
    """
    term = condition.term
    if term.op is ops.SUB and condition.kind in ("nonneg", "positive"):
        left, right = term.args
        for inner, other, fact, sign in ((left, right, "lo", ">"), (right, left, "hi", "<")):
            bound = exact(other.value) if other.value is not None else None
            if bound is not None:
                test = sign + ("=" if condition.kind == "nonneg" else "")
                return (
                    f"(= {fresh} ({fact} {pattern_text(inner)})) ({test} {fresh} {number(bound)})"
                )
    if condition.kind not in _FACT:
        raise PatternError(f"no condition is called {condition.kind!r}; conditions: {list(_FACT)}")
    return f"({_FACT[condition.kind]} {pattern_text(term)})"


def rule_text(rule: Rule, ruleset: str) -> str:
    """Write a rule as an egglog rule of the given ruleset, under its own name."""
    for symbol in symbols_of(rule.lhs):
        if symbol.sort > BOOL:
            raise PatternError(
                f"rule {rule.name!r}: the e-graph takes numbers and truth values; "
                f"?{symbol.name} is a {symbol.sort}"
            )
    given = " ".join(condition_text(c, f"bound{k}") for k, c in enumerate(rule.where))
    whole = [f"v_{s.name}" for s in symbols_of(rule.lhs) if s.sort == INT]
    given += "".join(f" (int {name})" for name in whole)
    return (
        f"(rule ((= e {pattern_text(rule.lhs)}) {given}) ((union e {pattern_text(rule.rhs)}))"
        f' :ruleset {ruleset} :name "{rule.name}")'
    )
