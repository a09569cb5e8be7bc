"""Time CUDA kernels beside copies, hand-written kernels and other engines: `python cuda.py`.

Needs a GPU, Numba, numba-cuda, NumPy and this checkout; CuPy and JAX are timed where they are
installed. What is timed was optimised before: `cuda_programs.txt` and `cuda_network_*.xz`, which
`--write` makes anew where the optimiser is. Each part is a process of its own with a time limit and
prints as it goes, so that one that fails takes nothing from the others; the part `bits` compares
each function's bits on the device with those of the CPU. Kernels are timed by the device's clock,
queued behind one that keeps it busy: Python's calls are a row of their own. `--quick` takes small
arrays in one process, also under Numba's simulator, whose times mean nothing.
"""

import argparse
import lzma
import math
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

# in the place of this folder, in which this file would be taken for NVIDIA's package `cuda`
sys.path[0] = str(Path(__file__).parents[2])

import numpy as np
from numba import cuda

from codegen.cuda import functions
from codegen.cuda.kernel import CudaKernel
from codegen.cuda.rare import RARE
from codegen.kernel import Kernel
from codegen.program import Program, ProgramBuilder
from codegen.store.rolled import bodies_of, pack_rolled, unpack_rolled
from codegen.target import get
from rewrite.parcel import Parcel, pack, unpack

PROGRAMS = Path(__file__).with_name("cuda_programs.txt")
NETWORKS = {name: Path(__file__).with_name(f"cuda_network_{name}.xz") for name in ("read", "best")}
"""The right-hand sides of egfr_net, as read and optimised for a GPU."""
STEPS = (4, 8, 16)
TURNS, LAUNCHES = 5, 10


@dataclass(frozen=True)
class Sizes:
    """Elements of the arrays."""

    large: int = 10**8
    middle: int = 3 * 10**7
    side: int = 4096
    ensemble: int = 10**5
    values: int = 10**6
    calls: int = 64
    held: int = 2 * 10**6
    """Steps of the kernel that keeps the device busy, some milliseconds."""


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


def step(np: Any, x: Any, y: Any, k: Any) -> Any:
    """One of a chain of steps."""
    return np.sqrt(x * y + k)


def reaction(A: Any, up: Any, down: Any, left: Any, right: Any, B: Any, C: Any, a1: Any) -> Any:
    """The example's three species, of which the first diffuses."""
    dA = 100.0 * (up + down + left + right - 4 * A) + a1 - A - A * B + C
    return dA, 1 - B - A * B + C, 1 - C + A * B - C


def write(networks: Path | None) -> None:
    """Optimise the programs and write them."""
    import rewrite as rw

    names = "price strike years rate sigma"
    made: dict[str, tuple[str, Callable[..., Any]]] = {
        "black_scholes": (names, lambda *a: black_scholes(rw, *a, rw.erf)),
        "twenty": ("x y", lambda x, y: twenty(rw, x, y)),
        "reaction": ("A up down left right B C a1", reaction),
        "product": ("x y", lambda x, y: x * y),
        "triad": ("x y z", lambda x, y, z: x * y + z),
        "step": ("x y k", lambda x, y, k: step(rw, x, y, k)),
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
        for way in ("guarded", "fast"):
            kernel = rw.compile(list(symbols), function(*symbols), math=way, cost="cuda-sm90")
            program: Any = kernel.program
            texts.append(str(replace(program, name=f"{name}_{way}")))
    PROGRAMS.write_text("\n\n".join(texts) + "\n")
    if networks is not None:
        network = rw.io.bionetgen.read(next(networks.rglob("egfr_net.net")))
        for name, path in NETWORKS.items():
            kernel = rw.compile(
                [network.symbols], network.rhs(network.symbols), cost="cuda-sm90",
                optimize_terms=name == "best",
            )  # fmt: skip
            found: Any = kernel.program
            path.write_bytes(lzma.compress(pack("network", _lasting(pack_rolled(found)))))


def _lasting(parcel: Parcel) -> Parcel:
    """Write bodies as text, which later versions read too."""
    bodies = bodies_of(parcel.header["bodies"], parcel.blocks)
    blocks = {name: block for name, block in parcel.blocks.items() if "." not in name}
    return Parcel({**parcel.header, "bodies": [{"text": str(body)} for body in bodies]}, blocks)


def programs() -> dict[str, Program]:
    """Read the programs."""
    found = map(Program.parse, PROGRAMS.read_text().strip().split("\n\n"))
    return {program.name: program for program in found}


def kernel_of(program: Program, dtype: Any = None) -> CudaKernel:
    return CudaKernel(program, get("cuda"), dtype=dtype)


# -- clocks and rows -----------------------------------------------------------------------------


@cuda.jit
def busy(steps: Any, out: Any) -> None:
    """Keep the device busy with one thread."""
    value = out[0]
    for _ in range(steps):
        value = math.sqrt(value + 1.0)
    out[0] = value


class Clock:
    """Times what is queued, by the device's clock, behind a kernel that runs meanwhile."""

    def __init__(self, steps: int) -> None:
        self.steps, self.held = steps, cuda.to_device(np.ones(1))
        self.ends = [cuda.event() for _ in range(2)]

    def seconds(self, run: Callable[[], Any]) -> float:
        """Return the least time of a call, launched several times in a row."""
        run()
        cuda.synchronize()
        best = math.inf
        for _ in range(TURNS):
            busy[1, 1](self.steps, self.held)
            self.ends[0].record()
            for _ in range(LAUNCHES):
                run()
            self.ends[1].record()
            self.ends[1].synchronize()
            milliseconds = self.ends[0].elapsed_time(self.ends[1])
            best = min(best, milliseconds / 1e3 / LAUNCHES)
        return best


def wall(run: Callable[[], Any]) -> float:
    """Return the least time of a call that waits for its result."""
    run()
    best = math.inf
    for _ in range(TURNS):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def row(name: str, ours: float, what: str, theirs: float, aim: str) -> None:
    """Print a line: milliseconds of both sides, and how many times faster ours is."""
    times = f"{ours * 1e3:9.3f} ms   {what:32} {theirs * 1e3:9.3f} ms"
    ratio = theirs / ours if ours > 0 else math.nan  # the simulator has no clock
    print(f"{name:44} {times} {ratio:7.2f}   {aim}", flush=True)


def drawn(count: int, columns: int, dtype: Any = np.float64) -> list[Any]:
    """Put random numbers from 0.5 to 2 on the device; a million of them, again and again."""
    rng = np.random.default_rng(0)
    few = [rng.uniform(0.5, 2, min(count, 10**6)).astype(dtype) for _ in range(columns)]
    return [cuda.to_device(np.resize(part, count)) for part in few]


# -- parts ---------------------------------------------------------------------------------------


def bandwidth(found: dict[str, Program], sizes: Sizes, clock: Clock) -> None:
    """Time what memory bounds beside a copy on the device."""
    for dtype in (np.float64, np.float32):
        x, y, z = drawn(sizes.large, 3, dtype)
        out = cuda.device_array_like(x)
        copied = clock.seconds(lambda x=x, out=out: out.copy_to_device(x)) / 2  # read, and written
        label = f"{np.dtype(dtype).name}, {sizes.large:.0e}"
        for kind, given in {"product": (x, y), "triad": (x, y, z)}.items():
            kernel = kernel_of(found[f"{kind}_guarded"])
            taken = clock.seconds(lambda k=kernel, g=given, out=out: k(*g, out=out))
            row(f"{kind}, {label}", taken, "as many bytes copied", copied * (len(given) + 1),
                ">= 0.9")  # fmt: skip
        dot = kernel_of(found["product_guarded"])
        taken = clock.seconds(lambda dot=dot, x=x, y=y: dot.sum(x, y))
        row(f"dot product, {label}", taken, "as many bytes copied", copied * 2, ">= 0.9")


def chains(found: dict[str, Program], sizes: Sizes, clock: Clock) -> None:
    """Time chains as one kernel and as one for each step, and summed in the same launch."""
    x, y = drawn(sizes.large, 2)
    out = cuda.device_array_like(x)
    single = kernel_of(found["step_guarded"])
    for count in STEPS:
        kernel = kernel_of(found[f"chain{count}_guarded"])

        def apart(count: int = count) -> None:
            value = x
            for k in range(count):
                single(value, y, float(k + 1), out=out)
                value = out

        ours = clock.seconds(lambda k=kernel: k(x, y, out=out))
        row(f"chain of {count}", ours, "one kernel for each step", clock.seconds(apart),
            f">= {count / 2:g}")  # fmt: skip
        folded = clock.seconds(lambda k=kernel: k.sum(x, y))
        row(f"chain of {count}, summed", folded, "the same without the sum", ours, ">= 0.9")


def by_hand(kind: Any) -> dict[str, Any]:
    """Return the formulas as one writes them for Numba, all numbers of one type."""
    one, two, three, root = kind(1), kind(2), kind(3), kind(0.5**0.5)

    @cuda.jit
    def black_scholes(price: Any, strike: Any, years: Any, rate: Any, sigma: Any, out: Any) -> None:
        for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
            s, k, t, r, v = price[i], strike[i], years[i], rate[i], sigma[i]
            spread = v * math.sqrt(t)
            d1 = (math.log(s / k) + (r + v * v / two) * t) / spread
            above, below = one + math.erf(d1 * root), one + math.erf((d1 - spread) * root)
            out[i] = (s * above - k * math.exp(-r * t) * below) / two

    @cuda.jit
    def twenty(x: Any, y: Any, out: Any) -> None:
        for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
            a, b = x[i], y[i]
            first = math.exp(-a * a / two) * math.sin(three * a + b)
            second = math.log(one + a * a) / (one + math.exp(-b))
            last = math.sqrt(one + b * b) * math.tanh(a)
            out[i] = first + second * math.cos(a - b) + last

    return {"black_scholes": black_scholes, "twenty": twenty}


def unfused(program: Program, given: list[Any]) -> Callable[[], None]:
    """Return what runs a program with a kernel and an array for each operation."""
    plan: list[Any] = []
    held: dict[int, Any] = {}
    known: dict[str, CudaKernel] = {}
    for at, this in enumerate(program.instructions):
        if this.op == "load":
            held[at] = given[this.payload[0]]  # type: ignore[index]
        elif this.op == "const":
            held[at] = this.payload.f64  # type: ignore[union-attr]
        else:
            if this.op not in known:
                builder = ProgramBuilder(this.op)
                values = [builder.load(builder.argument(f"x{k}")) for k in range(len(this.args))]
                builder.output("out", builder.emit(this.op, *values))
                known[this.op] = kernel_of(builder.finish())
            held[at] = cuda.device_array_like(given[0])
            plan.append((known[this.op], [held[arg] for arg in this.args], held[at]))

    def run() -> None:
        for kernel, args, out in plan:
            kernel(*args, out=out)

    return run


def peers(name: str, function: Callable[..., Any], given: list[Any]) -> dict[str, Any]:
    """Return what times the function in other engines, by name."""
    found: dict[str, Any] = {}
    try:
        import cupy
        from cupyx.scipy.special import erf

        there = [cupy.asarray(x) for x in given]
        more = (erf,) if name == "black_scholes" else ()
        fused = cupy.fuse(kernel_name=name)(lambda *a: function(cupy, *a, *more))
        done = cuda.synchronize
        found["CuPy, unfused"] = lambda: (function(cupy, *there, *more), done())
        found["CuPy, fused"] = lambda: (fused(*there), done())
    except ImportError:
        pass
    try:
        import jax

        jax.config.update("jax_enable_x64", True)
        arrays = [jax.numpy.asarray(x.copy_to_host()) for x in given]
        rest = (jax.scipy.special.erf,) if name == "black_scholes" else ()
        jitted = jax.jit(lambda *a: function(jax.numpy, *a, *rest))
        found["JAX"] = lambda: jitted(*arrays).block_until_ready()
    except ImportError:
        pass
    return found


def transcendental(found: dict[str, Program], sizes: Sizes, clock: Clock) -> None:
    """Time kernels that arithmetic bounds beside other engines, or what stands in for them."""
    blocks = (132 * 16, 256) if sizes.middle > 1000 else (2, 4)
    for name, function, columns in (("twenty", twenty, 2), ("black_scholes", black_scholes, 5)):
        for dtype in (np.float64, np.float32):
            given = drawn(sizes.middle, columns, dtype)
            out = cuda.device_array_like(given[0])
            hand = by_hand(dtype)[name][blocks]
            plain = clock.seconds(unfused(found[f"{name}_guarded"], given))
            beside = {
                "Numba, by hand": (clock.seconds(partial(hand, *given, out)), ">= 1"),
                "one kernel for each operation": (plain, ">= 3"),
            }
            for key, run in peers(name, function, given).items():
                beside[key] = wall(run), ">= 3" if "unfused" in key else ">= 1"
            for way in ("guarded", "fast"):
                kernel = kernel_of(found[f"{name}_{way}"])
                ours = clock.seconds(lambda k=kernel, g=given, o=out: k(*g, out=o))
                for key, (taken, aim) in beside.items():
                    row(f"{name}, {np.dtype(dtype).name}, {way}", ours, key, taken, aim)


@cuda.jit
def reaction_by_hand(A: Any, B: Any, C: Any, a1: Any, dA: Any, dB: Any, dC: Any) -> None:
    """The stencil as one writes it."""
    j, i = cuda.grid(2)
    if 0 < i < A.shape[0] - 1 and 0 < j < A.shape[1] - 1:
        a, b, c = A[i, j], B[i, j], C[i, j]
        around = A[i - 1, j] + A[i + 1, j] + A[i, j - 1] + A[i, j + 1] - 4 * a
        dA[i, j] = 100.0 * around + a1[i, 0] - a - a * b + c
        dB[i, j] = 1 - b - a * b + c
        dC[i, j] = 1 - c + a * b - c


def stencil(found: dict[str, Program], sizes: Sizes, clock: Clock) -> None:
    """Time the reaction-diffusion example's step, of shifted views, beside a kernel by hand."""
    n = sizes.side
    A, B, C = (x.reshape(n, n) for x in drawn(n * n, 3))
    a1 = cuda.to_device(np.repeat([0.0, 1.0], [n - n // 5, n // 5])[:, None])
    results = [cuda.to_device(np.zeros((n, n))) for _ in range(3)]
    inner = slice(1, -1)
    around = [A[:-2, inner], A[2:, inner], A[inner, :-2], A[inner, 2:]]
    args = [A[inner, inner], *around, B[inner, inner], C[inner, inner], a1[inner]]
    targets = tuple(x[inner, inner] for x in results)
    kernel = kernel_of(found["reaction_guarded"])
    threads = (32, 8) if n > 64 else (4, 4)
    blocks = (-(-n // threads[0]), -(-n // threads[1]))
    hand = clock.seconds(lambda: reaction_by_hand[blocks, threads](A, B, C, a1, *results))
    wanted = [x.copy_to_host() for x in results]
    ours = clock.seconds(lambda: kernel(*args, out=targets))
    for one, other in zip(results, wanted, strict=True):
        np.testing.assert_allclose(one.copy_to_host(), other, 1e-9, 1e-9)
    row(f"reaction-diffusion, {n} x {n}", ours, "Numba, by hand", hand, ">= 0.83")


def ensemble(name: str, sizes: Sizes, clock: Clock) -> None:
    """Time right-hand sides of a reaction network, many states at once, beside one CPU core."""
    parcel = unpack("network", lzma.decompress(NETWORKS[name].read_bytes()))
    program = unpack_rolled(parcel.header, parcel.blocks)
    (argument,) = program.arguments
    few = np.random.default_rng(0).uniform(0.1, 1, (*argument.shape, min(sizes.ensemble, 1000)))
    state = np.resize(few.T, (sizes.ensemble, *argument.shape)).T.copy()
    on_cpu = Kernel(program, batch_axis=-1)
    out = on_cpu(state)
    start = time.perf_counter()
    on_cpu(state, out=out)
    theirs = time.perf_counter() - start
    kernel = CudaKernel(program, get("cuda"), batch_axis=-1)
    there = cuda.to_device(state)
    start = time.perf_counter()
    result = kernel(there)
    cuda.synchronize()
    print(f"egfr_net, {name}: compiled in {time.perf_counter() - start:.1f} s", flush=True)
    np.testing.assert_allclose(result.copy_to_host(), out, 1e-9)
    ours = clock.seconds(lambda: kernel(there, out=result))
    label = f"egfr_net, {name}, {sizes.ensemble} states"
    row(label, ours, "one core of this CPU", theirs, ">= 20")
    one = cuda.to_device(np.ascontiguousarray(state[:, 0]))
    single = clock.seconds(lambda: kernel(one))
    row(f"egfr_net, {name}, one state", single, "one of the many", ours / sizes.ensemble, "")


def calls(found: dict[str, Program], sizes: Sizes, clock: Clock) -> None:
    """Time many calls as one launch, and what Python takes for a call."""
    kernel = kernel_of(found["twenty_guarded"])
    size = max(sizes.middle // 300, 8)
    given = [tuple(drawn(size, 2)) for _ in range(sizes.calls)]
    together = clock.seconds(lambda: kernel.batch(given))

    def apart() -> None:
        for args in given:
            kernel(*args)

    row(f"{sizes.calls} calls of {size}, one launch", together, "a launch each",
        clock.seconds(apart), "")  # fmt: skip
    x, y = given[0]
    out = cuda.device_array_like(x)

    def waited(run: Callable[[], Any]) -> float:
        return wall(lambda: (run(), cuda.synchronize()))

    hand = by_hand(np.float64)["twenty"][(16, 256) if size > 1000 else (2, 4)]
    row("a call, with Python's part", waited(lambda: kernel(x, y, out=out)), "Numba, by hand",
        waited(lambda: hand(x, y, out)), "")  # fmt: skip


def bits(found: dict[str, Program], sizes: Sizes, clock: Clock) -> None:
    """Compare each function on the device with the CPU's, bit for bit.

    Of huge angles and at the ends of ranges the CPU's are the C library's, within an ulp of ours.
    """
    rng = np.random.default_rng(0)
    types = (("f64", np.float64, np.uint64), ("f32", np.float32, np.uint32))
    odd = 0
    for op in [name for name in functions.LIBDEVICE if name != "fmod"]:
        for dtype, number, whole in types:
            builder = ProgramBuilder(op)
            arity = functions.ARITY.get(op, 1)
            values = [builder.load(builder.argument(f"x{k}")) for k in range(arity)]
            builder.output("out", builder.emit(op, *values))
            program, half = builder.finish(), sizes.values // 2
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
            allowed = 1 if op == "pow" or (op in RARE and dtype == "f64") else 0
            odd += worst > allowed
            print(f"{op:8} {dtype}: {int((~same).sum())} of {len(same)} differ, by {worst} ulp at "
                  f"most, of {allowed}", flush=True)  # fmt: skip
    print(f"{odd} functions are off", flush=True)


PARTS: dict[str, tuple[float, Callable[[dict[str, Program], Sizes, Clock], None]]] = {
    "bandwidth": (90, bandwidth),
    "chains": (90, chains),
    "stencil": (60, stencil),
    "ensemble, as read": (90, lambda found, sizes, clock: ensemble("read", sizes, clock)),
    "transcendental": (120, transcendental),
    "calls": (60, calls),
    "ensemble, optimised": (150, lambda found, sizes, clock: ensemble("best", sizes, clock)),
    "bits": (150, bits),
}
"""By name, what matters most first: a limit in seconds, and what is run."""


def run(name: str, sizes: Sizes) -> bool:
    """Run a part; say what went wrong with it."""
    try:
        PARTS[name][1](programs(), sizes, Clock(sizes.held))
    except Exception:
        print(f"part {name!r} failed:\n{traceback.format_exc()}", flush=True)
        return False
    return True


def main() -> None:
    """Run the parts, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="optimise the programs anew")
    parser.add_argument("--networks", type=Path, help="with --write: a folder with egfr_net.net")
    parser.add_argument("--quick", action="store_true", help="small arrays")
    parser.add_argument("--part", choices=[*PARTS], action="append", help="only this")
    parser.add_argument("--here", action="store_true", help="in this process")
    given = parser.parse_args()
    if given.write:
        write(given.networks)
        return
    sizes = Sizes()
    if given.quick:
        global TURNS, LAUNCHES
        sizes, TURNS, LAUNCHES = Sizes(64, 32, 12, 2, 8, 3, 1), 1, 1
    wanted = given.part or list(PARTS)
    if given.here or given.quick:
        print(f"{'':44} {'ours':>12}   {'beside':44} {'times faster':>8}   aim", flush=True)
        sys.exit(0 if all([run(name, sizes) for name in wanted]) else 1)
    device = cuda.get_current_device()
    print(getattr(device, "name", ""), "compute capability", device.compute_capability, flush=True)
    for name in wanted:
        start = time.perf_counter()
        print(f"--- {name}", flush=True)
        command = [sys.executable, __file__, "--here", "--part", name]
        try:
            subprocess.run(command, timeout=PARTS[name][0], check=False)
        except subprocess.TimeoutExpired:
            print(f"part {name!r} took longer than {PARTS[name][0]:.0f} s", flush=True)
        print(f"--- {name}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
