"""`show_config` says what there is, what is in force, and what is not installed."""

from importlib import metadata
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from codegen.target import host
from rewrite.errors import ArgumentError


def test_dictionaries(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("REWRITE_PARALLEL", "2")
    monkeypatch.setenv("REWRITE_MTH", "fast")
    found: Any = rw.show_config(mode="dicts")
    assert found["versions"]["numpy"] == np.__version__ and found["versions"]["LLVM"]
    assert found["machine"]["cpu"] == host().cpu and found["machine"]["features"]
    assert found["options"]["parallel"] == 2 and found["options"]["math"] == "guarded"
    assert found["environment"]["REWRITE_MTH"] == "fast (means nothing)"
    assert found["environment"]["REWRITE_PARALLEL"] == "2"
    assert "turned off" in found["cache"]["folder"]  # as tests have it
    assert not capsys.readouterr().out


def test_what_is_printed(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REWRITE_CACHE", str(tmp_path))
        assert rw.show_config() is None
    text = capsys.readouterr().out
    for said in (host().cpu, np.__version__, str(tmp_path), "native target", "math", "guarded"):
        assert said in text
    with pytest.raises(ArgumentError, match="mode='text' is neither"):
        rw.show_config(mode="text")  # type: ignore[arg-type]


def test_what_is_missing_says_what_it_would_give(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    monkeypatch.setattr("shutil.which", lambda name: None)
    found: Any = rw.show_config(mode="dicts")
    assert found["optional"]["matplotlib"] == "not installed; gives rw.plot"
    assert all("gives" in text for text in found["optional"].values())
