"""The pages for those who come from other libraries: their code runs, and what they name exists."""

import re
from pathlib import Path
from typing import Any

import pytest

import rewrite as rw

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "coming_from"
PAGES = sorted(FOLDER.glob("*.md"))


def test_there_are_pages() -> None:
    names = {page.stem for page in PAGES}
    assert names == {"lambdify", "numexpr", "numba", "jax", "symbolics"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_code_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": page.stem}
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(blocks) >= 2
    for at, block in enumerate(blocks):
        exec(compile(block, f"{page.name}, block {at}", "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_it_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"\brw\.([A-Za-z_]+)", text))
    assert len(named) > 3 and not [name for name in named if not hasattr(rw, name)]
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (page.parent / link).exists(), link
