"""The command line, in this process and once in its own."""

import os
import subprocess
import sys

import pytest

import rewrite as rw
from rewrite.__main__ import main


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    status = main(argv)
    out, err = capsys.readouterr()
    return status, out, err


def test_the_optimised_term_its_cost_and_the_rules(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "a*x + a*y", "--target", "avx2")
    term, cost, source, *steps = out.splitlines()
    assert (status, err) == (0, "") and rw.parse(term) == rw.parse("a*(x + y)")
    assert cost.startswith("cost: ") and " -> " in cost and "cycles/element" in cost
    assert "avx2" in cost and source.strip() == "a*x + a*y"
    assert steps[0].startswith("1. factor-left: ") and steps[1].strip() == "= a*(x + y)"


def test_several_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "x + 0*y", "sin(x)", "--math", "strict", "--program")
    assert status == 0 and out.splitlines()[:2] == ["x + 0*y", "sin(x)"]
    assert "nothing cheaper was found" in out and out.count("return") == 2


@pytest.mark.parametrize(
    ("option", "text"), [("--latex", r"\frac{1}{x}"), ("--sexpr", "(div 1 x)")]
)
def test_other_notations(capsys: pytest.CaptureFixture[str], option: str, text: str) -> None:
    status, out, _ = run(capsys, "1/x", option, "--math", "strict")
    assert status == 0 and out.splitlines()[0] == text


def test_stages(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "x*x + 1", "--program", "--llvm", "--asm", "--dtype", "f32")
    assert status == 0
    program, llvm, asm = (out.index(f"=== {stage} ===") for stage in ("program", "llvm", "asm"))
    assert (
        "load x" in out[program:llvm] and "float" in out[llvm:asm] and "double" not in out[llvm:asm]
    )
    assert "ret" in out[asm:]


def test_domains_and_other_costs(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "sqrt(x**2)", "--domain", "x=0:", "--cost", "gowda2021")
    assert status == 0 and out.splitlines()[0] == "x" and "gowda2021" in out
    status, out, _ = run(capsys, "sqrt(x**2)", "--cost", "gowda2021")
    assert status == 0 and out.splitlines()[0] != "x"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("a*x +",), "error: the formula ends where a value should follow\n  a*x +\n       ^\n"),
        (("sine(x)",), "did you mean sin"), (("x", "--target", "z80"), "no target 'z80'"),
        (("x", "--domain", "x=1:0"), "is empty"), (("x", "--domain", "x"), "write it as x=0:1"),
        (("x", "--domain", "x=a:b"), "write it as x=0:1"),
        (("x", "--domain", "x=inf:"), "not finite"),
        (("x", "--cost", "gold"), "gold"), (("(" * 10**6,), "100,000 are allowed"),
    ],
)  # fmt: skip
def test_bad_input_is_status_2(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], words: str
) -> None:
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "") and words in err and "Traceback" not in err


@pytest.mark.parametrize("argv", [(), ("x", "--math", "loose"), ("x", "--dtype", "f16")])
def test_bad_options_are_status_2(argv: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "rewrite", "x + 1", "--math", "strict", "--asm"],
            env={"PYTHONPATH": ":".join(sys.path)}, stdout=closed, stderr=subprocess.PIPE,
            text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_in_its_own_process() -> None:
    def call(*argv: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "rewrite", *argv], env={"PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = call("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"rewrite {rw.__version__}\n", "")
    done = call("9**9**9**9")
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("error: integer")


def test_the_environment_says_what_no_option_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWRITE_MATH", "strict")
    assert run(capsys, "x + y - x")[1].startswith("x + y - x\n")
    assert run(capsys, "x + y - x", "--math", "guarded")[1].startswith("y\n")
