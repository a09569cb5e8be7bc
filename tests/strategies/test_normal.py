# ruff: noqa: B002 (a double negation of terms is meant)
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import rewrite as rw
from rewrite.evaluate import evaluate
from rewrite.fastmath import FastMath
from rewrite.term import Term, apply, const
from strategies import bottomup, innermost, try_
from strategies.normal import EXACT, FOLDING, SHRINKING, Fold, cleanup, fold

x, y = rw.symbols("x y")
STRICT = Fold(FastMath.NONE)
ODD = [
    0,
    1,
    -1,
    2,
    7,
    -3,
    Fraction(1, 3),
    Fraction(-5, 2),
    0.5,
    -0.0,
    0.1,
    1e16,
    1e308,
    2**60,
    True,
]


@pytest.mark.parametrize(
    ("term", "value"),
    [
        (const(2) + 3, 5), (const(1) / 3, Fraction(1, 3)), (const(6) / 3, 2), (-const(2), -2),
        (apply("mul", const(2), 3, Fraction(1, 6)), 1), (const(2) ** 10, 1024),
        (const(2) ** -2, Fraction(1, 4)), (const(0) ** 0, 1),
        (const(Fraction(2, 3)) ** 2, Fraction(4, 9)),
        (rw.minimum(const(2), 3), 2), (rw.abs(const(-2)), 2), (rw.sign(const(-0.5)), -1.0),
        (rw.sqrt(const(Fraction(4, 9))), Fraction(2, 3)), (rw.floor(const(Fraction(-1, 2))), -1),
        (rw.round(const(Fraction(5, 2))), 2), (const(0.5) + 0.25, 0.75), (const(0.5) + 1, 1.5),
        (const(1.0) - 1.0, 0.0), (const(-1.0) * 0.0, -0.0), (const(1) < 2, True),
        (rw.eq(const(1), 1.0), True), (~(const(1) < 2), None), (rw.fma(const(2), 3, 4), 10),
    ],
    ids=str,
)  # fmt: skip
def test_fold(term: Term, value: Any) -> None:
    made = fold(term)
    assert made == (None if value is None else const(value))


@pytest.mark.parametrize(
    "term",
    [
        x, const(1), x + 1, const(1) / 0, const(0) ** -1, const(0.1) + 0.2, const(0.0) / 0.0,
        rw.pi * 2, rw.sqrt(const(2)), rw.sqrt(const(-1)), const(2) ** 0.5, rw.sin(const(0)),
        const(math.inf) - 1.0, const(math.nan) + 1, const(1e308) * 10.0, const(2) ** 5000,
        const(-1) ** Fraction(1, 2), const(Fraction(1, 3)) * 0.5, const(5e-324) * 0.5,
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_folded(term: Term) -> None:
    assert fold(term) is None


def test_choices_and_logic() -> None:
    yes, no = const(True), const(False)
    assert fold(rw.where(yes, x, y)) == x and fold(rw.where(no, x, y)) == y
    assert fold(yes & (x < 1)) == (x < 1) and fold((x < 1) & no) == no
    assert fold(no | (x < 1)) == (x < 1) and fold((x < 1) | yes) == yes
    assert fold(yes & yes) == yes and fold(no | no) == no and fold(~yes) == no
    assert fold(apply("and", x < 1, yes, y < 1)) == (x < 1) & (y < 1)
    assert fold((x < 1) & (y < 1)) is None and fold(rw.where(x < 1, 1, 1)) is None


def test_without_a_licence_no_bit_changes() -> None:
    assert STRICT(const(1) / 3) is None and STRICT(const(2**60) + 1) is None
    assert STRICT(-const(0)) is None and fold(-const(0)) == const(0)
    assert STRICT(const(1) / 4) == const(Fraction(1, 4)) and STRICT(const(2) + 3) == const(5)
    assert STRICT(rw.eq(const(2**53), const(2**53 + 1))) is None


@given(
    st.sampled_from(sorted(EXACT)), st.lists(st.sampled_from(ODD), min_size=3, max_size=3),
    st.sampled_from([STRICT, fold]),
)  # fmt: skip
def test_folding_keeps_the_value(code: int, values: list[Any], folder: Fold) -> None:
    row = rw.ops.OPS[code]
    args = values[: row.arity if row.arity > 0 else 2]
    assume(all((row.takes[0] == "b") == isinstance(value, bool) for value in args))
    term = apply(row, *args)
    made = folder(term)
    if made is None:
        return
    before, after = evaluate(term), evaluate(made)
    if folder is STRICT:
        assert before == after and np.signbit(before) == np.signbit(after)
    else:
        assert np.isclose(float(before), float(after), rtol=1e-15, atol=0) or before == after


def test_a_term_is_folded_bottom_up() -> None:
    term = (const(2) * 3 - 6) * x + rw.where(const(1) < 2, y, x / (const(1) - 1))
    assert bottomup(try_(fold))(term) == 0 * x + y
    assert str(fold) == "fold" and fold == Fold() != STRICT


def test_constants_are_folded_wherever_they_stand() -> None:
    fold_all = innermost(FOLDING)
    assert fold_all((2 + x) + (3 + y)) == apply("add", 5, x, y)
    assert fold_all(2 * (x * Fraction(1, 2))) == 1 * x
    assert fold_all(apply("mul", 2, x, 3, y, 5)) == apply("mul", 30, x, y)
    assert fold_all(0.1 + (x + 0.2)) is None or fold_all(0.1 + (x + 0.2)) == 0.1 + (x + 0.2)
    assert fold_all(("add", 2, ("add", "u", 3))) == ("add", 5, "u")
    assert fold_all(rw.pi + (x + 1)) == rw.pi + (x + 1)


def test_cleanup() -> None:
    assert cleanup()(0 * x + y * 1 - (x - x)) == y
    assert cleanup()(-(-x) + -y) == x - y
    assert cleanup("strict")(x + 0) == x + 0 and cleanup("strict")(x * 1 - 0) == x
    assert cleanup(FastMath.NSZ)(x + 0) == x
    assert cleanup("strict")(x - x) == x - x and cleanup()(x / x) == x / x
    p = rw.symbol("p", low=1)
    assert cleanup()(p / p) == const(1)
    assert str(cleanup()) == "innermost(fold <+ shrinking)"


def grown() -> st.SearchStrategy[Term]:
    leaves = st.sampled_from([x, y, *map(const, (0, 1, -1, 2, 0.5, Fraction(1, 3)))])

    def extend(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
        binary = st.sampled_from(["add", "sub", "mul", "div", "minimum"])
        return st.builds(apply, binary, inner, inner) | st.builds(lambda t: -t, inner)

    return st.recursive(leaves, extend, max_leaves=10)


@given(grown(), st.floats(-4, 4), st.floats(-4, 4))
def test_cleanup_ends_shrinks_and_keeps_the_value(term: Term, u: float, v: float) -> None:
    for math_ in ("strict", "guarded"):
        made = cleanup(math_)(term)
        assert made.node_count() <= term.node_count() + 1  # a - -b may need the bare b as well
        assert cleanup(math_)(made) == made
        before, after = evaluate([term, made], {"x": u, "y": v})
        if math_ == "strict":
            assert np.array_equal(before, after, equal_nan=True)
            assert np.isnan(before) or np.signbit(before) == np.signbit(after)


def test_no_shrinking_law_makes_a_term_larger() -> None:
    for rule in SHRINKING:
        bare = Fold()  # the table is trusted for its values, not for its direction
        assert rule.rhs.node_count() <= rule.lhs.node_count(), rule
        assert bare(rule.lhs) is None
    assert innermost(SHRINKING)(x) == x
