"""The shape of the repository: where packages come from, and what the shell promises."""

import importlib.util
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("rewrite", "strategies", "codegen")
DRAWN = {
    *("pyproject.toml", "README.md", "LICENSE", "SECURITY.md"),
    *("rewrite", "strategies", "codegen", "tests", "examples"),
}
SOURCES = {".py", ".md", ".toml", ".ipynb", ""}


def tracked() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    run = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if run.returncode:
        pytest.skip(f"git cannot list this checkout: {run.stderr.strip()}")
    return [name for name in run.stdout.splitlines() if (ROOT / name).is_file()]


def origin(package: str) -> pathlib.Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None, f"{package} cannot be imported"
    return pathlib.Path(spec.origin).resolve()


def commands(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines() if re.match(r"\s*python3? +(?!-)\S", line)}


@pytest.mark.parametrize("package", PACKAGES)
def test_package_origin(package: str) -> None:
    here = origin(package)
    assert here.name == "__init__.py", f"{package} is a namespace package: {here}"
    assert (here.parent / "py.typed").is_file()
    assert here.parent.parent == origin("rewrite").parent.parent, "packages of two places"


def test_top_level_is_as_drawn() -> None:
    tops = {name.split("/")[0] for name in tracked()}
    assert {top for top in tops if not top.startswith(".")} <= DRAWN


def test_no_init_below_tests() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_nothing_is_left_to_do() -> None:
    unfinished = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
    found = []
    for name in tracked():
        if pathlib.Path(name).suffix in SOURCES:
            lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
            found += [f"{name}:{n}" for n, line in enumerate(lines, 1) if unfinished.search(line)]
    assert found == []


def test_readme_and_ci_use_the_same_commands() -> None:
    expected = {"python3 examples", "python3 tests"}
    assert commands((ROOT / "README.md").read_text(encoding="utf-8")) == expected
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert {re.sub(r" 2>&1 \|.*", "", command) for command in commands(ci)} == expected


def test_examples_hide_no_standard_module() -> None:
    """`python examples/x.py` puts examples/ first on the path."""
    names = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert names & sys.stdlib_module_names == set()
