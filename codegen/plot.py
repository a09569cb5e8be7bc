"""Plots of costs, errors and throughput (`rw.plot`), drawn by Matplotlib.

Each function takes `ax=`, the axes to draw on, and returns the axes; none of them shows a window.
They raise `MissingLibrary` where Matplotlib is not installed.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any, Final

import numpy as np

from codegen.alternatives import Forms
from codegen.cuda.auto import AutoKernel
from codegen.kernel import Kernel
from codegen.kernelcost import KernelCost
from codegen.optimize import Optimized
from codegen.target import cache_bytes
from rewrite.egraph.limits import Report
from rewrite.errors import ArgumentError
from rewrite.evaluate import evaluate, float_dtype
from rewrite.measured import bits_of_error
from rewrite.optional import needed
from rewrite.oracle import exact
from rewrite.store import Symbol
from rewrite.tables import cut
from rewrite.term import Term

__all__ = ["cost", "error", "front", "throughput"]

WIDE: Final = 40
"""Letters of a form beside its bar."""
DECADES: Final = 1e3
"""Intervals of positive numbers whose ends are so many times apart are sampled by magnitude."""
MOST_BYTES: Final = 1 << 29
"""Of all operands together, in a plot of throughput."""
SIZES: Final = tuple(int(10 ** (k / 2)) for k in range(4, 15))


def _axes(ax: Any, name: str) -> Any:
    pyplot = needed("matplotlib.pyplot", f"rw.plot.{name}", "rewrite[notebook]")
    return pyplot.subplots(layout="constrained")[1] if ax is None else ax


# -- cost ------------------------------------------------------------------------------------


def cost(found: Any, *, ax: Any = None) -> Any:
    """Draw what terms cost, as bars: before and after, or form by form.

    `found` is what `rw.optimize` returns, a kernel (with what was measured of it), what
    `rw.explore` returns, or a list or dictionary of the first two, side by side. Of a `Report` the
    cost of the search is drawn: e-nodes after each iteration.

    Raise `ArgumentError` for anything else.

    >>> import rewrite as rw
    >>> a, x, y = rw.symbols("a x y")
    >>> rw.plot.cost(rw.optimize(a * x + a * y)).get_xlabel()  # doctest: +SKIP
    'cycles/element'
    """
    if isinstance(found, Report):
        return _growth(found, _axes(ax, "cost"))
    if isinstance(found, Forms):
        rows = [(cut(repr(form.term), WIDE), form.cost) for form in found]
        return _bars(rows, found.model.unit, found.model.name, _axes(ax, "cost"))
    if isinstance(found, (Mapping, Sequence)):
        pairs = found.items() if isinstance(found, Mapping) else enumerate(found)
        return _grouped([(str(name), _cost_of(one)) for name, one in pairs], _axes(ax, "cost"))
    one = _cost_of(found)
    return _bars(one.rows(), one.unit, one.model, _axes(ax, "cost"))


def _cost_of(found: Any) -> KernelCost:
    if isinstance(found, KernelCost):
        return found
    known = found.cost if isinstance(found, (Optimized, Kernel, AutoKernel)) else None
    if not isinstance(known, KernelCost):
        raise ArgumentError(
            f"{found!r} has no cost to draw: pass what rw.optimize, rw.compile or rw.explore "
            "returns, or a report"
        )
    return known


def _bars(rows: Sequence[tuple[str, float]], unit: str, model: str, ax: Any) -> Any:
    places = range(len(rows))
    drawn = ax.barh(places, [value for _, value in rows])
    ax.bar_label(drawn, fmt="%.3g", padding=3)
    ax.set_yticks(places, [name for name, _ in rows])
    ax.invert_yaxis()  # the first is on top, as in tables
    ax.margins(x=0.15)
    ax.set(xlabel=unit, title=f"cost by {model}")
    return ax


def _grouped(rows: Sequence[tuple[str, KernelCost]], ax: Any) -> Any:
    if not rows:
        raise ArgumentError("there is nothing to draw")
    places = np.arange(len(rows))
    ax.bar(places - 0.2, [one.before for _, one in rows], 0.4, label="before")
    ax.bar(places + 0.2, [one.after for _, one in rows], 0.4, label="after")
    ax.margins(y=0.25)
    ax.set_xticks(places, [name for name, _ in rows])
    ax.set_ylabel(", ".join(dict.fromkeys(one.unit for _, one in rows)))
    ax.legend()
    return ax


def _growth(report: Report, ax: Any) -> Any:
    steps = report.iterations
    ax.plot(range(1, len(steps) + 1), [step.nodes for step in steps], marker="o")
    stop = report.stop.value if report.stop else "not run"
    ax.locator_params(axis="x", integer=True)
    ax.set(xlabel="iteration", ylabel="e-nodes", title=f"stopped by: {stop}")
    return ax


# -- fronts ----------------------------------------------------------------------------------


def front(found: Any, *, ax: Any = None) -> Any:
    """Draw forms by what they cost and by their mean bits of error: what accuracy costs.

    `found` is what `rw.optimize(..., objective=("pareto", k))` returns, one form a point and a line
    through them, or what `rw.explore` returns, whose forms are not all worth their cost: points.

    Raise `ArgumentError` for anything else.

    >>> import rewrite as rw
    >>> x = rw.symbol("x", low=-1, high=1)
    >>> best = rw.optimize(rw.sin(x) - x, objective=("pareto", 3))
    >>> rw.plot.front(best).get_ylabel()  # doctest: +SKIP
    'mean bits of error'
    """
    if isinstance(found, Forms):
        rows = [(repr(f.term), f.cost, f.accuracy.mean_bits) for f in found if f.accuracy]
        model, style = found.model, "o"
    elif isinstance(found, Sequence) and found and all(isinstance(f, Optimized) for f in found):
        rows = [(repr(f.terms), f.cost_after, f.accuracy) for f in found]
        model, style = found[0].model, "o-"
    else:
        raise ArgumentError(
            f"{found!r} is no front: pass what rw.optimize(..., objective=('pareto', k)) or "
            "rw.explore returns"
        )
    ax = _axes(ax, "front")
    ax.plot([cost for _, cost, _ in rows], [bits for *_, bits in rows], style)
    for name, *place in rows:
        ax.annotate(
            cut(name, WIDE), place, xytext=(4, 4), textcoords="offset points", fontsize="small"
        )
    ax.margins(x=0.15, y=0.15)
    ax.set(xlabel=model.unit, ylabel="mean bits of error", title=f"cost by {model.name}")
    return ax


# -- error -----------------------------------------------------------------------------------


def error(
    found: Any, domain: Any = None, *, points: int = 500, dtype: Any = None, ax: Any = None
) -> Any:
    """Draw the bits of error of a term or of an elementwise kernel along one symbol.

    Bits of error are log2(max(1, u)), u the distance from the exact value in ulps. `domain` is an
    interval (low, high), or a dictionary that gives an interval to one symbol and numbers to the
    others; what is not given is taken from the symbols' own domains, of which one may be an
    interval. A kernel is called, a term evaluated as written, in `dtype` (float64).

    Raise `ArgumentError` where no symbol or more than one has an interval, and for kernels of
    arrays.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> ax = rw.plot.error(rw.sqrt(x + 1) - rw.sqrt(x), (1, 1e9))  # doctest: +SKIP
    """
    terms, names = _results(found)
    symbols = {s.name: s for term in terms for t in term.free_symbols if (s := t.symbol)}
    along, values = _points(symbols, domain, points)
    kernel = found if isinstance(found, (Kernel, AutoKernel)) else None
    kind = float_dtype(_own_type(kernel) if dtype is None else dtype)
    given = {name: np.asarray(value, kind) for name, value in values.items()}
    computed = evaluate(terms, given, dtype=kind) if kernel is None else _called(kernel, given)
    ax = _axes(ax, "error")
    where = np.broadcast_to(given[along], (points,))
    for name, approx, truth in zip(names, computed, exact(terms, given), strict=True):
        bits = bits_of_error(np.broadcast_to(approx, (points,)), truth.broadcast(points), kind)
        ax.plot(where, bits, ".", markersize=3, label=cut(name, WIDE))
    if _by_magnitude(where):
        ax.set_xscale("log")
    ax.set(xlabel=along, ylabel="bits of error")
    ax.legend()
    return ax


def _own_type(kernel: Any) -> Any:
    return np.float32 if kernel is not None and kernel.dtype == "f32" else np.float64


def _results(found: Any) -> tuple[list[Term], list[str]]:
    """Return the terms of what is drawn, and what each is called."""
    if isinstance(found, Term):
        return [found], [repr(found)]
    if isinstance(found, (Kernel, AutoKernel)):
        arrays = [part for part in found.program.operands if part.shape]
        if arrays:
            raise ArgumentError(
                f"kernel {found.__name__!r} takes or returns arrays; draw the error of its terms"
            )
        outputs = [output.name for output in found.program.outputs]
        return list(found.terms), outputs if len(outputs) > 1 else [found.__name__]
    if isinstance(found, Iterable) and not isinstance(found, str):
        terms = list(found)
        if terms and all(isinstance(term, Term) for term in terms):
            return terms, list(map(repr, terms))
    raise ArgumentError(f"{found!r} is no term and no kernel to draw the error of")


def _points(symbols: Mapping[str, Symbol], domain: Any, count: int) -> tuple[str, dict[str, Any]]:
    """Return the symbol along which is drawn, and values of all symbols."""
    if domain is not None and not isinstance(domain, Mapping):
        if len(symbols) != 1:
            raise ArgumentError(
                f"domain={domain!r} is one interval, and the symbols are "
                f"{', '.join(sorted(symbols)) or 'none'}: give a dictionary of them"
            )
        domain = {next(iter(symbols)): domain}
    given = dict(domain or {})
    unknown = sorted(set(given) - set(symbols))
    if unknown:
        raise ArgumentError(f"there is no symbol {unknown[0]!r}; symbols: {', '.join(symbols)}")
    for name, symbol in symbols.items():
        if name not in given and None not in (symbol.low, symbol.high):
            given[name] = (symbol.low, symbol.high)
    missing = sorted(set(symbols) - set(given))
    if missing:
        raise ArgumentError(f"domain= gives no number and no interval for {', '.join(missing)}")
    wide = [name for name, value in given.items() if np.ndim(value)]
    if len(wide) != 1:
        raise ArgumentError(
            f"one symbol has an interval, the others numbers: domain={given!r} has "
            f"{len(wide)} intervals"
        )
    (along,) = wide
    return along, {**given, along: _spread(along, given[along], count)}


def _spread(name: str, interval: Any, count: int) -> Any:
    ends = np.asarray(interval, float)
    if ends.shape != (2,) or not np.isfinite(ends).all() or not ends[0] < ends[1]:
        raise ArgumentError(f"{name}: {interval!r} is no interval (low, high)")
    spread = np.geomspace if _by_magnitude(ends) else np.linspace
    return spread(ends[0], ends[1], count)


def _by_magnitude(ends: Any) -> bool:
    return bool(ends[0] > 0 and ends[-1] / ends[0] >= DECADES)


def _called(kernel: Any, given: Mapping[str, Any]) -> list[Any]:
    missing = np.float64(1.0)  # of arguments that no result needs
    found = kernel(*[given.get(part.name, missing) for part in kernel.program.arguments])
    if isinstance(found, dict):
        return list(found.values())
    return list(found) if isinstance(found, tuple) else [found]


# -- throughput ------------------------------------------------------------------------------


def throughput(
    kernel: Kernel, sizes: Iterable[int] | None = None, *, seconds: float = 0.02, ax: Any = None
) -> Any:
    """Draw how many elements a second a kernel computes, for arrays of growing size.

    Each size is timed here for `seconds`, as `Kernel.measure` does. A dashed line is what the cost
    model says of the loop alone, a dotted one where the operands fill the largest cache. The sizes
    are 100 to 10^7 elements unless they are given, as far as memory allows.

    Raise `ArgumentError` for what is no kernel of the CPU.
    """
    if not isinstance(kernel, Kernel):
        raise ArgumentError(f"throughput is that of a kernel of the CPU, not of {kernel!r}")
    size = 4 if kernel.dtype == "f32" else 8
    point = size * sum(prod(part.shape) for part in kernel.program.operands)
    fitting = [n for n in SIZES if n * point <= MOST_BYTES] or [1]
    wanted = fitting if sizes is None else sorted(sizes)
    ax = _axes(ax, "throughput")
    known = kernel.cost  # `measure` notes the last size in it
    times = [kernel.measure(n, seconds=seconds) for n in wanted]
    kernel.cost = known
    (line,) = ax.plot(wanted, [1 / time.ns for time in times], marker="o", label=kernel.__name__)
    if known is not None and known.unit.startswith("cycles/"):
        clock = times[-1].cycles / times[-1].ns
        ax.axhline(clock / known.after, linestyle="--", color=line.get_color(), label="model")
    if wanted[0] < cache_bytes() / point < wanted[-1]:
        ax.axvline(cache_bytes() / point, linestyle=":", color="gray", label="largest cache")
    ax.set(xscale="log", yscale="log", xlabel="elements", ylabel="$10^9$ elements a second")
    ax.legend()
    return ax
