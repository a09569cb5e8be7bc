"""Exported kernels: what C sees, the bits of the Python kernel, and the choice of a target."""

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import ir
from numpy.typing import NDArray

import rewrite as rw
from codegen.kernel import Kernel
from codegen.llvm.dispatch import CPUID, STATE, declare_probes, emit_choice
from codegen.llvm.ops import LIBM, OPS
from codegen.native.export import Exported
from codegen.native.names import KEYWORDS, LIBRARY, function_name, identifier, unique
from codegen.program import SIGNATURES, Program, ProgramBuilder
from codegen.target import NAMES, get, host
from rewrite.errors import ArgumentError, TargetError

type Array = NDArray[Any]

X86 = ("avx512", "avx2", "sse2")
CC, CXX = shutil.which("cc"), shutil.which("c++")
needs_cc = pytest.mark.skipif(CC is None, reason="there is no C compiler (cc)")
on_x86 = pytest.mark.skipif(host().name not in X86, reason="runs x86 code")
LIBC = {"malloc", "free", "memcpy", "memset", "memmove"}

CODE = """
program mixed(x, y, flag: b)
  %0 = load x
  %1 = load y
  %2 = load flag
  %3 = sin %0
  %4 = mul %3 %1
  %5 = fma %4 %0 %1
  %6 = pow %1 %0
  %7 = where %2 %5 %6
  %8 = lt %7 %0
  return out0 = %7
  return out1 = %8
"""


def affine(**options: Any) -> Kernel:
    b = ProgramBuilder("affine")
    a, v, s = b.argument("a", (2, 3)), b.argument("v", (3,)), b.load(b.argument("s"))
    rows = []
    for i in range(2):
        total = s
        for j in range(3):
            total = b.emit("fma", b.load(a, 3 * i + j), b.load(v, j), total)
        rows.append(total)
    b.output("w", *rows, shape=(2,))
    b.output("big", b.emit("gt", rows[0], b.const(1)))
    return Kernel(b.finish(), results="tuple", **options)


def gaussian(**options: Any) -> Kernel:
    x, s = rw.symbols("x s")
    pdf = rw.exp(-((x / s) ** 2) / 2) / (rw.sqrt(2 * rw.pi) * s)
    kernel: Kernel = rw.compile([x, s], pdf, **options)
    return kernel


def run(*command: Any, **options: Any) -> "subprocess.CompletedProcess[bytes]":
    done = subprocess.run(list(map(str, command)), capture_output=True, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done


def symbols_of(path: Path, *, defined: bool) -> set[str]:
    """Return the global symbols of an ELF object of 64 bits, read by its section headers."""
    data = path.read_bytes()
    assert data[:6] == b"\x7fELF\x02\x01"
    start, size, count = (
        int.from_bytes(data[a:b], "little") for a, b in ((40, 48), (58, 60), (60, 62))
    )
    heads = [data[start + k * size : start + (k + 1) * size] for k in range(count)]

    def section(head: bytes) -> bytes:
        offset, length = (int.from_bytes(head[k : k + 8], "little") for k in (24, 32))
        return data[offset : offset + length]

    table = next(head for head in heads if int.from_bytes(head[4:8], "little") == 2)
    names = section(heads[int.from_bytes(table[40:44], "little")])
    found = set()
    rows = section(table)
    for k in range(0, len(rows), 24):
        name, info, place = rows[k : k + 4], rows[k + 4], rows[k + 6 : k + 8]
        if info >> 4 and (place != b"\0\0") == defined:
            at = int.from_bytes(name, "little")
            found.add(names[at : names.index(b"\0", at)].decode())
    return found


@needs_cc
@on_x86
def test_a_c_program_gets_the_bits_of_the_kernel(tmp_path: Path) -> None:
    kernel = gaussian()
    made = kernel.export("pdf", folder=tmp_path, targets=X86)
    assert made == Exported(tmp_path / "pdf.h", tmp_path / "pdf.o")
    (tmp_path / "main.c").write_text(MAIN)
    flags = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O1"]
    run(CC, *flags, "main.c", "pdf.o", "-lm", "-o", "main", cwd=tmp_path)
    x = np.random.default_rng(1).normal(size=1003) * 3
    for dtype in (np.float64, np.float32):
        data = x.astype(dtype)
        data[:3] = np.nan, np.inf, -0.0
        letter = "d" if dtype is np.float64 else "f"
        out = run(tmp_path / "main", letter, input=data.tobytes()).stdout
        target, _, found = out.partition(b"\n")
        expected = kernel(data, dtype(1.5)).tobytes()
        assert target.decode() == host().name
        assert found == expected * 2


MAIN = """
#include <stdio.h>
#include <string.h>
#include "pdf.h"
#include "pdf.h"

#define RUN(T, F)                                             \\
    do {                                                      \\
        static T x[2000], wide[4000], s = (T)1.5, out[2000];  \\
        size_t n = fread(x, sizeof(T), 2000, stdin), k;       \\
        F##_strided(n, x, 1, &s, 0, out, 1);                  \\
        fwrite(out, sizeof(T), n, stdout);                    \\
        for (k = 0; k < n; k++) wide[2 * k] = x[n - 1 - k];   \\
        F##_strided(n, wide + 2 * (n - 1), -2, &s, 0, out, 1);\\
        fwrite(out, sizeof(T), n, stdout);                    \\
        memset(x, 0, sizeof x);                               \\
        F(0, x, x, x);                                        \\
    } while (0)

int main(int argc, char **argv)
{
    puts(pdf_target());
    if (argc > 1 && argv[1][0] == 'f')
        RUN(float, pdff);
    else
        RUN(double, pdf);
    return 0;
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ctypes.CDLL]:
    """Return shared libraries of one program, each for one target, and the baseline."""
    known: dict[str, ctypes.CDLL] = {}

    def made(target: str) -> ctypes.CDLL:
        if target not in known:
            folder = tmp_path_factory.mktemp(target)
            kernel = Kernel(Program.parse(CODE), get(target))
            known[target] = ctypes.CDLL(
                str(kernel.export("mixed", folder=folder, targets=target, kind="shared").binary)
            )
        return known[target]

    return made


RUNNABLE = [name for name in X86 if not get(name).missing()]
KERNELS: dict[str, Kernel] = {}


@needs_cc
@on_x86
@settings(max_examples=60)
@given(st.data())
def test_the_bits_are_those_of_the_target(
    library: Callable[[str], ctypes.CDLL], data: st.DataObject
) -> None:
    target = data.draw(st.sampled_from(RUNNABLE))
    dtype = data.draw(st.sampled_from([np.float64, np.float32]))
    n = data.draw(st.sampled_from([0, 1, 7, 8, 33, 700, 3001]))
    rng = np.random.default_rng(data.draw(st.integers(0, 5)))
    steps = [data.draw(st.integers(-3, 3)) for _ in range(3)]
    arrays = [rng.normal(size=7 * n + 1).astype(dtype) for _ in range(2)]
    arrays.append(rng.random(7 * n + 1) < 0.5)
    views = [
        np.lib.stride_tricks.as_strided(a[3 * n :], (n,), (s * a.itemsize,))
        for a, s in zip(arrays, steps, strict=True)
    ]
    kernel = KERNELS.setdefault(target, Kernel(Program.parse(CODE), get(target)))
    expected = kernel(*views)
    out, less = np.empty(2 * n + 1, dtype), np.empty(2 * n + 1, np.uint8)
    suffix = "f" if dtype == np.float32 else ""
    strided = getattr(library(target), f"mixed{suffix}_strided")
    words: list[Any] = [ctypes.c_size_t(n)]
    for view, step in [*zip(views, steps, strict=True), (out, 2), (less, 1)]:
        words += [ctypes.c_void_p(view.ctypes.data), ctypes.c_ssize_t(step)]
    strided(*words)
    assert out[: 2 * n : 2].tobytes() == expected[0].tobytes()
    assert less[:n].tobytes() == expected[1].tobytes()
    whole = [np.ascontiguousarray(view) for view in views]
    out = np.empty(n, dtype)
    getattr(library(target), f"mixed{suffix}")(
        ctypes.c_size_t(n), *(ctypes.c_void_p(x.ctypes.data) for x in (*whole, out, less))
    )
    assert out.tobytes() == expected[0].tobytes()


@needs_cc
@on_x86
@pytest.mark.parametrize("n", [1, 5, 16, 999, 5000])
def test_results_may_be_arguments(library: Callable[[str], ctypes.CDLL], n: int) -> None:
    run_ = library(host().name).mixed
    rng = np.random.default_rng(n)
    x, y, flag = rng.normal(size=n), rng.normal(size=n) ** 2, rng.random(n) < 0.5
    less = np.empty(n, np.uint8)
    expected = Kernel(Program.parse(CODE), get(host().name))(x, y, flag)[0]
    for place in (0, 1):
        args = [x.copy(), y.copy(), flag]
        operands = [*args, args[place], less]
        run_(ctypes.c_size_t(n), *(ctypes.c_void_p(a.ctypes.data) for a in operands))
        assert args[place].tobytes() == expected.tobytes()


@needs_cc
@on_x86
@pytest.mark.parametrize("batch_axis", [0, -1])
def test_array_operands(tmp_path: Path, batch_axis: Any) -> None:
    kernel = affine(batch_axis=batch_axis)
    made = kernel.export("affine", folder=tmp_path, kind="shared")
    assert made.binary.name == "libaffine.so"
    library = ctypes.CDLL(str(made.binary))
    n, rng = 37, np.random.default_rng(0)
    shapes = [(2, 3), (3,), ()]
    args = [rng.normal(size=(n, *shape) if batch_axis == 0 else (*shape, n)) for shape in shapes]
    expected = kernel(*args)
    w, big = np.empty_like(expected[0]), np.empty(n, bool)
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*args, w, big)]
    library.affine(ctypes.c_size_t(n), *pointers)
    assert w.tobytes() == expected[0].tobytes() and big.tobytes() == expected[1].tobytes()

    # every second point, and one vector for all points
    few = (n + 1) // 2
    pick = np.s_[::2] if batch_axis == 0 else np.s_[..., ::2]
    one = args[1][0] if batch_axis == 0 else args[1][:, :1]
    expected = kernel(args[0][pick], one, args[2][pick])
    w, big = np.empty_like(expected[0]), np.empty(few, bool)
    strides: list[tuple[int, ...]]
    if batch_axis == 0:
        strides = [(12,), (0,), (2,), (2,), (1,)]
    else:
        strides = [(2, n), (0, n), (2,), (1, few), (1,)]
    words: list[Any] = [ctypes.c_size_t(few)]
    operands = (args[0], args[1], args[2], w, big)
    for operand, numbers in zip(operands, strides, strict=True):
        words += [ctypes.c_void_p(operand.ctypes.data), *map(ctypes.c_ssize_t, numbers)]
    library.affine_strided(*words)
    assert w.tobytes() == expected[0].tobytes() and big.tobytes() == expected[1].tobytes()


@needs_cc
@on_x86
def test_constants_only(tmp_path: Path) -> None:
    kernel = rw.compile([], 2 * rw.pi)
    made = kernel.export("tau", folder=tmp_path, kind="shared")
    out = np.zeros(20)
    library = ctypes.CDLL(str(made.binary))
    library.tau(ctypes.c_size_t(19), ctypes.c_void_p(out.ctypes.data))
    assert out.tolist() == [2 * np.pi] * 19 + [0]
    assert "void tau(size_t n, double *tau_out);" in made.header.read_text()


@needs_cc
@on_x86
def test_many_components_need_memory(tmp_path: Path) -> None:
    b = ProgramBuilder("long")
    v = b.argument("v", (700,))
    b.output("w", *(b.load(v, 699 - k) for k in range(700)), shape=(700,))
    made = Kernel(b.finish()).export("long", folder=tmp_path, kind="shared", dtype="f64")
    data = np.random.default_rng(0).normal(size=(5, 700))
    out = np.empty_like(data)
    pointers = (ctypes.c_void_p(a.ctypes.data) for a in (data, out))
    ctypes.CDLL(str(made.binary)).long_(ctypes.c_size_t(5), *pointers)
    assert np.array_equal(out, data[:, ::-1])


@needs_cc
@on_x86
def test_threads_may_make_the_first_call(tmp_path: Path) -> None:
    made = gaussian().export("pdf", folder=tmp_path, targets=X86)
    (tmp_path / "threads.c").write_text(THREADS)
    run(CC, "-pthread", "threads.c", "pdf.o", "-lm", "-o", "threads", cwd=tmp_path)
    for _ in range(20):
        assert run(tmp_path / "threads").stdout == f"{host().name}\n".encode() * 8
    assert made.binary.exists()


THREADS = """
#include <pthread.h>
#include <stdio.h>
#include "pdf.h"
static void *work(void *unused)
{
    double x[100] = {0}, s[100] = {1}, out[100];
    pdf(100, x, s, out);
    return (void *)pdf_target();
    (void)unused;
}
int main(void)
{
    pthread_t all[8];
    void *name;
    int k;
    for (k = 0; k < 8; k++) pthread_create(&all[k], 0, work, 0);
    for (k = 0; k < 8; k++) pthread_join(all[k], &name), puts(name);
    return 0;
}
"""


@needs_cc
@on_x86
def test_two_objects_and_their_headers_go_together(tmp_path: Path) -> None:
    """Whatever an object has for itself is seen by no other one, nor by C++."""
    if CXX is None:
        pytest.skip("there is no C++ compiler (c++)")
    gaussian().export("copy", folder=tmp_path, targets=X86)  # named as what the driver has
    affine().export("feed", folder=tmp_path, targets=X86)
    (tmp_path / "both.cpp").write_text(
        '#include "copy.h"\n#include "feed.h"\n#include <cmath>\n'
        "int main() { double x = 0, s = 1, y = 0; copy(1, &x, &s, &y);\n"
        "double a[6] = {1, 0, 0, 0, 1, 0}, v[3] = {2, 3, 4}, w[2]; unsigned char big;\n"
        "feed(1, a, v, &x, w, &big);\n"
        "return !(std::fabs(y - 0.39894228) < 1e-7 && w[0] == 2 && w[1] == 3 && big == 1); }\n"
    )
    flags = ["-std=c++17", "-Wall", "-Wextra", "-pedantic", "-Werror"]
    run(CXX, *flags, "both.cpp", "copy.o", "feed.o", "-lm", "-o", "both", cwd=tmp_path)
    run(tmp_path / "both")


@pytest.mark.parametrize("target", [name for name in NAMES if name != "native"])
def test_nothing_but_libm_and_libc_is_needed(tmp_path: Path, target: str) -> None:
    """Every op of the table, as many in one object as NumPy takes results."""
    ops = [(op, kinds) for op in OPS for kinds, _ in SIGNATURES[op]]
    for begin in range(0, len(ops), 50):
        b = ProgramBuilder("all")
        x, flag = b.load(b.argument("x")), b.load(b.argument("flag", (), "b"))
        for number, (op, kinds) in enumerate(ops[begin : begin + 50]):
            args = [x if kind == "f" else flag for kind in kinds]
            b.output(f"{op}_{number}", b.emit(op, *args))
        made = Kernel(b.finish()).export("everything", folder=tmp_path, targets=(target,))
        needed = symbols_of(made.binary, defined=False)
        allowed = {f"{name}{kind}" for name in LIBM | {"fma", "trunc", "ceil", "floor", "roundeven"}
                   for kind in ("", "f")}  # fmt: skip
        assert needed <= allowed | LIBC
        stems = ("everything", "everythingf")
        functions = {f"{stem}{end}" for stem in stems for end in ("", "_strided")}
        assert symbols_of(made.binary, defined=True) == functions | {"everything_target"}


def test_another_architecture(tmp_path: Path) -> None:
    made = gaussian().export("pdf", folder=tmp_path, targets=("neon",))
    head = made.binary.read_bytes()[:20]
    assert head[:6] == b"\x7fELF\x02\x01" and int.from_bytes(head[18:20], "little") == 183
    assert symbols_of(made.binary, defined=False) <= LIBC
    assert "architecture runs" in made.header.read_text()
    with pytest.raises(TargetError, match="'avx2' and 'neon' are of different architectures"):
        gaussian().export("pdf", folder=tmp_path, targets=("avx2", "neon"))


def test_targets_are_sorted_and_the_baseline_is_added(tmp_path: Path) -> None:
    def listed(*targets: str) -> str:
        text = gaussian().export("pdf", folder=tmp_path, targets=targets).header.read_text()
        return text.partition("Code for ")[2].partition(":")[0]

    assert listed("avx2", "avx512") == "avx512, avx2, sse2"
    assert listed("avx2", "avx2") == "avx2, sse2"
    if host().name in X86[:2]:
        assert listed("native") == f"{host().name}, sse2"


def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = gaussian()
    with pytest.raises(TargetError, match="there is no target 'avx9'; choices: native, avx512"):
        kernel.export("pdf", folder=tmp_path, targets=("avx9",))
    with pytest.raises(TargetError, match="targets by name"):
        kernel.export("pdf", folder=tmp_path, targets=(host(),))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="at least one target"):
        kernel.export("pdf", folder=tmp_path, targets=())
    with pytest.raises(ArgumentError, match="kind='static'"):
        kernel.export("pdf", folder=tmp_path, kind="static")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="name=''"):
        kernel.export("", folder=tmp_path)
    with pytest.raises(TargetError, match="float64 or float32"):
        kernel.export("pdf", folder=tmp_path, dtype="f2")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TargetError, match="'cc', which is not in PATH"):
        kernel.export("pdf", folder=tmp_path, kind="shared")
    with pytest.raises(TargetError, match="linux-gnu-gcc', which is not in PATH"):
        other = "neon" if host().name in X86 else "avx2"
        kernel.export("pdf", folder=tmp_path, kind="shared", targets=other)
    assert list(tmp_path.iterdir()) == []
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(TargetError, match=r"cannot link libpdf\.so: no such luck"):
        kernel.export("pdf", folder=tmp_path, kind="shared")


def test_one_float_type(tmp_path: Path) -> None:
    text = gaussian().export("pdf", folder=tmp_path / "a", dtype="f32").header.read_text()
    assert "pdff(" in text and "double" not in text
    text = gaussian(dtype=np.float64).export("pdf", folder=tmp_path).header.read_text()
    assert "pdf(" in text and "float " not in text


def test_the_header(tmp_path: Path, golden: Callable[[str], None]) -> None:
    kernel = affine(doc="w = a@v + s, big = w[0] > 1", math="fast")
    made = kernel.export("affine", folder=tmp_path, targets=("avx512", "avx2"), dtype="f64")
    golden(made.header.read_text())


HOSTILE = [
    ("int", ["double", "n", "x_stride", "x"]),
    ("*/ #error", ["*/ x", "/* y", "\\", "y?"]),
    ("../../up", ["a b", "a-b", "a_b", ""]),
    ("λ", ["λ", "Λ", "é", "数"]),
    ("1st", ["1", "_", "__x", "_X"]),
    ("i", ["I", "linux", "class", "NULL"]),  # if
    ("er", ["out", "er_out", "er_out_stride", "restrict"]),  # erf
    ("gamma", ["y1", "gamma", "exp", "main"]),
]


@needs_cc
@pytest.mark.parametrize(("name", "arguments"), HOSTILE)
def test_hostile_names(tmp_path: Path, name: str, arguments: list[str]) -> None:
    b = ProgramBuilder(name)
    values = [b.load(b.argument(argument)) for argument in arguments]
    b.output("out", *values[:2], shape=(2,))
    kernel = Kernel(b.finish(), doc="out = */ /* // \\\n??/\n*/*/")
    made = kernel.export(name, folder=tmp_path, targets="sse2")
    assert {path.parent for path in made} == {tmp_path}
    includes = "#include <complex.h>\n#include <math.h>\n#include <stdlib.h>\n#include <string.h>\n"
    includes += "#include <unistd.h>\n#include <stdio.h>\n"
    text = f'{includes}#include "{made.header.name}"\nint main(void) {{ return 0; }}\n'
    (tmp_path / "use.c").write_text(text)
    for standard in ("gnu89", "c99", "gnu17"):
        flags = ["-Wall", "-Werror", f"-std={standard}"]
        run(CC, *flags, "use.c", made.binary.name, "-lm", "-o", "use", cwd=tmp_path)
    if CXX:
        (tmp_path / "use.cpp").write_text(text.replace("<complex.h>", "<complex>"))
        run(CXX, "-Wall", "-Werror", "-c", "use.cpp", cwd=tmp_path)


@given(st.text(max_size=12))
def test_identifiers(text: str) -> None:
    name = identifier(text)
    assert name.isascii() and name.isidentifier() and name not in KEYWORDS
    assert not name.startswith("_")
    made = function_name(text, ["", "f"])
    assert not {made, f"{made}f"} & (KEYWORDS | LIBRARY)


def test_letters_keep_their_sense() -> None:
    given = ["λ", "Ω", "µ", "crème brûlée", "2x", "_x", "数", "int", "ﬁt"]
    spelt = ["lambda", "Omega", "mu", "creme_brulee", "k_2x", "k_x", "k_", "int_", "fit"]
    assert [identifier(text) for text in given] == spelt
    assert function_name("exp", [""]) == "exp_" and function_name("i", ["", "f"]) == "i_"


@given(st.lists(st.sampled_from(["x", "x_2", "x_stride", "x_2_stride", "y"]), max_size=9))
def test_names_stay_apart(names: list[str]) -> None:
    taken: set[str] = set()
    made = [unique(name, taken, ("", "_stride")) for name in names]
    assert len(taken) == 2 * len(made)


@on_x86
def test_the_choice_follows_the_features() -> None:
    """The CPU is a table here: each feature by itself decides, and so do the registers kept."""
    every = {name: True for name in CPUID}
    assert chosen(every, 0xE7) == "avx512"
    assert chosen(every, 0x07) == "avx2"  # the system keeps no 512-bit registers
    for part in (0x20, 0x40, 0x80):
        assert chosen(every, 0xE7 & ~part) == "avx2"
    assert chosen(every, 0x03) == chosen(every, None) == "sse2"
    assert chosen(every, 0xE7, highest=6) == "sse2"
    assert chosen({}, 0xE7) == "sse2"
    for name in CPUID:
        expected = "avx2" if name.startswith("avx512") else "sse2"
        assert chosen({**every, name: False}, 0xE7) == expected
    needed = {flag[1:] for t in X86 for flag in get(t).features.split(",") if flag}
    assert needed == set(CPUID)
    assert all(any(name.startswith(start) for name in CPUID) for start in STATE)


def chosen(features: dict[str, bool], kept: int | None, highest: int = 7) -> str:
    """Run `choice` on a CPU with these features, whose system keeps these registers."""
    words: dict[int, list[int]] = {0: [highest, 0, 0, 0], 0x80000000: [0x80000001, 0, 0, 0]}
    for name, there in features.items():
        leaf, register, bit = CPUID[name]
        words.setdefault(leaf, [0] * 4)[register] |= there << bit
    if kept is not None:
        words.setdefault(1, [0] * 4)[2] |= 1 << 27
    module = ir.Module()
    module.triple = llvm.get_process_triple()
    cpuid, xgetbv = declare_probes(module)
    fill(cpuid, words)
    builder = ir.IRBuilder(xgetbv.append_basic_block())
    if kept is None:
        builder.unreachable()  # as on a CPU that has no such instruction
    else:
        builder.ret(ir.IntType(32)(kept))
    targets = [get(name) for name in X86]
    choice = emit_choice(module, targets, (cpuid, xgetbv))
    choice.linkage = "external"
    machine = host().machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(module)), machine)
    engine.finalize_object()
    call = ctypes.CFUNCTYPE(ctypes.c_int64)(engine.get_function_address("choice"))
    found: int = call()
    assert call() == found
    return targets[found].name


def fill(cpuid: ir.Function, words: dict[int, list[int]]) -> None:
    """Answer from a table."""
    builder = ir.IRBuilder(cpuid.append_basic_block())
    result = ir.Constant(cpuid.ftype.return_type, [0] * 4)
    word = ir.IntType(32)
    for leaf, answer in words.items():
        same = builder.icmp_unsigned("==", cpuid.args[0], word(leaf))
        result = builder.select(same, ir.Constant(cpuid.ftype.return_type, answer), result)
    builder.ret(result)
