"""Sorts: one mechanism types, commutes and regroups; no law crosses from one sort to another."""

import itertools
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite import lawcheck, ops, signatures
from rewrite.critical import unify
from rewrite.dag import Dag
from rewrite.errors import (
    ArgumentError,
    PatternError,
    RewriteError,
    SortError,
    StrategyError,
    UnsupportedOp,
)
from rewrite.fastmath import FastMath
from rewrite.matching import apply_rule, match
from rewrite.rule import Rule, RuleSet, ruleset
from rewrite.rules import ALL, OTHER_SORTS
from rewrite.sorts import BOOL, INT, MATRIX, REAL, SORTS, Sort
from rewrite.store import Store, Symbol
from rewrite.term import Term
from rewrite.tree import canonical, read
from strategies import alltd, bottomup, innermost, oncebu, oncetd, outermost, topdown, try_
from strategies.base import Rules

symbol: Any = rw.symbol  # to pass what the annotations forbid
A, B, C = rw.symbols("A B C", sort=MATRIX)
P, Q, R = rw.pattern_vars("P Q R", sort=MATRIX)
x, y = rw.symbols("x y")
a, b = rw.pattern_vars("a b")
n, p = rw.symbol("n", sort=INT), rw.symbol("p", sort=BOOL)

GROUPS = [group for groups in OTHER_SORTS.values() for group in groups]
LAWS = [rule for group in GROUPS for rule in group]
EVERY = RuleSet("every", tuple(rule for group in (*ALL, *GROUPS) for rule in group))

Q8 = rw.sort("quaternion8", sample=lambda random: random.integers(-3, 4, 4))
NATURAL = rw.sort("natural8", isa=INT, sample=lambda random: int(random.integers(0, 9)))
rw.overload("mul", (Q8, Q8), Q8, associative=True)
rw.overload("mul", (REAL, Q8), Q8, commutative=True, associative=True)
TRIPLE = rw.op("triple8", (Q8, REAL, Q8), Q8)
JOIN = rw.op("join8", (Q8, Q8), Q8, nary=True, associative=True)
HERE = (REAL, INT, BOOL, MATRIX, Q8, NATURAL)


def name(rule: Rule) -> str:
    return rule.name


def run(*programs: str) -> str:
    """Run programs one after the other, each in a process of its own; return the last output."""
    text = ""
    for program in programs:
        done = subprocess.run(
            [sys.executable, "-c", program, text],
            env={"PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        text = done.stdout.strip()
    return text


# -- sorts and signatures --------------------------------------------------------------------


def test_what_ops_make_of_matrices() -> None:
    for term in (A + B, A - B, -A, A * B, x * A, A * 2, n * A, A / x, A**2, A**n, A * x * B * y):
        assert term.sort is MATRIX
    assert rw.where(p, A, B).sort is MATRIX and rw.apply("add", A, B, C).sort is MATRIX
    assert (rw.REAL, rw.INT, rw.BOOL, rw.MATRIX) == (0, 1, 2, 3)
    assert repr(MATRIX) == f"{MATRIX}" == "matrix" and A.symbol == Symbol("A", sort_name="matrix")
    assert isinstance(A.sort, Sort) and A != rw.symbol("A") and (A + B).free_symbols == (A, B)


def test_a_sort_takes_the_place_of_its_parent() -> None:
    k, m = rw.symbols("k m", sort=NATURAL)
    assert (k + m).sort is INT and (k / m).sort is REAL and (x + k).sort is REAL
    assert rw.where(p, k, m).sort is NATURAL and rw.where(p, k, n).sort is INT
    assert next(match(a + b, k + m))["a"] == k
    (i,) = rw.pattern_vars("i", sort=INT)
    assert list(match(-i, -k)) == [{"i": k}] and not list(match(-i, -x))
    assert (NATURAL.family, NATURAL.line) == (REAL, (NATURAL, INT, REAL))


def test_which_arguments_may_be_exchanged() -> None:
    mul, add = ops.mul.code, ops.add.code
    assert ops.swaps(add, MATRIX, MATRIX) and not ops.swaps(mul, MATRIX, MATRIX)
    assert (
        ops.swaps(mul, REAL, MATRIX) and ops.swaps(mul, MATRIX, INT) and ops.swaps(mul, REAL, INT)
    )
    assert not ops.swaps(mul, Q8, Q8) and ops.swaps(mul, Q8, NATURAL)
    assert not ops.swaps(add, REAL, MATRIX) and not ops.swaps(add, BOOL, BOOL)
    assert ops.swaps(ops.and_.code, BOOL, BOOL) and not ops.swaps(ops.sub.code, REAL, REAL)
    assert not ops.swaps(ops.neg.code, REAL, REAL) and not ops.swaps(ops.fma.code, REAL, REAL)
    assert ops.associates(mul, (MATRIX, REAL, MATRIX)) and ops.associates(add, [MATRIX] * 3)
    assert not ops.associates(ops.sub.code, (REAL, REAL)) and not ops.associates(mul, (BOOL, REAL))
    assert ops.commutes(mul, (REAL, MATRIX)) and ops.commutes(add, [MATRIX] * 3)
    assert not ops.commutes(mul, (REAL, MATRIX, MATRIX)) and not ops.commutes(mul, (Q8, Q8))
    assert ops.commutes(ops.hypot.code, (REAL, INT)) and not ops.commutes(ops.neg.code, (REAL, INT))


def test_what_is_known_of_rules_does_not_exchange_matrices() -> None:
    assert canonical(read(P * Q)) != canonical(read(Q * P))
    assert canonical(read(P + Q)) == canonical(read(Q + P))
    assert canonical(read(a * P)) == canonical(read(P * a))
    assert len(list(unify(read(-P * Q), read(P * -Q, "'"), {}))) == 1
    assert len(list(unify(read(-P + Q), read(P + -Q, "'"), {}))) == 2


def test_tables_say_what_functions_say() -> None:
    swap, regroup = ops.swap_table(), ops.associate_table()
    assert swap.shape == regroup.shape == (len(ops.OPS), len(SORTS), len(SORTS))
    for code, one, other in itertools.product(range(len(ops.OPS)), HERE, HERE):
        assert swap[code, one, other] == ops.swaps(code, one, other)
        assert regroup[code, one, other] == ops.associates(code, (one, other))
    fresh = rw.sort("fresh8")
    assert ops.swap_table().shape[1] == fresh + 1
    rw.overload("add", (fresh, fresh), fresh, commutative=True)
    assert ops.swap_table()[ops.add.code, fresh, fresh]
    assert not ops.associate_table()[ops.add.code, fresh, fresh]


def test_rows_of_the_op_table_are_attributes() -> None:
    assert ops.mul is ops.MUL and ops.and_ is ops.AND and rw.ops.not_ is ops.NOT
    assert ops.triple8 is TRIPLE is ops.op("triple8")
    for wrong in ("nope", "symbol", "__path__"):
        assert not hasattr(ops, wrong)


@pytest.mark.parametrize("row", [*ops.BUILTIN[3:], TRIPLE, JOIN], ids=lambda row: row.name)
def test_both_paths_type_alike(row: ops.Op) -> None:
    """Each op on each combination of sorts, and on one argument too few or too many."""
    counts = (2, 3, 4) if row.arity < 0 else (row.arity, row.arity + 1, max(row.arity - 1, 1))
    store = Store()
    leaves = [store.symbol(rw.symbol("q", sort=sort).symbol or Symbol("q")) for sort in HERE]
    for count in dict.fromkeys(counts):
        for children in itertools.product(leaves, repeat=count):
            one, other = typed(row, children, bulk=False), typed(row, children, bulk=True)
            assert one == other
            if isinstance(one, str):
                assert one.startswith(row.name)


def typed(row: ops.Op, children: tuple[int, ...], *, bulk: bool) -> int | str:
    """Return the sort that a fresh store makes of a call, or the message of the refusal."""
    store = Store()
    for sort in HERE:
        found = rw.symbol("q", sort=sort).symbol
        assert found is not None
        store.symbol(found)
    try:
        if not bulk:
            return store.sort(store.make((row.code, *children)))
        out, args = np.full(1, -1, np.int32), np.array(children, np.int32)
        start, codes = np.array([0, len(children)]), np.array([row.code], np.uint8)
        store.indexed().intern(store, codes, start, args, out, local=False)
        return store.sort(int(out[0]))
    except SortError as error:
        return str(error)


# -- laws ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", LAWS, ids=name)
def test_law_of_another_sort_holds(rule: Rule) -> None:
    verdict = lawcheck.sampled(rule, 300)
    assert verdict.holds and verdict.points == 300, str(verdict)
    assert not lawcheck.of_numbers(rule)


@pytest.mark.parametrize("rule", [r for r in LAWS if not r.licence], ids=name)
def test_law_without_a_licence_keeps_bits(rule: Rule) -> None:
    random = np.random.default_rng(7)
    for _ in range(50):
        env = {
            "A": random.normal(size=(4, 4)),
            "B": random.normal(size=(4, 4)),
            "a": random.normal(),
        }
        left, right = rw.evaluate(rule.lhs, env), rw.evaluate(rule.rhs, env)
        assert left.tobytes() == right.tobytes()


@pytest.mark.parametrize(
    ("rule", "condition"), [(r, c) for r in LAWS for c in r.where], ids=str
)  # fmt: skip
def test_condition_of_a_law_is_needed(rule: Rule, condition: Any) -> None:
    rest = tuple(given for given in rule.where if given is not condition)
    assert not lawcheck.sampled(Rule(rule.name, rule.lhs, rule.rhs, rest), 300).holds or (
        rule.name == "matrix-power-of-power"
    )


def test_false_laws_are_caught() -> None:
    for left, right in ((P * Q, Q * P), ((P + Q) ** 2, P**2 + 2 * (P * Q) + Q**2), (-P, P)):
        with pytest.raises(AssertionError, match=r"false: .*\n  fails at P = array"):
            rw.testing.check_laws([Rule("false", left, right)])
    with pytest.raises(AssertionError, match="in float64 at a = "):
        rw.testing.check_laws([Rule("inexact", (a + b) - a, b)])
    rw.testing.check_laws(ruleset("sound", FastMath.REASSOC, ("regroup", (a + b) - a, b)))
    hole = rw.pattern_vars("h", sort=rw.sort("drawless8"))[0]
    with pytest.raises(PatternError, match="the sort drawless8 of \\?h draws no values"):
        rw.testing.check_laws([Rule("none", rw.where(a < b, hole, hole), hole)])


def test_names_are_unique_and_listed() -> None:
    assert len({rule.name for rule in EVERY}) == len(EVERY)
    with open(f"{rw.rules.__path__[0]}/README.md", encoding="utf-8") as readme:
        text = readme.read()
    assert [group.name for group in GROUPS if f"`{group.name}`" not in text] == []


# -- no law crosses --------------------------------------------------------------------------

LEAVES = (x, y, n, p, rw.symbol("q", dtype="bool"), A, B, rw.const(2), rw.const(1), rw.const(0))
picks = st.lists(
    st.tuples(
        st.sampled_from(ops.BUILTIN[3:]), st.lists(st.integers(0, 99), min_size=3, max_size=3)
    ),
    min_size=1,
    max_size=12,
)


def grown(plan: list[tuple[ops.Op, list[int]]]) -> list[Term]:
    """Apply ops to whatever fits them."""
    made = list(LEAVES)
    for row, at in plan:
        parts = [made[-1 - k % len(made)] for k in at[: 2 if row.arity < 0 else row.arity]]
        if ops.resolve(row.code, [part.sort for part in parts]) >= 0:
            made.append(rw.apply(row, *parts))
    return made[len(LEAVES) :]


@settings(max_examples=60)
@given(picks)
def test_no_rule_changes_a_sort_or_matches_another(plan: list[tuple[ops.Op, list[int]]]) -> None:
    with rw.scope():
        for term in grown(plan):
            for rule in Rules("every", EVERY.rules).candidates(term):
                assert rule.lhs.sort.family is term.sort.family or not list(match(rule.lhs, term))
                for bound in itertools.islice(match(rule.lhs, term), 4):
                    holes = {h.name: h.sort for h in holes_of(rule.lhs)}
                    assert all(bound[h].sort.fits(sort) for h, sort in holes.items())
                for made in itertools.islice(apply_rule(rule, term), 4):
                    assert made.sort.family is term.sort.family


def holes_of(pattern: Term) -> list[Symbol]:
    dag = Dag.of(pattern.store, [pattern.id])
    return [value for value in dag.value if isinstance(value, Symbol)]


STRATEGIES: dict[str, Callable[[Any], Any]] = {
    "innermost": lambda s: innermost(s, limit=60),
    "outermost": lambda s: outermost(s, limit=60),
    "topdown": lambda s: topdown(try_(s)),
    "bottomup": lambda s: bottomup(try_(s)),
    "alltd": alltd,
    "oncetd": lambda s: try_(oncetd(s)),
    "oncebu": lambda s: try_(oncebu(s)),
}


@pytest.mark.parametrize("plan", STRATEGIES)
def test_products_of_matrices_are_never_exchanged(plan: str) -> None:
    random = np.random.default_rng(3)
    env: dict[str, Any] = {each: random.normal(size=(3, 3)) for each in "ABC"} | {"x": 1.5}
    terms = (
        A * B, A * B * x + B * A, (A + B) * C - C * (A + B), rw.apply("mul", x, A, B, C),
        A * (B * C) + A * C * B, -(A * B) - B * -A, (A * B) ** 2 - A**2 * B**2,
    )  # fmt: skip
    for group in (*ALL, *GROUPS):
        strategy = STRATEGIES[plan](group)
        for term in terms:
            try:
                made = strategy(term)
            except StrategyError as error:
                assert "does not end" in str(error)
                continue
            assert np.allclose(rw.evaluate(made, env), rw.evaluate(term, env)), (group, term, made)


(ZERO,) = ruleset("zero", FastMath.FAST, ("zero", a * 0, 0))


def test_real_laws_do_not_touch_matrices_or_truths() -> None:
    for law in (Rule("comm", a * b, b * a), Rule("self", a + a, 2 * a), ZERO):
        for term in (A * B, A + A, A * 0, Q8_ONE * Q8_TWO):
            assert list(apply_rule(law, term)) == []
    assert list(apply_rule(Rule("move", P * a, a * P), A * x)) == [x * A]
    assert list(apply_rule(Rule("same", P * Q + Q * P, P), A * B + B * A)) == [A, B]
    assert list(apply_rule(Rule("square", P * Q * P, P), A * B * B)) == []
    (t,) = rw.pattern_vars("t", sort=BOOL)
    assert not list(match(a + b, rw.where(p, x, y))) and not list(match(P, p))
    assert list(match(t & t, p & p)) == [{"t": p}] and not list(match(a, p))


Q8_ONE, Q8_TWO = rw.symbols("i j", sort=Q8)

# -- values ----------------------------------------------------------------------------------


def test_matrices_evaluate() -> None:
    m = np.array([[1.0, 2.0], [3.0, 5.0]])
    env = {"A": m, "B": m.T, "x": 2.0, "p": True}
    assert (rw.evaluate(A * B - B * A, env) == m @ m.T - m.T @ m).all()
    assert (rw.evaluate(rw.apply("mul", x, A, B) / 2, env) == m @ m.T).all()
    assert np.allclose(rw.evaluate(A**-1 * A, env), np.eye(2))
    assert (rw.evaluate(rw.where(p, A, B), env) == m).all()
    batch = rw.evaluate(x * A, {"A": m, "x": [1.0, 2.0, 3.0]})
    assert batch.shape == (3, 2, 2) and (batch[2] == 3 * m).all()
    assert rw.evaluate(A + B, env, dtype=np.float32).dtype == np.float32
    for value, message in (
        (1.0, "square matrix, .* shape \\(\\)"), (np.ones((2, 3)), "shape \\(2, 3\\)"),
        (np.ones((2, 2), complex), "complex numbers are not supported"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=message):
            rw.evaluate(-A, {"A": value})


def test_an_op_without_a_function_says_so() -> None:
    env = {"i": np.ones(4), "j": np.ones(4)}
    with pytest.raises(UnsupportedOp, match=r"mul of \(quaternion8, quaternion8\) has no function"):
        rw.evaluate(Q8_ONE * Q8_TWO, env)
    with pytest.raises(UnsupportedOp, match=r"triple8 of \(quaternion8, real, quaternion8\)"):
        rw.evaluate(rw.apply(TRIPLE, Q8_ONE, x, Q8_TWO), env | {"x": 1.0})


def test_engines_of_numbers_name_what_they_refuse() -> None:
    user = rw.op("user8", (REAL,), REAL, function=np.sin)
    assert rw.evaluate(rw.apply(user, x), {"x": 1.0}) == np.sin(1.0)
    assert rw.apply(user, x).latex() and repr(rw.apply(user, x + 1)) == "user8(x + 1)"
    from rewrite.egraph.language import rule_text

    engines: list[Callable[[Term], Any]] = [
        lambda term: rw.compile(list(term.free_symbols), term),
        rw.optimize,
        rw.saturate(RuleSet("none", ()), rw.cost.Gowda2021()),
        lambda term: rw.exact(term, {s.symbol.name: [1.0] for s in term.free_symbols if s.symbol}),
    ]
    for engine in engines:
        with pytest.raises(SortError, match=r"symbol 'A' is of sort matrix: rewrite it by"):
            engine(A * B)
        with pytest.raises(SortError, match="sort quaternion8"):
            engine(Q8_ONE * 2)
    for engine in engines[2:]:
        with pytest.raises(UnsupportedOp, match="the op 'user8', which is a user's"):
            engine(rw.apply(user, x) + 1)
    assert engines[0](rw.apply(user, x) + 1)(0.0) == 1 and engines[1](rw.apply(user, x))
    with pytest.raises(PatternError, match=r"\?P is a matrix"):
        rule_text(Rule("scale", P * 1, P), "simplify")
    with pytest.raises(UnsupportedOp, match="e-graph does not have the op 'user8'"):
        rule_text(Rule("user", rw.apply(user, a), a), "simplify")
    (k,) = rw.pattern_vars("k", sort=INT)
    assert "(int v_k)" in rule_text(Rule("whole", 0 - k, -k), "simplify")


# -- across processes ------------------------------------------------------------------------

REGISTER = """
import sys, pickle
import rewrite as rw
names = {names}
for name in names:
    sort = rw.sort(name)
    rw.op("f_" + name, (sort, sort), sort, commutative=True)
u, v = rw.symbols("u v", sort=rw.sorts.by_name("red"))
term = rw.where(rw.symbol("x") < 1, rw.apply("f_red", u, v), v)
"""


def test_pickles_do_not_depend_on_the_order_of_registration() -> None:
    first = REGISTER.format(names=["red", "green", "blue"]) + (
        "print(pickle.dumps((term, u.sort, term.args[1].op, u.symbol)).hex())"
    )
    second = REGISTER.format(names=["blue", "green", "red"]) + (
        "back, sort, op, symbol = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
        "assert back == term and hash(back) == hash(term) and back.sort is sort is u.sort\n"
        "assert op is term.args[1].op and symbol == u.symbol and hash(symbol) == hash(u.symbol)\n"
        "print(repr(back), sort)"
    )
    assert run(first, second) == "where(x < 1, f_red(u, v), v) red"
    bare = "import sys, pickle, rewrite\npickle.loads(bytes.fromhex(sys.argv[1]))"
    with pytest.raises(AssertionError, match=r"no (op is called 'f_red'|sort is called 'red')"):
        run(first, bare)


def test_tables_have_room_for_256() -> None:
    program = """
import rewrite as rw
for _ in range(256 - len(rw.ops.OPS)):
    last = rw.op(f"op{len(rw.ops.OPS)}", (rw.REAL,), rw.REAL)
while len(rw.sorts.SORTS) < 256:
    sort = rw.sort(f"sort{len(rw.sorts.SORTS)}")
s, x = rw.symbol("s", sort=sort), rw.symbol("x")
assert last.code == 255 and sort.code == 255 and rw.where(x < 1, s, s).sort is sort
s.store.flush()
assert s.sort is sort and rw.apply(last, x).op is last
for many in (lambda: rw.op("one_more", (rw.REAL,), rw.REAL), lambda: rw.sort("one_more")):
    try:
        many()
    except rw.RewriteError as error:
        print(error)
"""
    found = run(program)
    assert "there are 256 ops already; 'one_more'" in found
    assert "there are 256 sorts already; 'one_more'" in found


def test_registering_again_changes_nothing() -> None:
    assert rw.sort("quaternion8") is Q8 and rw.op(
        "join8", (Q8, Q8), Q8, nary=True, associative=True
    )
    rw.overload("mul", (Q8, REAL), Q8, commutative=True, associative=True)
    assert pickle.loads(pickle.dumps(Q8)) is Q8 and pickle.loads(pickle.dumps(JOIN)) is JOIN
    assert pickle.loads(pickle.dumps(Q8_ONE * 2)) == Q8_ONE * 2


# -- bad input -------------------------------------------------------------------------------

BAD: dict[str, tuple[Callable[[], Any], type[RewriteError], str]] = {
    "quotient": (lambda: A / B, SortError, r"div does not take \(matrix, matrix\); it takes "),
    "sum with a number": (lambda: A + 1, SortError, r"add does not take \(matrix, int\)"),
    "function": (lambda: rw.sin(A), SortError, r"sin does not take \(matrix\)"),
    "real power": (lambda: A**x, SortError, r"pow does not take \(matrix, real\)"),
    "branches": (lambda: rw.where(p, A, x), SortError, r"where does not take \(bool, matrix, real"),
    "no sort": (lambda: symbol("s", sort="matrix"), SortError, "sort='matrix' is no sort; give"),
    "unknown sort": (lambda: rw.sorts.by_name("nope"), SortError, "no sort is called 'nope'"),
    "sort and dtype": (lambda: rw.symbol("s", sort=MATRIX, dtype="f8"), SortError, "cannot be a m"),
    "sort and domain": (lambda: rw.symbol("s", sort=Q8, low=0), SortError, "only numbers have"),
    "sort's name": (lambda: rw.sort("a b"), SortError, "must be an identifier, not 'a b'"),
    "built-in sort": (lambda: rw.sort("real"), SortError, "there is a sort 'real' already"),
    "other parent": (lambda: rw.sort("natural8"), SortError, "'natural8' with isa=int already"),
    "parent": (lambda: rw.sort("s", isa=3), SortError, "isa=3 is no sort"),
    "op's name": (lambda: rw.op("a b", (REAL,), REAL), UnsupportedOp, "must be an identifier"),
    "built-in op": (lambda: rw.op("mul", (Q8, Q8), Q8), UnsupportedOp, r"rw.overload\('mul', "),
    "op of two meanings": (
        lambda: rw.op("join8", (Q8, Q8), REAL), UnsupportedOp, "'join8' is registered already"
    ),
    "op of nothing": (lambda: rw.op("none8", (), REAL), UnsupportedOp, "at least one sort"),
    "n-ary op of one": (lambda: rw.op("n8", (Q8,), Q8, nary=True), UnsupportedOp, "two sorts"),
    "commutes alone": (
        lambda: rw.op("c8", (Q8,), Q8, commutative=True), SortError, "only an op of two"
    ),
    "unknown op": (lambda: rw.overload("nope", (Q8,), Q8), UnsupportedOp, "no op is called 'nope'"),
    "arity": (lambda: rw.overload("mul", (Q8,) * 3, Q8), SortError, "folded from the left: give 2"),
    "leaf": (lambda: rw.overload("where", (BOOL, Q8, Q8), Q8), SortError, "where takes any sort"),
    "numbers": (
        lambda: rw.overload("add", (BOOL, BOOL), BOOL), SortError, r"add of \(bool, bool\) is fixed"
    ),
    "contradiction": (
        lambda: rw.overload("mul", (Q8, Q8), Q8, commutative=True), SortError,
        r"mul of \(quaternion8, quaternion8\) is registered already: .* cannot also be",
    ),
    "mirror": (
        lambda: rw.overload("mul", (Q8, REAL), REAL, commutative=True), SortError, "registered al"
    ),
    "against the parent": (
        lambda: rw.overload("mul", (NATURAL, NATURAL), NATURAL), SortError,
        r"contradicts mul of \(int, int\), whose place these sorts take",
    ),
    "sides": (
        lambda: Rule("r", P * Q, x), PatternError, "left side is a matrix, the right side a number"
    ),
    "truth and matrix": (lambda: Rule("r", a < b, x), PatternError, "is a truth value, the r"),
    "a name of two sorts": (
        lambda: Rule("r", rw.pattern_vars("P")[0] * P, P), PatternError, r"\?P is a (real|m)"
    ),
    "condition": (
        lambda: Rule("r", P * 1, P, (rw.nonzero(P),)), PatternError, "conditions are about numbers"
    ),
    "complex dtype": (
        lambda: rw.symbol("z", dtype=complex), SortError, "complex numbers are not supported; split"
    ),
    "complex constant": (lambda: A * 1j, UnsupportedOp, "complex constants are not supported"),
    "array of matrices": (
        lambda: rw.evaluate(rw.asarray([A, B]), {"A": np.eye(2), "B": np.eye(2)}), SortError,
        "an array of terms of sort matrix",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_named(case: str) -> None:
    call, error, message = BAD[case]
    with pytest.raises(error, match=message):
        call()


def test_signatures_are_written() -> None:
    text = ops.signature_text(ops.MUL)
    assert "(real, matrix) -> matrix" in text and "(matrix, matrix) -> matrix" in text
    assert repr(signatures.find(ops.MUL.code, (INT, MATRIX))) == "(real, matrix) -> matrix"
    assert ops.signature_text(ops.WHERE) == "(bool, any sort, the same) -> that sort"
