"""Stack frames: a spilled vector lies in one cache line, wherever the caller's frame ends."""

import re

import pytest

from codegen.engine import assembly
from codegen.llvm.body import emit_module
from codegen.llvm.shared import emit_shared
from codegen.program import Program, ProgramBuilder
from codegen.target import Float, get
from codegen.targets.measure import wide

SPILL = re.compile(r"\tv?(mov\w+)\s.*\(%r[sb]p\)")
WIDTHS = {"avx512": 64, "avx2": 32}


def one(op: str) -> Program:
    """Apply an op between what is needed before and after, with a branch for rare arguments."""
    builder = ProgramBuilder("one")
    x = builder.load(builder.argument("x"))
    total = value = builder.emit(op, x)
    for k in range(24):
        value = builder.emit("add", x, builder.const(k / 7))
        total = builder.emit("fma", total, value, builder.emit("mul", value, x))
    builder.output("out", total)
    return builder.finish()


def check(text: str, width: int) -> int:
    """Check a text, and count its spilled vectors."""
    spills = [found[1] for found in map(SPILL.match, text.splitlines()) if found]
    vectors = [name for name in spills if re.match(r"mov[au]p|movdq[au]", name)]
    assert all(name.startswith(("movap", "movdqa")) for name in vectors)
    frames = [int(found) for found in re.findall(r"andq\s+\$-(\d+), %rsp", text)]
    assert frames and all(frame >= width for frame in frames)
    return len(vectors)


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", WIDTHS)
@pytest.mark.parametrize(
    "program", [one("sin"), wide("sin", 3), wide("erfc", 9)], ids=("branch", "inlined", "called")
)
def test_spilled_vectors_are_aligned(program: Program, name: str, dtype: Float) -> None:
    """Beside a branch, where rare arguments are left to another loop, and around calls."""
    assert check(assembly(emit_module(program, dtype, get(name)), get(name)), WIDTHS[name]) > 0


@pytest.mark.parametrize("name", WIDTHS)
def test_frames_of_called_functions_are_aligned(name: str) -> None:
    lanes = get(name).lanes("f64")
    check(assembly(emit_shared(f"rewrite.pow.v{lanes}f64", get(name)), get(name)), WIDTHS[name])
