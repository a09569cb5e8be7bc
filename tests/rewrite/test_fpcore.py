"""FPCore: what texts mean, what is written is read again, and where a bad one is wrong."""

import math
import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite import ops
from rewrite.constants import rounded
from rewrite.errors import AccuracyError, ParseError, UnsupportedOp
from rewrite.io import fpcore
from rewrite.io.fpcore.numbers import above, below, number
from rewrite.io.fpcore.tables import CONSTANTS, OPERATORS, WRITTEN
from rewrite.testing import terms

DATA = Path(__file__).parent.parent / "data" / "fpcore"
F64, F32 = np.dtype(np.float64), np.dtype(np.float32)
x, y, z = rw.symbols("x y z")


def one(text: str) -> fpcore.FPCore:
    (core,) = fpcore.parse(text)
    return core


def body(text: str, arguments: str = "x y") -> rw.Term:
    return one(f"(FPCore ({arguments}) {text})").term


# -- meaning ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text, term", [
    ("(- x)", -x), ("(- x y)", x - y), ("(+ (* x y) 1)", x * y + 1), ("(/ x 3)", x / 3),
    ("(fabs x)", abs(x)), ("(fma x y 1)", rw.fma(x, y, 1)), ("(nearbyint x)", rw.round(x)),
    ("(fmin x y)", rw.minimum(x, y)), ("1/3", rw.const(Fraction(1, 3))), ("0.1", rw.const(0.1)),
    ("-2", rw.const(-2)), ("+3.5e-1", rw.const(0.35)), ("0x1.8p1", rw.const(3.0)),
    ("(digits 3 -1 2)", rw.const(1.5)),
    ("PI", rw.pi),
    ("PI_2", rw.pi / 2),
    ("INFINITY", rw.const(math.inf)),
    ("(let ([x y] [y x]) (- x y))", y - x), ("(let* ([x y] [y x]) (- x y))", y - y),
    ("(let ([a (+ x 1)]) (let ([a (* a a)]) (- a x)))", (x + 1) * (x + 1) - x),
    ("(if (< x y) x y)", rw.where(x < y, x, y)),
    ("(if (< 1 x 2) 1 x)", rw.where(rw.apply("lt", 1, x) & (x < 2), 1, x)),
    ("(if TRUE x y)", x),
    ("(if (!= x y 1) x y)", rw.where(rw.ne(x, y) & rw.ne(x, 1) & rw.ne(y, 1), x, y)),
    ("(! :precision binary64 :round nearestEven (cast (* x x)))", x * x),
    ("(while (< i 3) ([s x (* s y)] [i 0 (+ i 1)]) s)", x * y * y * y),
    ("(while* (< i 2) ([i 0 (+ i 1)] [s x (+ s i)]) s)", x + 1 + 2),
    ("(for ([i 2] [j 2]) ([s x (+ s (* y (+ i j)))]) s)", x + y * 0 + y * 1 + y * 1 + y * 2),
    ("(for ([i 0]) ([s x (+ s i)]) s)", x),
])  # fmt: skip
def test_meaning(text: str, term: rw.Term) -> None:
    found = body(text)
    points = {"x": np.array([0.5, -2.0, 3.0]), "y": np.array([1.5, 0.25, -3.0])}
    both = rw.evaluate([found, term], points)
    np.testing.assert_array_equal(both[0], both[1])
    if "!=" not in text and "for" not in text and "while" not in text:
        assert found == term


def _half_away(value: float) -> float:
    whole = Fraction(math.trunc(value))
    if abs(Fraction(value) - whole) >= Fraction(1, 2):
        whole += 1 if value > 0 else -1
    return math.copysign(float(whole), value)


@pytest.mark.parametrize("text, meaning", [
    ("(fdim x y)", lambda a, b: math.nan if a != a or b != b else a - b if a > b else 0.0),
    ("(round x)", lambda a, b: _half_away(a) if math.isfinite(a) else a),
    ("(if (isnan x) 1 0)", lambda a, b: float(a != a)),
    ("(if (isinf x) 1 0)", lambda a, b: float(math.isinf(a))),
    ("(if (isfinite x) 1 0)", lambda a, b: float(math.isfinite(a))),
    ("(if (signbit x) 1 0)", lambda a, b: float(math.copysign(1, a) < 0)),
])  # fmt: skip
def test_operators_that_are_no_ops(text: str, meaning: Any) -> None:
    values = [0.0, -0.0, 0.5, -0.5, 0.49999999999999994, 1.5, -2.5, 1e300]
    term = body(text)
    values += [math.inf, -math.inf, math.nan]
    for a in values:
        for b in values:
            found = float(rw.evaluate(term, {"x": a, "y": b}))
            np.testing.assert_equal(found, float(meaning(a, b)))


def test_every_operator_and_constant_is_read() -> None:
    names = dict.fromkeys(OPERATORS)
    for name, row in OPERATORS.items():
        truth = name in ("and", "or", "not")
        for count in {row.least, row.most or 3}:
            args = ("(< x y)", "(< y x)", "(< x 1)")[:count] if truth else ("x", "y", "z")[:count]
            assert body(f"({name} {' '.join(args)})", "x y z").op is not None
        assert set(names) == set(OPERATORS)
    exact = {
        "LOG2E": math.log2(math.e), "LOG10E": math.log10(math.e), "LN2": math.log(2),
        "LN10": math.log(10), "PI_4": math.pi / 4, "M_1_PI": 1 / math.pi, "M_2_PI": 2 / math.pi,
        "M_2_SQRTPI": 2 / math.sqrt(math.pi), "SQRT2": math.sqrt(2), "SQRT1_2": math.sqrt(0.5),
        "E": math.e, "PI": math.pi, "PI_2": math.pi / 2, "INFINITY": math.inf, "NAN": math.nan,
    }  # fmt: skip
    assert {*exact, "TRUE", "FALSE"} == set(CONSTANTS)
    for name, value in exact.items():
        assert float(rw.evaluate(body(name))) == pytest.approx(value, rel=3e-16, nan_ok=True)


def test_benchmarks_call_those_before() -> None:
    _, second = fpcore.parse("(FPCore f (a b) (- a b)) (FPCore (x y) (f (f x 1) y))")
    assert second.term == x - 1 - y
    with pytest.raises(ParseError, match="takes 2 arguments, not 1"):
        fpcore.parse("(FPCore f (a b) (- a b)) (FPCore (x) (f x))")
    with pytest.raises(ParseError, match="one precision"):
        fpcore.parse("(FPCore f (a) :precision binary32 (- a 0.1)) (FPCore (x) (f x))")


# -- numbers ---------------------------------------------------------------------------------


@given(st.fractions(), st.integers(-300, 300))
@example(Fraction(1) + Fraction(1, 2**24) + Fraction(1, 2**80), 0)  # a double is halfway there
@example(Fraction(1) + Fraction(3, 2**24) - Fraction(1, 2**80), 0)
def test_numbers_are_rounded_once(value: Fraction, power: int) -> None:
    value *= Fraction(10) ** power
    for kind in (F64, F32):
        near = float(rounded(value, kind))
        assert kind.type(near) == near or math.isinf(near)
        if not math.isfinite(near):
            continue
        for other in (np.nextafter(kind.type(near), kind.type(s)) for s in (-np.inf, np.inf)):
            if np.isfinite(other):
                gap = abs(Fraction(float(other)) - value) - abs(Fraction(near) - value)
                assert gap > 0 or (
                    gap == 0 and int(kind.type(near).view(f"u{kind.itemsize}")) % 2 == 0
                )
        for strict in (False, True):
            low, high = above(value, kind, strict=strict), below(value, kind, strict=strict)
            if math.isfinite(low) and math.isfinite(high):
                assert Fraction(low) > value or (Fraction(low) == value and not strict)
                assert Fraction(high) < value or (Fraction(high) == value and not strict)
                assert np.nextafter(kind.type(low), kind.type(-np.inf)) <= value
                assert np.nextafter(kind.type(high), kind.type(np.inf)) >= value


@pytest.mark.parametrize("text, value", [
    ("0", 0), ("-7", -7), ("2/4", Fraction(1, 2)), ("1.", Fraction(1)), (".5", Fraction(1, 2)),
    ("1e3", Fraction(1000)), ("-1.25E-2", Fraction(-1, 80)), ("0xA.8p-1", Fraction(21, 4)),
    ("1/0", None), ("e3", None), ("1e", None), ("--1", None), ("0x", None), ("1.2.3", None),
])  # fmt: skip
def test_numbers(text: str, value: Any) -> None:
    assert number(text) == value


def test_literals_have_the_precision_of_the_benchmark() -> None:
    core = one("(FPCore (x) :precision binary32 (+ x 0.1))")
    assert core.dtype == np.float32 and core.term == x + float(np.float32(0.1))
    assert one("(FPCore (x) (+ x 0.1))").term == x + 0.1
    assert one("(FPCore (x) :spec (* 0.1 x) x)").spec == rw.const(Fraction(1, 10)) * x


# -- preconditions ---------------------------------------------------------------------------


@pytest.mark.parametrize("pre, low, high", [
    ("(<= 1 x 2)", 1, 2),
    ("(< 1 x 2)", np.nextafter(1, 2), np.nextafter(2, 1)),
    ("(>= 2 x 1)", 1, 2),
    ("(> x 0)", 5e-324, None), ("(and (<= x 1/3) (<= -0.5 x))", -0.5, 1 / 3), ("(== x 3)", 3, 3),
    ("(and (< x 5) (< x 4))", None, np.nextafter(4, 0)), ("(<= (- 2) x y 9)", -2, None),
    ("(or (< x 1) (> x 2))", None, None), ("(< (* x x) 1)", None, None), ("(!= x 0)", None, None),
    ("(<= 1e400 x)", math.inf, None),
])  # fmt: skip
def test_bounds_become_domains(pre: str, low: float | None, high: float | None) -> None:
    if low == math.inf:
        with pytest.raises(ParseError, match="leaves no value"):
            one(f"(FPCore (x y) :pre {pre} x)")
        return
    core = one(f"(FPCore (x y) :pre {pre} x)")
    symbol = core.args[0].symbol
    assert symbol is not None and (symbol.low, symbol.high) == (low, high)
    points = core.points(64)
    assert core.pre is not None and len(points["x"]) > 0
    assert rw.evaluate(core.pre, points).all()


def test_points_satisfy_the_precondition() -> None:
    core = one("(FPCore (a b) :pre (and (< -1 a b) (< (* b b) 2)) (- a b))")
    points = core.points(300, seed=5)
    assert len(points["a"]) == 300 and rw.evaluate(core.pre, points).all()  # type: ignore[arg-type]
    with pytest.raises(AccuracyError, match="no point was found"):
        one("(FPCore (a b) :pre (and (< a b) (< b a)) a)").points()
    assert one("(FPCore () 1)").points() == {}


# -- writing ---------------------------------------------------------------------------------

BINARY = [row for row in ops.BUILTIN if row.name in WRITTEN and row.arity >= 0]


@settings(max_examples=150, deadline=None)
@given(terms(ops=[*BINARY, ops.LT, ops.AND], max_ops=14))
def test_what_is_written_is_read(term: rw.Term) -> None:
    plain = all(len(each) < 3 for each in _sums(term))
    text = fpcore.write(term, name='a "name" \\ of it')
    core = one(text)
    assert core.name == 'a "name" \\ of it'
    assert fpcore.write(core.term) == fpcore.write(one(fpcore.write(core.term)).term)
    if plain:
        assert core.term == term
    names = [each.symbol.name for each in term.free_symbols if each.symbol]
    points = rw.sample_points(term.free_symbols, 16) if names else {}
    np.testing.assert_array_equal(rw.evaluate(term, points), rw.evaluate(core.term, points))


def _sums(term: rw.Term) -> list[tuple[rw.Term, ...]]:
    found, stack, seen = [], [term], {term}
    while stack:
        this = stack.pop()
        found.append(this.args if this.op.arity < 0 else ())
        new = [arg for arg in this.args if arg not in seen]
        seen.update(new)
        stack.extend(new)
    return found


def test_all_ops_are_written_or_refused() -> None:
    args = {"r": x, "b": x < y}
    for row in ops.BUILTIN[3:]:
        letters = [
            row.takes[min(i, len(row.takes) - 1)]
            for i in range(max(row.arity, 2) if row.arity < 0 else row.arity)
        ]
        term = rw.apply(row, *[args["b" if letter == "b" else "r"] for letter in letters])
        points = {"x": [0.5, -0.25, 0.0], "y": [0.25, 2.0, 0.0]}
        found = one(fpcore.write(term)).term
        np.testing.assert_array_equal(rw.evaluate(term, points), rw.evaluate(found, points))


def test_properties_survive() -> None:
    text = (
        '(FPCore f (x) :name "n" :precision binary32 :pre (and (<= 0 x) (<= x 2)) '
        ':spec (+ x 1/3) :cite (a (b 1)) :note "two words" (+ x x))'
    )
    assert fpcore.write(one(text)) == text
    again = pickle.loads(pickle.dumps(one(text)))
    assert again == one(text) and fpcore.write(again) == text


def test_names_that_are_not_allowed() -> None:
    odd = rw.symbol("PI", low=1, high=2) + rw.symbol("v_PI") + rw.symbol("t0") + rw.symbol("\u03b1")
    core = one(fpcore.write(odd * odd))
    assert [str(arg) for arg in core.args] == ["v_PI_", "t0", "v_PI", "v__"]
    core = one("(FPCore (t* t& if) (* (- t* t&) if))")
    assert repr(core.term) == "(t_ - t__)*if_"
    with pytest.raises(UnsupportedOp, match="no argument of this benchmark"):
        fpcore.write(fpcore.FPCore((x,), x + y))


def test_deep_and_shared_terms() -> None:
    deep = x
    for _ in range(3_000):
        deep = rw.sin(deep)
    with pytest.raises(ParseError, match="nested deeper"):
        fpcore.parse(fpcore.write(deep))
    shared = x
    for _ in range(2_000):
        shared = shared * shared
    assert one(fpcore.write(shared)).term == shared
    nested = x
    for _ in range(60):
        nested = rw.sign(nested)
    assert len(fpcore.write(nested)) < 10_000
    total = sum((rw.symbol(f"a{i}") for i in range(20_000)), start=rw.const(0))
    assert len(fpcore.write(total)) < 500_000


# -- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize("text, message, line, column", [
    ("(FPCore (x)\n (+ x y))", "unknown name 'y'", 2, 6),
    ("(FPCore (x) (sinn x))", "did you mean sin", 1, 13),
    ("(FPCore (x) (+ x 1 2))", "takes 2 arguments, not 3", 1, 13),
    ("(FPCore (x) (- ))", "takes 1 or 2 arguments", 1, 13),
    ("(FPCore (x) (tgamma x))", "no gamma", 1, 13),
    ("(FPCore (x) (+ x TRUE))", "takes a number", 1, 12),
    ("(FPCore (x) (if x 1 2))", "takes a truth value", 1, 12),
    ("(FPCore (x) x", "never closed", 1, 0),
    ("(FPCore (x) x))", "closes nothing", 1, 14), ("(FPCore (x] x)", r"expected '\)'", 1, 10),
    ("x", r"expected \(FPCore", 1, 0),
    ("(FPCore (x))", "expected .FPCore", 1, 0),
    ("(Core (x) x)", r"expected \(FPCore", 1, 0),
    ("(FPCore (x x) x)", "two arguments", 1, 11),
    ("(FPCore ((A 3)) 1)", "tensors", 1, 9),
    ("(FPCore (3) 1)", "needs a name", 1, 9),
    ("(FPCore (x) (ref x 1))", "tensors", 1, 13),
    ("(FPCore (x) () )", "operator is missing", 1, 12),
    ("(FPCore (x) :pre x)", ":pre has no value", 1, 12),
    ("(FPCore (x) :pre (+ x 1) x)", "no condition", 1, 17),
    ("(FPCore (x) :pre (< 1 x 0) x)", "leaves no value", 1, 9),
    ("(FPCore (x) :precision binary16 x)", "binary64 and binary32", 1, 23),
    ("(FPCore (x) :round toZero x)", "nearestEven", 1, 19),
    ("(FPCore (x) :precision binary32 :round toZero x)", "nearestEven", 1, 39),
    ("(FPCore (x) (! :precision binary32 x))", "one precision", 1, 26),
    ("(FPCore (x) (while (< i x) ([i 0 (+ i 1)]) i))", "depends on the arguments", 1, 19),
    ("(FPCore (x) (while TRUE () x))", "more than 10,000 steps", 1, 12),
    ("(FPCore (x) (while 1 () x))", "condition is expected", 1, 19),
    ("(FPCore (x) (for ([i 200] [j 200]) () x))", "40,000 steps", 1, 12),
    ("(FPCore (x) (for ([i x]) () x))", "whole number", 1, 21),
    ("(FPCore (x) (let ([a 1] [a 2]) a))", "bound twice", 1, 24),
    ("(FPCore (x) (let (a) a))", "name value", 1, 18),
    ("(FPCore (x) 1e99999)", "largest allowed", 1, 12),
    ('(FPCore (x) "t")', "a text is no expression", 1, 12),
    ('(FPCore (x) :name "t x)', "no end", 1, 18),
    ("(FPCore (x) {x})", "no FPCore", 1, 12),
    ("(FPCore (x) 1e4000)", None, 1, 0),
    ("(FPCore (x) (digits 1 1))", "whole numbers", 1, 12),
    ("(FPCore (x) (digits 1 1 1))", "base of at least 2", 1, 12),
])  # fmt: skip
def test_bad_input(text: str, message: str | None, line: int, column: int) -> None:
    if message is None:
        assert one(text).term == rw.const(math.inf)
        return
    with pytest.raises(ParseError, match=message) as caught:
        fpcore.parse(text)
    assert (caught.value.lineno, caught.value.column) == (line, column), str(caught.value)


def test_files(tmp_path: Path) -> None:
    cores = fpcore.read(DATA / "cancellation.fpcore")
    assert len(cores) == len({core.name for core in cores}) == 20
    for core in cores:
        assert rw.accuracy(core.term, core.points(64), core.dtype).valid > 32
        assert one(fpcore.write(core)) == core
    bad = tmp_path / "bad.fpcore"
    bad.write_text("\n(FPCore (x) (+ x))")
    with pytest.raises(ParseError, match=r"bad\.fpcore, line 2: \+ takes 2 arguments, not 1"):
        fpcore.read(bad)


@pytest.mark.parametrize(("name", "symbol"), [("0x", "_0x"), ("1*", "_1_"), ("t*", "t_")])
def test_names_that_no_symbol_can_have(name: str, symbol: str) -> None:
    core = one(f"(FPCore ({name}) (+ {name} 1))")
    assert [str(argument) for argument in core.args] == [symbol]
