"""Numba's CUDA: whether it is here, what it lacks, and written source as something to launch.

The only module that imports `numba.cuda`, on first use. Under Numba's simulator
(NUMBA_ENABLE_CUDASIM=1) the same source runs as Python on NumPy's scalars.
"""

import importlib.util
import inspect
import linecache
import threading
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from typing import Any, Final

import numpy as np

from codegen.cuda import functions, simulated
from codegen.cuda.intrinsics import elements, intrinsics, memory, numbers
from codegen.cuda.rare import HUGE, TWO_OVER_PI
from codegen.cuda.source import PART, Form, functions_of
from codegen.instruction import MOST_AXES
from codegen.loops.program import Rolled
from codegen.program import Program
from codegen.target import Float
from rewrite.errors import TargetError

__all__ = ["DEFAULT_CC", "capability", "cuda", "is_simulated", "launchable", "missing", "ptx"]

DEFAULT_CC: Final = (9, 0)
"""Compute capability that code is shown for where there is no device."""

_LOCK: Final = threading.RLock()  # Numba's CUDA compiler is not thread-safe while it starts


@cache
def cuda() -> Any:
    """Return the module `numba.cuda` of numba-cuda; raise `TargetError` where it is not installed.

    A driver is not needed for it: PTX can be made anywhere.
    """
    if importlib.util.find_spec("numba_cuda") is None:
        raise TargetError(
            "target 'cuda' needs the package numba-cuda, which is not installed: "
            "pip install 'rewrite[cuda]' (or 'numba-cuda[cu13]'; it needs numpy<2.5)"
        )
    try:
        from numba import cuda as found
    except ImportError as error:
        raise TargetError(
            f"numba-cuda is installed but cannot be imported: {error}; numba-cuda 0.30 needs "
            f"numpy<2.5, and this is NumPy {np.__version__}"
        ) from error
    return found


def is_simulated() -> bool:
    """Tell whether kernels run under Numba's simulator."""
    cuda()
    from numba.cuda.core import config

    return bool(config.ENABLE_CUDASIM)


@cache
def missing() -> str | None:
    """Say what this machine lacks to run kernels on a GPU, or None."""
    try:
        found = cuda()
    except TargetError as error:
        return str(error)
    if is_simulated() or found.is_available():
        return None
    return f"target 'cuda' cannot run here: {_reason(found)}"


def _reason(found: Any) -> str:
    """Name what is not there: the driver, a device, or a driver of this age."""
    try:
        count = len(found.gpus)
    except found.cudadrv.error.CudaSupportError as error:
        text = " ".join(str(error).split()).strip(" :")
        return (
            "there is no NVIDIA driver that Numba can load (libcuda.so.1); install one, or run "
            f"where there is a GPU. Numba says: {text}"
        )
    if not count:
        return "the NVIDIA driver is here, but it sees no GPU (is CUDA_VISIBLE_DEVICES empty?)"
    return "the NVIDIA driver is here, but Numba cannot use it; python -m numba -s says more"


def require() -> None:
    """Raise `TargetError` that names what is missing to run kernels."""
    lacking = missing()
    if lacking:
        raise TargetError(
            f"{lacking}. Without a GPU: target='native' runs on the CPU, target='auto' takes what "
            "is there, and kernel.assembly('cuda') of a CPU kernel is the PTX text"
        )


def capability() -> tuple[int, int]:
    """Return the compute capability of the current device, or that which code is shown for."""
    if missing() or is_simulated():
        return DEFAULT_CC
    found = cuda().get_current_device().compute_capability
    return int(found[0]), int(found[1])


def launchable(source: str, program: Program | Rolled, form: Form) -> Any:
    """Return a dispatcher of `source`'s function `kernel`: `it[blocks, threads, stream](...)`."""
    with _LOCK:
        namespace = _namespace(program, form)
        if is_simulated():
            # each simulated thread is a thread of Python with NumPy's settings of its own
            source += (
                "\ndef quiet(*operands):\n    with errstate(all='ignore'):\n"
                "        kernel(*operands)\n"
            )
            namespace["errstate"] = np.errstate
            _execute(source, program.name, namespace)
            return cuda().jit(namespace["quiet"])
        _execute(source, program.name, namespace)
        _link(namespace)
        return cuda().jit(namespace["kernel"])


def ptx(
    source: str, program: Program | Rolled, form: Form, kinds: Sequence[Any], cc: tuple[int, int]
) -> str:
    """Return the PTX text of a kernel, through NVVM, which needs no device.

    `kinds` are NumPy dtypes of scalars, and (dtype, axes) of contiguous arrays, in the order of
    the kernel's parameters. Raise `TargetError` where NVVM is not installed.
    """
    found = cuda()
    if is_simulated():
        raise TargetError("there is no PTX under Numba's CUDA simulator")
    from numba.cuda import types
    from numba.cuda.np.numpy_support import from_dtype

    any_types: Any = types  # it takes its names from elsewhere
    signature = any_types.void(
        *[
            any_types.Array(from_dtype(np.dtype(kind[0])), kind[1], "C") if isinstance(kind, tuple)
            else from_dtype(np.dtype(kind))
            for kind in kinds
        ]
    )  # fmt: skip
    with _LOCK:
        namespace = _namespace(program, form)
        _execute(source, program.name, namespace)
        _link(namespace)
        try:
            text, _ = found.compile_ptx(namespace["kernel"], signature, cc=cc)
        except (OSError, ImportError, found.cudadrv.error.CudaSupportError) as error:
            raise TargetError(
                f"PTX needs NVVM, which cannot be loaded: {error}; pip install 'numba-cuda[cu13]'"
            ) from error
    return str(text)


def _execute(source: str, name: str, namespace: dict[str, Any]) -> None:
    """Run source so that tracebacks and Numba's messages can show its lines."""
    file = f"<cuda kernel {name} {sha256(source.encode()).hexdigest()[:12]}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    exec(compile(source, file, "exec"), namespace)


def _namespace(program: Program | Rolled, form: Form) -> dict[str, Any]:
    """Return what the source of a kernel names."""
    found = {
        **_words(form.dtype), **_elements(form.dtype, form.rank + MOST_AXES), "cuda": cuda(),
        "int32": np.int32, "int64": np.int64,
        "N": np.uint64 if form.wide else np.uint32,
    }  # fmt: skip
    for op in functions_of(program):
        found[op] = _function(op, form.dtype)
    return found


@cache
def _words(dtype: Float) -> dict[str, Any]:
    if is_simulated():
        found = {**simulated.words(), **simulated.memory()}
        found |= {f"libm_{name}": simulated.libm(name) for name in functions.DOUBLES}
    else:
        from numba.cuda import libdevice, types
        from numba.cuda.extending import intrinsic

        found = {**intrinsics(intrinsic, types, device=True), **memory(intrinsic, types)}
        found |= {f"libm_{name}": getattr(libdevice, name) for name in functions.DOUBLES}
    found |= numbers(dtype)
    if dtype == "f64":
        found["huge"] = _huge(found)
    return found


def _huge(words: dict[str, Any]) -> Any:
    """Return what reduces huge angles, for kernels to call."""
    namespace = {**words, "int64": np.int64, "TWO_OVER_PI": TWO_OVER_PI}
    _execute(HUGE, "huge", namespace)
    if is_simulated():
        return namespace["huge"]
    from numba.cuda import types

    makes: Any = types
    parts = makes.Tuple((makes.int64, makes.float64, makes.float64))
    return _callable(namespace["huge"], lambda *_: parts)


@cache
def _elements(dtype: Float, most: int) -> dict[str, Any]:
    if is_simulated():
        return simulated.elements(numbers(dtype)["F"], most)
    from numba.cuda import types
    from numba.cuda.extending import intrinsic

    made: Any = types
    real = made.float64 if dtype == "f64" else made.float32
    return elements(intrinsic, types, real, most)


@cache
def _function(op: str, dtype: Float) -> Any:
    """Return an elementary function for kernels to call."""
    if op == functions.SINCOS or functions.own(op, dtype):
        return _own(op, dtype)
    name = op.removeprefix("fast_")
    if not is_simulated():
        from numba.cuda import libdevice

        return getattr(libdevice, functions.device_name(name, dtype))
    number, double = _words(dtype)["F"], simulated.libm(name)
    return lambda *args: number(double(*args))


def _own(op: str, dtype: Float) -> Any:
    """Return one of our functions, which Numba compiles once and NVVM inlines."""
    namespace = dict(_words(dtype))
    _execute(functions.source(op, dtype), f"{op}_{dtype}", namespace)
    written = namespace[op]
    if is_simulated():
        return written
    from numba.cuda import types

    makes: Any = types

    def result(first: Any, *_: Any) -> Any:
        return makes.UniTuple(first, 2) if op == functions.SINCOS else first

    return _callable(written, result)


def _link(namespace: dict[str, Any]) -> None:
    """Let a kernel call the parts that it was cut into."""
    from numba.cuda import types

    makes: Any = types
    for name, written in list(namespace.items()):
        if name.startswith(PART) and name.removeprefix(PART).isdigit():
            namespace[name] = _callable(written, lambda *_: makes.none)


def _callable(written: Any, result: Callable[..., Any]) -> Any:
    """Return what kernels call a Python function as, which Numba compiles for them.

    `numba.cuda.jit(device=True)` would ask for a device.
    """
    from numba.cuda.extending import intrinsic

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.compile_internal(builder, written, sig, args)

    def typed(*kinds: Any) -> Any:
        return result(*kinds)(*kinds), generate

    given = ", ".join(inspect.signature(written).parameters)
    namespace = {"typed": typed}
    exec(f"def {written.__name__}(context, {given}): return typed({given})", namespace)
    return intrinsic(namespace[written.__name__])
