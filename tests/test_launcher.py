"""`python3 examples` and `python3 tests`, without making an environment."""

import ast
import os
import pathlib
import sys
from collections.abc import Sequence

import pytest

import launcher

ROOT = pathlib.Path(__file__).parent.parent
GOOD = ("/good/python", "3.13.1")


@pytest.fixture
def checkout(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A repository with an empty `.venv`, in place of this one."""
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(launcher, "ROOT", str(tmp_path))
    monkeypatch.setattr(launcher, "VENV", str(tmp_path / ".venv"))
    return tmp_path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that the launcher would have run, noted instead."""
    noted: list[list[str]] = []

    def note(command: Sequence[str], *_: object) -> int:
        noted.append(list(command))
        return 0

    monkeypatch.setattr(launcher, "quietly", note)
    monkeypatch.setattr(launcher, "hand_over", note)
    return noted


def executable(path: pathlib.Path, script: str) -> None:
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


@pytest.mark.parametrize("name", [".ci/launcher.py", "examples/__main__.py", "tests/__main__.py"])
def test_an_old_python_can_read_it(name: str) -> None:
    ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 7))


def test_a_new_python_is_used_itself() -> None:
    assert launcher.find_python((3, 12, 0)) == (sys.executable, "3.12.0")
    assert launcher.find_python((3, 14, 2)) == (sys.executable, "3.14.2")


def test_too_old_and_no_other(
    checkout: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ran: list[list[str]],
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 11, 7, "final", 0))
    monkeypatch.setenv("PATH", "")
    assert launcher.start("", ["example.py"]) == 2
    message = capsys.readouterr().err
    assert "3.12 or newer" in message
    assert f"this is Python 3.11.7 ({sys.executable})" in message
    assert "Install one" in message
    assert ran == []


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_too_old_and_another_on_path(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    executable(tmp_path / "python3.12", "echo 'pyenv: no such command' >&2; exit 127\n")
    executable(tmp_path / "python3.13", f"echo {GOOD[1]}; echo {GOOD[0]}\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert launcher.find_python((3, 11, 7)) == GOOD
    assert "this is Python 3.11.7, older than 3.12: using /good/python" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_an_old_python3_on_path_is_not_taken(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "python3", "echo 3.9.18; echo /old/python\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(launcher.Failure, match=r"Python 3\.12 or newer"):
        launcher.find_python((3, 11, 7))


def test_stamps(checkout: pathlib.Path, ran: list[list[str]]) -> None:
    assert not launcher.installed("")
    launcher.install("")
    assert launcher.installed("")
    assert not launcher.installed("test"), "the base alone has no pytest"

    (checkout / "pyproject.toml").write_text("[project]  # changed\n")
    assert not launcher.installed("")
    launcher.install("test")
    assert launcher.installed("test")
    assert launcher.installed(""), "the base comes with an extra"
    assert ran[-1][-2:] == ["-e", f"{checkout}[test]"]


def test_a_moved_checkout_is_installed_again(
    checkout: pathlib.Path, monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]
) -> None:
    launcher.install("")
    moved = checkout.rename(checkout.with_name("moved"))
    monkeypatch.setattr(launcher, "ROOT", str(moved))
    monkeypatch.setattr(launcher, "VENV", str(moved / ".venv"))
    assert not launcher.installed("")


def test_start_does_only_what_is_needed(
    checkout: pathlib.Path, monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]
) -> None:
    monkeypatch.setattr(launcher, "venv_python", lambda: sys.executable)
    for _ in range(2):
        assert launcher.start("", ["example.py", "--points", "7"]) == 0
    install, first, second = ran
    assert install[-2:] == ["-e", str(checkout)]
    assert first == second == [sys.executable, "example.py", "--points", "7"]


def test_a_failed_command_shows_its_output() -> None:
    failing = [sys.executable, "-c", "print('what went wrong'); raise SystemExit(3)"]
    with pytest.raises(launcher.Failure, match=r"what went wrong\s+rewrite: trying failed .*3\)"):
        launcher.quietly(failing, "trying")
    launcher.quietly([sys.executable, "-c", "print('unseen')"], "trying")


def test_a_half_made_environment_is_removed(
    checkout: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: Sequence[str], what: str) -> None:
        raise launcher.Failure(f"{what} failed", 1)

    monkeypatch.setattr(launcher, "quietly", fail)
    with pytest.raises(launcher.Failure, match=r"making \.venv failed"):
        launcher.make_environment()
    assert not (checkout / ".venv").exists()
