"""Time CUDA kernels beside copies, hand-written kernels and other engines: `python cuda.py`.

Needs a GPU, Numba, numba-cuda, NumPy and this checkout; CuPy, JAX and PyTorch are timed where they
are installed. Programs are read from `cuda_programs.txt`, which `--write` makes anew where the
optimiser is. Before anything is timed, each function's bits on the device are compared with those
of the CPU. Times are the least of some turns, each of launches in a row; `--quick` takes small
arrays, also under Numba's simulator, whose times mean nothing.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# in the place of this folder, in which this file would be taken for NVIDIA's package `cuda`
sys.path[0] = str(Path(__file__).parents[2])

import numpy as np
from numba import cuda

from codegen.cuda import functions
from codegen.cuda.kernel import CudaKernel
from codegen.kernel import Kernel
from codegen.program import Program, ProgramBuilder
from codegen.target import get

PROGRAMS = Path(__file__).with_name("cuda_programs.txt")
STEPS = (4, 8, 16)
TURNS, LAUNCHES = 7, 10


@dataclass(frozen=True)
class Sizes:
    """Elements of the arrays."""

    large: int = 10**8
    middle: int = 10**7
    side: int = 4096
    ensemble: int = 10**5
    values: int = 10**6


def black_scholes(
    np: Any, price: Any, strike: Any, years: Any, rate: Any, sigma: Any, erf: Any
) -> Any:
    """A call's price; `np` has exp, log and sqrt."""
    spread = sigma * np.sqrt(years)
    d1 = (np.log(price / strike) + (rate + sigma * sigma / 2) * years) / spread
    d2 = d1 - spread
    above, below = 1 + erf(d1 * 0.5**0.5), 1 + erf(d2 * 0.5**0.5)
    return (price * above - strike * np.exp(-rate * years) * below) / 2


def twenty(np: Any, x: Any, y: Any) -> Any:
    """Some twenty operations, six of them transcendental."""
    first = np.exp(-x * x / 2) * np.sin(3 * x + y)
    second = np.log(1 + x * x) / (1 + np.exp(-y))
    return first + second * np.cos(x - y) + np.sqrt(1 + y * y) * np.tanh(x)


def step(np: Any, x: Any, y: Any, k: int) -> Any:
    """One of a chain of steps."""
    return np.sqrt(x * y + k)


def diffusion(np: Any, u: Any, up: Any, down: Any, left: Any, right: Any) -> Any:
    """A reaction and a five-point Laplacian."""
    return u + 0.1 * (up + down + left + right - 4 * u) + 0.01 * u * (1 - u) * (u - 0.3)


def write() -> None:
    """Optimise the programs and write them."""
    import rewrite as rw

    names = "price strike years rate sigma"
    made = {
        "black_scholes": (names, lambda *a: black_scholes(rw, *a, rw.erf)),
        "twenty": ("x y", lambda x, y: twenty(rw, x, y)),
        "diffusion": ("u up down left right", lambda *a: diffusion(rw, *a)),
        "product": ("x y", lambda x, y: x * y),
        "triad": ("x y z", lambda x, y, z: x * y + z),
    }
    for count in STEPS:

        def chain(x: Any, y: Any, count: int = count) -> Any:
            for k in range(count):
                x = step(rw, x, y, k + 1)
            return x

        made[f"chain{count}"] = ("x y", chain)
    texts = []
    for name, (arguments, function) in made.items():
        symbols = rw.symbols(" ".join(f"{a}" for a in arguments.split()))
        for math in ("guarded", "fast"):
            kernel = rw.compile(list(symbols), function(*symbols), math=math, cost="cuda-sm90")
            texts.append(str(replace(kernel.program, name=f"{name}_{math}")))
    PROGRAMS.write_text("\n\n".join(texts) + "\n")


def programs() -> dict[str, Program]:
    """Read the programs."""
    found = map(Program.parse, PROGRAMS.read_text().strip().split("\n\n"))
    return {program.name: program for program in found}


def kernel_of(program: Program, dtype: Any = None) -> CudaKernel:
    return CudaKernel(program, get("cuda"), dtype=dtype)


def seconds(run: Callable[..., Any], *args: Any, **options: Any) -> float:
    """Return the least time of a call, launched several times in a row."""
    run(*args, **options)
    cuda.synchronize()
    best = float("inf")
    for _ in range(TURNS):
        start = time.perf_counter()
        for _ in range(LAUNCHES):
            run(*args, **options)
        cuda.synchronize()
        best = min(best, (time.perf_counter() - start) / LAUNCHES)
    return best


def row(name: str, ours: float, what: str, theirs: float, aim: str) -> None:
    """Print a line: milliseconds of both sides, and how many times faster ours is."""
    times = f"{ours * 1e3:9.3f} ms   {what:32} {theirs * 1e3:9.3f} ms"
    print(f"{name:44} {times} {theirs / ours:7.2f}   {aim}")


def check_bits(sizes: Sizes) -> None:
    """Compare each function on the device with the CPU's, bit for bit."""
    rng = np.random.default_rng(0)
    for op in [name for name in functions.LIBDEVICE if name != "fmod"]:
        for dtype, number, whole in (
            ("f64", np.float64, np.uint64),
            ("f32", np.float32, np.uint32),
        ):
            builder = ProgramBuilder(op)
            arity = functions.ARITY.get(op, 1)
            values = [builder.load(builder.argument(f"x{k}")) for k in range(arity)]
            builder.output("out", builder.emit(op, *values))
            program = builder.finish()
            half = sizes.values // 2
            given = [
                np.concatenate([
                    rng.integers(0, np.iinfo(whole).max, half, dtype=whole).view(number),
                    (rng.normal(size=half) * 10).astype(number),
                ])
                for _ in range(arity)
            ]  # fmt: skip
            theirs = Kernel(program, get("avx2"), dtype=dtype)(*given)
            ours = kernel_of(program, dtype)(*given)
            same = (ours.view(whole) == theirs.view(whole)) | (np.isnan(ours) & np.isnan(theirs))
            close = np.abs(ours.view(whole).astype(np.int64) - theirs.view(whole).astype(np.int64))
            worst = int(close[~same].max(initial=0))
            odd = int((~same).sum())
            print(f"{op:8} {dtype}: {odd} of {len(same)} differ, by {worst} ulp at most")


def drawn(count: int, columns: int, dtype: Any = np.float64, seed: int = 0) -> list[Any]:
    """Put random numbers from 0.5 to 2 on the device."""
    rng = np.random.default_rng(seed)
    return [cuda.to_device(rng.uniform(0.5, 2, count).astype(dtype)) for _ in range(columns)]


def bandwidth(found: dict[str, Program], sizes: Sizes) -> None:
    """Time what memory bounds beside a copy on the device."""
    for dtype in (np.float64, np.float32):
        x, y, z = drawn(sizes.large, 3, dtype)
        out = cuda.device_array_like(x)
        copied = seconds(out.copy_to_device, x) / 2  # an array read, one written
        name = np.dtype(dtype).name
        kernels = {"product": (x, y), "triad": (x, y, z)}
        for kind, given in kernels.items():
            kernel = kernel_of(found[f"{kind}_guarded"])
            taken = seconds(kernel, *given, out=out)
            row(
                f"{kind}, {name}, 10^8",
                taken,
                "as many bytes copied",
                copied * (len(given) + 1),
                ">= 0.9",
            )
        dot = kernel_of(found["product_guarded"])
        row(f"dot product, {name}, 10^8", seconds(dot.sum, x, y), "as many bytes copied",
            copied * 2, ">= 0.9")  # fmt: skip


def fusion(found: dict[str, Program], sizes: Sizes) -> None:
    """Time chains as one kernel and as one for each step."""
    x, y = drawn(sizes.large, 2)
    out = cuda.device_array_like(x)
    for count in STEPS:
        kernel = kernel_of(found[f"chain{count}_guarded"])
        singles = []
        for k in range(count):
            builder = ProgramBuilder("step")
            a, b = (builder.load(builder.argument(name)) for name in "xy")
            inner = builder.emit("fma", a, b, builder.const(float(k + 1)))
            builder.output("out", builder.emit("sqrt", inner))
            singles.append(kernel_of(builder.finish()))

        def apart(singles: Any = singles) -> None:
            value = x
            for single in singles:
                single(value, y, out=out)
                value = out

        ours = seconds(kernel, x, y, out=out)
        row(
            f"chain of {count}",
            ours,
            "one kernel for each step",
            seconds(apart),
            f">= {count / 2:g}",
        )
        folded = seconds(kernel.sum, x, y)
        row(f"chain of {count}, summed", folded, "the same without the sum", ours, ">= 0.9")


def peers(
    np_like: Any, name: str, function: Callable[..., Any], given: list[Any]
) -> dict[str, Any]:
    """Return what times the function in other engines, by name."""
    found: dict[str, Any] = {}
    try:
        import cupy
        from cupyx.scipy.special import erf

        there = [cupy.asarray(x) for x in given]
        plain = (lambda *a: function(cupy, *a, erf)) if name == "black_scholes" else (
            lambda *a: function(cupy, *a)
        )  # fmt: skip
        fused = cupy.fuse(kernel_name=name)(plain)
        found["CuPy, unfused"] = lambda: plain(*there)
        found["CuPy, fused"] = lambda: fused(*there)
    except ImportError:
        pass
    try:
        import jax

        jax.config.update("jax_enable_x64", True)
        arrays = [jax.numpy.asarray(x.copy_to_host()) for x in given]
        body = (lambda *a: function(jax.numpy, *a, jax.scipy.special.erf)) if (
            name == "black_scholes"
        ) else (lambda *a: function(jax.numpy, *a))  # fmt: skip
        jitted = jax.jit(body)
        found["JAX"] = lambda: jitted(*arrays).block_until_ready()
    except ImportError:
        pass
    return found


def transcendental(found: dict[str, Program], sizes: Sizes) -> None:
    """Time kernels that arithmetic bounds beside other engines."""
    for name, function, columns in (("black_scholes", black_scholes, 5), ("twenty", twenty, 2)):
        for dtype in (np.float64, np.float32):
            given = drawn(sizes.middle, columns, dtype)
            out = cuda.device_array_like(given[0])
            others = {key: seconds(run) for key, run in peers(np, name, function, given).items()}
            for math in ("guarded", "fast"):
                kernel = kernel_of(found[f"{name}_{math}"])
                ours = seconds(kernel, *given, out=out)
                label = f"{name}, {np.dtype(dtype).name}, {math}, 10^7"
                for key, taken in others.items() or [("(no peer installed)", float("nan"))]:
                    row(label, ours, key, taken, ">= 3" if "unfused" in key else ">= 1")


@cuda.jit
def diffusion_by_hand(u: Any, new: Any) -> None:
    """The stencil as one writes it."""
    j, i = cuda.grid(2)
    if 0 < i < u.shape[0] - 1 and 0 < j < u.shape[1] - 1:
        here = u[i, j]
        around = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]
        new[i, j] = here + 0.1 * (around - 4 * here) + 0.01 * here * (1 - here) * (here - 0.3)


def stencil(found: dict[str, Program], sizes: Sizes) -> None:
    """Time a reaction-diffusion step, of shifted views, beside a hand-written kernel."""
    n = sizes.side
    u = cuda.to_device(np.random.default_rng(0).uniform(size=(n, n)))
    new = cuda.device_array_like(u)
    inner = slice(1, -1)
    views = [u[inner, inner], u[:-2, inner], u[2:, inner], u[inner, :-2], u[inner, 2:]]
    target = new[inner, inner]
    kernel = kernel_of(found["diffusion_guarded"])
    threads = (32, 8) if n > 64 else (4, 4)
    blocks = (-(-n // threads[0]), -(-n // threads[1]))
    by_hand = seconds(diffusion_by_hand[blocks, threads], u, new)
    wanted = new.copy_to_host()
    ours = seconds(kernel, *views, out=target)
    np.testing.assert_allclose(new.copy_to_host()[inner, inner], wanted[inner, inner], 1e-12)
    row(f"reaction-diffusion, {n} x {n}", ours, "Numba, by hand", by_hand, ">= 0.83")


def ensemble(sizes: Sizes, network: Path | None) -> None:
    """Time right-hand sides of a reaction network, many states at once, beside one CPU core."""
    if network is None:
        print("ensemble: give a program of right-hand sides with --network FILE (its text form)")
        return
    program = Program.parse(network.read_text())
    (argument,) = program.arguments
    rng = np.random.default_rng(0)
    state = rng.uniform(0.1, 1, (*argument.shape, sizes.ensemble))
    there = cuda.to_device(state)
    kernel = CudaKernel(program, get("cuda"), batch_axis=-1)
    on_cpu = Kernel(program, batch_axis=-1)
    out = on_cpu(state)
    result = kernel(there)
    np.testing.assert_allclose(result.copy_to_host(), out, 1e-9)
    ours = seconds(kernel, there, out=result)
    start = time.perf_counter()
    on_cpu(state, out=out)
    row(f"{network.stem}, {sizes.ensemble} states", ours, "one core of this CPU",
        time.perf_counter() - start, ">= 20")  # fmt: skip


def main() -> None:
    """Check, then time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="optimise the programs anew")
    parser.add_argument("--quick", action="store_true", help="small arrays")
    parser.add_argument("--network", type=Path, help="a program of right-hand sides")
    given = parser.parse_args()
    if given.write:
        write()
        return
    global TURNS, LAUNCHES
    sizes = Sizes()
    if given.quick:
        sizes, TURNS, LAUNCHES = Sizes(64, 32, 12, 8, 16), 1, 1
    device = cuda.get_current_device()
    print(getattr(device, "name", "simulator"), "compute capability", device.compute_capability)
    found = programs()
    check_bits(sizes)
    print(f"{'':44} {'ours':>12}   {'beside':44} {'times faster':>8}   aim")
    bandwidth(found, sizes)
    transcendental(found, sizes)
    fusion(found, sizes)
    stencil(found, sizes)
    ensemble(sizes, given.network)


if __name__ == "__main__":
    main()
