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
MODEL = "intel-avx512"


def run(text: str, names: dict[str, object]) -> None:
    """Run a block; functions in it have a source that can be read, as in a notebook's cell."""
    place = f"<README {len(linecache.cache)}>"
    linecache.cache[place] = (len(text), None, text.splitlines(True), place)
    exec(compile(text, place, "exec"), names)


def test_the_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    block, *others = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    names: dict[str, object] = {}
    run(block.replace("10_000_000", "1_000"), names)
    best = names["best"]
    for other in others:  # they go on from there
        run(other, names)
    if table_for(host()).name == MODEL:
        (shown,) = re.findall(r"best\.terms  # (.*?):", block)
        assert str(best.terms) == shown  # type: ignore[attr-defined]


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
