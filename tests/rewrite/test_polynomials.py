"""Systems of polynomials keep their exact values, and never become dearer."""

import math
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite import ops
from rewrite.constants import Constant
from rewrite.cost import CostModel, Gowda2021, constant_positions, dag_cost
from rewrite.dag import Dag
from rewrite.fastmath import FastMath
from rewrite.fingerprint import fingerprints
from rewrite.polynomials import sums as sharing
from rewrite.polynomials.contracting import contract_sums, is_plain, pays
from rewrite.polynomials.factoring import factored_system
from rewrite.polynomials.products import pair_products
from rewrite.polynomials.reading import LONGEST, read_system
from rewrite.polynomials.system import System
from rewrite.polynomials.writing import write_system
from rewrite.store import Symbol
from rewrite.term import Term, const
from strategies.algebra import horner

x, y, z, u, v, w, k = rw.symbols("x y z u v w k")
REAL = FastMath.REASSOC | FastMath.NNAN | FastMath.NSZ


@dataclass(frozen=True)
class Prices:
    """One price for each op that is given, 20 for any other."""

    table: tuple[tuple[str, float], ...] = (("add", 1), ("sub", 1), ("neg", 1), ("mul", 3))
    sharing: bool = True
    name: str = "prices"
    unit: str = "1"

    def price(self, op: ops.Op, constants: tuple[Constant | None, ...]) -> float:
        """Look the op up."""
        return dict(self.table).get(op.name, 20.0)


COUNTED = Prices()
EVEN = Prices((("add", 1), ("sub", 1), ("neg", 1), ("mul", 1), ("fma", 1)))
MODELS: list[CostModel] = [COUNTED, EVEN, Gowda2021(), Prices(sharing=False)]


def cost(terms: Sequence[Term], model: CostModel = COUNTED) -> float:
    return dag_cost(Dag.of(terms[0].store, [term.id for term in terms]), model)


EXACT: dict[int, Callable[..., Fraction]] = {
    ops.ADD.code: lambda *a: sum(a, Fraction(0)),
    ops.SUB.code: lambda a, b: a - b,
    ops.MUL.code: lambda *a: math.prod(a, start=Fraction(1)),
    ops.NEG.code: lambda a: -a,
    ops.FMA.code: lambda a, b, c: a * b + c,
    ops.POW.code: lambda a, b: a ** int(b),
    ops.SIN.code: lambda a: a * a + 7,  # any function will do
    ops.DIV.code: lambda a, b: a / b if b else Fraction(0),
}


def values(terms: Sequence[Term], point: Mapping[str, Fraction]) -> list[Fraction]:
    """Evaluate terms exactly."""
    dag = Dag.of(terms[0].store, [term.id for term in terms])
    known: list[Fraction] = []
    for (code, args), leaf in zip(dag.rows(), dag.value, strict=True):
        if isinstance(leaf, Symbol):
            known.append(point[leaf.name])
        elif leaf is not None:
            known.append(Fraction(leaf))  # type: ignore[arg-type]
        else:
            known.append(EXACT[code](*[known[a] for a in args]))
    return [known[root] for root in dag.roots]


POINTS = [
    dict(zip("xyzuvwk", map(Fraction, point.split()), strict=True))
    for point in ("2 3 5 7 11 13 17", "-7/3 1/2 4 -1 3/5 9 2", "11/5 -13/7 1/3 8 -2 1/9 -3")
]


def check(terms: Sequence[Term], model: CostModel = COUNTED, math: FastMath = REAL) -> list[Term]:
    """Factor a system, check the values and the cost, and return it."""
    made = factored_system(terms, model, math)
    assert len(made) == len(terms)
    assert all(one.store is terms[0].store for one in made)
    for point in POINTS:
        assert values(made, point) == values(terms, point)
    assert cost(made, model) <= cost(terms, model)
    return made


# -- any system --------------------------------------------------------------------------------

numbers = st.sampled_from([1, 2, 3, -1, -2, 6, 0, Fraction(1, 2), Fraction(-2, 3), 0.5, -1.5])
leaves = st.one_of(st.sampled_from([x, y, z, u, v]), numbers.map(const))
grown = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: p[0] + p[1]),
        st.tuples(inner, inner).map(lambda p: p[0] - p[1]),
        st.tuples(inner, inner).map(lambda p: p[0] * p[1]),
        st.tuples(inner, inner).map(lambda p: p[0] / p[1]),
        inner.map(lambda a: -a),
        inner.map(rw.sin),
        st.tuples(inner, st.integers(1, 4)).map(lambda p: p[0] ** p[1]),
    ),
    max_leaves=14,
)
monomials = st.tuples(
    st.sampled_from([1, 1, 1, -1, -1, 2, -3, Fraction(1, 3)]),
    st.lists(st.sampled_from([x, y, z, u, v, k]), max_size=4),
)


@st.composite
def sums(draw: Any) -> Term:
    """Draw a flat sum of products, in which few monomials are met again and again."""
    total: Term = const(draw(st.sampled_from([0, 0, 1, 5])))
    for coef, factors in draw(st.lists(monomials, max_size=7)):
        total = total + math.prod(factors, start=const(coef))
    return total


@settings(max_examples=150)
@given(st.lists(grown, min_size=1, max_size=4), st.sampled_from(MODELS))
def test_any_system_keeps_its_values_and_is_not_dearer(terms: list[Term], model: CostModel) -> None:
    check(terms, model)


@settings(max_examples=150)
@given(st.lists(sums(), min_size=1, max_size=5), st.sampled_from(MODELS))
def test_sums_of_products_keep_their_values_and_are_not_dearer(
    terms: list[Term], model: CostModel
) -> None:
    made = check(terms, model)
    check(made, model)


@settings(max_examples=50)
@given(st.lists(sums(), min_size=1, max_size=4))
def test_nothing_vanishes_without_a_licence(terms: list[Term]) -> None:
    check(terms, COUNTED, FastMath.REASSOC)
    assert factored_system(terms, COUNTED, FastMath.NONE) == terms


def test_what_cancels_is_kept_without_nnan() -> None:
    terms = [x * y + z * u - x * y, x * u + x * y + x * z]
    infinite = {"x": np.inf, "y": 1.0, "z": 1.0, "u": 1.0}
    kept = factored_system(terms, COUNTED, FastMath.REASSOC)
    assert np.isnan(rw.evaluate(kept, infinite)[0])
    assert factored_system(terms, COUNTED, REAL)[0] == z * u


# -- what is found -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "most"),
    [
        ([x * y + x * z], 4),
        ([k * x * y, k * x * z], 9),
        ([k * x * y, -(k * x * y)], 7),
        ([x + y + z, u - x - y - z], 3),
        ([x**4 + x**3 + x**2 + x], 12),
        ([2 * x + 2 * y], 2),
        ([x + x], 1),
        ([x * z + x * u + y * z + y * u], 5),
        ([k * x * z + k * x * u + k * y * z + k * y * u, (z + u) * k], 8),
        ([rw.sin(x * y + x * z) + rw.sin(u), x * y + x * z], 25 + 20),
        ([w - k * x * y, w + k * x * y, u * (k * x * y)], 11),
        ([y * u + x * u * x + x * k * x, x * u * x + y * u + u], 12),
        ([u * y + x * z * u, x * z * u + u * y + u], 8),
        ([u * y + u * x * z], 7),
        # three equations of a + b <-> c, and of the same with d for b
        (
            [
                k * w * z - u * x * y,
                k * w * z - u * x * y + v * z - u * w,
                u * x * y - k * w * z,
            ],
            3 * 6 + 1 + 1 + 2 + 2,
        ),
    ],
)
def test_forms_are_as_cheap_as_by_hand(terms: list[Term], most: float) -> None:
    made = check(terms)
    assert cost(made) <= most, made


def test_equal_sums_of_quotients_are_worth_a_product() -> None:
    # each product has so many uses that leaving one of them saves next to nothing
    rates, species = (
        rw.symbols([f"a{i}" for i in range(8)]),
        rw.symbols([f"s{i}" for i in range(6)]),
    )
    lost = [w - sum((a * s for a in rates), const(0)) for s in species]
    others = rw.symbols([f"c{i}" for i in range(9)])
    terms = [*lost, *(c + a * s for a in rates for s in species for c in others)]
    products = 8 * 6 * (3 + 9)
    assert cost(factored_system(terms, COUNTED, REAL)) == products + 7 + 6 * (3 + 1)


def test_a_sum_of_all_products_is_a_product_of_sums() -> None:
    names = rw.symbols(" ".join(f"a{i}" for i in range(8)))
    others = rw.symbols(" ".join(f"b{i}" for i in range(8)))
    total = sum((a * b for a in names for b in others), const(0))
    made = factored_system([k * total, u - total], COUNTED, REAL)
    assert cost(made) == 7 + 7 + 3 + 3 + 1
    assert fingerprints(made) == fingerprints([k * total, u - total])


def test_one_polynomial_is_as_cheap_as_nested_by_hand() -> None:
    rng = random.Random(5)
    for _ in range(40):
        total = const(1)
        for _ in range(rng.randint(2, 9)):
            total = total + rng.randint(1, 9) * x ** rng.randint(0, 5) * y ** rng.randint(0, 3)
        nested = horner()(total)
        assert cost(check([total])) <= cost([nested]) * 1.2


def test_a_group_is_worth_less_where_its_products_are_needed_anyway() -> None:
    # x*(y + z) would add a product to the two that the other terms are
    terms = [x * y + x * z, x * y, x * z]
    assert cost(check(terms)) == 7


def test_a_model_of_fused_products_keeps_them_apart() -> None:
    # with fma all three are one instruction a product; a shared product would be one more
    terms = [x * y + z, x * y + u, x * y + w]
    assert factored_system(terms, EVEN) == check(terms, EVEN, FastMath.GUARDED)


# -- special cases -----------------------------------------------------------------------------


def test_nothing_is_made_of_nothing() -> None:
    assert factored_system([], COUNTED) == []


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([x * y - x * y], [const(0)]),
        ([x - x, y * z + y * u], [const(0), y * (z + u)]),
        ([const(2) * 3 + x - x], [const(6)]),
        ([0 * x + y * 1], [y]),
        ([x * y + x * z] * 2, [x * (y + z)] * 2),
        ([x * y + x * z, -(x * y) - x * z], [x * (y + z), -(x * (y + z))]),
        ([rw.sin(x * y + x * z)], [rw.sin(x * (y + z))]),
        ([x / (u * y + u * z)], [x / (u * (y + z))]),
        ([-x * 2 - y * 2], [-((x + y) + (x + y))]),
        ([rw.where(x * y + x * z > 0, x, y)], [rw.where(x * (y + z) > 0, x, y)]),
    ],
)
def test_special_cases(given: list[Term], wanted: list[Term]) -> None:
    assert factored_system(given, COUNTED, REAL) == wanted


@pytest.mark.parametrize(
    "term", [x, const(3), const(0.5), rw.pi * 2, x + y, rw.sin(x), x * y, rw.pi, x < y]
)
def test_what_is_cheapest_already_is_left_alone(term: Term) -> None:
    assert factored_system([term], COUNTED, REAL) == [term]


def test_matrices_do_not_commute() -> None:
    a, b, c = (rw.symbol(name, sort=rw.MATRIX) for name in "ABC")
    terms = [a * b + b * a, (x * y + x * z) * (a * b), b * c + a * c]
    made = factored_system(terms, COUNTED, REAL)
    assert made == [a * b + b * a, (x * (y + z)) * (a * b), b * c + a * c]


@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan, 0.0, -0.0])
def test_constants_without_the_laws_of_numbers_stay(odd: float) -> None:
    terms = [const(odd) * x + const(odd) * y, x * z + x * u]
    made = factored_system(terms, COUNTED, REAL)
    assert made == [terms[0], x * (z + u)]


def test_floats_are_literals() -> None:
    made = factored_system([x * 0.1 + y * 0.1, x * 0.1 + z * 0.1], COUNTED, REAL)
    constants = [v for v in Dag.of(made[0].store, [t.id for t in made]).value if v is not None]
    assert [v for v in constants if isinstance(v, float)] == [0.1]
    assert cost(made) == 8


def test_long_products_and_powers_are_kept() -> None:
    many = rw.symbols(" ".join(f"a{i}" for i in range(LONGEST + 6)))
    long = math.prod(many, start=const(1))
    power = x**1000
    made = factored_system([long * y + long * z, power * y + power * z], COUNTED, REAL)
    assert fingerprints(made) == fingerprints([long * y + long * z, power * y + power * z])
    squares = x
    for _ in range(200):
        squares = squares * squares
    (same,) = factored_system([squares], COUNTED, REAL)
    assert cost([same]) == 600
    huge = const(1 << 3000) * x * (const(1 << 3000) * y) + const(1 << 3000) * x
    assert fingerprints(factored_system([huge], COUNTED, REAL)) == fingerprints([huge])


def test_deep_sums_are_read_in_one_pass() -> None:
    total = x
    for place in range(30_000):
        total = total + (y, z, u * k, v * k)[place % 4]
    made = factored_system([total], COUNTED, REAL)
    assert cost(made) < 40
    for point in POINTS:
        assert values(made, point) == values([total], point)


def test_terms_of_several_stores_are_joined() -> None:
    with rw.scope():
        other = rw.symbol("x") * rw.symbol("y") + rw.symbol("x") * rw.symbol("z")
    made = factored_system([x * y + x * z + u, other], COUNTED, REAL)
    assert made == [u + x * (y + z), x * (y + z)]
    assert made[1].store is x.store


def test_nothing_is_left_in_the_store_but_the_result() -> None:
    terms = [x * y + x * z + x * w, k * y + k * z + k * w]
    factored_system(terms, COUNTED, REAL)
    before = len(x.store)
    factored_system(terms, COUNTED, REAL)
    assert len(x.store) == before


# -- parts -------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(0, 6), max_size=7).map(lambda m: tuple(sorted(m)))))
def test_products_are_made_of_their_literals(monos: list[tuple[int, ...]]) -> None:
    products = pair_products(dict.fromkeys(monos), [0, 1], 7)
    contents = products.contents()
    for mono in monos:
        if len(mono) > 1:
            assert contents[products.tokens[mono] - 7] == mono
    most = sum(len(mono) - 1 for mono in set(monos) if mono)
    assert len(products.pairs) <= most


def test_equal_sums_are_one_kernel() -> None:
    system = System()
    one, other = system.literal(0), system.literal(1)
    out, kernel = system.kernel({(one,): 2, (other,): -4})
    assert out == 2
    assert system.kernel({(one,): -1, (other,): 2}) == (-1, kernel)
    system.spell_numbers()
    assert system.rows[system.kernels[kernel]] == {(one,): 1, (other, system.number(2)): -1}
    assert system.kernel({(one,): -1, (other, system.number(2)): 1}) == (-1, kernel)


def test_a_kernel_that_is_a_product_is_collected_with_it() -> None:
    system = System()
    one, other = system.literal(0), system.literal(1)
    kernel = system.defined({(one, other): -1})
    system.rows += [{(kernel,): 1, (one, other): -1}, {(kernel, one): 1, (one, one, other): 1}]
    system.inline()
    assert system.rows[1:] == [{(one, other, system.number(2)): -1}, {}]


@given(st.lists(grown, min_size=1, max_size=3))
def test_reading_and_writing_keep_values(terms: list[Term]) -> None:
    store = terms[0].store
    system = read_system(store, [term.id for term in terms], vanish=True)
    system.spell_numbers()
    made = [Term(store, node) for node in write_system(system, store, repeats=1)]
    for point in POINTS:
        assert values(made, point) == values(terms, point)


@pytest.mark.parametrize("most", [10, 200, 1_000_000])
def test_partial_sums_are_shared_up_to_signs(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "MOST_PAIRS", most)
    rng = np.random.default_rng(most)
    names = rw.symbols([f"a{i}" for i in range(24)])
    block = rng.integers(-1, 2, (16, 24))
    # half of the rows are sums and differences of others: their parts are there to be found
    signs = np.concatenate([block, block[:8] * (-1) ** np.arange(24), -block[8:]])
    terms = [
        sum((int(sign) * name for sign, name in zip(row, names, strict=True) if sign), const(0))
        for row in signs
    ]
    made = factored_system(terms, COUNTED, REAL)
    assert fingerprints(made) == fingerprints(terms)
    plain = np.abs(block).sum() * 2 + np.abs(signs[16:24]).sum()
    assert cost(made) < 0.7 * plain


@given(
    st.lists(st.dictionaries(st.integers(0, 8), st.sampled_from((1, -1)), max_size=8), max_size=8),
    st.integers(1, 9),
)
def test_pairs_are_counted_with_their_signs(rows: list[dict[int, int]], window: int) -> None:
    system = System(list(range(9)), [{(k,): sign for k, sign in row.items()} for row in rows])
    table = sharing._Table(system)
    counts: Counter[tuple[int, int, int]] = Counter()
    for row in table.rows:
        shared = sorted(token for token in row if len(table.columns[token]) > 1)
        for k, one in enumerate(shared):
            for other in shared[k + 1 : k + 1 + window]:
                counts[one, other, row[one] * row[other]] += 1
    found = {sharing._opened(pair): -count for count, pair in table.often(window)}
    assert found == {pair: count for pair, count in counts.items() if count > 1}
    for count, pair in table.often(9):
        one, other, sign = sharing._opened(pair)
        both = [at for at, row in enumerate(table.rows) if {one, other} <= row.keys()]
        users = [at for at in both if table.rows[at][one] * table.rows[at][other] == sign]
        assert sorted(table.users(pair)) == users and len(users) == -count


def test_a_model_of_trees_gets_factors_alone() -> None:
    trees = Prices(sharing=False)
    terms = [x * y + x * z, u * (x * y + x * z)]
    made = check(terms, trees)
    assert cost(made, trees) == 4 + 7


SCRIPT = """
import rewrite as rw
from rewrite.polynomials.contracting import contract_sums, is_plain, pays
from rewrite.polynomials.factoring import factored_system
from rewrite.cost import Cancellation
import random
rng = random.Random(1)
with rw.scope():
    names = rw.symbols([f"s{i}" for i in range(12)])
    if EXTRA: rw.symbols(["q1", "q2"])[0] * names[3]
    def monomial(): return rng.choice(names) * rng.choice(names) * rng.choice(names)
    pool = [monomial() for _ in range(30)]
    terms = [sum(rng.choices(pool, k=9), rw.const(0)) - rng.choice(pool) for _ in range(12)]
    print(factored_system(terms, Cancellation()))
"""


def test_results_depend_on_the_terms_alone() -> None:
    def run(seed: str, extra: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT.replace("EXTRA", extra)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    first = run("1", "False")
    assert "s3" in first
    assert run("2", "False") == first
    assert run("3", "True") == first


def test_the_store_makes_no_difference() -> None:
    terms = [x * y + x * z, k * x * y + k * x * z + u]
    with rw.scope():
        a, b, c, d, e = rw.symbols("x y z k u")
        others = factored_system([a * b + a * c, d * a * b + d * a * c + e], COUNTED, REAL)
    assert [str(t) for t in others] == [str(t) for t in factored_system(terms, COUNTED, REAL)]


# -- contraction ---------------------------------------------------------------------------------

FUSED = Prices((("add", 1), ("sub", 1), ("neg", 1), ("mul", 1), ("fma", 1)))


def lone_products(terms: Sequence[Term]) -> list[int]:
    """Return the positions of products that one sum of several summands alone uses."""
    dag = Dag.of(terms[0].store, [term.id for term in terms])
    rows = dag.rows()
    users = np.bincount(dag.args, minlength=len(dag))
    np.add.at(users, dag.roots, 1)
    sums_of = [args for code, args in rows if code in (ops.ADD.code, ops.SUB.code)]
    known = constant_positions(dag)  # those are evaluated ahead
    lone = (ops.MUL.code, 1)
    return [a for args in sums_of for a in args if (rows[a][0], users[a]) == lone and not known[a]]


@settings(max_examples=200)
@given(st.lists(grown, min_size=1, max_size=4))
def test_contracted_sums_keep_their_values_and_no_product_of_their_own(terms: list[Term]) -> None:
    made = contract_sums(terms)
    for point in POINTS:
        assert values(made, point) == values(terms, point)
    assert cost(made, FUSED) <= cost(terms, FUSED)
    assert not lone_products(made)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (x * y + z, rw.fma(x, y, z)),
        (x * y - z, rw.fma(x, y, -z)),
        (z - x * y, rw.fma(-x, y, z)),
        (-(x * y) - z, rw.fma(-x, y, -z)),
        (x * y + (z + u * v), rw.fma(u, v, rw.fma(x, y, z))),
        (x * y - (z - u * v), rw.fma(u, v, rw.fma(x, y, -z))),
        (x * y + u * v, rw.fma(u, v, x * y)),
        (-(x * y), -(x * y)),
        (x + y, x + y),
    ],
)  # fmt: skip
def test_contractions_are_as_by_hand(given: Term, wanted: Term) -> None:
    assert contract_sums([given])[0].sexpr() == wanted.sexpr()


def test_what_others_use_is_not_contracted() -> None:
    product, total = x * y, x * y + z
    assert contract_sums([product, product + z]) == [product, product + z]
    assert contract_sums([total, total + u * v]) == [rw.fma(x, y, z), rw.fma(u, v, rw.fma(x, y, z))]


def test_deep_sums_are_contracted_in_one_pass() -> None:
    total: Term = x
    for n in range(20_000):
        total = total + (y * rw.symbol(f"s{n}") if n % 2 else rw.symbol(f"s{n}"))
    (made,) = contract_sums([total])
    dag = Dag.of(made.store, [made.id])
    assert int((dag.code == ops.FMA.code).sum()) == 10_000
    assert is_plain(dag) and not is_plain(Dag.of(x.store, [rw.sin(x).id]))


def test_contraction_needs_its_licence_and_a_price() -> None:
    assert pays(FUSED, FastMath.GUARDED)
    assert not pays(FUSED, FastMath.GUARDED & ~FastMath.CONTRACT)
    assert not pays(COUNTED, FastMath.GUARDED)  # its fma costs 20


def test_nothing_is_contracted_of_nothing() -> None:
    assert contract_sums([]) == []
