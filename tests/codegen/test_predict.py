"""Predicted loops: the machine code that is read, the schedule of a core, and what kernels show."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from codegen.kernel import Kernel
from codegen.machine import arm, x86
from codegen.machine.code import Instruction, loop
from codegen.machine.core import Core, Effect, Level
from codegen.machine.cores import CORES, core_of
from codegen.machine.schedule import path, pressure, scheduled, share
from codegen.predict import predict
from codegen.program import ProgramBuilder
from codegen.target import Float, get
from codegen.targets import TABLES
from codegen.targets.derive import target_of
from codegen.targets.measure import WIDE, wide
from rewrite.errors import ArgumentError, TargetError

x, y = rw.symbols("x y")
ZEN4 = core_of("znver4")
PLAIN = Core(
    "plain", "this test", ("none",), 4, 64, 64, 32, 0,
    {64: {"alu": Effect(1, "c"), "branch": Effect(1, "c"), "load": Effect(4, "L")},
     256: {"add": Effect(3, "ab"), "div": Effect(10, "D", 5), "load": Effect(5, "L"),
           "move": Effect(0, ""), "pair": Effect(2, "a", 1, 2)}},
    (Level(1 << 15, 0, 0), Level(1 << 60, 2, 4)), slack=1.0,
)  # fmt: skip


def add(number: int, *reads: str, kind: str = "add") -> Instruction:
    return Instruction(kind, 256, reads, (f"v{number}",))


def test_independent_work_is_bound_by_units() -> None:
    body = [add(k) for k in range(8)]
    assert pressure(body, PLAIN) == 4 and scheduled(body, PLAIN) == pytest.approx(4, rel=0.02)
    assert share(body, PLAIN) == 4 and path(body, PLAIN) == 3


def test_a_chain_through_passes_is_bound_by_latency() -> None:
    body = [add(0, "v0"), add(1)]
    assert pressure(body, PLAIN) == 1
    assert scheduled(body, PLAIN) == pytest.approx(3, rel=0.02)


def test_a_chain_within_a_pass_overlaps_as_far_as_the_window_reaches() -> None:
    body = [add(0)] + [add(0, "v0") for _ in range(31)]
    seen = [
        scheduled(body, replace(PLAIN, window=w, registers=w, waiting=w)) for w in (32, 64, 320)
    ]
    assert path(body, PLAIN) == 96
    assert seen[0] > seen[1] > seen[2] and seen[2] == pytest.approx(16, rel=0.1)
    assert seen[0] == pytest.approx(48, rel=0.1)  # a window of one pass reaches half of the next


def test_the_front_end_and_dividers_bound_too() -> None:
    assert pressure([add(k, kind="move") for k in range(12)], PLAIN) == 3
    assert scheduled([add(k, kind="move") for k in range(12)], PLAIN) == pytest.approx(3, rel=0.02)
    assert scheduled([add(0, kind="div"), add(1)], PLAIN) == pytest.approx(5, rel=0.02)
    assert scheduled([add(0, kind="pair")], PLAIN) == pytest.approx(2, rel=0.02)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "div", "move", "pair"]), st.integers(0, 5),
                          st.integers(0, 5)), min_size=1, max_size=30))  # fmt: skip
def test_a_schedule_is_never_below_its_bounds(rows: list[tuple[str, int, int]]) -> None:
    body = [add(to, f"v{of}", kind=kind) for kind, to, of in rows]
    found = scheduled(body, PLAIN)
    # a few passes are run, so that the ends of the first and the last one count a little
    assert found >= 0.97 * pressure(body, PLAIN) - 0.1
    assert found <= sum(PLAIN.effect(k, 256).latency + 5 for k, _, _ in rows)


TEXT = """
f:
	xorl	%eax, %eax
.LBB0_1:
	vmovupd	(%rdi,%rax,8), %zmm0
	vfmadd213pd	64(%rsp), %zmm1, %zmm0
	kortestb	%k0, %k0
	jne	.LBB0_3
.LBB0_2:
	vmovapd	%zmm0, %zmm2 {%k1}
	vmovupd	%zmm2, 128(%rsp)
	vmovupd	%zmm2, (%rsi,%rax,8)
	addq	$8, %rax
	cmpq	%rdx, %rax
	jb	.LBB0_1
	retq
.LBB0_3:
	vsqrtpd	%zmm0, %zmm0
	jmp	.LBB0_2
"""


def test_the_usual_path_of_a_loop_is_read() -> None:
    found = loop(TEXT, "f", x86.decode, 8)
    kinds = [this.kind for this in found.body]
    assert kinds == [
        "load", "fma", "masktest", "branch", "blend", "store", "store", "alu", "compare", "branch"
    ]  # fmt: skip
    load, fma, _, _, blend, spill, store, *_ = found.body
    assert load.writes == ("v0",) and set(load.address) == {"rdi", "rax"} and load.bits == 512
    assert set(fma.reads) == {"v0", "v1"} and "64(rsp)" in fma.address and fma.loads == 1
    assert set(blend.reads) == {"k1", "v0", "v2"}
    assert spill.stored == "128(rsp)" and store.stored == "" and store.reads == ("v2",)


def test_loops_inside_run_once_a_lane_and_functions_are_walked_through() -> None:
    text = """
f:
.L1:
	callq	g
.L2:
	movabsq	$sin, %rbx
	callq	*%rbx
	decq	%rcx
	jne	.L2
	decq	%rax
	jne	.L1
	retq
g:
	vaddpd	%ymm0, %ymm1, %ymm2
	retq
"""
    found = loop(text, "f", x86.decode, 4)
    assert found.calls == ("sin",) * 4
    assert [i.kind for i in found.body].count("fadd") == 1
    assert [i.kind for i in found.body].count("alu") == 4 * 2 + 1


def test_arm_operands() -> None:
    fma = arm.decode("fmla", "v1.2d, v2.2d, v3.2d", {})
    assert (fma.kind, fma.writes, set(fma.reads)) == ("fma", ("v1",), {"v1", "v2", "v3"})
    load = arm.decode("ldr", "q0, [x8], #16", {})
    assert load.kind == "load" and load.writes == ("v0", "x8") and load.address == ("x8",)
    pair = arm.decode("stp", "d13, d12, [sp, #16]", {})
    assert pair.kind == "store" and set(pair.reads) == {"v13", "v12"} and pair.stored == "16(sp)"
    assert arm.decode("fdiv", "v1.4s, v2.4s, v3.4s", {}).kind == "fdiv32"
    assert arm.decode("b.lo", ".LBB0_1", {}).target == ".LBB0_1"


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize(
    ("cpu", "isa"),
    [("znver4", "avx512"), ("skylake-avx512", "avx512"), ("icelake-server", "avx512"),
     ("znver3", "avx2"), ("znver5", "avx512"), ("neoverse-n1", "neon")],
)  # fmt: skip
def test_predictions_are_ordered_on_every_core(cpu: str, isa: str, dtype: str) -> None:
    target = target_of(cpu, isa)

    def cycles(expr: rw.Term) -> float:
        program = rw.compile([x, y], expr).program
        return predict(program, target, dtype=dtype, n=64).cycles  # type: ignore[arg-type]

    product, quotient, sine = cycles(x * y), cycles(x / y), cycles(rw.sin(x) * y)
    assert 0 < product < quotient < sine
    assert cycles(rw.sin(x) * rw.exp(y)) > sine


def test_functions_that_are_called_count_as_often_as_they_are() -> None:
    def cycles(count: int) -> float:
        total = y
        for _ in range(count):
            total = rw.sin(total)
        program = rw.compile([y], total, optimize_terms=False).program
        return predict(program, target_of("znver4", "avx512"), n=4096).cycles

    few, many = cycles(6), cycles(24)
    assert 3 * few < many < 6 * few


def test_memory_bounds_what_is_large() -> None:
    kernel = rw.compile([x, y], x * y, dtype=np.float64)
    for core in CORES[:3]:
        small, middle, large = (
            predict(kernel.program, target_of("znver4", "avx512"), n=n, core=core)
            for n in (64, 20_000, 10_000_000)
        )
        assert small.memory == 0 < middle.memory < large.memory
        assert large.cycles - large.entry == pytest.approx(large.memory) and large.entry > 0


def test_arguments_that_are_not_read_move_nothing() -> None:
    machine = target_of("znver4", "avx512")
    builder = ProgramBuilder("one")
    ids = [builder.argument(name) for name in "abc"]
    builder.output("out", builder.load(ids[1]))
    one = predict(builder.finish(), machine, n=100_000)
    assert one.memory == predict(rw.compile([x], x + 1).program, machine, n=100_000).memory > 0


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("op", ["fma", "floor", "exp"])
def test_calls_of_the_c_library_count_beside_the_loop_around_them(op: str, dtype: Float) -> None:
    """A predicted loop of 128-bit code is about as long as the rows of its table say."""
    machine, core = get("sse2"), core_of("znver4")
    row = TABLES["zen4-sse2"].index()[op, dtype]
    bare, full = (predict(wide(o, WIDE), machine, dtype=dtype, n=64, core=core) for o in (None, op))
    assert full.calls > 0 == bare.calls
    added = (full.cycles - bare.cycles) * machine.lanes(dtype) / WIDE
    assert added == pytest.approx(row.throughput, rel=0.25)


def kernel_for(cpu: str) -> Kernel:
    kernel: Kernel = rw.compile([x], rw.exp(x) + 1, dtype=np.float64)
    kernel.target = replace(kernel.target, cpu=cpu)
    return kernel


def test_a_kernel_shows_what_is_predicted() -> None:
    kernel = kernel_for("znver4") if get("native").triple.startswith("x86") else None
    if kernel is None:
        pytest.skip("the kernel of this machine is not x86-64")
    found = kernel.predict(1000)
    assert found.cycles >= found.overlap >= found.units > 0 and found.core == "zen4"
    assert kernel.cost.predicted == found.cycles
    assert "predicted" in repr(kernel.cost) and "zen4" in repr(found)
    timing = kernel.measure(64, seconds=0.01)
    assert kernel.cost.measured == timing.cycles and kernel.cost.predicted is not None


def test_mistakes_are_named() -> None:
    kernel = rw.compile([x], x + 1, dtype=np.float64)
    for n in (0, -1, 2.5, True):
        with pytest.raises(ArgumentError, match="is not a number of elements"):
            kernel.predict(n)
    with pytest.raises(TargetError, match=r"the core of 'pentium' is not described.*znver4"):
        predict(kernel.program, replace(get("neon"), cpu="pentium"))
