"""The README is the shop window: what it shows is run, and is what comes out."""

import linecache
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from codegen.cost import table_for
from codegen.target import host

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ("README.md", "rewrite/README.md", "strategies/README.md", "codegen/README.md")
MODEL = "zen4-avx512"


def run(text: str, names: dict[str, object]) -> None:
    """Run a block; functions in it have a source that can be read, as in a notebook's cell."""
    place = f"<README {len(linecache.cache)}>"
    linecache.cache[place] = (len(text), None, text.splitlines(True), place)
    exec(compile(text, place, "exec"), names)


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_run(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.S):  # each goes on from the last
        run(block.replace("10_000_000", "1_000"), names)
    if page == "README.md" and table_for(host()).name == MODEL:
        (shown,) = re.findall(r"best\.terms  # (.*?):", text)
        assert str(names["best"].terms) == shown  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", (*PAGES, "rewrite/rules/README.md", "SECURITY.md"))
def test_what_a_page_points_to_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'src="([^"]+)"', text)]
    for target in targets:
        path, _, anchor = target.partition("#")
        if target.startswith(("http", "mailto")):
            continue
        there = (ROOT / page).parent / path if path else ROOT / page
        assert there.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles}


def test_the_picture_is_what_is_drawn() -> None:
    names: dict[str, object] = {}
    page = (ROOT / "rewrite" / "README.md").read_text(encoding="utf-8")
    (block,) = (b for b in re.findall(r"```python\n(.*?)```", page, re.S) if "rw.egraph" in b)
    run(block, names)
    drawn = names["graph"].show()._repr_svg_()  # type: ignore[attr-defined]
    assert drawn == (ROOT / "examples" / "egraph.svg").read_text(encoding="utf-8")


@pytest.mark.skipif(table_for(host()).name != MODEL, reason=f"the README shows {MODEL}")
def test_the_command_prints_what_is_shown() -> None:
    (shown,) = re.findall(r"\n\$ python -m rewrite (.*?)\n\.\.\.", TEXT, re.S)
    command, _, expected = shown.partition("\n")
    done = subprocess.run(
        [sys.executable, "-m", "rewrite", *shlex.split(command)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout.startswith(expected)
