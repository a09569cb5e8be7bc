"""Every public name is documented: a sentence, what it raises, an example that runs."""

import ast
import doctest
import functools
import inspect
import re
import subprocess
import sys
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import rewrite as rw
from rewrite import conditions, functions

NAMES: Final = sorted(name for name in dir(rw) if not name.startswith("_"))
# What has no example of its own: the one that shows it.
SHOWN_BY: Final = {
    "Accuracy": "accuracy", "CheckReport": "check", "Compute": "compute", "Condition": "nonzero",
    "CostModel": "egraph", "ElementKernel": "element_kernel", "Fingerprint": "fingerprint",
    "Firing": "traced", "Form": "explore", "Forms": "explore", "Kernel": "compile",
    "LatencyModel": "cycles", "MemorySchedule": "memory_schedule", "Ode": "ode",
    "Optimized": "optimize", "Report": "egraph", "Rule": "ruleset", "RuleSet": "ruleset",
    "Saturated": "egraph", "Scan": "scan", "Sort": "sort", "SparseTerms": "sparse_jacobian",
    "Step": "explain", "StopReason": "egraph", "Store": "scope", "Strategy": "strategy",
    "Symbol": "symbol", "fold": "cleanup", "Guard": "optimize",
}  # fmt: skip
# What has none, and why.
NO_EXAMPLE: Final = {
    "RewriteError": "it is the root of errors", "identity": "its law is all it does",
    "fail": "its law is all it does", "load_ipython_extension": "IPython calls it",
}  # fmt: skip
CONSTANTS: Final = ("BOOL", "INT", "MATRIX", "REAL", "e", "pi")


def sentence(text: str) -> str:
    """Return the first sentence: the first paragraph, on one line."""
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def is_function(value: Any) -> bool:
    return isinstance(value, (types.FunctionType, types.MethodType))


def parts(name: str) -> Iterator[tuple[str, Any]]:
    """Yield a public name, and the public methods and properties of a class."""
    value = getattr(rw, name)
    yield name, value
    for member, raw in vars(value).items() if inspect.isclass(value) else ():
        kinds = (types.FunctionType, classmethod, staticmethod, property, functools.cached_property)
        if not member.startswith("_") and isinstance(raw, kinds):
            is_property = isinstance(raw, (property, functools.cached_property))
            yield f"{name}.{member}", raw if is_property else getattr(value, member)


DOCUMENTED: Final = [pair for name in NAMES if name not in CONSTANTS for pair in parts(name)]
CALLED: Final = [(name, value) for name, value in DOCUMENTED if is_function(value)]


def doc_of(value: Any) -> str:
    return inspect.getdoc(value) or ""


def raised(value: Any) -> set[str]:
    """Name the errors that the body of a function raises itself."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(value))))
    calls = (node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc)
    return {ast.unparse(call.func if isinstance(call, ast.Call) else call) for call in calls}


def test_the_front_door_lists_what_it_has() -> None:
    assert len(NAMES) > 200 and {"compile", "plot", "options", "explore"} <= set(NAMES)
    assert sorted(rw.__all__) == sorted(set(NAMES) - {"e", "pi"} | {"__version__"})
    assert all(hasattr(rw, name) for name in NAMES)


def test_every_name_begins_with_a_sentence() -> None:
    bad = [
        name for name, value in DOCUMENTED if not re.fullmatch(r"\S.*[.:]", sentence(doc_of(value)))
    ]
    assert not bad, f"no docstring whose first sentence ends with a full stop: {bad}"


def test_functions_are_told_what_to_do() -> None:
    """The first word is an imperative: Return, and not Returns, The or A."""
    wrong = re.compile(r"(?!Pass|Process)[A-Z][a-z]+s\b|(The|A|An|This|It|How|Whether)\b")
    bad = [name for name, value in CALLED if wrong.match(sentence(doc_of(value)))]
    assert not bad, f"no imperative: {bad}"


def test_errors_are_named() -> None:
    bad = []
    for name, value in CALLED:
        try:
            errors = raised(value)
        except (OSError, SyntaxError):  # made by a table
            continue
        if errors and "aise" not in doc_of(value) and "efuse" not in doc_of(value):
            bad.append((name, sorted(errors)))
    assert not bad, f"the docstring does not say what is raised: {bad}"


def test_every_name_has_an_example_or_says_where_it_is() -> None:
    without = {
        name for name in NAMES
        if name not in CONSTANTS and not inspect.ismodule(getattr(rw, name))
        and ">>>" not in doc_of(getattr(rw, name))
    }  # fmt: skip
    allowed = set(SHOWN_BY) | set(NO_EXAMPLE)
    assert without <= allowed, f"no example: {sorted(without - allowed)}"
    assert allowed <= without, f"they have one by now: {sorted(allowed - without)}"
    for name, other in SHOWN_BY.items():
        assert ">>>" in doc_of(getattr(rw, other)), (
            f"{name} is shown by {other}, which shows nothing"
        )


MADE: Final[dict[str, Any]] = {
    **functions.FUNCTIONS, **{name: getattr(conditions, name) for name in conditions.__all__}
}  # fmt: skip
del MADE["KINDS"]


@pytest.mark.parametrize("name", sorted(MADE))
def test_examples_of_functions_that_tables_make(name: str) -> None:
    runner = doctest.DocTestRunner(verbose=False)
    names = {name: MADE[name]}
    case = doctest.DocTestParser().get_doctest(doc_of(MADE[name]), names, name, None, None)
    assert getattr(rw, name) is MADE[name]
    assert case.examples and runner.run(case).failed == 0


def rendered(folder: Path, *what: str) -> None:
    pytest.importorskip("pdoc", reason="pdoc is not installed (the docs extra)")
    made = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pdoc", *what, "-o", str(folder)],
        capture_output=True, text=True, cwd=Path(__file__).parents[1], check=False,
    )  # fmt: skip
    assert made.returncode == 0 and not made.stderr, made.stderr


def test_the_front_page_is_rendered_with_every_lazily_loaded_name(tmp_path: Path) -> None:
    rendered(tmp_path, "rewrite", r"!rewrite\..*")
    page = (tmp_path / "rewrite.html").read_text(encoding="utf-8")
    listed = [name for name in NAMES if name not in ("e", "pi")]
    missing = {name for name in listed if f'id="{name}"' not in page}
    assert missing == {name for name in listed if inspect.ismodule(getattr(rw, name))}


@pytest.mark.nightly
def test_all_pages_are_rendered(tmp_path: Path) -> None:
    rendered(tmp_path, "rewrite", "strategies", "codegen")
    for page in ("rewrite/term.html", "strategies/core.html", "codegen/plot.html"):
        assert (tmp_path / page).is_file()
