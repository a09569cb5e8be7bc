"""The Hypothesis strategies and the assertion that users import."""

import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite import ops
from rewrite.dag import Dag
from rewrite.errors import ArgumentError
from rewrite.evaluate import evaluate
from rewrite.oracle import exact, ulp_distance
from rewrite.sampling import sample_points
from rewrite.term import Term, apply
from rewrite.testing import assert_equivalent, points_for, symbols_with_domains, terms

x, y = rw.symbols("x y")


def inner(term: Term) -> list[str]:
    dag = Dag.of(term.store, [term.id])
    return [ops.OPS[code].name for code, args in dag.rows() if args]


@given(terms(max_ops=6), terms(sort=rw.BOOL, max_ops=6), terms(sort=rw.INT, max_ops=6))
def test_terms_have_their_sort_and_size(real: Term, truth: Term, whole: Term) -> None:
    assert real.sort != rw.BOOL and truth.sort == rw.BOOL and whole.sort == rw.INT
    assert all(len(inner(t)) <= 6 for t in (real, truth, whole))


@given(terms([x], ops=["add", ops.MUL], max_ops=5))
def test_terms_use_what_they_may(term: Term) -> None:
    assert set(inner(term)) <= {"add", "mul"} and set(term.free_symbols) <= {x}


def test_terms_share_subterms_and_use_every_op() -> None:
    seen: set[str] = set()
    shared = 0

    @settings(max_examples=500, database=None, derandomize=True)
    @given(terms(max_ops=20), terms(max_ops=20, sort=rw.BOOL))
    def collect(real: Term, truth: Term) -> None:
        nonlocal shared
        seen.update(inner(real), inner(truth))
        dag = Dag.of(real.store, [real.id])
        uses = np.bincount(dag.args, minlength=len(dag))
        shared += any(uses[i] > 1 for i, (_, args) in enumerate(dag.rows()) if args)

    collect()
    assert seen == {row.name for row in ops.BUILTIN if row.code > ops.PVAR.code}
    assert shared > 50


def test_most_terms_are_defined_at_most_points() -> None:
    shares: list[float] = []

    @settings(max_examples=150, database=None, suppress_health_check=list(HealthCheck))
    @given(terms())
    def collect(term: Term) -> None:
        values = evaluate(term, sample_points(term.free_symbols, 64))
        shares.append(float(np.isfinite(values).mean()))

    collect()
    assert np.mean(np.array(shares) > 0.5) > 0.8


@given(symbols_with_domains("u v"), st.data())
def test_symbols_and_points_fit_together(symbols: tuple[Term, ...], data: st.DataObject) -> None:
    points = data.draw(points_for(symbols[0] + symbols[1], 16))
    for term in symbols:
        assert term.symbol is not None
        low, high = term.symbol.low, term.symbol.high
        at = points[term.symbol.name]
        assert at.shape == (16,)
        assert low is None or (at >= low).all()
        assert high is None or (at <= high).all()


@settings(max_examples=100)
@given(terms(symbols_with_domains(), max_ops=10), st.data())
def test_each_op_is_near_its_exact_value_on_the_computed_operands(
    term: Term, data: st.DataObject
) -> None:
    """Evaluator and oracle agree, op by op: every row of the table, in arbitrary programs."""
    with rw.scope():
        operands = [rw.symbol(f"a{i}") for i in range(3)]
        points = data.draw(points_for(term, 16))
        values = {t: evaluate(t, points) for t in _below(term)}
        for node, value in values.items():
            rounds_once = len(node.args) <= 2 or node.op.arity == 3  # longer sums cancel
            if node.args and rounds_once and not node.op.takes.strip("r"):
                args = [np.broadcast_to(values[a], 16) for a in node.args]
                call = apply(node.op, *operands[: len(node.args)])
                known = exact(call, {f"a{i}": a for i, a in enumerate(args)})
                known.ok[~np.isfinite(np.broadcast_to(value, 16))] = False
                distance = ulp_distance(value, known)
                assert not (distance > 4).any(), node


def _below(term: Term) -> list[Term]:
    dag = Dag.of(term.store, [term.id])
    return [Term(term.store, int(node)) for node in dag.ids]


# -- the assertion ---------------------------------------------------------------------------


def test_real_numbers_are_compared_by_the_oracle() -> None:
    assert_equivalent((x + 1) - x, rw.const(1), {"x": [1e300, 3.0]})
    assert_equivalent(rw.sin(x) ** 2 + rw.cos(x) ** 2, rw.const(1))
    assert_equivalent(rw.log(x * y), rw.log(x) + rw.log(y))  # where both are defined
    with pytest.raises(
        AssertionError, match=r"x\*x is .*16.0.* but 2\*x is .* \(1 of 2 points differ"
    ):
        assert_equivalent(x * x, 2 * x, {"x": [2.0, 4.0]})


def test_a_difference_far_below_double_precision_is_seen() -> None:
    with pytest.raises(AssertionError):
        assert_equivalent(x + rw.const(2) ** -60, x, {"x": [1.0]})


def test_floats_are_compared_in_ulp() -> None:
    points = {"x": np.array([0.1, 0.2, 1e10]), "y": np.array([3.0, 0.7, -1e-5])}
    assert_equivalent(x + y, lambda a, b: b + a, points, ulp=0)
    assert_equivalent(np.add, y + x, points, ulp=0)
    assert_equivalent(x / y, x * (1 / y), points, ulp=1)
    with pytest.raises(AssertionError, match=r"ulp apart, allowed 1 \(1 of 3 points differ\)"):
        assert_equivalent(x * 1.0000000000000009, x, {"x": [0.0, -0.0, 1.0]}, ulp=1)
    assert_equivalent(x + y, x + y, points, ulp=0, dtype=np.float32)


def test_no_ulp_at_all_means_the_same_bits() -> None:
    assert_equivalent(x + 0.0, x, {"x": [0.0, -0.0, np.nan]}, ulp=1)
    with pytest.raises(AssertionError, match=r"'x': -0\.0"):
        assert_equivalent(x + 0.0, x, {"x": [0.0, -0.0, np.nan]}, ulp=0)
    assert_equivalent(0 / x, 0 / x, {"x": [0.0]}, ulp=0)
    with pytest.raises(AssertionError):
        assert_equivalent(x < y, x <= y, {"x": [1.0], "y": [1.0]}, ulp=0)


def test_comparing_nothing_is_a_mistake() -> None:
    with pytest.raises(ArgumentError, match="not both defined"):
        assert_equivalent(rw.log(x), rw.log(x), {"x": [-1.0]})
    with pytest.raises(ArgumentError, match="give ulp="):
        assert_equivalent(x, np.sin, {"x": [1.0]})


def test_a_missing_hypothesis_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ImportError, match=r"rewrite\[test\]"):
        terms()
    assert_equivalent(x, x + 0)
