"""`verify=True`: what a certificate says, and that wrong kernels are refused."""

from typing import Any

import numpy as np
import pytest

import rewrite as rw
from codegen import certify
from codegen.bounded import outputs_of
from codegen.forms import parameters_of, results_of
from rewrite.errors import AccuracyError, ArgumentError

x, y = rw.symbols("x y")
p = rw.symbol("p", low=0.1, high=10)
g = rw.symbol("g", low=1e6, high=1e12)


def again(kernel: Any, args: Any, exprs: Any) -> certify.Certificate:
    return certify.certificate(kernel, parameters_of(args), results_of(exprs)[0])


def test_a_certificate_says_what_was_compared() -> None:
    term = rw.where(p > 9.9999, rw.sin(p), rw.exp(p) * x)
    kernel = rw.compile([p, x], term, verify=True)
    found = kernel.certificate
    assert found.points >= 256 and found.covered
    assert {worst.dtype for worst in found.worst} == {"f64", "f32"}
    assert all(0.4 < worst.ulp < 4 and worst.point.keys() == {"p", "x"} for worst in found.worst)
    assert found.lanes == {d: kernel.target.lanes(d) for d in ("f64", "f32")}
    assert found.arrays == sum(4 * (2 * n + 2) for n in found.lanes.values())
    assert "conditions taken both ways" in str(found) and "bit by bit" in str(found)
    assert rw.compile([p, x], term).certificate is None


@pytest.mark.parametrize("exprs", [
    x + y, (x * y, x > y), {"a": rw.sqrt(abs(x)), "b": rw.atan2(x, y)}, [[x, y], [y - x, 1]],
    rw.const(1) / 3,
], ids=str)  # fmt: skip
def test_every_form_of_result_is_verified(exprs: Any) -> None:
    for math in ("strict", "guarded", "fast"):
        assert rw.compile([x, y], exprs, math=math, verify=True).certificate.points >= 1


def test_arrays_as_arguments() -> None:
    a = [rw.symbol(f"a{k}") for k in range(3)]
    kernel = rw.compile([a, x], [a[0] * x + a[1], a[2]], dtype=np.float32, verify=True)
    assert list(kernel.certificate.lanes) == ["f32"]


def test_what_cancels_is_not_refused_for_what_the_source_loses() -> None:
    term = rw.sqrt(g + 1) - rw.sqrt(g)
    for strategy in (None, "accurate"):
        kernel = rw.compile([g], term, strategy=strategy, dtype=np.float64, verify=True)
        assert (kernel.certificate.worst[0].ulp > 1000) is (strategy is None)


@pytest.mark.parametrize("source, other", [
    (rw.sin(p), rw.sin(p) * (1 + rw.const(2) ** -45)),
    (rw.where(p > 9.9999, rw.sin(p), p), p),
    (x / y, x * y),
    (x > y, x >= y),
], ids=str)  # fmt: skip
def test_another_kernel_is_refused_with_point_and_values(source: Any, other: Any) -> None:
    kernel = rw.compile([x, y, p], other)
    with pytest.raises(AccuracyError, match=r"'kernel' is wrong in f64: 'out' at .* the exact"):
        again(kernel, [x, y, p], source)


@pytest.mark.parametrize("length", [1, 3, 7])
@pytest.mark.parametrize("layout", ["contiguous", "strided"])
def test_one_wrong_lane_is_seen(monkeypatch: Any, length: int, layout: str) -> None:
    """A kernel whose last element is off by an ulp for one length and layout only."""
    kernel = rw.compile([x], x * 3, dtype=np.float64)
    right = outputs_of

    def wrong(of: Any, data: Any, dtype: Any) -> Any:
        (found,) = right(of, data, dtype)
        strided = data[0].strides[0] == 24
        if len(data[0]) == length + 1 and strided is (layout == "strided"):
            found = found.copy()
            found[-1] = np.nextafter(found[-1], np.inf)
        return (found,)

    monkeypatch.setattr(certify, "outputs_of", wrong)
    with pytest.raises(AccuracyError, match=rf"element {length} of {length + 1} \({layout}\)"):
        again(kernel, [x], x * 3)


def test_a_sign_of_zero_is_a_bit_and_all_nan_are_one() -> None:
    kernel = rw.compile([x], x)
    given = [np.array([1.0])], "contiguous", 0
    nan = np.array([np.nan])
    certify._same(kernel, "f64", *given, nan, -nan)
    with pytest.raises(AccuracyError, match=r"is .*-0\.0.* alone .*0\.0"):
        certify._same(kernel, "f64", *given, np.array([0.0]), np.array([-0.0]))


def test_jit_passes_it_on_and_loops_have_none() -> None:
    square = rw.jit(verify=True)(lambda v: v * v)
    assert square(3.0) == 9.0
    assert square.kernels[0].certificate.points > 0

    def halved(v: float) -> float:
        while v > 1:
            v = v / 2
        return v

    with pytest.raises(ArgumentError, match="verify= is not for functions with loops"):
        rw.jit(control_flow=True, verify=True)(halved)(3.0)
