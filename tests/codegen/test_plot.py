"""`rw.plot`: each function draws on the axes that it is given, or on new ones, and returns them."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from codegen import plot
from rewrite.errors import ArgumentError, MissingLibrary, RewriteError

x = rw.symbol("x", low=1, high=1e9)
y = rw.symbol("y")
LOSES = rw.sqrt(x + 1) - rw.sqrt(x)


@pytest.fixture
def pyplot() -> Any:
    """Draw without a screen, and close what was drawn."""
    matplotlib = pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def test_all_of_them_draw_where_they_are_told(pyplot: Any) -> None:
    kernel = rw.compile([x], LOSES)
    draws: list[Callable[..., Any]] = [
        rw.plot.cost, rw.plot.error, partial(rw.plot.throughput, sizes=[10, 100], seconds=0.001)
    ]  # fmt: skip
    for draw in draws:
        _, axes = pyplot.subplots()
        figures = pyplot.get_fignums()
        assert draw(kernel, ax=axes) is axes and pyplot.get_fignums() == figures
        new = draw(kernel)
        assert type(new) is type(axes) and len(pyplot.get_fignums()) == len(figures) + 1


def test_cost_is_the_length_of_bars(pyplot: Any) -> None:
    best = rw.optimize(y * x + y * rw.symbol("z"))
    drawn = rw.plot.cost(best)
    widths = [bar.get_width() for bar in drawn.patches]
    assert widths == [best.cost_before, best.cost_after] and drawn.get_xlabel() == best.model.unit
    kernel = rw.compile([x], LOSES)
    kernel.measure(64, seconds=0.001)
    assert len(rw.plot.cost(kernel).patches) >= 3  # what was measured too
    forms = rw.explore(x * y + x, k=3)
    assert [bar.get_width() for bar in rw.plot.cost(forms).patches] == [f.cost for f in forms]
    both = rw.plot.cost({"one": best, "two": kernel})
    assert [t.get_text() for t in both.get_xticklabels()] == ["one", "two"]
    assert [bar.get_height() for bar in both.patches][:2] == [best.cost_before, kernel.cost.before]
    report = rw.egraph(x * y + x).report
    (line,) = rw.plot.cost(report).lines
    assert line.get_ydata().tolist() == [step.nodes for step in report.iterations]


def test_a_front_is_cost_against_error(pyplot: Any) -> None:
    t = rw.symbol("t", low=-1, high=1)
    best = rw.optimize(rw.sin(t) - t, objective=("pareto", 3))
    drawn = rw.plot.front(best)
    (line,) = drawn.lines
    assert line.get_xdata().tolist() == [one.cost_after for one in best]
    assert line.get_ydata().tolist() == [one.accuracy for one in best]
    assert len(best) == len(drawn.texts) >= 2 and drawn.get_xlabel() == best[0].model.unit
    _, axes = pyplot.subplots()
    forms = rw.explore(LOSES, k=3)
    (dots,) = rw.plot.front(forms, ax=axes).lines
    assert dots.axes is axes and len(dots.get_xdata()) == len(forms)


def test_error_is_that_of_the_values(pyplot: Any) -> None:
    (dots,) = rw.plot.error(LOSES, points=200).lines
    bits = np.asarray(dots.get_ydata())
    assert bits.shape == (200,) and bits[-20:].mean() > 20 > bits[:20].mean() >= 0
    assert dots.axes.get_xscale() == "log" and dots.axes.get_xlabel() == "x"
    better = rw.compile([x], LOSES, strategy="accurate")
    (dots,) = rw.plot.error(better, (1, 10), points=100).lines
    assert np.asarray(dots.get_ydata()).max() < 2 and dots.axes.get_xscale() == "linear"
    single = rw.compile([x], LOSES, dtype=np.float32)
    (dots,) = rw.plot.error(single, (1, 1e6)).lines
    assert np.asarray(dots.get_ydata()).max() <= 32
    two = rw.compile([x, y], {"sum": x + y, "product": x * y})
    drawn = rw.plot.error(two, {"x": (1, 2), "y": 3.0})
    assert [text.get_text() for text in drawn.get_legend().get_texts()] == ["sum", "product"]
    assert len(rw.plot.error([x + 1, x * 2]).lines) == 2


def test_throughput(pyplot: Any) -> None:
    kernel = rw.compile([x], rw.exp(x))
    drawn = rw.plot.throughput(kernel, [1000, 10], seconds=0.001)
    measured, model = drawn.lines
    assert measured.get_xdata().tolist() == [10, 1000]
    assert (np.asarray(measured.get_ydata()) > 0).all() and model.get_linestyle() == "--"
    assert kernel.cost.measured is None  # nothing is left behind


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: plot.cost(3), "3 has no cost to draw"), (lambda: plot.cost([]), "nothing to draw"),
        (lambda: plot.front(x), "x is no front"), (lambda: plot.front([]), "is no front"),
        (lambda: plot.cost(x), "x has no cost"), (lambda: plot.error(3), "3 is no term and no"),
        (lambda: plot.error("x"), "'x' is no term"),
        (lambda: plot.error(x + y), "no number and no interval for y"),
        (lambda: plot.error(x + y, (1, 2)), "the symbols are x, y: give a dictionary"),
        (lambda: plot.error(x + y, {"y": (0, 1)}), "has 2 intervals"),
        (lambda: plot.error(x, {"x": 1.0}), "has 0 intervals"),
        (lambda: plot.error(x, {"z": 1.0}), "no symbol 'z'; symbols: x"),
        (lambda: plot.error(x, (2, 1)), r"\(2, 1\) is no interval"),
        (lambda: plot.error(x, (0, np.inf)), "is no interval"),
        (lambda: plot.error(rw.compile([[x, y]], x + y)), "takes or returns arrays"),
        (lambda: plot.throughput(x),  # type: ignore[arg-type]
         "is that of a kernel of the CPU"),
    ],
)  # fmt: skip
def test_mistakes_are_named(call: Any, told: str, pyplot: Any) -> None:
    with pytest.raises(ArgumentError, match=told):
        call()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingLibrary, match=r"rw\.plot\.error needs matplotlib.*pip install"):
        rw.plot.error(x)
    assert issubclass(MissingLibrary, RewriteError) and issubclass(MissingLibrary, ImportError)
