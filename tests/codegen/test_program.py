import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegen.program import (
    SIGNATURES,
    Argument,
    Constant,
    Instruction,
    Output,
    Program,
    ProgramBuilder,
)
from rewrite.errors import RewriteError, TargetError


def sample() -> Program:
    b = ProgramBuilder("gauß 1")
    x = b.argument("x")
    v = b.argument('v, "w"\n', (2, 3))
    m = b.argument("m", (), "b")
    third = b.const(Fraction(1, 3))
    fused = b.emit("fma", b.load(x), b.load(v, 4), third)
    choice = b.emit("where", b.emit("or", b.load(m), b.const(True)), fused, b.const("pi"))
    b.output("y", choice, fused, shape=(2,))
    b.output("small", b.emit("lt", choice, third))
    for value in (math.nan, -0.0, math.inf, 10**400, 0.1, 2**24 + 1, 5e-324):
        b.const(value)
    return b.finish()


def test_text_form() -> None:
    b = ProgramBuilder("line")
    x, k = b.argument("x"), b.argument("k", (2,))
    b.output("y", b.emit("fma", b.load(x), b.load(k, 1), b.load(k, 0)))
    b.output("half", b.const(0.5))
    assert str(b.finish()).splitlines() == [
        "program line(x, k[2])",
        "  %0 = load x",
        "  %1 = load k[1]",
        "  %2 = load k[0]",
        "  %3 = fma %0 %1 %2",
        "  %4 = const 0.5",
        "  return y = %3",
        "  return half = %4",
    ]


def test_round_trip() -> None:
    program = sample()
    again = Program.parse(str(program))
    assert again == program
    assert hash(again) == hash(program)
    assert str(again) == str(program)


@given(st.floats(), st.floats(width=32))
def test_constants_round_trip(f64: float, f32: float) -> None:
    b = ProgramBuilder()
    b.output("y", b.const(Constant(f64, f32)))
    program = b.finish()
    assert Program.parse(str(program)) == program


@given(st.fractions())
def test_rational_constants_are_rounded_once(value: Fraction) -> None:
    constant = Constant.of(value)
    assert constant.f64 == value.numerator / value.denominator
    near = np.float32(constant.f32)
    error = abs(Fraction(float(near)) - value)
    for other in (np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))):
        if np.isfinite(other):
            assert error <= abs(Fraction(float(other)) - value)


def test_float32_constant_is_not_rounded_twice() -> None:
    # halfway between two floats in double precision, but just above it as a fraction
    value = Fraction(2**24 + 1) + Fraction(1, 10**30)
    assert Constant.of(value).f32 == 2**24 + 2
    assert np.float32(float(value)) == 2**24
    assert Constant.of(Fraction(2**24 + 1)).f32 == 2**24  # a tie goes to the even one


def test_constants_compare_bits() -> None:
    assert Constant.of(0.0) != Constant.of(-0.0)
    assert Constant.of(math.nan) == Constant.of(-math.nan)
    assert len({Constant.of(x) for x in (0.0, -0.0, math.nan, math.nan)}) == 3


X, Y = Argument("x"), Output("y", (0,))
LOAD = Instruction("load", (), "f", (0, 0))


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (Program((X,), (LOAD,), ()), "no outputs"),
        (Program((X, X), (LOAD,), (Y,)), "2 arguments are named 'x'"),
        (Program((X,), (LOAD,), (Y, Y)), "2 outputs are named 'y'"),
        (Program((Argument("x", (1,) * 3),), (LOAD,), (Y,)), "at most 2 axes"),
        (Program((Argument("x", (0,)),), (LOAD,), (Y,)), "none empty"),
        (Program((X,), (LOAD,), (Output("y", (1,)),)), "%1, which does not exist"),
        (Program((X,), (LOAD,), (Output("y", (0,), (2,)),)), "has 1 components"),
        (Program((X,), (Instruction("neg", (0,)), LOAD), (Y,)), "not an earlier value"),
        (Program((X,), (LOAD, Instruction("neg", (0, 0))), (Y,)), "'neg' takes operands of"),
        (Program((X,), (LOAD, Instruction("lt", (0, 0))), (Y,)), "result type 'f'"),
        (Program((X,), (LOAD, Instruction("frob", (0,))), (Y,)), "no op 'frob'"),
        (Program((X,), (LOAD, Instruction("neg", (0,), "f", True)), (Y,)), "no payload"),
        (Program((X,), (Instruction("load"),), (Y,)), "needs .argument, component"),
        (Program((X,), (Instruction("load", (), "f", (1, 0)),), (Y,)), "no argument 1"),
        (Program((X,), (Instruction("load", (), "f", (0, 1)),), (Y,)), "no component 1"),
        (Program((X,), (Instruction("load", (), "b", (0, 0)),), (Y,)), "has type 'f'"),
        (Program((X,), (Instruction("const", (), "f", True),), (Y,)), "holds True"),
        (
            Program((X,), (LOAD, Instruction("lt", (0, 0), "b")), (Output("y", (0, 1), (2,)),)),
            "mix",
        ),
    ],
)
def test_verify_names_the_fault(program: Program, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        program.verify()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "prog f()",
        "program f(x y)\n  return y = %0",
        "program f(x)\n  %0 = load z\n  return y = %0",
        "program f(x)\n  %1 = load x\n  return y = %0",
        "program f(x)\n  %0 = const one\n  return y = %0",
        "program f(x)\n  %0 = load x\n  %1 = neg %7\n  return y = %1",
        "program f(x)\n  %0 = load x\n  what\n  return y = %0",
    ],
)
def test_parse_refuses(text: str) -> None:
    with pytest.raises(RewriteError):
        Program.parse(text)


def test_builder_refuses_wrong_types() -> None:
    b = ProgramBuilder()
    x = b.load(b.argument("x"))
    with pytest.raises(TargetError, match="'not' takes operands of types 'b', not 'f'"):
        b.emit("not", x)


def test_every_op_has_a_signature_and_programs_are_frozen() -> None:
    assert all(signatures for signatures in SIGNATURES.values())
    with pytest.raises(dataclasses.FrozenInstanceError):
        sample().name = "other"  # type: ignore[misc]
