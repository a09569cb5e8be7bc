"""Every example runs, on few points."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(p for p in (ROOT / "examples").glob("*.py") if not p.name.startswith("_"))
ARGUMENTS = {"feynman": ["--points", "2000", "--only", "I.6.2a", "I.12.1", "III.8.54", "II.11.28"]}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path), *ARGUMENTS.get(path.stem, [])],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_data_has_a_hundred_formulas() -> None:
    spec = importlib.util.spec_from_file_location("feynman", ROOT / "examples" / "feynman.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["feynman"] = module
    spec.loader.exec_module(module)
    rows = list(module.formulas())
    assert len(rows) == 100
    assert all(row.ranges and row.text for row in rows)
