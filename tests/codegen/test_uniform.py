"""What depends on scalar arguments alone is computed once: the same bits, in less time."""

import functools
import gc
import time
import weakref
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rewrite as rw
from codegen.kernel import Kernel
from codegen.uniform import loop as loop_module
from codegen.uniform.driver import NEVER
from codegen.uniform.loop import UniformLoop, _driver
from codegen.uniform.split import MOST_VALUES, dependencies, split, worthwhile
from rewrite.rulecheck import same_bits
from rewrite.term import Term
from rewrite.testing import terms

x, y, s, r = rw.symbols("x y s r")
N = 1000


def compiled(*args: Any, **options: Any) -> Kernel:
    """Compile a kernel whose program is taken apart in the first call with scalars."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop_module, "_WORK", 0)
        made: Kernel = rw.compile(*args, **options)
    return made


def mask(kernel: Kernel, letter: str = "d") -> int:
    return int(kernel.called[letter].data.mask)


TERMS: dict[str, tuple[Term, int]] = {
    "a function": (x + rw.exp(s), 2), "all of it": (rw.exp(s) * rw.sin(s), 2),
    "two": (x * rw.exp(s) + rw.sin(r) * x, 6), "of both": (rw.where(x < 0, rw.cos(s / r), x), 6),
    "a truth value": (rw.where(rw.exp(s) < r, x, x * x), 2),
    "inside": (rw.exp(-((x - rw.log(s)) ** 2)) / rw.sqrt(r), 6),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("parallel", [1, 2])
@pytest.mark.parametrize("name", list(TERMS))
def test_scalars_are_computed_once(name: str, parallel: int, dtype: str) -> None:
    term, bits = TERMS[name]
    kernel = compiled([x, s, r], term, parallel=parallel)
    values = np.linspace(-2, 2, N).astype(dtype)
    wanted = kernel(values, np.full(N, 0.7, dtype), np.full(N, 1.3, dtype))
    for _ in range(3):
        found = kernel(values, 0.7, 1.3)
        assert found.dtype == wanted.dtype
        assert found.tobytes() == wanted.tobytes()
    if parallel == 1:
        assert mask(kernel, dtype) == bits
    assert kernel(values, 0.1, 1.3).tobytes() != wanted.tobytes()
    few = kernel(values[:5], 0.7, 1.3)
    assert few.tobytes() == wanted[:5].tobytes()


def test_other_scalars_are_for_the_whole_loop() -> None:
    kernel = compiled([x, s, r], x * rw.exp(s) + rw.sin(r) * x)
    values, others = np.linspace(-2, 2, N), np.linspace(0.1, 3, N)
    kernel(values, 0.7, 1.3)
    assert mask(kernel) == 6
    wanted = kernel(values, others, np.full(N, 1.3))
    assert kernel(values, others, 1.3).tobytes() == wanted.tobytes()
    assert kernel(1.5, 0.7, 1.3) == kernel(np.full(N, 1.5), 0.7, 1.3)[0]


def test_nothing_is_done_for_little_or_seldom() -> None:
    seldom: Kernel = rw.compile([x, s], x + rw.exp(s))
    values = np.linspace(-2, 2, N)
    for _ in range(10):
        seldom(values, 0.5)
    assert mask(seldom) == 0
    little: Kernel = rw.compile([x, s], x * s + s)
    assert not isinstance(little.called["d"], UniformLoop)
    assert not worthwhile(rw.compile([x], rw.exp(x)).program)
    mixed = compiled([x, s, r], x + rw.exp(s) * 0 + r, optimize_terms=False)
    for _ in range(10):
        mixed(values, values, 2.0)  # nothing depends on r alone
        mixed.called["d"].data.left = 0
    assert mask(mixed) == NEVER
    assert mixed(values, 0.3, 2.0).tobytes() == mixed(values, np.full(N, 0.3), 2.0).tobytes()


def test_rows_have_scalars_of_their_own() -> None:
    kernel = compiled([x, s], x + rw.exp(s))
    many = 20_000  # NumPy copies the scalars of shorter rows
    rows, column = np.linspace(-2, 2, 6 * many).reshape(6, many), np.linspace(0, 1, 6)[:, None]
    wanted = kernel(rows, np.repeat(column, many, 1))
    assert kernel(rows, column).tobytes() == wanted.tobytes()
    assert mask(kernel) == 2
    turned = kernel(np.asfortranarray(rows), column)
    np.testing.assert_array_equal(turned, wanted)
    strided = np.repeat(rows, 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(kernel(strided, column), wanted)


def test_results_may_lie_over_arguments() -> None:
    kernel = compiled([x, s], x + rw.exp(s))
    values = np.linspace(-2, 2, N)
    wanted = kernel(values, np.full(N, values[3]))
    again = values.copy()
    kernel(again, again[3:4], out=again)  # NumPy copies the scalar
    assert again.tobytes() == wanted.tobytes()
    again = values.copy()
    kernel(again, float(again[3]), out=again)
    assert again.tobytes() == wanted.tobytes()


def test_what_feeds_back_is_no_scalar() -> None:
    kernel = compiled([x, y], x / (1 + rw.exp(y) * rw.exp(y)) + y)
    values = np.linspace(0.1, 1, 300)
    wanted = functools.reduce(lambda a, b: float(kernel(a, b)), values.tolist())
    assert kernel.ufunc.reduce(values) == wanted
    assert kernel.ufunc.accumulate(values)[-1] == wanted
    other = compiled([x, y], x + rw.exp(x) + y)
    total = functools.reduce(lambda a, b: float(other(a, b)), values[:4].tolist())
    assert other.ufunc.reduce(values[:4]) == total
    assert np.isposinf(other.ufunc.reduce(values))


def test_one_number_for_all_may_feed_back() -> None:
    """Found by a reader: the rest has other arguments, whose driver saw no feedback."""
    kernel = compiled([x, y], x / (1 + rw.exp(y) * rw.exp(y)) + y)
    same = np.broadcast_to(0.5, N)
    wanted = kernel.ufunc.accumulate(same.copy())
    kernel(np.linspace(0, 1, N), 0.5)
    assert mask(kernel) == 2
    np.testing.assert_array_equal(kernel.ufunc.accumulate(same), wanted)
    rows = np.broadcast_to(np.array([[0.5], [0.25]]), (2, 20_000))
    np.testing.assert_array_equal(kernel.ufunc.accumulate(rows, axis=1)[0, :N], wanted)


def test_what_sees_the_sign_of_a_nan_is_left_alone() -> None:
    program = rw.compile([x, s], rw.copysign(x, rw.exp(s) * rw.log(x))).program
    assert not worthwhile(program)


def test_a_call_inside_of_the_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a handler of a signal: it runs the whole loop, and waits for nothing."""
    kernel, values = compiled([x, s], x + rw.exp(s)), np.linspace(-2, 2, N)
    wanted = kernel(values, np.full(N, 0.5))
    inner: list[Any] = []

    def looked(*given: Any) -> Any:
        inner.append(kernel(values, 0.5))
        return split(*given)

    monkeypatch.setattr(loop_module, "split", looked)
    assert kernel(values, 0.5).tobytes() == wanted.tobytes()
    assert len(inner) == 1
    assert inner[0].tobytes() == wanted.tobytes()
    assert mask(kernel) == 2


@pytest.mark.parametrize("what", ["split", "Loop"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_there_harms_nothing(
    what: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch, interruptible: None
) -> None:
    kernel, values = compiled([x, s], x + rw.exp(s)), np.linspace(-2, 2, N)
    wanted = kernel(values, np.full(N, 0.5))

    def fails(*_: Any, **__: Any) -> Any:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(loop_module, what, fails)
        with pytest.raises(error) if error is KeyboardInterrupt else nullcontext():
            kernel(values, 0.5)
            if error is KeyboardInterrupt:
                time.sleep(5)
    kernel.called["d"].data.left = 0
    for _ in range(3):
        assert kernel(values, 0.5).tobytes() == wanted.tobytes()
    assert kernel.ufunc is not None
    assert mask(kernel) == (2 if error is KeyboardInterrupt else NEVER)


@given(
    terms((x, y, s)), st.sampled_from(["strict", "guarded", "fast"]),
    st.integers(1, 6), st.sampled_from("fd"),
)  # fmt: skip
def test_any_term_has_the_bits_of_its_loop(term: Term, math: str, scalars: int, kind: str) -> None:
    kernel = compiled([x, y, s], term, math=math)
    rng = np.random.default_rng(scalars)
    columns = [rng.uniform(-3, 3, 200).astype(kind) for _ in range(3)]
    for place in range(3):
        if scalars >> place & 1:
            columns[place][:] = columns[place][0]
    wanted = kernel(*columns)
    given_ = [c[0] if scalars >> p & 1 else c for p, c in enumerate(columns)]
    assert same_bits(np.asarray(kernel(*given_)), np.asarray(wanted)).all()


@given(terms((x, y, s)), st.integers(1, 6))
def test_both_parts_are_programs(term: Term, scalars: int) -> None:
    program = rw.compile([x, y, s], term, optimize_terms=False).program
    made = split(program, scalars)
    if made is None:
        return
    made.first.verify(), made.rest.verify()
    assert made.mask & ~scalars == 0
    assert all(0 <= k < 3 and scalars >> k & 1 for k in made.first_takes)
    assert len(made.first.outputs) == sum(k < 0 for k in made.rest_takes)
    assert len(made.rest.instructions) <= len(program.instructions) + len(made.first.outputs)
    assert len(dependencies(program)) == len(program.instructions)


def test_names_of_values_are_their_own() -> None:
    once = rw.symbol("once0")
    kernel = compiled([once, s], once * rw.exp(s))
    values = np.linspace(-1, 1, N)
    assert kernel(values, 0.5).tobytes() == kernel(values, np.full(N, 0.5)).tobytes()
    assert mask(kernel) == 2


def test_many_values_are_left_where_they_are() -> None:
    term = sum((x ** (k + 2) * rw.exp(s * k) for k in range(1, MOST_VALUES + 3)), x * 0)
    program = rw.compile([x, s], term, math="strict", optimize_terms=False).program
    assert worthwhile(program)
    assert split(program, 2) is None


def test_a_kernel_goes_with_its_parts() -> None:
    kernel = compiled([x, s], x + rw.exp(s))
    kernel(np.ones(N), 0.5)
    loop = kernel.called["d"]
    first = weakref.ref(loop.maker.kept[0])
    gone = weakref.ref(loop)
    del kernel, loop
    gc.collect()
    assert gone() is None
    assert first() is None
    assert _driver() is not None
