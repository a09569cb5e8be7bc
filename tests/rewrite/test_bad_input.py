"""Every mistake is a clear error when terms are built or compiled, at once and in little memory."""

import math
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from rewrite.errors import (
    ArgumentError,
    DomainError,
    ParseError,
    PatternError,
    RewriteError,
    SortError,
    TargetError,
    TraceError,
    UnsupportedOp,
)
from rewrite.fastmath import FastMath
from rewrite.rule import Rule, ruleset

SECONDS, BYTES = 0.1, 50 << 20

symbol: Any = rw.symbol  # to pass what the annotations forbid
x, y = symbol("x"), symbol("y")
a, b = rw.pattern_vars("a b")


def branch() -> Any:
    return x if y else 1


CASES: dict[str, tuple[Callable[[], Any], type[RewriteError], str]] = {
    "unknown function in text": (
        lambda: rw.parse("sine(x)"),
        ParseError,
        "unknown function 'sine'; did you mean sin",
    ),
    "unknown name in text": (
        lambda: rw.parse("vel", ["velocity"], strict=True),
        ParseError,
        "unknown name 'vel'",
    ),
    "wrong arity in text": (
        lambda: rw.parse("atan2(x)"),
        ParseError,
        "atan2 takes 2 arguments, not 1",
    ),
    "wrong arity": (lambda: rw.apply("atan2", x), SortError, "atan2 takes 2 arguments, not 1"),
    "unknown op": (lambda: rw.apply("sine", x), UnsupportedOp, "no op is called 'sine'; ops: "),
    "if": (branch, TraceError, r"truth value of the term y .*rw\.where\(condition, a, b\)"),
    "if in text": (lambda: rw.parse("x if y else z"), ParseError, r"where\(c, x, y\)"),
    "bool": (lambda: bool(x > y), TraceError, r"the term x > y is not known.*rw\.where"),
    "bool of an array": (lambda: bool(rw.asarray([x, y])), TraceError, r"rw\.where"),
    "unsupported ufunc": (
        lambda: np.frexp(x),
        UnsupportedOp,
        r"np\.frexp .*supported: absolute, add",
    ),
    "unsupported function": (
        lambda: np.cov(rw.asarray([x])),
        UnsupportedOp,
        r"np\.cov .*supported: absolute",
    ),
    "math.sin": (lambda: math.sin(x), TraceError, "the term x has free symbols"),
    "infinite bound": (
        lambda: rw.symbol("q", low=-math.inf),
        DomainError,
        "low=-inf of symbol 'q' is not finite",
    ),
    "NaN bound": (lambda: rw.symbol("q", high=math.nan), DomainError, "high=nan of symbol 'q'"),
    "empty domain": (
        lambda: rw.symbol("q", low=2, high=1),
        DomainError,
        r"\[2, 1\] of symbol 'q' is empty",
    ),
    "complex symbol": (
        lambda: rw.symbol("q", dtype="complex64"),
        SortError,
        "'q' cannot have dtype complex64",
    ),
    "text symbol": (lambda: rw.symbol("q", dtype="U3"), SortError, "'q' cannot have dtype str96"),
    "no dtype at all": (
        lambda: rw.symbol("q", dtype="nope"),
        SortError,
        "'q' cannot have dtype 'nope'",
    ),
    "a bound that is text": (
        lambda: symbol("q", low="zero"),
        DomainError,
        "low='zero' of symbol 'q' is not a number",
    ),
    "complex number": (lambda: x + 1j, UnsupportedOp, "complex constants are not supported: 1j"),
    "duplicated argument": (
        lambda: rw.compile([x, y, x], x + y),
        ArgumentError,
        "symbol 'x' is given twice",
    ),
    "duplicated in arrays": (
        lambda: rw.compile([[x, y], x], x + y),
        ArgumentError,
        "symbol 'x' is given twice",
    ),
    "free symbol": (
        lambda: rw.compile([x], x + y),
        ArgumentError,
        r"free symbol 'y', .*\(x\); add it",
    ),
    "argument that is a term": (
        lambda: rw.compile([x + 1], x),
        ArgumentError,
        r"argument 1 has x \+ 1, which is not a symbol",
    ),
    "no expression": (lambda: rw.compile([x], ()), ArgumentError, "no expression"),
    "integer kernel": (
        lambda: rw.compile([x], x, dtype="int64"),
        TargetError,
        "float64 or float32, not in 'int64'",
    ),
    "complex kernel": (
        lambda: rw.compile([x], x, dtype=complex),
        TargetError,
        "float64 or float32",
    ),
    "unknown target": (
        lambda: rw.compile([x], x, target="z80"),
        TargetError,
        "no target 'z80'; choices: native",
    ),
    "unknown math": (
        lambda: rw.compile([x], x, math="quick"),
        UnsupportedOp,
        "math='quick'; choose 'strict'",
    ),
    "unknown cost": (lambda: rw.optimize(x, cost="gold"), RewriteError, "gold"),
    "unbound right side": (
        lambda: Rule("r", a + 1, a + b),
        PatternError,
        r"rule 'r': the right side has the variable b.*\?a \+ 1 lacks",
    ),
    "rule that matches anything": (lambda: Rule("r", a, a + 0), PatternError, "matches anything"),
    "rule in a table": (
        lambda: ruleset("t", FastMath.NONE, ("r", a * 1, b)),
        PatternError,
        "rule 'r': .* variable b",
    ),
    "two rules of one name": (
        lambda: ruleset("t", FastMath.NONE, ("r", a * 1, a), ("r", a + 0, a)),
        PatternError,
        "two rules called 'r'",
    ),
    "a row that is no rule": (
        lambda: ruleset("t", FastMath.NONE, ("r", a)),
        PatternError,
        "3 or 4 entries, not 2",
    ),
    "power tower": (lambda: rw.parse("9**9**9**9"), ParseError, "integer exponents go up to 10000"),
    "a million parentheses": (
        lambda: rw.parse("(" * 10**6),
        ParseError,
        "1,000,000 characters; 100,000 are allowed",
    ),
    "deep parentheses": (lambda: rw.parse("(" * 50_000), ParseError, "deeper than 1000"),
    "ten megabytes": (lambda: rw.parse("x + " * (5 << 19)), ParseError, "10,485,760 characters"),
    "code in text": (
        lambda: rw.parse("__import__('os')"),
        ParseError,
        "unknown function '__import__'",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_named_at_once(name: str) -> None:
    action, error, words = CASES[name]

    def attempt() -> None:
        with pytest.raises(error, match=words):
            action()

    attempt()  # what is needed is imported
    seconds = []
    for _ in range(3):
        before = time.process_time()
        attempt()
        seconds.append(time.process_time() - before)
    tracemalloc.start()
    try:
        attempt()
        memory = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert min(seconds) < SECONDS and memory < BYTES


@pytest.mark.parametrize("name", CASES)
def test_messages_are_short_and_no_builtin_is_lost(name: str) -> None:
    action, error, _ = CASES[name]
    with pytest.raises(error) as caught:
        action()
    assert 10 < len(str(caught.value)) < 2000
    assert isinstance(caught.value, (TypeError, ValueError, SyntaxError))


def test_a_dtype_that_cannot_be_cast_is_refused_by_the_kernel() -> None:
    f = rw.compile([x], x + 1, optimize_terms=False)
    for wrong in (np.array([1j]), np.array(["1"]), np.array([None])):
        with pytest.raises(TypeError, match="kernel"):
            f(wrong)


def test_a_huge_term_is_named_in_few_words() -> None:
    term = x
    for _ in range(200):
        term = term * term
    with pytest.raises(TraceError) as caught:
        bool(term > 0)
    assert len(str(caught.value)) < 300


def test_findings_of_a_sceptic() -> None:
    """What once escaped as an error of Python's own, or was taken without a word."""
    from rewrite.fastmath import FastMath
    from rewrite.leaves import pattern_vars
    from rewrite.rule import Rule, ruleset

    a, b = pattern_vars("a b")
    x = rw.symbol("x")
    with pytest.raises(rw.errors.DomainError, match="beyond the largest double"):
        rw.symbol("q", low=10**400)
    with pytest.raises(rw.errors.ArgumentError, match="limits=5"):
        rw.compile([x], x + 1, limits=5)
    with pytest.raises(rw.errors.PatternError, match="'nonsense' is no condition"):
        ruleset("r", FastMath.NONE, ("n", a / a, 1, "nonsense"))
    with pytest.raises(rw.errors.PatternError, match="left side is a number"):
        ruleset("r", FastMath.NONE, ("n", a + b, a < b))
    with pytest.raises(rw.errors.PatternError, match="is no FastMath"):
        Rule("n", a + b, b + a, (), "fast")  # type: ignore[arg-type]
    with pytest.raises(rw.errors.UnsupportedOp, match=r"np\.linalg\.svd"):
        np.linalg.svd(rw.asarray([[x, 1], [0, x]]))
