"""Vector functions on very many arguments, nightly: every float32, and 10**8 of each other kind.

float32 is compared with the double of the finer grade, and the faster grade in float64 too where a
result is so near to it that the sum of the distance and of that double's own bound is within the
bound. What is left, and the finer grade, is compared with long doubles of the C library, and then
with the oracle.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import numpy.typing as npt
import pytest

import rewrite as rw
from codegen import vecmath
from codegen.kernel import Kernel
from codegen.program import ProgramBuilder
from codegen.target import get
from rewrite.oracle import exact, ulp_distance

Array = npt.NDArray[Any]

TYPES: dict[str, Any] = {"f64": np.float64, "f32": np.float32}
TOP = {"f64": 1024, "f32": 128}
BINARY = ("atan2", "fmod", "hypot", "pow")
UNARY = sorted({name for name, _ in vecmath.MAX_ULP if name.removeprefix("fast_") not in BINARY})
DOUBLES = sorted({name for name, dtype in vecmath.MAX_ULP if dtype == "f64"} - {"fmod"})
PIECES = 16
MANY = 10**8
CHUNK = 1 << 20
TARGETS = ("native", "avx2") if llvm.get_host_cpu_features().get("avx2") else ("native",)
"""Those whose code differs for what is in `vecmath.LOOKUPS`."""
# fmt: off
LONG: dict[str, Any] = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log1p": np.log1p,
    "log2": np.log2, "log10": np.log10, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "cbrt": np.cbrt, "hypot": np.hypot, "pow": np.power,
    "rsqrt": lambda x: 1 / np.sqrt(x),
} if np.finfo(np.longdouble).nmant >= 63 else {}
# fmt: on
"""Functions of long doubles that are good for a hundredth of an ulp of double, where there are."""


def plain(name: str) -> str:
    """Return the function that one of the faster grade computes."""
    return name.removeprefix("fast_")


@cache
def kernel(name: str, dtype: str, target: str = "native") -> Kernel:
    """Compile one function."""
    builder = ProgramBuilder()
    loads = [builder.load(builder.argument(a)) for a in "xy"[: 1 + (plain(name) in BINARY)]]
    builder.output("out", builder.emit(name, *loads))
    return Kernel(builder.finish(), get(target), dtype=TYPES[dtype])


def ulps(found: Array, near: Array, dtype: str) -> Array:
    """Return distances in ulp of the numbers in `near`; infinite where only one is no number.

    Results that round to infinity are infinite, and zeros have their signs.
    """
    info = np.finfo(TYPES[dtype])
    with np.errstate(all="ignore"):
        exponent = np.maximum(np.frexp(near)[1] - 1, info.minexp) - info.nmant
        distance = np.abs(np.ldexp(found.astype(near.dtype) - near, -exponent))
        over = np.abs(near) >= float(info.max) * (1 + 2.0 ** -(info.nmant + 2))
        both = np.where(np.isnan(near), np.isnan(found), found == np.copysign(np.inf, near))
    distance = np.where(np.isnan(near) | over, np.where(both, 0.0, np.inf), distance)
    zero = (near == 0) & (np.signbit(near) != np.signbit(found))
    return np.where(zero | np.isnan(distance), np.inf, distance).astype(np.float64)


def differing(found: Array, near: Array) -> Array:
    """Return where bits are not those of what is near, rounded: elsewhere half an ulp is off."""
    words = {4: np.int32, 8: np.int64}[found.itemsize]
    return np.flatnonzero(found.view(words) != near.astype(found.dtype).view(words))


def check_f32(name: str, target: str, args: list[Array]) -> tuple[float, Any]:
    """Return the largest error, and where it is, with the double of the finer grade as truth."""
    with np.errstate(all="ignore"):
        found = kernel(name, "f32", target)(*args)
        near = kernel(plain(name), "f64")(*(a.astype(np.float64) for a in args))
        chosen = differing(found, near)
    if not len(chosen):
        return 0.0, None
    error = ulps(found[chosen], near[chosen], "f32")
    worst = int(np.argmax(error))
    return float(error[worst]), [float(a[chosen[worst]]).hex() for a in args]


def from_long(name: str, found: Array, args: list[Array]) -> Array:
    """Return distances in ulp from what the C library computes in long doubles."""
    return ulps(found, LONG[plain(name)](*(a.astype(np.longdouble) for a in args)), "f64")


def check_f64(name: str, target: str, args: list[Array]) -> tuple[float, Any]:
    """Return a bound on the largest error, and where it is, by the means that the module names."""
    bound, function = vecmath.MAX_ULP[name, "f64"], plain(name)
    with np.errstate(all="ignore"):
        found, near = kernel(name, "f64", target)(*args), kernel(function, "f64")(*args)
        if name == function:  # near is what is to be checked
            chosen = np.flatnonzero(np.isfinite(near) | (function in LONG))
        else:
            chosen = differing(found, near)
        if not len(chosen):
            return 0.0, None
        args, found, near = [a[chosen] for a in args], found[chosen], near[chosen]
        if name == function:
            error = np.full(len(chosen), np.inf)
        else:
            error = ulps(found, near, "f64")
            error += np.where(np.isfinite(near), vecmath.MAX_ULP[function, "f64"], 0.0)
        doubtful = np.flatnonzero(error > bound)
        if function in LONG:
            error[doubtful] = from_long(name, found[doubtful], [a[doubtful] for a in args]) + 0.01
            doubtful = doubtful[error[doubtful] > bound]
    if len(doubtful):
        doubtful = doubtful[np.argsort(-error[doubtful])][:10_000]
        x, y = rw.symbols("x y")
        term = x**y if function == "pow" else getattr(rw, function)(*(x, y)[: len(args)])
        values = exact(term, dict(zip("xy", (a[doubtful] for a in args), strict=False)))
        error[doubtful] = ulp_distance(found[doubtful], values)
    worst = int(np.argmax(error))
    return float(error[worst]), [float(a[worst]).hex() for a in args]


def sample(name: str, dtype: str, rng: np.random.Generator, n: int) -> list[Array]:
    """Return arguments of every binade, of usual size, near one, and where the function ends."""
    name, kind, top = plain(name), TYPES[dtype], TOP[dtype]
    n //= 4

    def everywhere() -> Array:
        return rng.choice([-1.0, 1.0], n) * np.exp2(rng.uniform(-top - 20, top, n))

    def near_one() -> Array:
        return 1 + rng.choice([-1.0, 1.0], n) * np.exp2(rng.uniform(-53, 0, n))

    if name == "pow":
        x = np.exp2(np.concatenate([rng.uniform(-e, e, n) for e in (0.1, 1, 8, top)]))
        with np.errstate(all="ignore"):
            y = rng.uniform(-1.01, 1.01, len(x)) * top / np.log2(x.astype(kind).astype(np.float64))
        x[: n // 8], y[: n // 8] = rng.integers(1, 99, n // 8), rng.integers(-40, 40, n // 8) / 2
        return [x.astype(kind), y.astype(kind)]
    if name in BINARY:
        pair = [[everywhere(), rng.uniform(-3, 3, n), near_one()] for _ in range(2)]
        pair[0].append(rng.uniform(-9, 9, n))
        pair[1].append(pair[0][-1] * rng.uniform(-2, 2, n))
        return [np.concatenate(part).astype(kind) for part in pair]
    ends = rng.uniform(-1.1, 1.1, n) * top * np.log(2)
    if name in ("sin", "cos", "tan"):
        turns = rng.integers(-(10**6), 10**6, n) * (np.pi / 4)
        ends = turns + rng.choice([-1.0, 1.0], n) * np.exp2(rng.uniform(-60, 2, n))
    elif name in ("exp2", "erfc"):
        ends = rng.uniform(-1.1, 1.1, n) * (top if name == "exp2" else 27)
    ones = near_one() * rng.choice([-1.0, 1.0], n)
    parts = [everywhere(), rng.uniform(-3, 3, n), ones, ends]
    return [np.concatenate(parts).astype(kind)]


def domain(name: str, args: list[Array]) -> list[Array]:
    """Keep what has a finite result or a known limit: long doubles have no quiet way to fail."""
    x = args[0]
    if plain(name) == "pow":
        return [a[(x > 0) & np.isfinite(args[1])] for a in args]
    return args


def floats(piece: int, step: int = 1) -> Iterator[Array]:
    """Yield every float32 of one of the pieces, or each so many-th."""
    size = 2**32 // PIECES
    for start in range(piece * size, (piece + 1) * size, CHUNK * step):
        stop = min(start + CHUNK * step, (piece + 1) * size)
        yield np.arange(start, stop, step, dtype=np.uint32).view(np.float32)


def targets(name: str) -> tuple[str, ...]:
    """Name the targets whose code of the function differs."""
    return TARGETS if name in vecmath.LOOKUPS else TARGETS[:1]


def run_f32(name: str, parts: Iterator[Array]) -> None:
    """Check chunks of float32."""
    bound = vecmath.MAX_ULP[name, "f32"] + 1e-6  # of the double
    for x in parts:
        for target in targets(name):
            error, where = check_f32(name, target, [x])
            assert error <= bound, (target, error, where)


def run_many(name: str, dtype: str, piece: int, count: int) -> None:
    """Check chunks of random arguments."""
    bound = vecmath.MAX_ULP[name, dtype] + (1e-6 if dtype == "f32" else 0)
    check = check_f32 if dtype == "f32" else check_f64
    rng = np.random.default_rng(piece)
    for _ in range(max(1, count // CHUNK)):
        args = domain(name, sample(name, dtype, rng, min(count, CHUNK)))
        for target in targets(name):
            error, where = check(name, target, args)
            assert error <= bound, (target, error, where)


@pytest.mark.parametrize("name", UNARY)
def test_a_share_of_the_floats(name: str) -> None:
    """Each 2**17-th float32, in every run."""
    run_f32(name, (x for piece in range(PIECES) for x in floats(piece, 131_071)))


@pytest.mark.parametrize("name", DOUBLES)
def test_a_share_of_the_doubles(name: str) -> None:
    """Some of the random arguments, in every run; and of pairs of float32."""
    run_many(name, "f64", PIECES, 20_000 if name in vecmath.FAST | LONG.keys() else 1_000)
    if plain(name) in BINARY:
        run_many(name, "f32", PIECES, 20_000)


@pytest.mark.nightly
@pytest.mark.parametrize("piece", range(PIECES))
@pytest.mark.parametrize("name", UNARY)
def test_all_floats(name: str, piece: int) -> None:
    """Every float32."""
    run_f32(name, floats(piece))


@pytest.mark.nightly
@pytest.mark.parametrize("piece", range(PIECES))
@pytest.mark.parametrize("name", DOUBLES)
def test_many_doubles(name: str, piece: int) -> None:
    """10**8 random doubles, and 10**5 where the oracle alone can tell of the finer grade."""
    known = name in vecmath.FAST | LONG.keys()
    run_many(name, "f64", piece, MANY // PIECES if known else 6_000)


def about(pool: list[Array], rng: np.random.Generator, n: int) -> list[Array]:
    """Return arguments at all distances from some."""
    chosen = rng.integers(0, len(pool[0]), n)
    away = [rng.choice([-1.0, 1.0], n) * np.exp2(rng.uniform(-50, -1, n)) for _ in pool]
    with np.errstate(over="ignore"):
        return [a[chosen] * (1 + b) for a, b in zip(pool, away, strict=True)]


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name in DOUBLES if plain(name) in LONG])
def test_doubles_near_the_worst(name: str) -> None:
    """Arguments about those that were the worst of the ten turns before, again and again."""
    bound, rng = vecmath.MAX_ULP[name, "f64"], np.random.default_rng(0)
    pool = [np.zeros(0)] * len(sample(name, "f64", rng, 8))
    for turn in range(100):
        args = about(pool, rng, CHUNK // 2) if turn % 4 else sample(name, "f64", rng, CHUNK // 2)
        args = domain(name, args)
        with np.errstate(all="ignore"):
            found = kernel(name, "f64")(*args)
            error = np.where(np.abs(found) > 2.0**-1000, from_long(name, found, args), 0.0)
        worst = np.argsort(-error)[:300]
        assert error[worst[0]] <= bound, [float(a[worst[0]]).hex() for a in args]
        pool = [np.r_[a[worst], b][:3000] for a, b in zip(args, pool, strict=True)]


@pytest.mark.nightly
@pytest.mark.parametrize("piece", range(PIECES))
@pytest.mark.parametrize(
    "name", sorted({name for name, _ in vecmath.MAX_ULP if plain(name) in BINARY})
)
def test_many_pairs_of_floats(name: str, piece: int) -> None:
    """10**8 random pairs of float32."""
    run_many(name, "f32", piece, MANY // PIECES)


@pytest.mark.nightly
@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_many_remainders(dtype: str) -> None:
    """10**8 pairs, bit by bit."""
    rng = np.random.default_rng(0)
    for _ in range(MANY // CHUNK):
        args = sample("fmod", dtype, rng, CHUNK)
        with np.errstate(all="ignore"):
            found, want = kernel("fmod", dtype)(*args), np.fmod(*args)
        assert np.array_equal(found, want, equal_nan=True)
        assert np.all((np.signbit(found) == np.signbit(want)) | np.isnan(want))
