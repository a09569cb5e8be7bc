"""`%%rewrite` in IPython: formulas and functions, with options on the line."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

import rewrite as rw
from codegen.magic import Rewritten, load_ipython_extension
from rewrite.errors import ArgumentError, DomainError, MissingLibrary, ParseError


@pytest.fixture
def shell() -> Iterator[Any]:
    """Return an IPython without a history file, in which the extension is loaded."""
    interactive = pytest.importorskip("IPython.core.interactiveshell", reason="no IPython here")
    config = pytest.importorskip("traitlets.config")
    history = {"enabled": False, "hist_file": ":memory:"}
    made = interactive.InteractiveShell(config=config.Config({"HistoryManager": history}))
    made.run_line_magic("load_ext", "rewrite")
    yield made
    interactive.InteractiveShell.clear_instance()


def run(shell: Any, line: str, cell: str) -> Rewritten:
    found = shell.run_cell_magic("rewrite", line, cell)
    assert isinstance(found, Rewritten)
    return found


def test_a_formula(shell: Any) -> None:
    found = run(shell, "", "a*x + a*y\n")
    a, x, y = rw.symbols("a x y")
    assert found.source == a * x + a * y and found.optimized.terms == a * (x + y)
    text, page = str(found), found._repr_html_()
    for said in ("a*x + a*y\nbecomes\na*(x + y)", "factor-left", "before", "█"):
        assert said in text
    assert "<b>factor-left</b>" in page and "background" in page
    assert found._repr_mimebundle_()["text/plain"] == text == repr(found)


def test_several_named_formulas_and_a_kernel(shell: Any) -> None:
    cell = "# two results\ny = a*x + a*b\n\nz = sin(x)**2 + cos(x)**2"
    found = run(shell, "--kernel f --asm --llvm --program --no-explain", cell)
    assert list(found.source) == ["y", "z"] and found.optimized.terms["z"] == rw.const(1)
    assert found.explanation is None and "step by step" not in str(found)
    kernel = shell.user_ns["f"]
    assert kernel(2.0, 3.0, 4.0) == {"y": 14.0, "z": 1.0} and kernel.__name__ == "f"
    assert "retq" in str(found) and "define void" in str(found)
    assert "<summary>asm</summary>" in found._repr_html_()


def test_a_function_is_run_and_traced(shell: Any) -> None:
    cell = "import numpy as np\ndef f(u, v):\n    return np.sqrt(u) * v + np.sqrt(u) * u\n"
    found = run(shell, "", cell)
    assert str(found.source) == "sqrt(u)*v + sqrt(u)*u" and callable(shell.user_ns["f"])
    shell.run_cell("import rewrite as rw")
    jitted = run(shell, "", "@rw.jit\ndef g(u):\n    return u * 1\n")
    assert jitted.optimized.terms == rw.symbol("u")


def test_symbols_of_the_notebook_and_domains(shell: Any) -> None:
    shell.push({"p": rw.symbol("p", low=1), "q": 3, "other": rw.symbol("p")})
    assert str(run(shell, "--no-explain", "sqrt(p**2)").optimized.terms) == "p"
    assert str(run(shell, "--domain r=0:1 --no-explain", "abs(r) + q").optimized.terms) == "r + q"
    strict = run(shell, "--math strict --target sse2 --cost gowda2021", "a + b - a")
    assert strict.optimized.terms == strict.source
    assert strict.optimized.model.name == "gowda2021"


def test_mistakes_are_named(shell: Any) -> None:
    wrong = pytest.importorskip("IPython.core.error").UsageError
    for line, cell, kind, told in (
        ("--mth fast", "a", wrong, "unrecognized arguments: --mth"),
        ("--math quick", "a", wrong, "invalid choice"), ("", "a +", ParseError, "ends where"),
        ("", "# nothing", ArgumentError, "the cell is empty"),
        ("--domain r=a:b", "r", DomainError, "write it as x=0:1"),
        ("", "def f(x):\n    return undefined + x", NameError, "undefined"),
    ):  # fmt: skip
        with pytest.raises(kind, match=told):
            shell.run_cell_magic("rewrite", line, cell)


def test_without_ipython(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPython", "IPython.core.magic_arguments"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingLibrary, match=r"%%rewrite needs IPython.*pip install 'rewrite\["):
        load_ipython_extension(None)
