"""Programs of loops outside of Python: exported objects, source text, predicted cycles."""

import ctypes
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from codegen.instruction import Argument
from codegen.kernel import Kernel
from codegen.loops.predict import predict_rolled
from codegen.loops.program import Cells, Map, Reduce, Result, Rolled, Scatter, Zero
from codegen.program import ProgramBuilder
from codegen.target import get, host
from codegen.targets.derive import target_of
from rewrite.errors import TargetError
from tests.codegen.test_rolled import (
    CASES,
    Maker,
    expected_of,
    points,
    reactions,
    same_bits,
    stencil,
)

CC = shutil.which("cc") or ""
needs_cc = pytest.mark.skipif(not CC, reason="there is no C compiler (cc)")


def results(program: Rolled, count: int, dtype: Any) -> list[Any]:
    kinds = [np.uint8 if output.type == "b" else dtype for output in program.outputs]
    pairs = zip(program.outputs, kinds, strict=True)
    return [np.full((count, *output.shape), 7, kind) for output, kind in pairs]


def call(function: Any, *words: Any) -> None:
    function(*(ctypes.c_void_p(w.ctypes.data) if isinstance(w, np.ndarray) else w for w in words))


@needs_cc
@pytest.mark.parametrize("seed", range(3))
def test_exported_loops_have_the_bits_of_the_kernel(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    program = Maker(rng).program()
    name = "made"
    made = Kernel(program).export(name, folder=tmp_path, kind="shared")
    library = ctypes.CDLL(str(made.binary))
    for dtype, suffix in ((np.float64, ""), (np.float32, "f")):
        kernel = Kernel(program, dtype=dtype)
        args = points(program, rng, 21, dtype)
        with np.errstate(all="ignore"):
            expected = kernel(*args)
        for count in (0, 1, 2, 21):
            found = results(program, 21, dtype)
            function = getattr(library, f"{name}{suffix}")
            call(function, ctypes.c_size_t(count), *(a[:count] for a in args), *found)
            for one, other in zip(found, expected, strict=True):
                same_bits(one[:count], other[:count].view(one.dtype))
                assert (one[count:] == 7).all()


@needs_cc
@pytest.mark.parametrize("batch_axis", [0, -1])
def test_a_c_program_calls_exported_loops(batch_axis: Any, tmp_path: Path) -> None:
    kernel = Kernel(stencil(21, last=True), dtype=np.float64, batch_axis=batch_axis)
    made = kernel.export("step", folder=tmp_path)
    assert "Each float type keeps up to" in made.header.read_text()
    (tmp_path / "main.c").write_text(MAIN.replace("LAST", str(int(batch_axis == -1))))
    flags = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O1", "-pthread"]
    command = [CC, *flags, "main.c", "step.o", "-lm", "-o", "main"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    u = np.random.default_rng(0).normal(size=(30, 441, 2))
    given = u if batch_axis == 0 else np.moveaxis(u, 0, -1)
    run = subprocess.run([tmp_path / "main"], input=given.tobytes(), capture_output=True)
    assert run.returncode == 0
    whole, strided = np.frombuffer(run.stdout).reshape(2, *given.shape)
    expected = kernel(given)
    same_bits(whole, expected)
    backwards = kernel(u[::-1]) if batch_axis == 0 else kernel(given[..., ::-1])
    same_bits(strided, np.ascontiguousarray(backwards))


MAIN = """
#include <pthread.h>
#include <stdio.h>
#include "step.h"

#define N 30
#define M 882
static double u[N * M], out[4][N * M];

static void *work(void *result)
{
    int k;
    for (k = 0; k < 20; k++) step(N, u, result);
    return 0;
}

int main(void)
{
    pthread_t all[3];
    int k;
    if (fread(u, sizeof(double), N * M, stdin) != N * M) return 1;
    for (k = 0; k < 3; k++) pthread_create(&all[k], 0, work, out[k]);
    for (k = 0; k < 3; k++) pthread_join(all[k], 0);
    for (k = 0; k < N * M; k++)
        if (out[0][k] != out[1][k] || out[0][k] != out[2][k]) return 2;
    fwrite(out[0], sizeof(double), N * M, stdout);
#if LAST
    step_strided(N, u + N - 1, -1, N, out[3], 1, N);
#else
    step_strided(N, u + (N - 1) * M, -M, out[3], M);
#endif
    fwrite(out[3], sizeof(double), N * M, stdout);
    return 0;
}
"""


@needs_cc
@pytest.mark.skipif(not host().triple.endswith("linux-gnu"), reason="counts memory of glibc")
def test_memory_is_given_back_when_the_library_is_closed(tmp_path: Path) -> None:
    Kernel(reactions(9000, 9000), dtype=np.float64).export("net", folder=tmp_path, kind="shared")
    (tmp_path / "main.c").write_text(CLOSED)
    command = [CC, "main.c", "-ldl", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    run = subprocess.run([tmp_path / "main"], cwd=tmp_path, capture_output=True, text=True)
    kept, left = map(int, run.stdout.split())
    assert kept > 9000 * 8 > 2000 > left


CLOSED = """
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
static double u[9000], out[9000];
static long held(void) { struct mallinfo2 m = mallinfo2(); return m.uordblks + m.hblkhd; }
int main(void)
{
    long before = 0, inside = 0;
    int k;
    for (k = 0; k < 5; k++) {
        void *library = dlopen("./libnet.so", RTLD_NOW);
        void (*net)(size_t, const double *, double *);
        *(void **)&net = dlsym(library, "net");
        if (k == 1) before = held();
        net(1, u, out);
        if (k == 1) inside = held() - before;
        dlclose(library);
    }
    {
        void *library = dlopen("./libnet.so", RTLD_NOW);
        printf("%ld %ld", inside, held() - before);
        dlclose(library);
    }
    return 0;
}
"""


def test_loops_are_exported_for_other_architectures(tmp_path: Path) -> None:
    kernel = Kernel(CASES["network"])
    other = "neon" if host().name != "neon" else "avx2"
    made = kernel.export("net", folder=tmp_path, targets=other)
    assert made.binary.stat().st_size > 1000


def test_results_without_arguments_are_exported(tmp_path: Path) -> None:
    if not CC:
        pytest.skip("there is no C compiler (cc)")
    program = reactions(40, 700)
    numbers = rw.compile([], [rw.const(k) * rw.pi for k in range(3000)], optimize_terms=False)
    assert isinstance(numbers.program, Rolled) and program.arguments
    made = numbers.export("numbers", folder=tmp_path, kind="shared", dtype="f64")
    out = np.zeros((2, 3000))
    call(ctypes.CDLL(str(made.binary)).numbers, ctypes.c_size_t(2), out)
    same_bits(out, np.stack([numbers()] * 2))


# -- source text -----------------------------------------------------------------------------


@needs_cc
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("seed", range(3))
def test_source_text_is_the_same_function(dtype: Any, seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    program = Maker(rng).program()
    kernel = Kernel(program, dtype=dtype, results="tuple")
    args = points(program, rng, 3, dtype)
    with np.errstate(all="ignore"):
        expected = kernel(*args)
        scope: dict[str, Any] = {}
        exec(kernel.python_source, scope)
        made = scope["random"](*args)
        single = scope["random"](*(a[1] for a in args))
    library = compiled(kernel.c_source, tmp_path / "f")
    found = results(program, 3, dtype)
    for k in range(3):
        numbers = [a[k] for a in args]
        words = [n if n.ndim else native(n) for n in numbers]
        call(library.random_, *words, *(r[k] for r in found))
    for one, two, three, other in zip(found, made, single, expected, strict=True):
        assert two.dtype == other.dtype and two.shape == other.shape
        assert alike(one, other) and alike(two, other) and alike(three, other[1])


def native(number: Any) -> Any:
    return np.ctypeslib.as_ctypes_type(number.dtype)(number)


def alike(found: Any, expected: Any) -> bool:
    """Functions of other libraries, and sums in another order, differ in last bits."""
    digits = 1e-9 if expected.dtype == np.float64 else 1e-2
    size = np.nanmax(np.abs(expected[np.isfinite(expected)]), initial=1.0)
    near = np.isclose(found, expected, rtol=digits, atol=digits * size, equal_nan=True)
    return bool((near | ~np.isfinite(expected)).all())


def compiled(text: str, place: Path) -> ctypes.CDLL:
    source, library = place.with_suffix(".c"), place.with_suffix(".so")
    source.write_text(text)
    flags = ["-Wall", "-Werror", "-Wno-unused", "-std=c99", "-O1"]
    flags += ["-ffp-contract=off", "-shared", "-fPIC"]
    command = [CC, *flags, "-o", library, source, "-lm"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))


def test_sums_of_one_row_are_written_as_array_operations() -> None:
    b = ProgramBuilder("product")
    b.output("z", b.emit("mul", b.load(b.argument("x")), b.load(b.argument("y"))))
    body = b.finish()

    def cells(segment: int, *index: int) -> Cells:
        return Cells(segment, np.array(index, np.int32))

    steps = (
        Reduce(body, (cells(0, 0, 1, 2), cells(0, 3, 3, 3)), np.array([0, 3], np.int32),
               cells(1, 0)),
        Reduce(body, (cells(0, 1), cells(0, 2)), np.array([0, 1], np.int32), cells(1, 0), True),
        Zero(cells(1, 1)),
        Scatter(body, (cells(0, 2), cells(0, 3)), (cells(1, 1),)),
        Map(body, (cells(0, 2), cells(0, 3)), (cells(1, 2),)),
    )  # fmt: skip
    program = Rolled((Argument("u", (4,)),), (Result("y", (3,)),), 0, steps, "few").verify()
    kernel, scope = Kernel(program), dict[str, Any]()
    exec(kernel.python_source, scope)
    u = np.random.default_rng(0).integers(-5, 5, (2, 7, 4)).astype(float)
    for given in (u, u[0], u[0, 0]):
        assert np.array_equal(scope["few"](given), kernel(given))


@needs_cc
@pytest.mark.parametrize("name", ["network", "planes", "line"])
def test_c_source_without_functions_has_the_same_bits(name: str, tmp_path: Path) -> None:
    program = CASES[name]
    (args,) = points(program, np.random.default_rng(3), 2, np.float64)
    (expected,) = expected_of(program, [args], np.float64)
    kernel = Kernel(program, dtype=np.float64)
    library = compiled(kernel.c_source, tmp_path / "f")
    out = np.empty_like(expected[0])
    call(getattr(library, program.name), args[0], out)
    if name != "line":  # which has sines
        same_bits(out, expected[0])


def test_tables_of_a_stencil_are_written_once() -> None:
    kernel = Kernel(stencil(9, last=False), dtype=np.float64)
    assert kernel.c_source.count("static const") == 1
    assert kernel.python_source.count("np.array(") == 1


# -- prediction ------------------------------------------------------------------------------


def test_prediction_follows_the_instances() -> None:
    target = target_of("znver4", "avx512")

    def cycles(species: int, count: int, n: int) -> float:
        found = predict_rolled(reactions(species, count), target, n=n)
        assert found.cycles >= found.overlap >= found.units > 0
        return found.cycles

    small, large = cycles(300, 3000, 1), cycles(300, 30_000, 1)
    assert 6 < large / small < 14
    assert cycles(300, 3000, 64) < small / 2
    wide = [predict_rolled(stencil(n, last=False), target, n=1).cycles for n in (30, 60, 120)]
    assert 3 < wide[1] / wide[0] < 6 and 3 < wide[2] / wide[1] < 6


def test_what_does_not_fit_caches_is_bound_by_memory() -> None:
    target = target_of("znver4", "avx512")
    found = predict_rolled(stencil(21, last=False), target, n=100_000)
    assert found.memory > 4 * predict_rolled(stencil(21, last=False), target, n=1).memory


@pytest.mark.parametrize(("seed", "n"), [(0, 1), (1, 64)])
def test_every_form_is_predicted_on_every_core(seed: int, n: int) -> None:
    program = Maker(np.random.default_rng(seed)).program()
    for cpu, isa in (("znver4", "avx512"), ("znver3", "avx2"), ("neoverse-n1", "neon")):
        assert predict_rolled(program, target_of(cpu, isa), n=n).cycles > 0


def test_a_kernel_of_loops_shows_what_is_predicted() -> None:
    states = rw.symbols(" ".join(f"s{k}" for k in range(400)))
    rates = [a * b - c for a, b, c in zip(states, states[1:], states[2:], strict=False)]
    kernel = rw.compile([list(states)], rates, dtype=np.float64)
    assert isinstance(kernel.program, Rolled)
    kernel.target = target_of("znver4", "avx512")
    found = kernel.predict(1)
    assert kernel.cost.predicted == found.cycles and found.core == "zen4"
    with pytest.raises(TargetError, match="'pentium' is not described"):
        predict_rolled(kernel.program, replace(get("neon"), cpu="pentium"))
