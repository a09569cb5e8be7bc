"""Progress bars: of all that takes long, when asked for, and nothing otherwise."""

import io
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from rewrite import progress
from rewrite.progress import advance, each, shown, stage

x, y, z = rw.symbols("x y z")
FORMULA = x * y + x * z + rw.exp(x)
CELLS = [rw.symbol(f"u{k}") for k in range(600)]
FLOW = [(a - 2 * b + c) * b for a, b, c in zip(CELLS, CELLS[1:], CELLS[2:], strict=False)]


class Bar:
    """What stands for tqdm: it notes what it is told."""

    def __init__(self, **given: Any) -> None:
        self.given, self.seen, self.unit = given, [given["desc"]], given["unit"]
        self.count, self.total = given["initial"], given["total"]
        made.append(self)

    def set_description_str(self, text: str) -> None:
        self.seen.append(text)

    def reset(self, total: int | None) -> None:
        self.count = 0

    def update(self, count: int) -> None:
        self.count += count

    def close(self) -> None:
        self.seen.append("closed")


made: list[Bar] = []


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Bar]]:
    """Bars at once, which are noted and not drawn."""
    import tqdm.auto

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    monkeypatch.setattr(progress._Bar, "__init__", at_once)
    made.clear()
    yield made


begin = progress._Bar.__init__


def at_once(bar: progress._Bar) -> None:
    begin(bar)
    bar.timer.cancel()
    bar.show()


WORK: dict[str, tuple[Callable[..., Any], set[str]]] = {
    "optimize": (lambda **o: rw.optimize(FORMULA, **o), {"saturating"}),
    "autotune": (
        lambda **o: rw.optimize(FORMULA, autotune=2, **o), {"looking for forms", "measuring"}
    ),
    "pareto": (
        lambda **o: rw.optimize(x * y + x * z, objective=("pareto", 2), **o), {"measuring accuracy"}
    ),
    "compile": (
        lambda **o: rw.compile([x, y, z], FORMULA, **o), {"writing the program", "generating code"}
    ),
    "verify": (lambda **o: rw.compile([x], x + 1, verify=True, **o), {"validating"}),
    "large system": (
        lambda **o: rw.compile([CELLS], FLOW, optimize_terms=False, dtype=float, **o),
        {"generating code"},
    ),
    "many terms": (
        lambda **o: rw.optimize(FLOW, **o),
        {"factoring", "comparing with the source", "looking for equal shapes", "saturating"},
    ),
    "explain": (lambda **o: rw.explain(x * y + x * z, x * (y + z), **o), {"explaining"}),
    "result.explain": (
        lambda **o: rw.optimize(x * y + x * z, progress=False).explain(**o), {"explaining"}
    ),
    "explore": (lambda **o: rw.explore(x * y + x * z, 2, **o), {"looking for forms"}),
    "egraph": (lambda **o: rw.egraph(x * y + x * z, **o), {"saturating"}),
}  # fmt: skip


@pytest.mark.parametrize("name", WORK)
def test_long_work_says_what_it_does(name: str, bars: list[Bar]) -> None:
    work, stages = WORK[name]
    work(progress=False)
    with rw.options(progress=False):
        work()
    work()  # there is no terminal
    assert not bars
    work(progress=True)
    (bar,) = bars  # inner work shows none of its own
    assert stages <= set(bar.seen) and bar.seen[-1] == "closed"
    with rw.options(progress=True):
        work()
    assert len(bars) == 2


def test_the_first_call_of_a_large_kernel_shows_one_too(bars: list[Bar]) -> None:
    kernel = rw.compile([CELLS], FLOW, optimize_terms=False)
    with rw.options(progress=True):
        kernel(np.ones(600, np.float32))
    assert any("generating code" in bar.seen for bar in bars)


def test_steps_are_counted(bars: list[Bar]) -> None:
    with shown(True):
        for _ in each([1, 2, 3], "walking", "step"):
            pass
        assert (bars[0].count, bars[0].total, bars[0].unit) == (3, 3, "step")
        stage("running", 5, "lap")
        advance(2)
        assert (bars[0].count, bars[0].total, bars[0].unit) == (2, 5, "lap")
    assert list(each(iter("ab"), "walking", "step")) == ["a", "b"]
    with pytest.raises(KeyError), shown(True):
        raise KeyError
    assert bars[1].seen[-1] == "closed"


def test_what_is_short_shows_nothing_and_loads_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with shown(True):
        stage("walking")
    assert capsys.readouterr().err == ""


def test_what_is_long_is_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "DELAY", 0.01)
    with shown(True):
        for _ in each(range(30), "walking", "step"):
            time.sleep(0.01)
    assert "walking" in capsys.readouterr().err


def test_bars_are_for_terminals_and_notebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not progress._is_seen()
    monkeypatch.setattr(sys, "stderr", None)
    assert not progress._is_seen()
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    assert progress._is_seen()
