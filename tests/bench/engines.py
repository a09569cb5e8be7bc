"""The engines of the elementwise benchmark: what makes a function of arrays of a formula in each.

Every maker returns a function of no arguments that evaluates once, into memory that is there
already where the engine allows that, and a function that reads the result. An engine that is not
installed, or that lacks a function, is left out.
"""

import ctypes
import importlib
import math
import os
import re
import subprocess
import tempfile
import time
import types
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import llvmlite.binding
import numpy as np
from formulas import Formula, generated, written
from in_threads import in_threads

import rewrite as rw

__all__ = ["ENGINES", "MEASURES", "THREADED", "Unavailable"]

type Made = tuple[Callable[[], Any], Callable[[], Any]]


class Unavailable(Exception):
    """An engine is not installed, or cannot express a formula."""


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unavailable(name) from error


def compiled(formula: Formula, math_mode: str, dtype: Any, threads: int) -> Any:
    """Return this project's kernel of a formula."""
    symbols = [
        rw.symbol(name, low=low, high=high) for name, (low, high) in formula.arguments.items()
    ]
    names = types.SimpleNamespace(
        **{n: getattr(rw, n) for n in "exp sin cos log sqrt tanh erf atan2".split()},
        pow=lambda a, b: a**b,
    )  # fmt: skip
    return rw.compile(
        symbols, formula.function(names, *symbols), math=math_mode, dtype=dtype, parallel=threads
    )


def ours(math_mode: str) -> Callable[..., Made]:
    """Return a maker of this project's kernels."""

    def make(formula: Formula, data: list[Any], threads: int) -> Made:
        kernel = compiled(formula, math_mode, data[0].dtype, threads)
        out = np.empty_like(data[0])
        return lambda: kernel(*data, out=out), lambda: out

    return make


def numpy_(formula: Formula, data: list[Any], threads: int) -> Made:
    """Make what one would write with NumPy, the last operation of each line into a new array."""
    special = _module("scipy.special")
    names = types.SimpleNamespace(
        **{n: getattr(np, n) for n in "exp sin cos log sqrt tanh".split()},
        erf=special.erf, pow=np.power, atan2=np.arctan2,
    )  # fmt: skip
    last: list[Any] = [None]

    def call() -> None:
        last[0] = formula.function(names, *data)

    return call, lambda: last[0]


def numexpr(formula: Formula, data: list[Any], threads: int) -> Made:
    """Make a numexpr expression."""
    ne = _module("numexpr")
    if formula.name == "A3":
        raise Unavailable("numexpr has no erf")
    sp = _module("sympy")
    names = types.SimpleNamespace(
        **{n: getattr(sp, n) for n in "exp sin cos log sqrt tanh".split()},
        pow=lambda a, b: a**b, atan2=sp.Function("arctan2"),
    )  # fmt: skip
    if formula.name == "A5":
        raise Unavailable("numexpr takes no expression of that size")
    text = str(formula.function(names, *sp.symbols(list(formula.arguments))))
    values = dict(zip(formula.arguments, data, strict=True))
    ne.set_num_threads(threads)
    out = np.empty_like(data[0])
    kind = "same_kind"
    return lambda: ne.evaluate(text, values, out=out, casting=kind), lambda: out


def numba(fast: bool) -> Callable[..., Made]:
    """Return a maker of Numba's loops."""

    def make(formula: Formula, data: list[Any], threads: int) -> Made:
        nb = _module("numba")
        single = data[0].dtype == np.float32
        source = written(formula, False).splitlines()
        body = [line.strip().removeprefix("const real ").rstrip(";") for line in source]
        body = [line for line in body if line.startswith("v") and " = " in line]
        if single:  # else every constant would make it double precision
            body = [re.sub(r"(?<![\w.])(\d+\.\d+(e-?\d+)?)", r"f32(\1)", line) for line in body]
        last = body[-1].split(" = ")[0]
        lines = [
            f"def loop({', '.join(formula.arguments)}, out):",
            "  for i in nb.prange(out.size):",
        ]
        lines += [f"    {line.replace('p_', '')}" for line in body] + [f"    out[i] = {last}"]
        scope: dict[str, Any] = {n: getattr(math, n) for n in dir(math)}
        scope |= {"nb": nb, "f32": np.float32}
        exec("\n".join(lines), scope)
        loop = nb.njit(fastmath=fast, parallel=threads > 1, error_model="numpy")(scope["loop"])
        if threads > 1:
            nb.set_num_threads(threads)
        out = np.empty_like(data[0])
        return lambda: loop(*data, out), lambda: out

    return make


def jax(formula: Formula, data: list[Any], threads: int) -> Made:
    """Make a jitted JAX function."""
    jx = _module("jax")
    jx.config.update("jax_enable_x64", True)
    jnp, special = _module("jax.numpy"), _module("jax.scipy.special")
    names = types.SimpleNamespace(
        **{n: getattr(jnp, n) for n in "exp sin cos log sqrt tanh".split()},
        erf=special.erf, pow=jnp.power, atan2=jnp.arctan2,
    )  # fmt: skip
    function = jx.jit(lambda *args: formula.function(names, *args))
    held = [jnp.asarray(a) for a in data]
    last: list[Any] = [None]

    def call() -> None:
        last[0] = function(*held).block_until_ready()

    return call, lambda: np.asarray(last[0])


def heyoka(fast: bool) -> Callable[..., Made]:
    """Return a maker of heyoka's compiled functions; scalars are constants there."""

    def make(formula: Formula, data: list[Any], threads: int) -> Made:
        hy = _module("heyoka")
        arrays = [n for n in formula.arguments if n not in formula.scalars]
        symbols = dict(zip(arrays, hy.make_vars(*arrays), strict=True)) if len(arrays) > 1 else {
            arrays[0]: hy.make_vars(arrays[0])
        }  # fmt: skip
        given = dict(zip(formula.arguments, data, strict=True))
        names = types.SimpleNamespace(
            **{n: getattr(hy, n) for n in "exp sin cos log sqrt tanh erf".split()},
            pow=lambda a, b: a**b, atan2=hy.atan2,
        )  # fmt: skip
        args = [symbols[n] if n in symbols else float(given[n]) for n in formula.arguments]
        expression = formula.function(names, *args)
        kind = np.float64 if data[0].dtype == np.float64 else np.float32
        function = hy.cfunc(
            [expression], vars=list(symbols.values()), fp_type=kind, fast_math=fast,
            force_avx512=fast, parallel_mode=False,
        )  # fmt: skip
        stacked = np.ascontiguousarray([given[n] for n in arrays])
        out = np.empty((1, stacked.shape[1]), kind)
        return lambda: function(stacked, outputs=out), lambda: out[0]

    return make


def symengine(formula: Formula, data: list[Any], threads: int) -> Made:
    """Make a symengine function compiled by LLVM."""
    se = _module("symengine")
    names = types.SimpleNamespace(
        **{n: getattr(se, n) for n in "exp sin cos log sqrt tanh erf".split()},
        pow=lambda a, b: a**b, atan2=getattr(se, "atan2", None),
    )  # fmt: skip
    if formula.name == "A6":
        raise Unavailable("symengine's LLVM backend has no atan2")
    symbols = se.symbols(list(formula.arguments))
    expression = formula.function(names, *symbols)
    function = se.Lambdify(symbols, [expression], backend="llvm", cse=True, real=True)
    table = np.stack(np.broadcast_arrays(*data), 1).astype(np.float64)
    out = np.empty((len(table), 1))
    return lambda: function(table, out=out), lambda: out[:, 0]


def sympy(formula: Formula, data: list[Any], threads: int) -> Made:
    """Make a NumPy function by `sympy.lambdify`."""
    sp = _module("sympy")
    names = types.SimpleNamespace(
        **{n: getattr(sp, n) for n in "exp sin cos log sqrt tanh erf atan2".split()},
        pow=lambda a, b: a**b,
    )  # fmt: skip
    symbols = sp.symbols(list(formula.arguments))
    function = sp.lambdify(symbols, formula.function(names, *symbols), ["scipy", "numpy"], cse=True)
    last: list[Any] = [None]

    def call() -> None:
        last[0] = function(*data)

    return call, lambda: last[0]


def gcc(formula: Formula, data: list[Any], threads: int) -> Made:
    """Compile a loop in C with all that GCC has, vector functions of the C library included."""
    single = data[0].dtype == np.float32
    folder = Path(tempfile.mkdtemp())
    (folder / "kernel.c").write_text(written(formula, single))
    flags = ["-O3", "-march=native", "-ffast-math", "-mprefer-vector-width=512", "-shared", "-fPIC"]
    flags += ["-fno-builtin-sin", "-fno-builtin-cos"]  # sincos is no vector function to GCC
    flags += ["-fno-builtin-sinf", "-fno-builtin-cosf"]
    command = [
        "gcc",
        *flags,
        str(folder / "kernel.c"),
        "-o",
        str(folder / "kernel.so"),
        "-lmvec",
        "-lm",
    ]
    _run(command)
    function = ctypes.CDLL(str(folder / "kernel.so")).kernel
    out = np.empty_like(data[0])
    args = _in_c(data, out)
    return lambda: function(*args), lambda: out


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable("gcc is missing or fails") from error


def _in_c(data: list[Any], out: Any) -> list[Any]:
    """Return the arguments of a function in C: addresses, scalars, the count."""
    scalar = ctypes.c_float if out.dtype == np.float32 else ctypes.c_double
    args: list[Any] = [
        scalar(a) if np.ndim(a) == 0 else ctypes.c_void_p(a.ctypes.data) for a in data
    ]
    return [*args, ctypes.c_void_p(out.ctypes.data), ctypes.c_long(len(out))]


@cache
def _reference(what: str, single: bool) -> tuple[ctypes.CDLL, ...]:
    """Compile a part of `reference.c`, with two and four vectors in turns."""
    if not llvmlite.binding.get_host_cpu_features().get("avx512dq", False):
        raise Unavailable("this machine has no AVX-512")
    folder = Path(tempfile.mkdtemp())
    (folder / "generated.h").write_text(generated())
    source = str(Path(__file__).parent / "reference.c")
    flags = ["-O3", "-march=native", "-shared", "-fPIC", f"-I{folder}", f"-D{what}"]
    flags += ["-DSINGLE"] if single else []
    made = []
    for turns in (2, 4):
        binary = f"{folder}/turns{turns}.so"
        _run(["gcc", *flags, f"-DTURNS={turns}", source, "-o", binary])
        made.append(ctypes.CDLL(binary))
    return tuple(made)


def _fastest(what: str, name: str, data: list[Any], out: Any, threads: int) -> Made:
    """Return the fastest of a function's variants, those with stores past the caches too."""
    args = _in_c(data, out)
    arrays = tuple(np.ndim(a) > 0 for a in data)
    share = in_threads(arrays, out.dtype == np.float32, threads) if threads > 1 else None
    best, chosen = math.inf, None
    for library in _reference(what, out.dtype == np.float32):
        for function in (getattr(library, n, None) for n in (name, f"{name}_behind")):
            if function is None:
                continue
            function = partial(share, function) if share else function
            count = max(1, 100_000 // len(out))
            for _ in range(12):
                begin = time.perf_counter()
                for _ in range(count):
                    function(*args)
                if time.perf_counter() - begin < best:
                    best, chosen = time.perf_counter() - begin, function
    assert chosen is not None
    return lambda: chosen(*args), lambda: out


def reference(formula: Formula, data: list[Any], threads: int) -> Made:
    """Make the kernel by hand of `reference.c`."""
    return _fastest(formula.name, "kernel", data, np.empty_like(data[0]), threads)


def scale(formula: Formula, data: list[Any], threads: int) -> Made:
    """Make the loop that only moves memory, over as many streams."""
    arrays = [a for a in data if np.ndim(a)]
    if len(arrays) > 3:
        raise Unavailable("there is a loop for at most three inputs")
    out = np.empty_like(data[0])
    return _fastest("SCALE", f"scale{len(arrays)}", arrays, out, threads)


ENGINES: dict[str, Callable[..., Made]] = {
    "rewrite fast": ours("fast"),
    "rewrite guarded": ours("guarded"),
    "heyoka fast_math": heyoka(True),
    "heyoka": heyoka(False),
    "numba fastmath": numba(True),
    "numba": numba(False),
    "jax": jax,
    "gcc -O3 -ffast-math": gcc,
    "C by hand": reference,
    "scale loop": scale,
    "symengine": symengine,
    "numexpr": numexpr,
    "numpy": numpy_,
    "sympy": sympy,
}
"""By name; the first is what the ratios are of."""
MEASURES = ("C by hand", "scale loop")
"""No peers, but what the machine can do."""
THREADED = ("rewrite fast", "rewrite guarded", "numba fastmath", "numexpr", "jax", *MEASURES)


def serve() -> None:
    """Obey another process: make a kernel, give its result, time some calls.

    Each engine has a process of its own, as not all of them can live in one.
    """
    import json
    import sys
    import warnings

    from formulas import KERNELS, inputs

    warnings.simplefilter("ignore")
    made: Any = None
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        what, *rest = json.loads(line)
        answer: Any = None
        if what == "pin":
            os.sched_setaffinity(0, rest[0])
        elif what == "make":
            engine, name, n, dtype, threads = rest
            formula = next(f for f in KERNELS if f.name == name)
            data = inputs(formula, n, dtype)
            begin = time.perf_counter()
            try:
                made = ENGINES[engine](formula, data, threads)
                made[0]()
                answer = 1e3 * (time.perf_counter() - begin)
            except Unavailable as error:
                answer = str(error)
        elif what == "save":
            np.save(rest[0], np.asarray(made[1](), np.float64))
        elif what == "time":
            call, begin = made[0], time.perf_counter()
            for _ in range(rest[0]):
                call()
            answer = time.perf_counter() - begin
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve()
