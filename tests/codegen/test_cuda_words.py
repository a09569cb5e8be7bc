"""Elementary functions written for Numba: the bits of the CPU's vectors, on many arguments.

The written Python is compiled for the CPU here, with the same intrinsics that a device gets.
"""

import ctypes
import math
from collections.abc import Callable
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numba
import numpy as np
import pytest
from numba.extending import intrinsic

import rewrite as rw
from codegen.cuda import functions, rare, simulated
from codegen.cuda.intrinsics import elements, intrinsics, numbers
from codegen.cuda.source import Form, functions_of, kernel_source
from codegen.cuda.words import literal
from codegen.instruction import SIGNATURES
from codegen.kernel import Kernel
from codegen.program import Program, ProgramBuilder
from codegen.target import Float, get
from codegen.vecmath import FAST, MAX_ULP, supported
from rewrite import ops

NAMES = sorted({name for name, _ in MAX_ULP} - FAST)
FLOATS: tuple[Float, ...] = ("f64", "f32")
TYPES: dict[str, tuple[Any, Any]] = {"f64": (np.float64, np.uint64), "f32": (np.float32, np.uint32)}


def one(op: str) -> Program:
    """Apply an op once to arguments of its types, and store a number."""
    builder = ProgramBuilder("one")
    values = [builder.load(builder.argument(f"x{k}")) for k in range(3)]
    flags = [builder.emit("lt", values[k], values[k + 1]) for k in range(2)]
    operands, result = SIGNATURES[op][0]
    supply = {"f": iter(values), "b": iter(flags)}
    value = builder.emit(op, *(next(supply[kind]) for kind in operands))
    if result == "b":
        value = builder.emit("where", value, *values[:2])
    builder.output("out", value)
    return builder.finish()


@pytest.fixture(scope="module")
def on_cpu() -> Callable[[Program, Float], Callable[..., Any]]:
    """Compile the kernel of a program as a loop of the CPU."""
    words = intrinsics(intrinsic, numba.types, device=False)

    class Grid:
        """One thread that does everything."""

        grid = staticmethod(numba.njit(lambda axes: 0))
        gridsize = staticmethod(numba.njit(lambda axes: 1))

    def namespace(dtype: Float) -> dict[str, Any]:
        kind: Any = numba.float64 if dtype == "f64" else numba.float32
        places = elements(intrinsic, numba.types, kind, 1)
        found = {
            **words,
            **places,
            **numbers(dtype),
            "N": np.uint64,
            "begin": Grid.grid,
            "by": Grid.gridsize,
        }
        for name in functions.DOUBLES:
            function = simulated.c_library()[name]
            arity = functions.ARITY.get(name, 1)
            function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double] * arity
            found[f"libm_{name}"] = function
        return found

    def compiled(program: Program, dtype: Float) -> Callable[..., Any]:
        names = namespace(dtype)
        own = {**names, "int64": np.int64, "TWO_OVER_PI": rare.TWO_OVER_PI}
        exec(rare.HUGE, own)
        names["huge"] = numba.njit(own["huge"])
        for op in functions_of(program):
            own = names | {}
            if functions.own(op, dtype) or op == functions.SINCOS:
                exec(functions.source(op, dtype), own)
                names[op] = numba.njit(own[op])
        source = kernel_source(program, Form(dtype, scalars=(False,) * len(program.arguments)))
        source = source.replace("cuda.gridsize", "by").replace("cuda.grid", "begin")
        exec(source, names)
        kernel = numba.njit(names["kernel"])

        def run(*arrays: Any) -> Any:
            result = np.empty_like(arrays[0])
            kernel(np.int64(arrays[0].size), *arrays, result)
            return result

        return run

    return compiled


def arguments(dtype: Float, count: int, seed: int = 0) -> list[Any]:
    """Draw bit patterns, usual numbers and special values."""
    number, whole = TYPES[dtype]
    rng = np.random.default_rng(seed)
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 2.0, 3.0], number)
    found = []
    for _ in range(count):
        patterns = rng.integers(0, np.iinfo(whole).max, 30_000, dtype=whole).view(number)
        usual = rng.normal(size=30_000).astype(number)
        wide = (rng.normal(size=20_000) * 50).astype(number)
        found.append(rng.permutation(np.concatenate([patterns, usual, wide, special])))
    return found


def ulp_distance(first: Any, second: Any) -> Any:
    """Count the numbers between two of one sign."""
    whole = np.int64 if first.dtype == np.float64 else np.int32
    return abs(first.view(whole) - second.view(whole))


def same(first: Any, second: Any) -> Any:
    whole = np.uint64 if first.dtype == np.float64 else np.uint32
    return (first.view(whole) == second.view(whole)) | (np.isnan(first) & np.isnan(second))


@pytest.mark.isa("fma", "avx2")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", [op for op in SIGNATURES if op not in ("const", "load", *FAST)])
def test_written_ops_have_the_bits_of_vectors(on_cpu: Any, op: str, dtype: Float) -> None:
    if op == "fmod":
        pytest.skip("of the device's library")
    program = one(op)
    given = arguments(dtype, len(program.arguments))
    with np.errstate(all="ignore"):
        ours = on_cpu(program, dtype)(*given)
    theirs = Kernel(program, get("avx2"), dtype=dtype)(*given)
    odd = ~same(ours, theirs)
    if op in rare.RARE:  # ours on a device, the C library's in vectors
        near = odd & (ulp_distance(ours, theirs) <= 1)
        negative = (op == "pow") & (given[0] < 0)
        assert negative[near].all() or (dtype == "f64" and near.mean() < 0.2)
        odd &= ~near
    assert not odd.any(), [x[odd][:3] for x in (*given, ours, theirs)]


@pytest.mark.isa("fma", "avx2")
@pytest.mark.parametrize("dtype", FLOATS)
def test_powers_of_negative_numbers(on_cpu: Any, dtype: Float) -> None:
    number, _ = TYPES[dtype]
    bases = np.array([-0.0, -1e-40, -0.5, -1.0, -1.5, -3.0, -np.inf, np.nan, -1e30], number)
    powers = np.array([0.0, 1, 2, 3, -1, -2, 0.5, -2.5, np.inf, -np.inf, np.nan, 1e30], number)
    x, y = (a.ravel() for a in np.meshgrid(bases, powers))
    z = np.zeros_like(x)
    program = one("pow")
    ours = on_cpu(program, dtype)(x, y, z)
    theirs = Kernel(program, get("avx2"), dtype=dtype)(x, y, z)
    close = same(ours, theirs) | (np.isfinite(ours) & (ulp_distance(ours, theirs) <= 1))
    assert close.all(), [a[~close] for a in (x, y, ours, theirs)]


@pytest.mark.isa("fma", "avx2")
@pytest.mark.parametrize("dtype", FLOATS)
def test_sine_and_cosine_together_have_the_bits_apart(on_cpu: Any, dtype: Float) -> None:
    builder = ProgramBuilder("pair")
    x = builder.load(builder.argument("x"))
    both = builder.emit("sub", builder.emit("sin", x), builder.emit("cos", x))
    builder.output("out", both)
    program = builder.finish()
    assert functions.SINCOS in functions_of(program)
    (given,) = arguments(dtype, 1)
    ours, theirs = on_cpu(program, dtype)(given), Kernel(program, get("avx2"), dtype=dtype)(given)
    assert same(ours, theirs)[~(np.abs(given) > 4e6)].all()
    with np.errstate(invalid="ignore"):
        apart = [on_cpu(one(op), dtype)(given, given, given) for op in ("sin", "cos")]
        assert same(ours, apart[0] - apart[1]).all()


@pytest.mark.isa("fma", "avx2")
def test_branches_and_shared_values_have_the_bits_of_vectors(on_cpu: Any) -> None:
    """Random terms: values behind branches, constants, booleans."""
    x, y = rw.symbols("x y")
    inner = rw.where(x > 0.5, rw.exp(y) * rw.sin(x), rw.log(abs(x) + 2) + rw.cos(x))
    term = rw.where(y < x, inner + rw.tanh(y), rw.maximum(inner, rw.sign(y) * x) ** 3)
    kernel = rw.compile([x, y], term, target="avx2", dtype="f64", name="branches")
    # huge angles are ours on a device, and the C library's in vectors
    given = [np.where(np.abs(x) > 4e6, 1.5, x) for x in arguments("f64", 2)]
    assert "if " in kernel_source(kernel.program, Form("f64"))
    assert same(on_cpu(kernel.program, "f64")(*given), kernel(*given)).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", [*NAMES, "fmod", *sorted(FAST)])
def test_each_function_is_ours_or_stated_by_nvidia(op: str, dtype: Float) -> None:
    """The default grade is within 1 ulp where the arguments are usual, the faster within 4."""
    name = op.removeprefix("fast_")
    assert name in functions.LIBDEVICE
    if op == name:
        assert functions.own(op, dtype) == (op != "fmod" and supported(op, dtype))
        assert MAX_ULP[op, dtype] <= 1
        assert functions.bound(op, dtype) <= 2
    else:
        assert functions.bound(op, dtype) <= 4


def test_the_stated_functions_are_all_that_programs_have() -> None:
    plain = {op for op in SIGNATURES if op.removeprefix("fast_") in functions.LIBDEVICE}
    known = {row.name for row in ops.OPS if row.name in functions.LIBDEVICE}
    assert {op.removeprefix("fast_") for op in plain} == set(functions.LIBDEVICE) >= known


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-320, -1.5, 1e300, np.inf, -np.inf, 0.1])
def test_constants_are_written_with_all_their_bits(value: float) -> None:
    read = eval(literal(value), numbers("f64"))
    assert np.float64(read).view(np.int64) == np.float64(value).view(np.int64)


NEAREST = 6381956970095103 * 2.0**797  # of all doubles, nearest to a multiple of pi/2


@pytest.mark.parametrize("op", ["sin", "cos", "tan"])
def test_huge_angles(on_cpu: Any, op: str) -> None:
    rng = np.random.default_rng(0)
    given = rng.uniform(1, 2, 1500) * 2.0 ** rng.integers(22, 1024, 1500)
    given = np.concatenate([given, -given[:300], [NEAREST, -NEAREST, 2.0**1023, 4.1e6, 1e22]])
    within_one_ulp(op, on_cpu(one(op), "f64")(given, given, given), given)


def test_powers_at_the_ends_of_the_range(on_cpu: Any) -> None:
    rng = np.random.default_rng(1)
    base = np.exp(rng.uniform(-700, 700, 2000))
    ends = rng.choice([-744.4, -720, -708.4, 709.7, 708.1], 2000) + rng.uniform(-0.5, 0.05, 2000)
    power = ends / np.log(base)
    tiny = rng.integers(1, 1 << 52, 1000).view(np.float64)
    base = np.concatenate([base, tiny, -tiny[:200], [0.5, 2.0, -2.0]])
    power = np.concatenate(
        [power, rng.uniform(-1, 1, 1000), np.full(200, 1.0), [1074, -1074, 1023]]
    )
    within_one_ulp("pow", on_cpu(one("pow"), "f64")(base, power, power), base, power)


def test_angles_of_extreme_ratios(on_cpu: Any) -> None:
    rng = np.random.default_rng(2)
    y, x = (rng.uniform(1, 2, 4000) * 2.0 ** rng.integers(-1074, 1024, 4000) for _ in "yx")
    near = rng.uniform(0.1, 10, 1000)
    y = np.concatenate([y, x[:1000] * near, rng.integers(1, 1 << 52, 500).view(np.float64)])
    x = np.concatenate([x, x[:1000], rng.integers(1, 1 << 52, 500).view(np.float64)])
    y, x = y * rng.choice([-1, 1], len(y)), x * rng.choice([-1, 1], len(x))
    within_one_ulp("atan2", on_cpu(one("atan2"), "f64")(y, x, x), y, x)


def within_one_ulp(op: str, found: Any, *given: Any) -> None:
    """Compare with mpmath."""
    functions_: dict[str, Any] = {"pow": mpmath.power}
    exact = functions_.get(op) or getattr(mpmath, op)
    worst = 0.0
    with mpmath.workprec(200), np.errstate(all="ignore"):
        for value, *args in zip(found.tolist(), *(a.tolist() for a in given), strict=True):
            wanted = exact(*map(mpmath.mpf, args))
            if not abs(wanted) < 2**1024:
                assert math.isinf(value), (op, args, value)
                continue
            assert math.isfinite(value), (op, args, value)
            unit = math.ulp(float(wanted))
            off = float(abs(wanted - mpmath.mpf(value)) / unit)
            worst = max(worst, off)
            assert off <= 1, (op, args, value, off)
    assert worst > 0.3  # something was compared


def test_the_bits_of_two_over_pi() -> None:
    with mpmath.workprec(1400):
        whole = int(mpmath.floor(2 / mpmath.pi * 2 ** (64 * (len(rare.TWO_OVER_PI) - 1))))
    words = [whole >> 64 * k & (1 << 64) - 1 for k in range(len(rare.TWO_OVER_PI))]
    assert words[::-1] == rare.TWO_OVER_PI.tolist()
