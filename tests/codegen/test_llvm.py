import math
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from codegen.engine import assembly, object_code
from codegen.kernel import Kernel
from codegen.llvm.body import emit_module
from codegen.llvm.choices import interleaved, waits_for_memory
from codegen.llvm.driver import emit_driver
from codegen.llvm.leave import leaves_rare
from codegen.llvm.loop import _LazyCode
from codegen.llvm.ops import LIBM, OPS
from codegen.llvm.shared import needed
from codegen.program import SIGNATURES, Program, ProgramBuilder
from codegen.target import NAMES, Float, Target, get, host
from rewrite.errors import TargetError

type Array = NDArray[Any]

DTYPES: dict[Float, Any] = {"f64": np.float64, "f32": np.float32}
RUNNABLE = [name for name in ("avx512", "avx2", "sse2") if not get(name).missing()]
TARGETS = pytest.mark.parametrize("target", [get(name) for name in RUNNABLE], ids=RUNNABLE)
FLOATS = pytest.mark.parametrize("dtype", DTYPES)

SPECIAL = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, -0.3, 3.0]
SPECIAL += [1e-40, -1e-310, 5e-324, 1e30, -1e300, 1e308, 4503599627370497.5, 0.1, -7.25, 100.0]

EXACT: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sign": np.sign,
    "copysign": np.copysign,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "round": np.round,
    "fmod": np.fmod,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}
NAMES_IN_NUMPY = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2"}
NAMES_IN_NUMPY |= {"asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "pow": "power"}


def reference(op: str) -> Callable[..., Any]:
    if op in ("erf", "erfc"):
        return np.vectorize(getattr(math, op), otypes=[np.float64])
    if op == "rsqrt":
        return lambda x: 1 / np.sqrt(x)
    return getattr(np, NAMES_IN_NUMPY.get(op, op))  # type: ignore[no-any-return]


def program_of(op: str) -> Program:
    b = ProgramBuilder(op)
    types, _ = SIGNATURES[op][0]
    loads = [b.load(b.argument(f"x{k}", (), kind)) for k, kind in enumerate(types)]  # type: ignore[arg-type]
    b.output("y", b.emit(op, *loads))
    return b.finish()


def samples(arity: int, dtype: Any) -> list[Array]:
    rng = np.random.default_rng(5)
    some = np.concatenate([SPECIAL, rng.normal(size=60), rng.normal(size=30) * 30])
    with np.errstate(all="ignore"):
        values = some.astype(dtype)
    if arity == 1:
        return [values]
    if arity == 2:
        return [a.ravel() for a in np.meshgrid(values, values)]
    return [rng.permutation(np.tile(values, 5)) for _ in range(arity)]


def same_bits(a: Array, b: Array) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    nan = (a != a) & (b != b)
    return bool(
        np.all(
            (a.view(np.uint8).reshape(*a.shape, -1) == b.view(np.uint8).reshape(*b.shape, -1)).all(
                -1
            )
            | nan
        )
    )


@TARGETS
@FLOATS
@pytest.mark.parametrize("op", EXACT)
def test_exact_ops_have_numpys_bits(op: str, dtype: Float, target: Target) -> None:
    args = samples(len(SIGNATURES[op][0][0]), DTYPES[dtype])
    with np.errstate(all="ignore"):
        expected = EXACT[op](*args)
    assert same_bits(Kernel(program_of(op), target, dtype=dtype)(*args), expected)


@TARGETS
@FLOATS
@pytest.mark.parametrize("op", ["minimum", "maximum"])
def test_extrema_propagate_nan(op: str, dtype: Float, target: Target) -> None:
    args = samples(2, DTYPES[dtype])
    # NumPy's own choice between 0.0 and -0.0 depends on the CPU: only the values are compared
    np.testing.assert_array_equal(
        Kernel(program_of(op), target, dtype=dtype)(*args), getattr(np, op)(*args)
    )


@TARGETS
@FLOATS
def test_fma_is_rounded_once(dtype: Float, target: Target) -> None:
    eps = np.finfo(DTYPES[dtype]).eps
    a = np.array([1 + eps, 1e-30, np.nan, np.inf], DTYPES[dtype])
    c = np.array([-1 - 2 * eps, 0, 1, 1], DTYPES[dtype])
    result = Kernel(program_of("fma"), target, dtype=dtype)(a, a, c)
    assert result[0] == DTYPES[dtype](eps) ** 2
    assert result[3] == np.inf and np.isnan(result[2])


@TARGETS
@FLOATS
@pytest.mark.parametrize("op", sorted(LIBM - {"fmod"}))
def test_elementary_functions(op: str, dtype: Float, target: Target) -> None:
    args = samples(len(SIGNATURES[op][0][0]), DTYPES[dtype])
    result = Kernel(program_of(op), target, dtype=dtype)(*args)
    # finer bounds are tested with `codegen.vecmath`; here the op must be the right function
    with np.errstate(all="ignore"):
        expected = reference(op)(*(arg.astype(np.float64) for arg in args)).astype(DTYPES[dtype])
        exact = (result == expected) | ((result != result) & (expected != expected))
        ulps = np.abs(result - expected) / np.spacing(np.abs(expected))
    limit = 8 if dtype == "f64" else 1.01
    assert np.all(exact | (ulps <= limit)), [a[~(exact | (ulps <= limit))] for a in args]
    zero = (expected == 0) & exact
    assert np.array_equal(np.signbit(result[zero]), np.signbit(expected[zero]))


@TARGETS
@FLOATS
def test_boolean_ops_and_choice(dtype: Float, target: Target) -> None:
    b = ProgramBuilder()
    p, q = (b.load(b.argument(name, (), "b")) for name in "pq")
    x = b.load(b.argument("x"))
    values = [b.emit("and", p, q), b.emit("or", p, q), b.emit("not", p)]
    values += [b.emit("eq", p, q), b.emit("ne", p, q), b.emit("where", p, q, b.const(True))]
    for number, value in enumerate(values):
        b.output(f"b{number}", value)
    b.output("y", b.emit("where", p, x, b.const(2)))
    kernel = Kernel(b.finish(), target, dtype=dtype)
    p_, q_ = np.tile([False, False, True, True], 10), np.tile([False, True], 20)
    x_ = np.arange(40, dtype=DTYPES[dtype])
    expected = [p_ & q_, p_ | q_, ~p_, p_ == q_, p_ != q_, np.where(p_, q_, True)]
    results = kernel(p_, q_, x_)
    for got, want in zip(results, [*expected, np.where(p_, x_, 2)], strict=True):
        np.testing.assert_array_equal(got, want)
    assert [result.dtype for result in results] == [np.bool_] * 6 + [DTYPES[dtype]]


def test_nothing_is_contracted_or_reassociated() -> None:
    b = ProgramBuilder()
    x, y, z = (b.load(b.argument(name)) for name in "xyz")
    total = b.emit("add", b.emit("mul", x, y), z)
    b.output("r", b.emit("sub", b.emit("sub", b.emit("add", total, x), x), total))
    kernel = Kernel(b.finish())
    assert "fmadd" not in kernel.asm and "fmsub" not in kernel.asm
    assert kernel(1.0, 1e16, 1.0) == ((1e16 + 1.0 + 1.0) - 1.0) - (1e16 + 1.0)


@pytest.mark.parametrize(
    ("name", "mnemonic"),
    [("avx512", "zmm"), ("avx2", "ymm"), ("sse2", "mulpd"), ("neon", ".2d")],
)
def test_every_target_has_text(name: str, mnemonic: str) -> None:
    b = ProgramBuilder()
    x = b.load(b.argument("x"))
    b.output("y", b.emit("mul", x, x))
    text = assembly(emit_module(b.finish(), "f64", get(name)), get(name))
    assert mnemonic in text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("op", sorted(OPS))
def test_every_op_assembles_for_every_target(op: str, name: str) -> None:
    target = get(name)
    for dtype in DTYPES:
        for types, _ in SIGNATURES[op]:
            b = ProgramBuilder(op)
            loads = [b.load(b.argument(f"x{k}", (), kind)) for k, kind in enumerate(types)]  # type: ignore[arg-type]
            b.output("y", b.emit(op, *loads))
            assert object_code(emit_module(b.finish(), dtype, target), target)


def test_text_for_machines_that_are_not_here() -> None:
    kernel = Kernel(program_of("fma"))
    narrow = Kernel(program_of("fma"), dtype="f32")
    assert "fmla\tv" in kernel.assembly("neon") and ".2d" in kernel.assembly("neon")
    assert ".4s" in kernel.assembly("neon", np.float32) and ".4s" in narrow.assembly("neon")
    assert "zmm" in kernel.assembly("avx512") and "fma@PLT" not in kernel.assembly(get("avx512"))
    assert "<2 x double>" in kernel.llvm_ir("sse2") and "<4 x float>" in narrow.llvm_ir("sse2")
    assert kernel.llvm_ir() == kernel.llvm and kernel.assembly() == kernel.asm
    with pytest.raises(TargetError, match="'avx9000'; choices"):
        kernel.assembly("avx9000")
    with pytest.raises(TargetError, match="float64 or float32"):
        kernel.llvm_ir(dtype=int)


def test_a_part_states_its_own_target() -> None:
    """Else the code of a wide target would be split into what the whole object is for."""
    program, baseline = program_of("fma"), get("sse2")
    own = assembly(emit_module(program, "f64", get("avx512"), part="body"), baseline)
    assert "vfmadd" in own and "zmm" in own
    assert "zmm" not in assembly(emit_module(program, "f64", get("avx512")), baseline)


@pytest.mark.parametrize(("name", "mnemonic"), [("sse2", "ldmxcsr"), ("neon", "FPSR")])
def test_the_driver_keeps_the_floating_point_environment(name: str, mnemonic: str) -> None:
    assert mnemonic in assembly(emit_driver(get(name)), get(name))


def test_targets() -> None:
    assert get() is host() and not host().missing()
    assert [get(name).lanes("f32") for name in ("avx512", "avx2", "sse2", "neon")] == [16, 8, 4, 4]
    with pytest.raises(TargetError, match=r"'avx9000'; choices: native, avx512"):
        get("avx9000")
    with pytest.raises(TargetError, match="lacks aarch64") as caught:
        Kernel(program_of("neg"), get("neon"))
    for way in ("kernel.assembly('neon')", "kernel.export('f', targets=('neon',))", "cost="):
        assert way in str(caught.value)
    assert set(NAMES) == {"native", "avx512", "avx2", "sse2", "neon"}


def test_a_missing_feature_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    features = llvm.get_host_cpu_features()
    features["avx512bw"] = False
    monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: features)
    with pytest.raises(TargetError, match="avx512bw"):
        get("avx512").require_host()


def test_every_op_is_emitted() -> None:
    assert set(OPS) == set(SIGNATURES) - {"const", "load"}


def test_many_uses_of_a_function_call_one_copy() -> None:
    b = ProgramBuilder()
    x = b.load(b.argument("x"))
    for _ in range(20):
        x = b.emit("sin", x)
    b.output("y", x)
    program = b.finish()
    text = emit_module(program, "f64", host(), single=True)
    lanes = host().lanes("f64")
    called = f'call <{lanes} x double> @"rewrite.sin.v{lanes}f64"'
    assert text.count(called) == 20 and "define" not in text.split("declare", 1)[1]
    y: Any = np.linspace(-3, 3, 50)
    for _ in range(20):
        y = Kernel(program_of("sin"))(y)
    assert same_bits(Kernel(program)(np.linspace(-3, 3, 50)), y)


def test_sin_and_cos_of_one_argument_share_their_reduction() -> None:
    b = ProgramBuilder()
    x = b.load(b.argument("x"))
    b.output("s", b.emit("sin", x))
    b.output("c", b.emit("cos", x))
    points = np.linspace(-1e3, 1e3, 999)
    s, c = Kernel(b.finish())(points)
    assert same_bits(s, Kernel(program_of("sin"))(points))
    assert same_bits(c, Kernel(program_of("cos"))(points))


@st.composite
def programs(draw: st.DrawFn) -> Program:
    b = ProgramBuilder()
    values = {
        "f": [b.load(b.argument("x")), b.load(b.argument("v", (3,)), 1)],
        "b": [b.const(True)],
    }
    values["f"].append(b.const(draw(st.floats(allow_nan=False))))
    for _ in range(draw(st.integers(1, 25))):
        op = draw(st.sampled_from(sorted(set(SIGNATURES) - {"const", "load"})))
        types, result = draw(st.sampled_from(SIGNATURES[op]))
        args = [draw(st.sampled_from(values[kind])) for kind in types]
        values[result].append(b.emit(op, *args))
    b.output("y", values["f"][-1], values["f"][0], shape=(2,))
    b.output("p", values["b"][-1])
    return b.finish()


@settings(max_examples=settings().max_examples // 4)
@given(
    programs(), st.sampled_from(["avx512", "avx2", "sse2", "neon"]), st.sampled_from(["f64", "f32"])
)
def test_random_programs_pass_llvms_verifier(program: Program, name: str, dtype: Float) -> None:
    assert object_code(emit_module(program, dtype, get(name)), get(name))
    assert Program.parse(str(program)) == program


# -- stores past the caches ----------------------------------------------------------------------


def aligned(n: int, shift: int, dtype: Any) -> Array:
    """Return memory that begins some elements after a cache line does."""
    room = np.empty(n + shift + 64, dtype)
    start = -room.ctypes.data % 64 // room.itemsize + shift
    return room[start : start + n]


@FLOATS
def test_stores_past_the_caches_are_aligned_and_change_no_bits(
    dtype: Float, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = ProgramBuilder()
    x, y = (b.load(b.argument(name)) for name in "xy")
    b.output("y", b.emit("div", b.emit("fma", x, y, x), b.emit("fma", y, y, b.const(1))))
    b.output("z", b.emit("mul", x, y))
    program = b.finish()
    usual = Kernel(program, dtype=dtype)
    monkeypatch.setattr("codegen.llvm.loop.cache_bytes", lambda: 1 << 12)
    past = Kernel(program, dtype=dtype)
    calls: list[bool] = []
    compile_ = _LazyCode.compile

    def seen(own: _LazyCode) -> None:
        calls.append(own.place == "behind")
        compile_(own)

    monkeypatch.setattr(_LazyCode, "compile", seen)
    rng = np.random.default_rng(5)
    room = rng.normal(size=(4, 5000)).astype(DTYPES[dtype])
    for n in (100, 2000, 2001, 4999):
        for first, second in ((0, 0), (1, 1), (1, 2)):
            out = aligned(n, first, DTYPES[dtype]), aligned(n, second, DTYPES[dtype])
            given = room[0, :n], room[1, 1 : n + 1]
            for got, want in zip(past(*given, out=out), usual(*given), strict=True):
                assert same_bits(got, want), (n, first, second)
    place = room[3, :4096]
    expected = usual(place, room[1, :4096])[1]
    assert same_bits(past(place, room[1, :4096], out=(None, place))[1], expected)
    assert calls == [True] * len(calls) and (calls or host().name == "neon")


def test_only_short_programs_store_past_the_caches() -> None:
    stored = {"avx512": "vmovntpd", "avx2": "vmovntpd", "sse2": "movntpd"}
    program = program_of("sqrt")
    assert waits_for_memory(program) and not waits_for_memory(program_of("sin"))
    assert not waits_for_memory(program_of("lt"))  # a byte for each element
    for name, mnemonic in stored.items():
        text = assembly(emit_module(program, "f64", get(name), behind=True), get(name))
        assert mnemonic in text
        assert mnemonic not in assembly(emit_module(program, "f64", get(name)), get(name))


def test_functions_of_large_programs_are_called_and_made_once() -> None:
    b = ProgramBuilder()
    x = b.load(b.argument("x"))
    for name in ("sin", "exp", "sin", "log", "tanh", "pow", "erf", "cos", "sin", "atan", "pow"):
        x = b.emit(name, *[b.emit("abs", x)] * (2 if name == "pow" else 1))
    b.output("y", x)
    program = b.finish()
    code = object_code(emit_module(program, "f64", host()), host())
    assert f"rewrite.many.pow.v{host().lanes('f64')}f64" in needed(code)
    assert interleaved(program) == 1
    alone = emit_module(program, "f64", host(), part="alone")  # what is exported needs no other
    assert "declare" not in "".join(row for row in alone.splitlines() if '"rewrite.' in row)
    points = np.linspace(0.1, 3, 77)
    y: Any = points
    for name in ("sin", "exp", "sin", "log", "tanh", "pow", "erf", "cos", "sin", "atan", "pow"):
        y = Kernel(program_of(name))(*[np.abs(y)] * (2 if name == "pow" else 1))
    assert same_bits(Kernel(program)(points), y)
    assert Kernel(program)(points[5]) == y[5]


# -- rare arguments ------------------------------------------------------------------------------


RARE = {"exp": 1e4, "log": -2.0, "sin": 1e30, "pow": -1.5, "fast_atan2": 0.0}


def guarded_alone(program: Program, dtype: Float, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """Return a kernel whose functions branch themselves."""
    with monkeypatch.context() as patch:
        patch.setattr("codegen.llvm.body.leaves_rare", lambda *_: False)
        return Kernel(program, dtype=dtype)


@FLOATS
@pytest.mark.parametrize("op", RARE)
def test_what_is_left_to_the_guarded_loop_changes_no_bits(
    op: str, dtype: Float, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = ProgramBuilder()
    x = b.load(b.argument("x"))
    args = (x, b.const(0.0 if "atan2" in op else 2.5))[: len(SIGNATURES[op][0][0])]
    made = b.emit(op, *args)
    b.output("y", b.emit("add", made, b.emit("exp", x)))
    b.output("z", b.emit("lt", made, b.const(0.5)))  # of booleans, a byte each
    program = b.finish()
    compiled: list[str] = []
    compile_ = _LazyCode.compile

    def seen(own: _LazyCode) -> None:
        compiled.append(own.place)
        compile_(own)

    monkeypatch.setattr(_LazyCode, "compile", seen)
    kernel, alone = Kernel(program, dtype=dtype), guarded_alone(program, dtype, monkeypatch)
    rng = np.random.default_rng(3)
    points = rng.uniform(0.1, 2, 3001).astype(DTYPES[dtype])
    usual = [each.copy() for each in kernel(points)]
    unit = DTYPES[dtype](1)
    assert "guarded" not in compiled
    for got, want in zip(usual, alone(points), strict=True):
        assert same_bits(got * unit, want * unit)
    for places in ([0], [3000], [1500], range(0, 3001, 200), range(700, 900), range(1, 3001)):
        given = points.copy()
        given[list(places)] = RARE[op]
        want = alone(given)
        others = np.setdiff1d(np.arange(3001), list(places))
        for got, expected, before in zip(kernel(given), want, usual, strict=True):
            assert same_bits(got * unit, expected * unit)
            assert same_bits(got[others] * unit, before[others] * unit)
        kernel(given, out=(given, None))  # results may take the place of arguments
        assert same_bits(given, want[0])
    assert compiled.count("guarded") == leaves_rare(program, host())
