"""Reciprocal roots where they pay, quotients by roots where the divider idles."""

import numpy as np
import pytest

import rewrite as rw
from codegen.balance import balanced
from codegen.cost import port_cycles
from codegen.instruction import Output
from codegen.program import Program, ProgramBuilder
from codegen.targets import TABLES

ZEN4 = TABLES["zen4-avx512"]


def product(functions: int, root_op: str = "rsqrt") -> Program:
    """Multiply x y by 1 / sqrt(y) and z by it, and add so many sines."""
    build = ProgramBuilder()
    x, y, z = (build.load(build.argument(name)) for name in "xyz")
    root = build.emit(root_op, y)
    total = build.emit("mul", build.emit("mul", x, y), root)
    total = build.emit("add", total, build.emit("mul", root, y))
    total = build.emit("add", total, build.emit("mul", z, root))
    for k in range(functions):
        total = build.emit("add", total, build.emit("sin", build.emit("add", x, build.const(k))))
    build.output("out", total)
    return build.finish()


@pytest.mark.parametrize("op", ["rsqrt", "fast_rsqrt"])
def test_the_divider_is_used_where_other_units_have_more_to_do(op: str) -> None:
    bare, busy = product(0, op), product(3, op)
    assert balanced(bare, ZEN4) is bare
    found = balanced(busy, ZEN4)
    assert port_cycles(found, ZEN4) < port_cycles(busy, ZEN4)
    assert {"sqrt", "div"} <= found.ops and op not in found.ops
    ops = [this.op for this in found.instructions]
    assert (ops.count("sqrt"), ops.count("div"), ops.count("mul")) == (1, 1, 1)


def test_what_is_no_factor_alone_stays() -> None:
    program = product(3)
    root = next(k for k, this in enumerate(program.instructions) if this.op == "rsqrt")
    outputs = (*program.outputs, Output("root", (root,)))
    shown = Program(program.arguments, program.instructions, outputs)
    assert balanced(shown, ZEN4) is shown


def test_values_are_the_same() -> None:
    x, y = rw.symbols("x y", low=0.5, high=2.0)
    term = x * rw.rsqrt(y) + rw.sin(x) * rw.cos(y) + rw.exp(x * y) * (y * rw.rsqrt(x * y))
    kernel = rw.compile([x, y], term, dtype=np.float64)
    a, b = np.random.default_rng(0).uniform(0.5, 2.0, (2, 1000))
    want = a / np.sqrt(b) + np.sin(a) * np.cos(b) + np.exp(a * b) * b / np.sqrt(a * b)
    np.testing.assert_allclose(kernel(a, b), want, rtol=1e-14)
