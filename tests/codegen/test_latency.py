"""`cycles` with latency: the model's critical path, and what it makes of long sums."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rewrite as rw
from codegen.cost import cycle_cost, cycles
from codegen.forms import parameters_of, results_of
from codegen.lower import lower
from codegen.target import NAMES, get
from codegen.targets import TABLES
from rewrite import ops
from rewrite.cost import LatencyModel, critical_path
from rewrite.dag import Dag
from rewrite.errors import ArgumentError, TargetError
from rewrite.extract import MODES, Mode
from rewrite.rules.arithmetic import ASSOCIATIVITY

MODEL = cycles("intel-avx2", latency=1.0)
x, y = rw.symbols("x y")


def path(term: rw.Term) -> float:
    return critical_path(Dag.of(term.store, [term.id]), MODEL)


def waited(term: rw.Term) -> float:
    """Return the critical path of the lowered program, by the rows of the table."""
    results, _ = results_of(term)
    program = lower(parameters_of([x, y]), results, strict=False, name="kernel")
    rows, lanes = MODEL.table.index(), MODEL.table.lanes("f64")
    ready: list[float] = []
    for instruction in program.instructions:
        row = rows.get((instruction.op, "f64"))
        own = row.latency if row is not None and instruction.op != "neg" else 0.0
        ready.append(own / lanes + max((ready[a] for a in instruction.args), default=0.0))
    return max(ready)


@pytest.mark.parametrize("n", [-9, -8, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 31, 64])
def test_powers_wait_as_long_as_what_they_are_lowered_to(n: int) -> None:
    assert path(x**n) == pytest.approx(waited(x**n)), n


def test_other_ops_wait_as_their_rows_say() -> None:
    for term in (x / 4, x / y, rw.sin(x) + y, rw.fma(x, y, x), rw.sqrt(x * y + 1)):
        assert path(term) == pytest.approx(waited(term)), term


def test_every_op_with_a_price_has_a_latency() -> None:
    for name in TABLES:
        model = cycle_cost(name)
        assert isinstance(model, LatencyModel)
        for row in TABLES[name].rows:
            if row.op in ops.BY_NAME:
                constants = (None,) * abs(ops.op(row.op).arity)
                assert model.latency(ops.op(row.op), (*constants, None)) > 0


@pytest.mark.parametrize("mode", MODES[:2])
def test_a_long_sum_becomes_a_balanced_tree(mode: Mode) -> None:
    terms = rw.symbols(" ".join(f"v{k}" for k in range(16)))
    source = terms[0]
    for term in terms[1:]:
        source = source + term
    found = {
        weight: rw.egraph(source, ASSOCIATIVITY, cost=cycles("intel-avx2", latency=weight))
        for weight in (0.0, 0.1, 1.0)
    }
    assert found[0.0].extract(mode) == source
    step = path(terms[0] + terms[1])
    assert path(source) == pytest.approx(15 * step)
    for weight in (0.1, 1.0):
        assert path(found[weight].extract(mode)) == pytest.approx(4 * step)


def test_optimize_counts_it_before_and_after() -> None:
    source = sum(rw.symbols(" ".join(f"v{k}" for k in range(2, 8))), start=x)
    plain, timed = (rw.optimize(source, cost=cycles("intel-avx2", latency=w)) for w in (0.0, 1.0))
    assert plain.terms == source
    assert timed.cost_before == pytest.approx(plain.cost_before + path(source))
    assert timed.cost_after == pytest.approx(plain.cost_after + path(timed.terms))
    assert timed.cost_after < timed.cost_before
    assert "latency" in repr(timed) and "latency" not in repr(plain)


@given(st.sampled_from([*NAMES, *TABLES]), st.sampled_from(["f64", "f32"]))
def test_models_by_name(name: str, dtype: str) -> None:
    if name != "neon":
        model = cycles(name, dtype=dtype)  # type: ignore[arg-type]
        assert model.latency_weight == 0.0 and model.name == f"{model.table.name}/{dtype}"
        assert model == cycles(get(name) if name in NAMES else name, dtype=dtype)  # type: ignore[arg-type]


def test_mistakes_name_the_choices() -> None:
    with pytest.raises(TargetError, match=r"no cost table 'zen9'.*zen4-avx2"):
        cycles("zen9")
    for weight in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ArgumentError, match="no weight, 0 or more"):
            cycles(latency=weight)
