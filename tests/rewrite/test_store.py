"""The store: one node for equal terms, whichever path made it, in any order."""

import math
import subprocess
import sys
import threading
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rewrite as rw
from rewrite import ops
from rewrite.constants import PI, E, as_constant, constant_key, to_float
from rewrite.dag import Dag, reachable, rebuild
from rewrite.errors import SortError, UnsupportedOp
from rewrite.store import MIN_CAPACITY, Store, Symbol

UNARY = (ops.NEG, ops.SIN, ops.FLOOR)
BINARY = (ops.ADD, ops.SUB, ops.MUL, ops.DIV, ops.MINIMUM)

# One step: (path, op, children): path 0 is a single node, 1 a bulk call, 2 only builds the table.
steps = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(UNARY + BINARY),
        st.lists(st.integers(0, 10_000), min_size=2, max_size=12),
    ),
    max_size=25,
)


def intern(store: Store, row: ops.Op, rows: list[tuple[int, ...]]) -> list[int]:
    """Intern through the compiled loop."""
    out = np.full(len(rows), -1, np.int32)
    args = np.array([child for children in rows for child in children], np.int32)
    start = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    codes = np.full(len(rows), row.code, np.uint8)
    store.indexed().intern(store, codes, start, args, out, local=False)
    return [int(node) for node in out]


def leaves(store: Store) -> list[int]:
    symbols = [store.symbol(Symbol(name)) for name in "xyz"]
    return [*symbols, *(store.constant(value) for value in (0, 1, 0.5, -0.0))]


@given(steps)
def test_both_paths_give_one_id_for_equal_nodes(plan: list[tuple[int, ops.Op, list[int]]]) -> None:
    store = Store()
    nodes = leaves(store)
    seen: dict[tuple[int, ...], int] = {}
    for path, row, picks in plan:
        width = row.arity if row.arity > 0 else 2
        picked = [nodes[pick % len(nodes)] for pick in picks]
        rows = [tuple(picked[k : k + width]) for k in range(0, len(picked) - width + 1, width)]
        if path == 2:
            store.indexed()
        made = (
            intern(store, row, rows)
            if path == 1
            else [store.make((row.code, *children)) for children in rows]
        )
        for children, node in zip(rows, made, strict=True):
            assert seen.setdefault((row.code, *children), node) == node
            assert store.code(node) == row.code and store.children(node) == children
            assert all(child < node for child in children)
        nodes += made
    assert len(set(seen.values())) == len(seen)
    assert len(store) == len(seen) + len(leaves(store))
    for key, node in seen.items():
        assert store.make(key) == node
        assert intern(store, ops.OPS[key[0]], [key[1:]]) == [node]


@given(steps)
def test_both_paths_infer_the_same_sorts(plan: list[tuple[int, ops.Op, list[int]]]) -> None:
    one, many = Store(), Store()
    single, bulk = leaves(one), leaves(many)
    for _, row, picks in plan:
        width = row.arity if row.arity > 0 else 2
        at = [pick % len(single) for pick in picks[:width]]
        single.append(one.make((row.code, *[single[k] for k in at])))
        bulk += intern(many, row, [tuple(bulk[k] for k in at)])
    assert single == bulk
    assert [one.sort(node) for node in single] == [many.sort(node) for node in bulk]


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize(
    ("code", "names", "message"),
    [
        (ops.ADD.code, "bx", "add takes a number as argument 1, not a truth value"),
        (ops.ADD.code, "xb", "add takes a number as argument 2, not a truth value"),
        (ops.ADD.code, "x", "add takes two or more arguments, not 1"),
        (ops.SUB.code, "xxx", "sub takes 2 arguments, not 3"),
        (ops.SIN.code, "b", "sin takes a number as argument 1"),
        (ops.AND.code, "bx", "and takes a truth value as argument 2, not a number"),
        (ops.WHERE.code, "xxx", "where takes a truth value as argument 1"),
        (ops.WHERE.code, "bbx", "where needs two numbers or two truth values"),
    ],
)
def test_ill_sorted_nodes_are_refused(
    indexed: bool, code: int, names: str, message: str
) -> None:  # fmt: skip
    store = Store()
    nodes = {"x": store.symbol(Symbol("x")), "b": store.symbol(Symbol("b", "bool"))}
    good = (ops.ADD.code, nodes["x"], nodes["x"])
    key = (code, *[nodes[name] for name in names])
    with pytest.raises(SortError, match=message):
        if indexed:
            intern(store, ops.OPS[code], [key[1:]])
        else:
            store.make(key)
    before = len(store)
    assert store.make(good) == before  # the store is as good as before
    assert intern(store, ops.ADD, [good[1:]]) == [before]


def test_a_failing_row_keeps_the_rows_before_it() -> None:
    store = Store()
    x, b = store.symbol(Symbol("x")), store.symbol(Symbol("b", "bool"))
    with pytest.raises(SortError, match="argument 2"):
        intern(store, ops.ADD, [(x, x), (x, b), (x, x)])
    assert len(store) == 3
    assert store.make((ops.ADD.code, x, x)) == 2
    assert intern(store, ops.MUL, [(x, x)]) == [3]


CONSTANTS: list[Any] = [0, 0.0, -0.0, 1, 1.0, True, False, math.nan, math.inf, -math.inf,
                        Fraction(1, 2),
             0.5, 2**70, PI, E, math.pi]  # fmt: skip


def test_constants_are_one_node_each() -> None:
    store = Store()
    nodes = [store.constant(value) for value in CONSTANTS]
    assert len(set(nodes)) == len(CONSTANTS)
    assert nodes == [store.constant(value) for value in CONSTANTS]
    assert store.constant(-math.nan) == store.constant(math.nan)
    for node, value in zip(nodes, CONSTANTS, strict=True):
        kept = store.value(node)
        assert type(kept) is type(value) and repr(kept) == repr(value)


@given(st.floats() | st.integers() | st.fractions() | st.booleans())
def test_constants_survive_a_store(value: float | Fraction) -> None:
    store = Store()
    kept = store.value(store.constant(as_constant(value)))
    assert kept is not None and constant_key(kept) == constant_key(as_constant(value))


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.float64(0.1), 0.1), (np.float32(0.1), float(np.float32(0.1))), (np.int8(-3), -3),
        (np.bool_(True), True), (np.uint64(2**63), 2**63), (np.longdouble(0.5), 0.5),
        (Fraction(4, 2), 2), (np.float16(2), 2.0),
    ],
)  # fmt: skip
def test_numpy_numbers_become_python_numbers(value: object, kept: object) -> None:
    made = as_constant(value)
    assert made == kept and type(made) is type(kept)


@pytest.mark.parametrize(
    "value", [1j, "1", None, [1], np.array([1.0, 2.0]), np.datetime64("NaT", "s")]
)
def test_what_is_no_real_number_is_refused(value: object) -> None:
    with pytest.raises(UnsupportedOp):
        as_constant(value)


def test_rounding_a_constant_once() -> None:
    assert to_float(Fraction(1, 3)) == 1 / 3
    assert to_float(10**400) == math.inf and to_float(-(10**400)) == -math.inf
    assert to_float(PI) == math.pi


def test_columns_grow_and_agree_with_single_reads() -> None:
    store = Store()
    node = store.symbol(Symbol("x"))
    for _ in range(3 * MIN_CAPACITY):
        node = store.make((ops.ADD.code, node, 0))
        if node % 100 == 0:
            store.flush()
    columns = store.columns()
    assert len(columns.op) == len(store) == 3 * MIN_CAPACITY + 1
    for each in range(len(store)):
        children = columns.pool[columns.start[each] : columns.start[each + 1]].tolist()
        assert tuple(children) == store.children(each)
        assert columns.op[each] == store.code(each) and columns.sort[each] == store.sort(each)
        assert columns.payload[each] == store.payload(each)


def test_a_dictionary_that_is_full_hands_over_to_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rewrite.store.DICT_LIMIT", 50)
    store = Store()
    node = x = store.symbol(Symbol("x"))
    made = []
    for _ in range(200):
        node = store.make((ops.MUL.code, node, x))
        made.append(node)
    assert len(store.index) <= 51 and store.table is not None
    node = x
    for expected in made:
        node = store.make((ops.MUL.code, node, x))
        assert node == expected
    assert len(store) == 201


@given(st.lists(st.tuples(st.sampled_from(BINARY), st.integers(0), st.integers(0)), max_size=30))
def test_collecting_and_rebuilding_a_program(rows: list[tuple[ops.Op, int, int]]) -> None:
    store = Store()
    nodes = leaves(store)
    for row, a, b in rows:
        nodes.append(store.make((row.code, nodes[a % len(nodes)], nodes[b % len(nodes)])))
    roots = nodes[-3:]
    dag = Dag.of(store, roots)
    assert dag.ids[dag.roots].tolist() == roots
    assert reachable(store, roots).tolist() == dag.ids.tolist()
    assert rebuild(dag, store) == dag.ids.tolist()
    other, compiled = Store(), Store()
    compiled.indexed()
    assert rebuild(dag, other) == rebuild(dag, compiled)
    assert len(other) == len(compiled) == len(dag)


def test_threads_build_in_one_store() -> None:
    store = Store()
    x = store.symbol(Symbol("x"))
    found: list[list[int]] = [[] for _ in range(6)]

    def work(place: int) -> None:
        node = x
        for k in range(1500):
            other = store.constant((k + 100 * place) % 700)
            node = store.make((ops.ADD.code, x, other))
            node = store.make((ops.MUL.code, node, node))
            found[place].append(node)
            if k % 300 == 0:
                intern(store, ops.SIN, [(node,)])
            assert store.code(node) == ops.MUL.code and len(store.children(node)) == 2

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values: dict[object, set[int]] = {}
    for nodes in found:
        assert len(nodes) == 1500
        for node in nodes:
            inner = store.children(node)[0]
            values.setdefault(store.value(store.children(inner)[1]), set()).add(node)
    assert len(values) == 700 and all(len(nodes) == 1 for nodes in values.values())


PROGRAM = """
import numpy as np, rewrite as rw
a = rw.asarray(rw.symbols("b a d c"))
t = (np.sin(a[:, None] * a) + a / 3).sum()
f = rw.parse("p*q + where(q < r, exp(p), 0.1)")
print(t, t.id, [s.id for s in t.free_symbols], f.latex(), f.sexpr(), list(t.free_symbols))
"""


def test_nothing_depends_on_hash_seeds() -> None:
    def run(seed: str) -> str:
        code = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(
            code, env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    texts = {run(seed) for seed in ("0", "1", "4242")}
    assert len(texts) == 1 and "sin(b*a)" in texts.pop()


def test_a_scratch_store_goes_away() -> None:
    before = len(rw.symbol("x").store)
    with rw.scope() as store:
        y = rw.symbol("only_here") + 1
        assert y.store is store and len(store) == 3
    assert rw.symbol("x").store is not store
    assert len(rw.symbol("x").store) == before
