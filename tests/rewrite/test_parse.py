"""Formulas from text: Python's meaning, and a bounded, placed refusal of everything else."""

import ast
import math
import pickle
import time
import traceback
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import rewrite as rw
from rewrite.errors import ParseError, UnsupportedOp
from rewrite.io.grammar import FUNCTIONS, MAX_DEPTH, MAX_LENGTH, Macro
from rewrite.io.parse import parse

SECONDS, BYTES = 0.5, 50 << 20  # what is not bounded takes minutes; machines differ


@pytest.mark.parametrize(
    ("text", "sexpr"),
    [
        ("a*x + a*y", "(add (mul a x) (mul a y))"), ("a - b - c", "(sub (sub a b) c)"),
        ("a/b*c", "(mul (div a b) c)"), ("a**b**c", "(pow a (pow b c))"),
        ("-x**2", "(neg (pow x 2))"),
        ("(-x)**2", "(pow (neg x) 2)"), ("2**-x**y", "(pow 2 (neg (pow x y)))"),
        ("-x*y", "(mul (neg x) y)"),
        ("-2", "-2"), ("-2**2", "(neg (pow 2 2))"), ("(-2)**2", "(pow -2 2)"), ("-(2)", "(neg 2)"),
        ("--2", "(neg -2)"), ("- 2.5", "-2.5"), ("+x", "x"), ("+2", "2"), ("-inf", "-inf"),
        ("-pi", "(neg pi)"),
        ("1/2", "(div 1 2)"), ("0.1", "0.1"), (".5", "0.5"), ("5.", "5.0"), ("1e3", "1000.0"),
        ("1_000", "1000"),
        ("1.5E-3", "0.0015"), ("00", "0"), ("9007199254740993", "9007199254740993"),
        ("pi + e", "(add pi e)"), ("True & p", None), ("nan", "nan"),
        ("where(True, x, 1)", "(where True x 1)"),
        ("a < b", "(lt a b)"), ("a <= b", "(le a b)"), ("a == b", "(eq a b)"),
        ("a != b", "(ne a b)"),
        ("a < b < c", "(and (lt a b) (lt b c))"),
        ("a < b <= c > d", "(and (and (lt a b) (le b c)) (gt c d))"),
        ("a < b and c < d or not e > f", "(or (and (lt a b) (lt c d)) (not (gt e f)))"),
        ("not not a < b", "(not (not (lt a b)))"),
        ("(a < b) & ~(c < d) | (a > 1)", "(or (and (lt a b) (not (lt c d))) (gt a 1))"),
        ("a + b < c * d", "(lt (add a b) (mul c d))"),
        ("ln(x)", "(log x)"), ("arcsin(x)", "(asin x)"), ("abs(x)", "(abs x)"),
        ("power(x, 2)", "(pow x 2)"),
        ("pow(x, 2)", "(pow x 2)"), ("min(x, y, z)", "(minimum (minimum x y) z)"),
        ("max(x, y)", "(maximum x y)"),
        ("rint(x)", "(round x)"), ("fma(x, y, z)", "(fma x y z)"), ("atan2(y, x)", "(atan2 y x)"),
        ("where(x < 0, -x, x)", "(where (lt x 0) (neg x) x)"), ("sin(x)**2", "(pow (sin x) 2)"),
        ("sin (x,)", "(sin x)"),
        ("(x\n + y)", "(add x y)"), ("\n x ", "x"), ("  x \n\n", "x"),
        ("min(x,\r\n\ty)", "(minimum x y)"), ("x\t*\fy", "(mul x y)"),
        ("λ + x_1", "(add λ x_1)"), ("x**2.5e9", "(pow x 2500000000.0)"),
        ("x**10000", "(pow x 10000)"),
        ("2**3**2", "(pow 2 (pow 3 2))"), ("x**-2", "(pow x -2)"), ("2*-x", "(mul 2 (neg x))"),
        ("eq(x, y)", "(eq x y)"),
    ],
)  # fmt: skip
def test_python_syntax(text: str, sexpr: str | None) -> None:
    if sexpr is None:
        assert parse(text, [rw.symbol("p", dtype="bool")]).sexpr() == "(and True p)"
    else:
        assert parse(text).sexpr() == sexpr


def test_names() -> None:
    x = rw.symbol("x", low=0)
    assert parse("x + y", [x]).free_symbols == (x, rw.symbol("y"))
    assert parse("x + y", {"x": x * 2, "y": x}) == x * 2 + x
    assert parse("e * pi", ["e"]).sexpr() == "(mul e pi)"
    assert parse("e", ["e"]).symbol is not None and parse("e").value is not None
    assert parse("sin + 1", ["sin"]).sexpr() == "(add sin 1)"
    assert parse("lambda + 1", ["lambda"]).sexpr() == "(add lambda 1)"
    assert parse("x", x) == x and parse("x*y", "x") == parse("x*y")
    assert parse("x + 1", [x], strict=True) == x + 1
    assert parse("ªb") == parse("ab")  # Python's own rule for names that look alike
    with pytest.raises(ParseError, match=r"unknown name 'velocty'; did you mean velocity\?"):
        parse("velocty", ["velocity"], strict=True)
    with pytest.raises(ParseError, match="unknown name 'q'; known: x"):
        parse("x + q", [x], strict=True)
    for wrong in ([x + 1], [3], [None]):
        with pytest.raises(UnsupportedOp, match="symbols= takes symbols"):
            parse("x", wrong)  # type: ignore[arg-type]
    with rw.scope() as store:
        assert parse("x + 1", [x]).store is store


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_has_its_arity(name: str) -> None:
    row = FUNCTIONS[name]
    if isinstance(row, Macro):
        args = ["x"] * row.least
        assert parse(f"{name}({', '.join(args)})").args == rw.symbols(args)
    else:
        args = ["c < 1" if letter == "b" else "x" for letter in row.takes]
        args = (args * 2)[: max(row.arity, 2 if row.arity < 0 else 0)]
        assert parse(f"{name}({', '.join(args)})").op is row
    with pytest.raises(ParseError, match=rf"^{name} takes .*, not 0"):
        parse(f"{name}()")


def message(text: str) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "words", "column"),
    [
        ("x if y else z", "where(c, x, y)", 2), ("x ? y", "'?' is not part", 2),
        ("x ^ 2", "write **", 2),
        ("x @ y", "@ is not supported", 2), ("x << 2", "shifts", 2),
        ("sine(x)", "did you mean sin", 0), ("qqq(x)", "unknown function 'qqq'; known: abs, ", 0),
        ("1 + sin(x, y)", "sin takes one argument, not 2", 4),
        ("atan2(x)", "atan2 takes 2 arguments, not 1", 0),
        ("max(x)", "max takes two or more arguments, not 1", 0),
        ("x(y)", "unknown function 'x'", 0),
        ("pi(x)", "'pi' is not a function; write pi*(...)", 0), ("sin", "call it, as in sin(x)", 0),
        ("(x + y", "never closed", 0), ("x + y)", "closes nothing", 5), ("x +", "should follow", 3),
        ("", "is empty", 0), ("   ", "is empty", 0), ("x y", "operator is missing before 'y'", 2),
        ("2x", "write * between", 0), ("2(x)", "named functions can be called", 1),
        ("(x)(y)", "named functions", 3),
        ("a & b", "truth value", 2), ("a < b & c < d", "bind tighter than comparisons", 6),
        ("(a < b) < c", "lt takes a number", 8), ("not x", "not takes a truth value", 0),
        ("sin(a < b)", "sin takes a number", 0),
        ("x + (a < b)", "add takes a number as argument 2", 2),
        ("a + not b", "put 'not ...' in parentheses", 4), ("*x", "value is missing before '*'", 0),
        ("x * / y", "value is missing before '/'", 4), ("x\ny", "several lines", 1),
        ("x, y", "tuples", 1),
        ("9**9**9**9", "not 387420489", 4), ("x**99999", "up to 10000", 1),
        ("10**10**10", "up to 10000", 2),
        ("pow(2, pow(2, 999))", "larger still", 0), ("x**(9*9**9)", "not 3486784401", 1),
        ("1e999", "too large for a double", 0), ("0x1F", "as a decimal number", 0),
        ("2j", "complex", 0),
        ("012", "cannot begin with 0", 0), ("1__0", "not a number", 0), ("1e", "not a number", 0),
        ("x is y", "write == to compare", 2), ("x = y", "an equation is written ==", 2),
        ("x…", "cut short", 1), ("None", "'None' is Python", 0), ("x in y", "'in' is Python", 2),
    ],
)  # fmt: skip
def test_refusals_say_what_and_where(text: str, words: str, column: int) -> None:
    error = message(text)
    assert words in error.message and error.column == column
    lines = str(error).split("\n")
    assert lines[-1].index("^") == 2 + column
    assert isinstance(error, SyntaxError) and isinstance(error, rw.RewriteError)


def test_errors_travel_and_show_themselves() -> None:
    error = message("a*x + sine(x)")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) and (again.column, again.width) == (6, 4)
    shown = "".join(traceback.format_exception(error))
    assert "  a*x + sine(x)\n" in shown and "^^^^" in shown and "did you mean sin" in shown
    far = message("x + " * 20_000 + "?")
    assert len(str(far)) < 300 and str(far).endswith("^")


ESCAPES = [
    "__import__('os').system('true')", "().__class__.__bases__[0].__subclasses__()", "x.__class__",
    "lambda: x", "lambda x: x", "(lambda: 0)()", "[x for x in y]", "{x for x in y}", "{x: y}",
    "(x for x in y)", "[x]", "{x}", "()", "(x,)", "x[0]", "x[:]", "x[...]", "...", "f'{x}'",
    "f\"{x}\"",
    "'x'", '"x"', "b'x'", "'''x'''", "r'\\x'", "x := 1", "(x := 1)", "x = 1", "x += 1", "x: int",
    "x; y",
    "import os", "from os import *", "def f(): pass", "class A: pass", "return x", "yield x",
    "(yield)",
    "(yield from x)", "await x", "async x", "global x", "del x", "assert x", "raise x", "pass",
    "print x",
    "print(x)", "eval('1')", "exec('1')", "open('f')", "compile(x)", "getattr(x, y)", "globals()",
    "vars()",
    "sin(x=1)", "sin(*x)", "sin(**x)", "sin(x for x in y)", "min(x, key=y)", "sin.real",
    "sin(x).real",
    "sin(x)(y)", "1 .real", "1..real", "x\0", "\0", "x\0y", "x # y", "x \\\n + y", "`x`", "$x",
    "x!", "x?",
    "x -> y", "x <> y", "x === y", "x++", "x--", "@x", "not", "and x", "x or", "x not y", "~",
    "-", "**x",
    "sin(", "sin)", "sin(,)", "sin(,x)", "sin(x,,y)", "(", ")", "((x)", "(x))", "( )", "x[", "]",
    "{", "}",
    "\\", "\x1b[0m",
    "\ud800", "x\u200by", "\uff11", "²", "x²", "∞", "½", "None", "NotImplemented()",
    "__debug__()", "True()", "1()", "1 1", "1.2.3", "0b1", "0o7", "1e5e5", "_ _", "if x: y",
    "x if y", "else",
]  # fmt: skip


@pytest.mark.parametrize("text", ESCAPES, ids=range(len(ESCAPES)))
def test_escapes_are_refused(text: str) -> None:
    assert len(ESCAPES) >= 60
    error = message(text)
    assert 0 <= error.column <= len(text)


def spent(action: Callable[[], object]) -> tuple[float, int]:
    """Return the least CPU time of three runs, and the most memory that one takes."""
    seconds = []
    for _ in range(3):
        before = time.process_time()
        action()
        seconds.append(time.process_time() - before)
    tracemalloc.start()
    try:
        action()
        return min(seconds), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


HOSTILE = {
    "a million parentheses": "(" * 10**6, "closing parentheses": ")" * 10**6,
    "ten megabytes": "x+" * (5 << 20), "ten megabytes of digits": "9" * (10 << 20),
    "power tower": "9**9**9**9", "long tower": "**".join(["9"] * 5000),
    "minus signs": "-" * 90_000 + "x",
    "deep parentheses": "(" * 40_000 + "x" + ")" * 40_000,
    "brackets": "[" * 90_000, "braces": "{" * 90_000,
    "deep calls": "sin(" * 20_000 + "x" + ")" * 20_000,
    "tildes": "~" * 90_000, "nots": "not " * 20_000 + "x",
    "digits": "9" * 90_000, "digits of a float": "0." + "9" * 90_000,
    "underscores": "1" + "_1" * 40_000,
    "a long name": "x" * 90_000, "a long function": "f" * 90_000 + "(x)",
    "an exponent": "1e" + "9" * 90_000,
    "spaces": " " * 99_000, "lines": "\n" * 99_000,
    "null bytes": "\0" * 90_000, "dots": "." * 90_000,
    "commas": "min(" + "," * 90_000, "quotes": "'" * 90_000,
    "product of powers": "x**(" + "*".join(["9**9"] * 3000) + ")",
    "towers in calls": "pow(9," * 20_000, "comparisons": "<".join(["x"] * 3) + "<" * 90_000,
    "a right-deep sum": "x+(" * 30_000, "wrong at the end": "x*" * 5_000 + "?",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused_within_bounds(name: str) -> None:
    text = HOSTILE[name]
    parse("x + sin(1)")  # everything is loaded
    seconds, memory = spent(lambda: message(text))
    assert len(str(message(text))) < 3000
    assert seconds < SECONDS and memory < BYTES


def test_long_flat_formulas_work() -> None:
    terms = [f"x{k % 7}*{k}" for k in range(10_000)]
    text = " + ".join(terms)
    assert MAX_LENGTH / 2 < len(text) <= MAX_LENGTH
    assert parse(text).op.name == "add"
    assert parse("max(" + ",".join("x" * 1000) + ")").node_count() == 1000
    deepest = "(" * (MAX_DEPTH - 1) + "x" + ")" * (MAX_DEPTH - 1)
    assert parse(deepest) == rw.symbol("x")
    assert f"deeper than {MAX_DEPTH}" in message(f"(({deepest}))").message
    assert parse("x" + " < x" * 2000).op.name == "and"


def test_what_is_no_text() -> None:
    for wrong in (b"x", None, 3):
        with pytest.raises(UnsupportedOp, match="parse takes text"):
            parse(wrong)  # type: ignore[arg-type]


@given(st.text(alphabet="xy12.+-*/%()<>=!&|~, \ne_[]'\"ifnotadr", max_size=30))
@example("x<y<z")
@example("-2**-2")
@example("not x<y==z")
def test_any_text_is_read_as_python_reads_it_or_refused(text: str) -> None:
    try:
        term = parse(text)
    except ParseError as error:
        assert 0 <= error.column <= len(text) and str(error)
        return
    ast.parse(text.strip(), mode="eval")  # what is accepted is Python
    assert isinstance(term, rw.Term)


numeric = st.recursive(
    st.integers(0, 9).map(str) | st.floats(0, 10).map(repr),
    lambda inner: (
        st.builds("{} {} {}".format, inner, st.sampled_from("+-*/"), inner)
        | st.builds("({})".format, inner)
        | st.builds("-{}".format, inner)
        | st.builds("{}**{}".format, st.integers(1, 9), st.integers(-2, 3))
    ),
    max_leaves=8,
)


@given(numeric)
def test_numbers_mean_what_they_mean_in_python(text: str) -> None:
    try:
        expected = eval(text)
    except (ZeroDivisionError, OverflowError):
        return
    found = float(parse(text))
    assert math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("text", ["exp(x*)", "3*exp(2 +)", "atan2(x, y/)", "min(1, -)", "abs(not)"])
def test_an_operand_that_is_missing_in_a_call(text: str) -> None:
    with pytest.raises(ParseError, match=r"a value is missing before '\)'"):
        parse(text)
