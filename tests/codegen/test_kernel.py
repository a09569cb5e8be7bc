import inspect
import pickle
from typing import Any

import numpy as np
import pytest

from codegen.kernel import Kernel, float_name
from codegen.program import Program, ProgramBuilder
from codegen.target import Target, get, host
from rewrite.errors import ArgumentError, RewriteError, TargetError


def scale() -> Program:
    b = ProgramBuilder("scale")
    m, g, z = (b.load(b.argument(name)) for name in "mgz")
    b.output("force", b.emit("mul", b.emit("mul", m, g), z))
    return b.finish()


def pair() -> Program:
    b = ProgramBuilder("pair")
    x, y = (b.load(b.argument(name)) for name in "xy")
    b.output("total", b.emit("add", x, y))
    b.output("less", b.emit("lt", x, y))
    return b.finish()


def affine() -> Program:
    b = ProgramBuilder("affine")
    a, v, s = b.argument("a", (2, 2)), b.argument("v", (2,)), b.load(b.argument("s"))
    rows = [
        b.emit(
            "fma",
            b.load(a, 2 * i),
            b.load(v, 0),
            b.emit("fma", b.load(a, 2 * i + 1), b.load(v, 1), s),
        )
        for i in range(2)
    ]
    b.output("w", *rows, shape=(2,))
    b.output("sum", b.emit("add", *rows))
    return b.finish()


def test_it_is_called_like_a_ufunc() -> None:
    kernel = Kernel(scale(), doc="(mul (mul m g) z)")
    x = np.linspace(0, 1, 101)
    np.testing.assert_array_equal(kernel(x, 9.81, x), x * 9.81 * x)
    assert isinstance(kernel(1, 2.0, 3), np.float64) and kernel(1, 2.0, 3) == 6
    assert kernel(x[:, None], 1.0, x[None, :]).shape == (101, 101)
    assert kernel(np.empty((0, 3)), 1, 1).shape == (0, 3)
    out = np.empty(101)
    assert kernel(x, x, x, out=out) is out
    assert kernel([1, 2], 2, [3, 4]).tolist() == [6, 16]
    assert kernel(x.astype("f4"), 2.0, x.astype("f4")).dtype == np.float32
    assert kernel(np.asfortranarray(np.ones((3, 4))), 1, 1).flags.f_contiguous
    assert kernel(np.array(2.0), 1, 1).shape == ()


def test_arguments_go_by_position() -> None:
    kernel = Kernel(scale())
    assert callable(kernel)
    assert str(inspect.signature(kernel)) == "(m, g, z, /)"
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        kernel(2, 3, 5, z=5)
    with pytest.raises(TypeError, match="arguments"):
        kernel(1, 2)


def test_an_unused_argument_takes_part_in_broadcasting() -> None:
    b = ProgramBuilder("first")
    x = b.load(b.argument("x"))
    b.argument("unused")
    b.output("y", x)
    kernel = Kernel(b.finish())
    assert kernel(2.0, np.zeros(3)).tolist() == [2, 2, 2]
    with pytest.raises(ValueError, match="broadcast"):
        kernel(np.zeros(2), np.zeros(3))


def test_constants_only() -> None:
    b = ProgramBuilder("constants")
    b.output("tau", b.emit("mul", b.const("pi"), b.const(2)))
    kernel = Kernel(b.finish())
    assert kernel() == 2 * np.pi
    assert kernel(out=np.empty(3)).tolist() == [2 * np.pi] * 3
    assert list(inspect.signature(kernel).parameters) == []
    assert kernel(dtype=np.float32).dtype == np.float32
    narrow = Kernel(kernel.program, dtype=np.float32)()
    assert narrow == np.float32(2 * np.pi) and narrow.dtype == np.float32


def test_several_results() -> None:
    total, less = Kernel(pair())(1, 2.0)
    assert (total, less) == (3, True)
    assert Kernel(pair(), results="dict")(1, 2) == {"total": 3, "less": True}
    out = {"total": np.empty(2), "less": np.empty(2, bool)}
    assert Kernel(pair(), results="dict")([1, 2], 2, out=out)["less"] is out["less"]
    assert out["total"].tolist() == [3, 4]
    assert Kernel(scale(), results="tuple")(1, 2, 3) == (6,)
    assert Kernel(scale(), results="dict")(1, 2, 3) == {"force": 6}


def test_results_by_name_go_into_a_structured_array() -> None:
    kernel = Kernel(pair(), results="dict")
    out = np.zeros(2, [("less", bool), ("total", float)])
    assert kernel([1, 3], 2, out=out) is out
    assert out["total"].tolist() == [3, 5] and out["less"].tolist() == [True, False]
    with pytest.raises(ArgumentError, match="fields a, total, and the results are total, less"):
        kernel(1, 2, out=np.zeros(2, [("a", bool), ("total", float)]))
    single = Kernel(scale(), results="dict")
    force = np.zeros(2, [("force", "f4")])
    assert single(1, [2, 3], 3, out=force)["force"].tolist() == [6, 9]
    assert Kernel(pair())(np.ones(2), 2)[1].dtype == np.bool_


def test_one_dtype() -> None:
    wide, narrow = Kernel(scale(), dtype=np.float64), Kernel(scale(), dtype="float32")
    x = np.ones(3, np.float32)
    assert wide(x, x, x).dtype == np.float64
    assert narrow(x, 2.0, x).dtype == np.float32
    assert narrow.ufunc.types == ["fff->f"]
    assert narrow(np.ones(3), x, x).dtype == np.float32
    with pytest.raises(TypeError):
        narrow.ufunc(np.ones(3), x, x)  # by itself it is NumPy's: nothing is narrowed unasked
    with pytest.raises(TypeError, match="'m' of kernel 'scale' is 1j, of dtype complex128"):
        wide(1j, 1, 1)
    for bad in (np.float16, "c16", int, "huh"):
        with pytest.raises(TargetError, match="float64 or float32"):
            Kernel(scale(), dtype=bad)
    assert [float_name(x) for x in ("f64", "f32", np.float32, "f8")] == ["f64", "f32", "f32", "f64"]


def test_every_stage_is_kept() -> None:
    kernel = Kernel(scale(), get("avx2"), terms="t", report="r", cost=1.5, name="force")
    assert str(kernel.program).startswith("program force(m, g, z)")
    assert "define void" in kernel.llvm and "fmul <4 x double>" in kernel.llvm
    assert "vmulpd" in kernel.asm
    assert (kernel.terms, kernel.report, kernel.cost, kernel.dtype) == ("t", "r", 1.5, None)
    assert kernel.target is not host() and kernel.target == get("avx2")
    assert repr(kernel) == "<Kernel force(m, g, z) -> force; f64, f32; avx2>"
    assert kernel.__name__ == kernel.ufunc.__name__ == "force"
    assert "force(m, g, z, /)" in str(kernel.__doc__)
    assert "force(m, g, z, /)" in str(kernel.ufunc.__doc__)
    assert "fmul <8 x float>" in Kernel(scale(), get("avx2"), dtype="f32").llvm


def test_pickling_keeps_program_and_options() -> None:
    kernel = Kernel(pair(), doc="text", results="dict", parallel=2, name="both")
    again = pickle.loads(pickle.dumps(kernel))
    assert again(1, 2) == {"total": 3, "less": True}
    assert (again.__name__, again.parallel, again.__doc__) == ("both", 2, kernel.__doc__)


def test_a_target_made_by_hand_is_pickled_whole() -> None:
    own = host()
    for target in (
        Target("mine", own.triple, own.cpu, own.features, own.vector_bits),
        Target("avx2", own.triple, own.cpu, own.features, 128),
    ):
        kernel = Kernel(scale(), target)
        again = pickle.loads(pickle.dumps(kernel))
        assert again.target == target and again(1, 2, 3) == 6 and again.llvm == kernel.llvm
    text = pickle.dumps(Kernel(scale()))
    assert b"native" in text and own.features.encode() not in text  # made anew where it is loaded
    foreign = Target("mine", own.triple, "some-cpu", "+nonsense", 128)
    assert foreign.missing() == ("nonsense",)
    with pytest.raises(TargetError, match="lacks nonsense"):
        Kernel(scale(), foreign)


def test_mistakes_are_found_when_it_is_built() -> None:
    b = ProgramBuilder("many")
    for number in range(64):
        x = b.load(b.argument(f"x{number}"))
    b.output("y", x)
    with pytest.raises(ArgumentError, match="65 arguments and results"):
        Kernel(b.finish())
    with pytest.raises(ArgumentError, match="several results"):
        Kernel(pair(), results="single")
    with pytest.raises(ArgumentError, match="parallel=0"):
        Kernel(pair(), parallel=0)
    with pytest.raises(ArgumentError, match="batch_axis=1: the batch is first"):
        Kernel(pair(), batch_axis=1)  # type: ignore[arg-type]
    with pytest.raises(RewriteError):
        Kernel(Program((), (), ()))


def test_names_that_are_no_identifiers() -> None:
    b = ProgramBuilder("dé\n1")
    x, y = b.load(b.argument("x[0]")), b.load(b.argument("a b"))
    b.output("y", b.emit("sub", x, y))
    kernel = Kernel(b.finish())
    assert kernel(3, 1) == 2
    assert list(inspect.signature(kernel).parameters) == ["x1", "x2"]


def test_batch_axis_last() -> None:
    program = affine()
    first, last = Kernel(program), Kernel(program, batch_axis=-1)
    rng = np.random.default_rng(4)
    a, v, s = rng.normal(size=(2, 2, 3, 50)), rng.normal(size=(2, 50)), rng.normal(size=50)
    w, total = last(a, v, s)
    w_, total_ = first(a.transpose(2, 3, 0, 1), v.T, s)
    assert w.shape == (2, 3, 50) and w.flags.c_contiguous
    assert np.array_equal(w, w_.transpose(2, 0, 1)) and np.array_equal(total, total_)
    out = (np.empty((2, 3, 50)), np.empty((3, 50)))
    assert last(a, v, s, out=out)[0] is out[0]
    assert np.array_equal(out[0], w)
    one, total = last(a[..., 0, 0], v[:, 0], 1.0)
    assert one.shape == (2,) and isinstance(total, np.float64)
    with pytest.raises(TypeError):
        last(a, v)


@pytest.mark.parametrize("order", ["C", "F"])
def test_threads_give_the_same_bits_and_layout(order: Any) -> None:
    serial, threaded = Kernel(scale()), Kernel(scale(), parallel=3)
    rng = np.random.default_rng(4)
    a, b, c = (np.asarray(rng.normal(size=(700, 901)), order=order) for _ in range(3))
    for args in (
        (a, b, c),
        (a, b[:, :1], c[0]),
        (a, 2.0, c),
        (a.astype("f4"), 2.0, b.astype("f4")),
    ):
        expected, result = serial(*args), threaded(*args)
        assert np.array_equal(result, expected)
        assert (result.dtype, result.strides) == (expected.dtype, expected.strides)
    out = a.copy()
    assert threaded(out, b, c, out=out) is out
    assert np.array_equal(out, serial(a, b, c))
    mask = b > 0
    out = np.zeros((700, 901))
    threaded(a, b, c, out=out, where=mask)
    assert np.array_equal(out, np.where(mask, serial(a, b, c), 0))


def test_threads_keep_to_arrays_that_do_not_overlap() -> None:
    threaded = Kernel(scale(), parallel=2)
    room = np.random.default_rng(4).normal(size=1_000_001)
    expected = room[:-1] * 2.0 * 3.0
    threaded(room[:-1], 2.0, 3.0, out=room[1:])
    assert np.array_equal(room[1:], expected)


def test_threads_and_array_operands() -> None:
    serial, threaded = Kernel(affine()), Kernel(affine(), parallel=2)
    rng = np.random.default_rng(4)
    args = (rng.normal(size=(300_000, 2, 2)), rng.normal(size=2), rng.normal(size=300_000))
    for result, expected in zip(threaded(*args), serial(*args), strict=True):
        assert np.array_equal(result, expected)
    last = Kernel(affine(), parallel=2, batch_axis=-1)
    w, _ = last(args[0].transpose(1, 2, 0), args[1], args[2])
    assert np.array_equal(w.T, serial(*args)[0])


def test_threads_report_mistakes() -> None:
    threaded = Kernel(scale(), parallel=2)
    big = np.ones(1_000_000)
    with pytest.raises(ValueError, match="broadcast"):
        threaded(big, big[:-1], 1.0)
    with pytest.raises(TypeError):
        threaded(big, big * 1j, 1.0)
    with pytest.raises(TypeError):
        threaded(big, big)
    with pytest.raises(TypeError):
        threaded(big, big, big, out=np.empty(1_000_000, "i4"))


def test_a_subclass_keeps_its_say() -> None:
    class Marked(np.ndarray):
        pass

    for parallel in (1, 2):
        result = Kernel(scale(), parallel=parallel)(np.ones(500_000).view(Marked), 1.0, 1.0)
        assert isinstance(result, Marked)


def test_a_float32_kernel_takes_wider_arguments() -> None:
    """Asking for float32 means it: arguments are cast as `np.add(..., dtype=np.float32)` does."""
    program = Program.parse(
        "program k(x, y)\n  %0 = load x\n  %1 = load y\n  %2 = mul %0 %1\n  return out = %2"
    )
    kernel = Kernel(program, dtype=np.float32)
    for args in ((2.0, 3.0), (np.full(3, 2.0), 3.0), (2, np.arange(3))):
        found = kernel(*args)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, np.multiply(*args))
    assert Kernel(program, dtype=np.float32, parallel=2)(np.full(3, 2.0), 3.0).dtype == np.float32
    with pytest.raises(TypeError):
        kernel(1j, 2.0)
    x, out = np.full(3, 2.0, np.float32), np.empty(3, np.float32)
    assert kernel(x, x, out=out) is out and kernel(x, x, out) is out
    assert kernel(x, x, out=(out,)) is out and kernel(x, x, out=None).dtype == np.float32
    with pytest.raises(TypeError):
        kernel(x, out=out)  # not taken for the second argument
