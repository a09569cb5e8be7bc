"""Extraction: DAG costs, shared subterms, many roots, bans; against exhaustive search."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest

import rewrite as rw
from rewrite import extract, ops
from rewrite.constants import Constant
from rewrite.cost import Gowda2021, dag_cost
from rewrite.dag import Dag
from rewrite.egraph.arrays import Frozen
from rewrite.extract import Extractor
from rewrite.store import Store, Symbol


@dataclass(frozen=True)
class Unit:
    """Each op costs one, a shared one once."""

    name: str = "unit"
    unit: str = "ops"
    sharing: bool = True

    def price(self, op: ops.Op, constants: tuple[Constant | None, ...]) -> float:
        """Price every op the same, but for sin."""
        return 5.0 if op is ops.SIN else 1.0


def graph(rows: list[tuple[str, int, tuple[int, ...]]], classes: int, roots: list[int]) -> Frozen:
    """Build a frozen graph of (op, class, child classes); a leaf is ("symbol", class, ())."""
    start = np.cumsum([0, *[len(args) for *_, args in rows]])
    flat = [a for *_, args in rows for a in args]
    leaf = [Symbol(f"s{owner}") if op == "symbol" else None for op, owner, _ in rows]
    codes = [rw.ops.op(op).code for op, *_ in rows]
    return Frozen(
        np.array(codes, np.uint8), np.array([owner for _, owner, _ in rows], np.int32),
        start.astype(np.int64), np.array(flat, np.int32), list(leaf), classes, roots,
    )  # fmt: skip


def exhaustive(frozen: Frozen, price: list[float]) -> float:
    """Return the least DAG cost over all acyclic choices."""
    groups = [
        [n for n in range(len(frozen)) if frozen.owner[n] == g] for g in range(frozen.classes)
    ]
    best = float("inf")
    for choice in itertools.product(*groups):
        used: set[int] = set()
        stack = list(frozen.roots)
        total, good = 0.0, True

        def visit(group: int, path: tuple[int, ...], choice: tuple[int, ...] = choice) -> bool:
            if group in path:
                return False
            args = frozen.args[frozen.start[choice[group]] : frozen.start[choice[group] + 1]]
            return all(visit(int(a), (*path, group)) for a in args)

        good = all(visit(root, ()) for root in frozen.roots)
        if not good:
            continue
        while stack:
            group = stack.pop()
            if group not in used:
                used.add(group)
                total += price[choice[group]]
                node = choice[group]
                stack += frozen.args[frozen.start[node] : frozen.start[node + 1]].tolist()
        best = min(best, total)
    return best


def test_sharing_beats_the_cheapest_tree() -> None:
    """Class 1 is sin(s) or a cheaper-looking sum; sin(s) is needed by the root anyway."""
    frozen = graph(
        [
            ("symbol", 0, ()),
            ("sin", 1, (0,)),
            ("cos", 2, (1,)),
            ("exp", 2, (3,)),
            ("log", 3, (4,)),
            ("sqrt", 4, (0,)),
            ("add", 5, (1, 2)),
        ],
        6,
        [5],
    )
    extractor = Extractor(frozen, Unit())
    found = extractor.extract()
    assert found is not None
    assert found.cost == pytest.approx(exhaustive(frozen, extractor.price))
    assert frozen.code[found.choice[2]] == ops.COS.code


@pytest.mark.parametrize("seed", range(60))
def test_local_search_is_close_to_the_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, int, tuple[int, ...]]] = [("symbol", 0, ()), ("symbol", 1, ())]
    classes = 7
    for group in range(2, classes):
        for _ in range(int(rng.integers(1, 4))):
            op = ["add", "mul", "sin", "sub"][int(rng.integers(0, 4))]
            low, high = (0, group) if rng.random() < 0.8 else (0, classes)
            args = tuple(int(v) for v in rng.integers(low, high, 1 if op == "sin" else 2))
            rows.append((op, group, args))
    frozen = graph(rows, classes, [classes - 1, classes - 2])
    extractor = Extractor(frozen, Unit())
    found = extractor.extract()
    best = exhaustive(frozen, extractor.price)
    if found is None:
        assert best == float("inf")
    else:
        assert best <= found.cost + 1e-9
        assert found.cost <= 1.35 * best + 1e-9
        terms, _ = extractor.terms(found, Store())
        assert dag_cost(Dag.of(terms[0].store, [t.id for t in terms]), Unit()) <= found.cost + 1e-6


def test_compiled_loops_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled loops choose what the plain ones choose."""
    rng = np.random.default_rng(5)
    rows: list[tuple[str, int, tuple[int, ...]]] = [("symbol", 0, ()), ("symbol", 1, ())]
    for group in range(2, 120):
        for _ in range(int(rng.integers(1, 5))):
            args = tuple(int(v) for v in rng.integers(0, group, 2))
            rows.append((["add", "mul"][int(rng.integers(0, 2))], group, args))
    extractor = Extractor(graph(rows, 120, [119, 60]), Unit())
    plain = extractor.extract()
    monkeypatch.setattr(extract, "COMPILE_PAYS", 0)
    assert extractor.extract() == plain


def test_banned_nodes_are_avoided() -> None:
    rows = [("symbol", 0, ()), ("exp", 1, (0,)), ("sin", 1, (0,))]
    extractor = Extractor(graph(rows, 2, [1]), Unit())
    first = extractor.extract()
    assert first is not None and first.choice[1] == 1
    second = extractor.extract(banned=[1])
    assert second is not None and second.choice[1] == 2
    assert extractor.extract(banned=[1, 2]) is None


def test_constants_cost_nothing_and_negation_in_fma_is_free() -> None:
    x, y, z = rw.symbols("x y z")
    model = Unit()

    def cost(*terms: rw.Term) -> float:
        return dag_cost(Dag.of(terms[0].store, [t.id for t in terms]), model)

    assert cost(rw.sqrt(2 * rw.pi) * x) == 1
    assert cost(rw.fma(-x, y, z)) == 1
    assert cost(rw.fma(-x, y, z), -x) == 2
    assert cost(rw.apply("add", x, y, z, 1)) == 3
    assert cost((x + y) * (x + y)) == 2


def test_the_2021_table_is_a_tree_cost() -> None:
    """The costs that the seed system printed for its own examples."""
    x, y = rw.symbols("x y")
    model = Gowda2021()
    term = rw.sin(x) / rw.cos(x)
    assert dag_cost(Dag.of(term.store, [term.id]), model) == 134 + 134 + 24
    shared = (x * y) + (x * y)
    assert dag_cost(Dag.of(shared.store, [shared.id]), model) == 3 + 3 + 1
    assert model.price(ops.LOG, (None,)) == 1
