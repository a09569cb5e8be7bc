"""Proofs of rules: most have one, false ones have none, and the README lists them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import rewrite as rw
from rewrite import rulecheck
from rewrite.certificates import KINDS, Certificate, listing, prover, smallfloats, words
from rewrite.errors import RewriteError
from rewrite.fastmath import FastMath
from rewrite.functions import FUNCTIONS
from rewrite.lawcheck import of_numbers
from rewrite.leaves import pattern_vars
from rewrite.rule import Condition, Rule, ruleset
from rewrite.sorts import INT, MATRIX
from rewrite.term import Term

RULES = listing.rules()
NUMBERS = [rule for rule in RULES if of_numbers(rule)]
GUARDED = [(rule, condition) for rule in NUMBERS for condition in rule.where]
USEFUL_ONLY = ("exp-of-product",)
"""Rules whose condition is not for soundness."""
EVERY = 12
"""One rule in so many is proved anew in each run, all of them by night."""


def name(rule: Rule) -> str:
    return rule.name


# -- what is shipped -------------------------------------------------------------------------


def listed_rows() -> dict[str, str]:
    page = listing.PAGE.read_text(encoding="utf-8").partition(listing.START)[2]
    rows = [line for line in page.split("\n") if "` | `" in line]
    return {row.split("`")[1]: row + "\n" for row in rows}


def kinds() -> list[str]:
    return [row.rsplit("| ", 1)[1].split(" |")[0].split(":")[0] for row in listed_rows().values()]


def test_the_page_lists_every_rule() -> None:
    rows = listed_rows()
    assert list(rows) == [rule.name for rule in RULES]
    for rule in RULES:
        assert rows[rule.name].startswith(listing.row(rule, Certificate("")).removesuffix("|  |\n"))


def test_most_rules_are_proved() -> None:
    found = kinds()
    assert set(found) <= set(KINDS)
    assert found.count("sampled") <= 0.2 * len(found)
    assert f"Of {len(found)} rules {len(found) - found.count('sampled')} are proved" in (
        listing.PAGE.read_text(encoding="utf-8")
    )


def test_certificates_are_as_listed() -> None:
    rows = listed_rows()
    for rule in RULES[::EVERY]:
        assert rows[rule.name] == listing.row(rule, rule.certificate)


@pytest.mark.nightly
def test_the_page_is_as_generated() -> None:
    """`python -m rewrite.certificates` writes it."""
    text = listing.PAGE.read_text(encoding="utf-8")
    assert text == listing.updated(text)


@pytest.mark.nightly
def test_every_rule_holds_at_special_points() -> None:
    """At a million others `test_rules.py` tries them by night."""
    for rule in NUMBERS:
        verdict = rulecheck.extremes(rule)
        assert verdict.holds, str(verdict)
        if rule.licence == FastMath.NONE:
            assert (verdict := rulecheck.bits(rule, seed=1)).holds, str(verdict)
        else:
            assert not rulecheck.unlicensed(rule, seed=1), rule


@pytest.mark.parametrize("rule", NUMBERS[::EVERY], ids=name)
def test_holds_at_special_points(rule: Rule) -> None:
    verdict = rulecheck.extremes(rule)
    assert verdict.holds, str(verdict)


# -- what is false has no proof --------------------------------------------------------------

a, b, c = pattern_vars("a b c")
A, B = pattern_vars("A B", sort=MATRIX)
(n,) = pattern_vars("n", sort=INT)
sqrt, exp, log, sin, cos, tan, asin, where, minimum, floor, cbrt = (
    FUNCTIONS[f] for f in "sqrt exp log sin cos tan asin where minimum floor cbrt".split()
)
# fmt: off
FALSE = ruleset("false", FastMath.FAST,
    ("coefficient",             (a + b) * (a + b),          a * a + 3 * (a * b) + b * b),
    ("sign-flipped",            a * a - b * b,              (a - b) * (b - a)),
    ("quotient-unguarded",      a / a,                      1),
    ("wider",                   (a * c) / (b * c),          a / b),
    ("root-of-square",          sqrt(a * a),                a),
    ("root-squared",            sqrt(a) * sqrt(a),          a),
    ("root-apart",              sqrt(a * b),                sqrt(a) * sqrt(b)),
    ("root-of-conjugate",       (a - b) / (sqrt(a) - sqrt(b)), sqrt(a) + sqrt(b)),
    ("log-of-product",          log(a * b),                 log(a) + log(b)),
    ("power-of-power",          (a**b)**c,                  a**(b * c)),
    ("exp-of-product",          exp(a * b),                 exp(a) * exp(b)),
    ("cosine-of-sum",           cos(a + b),                 cos(a) * cos(b) + sin(a) * sin(b)),
    ("pythagoras",              sin(a) * sin(a) - cos(a) * cos(a), 1),
    ("beyond-the-range",        asin(sin(a)),               a),
    ("tangent-widened",         tan(a) * cos(a),            sin(a)),
    ("floor-of-sum",            floor(a + b),               floor(a) + floor(b)),
    ("where-swapped",           where(a < b, a, b),         where(b < a, a, b)),
    ("minimum-of-products",     minimum(a * c, b * c),      minimum(a, b) * c),
    ("square-root-below",       sqrt(a) < b,                a < b * b),
    ("zero-to-zero",            a**b * a**-b,               1),
    ("cube-root-as-power",      cbrt(a),                    a**(1 / rw.const(3, a.store))),
    ("matrices-commute",        A * B,                      B * A),
    ("matrix-square",           (A + B) * (A + B),          A * A + 2 * (A * B) + B * B),
    ("matrix-divisor",          (a * A) / a,                A),
)
INEXACT = ruleset("inexact", FastMath.NONE,
    ("add-then-sub",            (a + b) - a,                b),
    ("mul-by-zero",             a * 0,                      0),
    ("add-positive-zero",       a + 0,                      a),
    ("associate",               (a + b) + c,                a + (b + c)),
    ("third",                   a / 3,                      a * (1 / rw.const(3, a.store))),
    ("not-less",                ~(a < b),                   b <= a),
)
# fmt: on


@pytest.mark.parametrize("rule", [*FALSE, *INEXACT], ids=name)
def test_false_rule_has_no_certificate(rule: Rule) -> None:
    assert not rule.certificate.proved


@pytest.mark.parametrize("first", range(4))
def test_no_proof_without_a_condition(first: int) -> None:
    def dropped(rule: Rule, condition: Condition) -> Rule:
        return replace(rule, where=tuple(given for given in rule.where if given != condition))

    proved = {
        rule.name
        for rule, condition in GUARDED[first::4]
        if prover.cases(dropped(rule, condition)) is not None
    }
    assert proved <= set(USEFUL_ONLY)


SWAPS = {
    "add": "sub", "sub": "add", "mul": "add", "div": "mul", "neg": "abs", "abs": "neg",
    "lt": "le", "le": "lt", "eq": "ne", "and": "or", "or": "and", "minimum": "maximum",
    "maximum": "minimum", "sin": "cos", "cos": "sin", "sinh": "cosh", "cosh": "sinh",
    "floor": "ceil", "ceil": "floor", "exp": "expm1", "log": "log1p", "sqrt": "cbrt",
}  # fmt: skip


def mutants(term: Term) -> Iterator[Term]:
    """Yield a term with one op or number changed, or two operands exchanged."""
    args, op = term.args, term.op.name
    if op in SWAPS:
        yield rw.apply(SWAPS[op], *args)
    if op in ("sub", "div", "pow"):
        yield rw.apply(op, args[1], args[0])
    if op == "const" and type(term.value) is int:
        yield rw.const(term.value + 1, term.store)
    for place, arg in enumerate(args):
        for other in mutants(arg):
            yield rw.apply(op, *args[:place], other, *args[place + 1 :])


def mutated(rules: list[Rule]) -> Iterator[Rule]:
    for rule in rules:
        for side in mutants(rule.rhs):
            if side not in (rule.lhs, rule.rhs):
                try:
                    yield replace(rule, rhs=side)
                except RewriteError:
                    continue


def check_mutants(rules: list[Rule], points: int) -> int:
    """Assert that what is proved of changed rules holds at points; count what is not proved."""
    refused = 0
    for rule in mutated(rules):
        if prover.cases(rule) is None:
            refused += 1
        else:
            verdict = rulecheck.real(rule, points)
            assert verdict.holds or "to be tried" in str(verdict), str(verdict)
    return refused


def test_a_changed_rule_is_proved_only_if_it_holds() -> None:
    assert check_mutants(NUMBERS[5::25], 500) > 50


@pytest.mark.nightly
def test_changed_rules_are_proved_only_if_they_hold() -> None:
    assert check_mutants(NUMBERS, 5_000) > 1500


# -- small formats ---------------------------------------------------------------------------


def test_rounding_to_half_precision_is_numpys() -> None:
    import numpy as np

    form = smallfloats.Format(5, 10)
    random = np.random.default_rng(0)
    x = random.standard_normal(20_000) * np.exp2(random.integers(-30, 20, 20_000))
    x = np.concatenate([x, form.values(), [65519.0, 65520.0, 2.0**-25, 3 * 2.0**-26]])
    with np.errstate(over="ignore"):
        expected = x.astype(np.float16).astype(float)
    assert rulecheck.same_bits(form.rounded(x), expected).all()


@pytest.mark.parametrize("form", smallfloats.FORMATS, ids=lambda form: form.name)
def test_a_format_keeps_its_numbers(form: smallfloats.Format) -> None:
    values = form.values()
    assert rulecheck.same_bits(form.rounded(values), values).all()
    assert len(set(values.tolist())) >= 2 ** (form.exponent + form.fraction)


# -- what proofs are of ----------------------------------------------------------------------


def test_kinds() -> None:
    found = {
        "identity": ruleset("r", FastMath.FAST, ("r", (a + b)**2, a * a + 2 * a * b + b * b)),
        "algebraic": ruleset("r", FastMath.FAST, ("r", exp(a) * exp(-a), 1)),
        "definition": ruleset("r", FastMath.FAST, ("r", abs(a) * abs(a), a * a)),
        "words": ruleset("r", FastMath.FAST, ("r", (A + B) * A, A * A + B * A)),
        "sampled": ruleset("r", FastMath.FAST, ("r", a + 1, a)),
    }  # fmt: skip
    assert {kind: group.rules[0].certificate.kind for kind, group in found.items()} == {
        kind: kind for kind in KINDS
    }


def test_a_rule_that_computes_is_sampled() -> None:
    def total(x: Term, y: Term) -> Any:
        return x + y

    (rule,) = ruleset("r", FastMath.FAST, ("r", a + b, rw.compute(total, a, b)))
    assert str(rule.certificate) == "sampled"


def test_powers_of_matrices_are_sampled() -> None:
    assert not words.equal(ruleset("r", FastMath.FAST, ("r", A**n * A, A ** (n + 1))).rules[0])
