"""`scan`: a step that is repeated, compiled once, with gradients through all repetitions."""

import functools
import inspect
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Final

import numpy as np

from codegen.calculus.checkpoints import Plan, plan
from codegen.calculus.grad import formed, independent, restored, terms_of
from codegen.calculus.several import several
from codegen.jit import Jitted
from codegen.kernel import Kernel
from rewrite.array import TermArray, asarray
from rewrite.errors import ArgumentError
from rewrite.options import settled
from rewrite.term import Term
from strategies.calculus.derivatives import vjp

__all__ = ["Scan", "scan"]

type State = tuple[Any, ...]

_WORTH: Final = 32
"""Steps from which on a kernel of several is compiled."""


def scan(
    step: Callable[..., Any] | None = None, n: int = 1, *, checkpoint: str | int = "sqrt",
    memory_budget: int | None = None, arrays: Collection[str] = (), **options: Any,
) -> Any:  # fmt: skip
    """Repeat a step n times: `state = step(state, *params)`, by a kernel compiled once.

    After no step (n=0) the state is what it was.

    The step is a NumPy function of a state (an array, a number, or a tuple of them) and parameters;
    it returns the next state. It is applied elementwise, but for what is named in `arrays`, which
    it sees whole; the other options are those of `rw.compile`. It can be used as a decorator.

    `value_and_grad` goes back through all steps. It stores some states and computes the others
    again: "all" stores each, "sqrt" about 2 sqrt(n) and does each step at most twice, "log"
    log2(n) + 1; a number is that of states, `memory_budget` that of bytes they may take. The bits
    of the results are the same in each case.

    >>> import numpy as np, rewrite as rw
    >>> decay = rw.scan(lambda u, k: u - 0.1 * k * u, 3)
    >>> decay(1.0, 2.0)
    np.float64(0.512)
    >>> value, (slope, by_k) = decay.value_and_grad(lambda u: u * u, 1.0, 2.0)
    >>> round(float(slope), 6), round(float(by_k), 6)
    (0.524288, -0.196608)
    """
    if step is None:
        return functools.partial(
            scan, n=n, checkpoint=checkpoint, memory_budget=memory_budget, arrays=arrays, **options
        )
    return Scan(step, n, checkpoint, memory_budget, tuple(arrays), settled(options))


@dataclass(frozen=True, eq=False)
class Scan:
    """A repeated step; made by `scan`."""

    step: Callable[..., Any]
    n: int
    checkpoint: str | int
    memory_budget: int | None
    arrays: tuple[str, ...]
    options: dict[str, Any]

    def __post_init__(self) -> None:
        """Refuse what is no step, no number of steps or no way to store states."""
        if not callable(self.step):
            raise ArgumentError(f"the step is {self.step!r}, which is no function of a state")
        if isinstance(self.n, bool) or not isinstance(self.n, (int, np.integer)) or self.n < 0:
            raise ArgumentError(f"n={self.n!r} is not a number of steps, 0 or more")
        budget = self.memory_budget
        if budget is not None and (
            isinstance(budget, bool) or not isinstance(budget, (int, np.integer))
        ):
            raise ArgumentError(f"memory_budget={budget!r} is not a number of bytes")
        if budget is None:
            plan(1, self.checkpoint)

    def __call__(self, state: Any, *params: Any) -> Any:
        """Return the state after n steps; of terms, the terms of all steps."""
        flat = _parts(state)
        if any(isinstance(part, (Term, TermArray)) for part in (*flat, *params)):
            for _ in range(self.n):
                state = self.step(state, *params)
            return state
        run = _Run(self, isinstance(state, tuple), flat, params)
        run.forward(self.n)
        return run.result()

    def plan(self, state: Any = 0.0, *params: Any) -> Plan:
        """Return which states are stored on the way back, where the arguments have these shapes.

        Raise `ArgumentError` where `memory_budget` holds no state.
        """
        if self.memory_budget is None:
            return plan(self.n, self.checkpoint)
        size = self._bytes(_parts(state), params)
        if self.memory_budget < size:
            raise ArgumentError(
                f"memory_budget={self.memory_budget} bytes do not hold one state of {size} bytes"
            )
        return plan(self.n, self.memory_budget // max(size, 1))

    def _bytes(self, parts: State, params: State) -> int:
        """Return how many bytes a state takes, in the shape that parameters give its elements."""
        shapes = [np.shape(part) for part in parts]
        if self.names[0] not in self.arrays:
            along = [p for name, p in zip(self.names[1:], params, strict=False)
                     if name not in self.arrays]  # fmt: skip
            with suppress(ValueError):  # of arrays that the step sees whole
                shapes = [np.broadcast_shapes(*shapes, *map(np.shape, along))] * len(parts)
        return sum(np.dtype(np.float64).itemsize * prod(shape) for shape in shapes)

    def value_and_grad(
        self, loss: Callable[..., Any], state: Any, *params: Any
    ) -> tuple[Any, tuple[Any, ...]]:
        """Return loss(last state), and its derivatives by the first state and each parameter.

        The loss is a NumPy function that returns one number for each element, or of whole arrays
        one number; what is given for all elements at once has the sum of their derivatives.
        """
        run = _Run(self, isinstance(state, tuple), _parts(state), params)
        actions = self.plan(state, *params)
        kept: dict[int, tuple[State, bool]] = {}
        value: Any = None
        for (what, k), times in actions.runs():
            if what == "forward":
                run.forward(times)
            elif what == "store":
                kept[k] = run.here
            elif what == "load":
                run.here = kept[k]
            elif what == "drop":
                del kept[k]
            else:
                if value is None:
                    value = run.last(loss)
                run.reverse()
        if not self.n:
            value = run.last(loss)
        return value, run.gradients()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the step's arguments, the state first."""
        return tuple(inspect.signature(self.step).parameters)

    @cached_property
    def _kernels(self) -> "dict[tuple[int, int], _Kernels]":
        return {}

    def kernels(self, flat: State, packed: bool, params: State) -> "_Kernels":
        """Return the functions for a state of so many parts and so many parameters.

        Raise `ArgumentError` for other numbers of arguments than the step has.
        """
        unknown = [name for name in self.arrays if name not in self.names]
        if unknown:
            raise ArgumentError(f"arrays={list(self.arrays)}: the step has no {unknown[0]!r}")
        if len(params) != len(self.names) - 1:
            raise ArgumentError(
                f"the step takes {', '.join(self.names)}: {len(self.names) - 1} parameters after "
                f"the state, not {len(params)}"
            )
        key = (len(flat) if packed else 0, len(params))
        if key not in self._kernels:
            self._kernels[key] = _Kernels(self, len(flat), packed)
        return self._kernels[key]


class _Kernels:
    """The step, its adjoint and losses as jitted functions of flat arguments."""

    def __init__(self, whole: Scan, count: int, packed: bool) -> None:
        self.scan, self.count, self.packed = whole, count, packed
        state, *self.params = whole.names
        self.state = [f"{state}_{k}" for k in range(count)] if packed else [state]
        self.adjoint = [f"adjoint_of_{name}" for name in self.state]
        self.forward = self._jitted(self._step, [*self.state, *self.params])
        self.reverse = self._jitted(self._back, [*self.state, *self.params, *self.adjoint])
        self.losses: dict[Callable[..., Any], Jitted] = {}
        self.longer: dict[Any, tuple[Kernel, int] | None] = {}

    def several(self, step: Any) -> tuple[Kernel, int] | None:
        """Return a kernel of several such steps, where it pays, and how many."""
        if self.scan.n < _WORTH or not isinstance(step, Kernel):
            return None
        if step not in self.longer:
            self.longer[step] = several(step, self.count)
        return self.longer[step]

    def loss(self, function: Callable[..., Any]) -> Jitted:
        """Return a loss with its derivatives by the state."""
        if function not in self.losses:
            self.losses[function] = self._jitted(
                functools.partial(self._loss, function), self.state
            )
        return self.losses[function]

    def _jitted(self, body: Callable[..., Any], names: Sequence[str]) -> Jitted:
        def flat(*args: Any) -> Any:
            return body(*args)

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        flat.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in names])  # type: ignore[attr-defined]
        flat.__name__ = flat.__qualname__ = getattr(self.scan.step, "__name__", "step").strip("<>")
        whole = set(self.scan.arrays) & set(self.params)
        if self.scan.names[0] in self.scan.arrays:
            whole |= {*self.state, *self.adjoint}
        return Jitted(flat, self.scan.options, sorted(whole & set(names)))

    def _packed(self, parts: Sequence[Any]) -> Any:
        return tuple(parts) if self.packed else parts[0]

    def _step(self, *args: Any) -> State:
        made = self.scan.step(self._packed(args[: self.count]), *args[self.count :])
        if (len(made) if isinstance(made, tuple) else 0) != (self.count if self.packed else 0):
            raise ArgumentError(
                f"the step returns {made!r}; it must return a state as it takes one: "
                f"{f'a tuple of {self.count}' if self.packed else 'not a tuple'}"
            )
        parts = _parts(made)
        for given, part in zip(args, parts, strict=False):
            if _shape(part) != _shape(given):
                raise ArgumentError(
                    f"the step takes a state of shape {_shape(given)} and returns one of shape "
                    f"{_shape(part)}; it must return a state as it takes one"
                )
        return parts

    def _back(self, *args: Any) -> State:
        undo: dict[Term, Term] = {}
        given = [independent(part, undo) for part in args[: self.count + len(self.params)]]
        outputs = [term for part in self._step(*given) for term in terms_of(part)]
        weights = [term for part in args[len(given) :] for term in terms_of(part)]
        inputs = [term for part in given for term in terms_of(part)]
        made = vjp(outputs, inputs, weights).terms()
        return tuple(restored(part, undo) for part in _split(made, given))

    def _loss(self, function: Callable[..., Any], *args: Any) -> State:
        undo: dict[Term, Term] = {}
        given = [independent(part, undo) for part in args]
        value = function(self._packed(given))
        if len(terms_of(value)) != 1:
            raise ArgumentError("the loss must return one number: sum what it returns")
        inputs = [term for part in given for term in terms_of(part)]
        slopes = _split(vjp(terms_of(value), inputs, [1]).terms(), given)
        return tuple(restored(part, undo) for part in (value, *slopes))


class _Run:
    """One way through the steps: the running state, and on the way back its adjoint."""

    def __init__(self, whole: Scan, packed: bool, flat: State, params: State) -> None:
        self.kernels = whole.kernels(flat, packed, params)
        self.state = flat if whole.n else tuple([_floats(part) for part in flat])
        self.first, self.params = flat, params
        self.adjoint: State = ()
        self.by_params: list[Any] = [0.0 if whole.n else np.zeros(np.shape(p)) for p in params]
        self.steady: Any = None
        """The kinds of a state that the step takes and returns, once there was one."""
        self.is_steady = False
        self.one: Callable[..., State] = self.kernels.forward
        self.several: tuple[Callable[..., State], int] | None = None
        self.back: Callable[..., State] | None = None

    @property
    def here(self) -> tuple[State, bool]:
        """The running state, and whether it is of the steady kind."""
        return self.state, self.is_steady

    @here.setter
    def here(self, place: tuple[State, bool]) -> None:
        self.state, self.is_steady = place

    def forward(self, times: int = 1) -> None:
        """Do so many steps, several at once where there is a kernel of them."""
        while times:
            step, done = self.one, 1
            if not self.is_steady:
                step = self.first_steps
            elif self.several is not None and times >= self.several[1]:
                step, done = self.several
            self.state = step(*self.state, *self.params)
            times -= done

    def first_steps(self, *args: Any) -> State:
        """Do a step, and find its kernel where it returns the kind of state that it takes."""
        made: State = self.kernels.forward(*args)
        kinds = _kinds(made)
        if self.steady is None and kinds == _kinds(self.state):
            self.steady = kinds
            self.one = self.kernels.forward.kernel_of(*args) or self.one
            self.several = self.kernels.several(self.one)
        self.is_steady = kinds == self.steady
        return made

    def last(self, loss: Callable[..., Any]) -> Any:
        """Do the last step, and take the loss and its derivatives by the last state."""
        before = self.here
        self.forward(min(self.kernels.scan.n, 1))
        value, *slopes = self.kernels.loss(loss)(*self.state)
        self.here, self.adjoint = before, tuple(slopes)
        return value

    def reverse(self) -> None:
        """Take the adjoint back through the step that takes the running state."""
        args = (*self.state, *self.params, *self.adjoint)
        count = len(self.state)
        if self.back is not None and self.is_steady:
            made = self.back(*args)
        else:
            made = self.kernels.reverse(*args)
            if self.is_steady and _kinds(made[:count]) == _kinds(self.adjoint):
                self.back = self.kernels.reverse.kernel_of(*args)
        self.adjoint = made[:count]
        pairs = zip(self.by_params, made[count:], strict=True)
        self.by_params = [known + more for known, more in pairs]

    def result(self) -> Any:
        """Return the state in the form in which it came."""
        return self.state if self.kernels.packed else self.state[0]

    def gradients(self) -> tuple[Any, ...]:
        """Return the derivatives by the first state and the parameters, in their shapes."""
        state = tuple(map(_summed, self.adjoint, self.first))
        by_params = tuple(map(_summed, self.by_params, self.params))
        return (state if self.kernels.packed else state[0], *by_params)


def _kinds(state: State) -> Any:
    """Return shapes and types of the parts of a state."""
    return [(np.shape(part), getattr(part, "dtype", type(part))) for part in state]


def _floats(part: Any) -> Any:
    """Return a part of a state as a step would, that changes nothing."""
    array = np.array(part)
    narrow = array.dtype == np.float32
    return array.astype(np.float32 if narrow else np.float64)[()]


def _shape(value: Any) -> tuple[int, ...]:
    array = asarray(value)
    return array.ids.shape  # that of an element may be looked at here


def _parts(state: Any) -> State:
    return state if isinstance(state, tuple) else (state,)


def _split(terms: Sequence[Term], like: Sequence[Any]) -> State:
    """Give terms the forms of some values, one after the other."""
    found, at = [], 0
    for value in like:
        count = len(terms_of(value))
        found.append(formed(terms[at : at + count], value))
        at += count
    return tuple(found)


def _summed(value: Any, like: Any) -> Any:
    """Sum over the axes along which a value was broadcast."""
    shape, made = np.shape(like), np.asarray(value)
    extra = made.ndim - len(shape)
    made = made.sum(axis=tuple(range(extra)))
    ones = tuple(k for k, size in enumerate(shape) if size == 1 != made.shape[k])
    return made.sum(axis=ones, keepdims=True)[()]
