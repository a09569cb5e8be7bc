"""PTX through NVVM, with no device: what is fused and what is not, wide loads, golden text."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from codegen.cuda import functions, runtime
from codegen.cuda.call import READ
from codegen.cuda.elements import Mesh, element_source
from codegen.cuda.fold import Fold, fold_source
from codegen.cuda.kernel import ptx_text
from codegen.cuda.rare import HUGE
from codegen.cuda.source import Form, kernel_source
from codegen.program import Program, ProgramBuilder
from codegen.target import Float
from rewrite.errors import TargetError

pytestmark = pytest.mark.nvvm
x, y = rw.symbols("x y")
FLOATS: tuple[Float, ...] = ("f64", "f32")


def program_of(*terms: Any) -> Program:
    found: Program = rw.compile([x, y], terms, optimize_terms=False, math="strict").program
    return found


def mnemonics(text: str) -> str:
    """Return the instructions on memory and numbers, whose order and registers are NVVM's."""
    found = re.findall(r"^\s+((?:ld|st)\.global\S+|\w+\.rn\S*|(?:add|sub)\.f\d+)", text, re.M)
    return "\n".join(sorted(found))


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_product_and_a_sum_stay_two_roundings(dtype: Float) -> None:
    text = ptx_text(program_of(x * y + 1, x * y - x, y - x * x), dtype, (9, 0))
    kind = "f64" if dtype == "f64" else "f32"
    assert f"mul.rn.{kind}" in text and "fma.rn" not in text
    assert not re.search(rf"mul\.{kind}", text)


@pytest.mark.parametrize("dtype", FLOATS)
def test_what_was_chosen_as_an_fma_is_one(dtype: Float) -> None:
    builder = ProgramBuilder("one")
    values = [builder.load(builder.argument(name)) for name in "abc"]
    builder.output("out", builder.emit("fma", *values))
    text = ptx_text(builder.finish(), dtype, (9, 0), pack=1)
    assert text.count("fma.rn") == 1 and "mul.rn" not in text


@pytest.mark.parametrize("dtype", FLOATS)
def test_division_and_root_are_rounded_as_ieee_says(dtype: Float) -> None:
    text = ptx_text(program_of(x / y, rw.sqrt(x)), dtype, (9, 0))
    assert f"div.rn.{dtype}" in text and f"sqrt.rn.{dtype}" in text
    assert "approx" not in text and ".ftz" not in text


@pytest.mark.parametrize("dtype", FLOATS)
def test_approximations_are_of_the_faster_grade_alone(dtype: Float) -> None:
    term = rw.exp(x) + rw.sin(y)
    for math, approximate in (("guarded", False), ("fast", dtype == "f32")):
        program = rw.compile([x, y], term, math=math, optimize_terms=False).program
        assert ("ex2.approx" in ptx_text(program, dtype, (9, 0))) == approximate


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("rare", [False, True])
def test_functions_are_inlined_without_contraction(rare: bool, dtype: Float) -> None:
    """As many fma as are written; those of rare arguments have NVIDIA's beside."""
    builder = ProgramBuilder("all")
    written = 0
    for op in functions.LIBDEVICE:
        source = functions.source(op, dtype) if functions.own(op, dtype) else "libm_"
        if ("libm_" in source) == rare:
            names = [f"{op}{k}" for k in range(functions.ARITY.get(op, 1))]
            given = [builder.load(builder.argument(name)) for name in names]  # nothing is shared
            builder.output(op, builder.emit(op, *given))
            written += source.count("fma(") + source.count("huge(") * HUGE.count("fma(")
    text = ptx_text(builder.finish(), dtype, (9, 0), pack=1)
    assert not re.search(rf"\w+_{dtype}\b", text)  # none is called, or left over
    assert text.count("fma.rn") >= written if rare else text.count("fma.rn") == written


@pytest.mark.parametrize("dtype", FLOATS)
def test_short_kernels_read_and_write_sixteen_bytes(dtype: Float) -> None:
    text = ptx_text(program_of(x * y + 1), dtype, (9, 0))
    pack = "v2.f64" if dtype == "f64" else "v4.f32"
    assert text.count(f"ld.global.{pack}") == 2 and text.count(f"st.global.{pack}") == 1


def test_arrays_of_all_dtypes_that_are_read() -> None:
    program, form = program_of(x * y), Form("f64", 1, False, (False, False))
    source = kernel_source(program, form)
    for letter in READ:
        kinds = [np.int64, (np.dtype(letter), 1), *[(np.float64, 1)] * 2]
        assert "mul.rn.f64" in runtime.ptx(source, program, form, kinds, (9, 0))


def test_each_input_is_read_once() -> None:
    term = x
    for _ in range(16):
        term = rw.sqrt(term * y + 1)
    text = ptx_text(program_of(term), "f64", (9, 0), pack=1)
    assert text.count("ld.global") == 2 and text.count("st.global") == 1


@pytest.mark.parametrize("rank", [2, 4])
@pytest.mark.parametrize("wide", [False, True])
def test_strided_kernels_compile(rank: int, wide: bool) -> None:
    program = program_of(x * y + 1, x < y)
    form = Form("f32", rank, wide, (False, True))
    kinds = [np.int64] * rank + [
        (np.float32, rank),
        np.float32,
        (np.float32, rank),
        (np.bool_, rank),
    ]
    text = runtime.ptx(kernel_source(program, form), program, form, kinds, (8, 0))
    assert ("div.u64" in text) == wide and ".target sm_80" in text


def test_parts_of_large_programs_are_one_kernel(monkeypatch: Any) -> None:
    from codegen.cuda import source

    monkeypatch.setattr(source, "LARGE", 12)
    monkeypatch.setattr(source, "SIZE", 6)
    term, terms = x, []
    for k in range(12):
        term = rw.where(term < y, term * x + k, rw.sqrt(y))
        terms.append(term)
    text = ptx_text(program_of(*terms), "f64", (9, 0), pack=1)
    assert text.count(".visible .entry") == 1 and ".func" not in text  # NVVM inlines them
    assert text.count("mul.rn.f64") == 12 and "fma.rn" not in text


FOLDS: list[tuple[Fold, list[Any]]] = [
    (Fold("sum", "all", 256), [(np.int32, 1), (np.float64, 1)]),
    (Fold("max", "rows", 256, 32), [np.int64, np.int64]),
    (Fold("min", "bounds", 256, 1), [np.int64, (np.int64, 1)]),
]


@pytest.mark.parametrize(("fold", "more"), FOLDS)
def test_folds_are_one_kernel(fold: Fold, more: list[Any]) -> None:
    program = program_of(x * y)
    form = Form("f64", 1, False, (False, False))
    kinds = [np.int64, *[(np.float64, 1)] * 3, *more]
    text = runtime.ptx(fold_source(program, form, fold), program, form, kinds, (9, 0))
    assert text.count(".visible .entry") == 1 and "bar.sync" in text
    assert ("atom" in text) == ("membar" in text) == (fold.over == "all")


def test_no_ptx_without_a_gpu_needs_a_gpu(golden: Callable[[str], None]) -> None:
    """The text of a kernel of the CPU, shown for a GPU."""
    kernel = rw.compile([x, y], x * y + rw.sqrt(x), math="strict")
    golden(mnemonics(kernel.assembly("cuda")))
    assert ".target sm_86" in kernel.assembly("cuda-sm86", "float32")
    with pytest.raises(TargetError, match="PTX"):
        kernel.llvm_ir("cuda")


def test_ptxas_takes_it(tmp_path: Path) -> None:
    """The assembler, where it is installed, knows all that NVVM wrote."""
    ptxas = shutil.which("ptxas")
    if ptxas is None:
        pytest.skip("ptxas is not on the PATH (nvidia-cuda-nvcc brings it)")
    text = ptx_text(program_of(rw.exp(x) * rw.tanh(y), x < y), "f64", (9, 0))
    version = re.search(r"\.version (\S+)", text)
    (tmp_path / "k.ptx").write_text(text)
    done = subprocess.run(
        [ptxas, "-arch=sm_90", tmp_path / "k.ptx", "-o", tmp_path / "k.cubin"],
        capture_output=True, check=False,
    )  # fmt: skip
    if b"Unsupported .version" in done.stderr:
        pytest.skip(f"ptxas is older than PTX {version and version[1]}")
    assert done.returncode == 0, done.stderr


def test_elements_of_a_mesh_are_one_kernel() -> None:
    """Energy, gradient and Hessian in registers, added to the results by atomic operations."""
    kernel = rw.element_kernel(
        lambda x, k: k * ((x[1] - x[0]) ** 2).sum() ** 2, over=[[0, 1], [1, 2]], math="strict"
    )
    points = np.arange(6.0).reshape(3, 2)
    kernel(points, 2.0)
    (made,) = kernel.kernels.values()
    assert isinstance(made.program, Program)
    table = kernel._table(3, 2)
    mesh = Mesh(kernel.over, 2, table.places, table.halves)
    form = Form("f64", 1, False, (False, True))
    source = element_source(made.program, form, mesh, 256)
    kinds = [
        np.int64, (np.float64, 1), np.float64, (np.int64, 2), (np.float64, 1), (np.float64, 1),
        (np.float64, 1), (np.int32, 2),
    ]  # fmt: skip
    text = runtime.ptx(source, made.program, form, kinds, (9, 0))
    assert text.count(".visible .entry") == 1 and ".func" not in text and "fma.rn" not in text
    added = text.count("atom.add.f64") + text.count("atom.global.add.f64")
    added += text.count("red.add.f64") + text.count("red.global.add.f64")
    assert added == 1 + 4 + 16
