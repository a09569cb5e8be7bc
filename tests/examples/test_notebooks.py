"""The notebooks run from top to bottom in a kernel of their own, and are kept without outputs."""

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
WITHOUT = "nbclient or ipykernel is not installed (the notebook extra)"


def read(path: Path) -> Any:
    nbformat = pytest.importorskip("nbformat", reason=WITHOUT)
    made = nbformat.read(path, as_version=4)
    nbformat.validate(made)
    return made


def test_there_are_three_without_outputs() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "double_pendulum", "first_steps", "rules_and_strategies",
    ]  # fmt: skip
    for path in NOTEBOOKS:
        for cell in read(path).cells:
            assert not cell.get("outputs") and cell.get("execution_count") is None
            assert cell.source.strip() and len(max(cell.source.splitlines(), key=len)) <= 130


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason=WITHOUT)
    pytest.importorskip("ipykernel", reason=WITHOUT)
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed (the notebook extra)")
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed (the notebook extra)")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    page = read(path)
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(page, timeout=120, resources=where).execute()
    outputs = [out for cell in page.cells for out in cell.get("outputs", ())]
    told = [out for out in outputs if out.output_type == "stream" and out.name == "stderr"]
    assert not told, told[0].text
    data = [out.data for out in outputs if "data" in out]
    assert sum("text/html" in each or "text/latex" in each for each in data) >= 4
    assert all("text/plain" in each for each in data)
