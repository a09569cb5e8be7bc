"""Elementary functions written for Numba: the bits of the CPU's vectors, on many arguments.

The written Python is compiled for the CPU here, with the same intrinsics that a device gets.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
from numba.extending import intrinsic

import rewrite as rw
from codegen.cuda import functions, simulated
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
        for op in functions_of(program):
            own = namespace(dtype)
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
    if op == "pow":  # of negative bases ours on a device, the C library's in vectors
        negative = odd & (given[0] < 0)
        assert np.isfinite(ours[negative]).all()
        assert (ulp_distance(ours[negative], theirs[negative]) <= 1).all()
        odd &= ~negative
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
    theirs = Kernel(program, get("avx2"), dtype=dtype)(given)
    assert same(on_cpu(program, dtype)(given), theirs).all()


@pytest.mark.isa("fma", "avx2")
def test_branches_and_shared_values_have_the_bits_of_vectors(on_cpu: Any) -> None:
    """Random terms: values behind branches, constants, booleans."""
    x, y = rw.symbols("x y")
    inner = rw.where(x > 0.5, rw.exp(y) * rw.sin(x), rw.log(abs(x) + 2) + rw.cos(x))
    term = rw.where(y < x, inner + rw.tanh(y), rw.maximum(inner, rw.sign(y) * x) ** 3)
    kernel = rw.compile([x, y], term, target="avx2", dtype="f64", name="branches")
    given = arguments("f64", 2)
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
