"""Rolled programs: the bits of `evaluate` on every path: a point, batches, strides, threads."""

import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rewrite as rw
from codegen.cuda.gather import gathered
from codegen.instruction import Argument
from codegen.kernel import Kernel
from codegen.loops.code import planned
from codegen.loops.evaluate import evaluate
from codegen.loops.plan import Shape
from codegen.loops.program import (
    WORK,
    Cells,
    Map,
    Numbers,
    Operand,
    Reduce,
    Result,
    Rolled,
    Scatter,
    Step,
    Zero,
)
from codegen.program import Program, ProgramBuilder
from codegen.target import get, host
from rewrite.errors import ArgumentError

QUICK = ("add", "sub", "mul", "div", "fma", "minimum", "sqrt", "abs", "neg")
SLOW = ("exp", "sin", "cos", "tanh", "fmod")


def random_body(rng: Any, inputs: Any, outputs: int, slow: bool) -> Program:
    """A straight-line program of arguments of the given types."""
    builder = ProgramBuilder("body")
    given = [builder.load(builder.argument(f"x{k}", (), t)) for k, t in enumerate(inputs)]
    truths = [value for value, t in zip(given, inputs, strict=True) if t == "b"]
    values = [value for value, t in zip(given, inputs, strict=True) if t == "f"]
    values.append(builder.const(float(rng.integers(-3, 4)) / 2))
    for _ in range(int(rng.integers(1, 6))):
        op = str(rng.choice([*QUICK, *SLOW] if slow else QUICK))
        arity = 3 if op == "fma" else 1 if op in ("sqrt", "abs", "neg", *SLOW[:4]) else 2
        values.append(builder.emit(op, *(int(rng.choice(values)) for _ in range(arity))))
        if truths:
            values.append(builder.emit("where", int(rng.choice(truths)), *values[-2:]))
    for k in range(outputs):
        builder.output(f"y{k}", values[-1 - k] if k < len(values) else values[-1])
    return builder.finish()


class Maker:
    """Builds a program whose steps read what is there and write what is not yet read."""

    def __init__(self, rng: Any) -> None:
        self.rng = rng
        n = int(rng.integers(1, 60))
        shapes = [(n,), (int(rng.integers(1, 6)), int(rng.integers(1, 30))), ()]
        arguments = [Argument(f"a{k}", shape) for k, shape in enumerate(shapes)]
        arguments.append(Argument("flags", (int(rng.integers(1, 9)),), "b"))
        self.arguments = tuple(arguments)
        self.outputs = (
            Result("p", (int(rng.integers(40, 120)),)),
            Result("q", (int(rng.integers(2, 9)), int(rng.integers(10, 20)))),
        )
        self.work = int(rng.integers(30, 100))
        self.shell = Rolled(self.arguments, self.outputs, self.work, ())
        self.written: dict[int, np.ndarray[Any, Any]] = {}

    def index(self, size: int, count: int) -> Any:
        """Cells of a segment: one, a stride, runs, or any."""
        form = self.rng.integers(0, 4)
        if form == 0:
            return np.full(count, self.rng.integers(0, size))
        if form == 1:
            stride = int(self.rng.integers(-3, 5))
            return np.arange(count) * stride % size
        if form == 2:
            return np.repeat(np.arange(-(-count // 17)), 17)[:count] * 3 % size
        return self.rng.integers(0, size, count)

    def operand(self, kind: str, count: int) -> Operand:
        if kind == "b":
            segment = len(self.arguments) - 1
            return Cells(segment, self.index(self.shell.size(segment), count).astype(np.int32))
        if self.rng.integers(0, 4) == 0:
            numbers = self.rng.normal(size=1 if self.rng.integers(2) else count)
            numbers = np.broadcast_to(numbers, count).copy()
            return Numbers(numbers, numbers.astype(np.float32))
        choices = [0, 1, 2, *(s for s in self.written if len(self.written[s]))]
        segment = int(self.rng.choice(choices))
        known = self.written.get(segment)
        if known is None:
            index = self.index(self.shell.size(segment), count)
        else:
            index = known[self.index(len(known), count)]
        return Cells(segment, index.astype(np.int32))

    def operands(self, count: int) -> tuple[str, tuple[Operand, ...]]:
        kinds = "".join(self.rng.choice(["f", "f", "f", "b"], int(self.rng.integers(1, 4))))
        return kinds, tuple(self.operand(kind, count) for kind in kinds)

    def results(self, count: int, columns: int) -> list[Cells]:
        """Cells that no step has written, all different."""
        before = dict(self.written)
        found = []
        for _ in range(columns):
            segment = int(self.rng.choice([len(self.arguments), len(self.arguments) + 1, WORK]))
            size = self.shell.size(segment)
            free = np.setdiff1d(np.arange(size), self.written.get(segment, []))
            if len(free) < count:
                self.written = before
                return []
            if self.rng.integers(2):
                chosen = free[:count]
            else:
                chosen = self.rng.permutation(free)[:count]
            found.append(Cells(segment, chosen.astype(np.int32)))
            self.note(found[-1])
        return found

    def note(self, cells: Cells) -> None:
        known = self.written.get(cells.segment, np.zeros(0, int))
        self.written[cells.segment] = np.union1d(known, cells.index)

    def step(self) -> Iterator[Step]:
        kind = self.rng.choice(["map", "map", "reduce", "scatter"])
        slow = bool(self.rng.integers(3) == 0)
        if kind == "map":
            count = int(self.rng.integers(1, 50))
            inputs, operands = self.operands(count)
            results = self.results(count, int(self.rng.integers(1, 3)))
            if results:
                body = random_body(self.rng, inputs, len(results), slow)
                yield Map(body, operands, tuple(results))
        elif kind == "reduce":
            yield from self.sums(slow)
        else:
            yield from self.scatter(slow)

    def sums(self, slow: bool) -> Iterator[Step]:
        rows = int(self.rng.integers(1, 60))
        most = int(self.rng.choice([2, 4, 30]))
        bounds = np.concatenate([[0], np.cumsum(self.rng.integers(1, most, rows))])
        inputs, operands = self.operands(int(bounds[-1]))
        adds = bool(self.rng.integers(2))
        results = self.results(rows, 1)
        if results:
            if adds:
                yield Zero(results[0])
            body = random_body(self.rng, inputs, 1, slow)
            yield Reduce(body, operands, bounds.astype(np.int32), results[0], adds)

    def scatter(self, slow: bool) -> Iterator[Step]:
        cells = self.results(int(self.rng.integers(2, 20)), 1)
        if not cells:
            return
        count = int(self.rng.integers(1, 90))
        inputs, operands = self.operands(count)
        columns = [self.rng.choice(cells[0].index, count) for _ in range(self.rng.integers(1, 4))]
        if self.rng.integers(2):
            columns[0] = np.sort(columns[0])
        reads = [x for x in operands if isinstance(x, Cells) and x.segment == cells[0].segment]
        yield Zero(cells[0])
        if any(np.isin(x.index, cells[0].index).any() for x in reads):
            return
        body = random_body(self.rng, inputs, len(columns), slow)
        targets = tuple(Cells(cells[0].segment, c.astype(np.int32)) for c in columns)
        yield Scatter(body, operands, targets)

    def program(self) -> Rolled:
        steps = [step for _ in range(self.rng.integers(1, 7)) for step in self.step()]
        for number in range(2):
            segment = len(self.arguments) + number
            size = self.shell.size(segment)
            free = np.setdiff1d(np.arange(size), self.written.get(segment, []))
            if len(free):
                steps.append(Zero(Cells(segment, free.astype(np.int32))))
        made = Rolled(self.arguments, self.outputs, self.work, tuple(steps), "random")
        return made.verify()


def points(program: Rolled, rng: Any, count: int, dtype: Any) -> list[Any]:
    found = []
    for argument in program.arguments:
        shape = (count, *argument.shape)
        if argument.type == "b":
            found.append(rng.integers(0, 2, shape).astype(bool))
        else:
            found.append(rng.normal(size=shape).astype(dtype))
    return found


def same_bits(found: Any, expected: Any) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape and found.dtype == expected.dtype
    words = {8: np.uint64, 4: np.uint32, 1: np.uint8}[found.dtype.itemsize]
    nan = np.isnan(found) & np.isnan(expected)
    differ = (np.ascontiguousarray(found).view(words) != expected.view(words)) & ~nan
    assert not differ.any(), np.argwhere(differ)[:5]


def expected_of(program: Rolled, args: list[Any], dtype: Any) -> list[Any]:
    rows = [evaluate(program, *(a[k] for a in args), dtype=dtype) for k in range(len(args[0]))]
    return [np.stack([row[k] for row in rows]) for k in range(len(program.outputs))]


@pytest.mark.parametrize("few", [0, 500, 10**9])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**9))
def test_every_path_has_the_bits_of_the_definition(seed: int, dtype: Any, few: int) -> None:
    rng = np.random.default_rng(seed)
    program = Maker(rng).program()
    kernel = Kernel(program, dtype=dtype)
    with np.errstate(all="ignore"), patch("codegen.loops.plan._FEW", few):
        args = points(program, rng, 37, dtype)
        expected = expected_of(program, args, dtype)
        for count in (1, 3, 8, 15, 37):
            found = kernel(*(a[:count] for a in args))
            for one, other in zip(found, expected, strict=True):
                same_bits(one, other[:count])
        single = kernel(*(a[5] for a in args))
        for one, other in zip(single, expected, strict=True):
            same_bits(one, other[5])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**9))
def test_gathered_sums_have_the_bits_of_scattered_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    program = Maker(rng).program()
    made = gathered(program)
    assert not any(isinstance(step, Scatter | Zero) for step in made.steps)
    with np.errstate(all="ignore"):
        args = points(program, rng, 2, np.float64)
        pairs = zip(*(expected_of(x, args, np.float64) for x in (made, program)), strict=True)
        for one, other in pairs:
            same_bits(one, other)


@pytest.mark.cuda
@pytest.mark.isa("fma")
@pytest.mark.parametrize("dtype", ["f64", "f32"])
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**9), together=st.booleans(), last=st.booleans())
def test_a_gpu_has_the_bits_of_the_definition(
    seed: int, together: bool, last: bool, dtype: Any
) -> None:
    from codegen.cuda import rolled
    from codegen.cuda.kernel import CudaKernel

    rng = np.random.default_rng(seed)
    program = Maker(rng).program()
    kernel = CudaKernel(program, get("cuda"), dtype=dtype, batch_axis=-1 if last else 0)
    lanes = int(rng.choice([1, 2, 4]))
    plan = rolled.Plan(lanes, 2, False) if together else rolled.Plan(lanes, 5, True)
    with np.errstate(all="ignore"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(rolled, "planned", lambda *args, **options: plan)
        args = points(program, rng, 5, np.float64 if dtype == "f64" else np.float32)
        given_ = [np.moveaxis(a, 0, -1).copy() for a in args] if last else args
        found = kernel(*given_)
        for one, other in zip(found, expected_of(program, args, args[0].dtype), strict=True):
            same_bits(np.moveaxis(one, -1, 0) if last else one, other)


def reactions(species: int, count: int, seed: int = 0) -> Rolled:
    """A network A + B -> C with its reactions sorted by A, some of them with A = B or A = C."""
    rng = np.random.default_rng(seed)
    a, b, c = np.sort(rng.integers(0, species, (3, count))).astype(np.int32)
    b, c = rng.permutation(b), rng.permutation(c)
    rates = rng.uniform(0.5, 2, count)
    builder = ProgramBuilder("rate")
    k, x, y = (builder.load(builder.argument(name)) for name in "kxy")
    rate = builder.emit("mul", builder.emit("mul", k, x), y)
    loss = builder.emit("neg", rate)
    for name, value in (("a", loss), ("b", loss), ("c", rate)):
        builder.output(name, value)
    operands = (Numbers(rates, rates.astype(np.float32)), Cells(0, a), Cells(0, b))
    steps = (
        Zero(Cells(1, np.arange(species, dtype=np.int32))),
        Scatter(builder.finish(), operands, (Cells(1, a), Cells(1, b), Cells(1, c))),
    )
    arguments = (Argument("u", (species,)),)
    return Rolled(arguments, (Result("du", (species,)),), 0, steps, "net").verify()


def stencil(n: int, last: bool) -> Rolled:
    """Second differences of two fields on a grid, which lie apart or side by side."""
    i, j = (x.ravel() for x in np.meshgrid(np.arange(1, n - 1), np.arange(1, n - 1), indexing="ij"))
    body = ProgramBuilder("laplace")
    left, right, up, down, middle = (body.load(body.argument(x)) for x in "lrudm")
    total = body.emit("add", body.emit("add", left, right), body.emit("add", up, down))
    body.output("y", body.emit("fma", body.const(-4.0), middle, total))
    made = body.finish()

    def cells(segment: int, field: int, row: Any, column: Any) -> Cells:
        at = (row * n + column) * 2 + field if last else field * n * n + row * n + column
        return Cells(segment, at.astype(np.int32))

    around = ((0, -1), (0, 1), (-1, 0), (1, 0), (0, 0))
    steps: list[Step] = [Zero(Cells(1, np.arange(2 * n * n, dtype=np.int32)))]
    for field in range(2):
        operands = tuple(cells(0, field, i + di, j + dj) for di, dj in around)
        steps.append(Map(made, operands, (cells(1, field, i, j),)))
    shape = (n * n, 2) if last else (2, n * n)
    arguments = (Argument("u", shape),)
    return Rolled(arguments, (Result("du", shape),), 0, tuple(steps), "stencil").verify()


def long_line(length: int, seed: int = 0) -> Rolled:
    """One instance of a long body, with booleans that live long."""
    rng = np.random.default_rng(seed)
    builder = ProgramBuilder("long")
    values = [builder.load(builder.argument(f"x{k}")) for k in range(20)]
    truths = [builder.emit("lt", values[0], values[1])]
    for k in range(length):
        a, b = (values[int(x)] for x in rng.integers(max(0, len(values) - 300), len(values), 2))
        op = str(rng.choice(["add", "sub", "mul", "maximum"]))
        values.append(builder.emit("sin", a) if k % 50 == 0 else builder.emit(op, a, b))
        if k % 40 == 0:
            truths.append(builder.emit("lt", a, b))
        if k % 30 == 0:
            values.append(builder.emit("where", truths[int(rng.integers(len(truths)))], a, b))
    for k in range(20):
        builder.output(f"y{k}", values[-1 - k])
    cells = [np.array([k], np.int32) for k in range(20)]
    step = Map(
        builder.finish(), tuple(Cells(0, c) for c in cells), tuple(Cells(1, c) for c in cells)
    )
    arguments = (Argument("u", (20,)),)
    return Rolled(arguments, (Result("du", (20,)),), 0, (step,), "line").verify()


CASES = {
    "network": reactions(40, 700),
    "planes": stencil(21, last=False),
    "last": stencil(21, last=True),
    "line": long_line(2500),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CASES)
def test_layouts_and_lengths_do_not_change_bits(name: str, dtype: Any) -> None:
    program = CASES[name]
    rng = np.random.default_rng(1)
    (args,) = points(program, rng, 21, dtype)
    (expected,) = expected_of(program, [args], dtype)
    kernel = Kernel(program, dtype=dtype)
    for count in (1, 5, 7, 8, 9, 16, 21):
        same_bits(kernel(args[:count]), expected[:count])
    same_bits(kernel(args[::-2]), expected[::-2])
    transposed = np.asfortranarray(args)
    same_bits(kernel(transposed), expected)
    out = np.empty((*expected.shape[:-1], 2 * expected.shape[-1]), dtype)[..., ::2]
    assert kernel(args, out=out) is out
    same_bits(out, expected)
    shared = np.broadcast_to(args[3], args.shape)
    same_bits(kernel(shared), np.broadcast_to(expected[3], expected.shape))
    last = Kernel(program, dtype=dtype, batch_axis=-1)
    turned = last(np.moveaxis(args, 0, -1).copy())
    same_bits(np.moveaxis(turned, -1, 0), expected)


def test_an_output_may_be_the_input() -> None:
    program = CASES["network"]
    rng = np.random.default_rng(2)
    (args,) = points(program, rng, 13, np.float64)
    (expected,) = expected_of(program, [args], np.float64)
    kernel = Kernel(program)
    copy = args.copy()
    kernel(copy, out=copy)
    same_bits(copy, expected)
    for count in (1, 2, 3):  # these go one by one
        few = args[4 : 4 + count].copy()
        kernel(few, out=few)
        same_bits(few, expected[4 : 4 + count])
    one = args[4].copy()
    kernel(one, out=one)
    same_bits(one, expected[4])


def test_scalars_alone_may_be_overwritten() -> None:
    """NumPy hands over outputs that are inputs where no operand has an axis."""
    builder = ProgramBuilder("sum")
    a, b = (builder.load(builder.argument(name)) for name in "ab")
    builder.output("p", builder.emit("add", a, b))
    body = builder.finish()
    one = np.zeros(1, np.int32)
    steps = (
        Map(body, (Cells(0, one), Cells(1, one)), (Cells(2, one),)),
        Map(body, (Cells(0, one), Cells(2, one)), (Cells(3, one),)),
    )
    arguments = (Argument("x"), Argument("y"))
    program = Rolled(arguments, (Result("s"), Result("t")), 0, steps).verify()
    kernel = Kernel(program, dtype=np.float64)
    x, y = np.random.default_rng(0).normal(size=(2, 30))
    total, other = kernel(x, y)
    np.testing.assert_array_equal(total, x + y)
    np.testing.assert_array_equal(other, x + (x + y))
    again = x.copy(), y.copy()
    kernel(*again, out=again)
    same_bits(again[0], total)
    same_bits(again[1], other)


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_do_not_change_bits(threads: int) -> None:
    for program in (stencil(200, last=False), reactions(3000, 60_000)):
        u = np.random.default_rng(3).normal(size=program.arguments[0].shape)
        expected = Kernel(program, dtype=np.float64)(u)
        kernel = Kernel(program, dtype=np.float64, parallel=threads)
        for _ in range(10):
            same_bits(kernel(u), expected)
        out = np.empty_like(u)
        assert kernel(u, out=out) is out
        same_bits(out, expected)
        kernel(u, out=u)
        same_bits(u, expected)


def test_threads_that_call_one_kernel_do_not_meet() -> None:
    program = stencil(200, last=True)
    kernel = Kernel(program, dtype=np.float64, parallel=3)
    given = np.random.default_rng(4).normal(size=(4, *program.arguments[0].shape))
    expected = [Kernel(program, dtype=np.float64)(u) for u in given]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(kernel, [given[k % 4] for k in range(40)]))
    for k, each in enumerate(found):
        same_bits(each, expected[k % 4])


def test_the_kernel_of_a_rolled_program_is_like_others() -> None:
    program = CASES["network"]
    kernel = Kernel(program, results="dict", doc="a network")
    assert repr(kernel).startswith("<Kernel net(u[40]) -> du[40]; f64, f32;")
    u = np.random.default_rng(5).uniform(size=(3, 40))
    found = kernel(u)
    assert set(found) == {"du"}
    again = pickle.loads(pickle.dumps(kernel))
    same_bits(again(u)["du"], found["du"])
    assert "scatter 700" in str(kernel.program)
    assert "define void" in kernel.llvm and "one point" in kernel.llvm
    assert "piece0:" in kernel.asm
    assert kernel(u.astype(np.float32))["du"].dtype == np.float32
    assert kernel.measure(4).ns > 0
    with pytest.raises(ArgumentError, match="round"):
        kernel(np.full(40, 2**60 + 1))


def test_results_without_arguments() -> None:
    n = np.arange(20, dtype=np.int32)
    numbers = np.linspace(0, 1, 20)
    builder = ProgramBuilder("same")
    builder.output("y", builder.load(builder.argument("x")))
    step = Map(builder.finish(), (Numbers(numbers, numbers.astype(np.float32)),), (Cells(0, n),))
    kernel = Kernel(Rolled((), (Result("y", (20,)),), 0, (step,)).verify())
    same_bits(kernel(), numbers)


def test_the_callers_floating_point_environment_stays() -> None:
    kernel = Kernel(CASES["network"], dtype=np.float64)
    with np.errstate(all="raise"):
        kernel(np.full((9, 40), 1e300))
        kernel(np.full(40, np.inf))


def test_equal_pieces_share_code_and_tables_are_short() -> None:
    found = planned(stencil(40, last=False), "f64", host(), batch=False)
    shapes = [piece.code for piece in found if isinstance(piece.code, Shape)]
    runs = [shape for shape in shapes if shape.form == "runs"]
    assert len(runs) == 2 and runs[0] == runs[1]
    assert all(column.form == "run" for shape in runs for column in (*shape.operands,))


def test_code_that_cannot_be_made_gives_nan_where_nothing_can_be_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = Kernel(CASES["network"])

    def fails(*args: Any, **options: Any) -> Any:
        raise MemoryError("no room for code")

    seen: list[Any] = []
    monkeypatch.setattr("codegen.loops.loop.begun", fails)
    monkeypatch.setattr("sys.unraisablehook", seen.append)
    u, run = np.ones((11, 40), np.float32), kernel.ufunc
    assert np.isnan(run(u)).all()
    assert np.isnan(run(u[0])).all()
    assert isinstance(seen[0].exc_value, MemoryError)


def test_many_results_of_few_values_are_copied_by_loops() -> None:
    x = rw.asarray(rw.symbols("x y"))
    few = [x[0], x[0] * x[1], rw.const(2.5)]
    for args in ([x], []):
        terms = rw.asarray([few[k % 3 if args else 2] for k in range(3000)])
        kernel = rw.compile(args, terms, optimize_terms=False)
        assert isinstance(kernel.program, Rolled)
        found = kernel(*[np.array([3.0, 0.5])] * len(args))
        expected = np.tile([3.0, 1.5, 2.5], 1000) if args else np.full(3000, 2.5)
        assert found.tolist() == expected.tolist()
