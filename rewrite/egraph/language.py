"""Our ops, rules and analyses as egglog text. Pure text: the bridge runs it.

Numbers are of sort `M`, truth values of sort `B`. A constant with an exact value is a `Num` of
that rational, so folding is exact; everything else that is a leaf is a `Leaf` of an index into
the caller's own table (0.0 and -0.0 are one value inside egglog, so -0.0 travels as a leaf).

Facts: `lo` and `hi` are rational bounds; `pos`, `nn` (not negative), `np` (not positive), `ng`,
`nz` (not zero) and `int` are what conditions of rules ask for.
"""

from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from operator import add, mul, sub, truediv
from typing import Any, Final

from rewrite import ops
from rewrite.constants import Constant, Named
from rewrite.dag import Dag
from rewrite.errors import PatternError
from rewrite.rule import Condition, Rule
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = ["ANALYSES", "DECLARATIONS", "FOLD", "PRUNE", "constructor", "exact", "number",
           "rule_text"]  # fmt: skip

_SORT: Final = {"r": "M", "b": "B"}


@cache
def constructor(code: int, truth: bool = False) -> str:
    """Name the egglog constructor of an op; `where` of truth values has one of its own."""
    name = ops.OPS[code].name
    return "Op" + name.capitalize() + ("B" if truth and name == "where" else "")


def exact(value: Constant) -> Fraction | None:
    """Return the rational value of a constant; None for -0.0, infinities, NaN, names, bools."""
    if isinstance(value, (bool, Named)):
        return None
    if isinstance(value, float):
        if value - value != 0 or (value == 0 and str(value) == "-0.0"):
            return None
        return Fraction(value)
    return Fraction(value)


def number(value: Fraction) -> str:
    """Write a rational as an egglog primitive."""
    top = f'(from-string "{value.numerator}")'
    return f'(bigrat {top} (from-string "{value.denominator}"))'


def _declarations() -> str:
    rows = [
        "(sort M)(sort B)",
        "(constructor Num (BigRat) M)",
        "(constructor Named (String) M)",
        "(constructor Leaf (i64) M)",
        "(constructor LeafB (i64) B)",
        "(constructor True_ () B)(constructor False_ () B)",
        "(constructor Node (i64) M)(constructor NodeB (i64) B)",
        "(function lo (M) BigRat :merge (max old new))",
        "(function hi (M) BigRat :merge (min old new))",
        *(f"(relation {name} (M))" for name in ("pos", "ng", "nn", "np", "nz", "int")),
        "(ruleset load)(ruleset fold)(ruleset prune)(ruleset facts)",
    ]
    for row in ops.OPS[3:]:
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
_TWO: Final = number(Fraction(2))
_C64: Final = number(Fraction(64))

_FOLDED: Final = {
    "add": "(+ a b)", "sub": "(- a b)", "mul": "(* a b)", "neg": "(neg a)", "abs": "(abs a)",
    "fma": "(+ (* a b) c)", "minimum": "(min a b)", "maximum": "(max a b)",
    "div": f"(/ a b) :when (!= b {_ZERO})",
    "pow": f"(pow a b) :when (= b (floor b)) (<= (abs b) {_C64}) (!= a {_ZERO})",
}  # fmt: skip
"""Op -> its exact value on rationals, and when it has one."""


def _fold() -> str:
    rows = []
    for name, text in _FOLDED.items():
        value, _, given = text.partition(" :when ")
        count = max(2, ops.op(name).arity) if ops.op(name).arity != 1 else 1
        args = " ".join(f"(Num {letter})" for letter in "abc"[:count])
        left = f"(= e ({constructor(ops.op(name).code)} {args}))"
        rows.append(f"(rule ({left} {given}) ((union e (Num {value}))) :ruleset fold)")
    power = f"(rule ((= e (OpPow a (Num {_ONE})))) ((union e a)) :ruleset fold)"
    return "\n".join([*rows, power])


FOLD: Final = _fold()

PRUNE: Final = "\n".join(
    f"(rule ((= e ({constructor(row.code)} {args})) (= e (Num v)))"
    f" ((subsume ({constructor(row.code)} {args}))) :ruleset prune)"
    for row in ops.OPS[3:]
    if row.makes in "ri"
    for args in [" ".join("abc"[: 2 if row.arity < 0 else row.arity])]
)
"""A class with an exact value needs no other node: without this, constants breed forms."""


def _facts() -> str:
    """Return the analyses: bounds of sums and products, signs of everything else."""
    rows = [
        "((= e (Num a))) ((set (lo e) a) (set (hi e) a))",
        f"((= e (Num a)) (!= a {_ZERO})) ((nz e))",
        "((= e (Num a)) (= a (floor a))) ((int e))",
        # signs from bounds, bounds from signs
        f"((= l (lo e)) (> l {_ZERO})) ((pos e))",
        f"((= l (lo e)) (>= l {_ZERO})) ((nn e))",
        f"((= h (hi e)) (< h {_ZERO})) ((ng e))",
        f"((= h (hi e)) (<= h {_ZERO})) ((np e))",
        "((pos e)) ((nn e) (nz e))",
        "((ng e)) ((np e) (nz e))",
        "((nn e) (nz e)) ((pos e))",
        "((np e) (nz e)) ((ng e))",
        f"((nn e)) ((set (lo e) {_ZERO}))",
        f"((np e)) ((set (hi e) {_ZERO}))",
        # bounds
        "((= e (OpAdd a b)) (= x (lo a)) (= y (lo b))) ((set (lo e) (+ x y)))",
        "((= e (OpAdd a b)) (= x (hi a)) (= y (hi b))) ((set (hi e) (+ x y)))",
        "((= e (OpSub a b)) (= x (lo a)) (= y (hi b))) ((set (lo e) (- x y)))",
        "((= e (OpSub a b)) (= x (hi a)) (= y (lo b))) ((set (hi e) (- x y)))",
        "((= e (OpNeg a)) (= x (lo a))) ((set (hi e) (neg x)))",
        "((= e (OpNeg a)) (= x (hi a))) ((set (lo e) (neg x)))",
        "((= e (OpMul a b)) (nn a) (nn b) (= x (lo a)) (= y (lo b))) ((set (lo e) (* x y)))",
        "((= e (OpMul a b)) (nn a) (nn b) (= x (hi a)) (= y (hi b))) ((set (hi e) (* x y)))",
        f"((= e (OpDiv a b)) (nn a) (pos b) (= x (hi a)) (= y (lo b)) (> y {_ZERO}))"
        " ((set (hi e) (/ x y)))",
        f"((= e (OpDiv a b)) (nn a) (pos b) (= x (lo a)) (= y (hi b)) (> y {_ZERO}))"
        " ((set (lo e) (/ x y)))",
        "((= e (OpMinimum a b)) (= x (lo a)) (= y (lo b))) ((set (lo e) (min x y)))",
        "((= e (OpMinimum a b)) (= x (hi a))) ((set (hi e) x))",
        "((= e (OpMinimum a b)) (= y (hi b))) ((set (hi e) y))",
        "((= e (OpMaximum a b)) (= x (hi a)) (= y (hi b))) ((set (hi e) (max x y)))",
        "((= e (OpMaximum a b)) (= x (lo a))) ((set (lo e) x))",
        "((= e (OpMaximum a b)) (= y (lo b))) ((set (lo e) y))",
        # a square and a power
        "((= e (OpMul a a))) ((nn e))",
        f"((= e (OpPow a (Num n))) (= m (/ n {_TWO})) (= m (floor m))) ((nn e))",
        "((= e (OpPow a b)) (pos a)) ((pos e))",
        "((= e (OpPow a (Num n))) (= n (floor n)) (nz a)) ((nz e))",
        "((= e (OpPow a (Num n))) (nn a)) ((nn e))",
        "((= e (OpPow a (Num n))) (= n (floor n)) (>= n " + _ZERO + ") (int a)) ((int e))",
    ]
    rows += _products() + _functions()
    return "\n".join(f"(rule {row} :ruleset facts)" for row in rows)


def _products() -> list[str]:
    """Signs of products, quotients and sums."""
    rows = []
    for op in ("OpMul", "OpDiv"):
        for x, y, z in (("pos", "pos", "pos"), ("pos", "ng", "ng"), ("ng", "pos", "ng"),
                        ("ng", "ng", "pos"), ("nn", "nn", "nn"), ("np", "np", "nn"),
                        ("nn", "np", "np"), ("np", "nn", "np"), ("nz", "nz", "nz")):  # fmt: skip
            rows.append(f"((= e ({op} a b)) ({x} a) ({y} b)) (({z} e))")
    rows += [
        # a product that is not zero has no factor that is; what is divided by is not zero
        "((= e (OpMul a b)) (nz e)) ((nz a) (nz b))",
        "((= e (OpAdd a b)) (pos a) (nn b)) ((pos e))",
        "((= e (OpAdd a b)) (nn a) (pos b)) ((pos e))",
        "((= e (OpNeg a)) (nz a)) ((nz e))",
        "((= e (OpNeg a)) (nz e)) ((nz a))",
        "((= e (OpSub a b)) (= f (OpSub b a)) (nz e)) ((nz f))",
    ]
    rows += [f"((= e ({op} a b)) (int a) (int b)) ((int e))" for op in ("OpAdd", "OpSub", "OpMul")]
    return [*rows, "((= e (OpNeg a)) (int a)) ((int e))"]


def _functions() -> list[str]:
    """Ranges and signs of elementary functions."""
    rows = [f"((= e ({op} a))) ((pos e))" for op in ("OpExp", "OpExp2", "OpErfc")]
    rows += ["((= e (OpCosh a))) ((set (lo e) " + _ONE + "))"]
    rows += [f"((= e ({op} a))) ((nn e))" for op in ("OpSqrt", "OpAbs", "OpAcos", "OpAcosh")]
    rows += ["((= e (OpHypot a b))) ((nn e))"]
    rows += [f"((= e (OpSqrt a)) ({fact} a)) (({fact} e))" for fact in ("pos", "nz")]
    rows += ["((= e (OpSqrt a)) (nz e)) ((pos a))", "((= e (OpAbs a)) (nz a)) ((nz e))"]
    minus = number(Fraction(-1))
    bounded = ("OpSin", "OpCos", "OpTanh", "OpErf", "OpSign")
    rows += [f"((= e ({op} a))) ((set (lo e) {minus}) (set (hi e) {_ONE}))" for op in bounded]
    odd = ("OpTanh", "OpSinh", "OpErf", "OpAtan", "OpAsin", "OpAsinh", "OpAtanh", "OpCbrt",
           "OpExpm1", "OpLog1p", "OpSign")  # fmt: skip
    for op in odd:
        rows += [
            f"((= e ({op} a)) ({fact} a)) (({fact} e))" for fact in ("pos", "ng", "nn", "np", "nz")
        ]
    rows += [
        f"((= e (OpLog a)) (= x (lo a)) (> x {_ONE})) ((pos e))",
        f"((= e (OpLog a)) (= x (lo a)) (>= x {_ONE})) ((nn e))",
    ]
    rows += [
        f"((= e ({op} a))) ((int e))"
        for op in ("OpFloor", "OpCeil", "OpTrunc", "OpRound", "OpSign")
    ]
    return rows


ANALYSES: Final = _facts()


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
    given = " ".join(condition_text(c, f"bound{k}") for k, c in enumerate(rule.where))
    return (
        f"(rule ((= e {pattern_text(rule.lhs)}) {given}) ((union e {pattern_text(rule.rhs)}))"
        f' :ruleset {ruleset} :name "{rule.name}")'
    )


def heads(pattern: Term) -> frozenset[int]:
    """Return the op codes in a pattern."""
    return _heads(pattern.store, pattern.id)


@cache
def _heads(store: Store, node: int) -> frozenset[int]:
    return frozenset(c for c in Dag.of(store, [node]).code.tolist() if c > ops.PVAR.code)


type Edge = tuple[int, int, Fraction | str]
"""An op, the place of a child, and the constant there, by value or name."""


def edges(pattern: Term) -> frozenset[Edge]:
    """Return where a pattern has constants."""
    return _edges_of(pattern.store, pattern.id)


@cache
def _edges_of(store: Store, node: int) -> frozenset[Edge]:
    return frozenset(_edges(Dag.of(store, [node])))


def _edges(dag: Dag) -> list[Edge]:
    found: list[Edge] = []
    for code, args in dag.rows():
        for place, a in enumerate(args):
            value = dag.value[a]
            if isinstance(value, Named):
                known: Fraction | str | None = value.name
            else:
                known = None if value is None or isinstance(value, Symbol) else exact(value)
            if known is not None:
                found.append((code, 0 if ops.OPS[code].commutative else place, known))
    return found


_ARITHMETIC: Final = frozenset(
    row.code for row in (ops.ADD, ops.SUB, ops.MUL, ops.DIV, ops.NEG, ops.POW, ops.FMA)
)


def relevant(
    simplify: Iterable[Rule], expand: Iterable[Rule], dag: Dag
) -> tuple[list[Rule], list[Rule]]:
    """Keep the rules that can be of use: what they look for is there, or made by such rules.

    Declaring rules takes longer than running them on a small program. An op counts as there once
    a simplifying rule makes it; growing rules make arithmetic, but bring no other op of their own:
    `a**b` is not taken apart into `exp` and `log` where the program has neither. A constant counts
    where it stands: that `a*a` becomes `a**2` is no reason to look for `2**a`.
    """
    known = {code for code in dag.code.tolist() if code > ops.PVAR.code}
    places = set(_edges(dag))
    own = {value for _, _, value in places} | _folded(dag)
    groups = [(rule, True) for rule in simplify] + [(rule, False) for rule in expand]
    waiting = [
        (
            *(rule.name, simple, heads(rule.lhs), heads(rule.rhs)),
            *(edges(rule.lhs), edges(rule.rhs), _made(rule.rhs)),
        )
        for rule, simple in groups
    ]
    kept: set[str] = set()
    grew = True
    while grew:
        grew, later = False, []
        for row in waiting:
            name, simple, needs, makes, stands, puts, value = row
            ready = needs <= known and all(e in places or e[2] in own for e in stands)
            if ready and (simple or makes <= known | _ARITHMETIC):
                kept.add(name)
                known |= makes
                places |= puts
                own |= value
                grew = True
            else:
                later.append(row)
        waiting = later
    first: dict[str, tuple[Rule, bool]] = {}
    for rule, simple in groups:
        if rule.name in kept:
            first.setdefault(rule.name, (rule, simple))
    wanted = list(first.values())
    return [r for r, simple in wanted if simple], [r for r, simple in wanted if not simple]


def _made(side: Term) -> set[Fraction | str]:
    """Return the constant that a rule's right side is, which may then stand anywhere."""
    rational = None if side.op is not ops.CONST or side.value is None else exact(side.value)
    return set() if rational is None else {rational}


def _folded(dag: Dag) -> set[Fraction | str]:
    """Return the values of the program's subterms made of rational constants."""
    values: list[Fraction | None] = []
    step: dict[int, Any] = {
        ops.ADD.code: add,
        ops.SUB.code: sub,
        ops.MUL.code: mul,
        ops.DIV.code: truediv,
    }
    for at, (code, args) in enumerate(dag.rows()):
        value = dag.value[at]
        known = [values[a] for a in args]
        made = None
        if value is not None and not isinstance(value, Symbol):
            made = exact(value)
        elif len(known) == 2 and code in step and None not in known:
            made = step[code](*known) if known[1] or code != ops.DIV.code else None
        elif code == ops.NEG.code and known[0] is not None:
            made = -known[0]
        values.append(made)
    return {v for v in values if v is not None}
