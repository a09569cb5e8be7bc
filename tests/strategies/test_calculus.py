"""Derivatives: each row of the table, the passes against each other, the rules and the oracle."""

import warnings
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite import ops
from rewrite.dag import Dag
from rewrite.derivatives import ARGUMENTS, FLAT, PARTIALS, VALUE
from rewrite.errors import ArgumentError, DerivativeWarning, UnsupportedOp
from rewrite.evaluate import evaluate
from rewrite.fingerprint import fingerprints
from rewrite.term import Term, apply
from strategies.calculus import elimination, rules
from strategies.calculus.program import Program

x, y, z = rw.symbols("x y z")
a, b = rw.symbols("a b")

# where the argument of an op is sampled, if not between -2 and 2
DOMAINS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("log", "log2", "log10", "sqrt", "rsqrt", "pow", "div"), (0.1, 4.0)),
    **dict.fromkeys(("asin", "acos", "atanh"), (-0.95, 0.95)),
    "log1p": (-0.9, 3.0), "acosh": (1.1, 4.0), "cbrt": (0.1, 4.0), "fmod": (0.4, 0.9),
}  # fmt: skip
H = 2.0**-20


def slope(term: Term, symbol: Term, point: dict[str, float]) -> float:
    """Return a central difference of exact values: right to 1e-11 or so."""
    name = symbol.symbol.name  # type: ignore[union-attr]
    at = {k: [v, v] for k, v in point.items()} | {name: [point[name] + H, point[name] - H]}
    exact = rw.exact(term, at)
    high = np.ldexp(exact.high, exact.exponent)
    low = np.ldexp(exact.low, exact.exponent)
    return float((high[0] - high[1]) + (low[0] - low[1])) / (2 * H)


def rows() -> list[tuple[str, int]]:
    return [(ops.OPS[c].name, k) for c in PARTIALS for k in range(len(PARTIALS[c]))
            if ops.OPS[c] in ops.BUILTIN]  # fmt: skip


# -- the table -------------------------------------------------------------------------------


def test_every_op_has_a_row_or_a_reason() -> None:
    known = {*PARTIALS, *FLAT, *(row.code for row in (ops.ADD, ops.MUL, ops.WHERE))}
    leaves = {row.code for row in (ops.SYMBOL, ops.CONST, ops.PVAR)}
    for row in ops.BUILTIN:
        assert row.code in known | leaves or row.makes == "b", row
        if row.code in PARTIALS:
            assert len(PARTIALS[row.code]) == row.arity


@pytest.mark.parametrize(("name", "place"), rows())
def test_a_partial_derivative_is_the_limit_of_differences(name: str, place: int) -> None:
    row = ops.op(name)
    low, high = DOMAINS.get(name, (-2.0, 2.0))
    rng = np.random.default_rng(place)
    symbols = rw.symbols("p q r")[: row.arity]
    term = apply(row, *symbols)
    made = rw.diff(term, symbols[place])
    for _ in range(12):
        point = {s.symbol.name: float(rng.uniform(low, high)) for s in symbols}  # type: ignore[union-attr]
        found = float(evaluate(made, point))
        assert found == pytest.approx(slope(term, symbols[place], point), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize(("name", "place"), rows())
def test_the_rules_and_the_passes_make_the_same_of_a_row(name: str, place: int) -> None:
    row = ops.op(name)
    args = ARGUMENTS[: row.arity]
    symbols = rw.symbols("p q r")[: row.arity]
    term = apply(row, *symbols)
    table = PARTIALS[row.code][place].substitute({VALUE: apply(row, *args)})
    expected = table.substitute(dict(zip(args, symbols, strict=True)))
    own = rules.forward()(apply(rules.derivative, term, symbols[place]))
    same(expected, rw.diff(term, symbols[place]))
    same(expected, own)


def same(one: Any, other: Any) -> None:
    first, second = fingerprints([one, other])
    assert first == second, (one, other)


# one-sided slopes at points where there is a corner: (term, point, least and greatest slope in x)
CORNERS = [
    (abs(x), {"x": 0.0}, -1, 1),
    (rw.minimum(x, y), {"x": 1.0, "y": 1.0}, 0, 1),
    (rw.maximum(x, y), {"x": 1.0, "y": 1.0}, 0, 1),
    (rw.hypot(x, y), {"x": 0.0, "y": 0.0}, -1, 1),
    (rw.where(x > 0, x, 3 * x), {"x": 0.0}, 1, 3),
    (x**2, {"x": 0.0}, 0, 0),
    (x**1, {"x": 0.0}, 1, 1),
    (x**0, {"x": 0.0}, 0, 0),
    (x**y, {"x": 0.0, "y": 2.0}, 0, 0),
    (x**y, {"x": 0.0, "y": 1.0}, 1, 1),
    (x**y, {"x": 0.0, "y": 0.0}, 0, 0),
    (y**x, {"x": 2.0, "y": 0.0}, 0, 0),
    (rw.sqrt(x), {"x": 0.0}, np.inf, np.inf),
    (rw.cbrt(x), {"x": 0.0}, np.inf, np.inf),
    (rw.copysign(x, y), {"x": 0.0, "y": 1.0}, -1, 1),
    (rw.asin(x), {"x": 1.0}, np.inf, np.inf),
]
OUTSIDE = [(rw.acosh(x), -2.0), (rw.acosh(x), 0.5), (rw.asin(x), 2.0), (rw.acos(x), -2.0),
           (rw.sqrt(x), -1.0)]  # fmt: skip


@pytest.mark.parametrize(("term", "at"), OUTSIDE)
def test_outside_of_the_domain_there_is_no_slope(term: Term, at: float) -> None:
    with np.errstate(all="ignore"):
        assert np.isnan(float(evaluate(rw.diff(term, x), {"x": at})))


@pytest.mark.parametrize(("term", "point", "least", "most"), CORNERS)
def test_at_corners_the_convention_is_between_the_slopes(
    term: Term, point: dict[str, float], least: float, most: float
) -> None:
    for made in (rw.diff(term, x), rw.gradient(term, [x])[0]):
        with np.errstate(all="ignore"):
            found = float(evaluate(made, point))
        assert least <= found <= most


# terms of which a side that is not taken has no finite derivative: (term, x, slope)
SIDES = [
    (rw.where(x > 0, rw.log(x), 0), 0.0, 0.0),
    (rw.where(x > 0, rw.sqrt(x), x * x), -1.0, -2.0),
    (rw.where(x > 0, rw.where(x > 1, rw.log(x - 1), rw.sqrt(x)), -x), -0.5, -1.0),
    (rw.where(x > 0, -(rw.sqrt(x) * 3), x), -1.0, 1.0),
    (rw.where(x > 0, rw.sqrt(x), 0) + rw.where(x > 2, rw.sqrt(x) * x, 1) + x, -1.0, 1.0),
    (rw.sin(rw.where(x > 0, 1 / x, 0)) + rw.where(x > 0, 1 / x, 2 * x), 0.0, 2.0),
]


@pytest.mark.parametrize(("term", "at", "expected"), SIDES)
def test_a_side_that_is_not_taken_has_no_say(term: Term, at: float, expected: float) -> None:
    ways = [rw.diff(term, x), rw.gradient(term, [x])[0], rw.vjp([term], [x], [1])[0]]
    ways += [rw.jvp(term, [x], [1]), *(rw.jacobian(term, x, mode=mode) for mode in WAYS)]
    for made in ways:
        with np.errstate(all="ignore"):
            assert float(evaluate(made, {"x": at})) == expected
    kernel = rw.compile([x], ways[1], dtype=np.float64)
    assert kernel(at) == expected


# -- the passes ------------------------------------------------------------------------------


def terms() -> st.SearchStrategy[Term]:
    leaves = st.sampled_from([x, y, z, *map(rw.const, (0, 1, 2, -1, 0.5))])

    def extend(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
        return (
            st.builds(lambda s, t: s + t, inner, inner)
            | st.builds(lambda s, t: s - t, inner, inner)
            | st.builds(lambda s, t: s * t, inner, inner)
            | st.builds(lambda s, t: s / (t * t + 1), inner, inner)
            | st.builds(lambda s, t, u: apply(ops.MUL, s, t, u, s), inner, inner, inner)
            | st.builds(lambda s, t, u: apply(ops.ADD, s, t, u, s, t), inner, inner, inner)
            | st.builds(lambda s, t: rw.where(s > t, s * t, t), inner, inner)
            | st.builds(rw.fma, inner, inner, inner)
            | st.builds(lambda s, n: s**n, inner, st.sampled_from([0, 1, 2, 3, -1]))
            | st.builds(lambda f, s: f(s), st.sampled_from([rw.sin, rw.tanh, rw.exp]), inner)
        )

    return st.recursive(leaves, extend, max_leaves=14)


SLOW = [HealthCheck.too_slow]
WAYS: list[Any] = ["forward", "reverse", "mixed"]


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(terms(), terms())
def test_all_ways_give_one_jacobian(s: Term, t: Term) -> None:
    symbols = [x, y, z]
    up, down, mixed = (rw.jacobian([s, t], symbols, mode=mode) for mode in WAYS)
    direct = rw.asarray([[rw.diff(f, symbol) for symbol in symbols] for f in (s, t)])
    known = fingerprints(direct.terms())
    assert fingerprints(up.terms()) == known
    assert fingerprints(down.terms()) == known
    assert fingerprints(mixed.terms()) == known
    packed = rw.sparse_jacobian([s, t], symbols, mode="compressed")
    assert fingerprints(packed.toarray().terms()) == known
    along = rw.jvp([s, t], symbols, [a, b, 2])
    products = [direct[k, 0] * a + direct[k, 1] * b + direct[k, 2] * 2 for k in range(2)]
    assert fingerprints(along.terms()) == fingerprints(products)
    back = rw.vjp([s, t], symbols, [a, b])
    products = [direct[0, k] * a + direct[1, k] * b for k in range(3)]
    assert fingerprints(back.terms()) == fingerprints(products)


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(terms())
def test_the_strategies_give_the_same_gradient(t: Term) -> None:
    symbols = (x, y, z)
    made = rw.gradient(t, list(symbols)).terms()
    up = [rules.forward()(apply(rules.derivative, t, s)) for s in symbols]
    assert fingerprints(up) == fingerprints(made)
    state = rules.reverse()(apply(rules.pull, t, 1))
    parts = state.args if state.op is ops.ADD else (state,)
    down = {part.args[0]: part.args[1] for part in parts if part.op is rules.pull}
    assert fingerprints([down.get(s, rw.const(0)) for s in symbols]) == fingerprints(made)


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(terms())
def test_second_derivatives_are_symmetric_and_a_hessian_times_a_vector(t: Term) -> None:
    symbols = [x, y, z]
    hessian = rw.hessian(t, symbols)
    full = rw.jacobian(rw.gradient(t, symbols), symbols)
    known = fingerprints(full.terms())
    assert fingerprints(hessian.terms()) == known
    assert fingerprints(full.T.terms()) == known
    assert fingerprints(rw.sparse_hessian(t, symbols).toarray().terms()) == known
    product = rw.hvp(t, symbols, [a, b, 2])
    written = [full[k, 0] * a + full[k, 1] * b + full[k, 2] * 2 for k in range(3)]
    assert fingerprints(product.terms()) == fingerprints(written)


def test_derivatives_nest_to_any_order() -> None:
    term = rw.exp(2 * x)
    same(rw.diff(term, x, 5), 32 * term)
    same(rw.diff(term, x, 0), term)
    same(rw.diff(x**4, x, 4), rw.const(24))


def test_a_long_product_is_linear() -> None:
    symbols = [rw.symbol(f"f{k}") for k in range(200)]
    product = apply(ops.MUL, *symbols)
    found = rw.gradient(product, symbols)
    store = found.store
    assert len({i for t in found.terms() for i in Dag.of(store, [t.id]).ids.tolist()}) < 1000
    others = apply(ops.MUL, *symbols[:7], *symbols[8:])
    same(found[7], others)


def test_factors_that_repeat_are_counted() -> None:
    assert repr(rw.diff(x * x, x)) == "2*x"
    same(rw.diff(apply(ops.MUL, x, y, x, x), x), 3 * x * x * y)
    same(rw.diff(apply(ops.MUL, *[x] * 9), x), 9 * x**8)


def test_what_cancels_is_left_out() -> None:
    assert rw.sparse_jacobian([x * y - x * y + z], [x, y, z]).nnz == 1


def test_a_deep_program_needs_no_recursion() -> None:
    with rw.scope():
        (u,) = rw.symbols("u")
        term = u
        for k in range(20_000):
            term = term * u + k
        made = rw.gradient(term, [u]).item()
        assert made.node_count() < 110_000
        assert rw.diff(term, u).node_count() < 110_000


def test_a_wide_sum_and_many_uses_find_room() -> None:
    with rw.scope():
        symbols = [rw.symbol(f"v{k}") for k in range(3000)]
        total = apply(ops.ADD, *[rw.sin(s) * symbols[0] for s in symbols])
        found = rw.gradient(total, symbols)
        same(found[5], rw.cos(symbols[5]) * symbols[0])
        for mode in WAYS:
            same(rw.jacobian(total, symbols, mode=mode)[0], found[0])


def operations(made: Any, *, known: list[Term]) -> int:
    """Count what is computed beyond some terms."""
    store = made.store
    old = set(Dag.of(store, [t.id for t in known]).ids.tolist())
    dag = Dag.of(store, made.ids.ravel().tolist())
    return sum(len(args) > 0 and at not in old
               for at, (_, args) in zip(dag.ids.tolist(), dag.rows(), strict=True))  # fmt: skip


def waist(n: int, width: int, depth: int) -> tuple[list[Term], list[Term]]:
    """Return n results of n inputs, which meet in few numbers."""
    inputs = [rw.symbol(f"w{k}") for k in range(n)]

    def deep(values: list[Any]) -> list[Any]:
        for _ in range(depth):
            values = [rw.sin(v * v + 1) for v in values]
        return values

    def layer(values: list[Any], count: int) -> list[Any]:
        weights = iter(range(1, count * len(values) + 1))
        return [sum(next(weights) * v for v in values) for _ in range(count)]

    return deep(layer(deep(layer(deep(inputs), width)), n)), inputs


def test_a_narrow_waist_is_left_in_both_directions() -> None:
    with rw.scope():
        f, inputs = waist(12, 2, 4)
        counts = {mode: operations(rw.jacobian(f, inputs, mode=mode), known=f) for mode in WAYS}
        assert 2 * counts["mixed"] < min(counts["forward"], counts["reverse"])
        chosen: Any = rw.jacobian(f, inputs)
        assert np.array_equal(chosen.ids, rw.jacobian(f, inputs, mode="mixed").ids)
        assert fingerprints(chosen.terms()) == fingerprints(
            cast("Any", rw.jacobian(f, inputs, mode="forward")).terms()
        )


@pytest.mark.parametrize("outputs", [1, 8])
def test_where_one_direction_is_best_it_is_taken(outputs: int) -> None:
    with rw.scope():
        inputs = [rw.symbol(f"w{k}") for k in range(9 - outputs)]
        value: Any = sum(inputs)
        for k in range(20):
            value = rw.sin(value * inputs[0]) + k
        f = [rw.sin(k * value) for k in range(1, outputs + 1)]
        counts = {mode: operations(rw.jacobian(f, inputs, mode=mode), known=f) for mode in WAYS}
        chosen: Any = rw.jacobian(f, inputs)
        assert operations(chosen, known=f) <= 1.1 * min(counts.values())


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(st.lists(terms(), min_size=1, max_size=4))
def test_orders_are_tried_within_a_limit(roots: list[Term]) -> None:
    array = rw.asarray(roots)
    program = Program.of(array, rw.asarray([x, y, z], array.store))
    for order in range(4):
        whole = elimination.operations(program, order)
        assert whole < elimination.UNLIMITED
        limited = [elimination.operations(program, order, limit) for limit in (0, 5, 1000)]
        limited += [elimination.operations(program, order, most=most) for most in (0, 5, 1000)]
        assert all(count in (whole, elimination.UNLIMITED) for count in limited)


def test_one_term_may_be_a_result_twice() -> None:
    made: Any = rw.jacobian([x * y, x, x * y, 3], [x, y], mode="mixed")
    assert made.tolist() == rw.jacobian([x * y, x, x * y, 3], [x, y], mode="reverse").tolist()


# -- sparsity --------------------------------------------------------------------------------


def chain(n: int) -> tuple[list[Term], list[Term]]:
    u = [rw.symbol(f"u{k}") for k in range(n)]
    return u, [u[k] * u[(k + 1) % n] + rw.sin(u[k]) for k in range(n)]


@pytest.mark.parametrize("format_", ["csr", "csc"])
def test_a_sparse_jacobian_is_the_dense_one(format_: Any) -> None:
    u, f = chain(12)
    made = rw.sparse_jacobian(f, u, format=format_)
    assert made.nnz == 24
    assert np.array_equal(made.toarray().ids, rw.jacobian(f, u).ids)
    pattern = made.sparsity()
    assert pattern.format == format_
    assert pattern.has_sorted_indices
    assert np.array_equal(pattern.toarray(), rw.jacobian_sparsity(f, u).toarray())


def test_a_pattern_of_many_inputs_is_told_by_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    from strategies.calculus import sparse

    u, f = chain(150)
    whole = [apply(ops.ADD, *f), *f]
    expected = rw.jacobian_sparsity(whole, u).toarray()
    monkeypatch.setattr(sparse, "support_lists", lambda program, most: None)
    assert np.array_equal(rw.jacobian_sparsity(whole, u).toarray(), expected)


def test_a_hessian_pattern_has_what_interacts() -> None:
    found = rw.hessian_sparsity(x * y + rw.sin(z) + 3 * y, [x, y, z]).toarray()
    assert np.array_equal(found, [[0, 1, 0], [1, 0, 0], [0, 0, 1]])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.randoms(use_true_random=False))
def test_no_row_has_two_columns_of_one_color(rows: int, columns: int, random: Any) -> None:
    pattern = np.array([[random.random() < 0.3 for _ in range(columns)] for _ in range(rows)])
    tints = rw.column_coloring(pattern)
    assert len(tints) == columns
    for row in pattern:
        own = tints[row]
        assert len(set(own.tolist())) == len(own)


def test_a_matrix_of_terms_is_colored() -> None:
    made = rw.sparse_jacobian([x * y, rw.sin(z)], [x, y, z])
    assert np.array_equal(rw.column_coloring(made), rw.column_coloring(made.sparsity()))
    for wrong in ("abc", 3, [[1, "a"]]):
        with pytest.raises(ArgumentError, match="the pattern is no matrix"):
            rw.column_coloring(wrong)


# -- what users may get wrong ----------------------------------------------------------------


@pytest.mark.parametrize("row", [ops.OPS[c] for c in sorted(FLAT)], ids=lambda row: row.name)
def test_ops_of_steps_are_flat_and_say_so(row: ops.Op) -> None:
    with pytest.warns(DerivativeWarning, match=row.name):
        made = rw.diff(apply(row, x) + x, x)
    assert made == rw.const(1)


def test_a_warning_points_at_the_line_that_called() -> None:
    with pytest.warns(DerivativeWarning) as seen:
        rw.gradient(rw.floor(x), [x])
        rw.hessian(rw.sign(x) * x, [x])
    assert {warning.filename for warning in seen} == {__file__}


def test_a_truth_value_is_flat_and_says_so() -> None:
    with pytest.warns(DerivativeWarning, match="gt"):
        assert rw.diff(x > y, x) == rw.const(0)


def test_a_condition_is_held_fixed_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(rw.diff(rw.where(x > y, x * x, y), x), rw.where(x > y, 2 * x, 0))


def test_an_op_without_a_derivative_is_named() -> None:
    row = rw.op("mystery", [rw.REAL], rw.REAL)
    with pytest.raises(UnsupportedOp, match=r"the op 'mystery' has no derivative.*rw\.register"):
        rw.diff(apply(row, x), x)
    assert rw.diff(apply(row, y) * x, x) == apply(row, y)  # what x does not reach is no matter


def test_a_registered_op_has_its_derivative() -> None:
    @rw.register(derivative=lambda u, v: (2 * u * v, u * u))  # type: ignore[untyped-decorator]
    def area_like(u: Any, v: Any) -> Any:
        return u * u * v

    assert area_like(2.0, 3.0) == 12.0
    assert np.array_equal(area_like(np.array([1.0, 2.0]), 3.0), [3.0, 12.0])
    term = area_like(rw.sin(x), y)
    point = {"x": 0.3, "y": 1.7}
    expected = 2 * np.sin(0.3) * np.cos(0.3) * 1.7
    assert float(evaluate(rw.diff(term, x), point)) == pytest.approx(expected, rel=1e-14)
    assert area_like(rw.asarray([x, y]), 2).shape == (2,)
    with pytest.raises(UnsupportedOp, match="has 1 parts, but it takes 2"):
        rw.register(area_like, name="area_other", derivative=lambda u, v: u)


def test_a_registered_derivative_may_use_the_op() -> None:
    @rw.register(derivative=lambda u: 1 + tangent_like(u) ** 2)  # type: ignore[untyped-decorator]
    def tangent_like(u: Any) -> Any:
        return np.tan(u)

    t = np.tan(0.4)
    for n, factor in ((1, 1), (2, 2 * t), (3, 2 + 6 * t * t)):
        made = evaluate(rw.diff(tangent_like(x), x, n), {"x": 0.4})
        assert float(made) == pytest.approx(factor * (1 + t * t), rel=1e-12)
    with pytest.raises(NameError, match="not_there"):
        rw.register(derivative=lambda u: not_there(u), name="lost_test")(lambda u: u)  # type: ignore[name-defined] # noqa: F821
    with pytest.raises(UnsupportedOp, match="3 is no function"):
        rw.register(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rw.diff(x * y, x * y), "is not a symbol"),
        (lambda: rw.diff(x, rw.const(2)), "is not a symbol"),
        (lambda: rw.gradient(x, [x, x]), "among the symbols twice"),
        (lambda: rw.gradient([x, y], [x]), "the gradient is that of one term, not of 2"),
        (lambda: rw.jvp([x], [x, y], [1]), r"v has the shape \(1,\), xs has \(2,\)"),
        (lambda: rw.vjp([x, y], [x], [1]), r"w has the shape \(1,\), f has \(2,\)"),
        (lambda: rw.diff(x, x, -1), "n=-1 is not a number of times"),
        (lambda: rw.jacobian([x], [x], mode=cast("Any", "sideways")), "mode='sideways' is none of"),
        (
            lambda: rw.sparse_jacobian([x], [x], format=cast("Any", "coo")),
            "format='coo' is none of",
        ),
    ],
)
def test_mistakes_are_named(call: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call()


def test_matrices_are_refused() -> None:
    m = rw.symbol("m", sort=rw.MATRIX)
    with pytest.raises(UnsupportedOp, match="only terms of real numbers"):
        rw.jacobian([m * x], [x])


def test_a_registered_derivative_may_be_long_and_wide() -> None:
    def wide(u: Any) -> Any:
        return apply(ops.ADD, *[rw.sin(k * u) for k in range(1, 41)])

    def long(u: Any) -> Any:
        value = u
        for k in range(100):
            value = rw.sin(value) + k
        return value

    for name, partial in (("wide", wide), ("long", long)):
        made = rw.register(derivative=partial, name=f"{name}_test")(lambda u: u)
        points = np.linspace(-1, 1, 5)
        expected = 2 * points * evaluate(partial(x), {"x": points**2})
        for slope in (rw.diff(made(x * x), x), rw.gradient(made(x * x), [x])[0]):
            np.testing.assert_allclose(evaluate(slope, {"x": points}), expected, rtol=1e-12)


def test_a_registered_derivative_is_a_number_made_of_the_arguments() -> None:
    with pytest.raises(UnsupportedOp, match=r"has x, which is none of its arguments"):
        rw.register(derivative=lambda u: u * x, name="leaky_test")(lambda u: u)
    with pytest.raises(UnsupportedOp, match=r"is a truth value"):
        rw.register(derivative=lambda u: u > 0, name="truth_test")(lambda u: u)


def test_one_symbol_and_numbers_are_what_is_taken() -> None:
    with pytest.raises(ArgumentError, match=r"is not one symbol; use rw\.gradient"):
        rw.diff(x * y, [x, y])
    with pytest.raises(ArgumentError, match="v has a term that is no number"):
        rw.jvp([x * y], [x, y], [x < y, 2])
    with pytest.raises(ArgumentError, match="w has a term that is no number"):
        rw.vjp([x * y], [x, y], [x < y])


@pytest.mark.parametrize("zero", [0, 0.0, -0.0])
def test_a_power_of_zero_has_no_slope(zero: float) -> None:
    assert rw.diff(x**zero, x) == rw.const(0)


@pytest.mark.parametrize(
    "text, slope",
    [
        ("2*x/2", "1"),
        ("x**2/2", "x"),
        ("x**4/2", "2*x**3"),
        ("exp(-x**2/2)", "-(x*exp(-x**2/2))"),
        ("x**2/3", "2*x/3"),
    ],
)
def test_known_factors_cancel(text: str, slope: str) -> None:
    x = rw.symbol("x")
    assert rw.diff(rw.parse(text), x) == rw.parse(slope)


@pytest.mark.parametrize("divisor", [0, 0.0, 2.0, -2, 1, 17])
def test_other_divisors_stay(divisor: float) -> None:
    x = rw.symbol("x")
    found = rw.diff(rw.const(2) * x / divisor, x)
    with np.errstate(divide="ignore"):
        assert rw.evaluate(found, {x: 1.0}) == np.float64(2.0) / divisor
