"""Kernels on disk: what comes back is what was compiled, quickly, and never from damaged bytes."""

import copy
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import codegen.bounded
import codegen.engine
import codegen.loops.code
import codegen.optimize
import rewrite as rw
from codegen.instruction import Argument
from codegen.kernel import Kernel
from codegen.llvm import loop
from codegen.loops.evaluate import evaluate
from codegen.loops.program import WORK, Cells, Map, Numbers, Reduce, Result, Rolled, Scatter, Zero
from codegen.program import Program, ProgramBuilder
from codegen.store import keys
from codegen.store.columns import Stored, pack_program, program_digest, unpack_program
from codegen.store.leaves import pack_terms, unpack_terms
from codegen.store.programs import pack, unpack
from codegen.store.rolled import rolled_digest
from codegen.target import host
from rewrite.cost import Gowda2021
from rewrite.dag import Dag
from rewrite.parcel import unpack as opened
from rewrite.rules import SIMPLIFY
from rewrite.store import Store
from rewrite.term import Term
from rewrite.testing import terms


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("REWRITE_CACHE", str(tmp_path))
    yield tmp_path / "code"


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Forbid to search, to lower, and to emit code."""

    def forbid() -> None:
        def refuse(*args: Any, **kwargs: Any) -> Any:
            raise AssertionError("this is done again")

        for module, name in (
            (codegen.optimize, "optimized"), (codegen.loops.choice, "program_of"),
            (codegen.loops.code, "prepared"), (codegen.loops.code, "object_code"),
            (codegen.engine, "object_code"), (loop, "emit_module"), (loop, "object_code"),
        ):  # fmt: skip
            monkeypatch.setattr(module, name, refuse)

    return forbid


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def same_kernels(first: Kernel, second: Kernel) -> None:
    assert type(first.terms) is type(second.terms)
    assert [t.sexpr() for t in first.terms] == [t.sexpr() for t in second.terms]
    assert list(first.terms) == list(second.terms)
    assert first.program == second.program and hash(first.program) == hash(second.program)
    assert str(first.program) == str(second.program)
    assert (first.report, first.cost, first.math) == (second.report, second.cost, second.math)
    assert (first.__doc__, repr(first), first.dtype) == (second.__doc__, repr(second), second.dtype)
    assert first.ufunc.types == second.ufunc.types
    assert first.ufunc.signature == second.ufunc.signature
    assert first.llvm == second.llvm and first.asm == second.asm


# -- kernels ---------------------------------------------------------------------------------


X, Y, B = rw.symbol("x", low=0.5, high=2), rw.symbol("y"), rw.symbol("b", dtype=bool)
P, Q = rw.symbols("p q", low=1, high=3)
V, W = [rw.symbol(f"v{k}") for k in range(4)], [rw.symbol(f"w{k}") for k in range(2)]
FORMS: dict[str, tuple[Any, Any]] = {
    "one": ([X, Y], X * Y + rw.sin(X)),
    "tuple": ([X, Y], (X + Y, X * Y)),
    "dict": ([X], {"a": X + 1, "b": rw.exp(X)}),
    "array": ([V], [[V[0] * V[1], V[2]], [V[3], rw.const(2) * V[0]]]),
    "several arrays": ([V[:2], X, W], ([V[0] + X, W[0]], W[1] * X)),
    "truth": ([B, X], rw.where(B, X, -X)),
    "truths": ([X, Y], rw.logical_and(X < Y, Y > 0)),
    "no argument": ([], rw.exp(rw.const(1)) + rw.pi),
    "constants": ([X], X * rw.const(2**70) + rw.const(0.1) + rw.e * X / 3 + rw.const(-0.0)),
    "sparse": ([V], rw.sparse_jacobian([V[0] * V[1], V[2] ** 2 + V[3]], V)),
    "powers": ([X], X**9),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_kernel_comes_back_as_it_was(
    name: str, cached: Path, forbidden: Callable[[], None]
) -> None:
    args, exprs = FORMS[name]
    first = rw.compile(args, exprs)
    kept = files(cached)
    forbidden()
    second = rw.compile(args, exprs)
    assert isinstance(second.program.instructions, Stored) and files(cached) == kept
    draw = np.random.default_rng(1)
    data = [
        draw.uniform(0.5, 2, (5, *a.shape)) if a.type == "f" else draw.random(5) < 0.5
        for a in first.program.arguments
    ]
    found, expected = second(*data), first(*data)
    for one, two in zip(_parts(found), _parts(expected), strict=True):
        assert one.dtype == two.dtype and one.tobytes() == two.tobytes()
    same_kernels(first, second)


def _parts(results: Any) -> list[Any]:
    if isinstance(results, dict):
        return [np.asarray(part) for part in results.values()]
    return [np.asarray(part) for part in (results if isinstance(results, tuple) else (results,))]


def aligned(like: Any) -> Any:
    """Return an empty array whose memory begins a cache line: large ones go past the caches."""
    room = np.empty(like.nbytes + 64, np.uint8)
    return room[-room.ctypes.data % 64 :][: like.nbytes].view(like.dtype)


def test_float32_and_large_arrays_come_from_disk_too(
    cached: Path, monkeypatch: pytest.MonkeyPatch, forbidden: Callable[[], None]
) -> None:
    monkeypatch.setattr(loop, "cache_bytes", lambda: 1000)
    data = np.linspace(0.5, 2, 4097), np.linspace(0.5, 2, 4097, dtype=np.float32)
    first = rw.compile([X], X * X + 1)
    expected = [first(each, out=aligned(each)).tobytes() for each in data]
    count = len(files(cached))
    forbidden()
    second = rw.compile([X], X * X + 1)
    assert [second(each, out=aligned(each)).tobytes() for each in data] == expected
    names = {"kernel": 1, "float64, float32": 2, "both past the caches": 2}
    assert len(files(cached)) == count >= sum(names.values())


def test_a_program_of_loops_comes_back_as_it_was(
    cached: Path, forbidden: Callable[[], None]
) -> None:
    u = [rw.symbol(f"u{k}") for k in range(600)]
    flow = [(a - 2 * b + c) * b + rw.const(1 / (3 + k)) * a for k, (a, b, c) in
            enumerate(zip(u, u[1:], u[2:], strict=False))]  # fmt: skip
    first = rw.compile([u], flow, optimize_terms=False)
    assert isinstance(first.program, Rolled)
    data = np.random.default_rng(5).random((70, 600))
    calls = [data[0], data, data.astype(np.float32)]
    expected = [first(each).tobytes() for each in calls]
    forbidden()
    second = rw.compile([u], flow, optimize_terms=False, parallel=2)
    assert isinstance(second.program, Rolled) and str(second.program) == str(first.program)
    assert [second(each).tobytes() for each in calls] == expected
    assert list(second.terms) == list(first.terms) and second.report == first.report
    assert repr(first) == repr(second)
    assert rolled_digest(second.program) == rolled_digest(first.program)


def test_options_that_do_not_change_code_share_it(
    cached: Path, forbidden: Callable[[], None]
) -> None:
    rw.compile([V], [V[0] * V[1], V[2] + V[3]])
    forbidden()
    last = rw.compile([V], [V[0] * V[1], V[2] + V[3]], batch_axis=-1, parallel=2)
    assert last(np.ones((4, 3))).tolist() == [[1, 1, 1], [2, 2, 2]]


def test_a_bound_on_the_error_is_not_measured_again(
    cached: Path, forbidden: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = rw.compile([X], rw.exp(X) * X, max_error=2)
    forbidden()
    monkeypatch.setattr(codegen.bounded, "first_within", None)
    second = rw.compile([X], rw.exp(X) * X, max_error=2)
    assert first.report == second.report and "largest error" in second.report.notes[-1]


def test_a_kernel_is_copied_and_pickled(cached: Path) -> None:
    rw.compile([X, Y], X * Y + 2)
    second = rw.compile([X, Y], X * Y + 2)
    for again in (pickle.loads(pickle.dumps(second)), copy.deepcopy(second)):
        assert again.program == second.program and again.terms == second.terms
        assert again(2.0, 3.0) == 8.0


def test_terms_are_built_in_the_store_that_was_given(cached: Path) -> None:
    rw.compile([X], X * 3)
    with rw.scope():
        x = rw.symbol("x", low=0.5, high=2)
        found = rw.compile([x], x * 3)
        assert isinstance(found.program.instructions, Stored)
        assert found.terms[0].store is x.store and found.terms[0] == x * 3


def test_stages_that_are_shown_are_passed(cached: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rw.compile([X], X * 3)
    with rw.show("all"):
        rw.compile([X], X * 3)
    shown = capsys.readouterr().err
    assert all(f"=== {stage} ===" in shown for stage in ("term", "egraph", "program", "asm"))


ACCIDENTS = [rw.StopReason[name] for name in ("INTERRUPTED", "FAILED", "TIME", "MEMORY")]


@pytest.mark.parametrize(
    "report",
    [*(rw.Report(stop=stop) for stop in ACCIDENTS), rw.Report(rw.StopReason.NODES, cut=True)],
    ids=[*(stop.name for stop in ACCIDENTS), "a part of it"],
)
def test_a_search_that_an_accident_ended_is_not_kept(
    report: rw.Report, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def accident(*args: Any, **kwargs: Any) -> Any:
        made = original(*args, **kwargs)
        assert isinstance(made, codegen.optimize.Optimized)
        return replace(made, report=report)

    original = codegen.optimize.optimized
    monkeypatch.setattr(codegen.optimize, "optimized", accident)
    for _ in range(2):
        kernel = rw.compile([X], X * 3)
        assert not isinstance(kernel.program.instructions, Stored)


@pytest.mark.parametrize("options", [{}, {"strategy": "accurate"}, {"max_error": 8}])
def test_what_the_clock_cut_short_is_not_kept(options: dict[str, Any], cached: Path) -> None:
    term = (X + P) * (P + Q) * (Q + X) + X * P * Q
    for _ in range(2):
        kernel = rw.compile([X, P, Q], term, limits=rw.Limits(seconds=0.0), **options)
        assert not isinstance(kernel.program.instructions, Stored)
    for _ in range(2):
        kernel = rw.compile([X, P, Q], term, limits=rw.Limits(seconds=300.0), **options)
    assert isinstance(kernel.program.instructions, Stored)


def test_which_kernel_met_a_bound_is_not_kept_if_the_clock_cut_it_short(cached: Path) -> None:
    term = (X + P) * (P + Q) * (Q + X) + X * P * Q
    measured = []
    original = codegen.bounded.first_within

    def first_within(*args: Any) -> Any:
        measured.append(1)
        return original(*args)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(codegen.bounded, "first_within", first_within)
        for seconds, times in ((0.0, [1, 2]), (300.0, [3, 3])):
            for count in times:
                rw.compile([X, P, Q], term, max_error=8, limits=rw.Limits(seconds=seconds))
                assert len(measured) == count


# -- keys ------------------------------------------------------------------------------------


BASE: dict[str, Any] = {"args": [X, Y], "exprs": X * Y + 1}
OTHERS: dict[str, dict[str, Any]] = {
    "terms": {"exprs": Y * X + 1},
    "a constant's type": {"exprs": X * Y + rw.const(1.0)},
    "order of arguments": {"args": [Y, X]},
    "an array argument": {"args": [[X, Y]]},
    "form of results": {"exprs": [X * Y + 1]},
    "names of results": {"exprs": {"a": X * Y + 1}},
    "name": {"name": "other"},
    "math": {"math": "fast"},
    "dtype": {"dtype": np.float32},
    "float64 alone": {"dtype": np.float64},
    "strategy": {"strategy": "smallest"},
    "cost": {"cost": "gowda2021"},
    "limits": {"limits": rw.Limits(iterations=3)},
    "as written": {"optimize_terms": False},
    "target": {"target": "sse2"},
}


@pytest.mark.parametrize("name", OTHERS)
def test_whatever_changes_code_has_another_key(name: str, cached: Path) -> None:
    if name == "target" and host().name == "neon":
        pytest.skip("an x86 target")
    rw.compile(**BASE)
    kernel = rw.compile(**BASE)
    assert isinstance(kernel.program.instructions, Stored)
    other = rw.compile(**{**BASE, **OTHERS[name]})
    assert not isinstance(other.program.instructions, Stored)


def test_a_cost_model_of_ours_is_written_in_full(cached: Path) -> None:
    def stored(**options: Any) -> bool:
        kernel = rw.compile([X], X * 3, cost=rw.cycles("native", **options))
        return isinstance(kernel.program.instructions, Stored)

    assert not stored() and stored() and not stored(latency=0.5) and stored(latency=0.5)


def test_the_domain_of_a_symbol_is_part_of_the_key(cached: Path) -> None:
    rw.compile([rw.symbol("z")], rw.symbol("z") * 2)
    narrow = rw.symbol("z", low=0)
    assert not isinstance(rw.compile([narrow], narrow * 2).program.instructions, Stored)


def unchanged(term: Term) -> Term:
    return term


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": unchanged},
        {"strategy": rw.strategy(unchanged)},
        {"strategy": rw.try_(rw.strategy(unchanged))},
        {"strategy": SIMPLIFY},
        {"cost": Gowda2021()},
    ],
)  # fmt: skip
def test_what_does_not_say_all_of_itself_is_not_kept(cached: Path, options: dict[str, Any]) -> None:
    for _ in range(2):
        kernel = rw.compile([X], X * 3, **options)
        assert not isinstance(kernel.program.instructions, Stored)


def test_two_versions_do_not_see_each_other(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stored() -> bool:
        return isinstance(rw.compile([X], X * 3).program.instructions, Stored)

    assert not stored() and stored()
    before, old = files(cached), keys.versions()
    for at in range(len(old)):
        other = (*old[:at], "another", *old[at + 1 :])
        with monkeypatch.context() as patch:
            patch.setattr(keys, "versions", lambda other=other: other)
            assert not stored() and stored()
    assert stored() and before < files(cached)


@pytest.mark.parametrize(
    "change", [{"cpu": "another"}, {"features": "-sse4a"}, {"triple": "x86_64-unknown-other"}]
)
def test_entries_of_another_cpu_are_not_seen(cached: Path, change: dict[str, Any]) -> None:
    other = replace(host(), **change)
    mine, others = keys.key_for(host(), "part"), keys.key_for(other, "part")
    assert mine != others
    rw.compile([X], X * 3)
    for name in files(cached):  # nor where they are put in place of ours
        data = (cached / name).read_bytes()
        with pytest.raises(ValueError, match="another key"):
            opened(others, data)


# -- faults ----------------------------------------------------------------------------------


def test_damaged_entries_are_never_run(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: set[bytes] = set()
    original = codegen.engine.load

    def load(code: bytes, *args: Any) -> Any:
        loaded.add(code)
        return original(code, *args)

    monkeypatch.setattr(loop, "load", load)

    def run() -> Any:
        kernel = rw.compile([X], X * 3 + 1, optimize_terms=False, dtype=np.float64)
        return kernel(np.arange(1.0, 5.0)).tolist()

    expected = run()
    good = {path: path.read_bytes() for path in cached.iterdir()}
    assert len(loaded) == 1 and len(good) >= 2
    draw, flips = random.Random(2), 0
    while flips < 100_000:
        for path, data in good.items():
            bad = bytearray(data)
            for _ in range(draw.choice((1, 2, 1500))):
                bad[draw.randrange(len(bad))] ^= draw.randrange(1, 256)
                flips += 1
            path.write_bytes(bad)
        assert run() == expected
    assert len(loaded) == 1
    assert {path: path.read_bytes() for path in cached.iterdir()} == good


def test_a_full_disk_costs_the_cache_alone(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = os.open

    def full(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & os.O_CREAT:
            return original("/dev/full", os.O_WRONLY)
        return original(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", full)
    for _ in range(2):
        assert rw.compile([X], X * 3)(2.0) == 6.0
    assert files(cached) == set()


def test_switched_off_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWRITE_CACHE", str(tmp_path))
    monkeypatch.setenv("REWRITE_CACHE", "off")
    assert keys.parcels() is None
    for _ in range(2):
        kernel = rw.compile([X], X * 3)
        assert not isinstance(kernel.program.instructions, Stored)
    assert list(tmp_path.iterdir()) == []


_MANY = """
import os, sys
import numpy as np
import rewrite as rw
from codegen.engine import driver
x, y = rw.symbols("x y")
def work():
    for k in range(3):
        kernel = rw.compile([x, y], x*y + rw.exp(x)*k, optimize_terms=False)
        assert np.allclose(kernel(np.arange(3.0), 2.0), np.arange(3.0)*2 + np.exp(np.arange(3.0))*k)
os.environ["REWRITE_CACHE"] = "0"
work()
driver.clear()
os.environ["REWRITE_CACHE"] = sys.argv[1]
gate, go = os.pipe()
children = []
for _ in range(64):
    child = os.fork()
    if not child:
        os.close(go)
        os.read(gate, 1)  # all begin at once
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    children.append(child)
os.close(go)
states = [os.waitpid(child, 0)[1] for child in children]
assert not any(states), states
"""


def test_64_processes_share_an_empty_cache(cached: Path) -> None:
    command = [sys.executable, "-c", _MANY, str(cached.parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    names = files(cached)
    assert not [name for name in names if name.startswith(".")]
    for name in names:
        opened(name, (cached / name).read_bytes())
    assert len(names) >= 3 + 3 + 1


# -- programs and terms as arrays --------------------------------------------------------------


@given(terms())
@settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
def test_terms_are_read_as_they_were_written(term: Term) -> None:
    dag = Dag.of(term.store, [term.id, term.id])
    parcel = pack_terms(dag)
    store = Store()
    first, second = unpack_terms(parcel.header, parcel.blocks, store)
    assert first == second == term and first.store is store
    assert first.sexpr() == term.sexpr()
    again = pack_terms(Dag.of(store, [first.id, second.id]))
    assert again.header == parcel.header
    for name, block in parcel.blocks.items():
        assert again.blocks[name].tobytes() == block.tobytes()


def program() -> Program:
    b = ProgramBuilder("gauß 1")
    x, v, m = b.argument("x"), b.argument('v, "w"\n', (2, 3)), b.argument("m", (), "b")
    fused = b.emit("fma", b.load(x), b.load(v, 4), b.const(Fraction(1, 3)))
    odd = [b.const(value) for value in (float("nan"), -0.0, float("inf"), 0.1, 5e-324)]
    choice = b.emit("where", b.emit("or", b.load(m), b.const(True)), fused, b.const("pi"))
    b.output("y", choice, fused, *odd, shape=(7,))
    b.output("small", b.emit("lt", choice, odd[3]))
    return b.finish()


def test_programs_are_read_as_they_were_written() -> None:
    written = program()
    parcel = pack_program(written)
    read = unpack_program(parcel.header, parcel.blocks)
    assert [read.instructions[at] for at in range(len(read.instructions))] == list(
        written.instructions
    )
    assert read.instructions[-1] == written.instructions[-1]
    assert read == written and written == read and hash(read) == hash(written)
    assert read.verify() is read and str(read) == str(written)
    assert read.instructions[2:4] == written.instructions[2:4]
    assert program_digest(read) == program_digest(written)
    for changed in (
        replace(written, name="other"),
        replace(written, outputs=written.outputs[:1]),
        replace(
            written, arguments=(replace(written.arguments[0], name="z"), *written.arguments[1:])
        ),
    ):
        assert program_digest(changed) != program_digest(written)


def rolled() -> Rolled:
    draw = np.random.default_rng(3)
    b = ProgramBuilder("body")
    x, y = b.argument("x"), b.argument("y")
    b.output("z", b.emit("mul", b.load(x), b.load(y)))
    body = b.finish()

    def cells(segment: int, count: int, size: int) -> Cells:
        return Cells(segment, draw.permutation(size)[:count].astype(np.int32))

    values = draw.random(6)
    numbers = Numbers(values, values.astype(np.float32))
    operands = cells(0, 6, 8), numbers
    bounds = np.array([0, 2, 3, 6], np.int32)
    steps = (
        Map(body, operands, (cells(WORK, 6, 6),)),
        Zero(cells(1, 5, 5)),
        Reduce(body, (cells(WORK, 6, 6), numbers), bounds, Cells(1, np.arange(3, dtype=np.int32))),
        Scatter(body, operands, (Cells(1, np.array([3, 3, 4, 4, 3, 0], np.int32)),)),
    )
    return Rolled((Argument("a", (8,)),), (Result("r", (5,)),), 6, steps, "loops").verify()


def test_programs_of_loops_are_read_as_they_were_written() -> None:
    written = rolled()
    parcel = pack(written)
    read = unpack(parcel.header, parcel.blocks).verify()
    assert str(read) == str(written) and pack(read).header == parcel.header
    for name, block in parcel.blocks.items():
        assert pack(read).blocks[name].tobytes() == block.tobytes()
    data = np.random.default_rng(4).random(8)
    (one,), (two,) = evaluate(read, data), evaluate(written, data)
    assert one.tobytes() == two.tobytes()
    assert len(parcel.header["bodies"]) == 1, "equal bodies are written once"


_LOADED = """
import sys
import numpy as np
import rewrite as rw
x = rw.asarray([rw.symbol(f"x{k}") for k in range(60)])
f = rw.compile([x], rw.sparse_jacobian(x * x * np.roll(x, 1), x))
f(np.ones(60))
print(*(name for name in sys.argv[1:] if name in sys.modules))
"""
SEARCHING = (
    "codegen.optimize", "codegen.loops.analysis", "rewrite.rules", "strategies.core", "flint",
    "egglog", "numba.np.linalg", "scipy.linalg",
)  # fmt: skip
"""What a process needs that searches, derives by rules, or compiles a loop of Numba."""


def test_what_searches_is_not_loaded_for_a_kernel_on_disk(cached: Path) -> None:
    command = [sys.executable, "-c", _LOADED, *SEARCHING]
    first, second = (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    )
    assert "codegen.optimize" in first and "rewrite.rules" in first
    assert not second


def test_steps_from_the_disk_are_read_when_they_are_looked_at() -> None:
    x = rw.asarray([rw.symbol(f"x{k}") for k in range(600)])
    program = rw.compile([x], x * np.roll(x, 1) + np.roll(x, 2), optimize_terms=False).program
    assert isinstance(program, Rolled)
    parcel = pack(program)
    again = unpack(parcel.header, parcel.blocks)
    assert rolled_digest(again) == rolled_digest(program)
    assert again.verify() is again and len(again.steps) == len(program.steps)
    broken = unpack(parcel.header, {})
    assert rolled_digest(broken.verify()) == rolled_digest(program)
    with pytest.raises(KeyError):
        broken.steps[0]
    assert rolled_digest(pickle.loads(pickle.dumps(again))) == rolled_digest(program)
