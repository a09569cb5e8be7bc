"""Vector functions against ball arithmetic: error, special values, and the same bits everywhere."""

import ctypes
import math
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import flint
import llvmlite.binding as llvm
import numpy as np
import numpy.typing as npt
import pytest
from llvmlite import ir

from codegen import vecmath
from codegen.kernel import Kernel
from codegen.program import ProgramBuilder
from codegen.vecmath import rare
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.vector import F32, F64

Array = npt.NDArray[Any]
Loop = Callable[..., Array]

PRECISION = 240
TYPES: dict[str, Any] = {"f64": np.float64, "f32": np.float32}
CASES = sorted(vecmath.MAX_ULP)
BINARY = {"pow", "hypot", "atan2", "fmod"}
BINARY |= {f"fast_{name}" for name in BINARY}
ODD = "sin tan tanh asin atan expm1 log1p sinh asinh atanh cbrt erf".split()
ODD += [f"fast_{name}" for name in ODD]
EXACTLY_ODD = sorted(name for name in ODD if not name.endswith(("expm1", "log1p")))

arb = flint.arb
# fmt: off
BALLS: dict[str, Callable[..., Any]] = {
    "exp": arb.exp, "expm1": arb.expm1, "log": arb.log, "log1p": arb.log1p,
    "sin": arb.sin, "cos": arb.cos, "tan": arb.tan, "atan2": arb.atan2,
    "asin": arb.asin, "acos": arb.acos, "atan": arb.atan, "erf": arb.erf, "erfc": arb.erfc,
    "sinh": arb.sinh, "cosh": arb.cosh, "tanh": arb.tanh,
    "asinh": arb.asinh, "acosh": arb.acosh, "atanh": arb.atanh,
    "exp2": lambda x: arb(2) ** x,
    "log2": lambda x: arb.log(x) / arb(2).log(),
    "log10": lambda x: arb.log(x) / arb(10).log(),
    "rsqrt": arb.rsqrt,
    "cbrt": lambda x: x.root(3) if x >= 0 else -((-x).root(3)),
    "hypot": lambda x, y: (x * x + y * y).sqrt(),
    "pow": lambda x, y: x**y,
    "fmod": lambda x, y: arb(math.fmod(float(x), float(y))),  # exact by IEEE 754
}
MAY_BE_OFF = ("cbrt", "log10", "pow")  # results of the faster grade that happen to be whole
NUMPY: dict[str, Callable[..., Any]] = {
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "pow": np.power,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "erf": np.vectorize(math.erf, otypes=[float]),
    "erfc": np.vectorize(math.erfc, otypes=[float]),
}
EXACT = (
    ("exp", 0.0, 1.0), ("exp2", 10.0, 1024.0), ("exp2", -1.0, 0.5), ("log", 1.0, 0.0),
    ("log2", 8.0, 3.0), ("log2", 0.125, -3.0), ("log10", 1000.0, 3.0), ("log10", 1e10, 10.0),
    ("cos", 0.0, 1.0), ("cosh", 0.0, 1.0), ("acos", 1.0, 0.0), ("acosh", 1.0, 0.0),
    ("tanh", 30.0, 1.0), ("erf", 7.0, 1.0), ("expm1", -100.0, -1.0), ("cbrt", 27.0, 3.0),
    ("cbrt", -8.0, -2.0), ("hypot", (3.0, 4.0), 5.0), ("pow", (3.0, 4.0), 81.0),
    ("pow", (2.0, -10.0), 2.0**-10), ("pow", (-2.0, 3.0), -8.0), ("erfc", 0.0, 1.0),
    ("fmod", (7.5, -2.0), 1.5), ("fmod", (-1.0, math.inf), -1.0),
    ("rsqrt", 1.0, 1.0), ("rsqrt", 0.25, 2.0), ("rsqrt", 64.0, 0.125),
)
# fmt: on


def plain(name: str) -> str:
    """Return the function that one of the faster grade computes."""
    return name.removeprefix("fast_")


@cache
def compiled(
    name: str, dtype: str, lanes: int, host: bool = True, times: int = 1
) -> tuple[Loop, Any]:
    """Compile a loop of whole vectors over arrays; `host` off means the baseline processor."""
    arity = 2 if name in BINARY else 1

    def emit(builder: ir.IRBuilder, args: list[ir.Value]) -> list[ir.Value]:
        if name == "sincos":
            return list(vecmath.emit_sincos(builder, args[0]))
        return [vecmath.emit(name, builder, args)]

    module = looped(emit, dtype, lanes, arity, times)
    return loaded(str(module), arity, times, lanes, dtype, host), module


def looped(
    emit: Callable[[ir.IRBuilder, list[ir.Value]], list[ir.Value]], dtype: str, lanes: int,
    arity: int, times: int,
) -> ir.Module:  # fmt: skip
    """Write a loop of whole vectors over arrays, arguments first."""
    scalar = ir.DoubleType() if dtype == "f64" else ir.FloatType()
    vector = ir.VectorType(scalar, lanes)
    word = ir.IntType(64)
    module = ir.Module()
    pointers = [scalar.as_pointer()] * (arity + times)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [word, *pointers]), "loop")
    entry, body, done = (function.append_basic_block(label) for label in ("entry", "body", "done"))
    ir.IRBuilder(entry).branch(body)
    builder = ir.IRBuilder(body)
    index = builder.phi(word)
    size = 8 if dtype == "f64" else 4

    def place(pointer: Any) -> Any:
        return builder.bitcast(builder.gep(pointer, [index]), vector.as_pointer())

    args = [builder.load(place(p), align=size) for p in function.args[1 : 1 + arity]]
    results = emit(builder, args)
    for result, pointer in zip(results, function.args[1 + arity :], strict=True):
        builder.store(result, place(pointer), align=size)
    following = builder.add(index, ir.Constant(word, lanes))
    index.add_incoming(ir.Constant(word, 0), entry)
    index.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, function.args[0]), body, done)
    ir.IRBuilder(done).ret_void()
    for declared in list(module.functions):
        if declared.name.startswith(rare.PREFIX):
            rare.define_loop(declared)
    return module


def loaded(text: str, arity: int, times: int, lanes: int, dtype: str, host: bool) -> Loop:
    """Compile the text, no passes, and wrap its loop; arrays are padded to whole vectors."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    parsed = llvm.parse_assembly(text)
    parsed.verify()
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(
        cpu=llvm.get_host_cpu_name() if host else "",
        features=llvm.get_host_cpu_features().flatten() if host else "",
        opt=1,
        jit=True,
    )
    engine = llvm.create_mcjit_compiler(parsed, machine)
    engine.finalize_object()
    kind = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * (arity + times))
    call = kind(engine.get_function_address("loop"))

    def run(*arrays: Array, _keep: Any = engine) -> Array:
        count = len(arrays[0])
        padding = np.ones(-count % lanes, TYPES[dtype])
        padded = [np.concatenate([a.astype(TYPES[dtype]), padding]) for a in arrays]
        outs = [np.empty_like(padded[0]) for _ in range(times)]
        call(len(padded[0]), *(a.ctypes.data for a in (*padded, *outs)))
        return outs[0][:count] if times == 1 else np.stack([o[:count] for o in outs])

    return run


def exact(name: str, args: tuple[float, ...], least: int, digits: int) -> tuple[float, float]:
    """Return the true result as a float h and (truth - h) / ulp, in the format's own ulp."""
    name = plain(name)
    ball = BALLS[name](*(arb(a) for a in args))
    if not ball.rad() <= abs(ball.mid()) * arb(2) ** -90:
        with flint.ctx.workprec(4 * PRECISION + 2200):
            ball = BALLS[name](*(arb(a) for a in args))
    middle = ball.mid()
    near = float(middle)
    if math.isinf(near) or near == 0.0:
        near = math.copysign(near, float(middle.sgn()))
        if math.isinf(near):
            return near, 0.0
    exponent = max(math.frexp(near)[1] - digits, least)
    return near, float((middle - arb(near)) * arb(2) ** -exponent)


def errors(name: str, dtype: str, got: Array, args: list[Array]) -> Array:
    """Return the distance of each result from the truth in ulp of the format."""
    least, digits = (-1074, 53) if dtype == "f64" else (-149, 24)
    overflow = math.inf if dtype == "f64" else 2.0**128 - 2.0**103
    out = np.empty(len(got))
    with flint.ctx.workprec(PRECISION):
        for i, row in enumerate(zip(*(a.tolist() for a in args), strict=True)):
            near, rest = exact(name, row, least, digits)
            if abs(near) >= overflow:
                out[i] = 0.0 if got[i] == math.copysign(math.inf, near) else math.inf
                continue
            exponent = max(math.frexp(near)[1] - digits, least)
            out[i] = abs((float(got[i]) - near) * 2.0 ** min(-exponent, 1000)
                         * 2.0 ** max(-exponent - 1000, 0) - rest)  # fmt: skip
    return out


# fmt: off
WORST = {
    "acos": "0x1.1fb785940e286p-1 -0x1.02c6b2d3d795ap-1",
    "acosh": "0x1.07da90f68d227p+0 0x1.8b02667b03387p+0 0x1.0f880ab0bbe41p+0",
    "asin": "-0x1.038d220f18731p-1 -0x1.0329fcffdaffep-1",
    "asinh": "0x1.0205f2ee76476p-2 0x1.2cd521c6953d5p+0 -0x1.6d52b9abbaddep-2",
    "atan": "-0x1.fc7da613082b4p-2 0x1.3f455a8bad800p-5 -0x1.00c29c970265fp+0",
    "atanh": "0x1.5df76ffa168dep-3 0x1.d92f7d4dc1f8bp-2 0x1.6647f74bd5122p-3",
    "cbrt": "0x1.8098cb2ea86d3p+401 0x1.d15a82403b0e0p+466 -0x1.0bc466223f201p-4",
    "cos": "0x1.95ee2b940ed68p-1 0x1.5525223a4c4e0p+17 -0x1.6b77b10a27c9bp+17",
    "cosh": "0x1.25e58ab6fde83p+4 -0x1.633c25a203f96p+9 -0x1.633c60befbcaep+9",
    "erf": "-0x1.b55b7d5b4b33cp-3 -0x1.e95ab802ebfd5p-1",
    "erfc": "0x1.1c770ae9115b8p+4 0x1.9c31a9f1f7a31p+4 0x1.ee6a222ca9163p+3",
    "exp": "0x1.3c7880466c524p+8 -0x1.02e70c38d4eb5p+9 -0x1.732b0d025cdbfp+8",
    "exp2": "-0x1.3d80d6be5d2adp+1 0x1.62fba29422538p+9 0x1.67078b697c9fdp+7",
    "expm1": "0x1.bb2773c8d7041p-2 -0x1.c318bff5bbd02p-6 0x1.6f10ef7b50c82p-2 "
             "-0x1.26951ed71a02ep-2",
    "log": "0x1.6992b18dd335fp-1 0x1.374f838fc2df4p-1 0x1.6968e5e0980ddp-1",
    "log10": "0x1.548ef618509ddp+0 0x1.09488590a71f4p+0 0x1.555afa23576abp+0",
    "log1p": "-0x1.2d241d10d005ap-2 0x1.b7b6cf339101fp+0 0x1.b24766c6a4735p-2",
    "log2": "0x1.69c0a8cc3bb67p+0 0x1.6a08b0c95c703p+0 0x1.6138ec837d5dbp+0",
    "rsqrt": "0x1.0000d7adeef76p+0 0x1.000c9753f9c72p+0 0x1.000337d6effb3p+0",
    "sin": "0x1.2b42fa0238146p+19 -0x1.fe557d6ecad43p+17",
    "sinh": "-0x1.62ea287119c7ep-2 -0x1.fd73d30d788a5p-6 -0x1.6f22aedeae43ap-2",
    "tan": "-0x1.58a31d16d6941p+18 -0x1.f95320b982069p+18",
    "tanh": "0x1.9fe27cc5f4e8dp-3 -0x1.f98ef191ac1edp-7 0x1.c4577855d63c6p-3",
}
"""Arguments that were the worst of both grades in searches near the worst."""
# fmt: on


def everywhere(dtype: str, rng: np.random.Generator, count: int) -> Array:
    """Return magnitudes from every binade, subnormal ones too, of both signs."""
    low, high = (-1074, 1024) if dtype == "f64" else (-149, 128)
    return rng.choice([-1.0, 1.0], count) * np.exp2(rng.uniform(low, high, count))


def near_one(rng: np.random.Generator, count: int) -> Array:
    """Return 1 plus and minus every power of two."""
    return 1 + rng.choice([-1.0, 1.0], count) * np.exp2(rng.uniform(-53, 0, count))


def unary(name: str, dtype: str, rng: np.random.Generator) -> Iterator[Array]:
    """Yield arguments: what the function's reduction and its edges make hard."""
    name = plain(name)
    top = 1024 if dtype == "f64" else 128
    n = 500
    yield everywhere(dtype, rng, n)
    yield rng.uniform(-3, 3, 2 * n)
    yield near_one(rng, n)
    yield rng.uniform(-50, 50, n)
    yield np.array([float.fromhex(x) for x in WORST.get(name, "").split()])
    if name in ("exp", "expm1", "sinh", "cosh"):
        yield rng.uniform(-1.06, 1.03, n) * top * math.log(2)
        yield top * math.log(2) + rng.uniform(-1, 1, n)
    if name in ("exp", "expm1"):  # where exp's reduction goes from one power of two to the next
        shifts = np.r_[rng.uniform(-4e-6, 4e-6, n), -1.2e-7, 4.05e-6, np.arange(-20, 20) * 5e-17]
        yield from (math.log(end) + shifts for end in (0.75, 1.5))
    if name == "exp2":
        yield rng.uniform(-1.06, 1.03, n) * top
    if name in ("sin", "cos", "tan"):
        turns = np.concatenate([np.arange(-60, 60), rng.integers(-(10**6), 10**6, n)])
        for quarter in (turns * (math.pi / 2), turns * (math.pi / 4)):
            near = quarter.astype(TYPES[dtype])
            yield from (near, np.nextafter(near, TYPES[dtype](0)))
        yield rng.uniform(-1, 1, n) * 1e5
        yield rng.uniform(-1, 1, n) * 1e7
    if name in ("log1p", "atanh", "asin", "acos"):
        yield near_one(rng, n) * -1
    if name == "erfc":
        yield rng.uniform(-6, 28, n)


def domain(name: str, x: Array) -> Array:
    """Drop arguments without a finite real result, save overflow."""
    name = plain(name)
    if name in ("log", "log2", "log10", "rsqrt"):
        return x[x > 0]
    if name == "log1p":
        return x[x > -1]
    if name == "acosh":
        return x[x >= 1]
    if name == "atanh":
        return x[np.abs(x) < 1]
    return x[np.abs(x) <= 1] if name in ("asin", "acos") else x


def arguments(name: str, dtype: str, seed: int = 1) -> list[Array]:
    """Return the sample of one function."""
    name = plain(name)
    rng = np.random.default_rng(seed)
    kind = TYPES[dtype]
    if name not in BINARY:
        with np.errstate(over="ignore"):
            x = np.concatenate([part.astype(kind) for part in unary(name, dtype, rng)])
        return [domain(name, x[np.isfinite(x)].astype(np.float64))]
    n = 700
    x = np.concatenate([everywhere(dtype, rng, n), rng.uniform(-3, 3, n), near_one(rng, n)])
    y = np.concatenate([everywhere(dtype, rng, n), rng.uniform(-3, 3, n), near_one(rng, n)])
    if name == "pow":
        x, y = np.abs(x), rng.uniform(-1, 1, 3 * n)
        x[x == 0] = 1.5
        y *= 1.1 * (1024 if dtype == "f64" else 128) / np.maximum(np.abs(np.log2(x)), 1e-3)
        y[n : 2 * n] = rng.integers(-20, 20, n) / 2
    with np.errstate(over="ignore", under="ignore"):
        pair = [a.astype(kind).astype(np.float64) for a in (x, y)]
    good = np.isfinite(pair[0]) & np.isfinite(pair[1]) & (pair[0] != 0) & (pair[1] != 0)
    return [a[good] for a in pair]


def lanes_of(dtype: str) -> int:
    """Return the usual number of lanes."""
    return 8 if dtype == "f64" else 16


def same_bits(a: Array, b: Array) -> bool:
    """Compare bit patterns, NaN payloads aside."""
    both = np.isnan(a) & np.isnan(b)
    return bool(np.all(both | ((a == b) & (np.signbit(a) == np.signbit(b)))))


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_error_is_within_the_bound(name: str, dtype: str) -> None:
    """Compare with ball arithmetic over the whole range."""
    run, _ = compiled(name, dtype, lanes_of(dtype))
    args = arguments(name, dtype)
    error = errors(name, dtype, run(*args), args)
    worst = int(np.argmax(error))
    bound = vecmath.MAX_ULP[name, dtype]
    assert bound <= (4.0 if name in vecmath.FAST else 1.0)
    assert error[worst] <= bound, [a[worst].hex() for a in args]


@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_angles_below_a_half_are_within_the_bound(dtype: str) -> None:
    """What a quotient lacks counts less than the quotient does: float32 was 1.02 ulp off here."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 1.0, 2000).astype(TYPES[dtype])
    y = (rng.uniform(0.42, 0.5, 2000) * x).astype(TYPES[dtype])
    args = [np.r_[0.43856734, y].astype(TYPES[dtype]), np.r_[0.9057038, x].astype(TYPES[dtype])]
    args = [a.astype(np.float64) for a in args]
    run, _ = compiled("atan2", dtype, lanes_of(dtype))
    assert errors("atan2", dtype, run(*args), args).max() <= vecmath.MAX_ULP["atan2", dtype]


def specials(dtype: str) -> Array:
    """Return zeros, ones, infinities, NaN, and the ends of the normal and subnormal ranges."""
    info = np.finfo(TYPES[dtype])
    small = [float(info.smallest_subnormal), float(info.tiny), float(info.max)]
    positive = [0.0, 0.5, 1.0, 2.0, 3.0, 1e3, 1e4, math.inf, *small]
    return np.array([*positive, *(-p for p in positive), math.nan])


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_special_values_are_those_of_the_c_library(name: str, dtype: str) -> None:
    """NaN, infinity and signed zero appear just where C99's Annex F has them."""
    x = specials(dtype)
    args = [x] if name not in BINARY else [a.ravel() for a in np.meshgrid(x, x)]
    run, _ = compiled(name, dtype, lanes_of(dtype))
    reference = NUMPY.get(plain(name)) or getattr(np, plain(name))
    with np.errstate(all="ignore"):
        want = reference(*(a.astype(TYPES[dtype]) for a in args)).astype(TYPES[dtype])
    got = run(*args)
    special = ~np.isfinite(want) | (want == 0) | ~np.isfinite(got) | (got == 0)
    wrong = [
        (*(float(a[i]) for a in args), float(got[i]), float(want[i]))
        for i in np.flatnonzero(special)
        if not same_bits(got[i : i + 1], want[i : i + 1])
    ]
    assert not wrong


@pytest.mark.parametrize("host", [True, False])
@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_remainders_of_near_multiples_are_exact(dtype: str, host: bool) -> None:
    """A quotient that rounds to the whole number above it leaves no trace, nor a large one."""
    rng, kind, n = np.random.default_rng(9), TYPES[dtype], 4000
    top = 1000 if dtype == "f64" else 120
    info = np.finfo(kind)
    y = np.exp2(rng.uniform(-top - 20, top, n)).astype(kind)
    with np.errstate(over="ignore"):
        x = (np.floor(np.exp2(rng.uniform(0, info.nmant + 4, n))) * y).astype(kind)
    x = np.minimum(np.where(rng.random(n) < 0.3, x, np.nextafter(x, kind(0))), info.max)
    x, y = (a * rng.choice([-1, 1], n).astype(kind) for a in (x, y))
    want = np.array([math.fmod(*pair) for pair in zip(x.tolist(), y.tolist(), strict=True)])
    assert same_bits(compiled("fmod", dtype, 4, host)[0](x, y), want.astype(kind))


@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_exact_results(dtype: str) -> None:
    """Results that the format holds come out exactly."""
    fast = [(f"fast_{name}", x, want) for name, x, want in EXACT if name not in MAY_BE_OFF]
    for name, x, want in (*EXACT, *fast):
        if vecmath.supported(name, dtype):
            run, _ = compiled(name, dtype, lanes_of(dtype))
            args = [np.array([a]) for a in (x if isinstance(x, tuple) else (x,))]
            assert run(*args)[0] == want, (name, x)


def test_cosine_of_pi_is_minus_one() -> None:
    """The nearest double to pi is near enough."""
    for name in ("cos", "fast_cos"):
        run, _ = compiled(name, "f64", 8)
        assert run(np.array([math.pi, -math.pi])).tolist() == [-1.0, -1.0]


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_same_bits_for_every_width_and_lane(name: str, dtype: str) -> None:
    """A lane does not know its neighbours: hard and easy lanes mixed, and shifted by one."""
    args = arguments(name, dtype, seed=2)
    order = np.random.default_rng(3).permutation(len(args[0]))[:600]
    args = [a[order] for a in args]
    args[0][::7] = np.resize(specials(dtype), len(args[0][::7]))
    want = compiled(name, dtype, lanes_of(dtype))[0](*args)
    for lanes in (1, 2, 3, 4, 8, 16):
        assert same_bits(compiled(name, dtype, lanes)[0](*args), want), lanes
    shifted = compiled(name, dtype, 8)[0](*(np.roll(a, 1) for a in args))
    assert same_bits(np.roll(shifted, -1), want)


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_same_bits_on_the_baseline_processor(name: str, dtype: str) -> None:
    """Without the host's features (on x86: SSE2, fma by call) nothing changes."""
    args = [a[:200] for a in arguments(name, dtype, seed=4)]
    want = compiled(name, dtype, 4)[0](*args)
    assert same_bits(compiled(name, dtype, 4, host=False)[0](*args), want)


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", EXACTLY_ODD)
def test_odd_functions_are_odd(name: str, dtype: str) -> None:
    """f(-x) is -f(x), zero included."""
    (x,) = arguments(name, dtype)
    x = np.append(x, [0.0, math.inf])
    run, _ = compiled(name, dtype, lanes_of(dtype))
    assert same_bits(run(-x), -run(x))


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", ODD)
def test_zero_keeps_its_sign(name: str, dtype: str) -> None:
    """f(-0) is -0."""
    run, _ = compiled(name, dtype, lanes_of(dtype))
    zeros = np.array([0.0, -0.0])
    assert same_bits(run(zeros), zeros.astype(TYPES[dtype]))


@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_sincos_is_sin_and_cos(dtype: str) -> None:
    """The shared reduction changes no bit."""
    (x,) = arguments("sin", dtype)
    lanes = lanes_of(dtype)
    sin, cos = compiled("sincos", dtype, lanes, times=2)[0](x)
    assert same_bits(sin, compiled("sin", dtype, lanes)[0](x))
    assert same_bits(cos, compiled("cos", dtype, lanes)[0](x))


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_code_is_portable_and_exact(name: str, dtype: str) -> None:
    """No fast-math flag, no processor's own intrinsic."""
    text = str(compiled(name, dtype, 8)[1])
    assert "llvm.x86" not in text
    for flag in ("fast", "reassoc", "contract", "nnan", "ninf", "nsz", "arcp"):
        assert f" {flag} " not in text


def test_what_is_missing_is_refused() -> None:
    """`supported` says no, `emit` names the function."""
    assert not vecmath.supported("gamma", "f64")
    block = ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), []), "f").append_basic_block()
    with pytest.raises(ValueError, match="gamma"):
        vecmath.emit("gamma", ir.IRBuilder(block), [ir.Undefined])


@pytest.mark.nightly
def test_tables_are_what_the_generator_writes(tmp_path: Path) -> None:
    """No coefficient was typed in."""
    from codegen.vecmath import generate, tables

    assert generate.text() == Path(str(tables.__file__)).read_text()


@cache
def kernel(name: str, dtype: str) -> Kernel:
    """Compile what kernels run on this machine: with AVX-512 the faster grade looks tables up."""
    builder = ProgramBuilder()
    loads = [builder.load(builder.argument(a)) for a in "xy"[: 1 + (name in BINARY)]]
    builder.output("out", builder.emit(name, *loads))
    return Kernel(builder.finish(), dtype=TYPES[dtype])


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", sorted(vecmath.FAST | vecmath.LOOKUPS))
def test_what_is_looked_up_in_registers_is_as_good(name: str, dtype: str) -> None:
    """The bound, the C library's special values, and symmetry."""
    run, kind = kernel(name, dtype), TYPES[dtype]
    args = arguments(name, dtype)
    typed = [a.astype(kind) for a in args]
    assert errors(name, dtype, run(*typed), args).max() <= vecmath.MAX_ULP[name, dtype]
    x = specials(dtype).astype(kind)
    ends = [x] if name not in BINARY else [a.ravel() for a in np.meshgrid(x, x)]
    reference = NUMPY.get(plain(name)) or getattr(np, plain(name))
    with np.errstate(all="ignore"):
        want, got = reference(*ends).astype(kind), run(*ends)
    special = ~np.isfinite(want) | (want == 0) | ~np.isfinite(got) | (got == 0)
    assert same_bits(got[special], want[special])
    if name in EXACTLY_ODD:
        x = np.append(typed[0], x)
        assert same_bits(run(-x), -run(x))


@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_exact_results_that_are_looked_up(dtype: str) -> None:
    """So they are, and powers of two too."""
    for name, x, want in EXACT:
        if name not in MAY_BE_OFF and f"fast_{name}" in vecmath.FAST:
            args = x if isinstance(x, tuple) else (x,)
            assert kernel(f"fast_{name}", dtype)(*map(TYPES[dtype], args)) == want, (name, x)
    exponents = np.arange(-20, 21).astype(TYPES[dtype])
    assert np.array_equal(kernel("fast_log2", dtype)(2**exponents), exponents)
    assert np.array_equal(kernel("fast_exp2", dtype)(exponents), 2**exponents)


RANGES = {
    "sin": (-1.0, 1.0), "cos": (-1.0, 1.0), "tanh": (-1.0, 1.0), "erf": (-1.0, 1.0),
    "erfc": (0.0, 2.0), "cosh": (1.0, math.inf), "exp": (0.0, math.inf), "exp2": (0.0, math.inf),
    "expm1": (-1.0, math.inf), "asin": (-math.pi / 2, math.pi / 2), "acos": (0.0, math.pi),
    "atan": (-math.pi / 2, math.pi / 2), "hypot": (0.0, math.inf), "atan2": (-math.pi, math.pi),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", RANGES)
def test_results_stay_within_their_range(name: str, dtype: str) -> None:
    """Else acos(cos(x)) and sqrt(1 - sin(x)) would be undefined."""
    rng, kind = np.random.default_rng(5), TYPES[dtype]
    low, high = (kind(end) for end in RANGES[name])
    near = np.round(rng.uniform(0, 200, 40_000)) * np.pi / 2 + rng.uniform(-1e-3, 1e-3, 40_000)
    tiny = np.exp2(rng.uniform(-40, 0, 20_000))
    wide = [near, rng.uniform(-10, 10, 40_000), tiny, np.array([2.6446575e-4, 1, -1, np.nan])]
    x = np.concatenate([np.concatenate(wide), 1 - tiny, tiny - 1]).astype(kind)
    args = [x] if name not in BINARY else [x, np.roll(x, 1)]
    defined = np.logical_and.reduce([~np.isnan(a) for a in args])
    if name in ("asin", "acos"):
        defined &= np.abs(x) <= 1
    with np.errstate(all="ignore"):
        for run in (kernel(f"fast_{name}", dtype), compiled(f"fast_{name}", dtype, 8)[0]):
            found = run(*(a if isinstance(run, Kernel) else a.astype(np.float64) for a in args))
            assert np.all((low <= found[defined]) & (found[defined] <= high))
            assert np.all(np.isnan(found[~defined]) | (name == "hypot"))


@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_flags_are_of_the_lanes_outside(dtype: str) -> None:
    """What is beyond a limit, or not between two, whatever its sign; NaN and infinity are."""
    form, kind = (F64, np.uint64) if dtype == "f64" else (F32, np.uint32)
    ends = [form.encode(x) for x in (0.5, 3.0)]
    edges = [end + step for end in ends for step in (-1, 0, 1)]
    odd = [0, 1, form.exponent_mask - 1, form.exponent_mask, form.exponent_mask + 1]
    some = [*edges, *odd, form.sign_mask - 1]
    drawn = np.random.default_rng(7).integers(0, (1 << form.bits) - 1, 500, kind)
    bits = np.append(drawn, np.array([*some, *(form.sign_mask | one for one in some)], kind))
    x = bits.view(TYPES[dtype])

    def emit(builder: ir.IRBuilder, args: list[ir.Value]) -> list[ir.Value]:
        v = Lanes(builder, args[0])
        flags = v.outside(args[0], ends[0], ends[1]), v.beyond(v.abs(args[0]), 3.0)
        return [v.select(v.marked(each), 1.0, 0.0) for each in flags]

    outside, beyond = loaded(str(looped(emit, dtype, 8, 1, 2)), 1, 2, 8, dtype, True)(x)
    assert np.array_equal(outside == 1, ~((x >= 0.5) & (x <= 3.0)))
    assert np.array_equal(beyond == 1, ~(np.abs(x) <= 3.0))


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", ["pow", "fast_pow"])
def test_powers_of_negative_numbers_have_the_bits_of_the_finer_grade(name: str, dtype: Any) -> None:
    kind = TYPES[dtype]
    most = 2.0 ** (F64 if dtype == "f64" else F32).fraction
    random = np.random.default_rng(5)
    base = random.uniform(0.5, 2, 400).astype(kind)
    whole = random.integers(-60, 60, len(base)).astype(kind)
    run, _ = compiled(name, dtype, lanes_of(dtype))
    odd = whole % 2 == 1
    size = compiled("pow", dtype, lanes_of(dtype))[0](base, whole)
    np.testing.assert_array_equal(run(-base, whole), np.where(odd, -size, size))
    assert np.isnan(run(-base, whole + kind(0.5))).all()
    large = np.array([most / 2 - 0.5, most / 2 + 1, most - 1, most + 1, 2 * most - 1, 2 * most + 2])
    with np.errstate(invalid="ignore"):
        for y in (large.astype(kind), -large.astype(kind)):
            np.testing.assert_array_equal(run(np.full_like(y, -1), y), np.power(kind(-1), y))
