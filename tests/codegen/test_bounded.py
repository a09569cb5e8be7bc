"""`max_error=`: kernels that keep a bound, the careful forms that are tried, and the refusal."""

import re
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from codegen.bounded import ulps
from rewrite.errors import AccuracyError, ArgumentError
from rewrite.oracle import exact as exact_values

X = rw.symbol("x", low=0.1, high=10)


def seen(kernel: Any) -> float:
    (note,) = [n for n in kernel.report.notes if n.startswith("largest error")]
    return float(re.findall(r"([\d.e-]+) ulp", note)[0])


def test_a_kernel_within_the_bound_is_the_one_that_was_asked_for() -> None:
    term = rw.sin(X) * rw.exp(X)
    kernel = rw.compile([X], term, math="fast", max_error=6)
    assert "fast_sin" in str(kernel.program)
    assert 0.5 < seen(kernel) <= 6


def test_functions_of_the_better_grade_are_tried() -> None:
    kernel = rw.compile([X], rw.sin(X), math="fast", max_error="1ulp")
    assert "fast_sin" not in str(kernel.program)
    assert seen(kernel) <= 1


def test_the_accurate_form_is_tried() -> None:
    x = rw.symbol("x", low=1e6, high=1e9)
    term = rw.sqrt(x + 1) - rw.sqrt(x)
    careless = rw.compile([x], term, optimize_terms=False, dtype=np.float64)
    kernel = rw.compile([x], term, max_error=3, dtype=np.float64)
    point = 123456789.0
    expected = 1 / (np.sqrt(point + 1) + np.sqrt(point))
    assert abs(kernel(point) / expected - 1) < 1e-15 < abs(careless(point) / expected - 1)


def test_what_no_form_meets_is_refused_with_the_worst_point() -> None:
    x, y = rw.symbols("x y", low=0, high=1)
    with pytest.raises(AccuracyError, match=r"no implementation is within max_error=1 ulp.*'out'"):
        rw.compile([x, y], rw.sin(x) - rw.sin(y), max_error=1)
    with pytest.raises(AccuracyError, match=r"float64 alone is had by dtype=np\.float64"):
        rw.compile([x, y], rw.sin(x) - rw.sin(y), max_error=1)


def test_the_point_where_it_is_worst_is_real() -> None:
    term = rw.exp(rw.sin(X) * 40)
    with pytest.raises(AccuracyError) as found:
        rw.compile([X], term, max_error=0.6, dtype=np.float64)
    match = re.search(r"has (\S+) ulp .* x=([^,.]+\.\d+)", str(found.value))
    assert match is not None
    ulp, x = map(float, match.groups())
    exact = exact_values(term, {"x": [x]}).nearest()[0]
    tried = [rw.compile([X], term, dtype=np.float64, strategy=s) for s in (None, "accurate")]
    seen_there = [abs(kernel(x) - exact) / np.spacing(exact) for kernel in tried]
    assert max(seen_there) >= ulp / 2 > 0.3


def test_arrays_truth_values_and_constants_are_measured() -> None:
    x, y = rw.symbols("x y")
    kernel = rw.compile([[x, y]], {"a": [x * x, y], "b": x > y}, max_error=0.5)
    assert kernel(np.array([3.0, 2.0]))["b"]
    assert rw.compile([], rw.const(1) / 3, max_error=0.5)() == 1 / 3


def test_strict_kernels_are_what_is_written_or_refused() -> None:
    with pytest.raises(AccuracyError):
        rw.compile([X], (X + 1e9) - 1e9, math="strict", max_error=1)


@pytest.mark.parametrize("bound", [0, 0.4, -1, float("nan"), True, "2 bits", "", None.__class__])
def test_a_bound_that_is_none_is_refused(bound: Any) -> None:
    with pytest.raises(ArgumentError, match=r"max_error=.* is not a number of ulps"):
        rw.compile([X], X + 1, max_error=bound)


def test_expressions_that_are_nowhere_defined_say_so() -> None:
    with pytest.raises(AccuracyError, match="undefined at every point"):
        rw.compile([X], rw.log(-X), max_error=2)


def test_a_bound_reads_as_it_is_written() -> None:
    assert ulps("2ulp") == ulps(" 2.0 ulps ") == ulps(2) == ulps(np.int64(2)) == 2.0
