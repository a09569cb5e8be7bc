"""Functions with data-dependent control flow: what CPython computes, in every lane."""

import ctypes
import importlib.util
import linecache
import math
import pickle
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from codegen.program import Program
from rewrite.errors import ArgumentError, TargetError, TraceError

PLACE = Path(__file__).parent.parent / "bench" / "control_functions.py"
spec = importlib.util.spec_from_file_location("control_functions", PLACE)
assert spec is not None and spec.loader is not None
functions = importlib.util.module_from_spec(spec)
sys.modules["control_functions"] = functions
spec.loader.exec_module(functions)

APPROXIMATE = {
    "kepler": 1e-12, "log_gamma": 3e-14, "call_price": 1e-12, "sinc": 4e-16,
}  # fmt: skip
"""Functions of libm in them are within an ulp on both sides: relative deviation allowed."""


def python(fn: Callable[..., Any], *args: Any) -> Any:
    """Run CPython at each point."""
    rows = zip(*(np.asarray(arg).tolist() for arg in args), strict=True)
    results = [fn(*row) for row in rows]
    return np.array(results, np.float64).T


def lines_of(fn: Callable[..., Any], *args: Any) -> set[int]:
    """Return the lines that run at some points."""
    seen: set[int] = set()

    def trace(frame: Any, event: str, arg: Any) -> Any:
        if frame.f_code is fn.__code__:
            seen.add(frame.f_lineno)
            return trace
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        python(fn, *args)
    finally:
        sys.settrace(before)
    return seen


@pytest.mark.parametrize("fn", functions.POINTS, ids=lambda fn: fn.__name__)
def test_functions_as_people_write_them(fn: Callable[..., Any]) -> None:
    args = functions.points(fn, 333)
    lines = {line for _, _, line in fn.__code__.co_lines() if line}
    body = lines - {fn.__code__.co_firstlineno}
    assert body <= lines_of(fn, *args), "the points leave out a line"
    jitted = rw.jit(control_flow=True)(fn)
    found = np.array(jitted(*args), np.float64)
    wanted = python(fn, *args)
    tolerance = APPROXIMATE.get(fn.__name__)
    if tolerance is None:
        np.testing.assert_array_equal(found, wanted)
    else:
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=1e-13)
    one = jitted(*(arg[7] for arg in args))
    np.testing.assert_array_equal(np.array(one, np.float64), found[..., 7])
    pieces = [np.array(jitted(*(arg[a:b] for arg in args)), float) for a, b in ((0, 9), (9, 333))]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=-1), found)


@pytest.mark.parametrize("target", ["sse2", "avx2", "avx512", "neon"])
def test_loops_are_emitted_for_all_targets(target: str) -> None:
    kernel = compiled(functions.mandelbrot, 0.0, 0.0)
    for dtype in (np.float64, np.float32):
        assert len(kernel.assembly(target, dtype)) > 500


def compiled(fn: Callable[..., Any], *args: Any, **options: Any) -> rw.Kernel:
    jitted = rw.jit(control_flow=True, **options)(fn)
    jitted(*args)
    kernel = jitted.kernels[0]
    assert isinstance(kernel, rw.Kernel)
    return kernel


@pytest.mark.isa("avx512f")
def test_the_same_bits_on_all_targets() -> None:
    a, b = functions.points(functions.mandelbrot, 500)
    results = [
        compiled(functions.nested, 0.0, 0.0, target=target)(a * 3, np.abs(b) * 20 // 1)
        for target in ("sse2", "avx2", "avx512")
    ]
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


def test_float32_and_threads() -> None:
    a, b = (x.astype(np.float32) for x in functions.points(functions.mandelbrot, 20_000))
    single = rw.jit(control_flow=True)(functions.mandelbrot)(a, b)
    assert single.dtype == np.float32
    several = rw.jit(control_flow=True, parallel=2)(functions.mandelbrot)(a, b)
    np.testing.assert_array_equal(single, several)


def test_kernels_are_programs_like_others() -> None:
    kernel = compiled(functions.nested, 1.0, 2.0)
    program = kernel.program
    assert isinstance(program, Program) and Program.parse(str(program)) == program
    again = pickle.loads(pickle.dumps(kernel))
    args = functions.points(functions.nested, 50)
    np.testing.assert_array_equal(again(*args), kernel(*args))
    assert "while" in str(program) and "stretch 1" in str(kernel.report)
    with pytest.raises(TargetError, match=r"measure\(\)"):
        kernel.predict()
    for text in ("c_source", "python_source"):
        with pytest.raises(TargetError, match="the function that it was made of"):
            getattr(kernel, text)()


def test_a_function_that_is_sent_keeps_its_loops() -> None:
    again = pickle.loads(pickle.dumps(rw.jit(control_flow=True)(functions.collatz)))
    assert again.control_flow and again(27) == 111


def test_the_kind_of_an_argument_is_known_without_its_values() -> None:
    dask = pytest.importorskip("dask.array")
    seen: list[Any] = []

    def watched(block: Any) -> Any:
        seen.append(block)
        return block

    lazy = dask.arange(4, chunks=2).map_blocks(watched, dtype="int64")
    found = rw.jit(control_flow=True)(functions.digit_sum)(lazy)
    assert not [block for block in seen if len(block)]
    np.testing.assert_array_equal(found.compute(), np.arange(4.0))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64])
def test_arrays_of_small_integers_count_as_far_as_others(dtype: Any) -> None:
    n = np.array([27, 103, 120, 91], dtype)

    def highest(n: Any, x: Any) -> Any:
        top = n * x
        for _ in range(6):
            n = 31 * n + 1
            top = max(top, n)
        return top

    x = np.ones(4, np.float32)
    found = rw.jit(control_flow=True)(highest)(n, x)
    np.testing.assert_array_equal(found, python(highest, n, x))
    assert rw.jit(control_flow=True)(highest)(n[0], np.float32(1)) == found[0]


def test_zero_of_integers_has_no_sign() -> None:
    def signs(n: Any, m: Any, x: Any) -> Any:
        total = 0
        for _ in range(2):
            total = -total * n
        made = [-n, n * m, n * -2, total, int(x), round(x), math.floor(x), -int(x), (x > 0) * -1]
        places = []
        for value in made:
            places.append(math.copysign(1.0, value))
        return tuple(places)

    n, m, x = np.meshgrid([-2, 0, 3], [-1, 0, 2], [-0.0, 0.0, -0.3, 0.3, 2.0])
    args = (n.ravel(), m.ravel(), x.ravel())
    found = rw.jit(control_flow=True)(signs)(*args)
    np.testing.assert_array_equal(np.array(found), python(signs, *args))


def test_zero_of_floats_keeps_its_sign() -> None:
    def signs(n: Any, x: Any) -> Any:
        places = []
        for value in (-x, n * x, -0.0 * n, -np.floor(x)):
            places.append(math.copysign(1.0, value))
        return tuple(places)

    n, x = np.meshgrid([-2, 0, 3], [-0.0, 0.0, 0.3])
    args = (n.ravel(), x.ravel())
    found = rw.jit(control_flow=True)(signs)(*args)
    np.testing.assert_array_equal(np.array(found), python(signs, *args))


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_loops_are_exported(tmp_path: Path) -> None:
    kernel = compiled(functions.newton_root, 2.0)
    found = kernel.export("root", folder=tmp_path, kind="shared", dtype=np.float64)
    library = ctypes.CDLL(str(found.binary))
    x = np.linspace(0, 50, 37)
    out = np.empty_like(x)
    pointer = ctypes.POINTER(ctypes.c_double)
    library.root(ctypes.c_size_t(len(x)), x.ctypes.data_as(pointer), out.ctypes.data_as(pointer))
    np.testing.assert_array_equal(out, kernel(x))


def test_without_loops_it_is_an_ordinary_kernel() -> None:
    kernel = compiled(functions.huber, 1.0, 1.0)
    assert isinstance(kernel.program, Program) and not kernel.program.steps
    assert kernel.terms[0].op is rw.ops.where


def test_what_does_not_change_is_computed_before_the_loop() -> None:
    def powers(x: Any, n: Any) -> Any:
        total = 0.0
        for _ in range(n):
            total += math.exp(x) * total + math.sqrt(x)
        return total

    program = compiled(powers, 1.0, 3).program
    assert isinstance(program, Program)
    assert not {"exp", "sqrt"} & program.steps[0].ops and {"exp", "sqrt"} <= program.ops


def test_guarded_and_fast_algebra_in_loops() -> None:
    def horner(x: Any, n: Any) -> Any:
        total = 0.0
        for k in range(n):
            total = total * x + x * k + x * 2
        return total

    x, n = np.linspace(0, 1, 40), np.arange(40) % 7
    wanted = python(horner, x, n)
    for math_ in ("guarded", "fast"):
        found = rw.jit(control_flow=True, math=math_)(horner)(x, n)
        np.testing.assert_allclose(found, wanted, rtol=1e-13)


# -- Python's numbers ------------------------------------------------------------------------


@given(
    st.floats(-1e6, 1e6, allow_subnormal=False) | st.integers(-100, 100).map(float),
    st.floats(-1e3, 1e3, allow_subnormal=False) | st.integers(-9, 9).map(float),
)
@settings(max_examples=60, deadline=None)
def test_division_with_rest(a: float, b: float) -> None:
    if b == 0:
        return
    wanted = (a // b, a % b, *divmod(a, b))
    found = DIVISION(a, b)
    for one, other in zip(found, wanted, strict=True):
        assert float(one) == other and math.copysign(1, one) == math.copysign(1, other)


def _division(a: Any, b: Any) -> Any:
    q, r = divmod(a, b)
    return a // b, a % b, q, r


DIVISION = rw.jit(control_flow=True)(_division)


def test_words_of_python() -> None:
    def words(x: Any, y: Any) -> Any:
        both = x > 0 and y > 0
        either = x or y
        chain = -1 < x <= y
        least, most = min(x, y, 1), max([x, y])
        flag = not both
        number = True + both
        whole = int(x) + round(y) + math.floor(x) + math.ceil(y) + math.trunc(x)
        z: Any = x if chain else y
        z += (w := abs(y)) + w
        return (
            both,
            either,
            chain,
            least,
            most,
            flag,
            number,
            whole,
            z,
            pow(x, 2),
            +x,
            math.hypot(x, y),
        )

    values = [-2.5, -1.0, 0.0, 0.5, 1.5, 2.5]
    args = np.array([(a, b) for a in values for b in values]).T
    found = rw.jit(control_flow=True)(words)(*args)
    wanted = [words(float(a), float(b)) for a, b in args.T]
    for place, column in enumerate(zip(*wanted, strict=True)):
        np.testing.assert_allclose(
            np.array(found[place], float), np.array(column, float), rtol=3e-16
        )


def test_sums_start_where_they_are_told() -> None:
    def sums(x: Any) -> Any:
        return sum([x, x * 2], 1), sum([x, 3], start=x), sum((), start=x)

    found = rw.jit(control_flow=True)(sums)(1.5)
    assert found == sums(1.5) == (5.5, 6.0, 1.5)


def test_containers_that_are_known() -> None:
    def sums(x: Any, coefficients: Any) -> Any:
        total, table = 0, {"a": 2.0, "b": x}
        for k, (c, d) in enumerate(zip(coefficients, reversed(coefficients), strict=True)):
            if k == 2:
                break
            total += c * x + d + table["b"]
        for k in range(len(coefficients)):
            total = total * x + coefficients[k]
        return {"total": total + sum(coefficients) + sum((x, x)), "first": [table["a"]]}

    found = rw.jit(control_flow=True, static=["coefficients"])(sums)(2.5, (1.0, 2.0, 4.0))
    wanted = sums(2.5, (1.0, 2.0, 4.0))
    assert float(found["total"]) == wanted["total"] and float(found["first"][0]) == 2.0


def test_whole_arrays() -> None:
    def first_large(values: Any, limit: Any) -> Any:
        for k in range(len(values)):
            if values[k] > limit:
                return k
        return -1

    jitted = rw.jit(control_flow=True, arrays=["values"])(first_large)
    values = np.array([0.5, 0.1, 2.0, 9.0])
    assert [float(jitted(values, limit)) for limit in (0.0, 0.7, 5.0, 10.0)] == [0, 2, 3, -1]


def test_functions_call_functions() -> None:
    def outer(a: Any, n: Any) -> Any:
        total = 0
        for k in range(n):
            total += functions.gcd(a, k)
        return total

    args = np.arange(1, 30), np.arange(29)
    np.testing.assert_array_equal(rw.jit(control_flow=True)(outer)(*args), python(outer, *args))


def test_ways_out_of_nested_loops() -> None:
    def search(a: Any, b: Any) -> Any:
        tries = 0
        while True:
            for k in range(20):
                tries += 1
                if k * a > b:
                    return tries, k
                if k > 12:
                    break
            else:
                tries += 1000
            b -= 1.0
            if tries > 60:
                break
        found = b
        return tries, found

    a, b = np.linspace(-1, 2, 41), np.linspace(-3, 30, 41)
    found = np.array(rw.jit(control_flow=True)(search)(a, b))
    wanted = np.array([search(*row) for row in zip(a.tolist(), b.tolist(), strict=True)]).T
    np.testing.assert_array_equal(found, wanted)


def breaks(x: Any, n: Any) -> Any:
    last = -1
    for k in range(n):
        x += 1
        if x > 3:
            last = k
            x = x * 2
            break
    return x, last


def continues(x: Any, n: Any) -> Any:
    kept = 0.0
    for k in range(n):
        if x > k:
            kept += x
            x -= 2
            continue
        x += 0.5
    return x, kept


def breaks_for_sure(x: Any, y: Any) -> Any:
    s = 0.5
    for k in range(3):
        s += k
        if x < y:
            if s < 2:
                break
            x = x * 2
        else:
            x = x + y
    return x, s


def test_what_is_assigned_before_a_way_out_stays() -> None:
    x, n = np.linspace(-3, 5, 33), np.arange(33) % 7
    for fn, args in ((breaks, (x, n)), (continues, (x, n)), (breaks_for_sure, (x, x[::-1]))):
        found = np.array(rw.jit(control_flow=True)(fn)(*args))
        np.testing.assert_array_equal(found, python(fn, *args), err_msg=fn.__name__)


# -- random functions ------------------------------------------------------------------------

NAMES = ("x", "y", "s", "t")


class Author:
    """Writes a random function that ends: loops count, or are bounded by a fuel."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.lines = ["def f(x, y):", "    s = 0.5", "    t = 2.0", "    fuel = 0"]

    def one(self, *choices: str) -> str:
        return self.draw(st.sampled_from(choices))

    def atom(self) -> str:
        return self.one(*NAMES, "1", "0.25", "3", "2.0")

    def expression(self) -> str:
        a, b = self.atom(), self.atom()
        plain = [f"({a} {sign} {b}) * 0.5" for sign in "+-*"]
        called = [f"min({a}, {b})", f"abs({a} - {b})", f"({a} * 0.5) % 2"]
        return self.one(*plain, *called, f"{a} if {self.condition()} else {b}")

    def condition(self) -> str:
        plain = f"{self.atom()} {self.one('<', '>=', '!=')} {self.atom()}"
        more = f" and {self.atom()} > {self.atom()}", f" or not {self.atom()} < 1"
        return plain + self.one("", "", *more)

    def block(self, depth: int, indent: str, loop: bool) -> None:
        for _ in range(self.draw(st.integers(1, 3))):
            kinds = ["assignment", "assignment", "way_out" if loop else "assignment"]
            kinds += ["choice", "choice", "counting", "waiting"] if depth < 3 else []
            getattr(self, self.one(*kinds))(depth, indent, loop)

    def assignment(self, depth: int, indent: str, loop: bool) -> None:
        sign = self.one("=", "=", "+=")
        self.lines.append(f"{indent}{self.one(*NAMES)} {sign} {self.expression()}")

    def way_out(self, depth: int, indent: str, loop: bool) -> None:
        self.lines.append(f"{indent}if {self.condition()}:")
        if self.draw(st.booleans()):
            self.assignment(depth, indent + "    ", loop)
        way = self.one("break", "continue", f"return {self.atom()}, {self.expression()}")
        self.lines.append(f"{indent}    {way}")

    def choice(self, depth: int, indent: str, loop: bool) -> None:
        self.lines.append(f"{indent}if {self.condition()}:")
        self.block(depth + 1, indent + "    ", loop)
        if self.draw(st.booleans()):
            self.lines.append(f"{indent}else:")
            self.block(depth + 1, indent + "    ", loop)

    def counting(self, depth: int, indent: str, loop: bool) -> None:
        size = self.one("3", "12", "int(min(abs(y), 1e6)) % 5", "2, 11, 3")
        self.lines += [f"{indent}for k in range({size}):", f"{indent}    s += k * 0.125"]
        self.block(depth + 1, indent + "    ", True)

    def waiting(self, depth: int, indent: str, loop: bool) -> None:
        self.lines.append(f"{indent}while ({self.condition()}) and fuel < 40:")
        self.lines.append(f"{indent}    fuel += 1")
        self.block(depth + 1, indent + "    ", True)


@st.composite
def sources(draw: st.DrawFn) -> str:
    author = Author(draw)
    author.block(0, "    ", False)
    return "\n".join([*author.lines, "    return s, t + x - y", ""])


COUNT = iter(range(10**9))


def defined(text: str) -> Callable[..., Any]:
    """Define a function from text, whose source can be read."""
    name = f"<random function {next(COUNT)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    space: dict[str, Any] = {"__name__": "random_functions"}
    exec(compile(text, name, "exec"), space)
    found: Callable[..., Any] = space["f"]
    return found


GRID = np.array([(a, b) for a in (-2.0, -0.3, 0.0, 0.7, 3.0) for b in (-1.7, 0.0, 0.4, 2.5, 6.0)]).T


@settings(max_examples=25, deadline=None)
@given(sources())
def test_random_functions(text: str) -> None:
    agree(text)


@pytest.mark.nightly
@settings(max_examples=2000, deadline=None)
@given(sources())
def test_many_random_functions(text: str) -> None:
    agree(text)


@pytest.mark.cuda
@settings(max_examples=20, deadline=None)
@given(sources())
def test_random_functions_on_a_gpu(text: str) -> None:
    agree(text, target="cuda")


def agree(text: str, **options: Any) -> None:
    fn = defined(text)
    wanted = np.array([fn(float(a), float(b)) for a, b in GRID.T], np.float64).T
    made = rw.jit(control_flow=True, optimize_terms=False, **options)(fn)(*GRID)
    found = np.array(made, np.float64)
    np.testing.assert_array_equal(np.broadcast_to(found, wanted.shape), wanted, err_msg=text)


@pytest.mark.cuda
@pytest.mark.isa("fma")
@pytest.mark.parametrize("fn", functions.POINTS, ids=lambda fn: fn.__name__)
def test_threads_of_a_gpu_compute_what_lanes_do(fn: Callable[..., Any]) -> None:
    few = [np.asarray(column)[:12] for column in functions.points(fn, 12)]
    made = compiled(fn, *few)
    from codegen.cuda.kernel import CudaKernel
    from codegen.target import get

    ours = CudaKernel(made.program, get("cuda"), dtype=made.dtype)(*few)
    np.testing.assert_array_equal(ours, made(*few))


@pytest.mark.nvvm
def test_loops_become_ptx() -> None:
    text = compiled(functions.collatz, 3.0).assembly("cuda")
    assert text.count(".visible .entry") == 1 and "bra" in text


def test_auto_runs_loops_on_the_cpu() -> None:
    steps = rw.jit(control_flow=True, target="auto")(functions.collatz)
    assert steps(27.0) == functions.collatz(27) and "AutoKernel" in repr(steps.kernels[0])


# -- bad input -------------------------------------------------------------------------------


IN_PLACE = "changes an object in a loop, or where a condition holds"
REFUSED = {
    "list in a choice": (
        "a = []\nif x > 0:\n    a.append(1.0)\nreturn x + len(a)", f"append {IN_PLACE}",
        "a.append(1.0)",
    ),
    "list in a loop": (
        "a = []\nwhile x > 1:\n    a.append(1.0)\n    x -= 1\nreturn x + len(a)",
        f"append {IN_PLACE}", "a.append(1.0)",
    ),
    "list after a way out": (
        "a = []\nif x > 0:\n    return 1.0\nlist.append(a, x)\nreturn a[0]", f"append {IN_PLACE}",
        "list.append(a, x)",
    ),
    "iterator in a loop": (
        "it = iter((1.0, 2.0))\nwhile x > 1:\n    x -= next(it)\nreturn x", f"next {IN_PLACE}",
        "x -= next(it)",
    ),
    "attribute": (
        "f = iter\nif x > 0:\n    setattr(f, 'n', 1.0)\nreturn x", f"setattr {IN_PLACE}",
        "setattr(f, 'n', 1.0)",
    ),
    'missing': (
        'if x > 0:\n    y = 1\nreturn y',
        "'y' may have no value here", 'return y',
    ),
    'missing_after_loop': (
        'while x > 1:\n    y = x\n    x -= 1\nreturn y',
        "'y' may have no value here", 'return y',
    ),
    'no_return': (
        'if x > 0:\n    return x',
        'may end without return', 'def f(x):',
    ),
    'endless': (
        'while True:\n    x += 1\nreturn x',
        'never ends', 'while True:',
    ),
    'tries': (
        'try:\n    return 1 / x\nexcept ZeroDivisionError:\n    return 0',
        'try cannot be compiled', 'try:',
    ),
    'raises': (
        'if x < 0:\n    raise ValueError\nreturn x',
        'raise cannot be compiled', 'raise ValueError',
    ),
    'indexes': (
        'return (1, 2, 3)[x]',
        'only known places', 'return (1, 2, 3)[x]',
    ),
    'writes': (
        'a = [1, 2]\na[0] = x\nreturn a[0]',
        'no elements or attributes', 'a[0] = x',
    ),
    'texts': (
        "s = 'a' if x > 0 else 'b'\nreturn s",
        'only numbers can be chosen', "s = 'a' if x > 0 else 'b'",
    ),
    'comprehends': (
        'return sum([x * k for k in range(3)])',
        'a comprehension', 'return sum([x * k for k in range(3)])',
    ),
    'prints': (
        'print(x)\nreturn x',
        'print of numbers', 'print(x)',
    ),
    'recurses': (
        'return f(x - 1) if x > 0 else 0',
        'more than 50 deep', 'return f(x - 1) if x > 0 else 0',
    ),
    'unknown': (
        'return undefined_name + x',
        "'undefined_name' is not defined", 'return undefined_name + x',
    ),
    'grows': (
        'pair = (x, x)\nwhile x > 0:\n    pair = (pair[1], x)\n    x -= 1\nreturn pair[0]',
        'give its parts names', 'while x > 0:',
    ),
    'becomes_text': (
        "y = x\nwhile x > 0:\n    y = 'text'\n    x -= 1\nreturn y",
        'is no number after', 'while x > 0:',
    ),
    'steps': (
        'total = 0\nfor k in range(0, 10, x):\n    total += k\nreturn total',
        'step of a range must be known', 'for k in range(0, 10, x):',
    ),
    'returns_text': (
        "return 'text'",
        'return numbers', 'def f(x):',
    ),
    'takes_apart': (
        'a, b = x\nreturn a',
        'one number cannot be taken apart', 'a, b = x',
    ),
    'complex': (
        'return x * 1j',
        'complex numbers', 'return x * 1j',
    ),
    'none': (
        'for k in range(3):\n    if x > k:\n        return\nreturn x',
        'return a number', 'return',
    ),
    'fractions': (
        'for k in range(0.5):\n    x += k\nreturn x',
        'whole numbers', 'for k in range(0.5):',
    ),
    'shifts': (
        'return x << 2',
        'operator LShift', 'return x << 2',
    ),
    'in': (
        'return 1 if x in (1, 2) else 0',
        "'in' a container", 'return 1 if x in (1, 2) else 0',
    ),
    "equal containers": (
        "return 1 if (x, 1) == (1.5, 1) else 0", "compare their parts",
        "return 1 if (x, 1) == (1.5, 1) else 0",
    ),
    "order of containers": (
        "return 1 if [x] < [2.0] else 0", "compare their parts", "return 1 if [x] < [2.0] else 0",
    ),
    "known number in a container": (
        "return 1 if 1.5 in (x, 2) else 0", "compare their parts",
        "return 1 if 1.5 in (x, 2) else 0",
    ),
    "place of a number": (
        "return (x, 1.5).index(1.5)", "index of numbers", "return (x, 1.5).index(1.5)",
    ),
    "how often a number is there": (
        "return [1, 2].count(x)", "count of numbers", "return [1, 2].count(x)",
    ),
    "identity of a truth value": (
        "return 1 if (x > 1) is True else 0", "'is' between numbers",
        "return 1 if (x > 1) is True else 0",
    ),
    "identity of numbers": (
        "y = x + 1\nreturn 1 if y is not x else 0", "'is' between numbers",
        "return 1 if y is not x else 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compiled(name: str) -> None:
    body, message, line = REFUSED[name]
    fn = defined("def f(x):\n" + textwrap.indent(body, "    ") + "\n")
    with pytest.raises(TraceError) as caught:
        rw.jit(control_flow=True)(fn)(1.5)
    text = str(caught.value)
    assert message in text and '  File "<random function ' in text, text
    assert text.splitlines()[-1].strip() == line


def test_functions_without_source() -> None:
    space: dict[str, Any] = {}
    exec("def f(x):\n    return x", space)
    for fn in (space["f"], math.sin):
        with pytest.raises(TraceError, match=r"cannot be read|no Python function"):
            rw.jit(control_flow=True)(fn)(1.5)
    double = rw.jit(control_flow=True)(lambda x: x + x if x > 0 else -x)
    assert double(2.0) == 4.0 and double(-3.0) == 3.0


def test_options_that_loops_do_not_have() -> None:
    for option in ({"strategy": "textbook"}, {"autotune": 3}, {"max_error": 2}):
        with pytest.raises(ArgumentError, match="not for functions with loops"):
            rw.jit(control_flow=True, **option)(functions.collatz)(3)
    with pytest.raises(ArgumentError, match="out="):
        rw.jit(control_flow=True, out=["x"])(functions.collatz)


def test_lists_grow_where_nothing_is_open() -> None:
    lines = ("a = []", "for k in range(3):", "    a.append(k * x)", "return sum(a)")
    fn = defined("def f(x):\n" + textwrap.indent("\n".join(lines), "    ") + "\n")
    assert rw.jit(control_flow=True)(fn)(2.0) == fn(2.0) == 6.0
