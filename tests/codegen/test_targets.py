"""Cost tables and descriptions of cores: tests made from their rows."""

from dataclasses import replace

import pytest

from codegen.cost import cycle_cost, cycles, slower, table_for
from codegen.engine import assembly, object_code
from codegen.instruction import SIGNATURES
from codegen.llvm.body import emit_module, loop_symbol
from codegen.machine import arm, x86
from codegen.machine.code import loop
from codegen.machine.core import Core
from codegen.machine.cores import CORES, core_of
from codegen.machine.schedule import path, pressure, scheduled
from codegen.program import Program, ProgramBuilder
from codegen.target import Float, Target, get
from codegen.targets import TABLES
from codegen.targets.derive import derive, target_of
from codegen.vecmath import FAST
from rewrite.errors import TargetError

OPS = [op for op in SIGNATURES if op not in ("const", "load")]
ISAS = {512: "avx512", 256: "avx2", 128: "sse2"}
FLOATS: tuple[Float, ...] = ("f64", "f32")
# what one instruction or a few do, without a function behind it
CHEAP = "add sub mul fma neg abs copysign floor ceil trunc round where".split()
FASTER_BY_FEWER_TERMS = 1.25  # one of a pair may be called and the other inlined


def one(op: str) -> Program:
    """Apply an op once to arguments of its types, and store a number."""
    builder = ProgramBuilder("one")
    numbers = [builder.load(builder.argument(f"x{k}")) for k in range(3)]
    flags = [builder.emit("lt", numbers[k], numbers[k + 1]) for k in range(2)]
    operands, result = SIGNATURES[op][0]
    supply = {"f": iter(numbers), "b": iter(flags)}
    value = builder.emit(op, *(next(supply[kind]) for kind in operands))
    if result == "b":
        value = builder.emit("where", value, *numbers[:2])
    builder.output("out", value)
    return builder.finish()


def target(name: str) -> Target:
    table = TABLES[name]
    if table.threads:
        return get(name)
    if table.arch == "aarch64":
        return target_of(table.cpus[0], "neon")
    return target_of(table.cpus[0], ISAS[table.vector_bits])


@pytest.mark.parametrize("name", list(TABLES))
def test_every_op_of_a_table_has_both_types(name: str) -> None:
    table = TABLES[name]
    index = table.index()
    assert len(index) == len(table.rows), "a row stands twice"
    needed = {op for op in OPS if op not in FAST}
    for dtype in FLOATS:
        assert {op for op, kind in index if kind == dtype} >= needed
    for (op, _), row in index.items():
        assert op in SIGNATURES
        assert row.latency > 0 and row.throughput > 0 and row.port, row


@pytest.mark.parametrize("name", list(TABLES))
def test_a_table_is_in_order(name: str) -> None:
    index = TABLES[name].index()
    for dtype in FLOATS:
        cost = {op: row.throughput for (op, kind), row in index.items() if kind == dtype}
        assert cost["div"] >= cost["mul"] and cost["sqrt"] >= cost["mul"]
        assert all(
            cost[op] < cost["exp"] for op in CHEAP if (op, TABLES[name].vector_bits) != ("fma", 128)
        )
        assert cost["pow"] > cost["exp"] and cost["atan2"] >= cost["mul"]
        assert all(cost[f] <= cost[f.removeprefix("fast_")] * FASTER_BY_FEWER_TERMS
                   for f in FAST & cost.keys() if "sse2" not in name), dtype  # fmt: skip
    # an f32 vector has twice the numbers: a number must not cost more than in f64
    for op in [*CHEAP, "div", "sqrt", "exp", "sin", "log"]:
        wide, narrow = index[op, "f64"], index[op, "f32"]
        assert narrow.throughput / 2 <= wide.throughput * 1.2 + 1e-9, (op, wide, narrow)


@pytest.mark.parametrize("name", list(TABLES))
def test_a_table_names_its_source_and_is_found_by_its_cpus(name: str) -> None:
    table = TABLES[name]
    assert table.source and table.machine and table.cpus
    for cpu in table.cpus:
        if not cpu.startswith("x86-64"):
            machine = replace(target(name), cpu=cpu)
            assert table_for(machine) is table
            widest = max(t.vector_bits for t in TABLES.values() if cpu in t.cpus)
            assert cycle_cost(cpu).table.vector_bits == widest
    assert table.lanes("f32") == (1 if table.threads else 2) * table.lanes("f64")


def test_models_by_cpu() -> None:
    for cpu, table in (
        ("skylake-avx512", "skylake-avx512"), ("cascadelake", "skylake-avx512"),
        ("icelake-server", "intel-avx512"), ("znver3", "zen3-avx2"), ("znver4", "zen4-avx512"),
        ("neoverse-n1", "neoverse-n1"), ("zen3-avx2", "zen3-avx2"),
    ):  # fmt: skip
        assert cycles(cpu).table.name == table
    with pytest.raises(TargetError, match=r"no cost table 'pentium'.*znver3"):
        cycles("pentium")


@pytest.mark.parametrize("op", OPS)
def test_neon_code_of_every_op_assembles(op: str) -> None:
    machine = get("neon")
    for dtype in FLOATS:
        assert object_code(emit_module(one(op), dtype, machine), machine).startswith(b"\x7fELF")


def described() -> list[tuple[Core, Target]]:
    found = []
    for core in CORES:
        for bits in core.kinds:
            if core.name == "neoverse-n1" and bits == 128:
                found.append((core, target_of(core.cpus[0], "neon")))
            elif core.name != "neoverse-n1" and bits in (256, 512):
                found.append((core, target_of(core.cpus[0], ISAS[bits])))
    return found


@pytest.mark.parametrize(
    ("core", "machine"), described(), ids=[f"{c.name}-{t.name}" for c, t in described()]
)
def test_a_core_knows_the_instructions_of_every_op(core: Core, machine: Target) -> None:
    decode = arm.decode if machine.name == "neon" else x86.decode
    for op in OPS:
        for dtype in FLOATS:
            text = assembly(emit_module(one(op), dtype, machine), machine)
            found = loop(text, loop_symbol(one(op), dtype, machine), decode, machine.lanes(dtype))
            assert found.body, op
            units = pressure(found.body, core)
            assert units > 0 and path(found.body, core) >= 1
            if len(found.body) < 40:
                assert scheduled(found.body, core) >= 0.99 * units
    assert core.source and core.cpus and core_of(core.cpus[0]) is core
    sizes = [level.size for level in core.levels]
    assert sizes == sorted(sizes) and core.levels[0].read == 0


@pytest.mark.parametrize("name", ["skylake-avx512", "skylake-avx2", "zen3-avx2", "neoverse-n1"])
@pytest.mark.parametrize("op", ["add", "where", "lt", "div", "exp", "sin", "fast_log"])
def test_derived_rows_are_what_the_cores_give(name: str, op: str) -> None:
    for dtype in FLOATS:
        row = TABLES[name].index()[op, dtype]
        latency, throughput = derive(op, target(name), dtype)
        assert row.latency == pytest.approx(latency, rel=0.05)
        assert row.throughput == pytest.approx(throughput, rel=0.05)


def test_what_is_not_described_is_named() -> None:
    with pytest.raises(TargetError, match="core of 'x86-64-v3' is not described"):
        derive("add", get("avx2"), "f64")
    with pytest.raises(TargetError, match="no 512-bit instruction 'nonsense'"):
        CORES[0].effect("nonsense", 512)
    with pytest.raises(TargetError, match="no kind of x86-64 instruction is known for 'fyl2x'"):
        x86.decode("fyl2x", "", {})
    with pytest.raises(TargetError, match="no kind of AArch64 instruction is known for 'svc'"):
        arm.decode("svc", "#0", {})


def test_the_faster_of_two_grades_is_used() -> None:
    """Where a table says that a function of the faster grade is slower, it is the other one."""
    machine = replace(get("sse2"), cpu="znver4")
    rows = table_for(machine).index()
    slow = slower(machine, "f64")
    assert "fast_atan" in slow
    assert rows["fast_atan", "f64"].throughput > rows["atan", "f64"].throughput
    assert not slower(replace(get("avx512"), cpu="znver4"), "f64")
    assert cycles(machine, approximate=True).cycles("atan") == rows["atan", "f64"].throughput / 2
    builder = ProgramBuilder("angle")
    builder.output("out", builder.emit("fast_atan", builder.load(builder.argument("x"))))
    fast = emit_module(builder.finish(), "f64", machine)
    builder = ProgramBuilder("angle")
    builder.output("out", builder.emit("atan", builder.load(builder.argument("x"))))
    assert fast == emit_module(builder.finish(), "f64", machine)
