"""`rw.ode`: the same solutions as hand-written functions, whatever the form and the solver."""

import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.integrate import BDF, solve_ivp
from scipy.sparse import csc_array

import rewrite as rw
from codegen.ode.equations import Equations
from codegen.ode.ode import Ode
from rewrite.errors import ArgumentError, TraceError
from rewrite.io import bionetgen

EXACT: dict[str, Any] = {"math": "strict", "optimize_terms": False}
SPAN, START = (0.0, 40.0), [1.0, 0.0, 0.0]
TIGHT: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-10}
SOLVERS = ("RK23", "RK45", "DOP853", "Radau", "BDF", "LSODA")
NETWORK = """begin parameters
1 k1 0.04
2 k2 3e7
3 k3 1e4
end parameters
begin species
1 A() 1
2 B() 0
3 C() 0
end species
begin reactions
1 1 2 k1
2 2,2 3,2 k2
3 2,3 1,3 k3
end reactions
"""


def robertson(t: float, y: Any, a: Any = 0.04, b: Any = 3e7, c: Any = 1e4) -> Any:
    """H. Robertson's reactions (1966)."""
    first, second, third = a * y[0], b * y[1] * y[1], c * y[1] * y[2]
    return np.stack([third - first, first - third - second, second])


def by_terms(**options: Any) -> Ode:
    y = rw.asarray(rw.symbols("y0 y1 y2"))
    a, b, c = rw.symbols("a b c")
    return rw.ode(y, robertson(0.0, y, a, b, c), parameters=[a, b, c], **options)


def by_mapping(**options: Any) -> Ode:
    x, y, z = rw.symbols("x y z")
    dx, dy, dz = robertson(0.0, [x, y, z])
    return rw.ode({x: dx, y: dy, z: dz}, **options)


FORMS: dict[str, tuple[Callable[..., Ode], Any]] = {
    "terms": (by_terms, (0.04, 3e7, 1e4)),
    "mapping": (by_mapping, None),
    "function": (lambda **options: rw.ode(robertson, **options), (0.04, 3e7, 1e4)),
    "function with defaults": (lambda **options: rw.ode(robertson, **options), None),
    "network": (lambda **options: rw.ode(bionetgen.parse(NETWORK), **options), None),
    "network with parameters": (
        lambda **options: rw.ode(bionetgen.parse(NETWORK), parameters=["k2", "k1"], **options),
        (3e7, 0.04),
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", ["BDF", "Radau", "LSODA"])
def test_every_form_is_solved(form: str, method: str) -> None:
    make, args = FORMS[form]
    found = make().solve_ivp(SPAN, START, method, [0.0, 4.0, 40.0], args=args, **TIGHT)
    beside = solve_ivp(robertson, SPAN, START, "Radau", [0.0, 4.0, 40.0], rtol=1e-10, atol=1e-14)
    assert found.success and found.njev > 0
    np.testing.assert_allclose(found.y, beside.y, rtol=1e-5, atol=1e-10)


# -- what solvers keep -------------------------------------------------------------------------


def oscillator(t: float, y: Any, k: float) -> Any:
    """B. van der Pol's, driven; its steps are rejected now and then."""
    return np.stack([y[1], k * (1 - y[0] * y[0]) * y[1] - y[0] + 0.5 * t])


@pytest.mark.parametrize("method", SOLVERS)
def test_same_bits_as_a_function_that_allocates(method: str) -> None:
    """No solver sees a derivative or a Jacobian that a later call has written over."""
    problem = rw.ode(oscillator, **EXACT)
    y0, span = [2.0, 0.0], (0.0, 12.0)
    found = problem.solve_ivp(span, y0, method, args=(20.0,), rtol=1e-5)
    jacobian = problem.equations(y0, (20.0,)).jacobian

    def fresh(t: float, y: Any, k: float) -> Any:
        made = jacobian(t, y, k)
        return made.toarray() if method == "LSODA" else csc_array(made, copy=True)

    own = {"jac": fresh} if method in ("Radau", "BDF", "LSODA") else {}
    beside = solve_ivp(oscillator, span, y0, method, args=(20.0,), rtol=1e-5, **own)
    assert len(found.t) > 20 and np.array_equal(found.t, beside.t)
    assert np.array_equal(found.y, beside.y) and found.nfev == beside.nfev


def test_a_matrix_that_is_filled_again_is_one_matrix() -> None:
    """The structure is made once; each solution has its own values."""
    problem = rw.ode(oscillator, **EXACT)
    seen: list[Any] = []

    class Watched(BDF):  # type: ignore[misc]
        def __init__(self, *args: Any, jac: Any, **kwargs: Any) -> None:
            def watching(t: float, y: Any) -> Any:
                seen.append(jac(t, y))
                return seen[-1]

            super().__init__(*args, jac=watching, **kwargs)

    Watched.__name__ = "BDF"
    for _ in range(2):
        problem.solve_ivp((0.0, 12.0), [2.0, 0.0], Watched, args=(20.0,))
    distinct = {id(matrix): matrix for matrix in seen}
    assert len(seen) > 4 and len(distinct) == 2
    first, second = distinct.values()
    assert np.shares_memory(first.indices, second.indices)
    assert not np.shares_memory(first.data, second.data)


def test_threads_do_not_share_values() -> None:
    problem = rw.ode(oscillator, **EXACT)
    rates = [5.0, 10.0, 20.0, 40.0]
    alone = [problem.solve_ivp((0, 12), [2.0, 0.0], args=(k,)).y for k in rates]
    found: dict[float, Any] = {}

    def run(k: float) -> None:
        found[k] = problem.solve_ivp((0, 12), [2.0, 0.0], args=(k,)).y

    threads = [threading.Thread(target=run, args=(k,)) for k in rates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[k], y) for k, y in zip(rates, alone, strict=True))


def test_kernels_are_made_when_they_are_needed() -> None:
    problem = by_mapping()
    equations = problem.equations()
    problem.solve_ivp((0, 1e-3), START, "RK45")
    assert "rhs" in vars(equations) and "jacobian" not in vars(equations)
    problem.solve_ivp((0, 1), START)
    kernels = equations.rhs, equations.jacobian
    problem.solve_ivp((0, 1), START)
    assert problem.equations() is equations and kernels == (equations.rhs, equations.jacobian)
    assert equations.pattern.nnz == 7 and repr(equations) == (
        "<Equations of <System of 3 equations, 0 parameters>>"
    )


@pytest.mark.parametrize("method", ["BDF", "Radau", "LSODA"])
def test_differences_need_no_kernel_of_the_jacobian(method: str) -> None:
    problem = by_mapping(jacobian="differences")
    found = problem.solve_ivp(SPAN, START, method, [40.0], **TIGHT)
    beside = by_mapping().solve_ivp(SPAN, START, "Radau", [40.0], **TIGHT)
    np.testing.assert_allclose(found.y, beside.y, rtol=1e-4)
    assert "jacobian" not in vars(problem.equations())
    assert problem.equations().sparsity.toarray().tolist() == [[1, 1, 1], [1, 1, 1], [0, 1, 0]]


def test_own_jacobian_of_the_caller() -> None:
    calls: list[float] = []

    def own(t: float, y: Any) -> Any:
        calls.append(t)
        return [[-1.0]]

    y = rw.symbol("y")
    rw.ode({y: -y}).solve_ivp((0, 1), [1.0], jac=own)
    assert calls


# -- forms -------------------------------------------------------------------------------------


def test_time_and_array_parameters() -> None:
    t, y, z = rw.symbols("t y z")
    w = rw.asarray(rw.symbols("w0 w1"))
    rhs = [w[0] * rw.cos(t), w[1] * z]
    problem = rw.ode([y, z], rhs, time=t, parameters=[w])
    found = problem.solve_ivp((0, 1), [0.0, 1.0], args=([2.0, 3.0],), **TIGHT)
    np.testing.assert_allclose(found.y[:, -1], [2 * np.sin(1), np.exp(3)], rtol=1e-6)


def test_a_function_of_arrays() -> None:
    matrix = np.array([[-1.0, 1.0, 0.0], [0.0, -2.0, 1.0], [0.0, 0.0, -3.0]])

    def linear(t: Any, y: Any, b: Any, k: Any) -> Any:
        return k * (matrix @ y) + b

    problem = rw.ode(linear)
    args = (np.array([1.0, 2.0, 3.0]), 1.5)
    found = problem.solve_ivp((0, 2), [1.0, 1.0, 1.0], args=args, **TIGHT)
    beside = solve_ivp(linear, (0, 2), [1.0, 1.0, 1.0], "Radau", args=args, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.y[:, -1], beside.y[:, -1], rtol=1e-6)
    assert len(problem.solve_ivp((0, 1), [1.0] * 3, args=args).y) == 3
    assert len(problem._made) == 1, "one set of kernels for each shape"


@pytest.mark.parametrize("jacobian", ["kernel", "differences"])
@pytest.mark.parametrize("method", ["BDF", "LSODA", "RK45", "CVODE"])
def test_derivatives_of_no_state(method: str, jacobian: Any) -> None:
    if method == "CVODE":
        pytest.importorskip("sksundae", reason="scikit-sundae is not installed")
    t, y, z = rw.symbols("t y z")
    problem = rw.ode({y: t, z: rw.const(2)}, time=t, jacobian=jacobian)
    found = problem.solve_ivp((0, 3), [0.0, 1.0], method, **TIGHT)
    np.testing.assert_allclose(found.y[:, -1], [4.5, 7.0], rtol=1e-6)
    assert problem.equations().jacobian(0.0, [0.0, 1.0]).toarray().tolist() == [[0, 0], [0, 0]]


def test_a_field_as_one_state() -> None:
    """A function that gives its state another shape."""
    n = 6

    def diffusion(t: Any, y: Any) -> Any:
        u = y.reshape(n, n)
        rows = np.concatenate([u[:1], u, u[-1:]])
        columns = np.concatenate([u[:, :1], u, u[:, -1:]], axis=1)
        spread = rows[2:] + rows[:-2] + columns[:, 2:] + columns[:, :-2] - 4 * u
        return (spread - u * u).ravel()

    start = np.linspace(0, 1, n * n)
    problem = rw.ode(diffusion)
    found = problem.solve_ivp((0, 1), start, **TIGHT)
    beside = solve_ivp(diffusion, (0, 1), start, "Radau", rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.y[:, -1], beside.y[:, -1], rtol=1e-5)
    assert problem.equations(start).pattern.nnz == 5 * n * n - 4 * n


def test_start_values_and_arguments_by_name() -> None:
    network = bionetgen.parse(NETWORK)
    problem = rw.ode(network, parameters=["k1", "k3"])
    whole = problem.solve_ivp((0, 1), START, args=(0.04, 1e4))
    assert np.array_equal(problem.solve_ivp((0, 1)).y, whole.y)
    assert np.array_equal(problem.solve_ivp((0, 1), {"B()": 0.0}, args={"k1": 0.04}).y, whole.y)
    other = problem.solve_ivp((0, 1), {"S2": 0.5}, args={"k1": 1.0})
    again = problem.solve_ivp((0, 1), [1.0, 0.5, 0.0], args=[1.0, 1e4])
    assert np.array_equal(other.y, again.y) and not np.array_equal(other.y, whole.y)
    everything = rw.ode(network, parameters=network.parameters)
    assert np.array_equal(
        everything.solve_ivp((0, 1), args=[0.04, 3e7, 1e4]).y, everything.solve_ivp((0, 1)).y
    )
    one_less = everything.solve_ivp((0, 1), args={rw.symbol("k1"): 1.0}).y
    assert np.array_equal(everything.solve_ivp((0, 1), args=np.array([1.0, 3e7, 1e4])).y, one_less)
    with pytest.raises(ArgumentError, match="args= has 2 values; the parameters are k1, k2, k3"):
        everything.solve_ivp((0, 1), args=[1.0, 2.0])
    y, k = rw.symbols("y k")
    decay = rw.ode({y: -k * y}, parameters=k)
    one = decay.solve_ivp((0, 1), {y: 1.0}, args={k: 2.0}).y
    assert np.array_equal(one, decay.solve_ivp((0, 1), {"y": 1.0}, args=2.0).y)


def test_terms_of_another_store() -> None:
    with rw.scope():
        x = rw.symbol("x")
    y = rw.symbol("y")
    found = rw.ode([x, y], [y, -x]).solve_ivp((0, 1), [0.0, 1.0], **TIGHT)
    np.testing.assert_allclose(found.y[:, -1], [np.sin(1), np.cos(1)], rtol=1e-6)


X, Y, K = rw.symbols("x y k")
NONE: Any = "none"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: rw.ode({X: -K * X}), "the free symbol 'k'; give it in parameters="),
        (lambda: rw.ode({X: rw.symbol("t")}), "give it in time=t, or in parameters="),
        (lambda: rw.ode([X, Y], [X]), "2 states have 1 derivatives"),
        (lambda: rw.ode({X * 2: X}), "not a symbol"),
        (lambda: rw.ode([X, X], [X, X]), "'x' is given twice"),
        (lambda: rw.ode({X: X}, parameters=[X]), "'x' is given twice"),
        (lambda: rw.ode({X: rw.symbol("x", low=0)}), "two symbols of one name"),
        (lambda: rw.ode(bionetgen.parse(NETWORK), parameters=["k9"]), "has no parameter 'k9'"),
        (lambda: rw.ode(X), "takes states and their derivatives, a function or a network"),
        (lambda: rw.ode(robertson, parameters=[K]), "give values by args="),
        (lambda: rw.ode(robertson, time=K), "time= is for terms"),
        (lambda: rw.ode({X: X}, jacobian=NONE), "none of kernel, differences"),
        (lambda: rw.ode({X: X}, dtype="float32"), "compute in float64"),
    ],
)  # fmt: skip
def test_bad_equations(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        make()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("y0", "args", "words"),
    [
        ([1.0, 2.0], (1.0,), "the shape (2,); there are 1 states: x"),
        (1.0, (1.0,), "the shape (); there are 1 states: x"),
        (None, (1.0,), "y0= is missing: start values of x"),
        ({"z": 1.0}, (1.0,), "y0= has 'z'; the states are x"),
        ({}, (1.0,), "y0= lacks the start value of x"),
        ([np.nan], (1.0,), "y0= has nan at 0"),
        ([1.0], (), "args= has 0 values; the parameters are k"),
        ([1.0], None, "args= has 0 values; the parameters are k"),
        ([1.0], (1.0, 2.0), "args= has 2 values; the parameters are k"),
        ([1.0], {"q": 1.0}, "args= has 'q'; the parameters are k"),
        ([1.0], {}, "args= lacks the parameter k"),
        ([1.0], ([1.0, 2.0],), "the parameter k has the shape (), not (2,)"),
        ([1.0], (np.nan,), "the parameter k is nan"),
    ],
)
def test_bad_values(y0: Any, args: Any, words: str) -> None:
    problem = rw.ode({X: -K * X}, parameters=[K])
    with pytest.raises(ArgumentError) as caught:
        problem.solve_ivp((0, 1), y0, args=args)
    assert words in str(caught.value)


def test_bad_functions() -> None:
    with pytest.raises(ArgumentError, match=r"returns the shape \(1,\) for a state of 2"):
        rw.ode(lambda t, y: y[:1]).solve_ivp((0, 1), [1.0, 2.0])
    with pytest.raises(ArgumentError, match="a function has no names"):
        rw.ode(robertson).solve_ivp((0, 1), {"x": 1.0})
    with pytest.raises(TraceError, match=r"takes 5 arguments, not 6"):
        rw.ode(robertson).solve_ivp((0, 1), START, args=(1.0, 2.0, 3.0, 4.0))
    with pytest.raises(IndexError):
        rw.ode(lambda t, y: np.stack([y[0], y[2]])).solve_ivp((0, 1), [1.0, 2.0])


# -- CVODE -------------------------------------------------------------------------------------


def test_without_scikit_sundae(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sksundae.cvode", None)
    with pytest.raises(ArgumentError, match="pip install scikit-sundae"):
        by_mapping().solve_ivp((0, 1), START, "CVODE")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("jacobian", ["kernel", "differences"])
def test_cvode(form: str, jacobian: str) -> None:
    pytest.importorskip("sksundae", reason="scikit-sundae is not installed")
    make, args = FORMS[form]
    problem = make(jacobian=jacobian)
    found = problem.solve_ivp(SPAN, START, "CVODE", [0.0, 4.0, 40.0], args=args, **TIGHT)
    beside = solve_ivp(robertson, SPAN, START, "Radau", [0.0, 4.0, 40.0], rtol=1e-10, atol=1e-14)
    assert found.success and found.njev > 0 and found.y.shape == (3, 3)
    np.testing.assert_allclose(found.y, beside.y, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("linsolver", ["sparse", "dense", "gmres"])
def test_cvode_without_a_diagonal(linsolver: str) -> None:
    pytest.importorskip("sksundae", reason="scikit-sundae is not installed")
    x, y = rw.symbols("x y")
    found = rw.ode({x: y, y: -x}).solve_ivp((0, 1), [0, 1], "CVODE", linsolver=linsolver, **TIGHT)
    assert len(found.t) > 5 and found.t[-1] == 1
    np.testing.assert_allclose(found.y[:, -1], [np.sin(1), np.cos(1)], rtol=1e-6)


@pytest.mark.parametrize("times", [[0.5], [1.0], [0.0], [0.0, 1.0], [0.25, 0.5], [0, 0.5, 1]])
@pytest.mark.parametrize("sign", [1, -1])
def test_cvode_at_given_times(times: list[float], sign: int) -> None:
    pytest.importorskip("sksundae", reason="scikit-sundae is not installed")
    y = rw.symbol("y")
    wanted = sign * np.array(times, float)
    found = rw.ode({y: -y}).solve_ivp((0, sign), [1.0], "CVODE", wanted, rtol=1e-9, atol=1e-12)
    assert np.array_equal(found.t, wanted)
    np.testing.assert_allclose(found.y[0], np.exp(-wanted), rtol=1e-7)
    with pytest.raises(ArgumentError, match="t_eval= must be times between"):
        rw.ode({y: -y}).solve_ivp((0, sign), [1.0], "CVODE", [2.0 * sign])


def test_equations_are_told_apart() -> None:
    assert isinstance(by_mapping().equations(), Equations)
    assert repr(by_mapping()) == "<Ode of <System of 3 equations, 0 parameters>>"
    assert repr(rw.ode(robertson)) == "<Ode of robertson>"


def test_more_parameters_than_a_ufunc_takes() -> None:
    count = 100
    names = [f"k{j}" for j in range(count)]
    lines = ["begin parameters", *(f"{name} 0.01" for name in names), "end parameters"]
    lines += ["begin species", "1 A() 1", "end species", "begin reactions"]
    lines += [*(f"{j + 1} 1 0 {name}" for j, name in enumerate(names)), "end reactions"]
    problem = rw.ode(bionetgen.parse("\n".join(lines)), parameters=names, optimize_terms=False)
    found = problem.solve_ivp((0, 1), args={"k7": 1.01}, **TIGHT)
    assert found.y[0, -1] == pytest.approx(np.exp(-2), rel=1e-6)


def test_events_get_the_parameters_as_in_scipy() -> None:
    y, k = rw.symbols("y k")

    def half(t: float, state: Any, rate: float) -> Any:
        assert rate == 2.0
        return state[0] - 0.5

    half.terminal = True  # type: ignore[attr-defined]
    decay = rw.ode({y: -k * y}, parameters=[k])
    options: dict[str, Any] = {"args": (2.0,), "rtol": 1e-10, "atol": 1e-12}
    for events in (half, [half]):
        found = decay.solve_ivp((0, 10), [1.0], events=events, **options)
        assert found.status == 1
        assert found.t_events[0] == pytest.approx([np.log(2) / 2], rel=1e-6)
