"""`element_kernel`: an energy of a mesh's elements, with gradient and Hessian put together.

The energy of one element is traced once; value, gradient and Hessian are one kernel, whose values
stay in vector registers. Elements go through it a block at a time, and what a block makes, which
fits the second-level cache, is added to the results at once: no array of element matrices is made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from codegen.compile import compile_kernel
from codegen.cuda.arrays import is_on_device, like
from codegen.cuda.auto import AutoKernel
from codegen.cuda.elements import Elements, Mesh
from codegen.cuda.kernel import CudaKernel
from codegen.cuda.runtime import missing
from codegen.cuda.sparse import DeviceMatrix
from codegen.forms import parameters_of, replaced, results_of
from codegen.kernel import Kernel
from codegen.loops.choice import straight
from codegen.loops.program import Rolled
from rewrite.array import TermArray, asarray
from rewrite.errors import ArgumentError
from rewrite.fastmath import licence
from rewrite.leaves import symbol
from rewrite.options import settled
from rewrite.term import scope
from strategies.calculus.derivatives import gradient, hessian
from strategies.calculus.pattern import Pattern

__all__ = ["Assembled", "ElementKernel", "element_kernel"]

type Floats = npt.NDArray[np.float64]
type Ints = npt.NDArray[np.int64]
type Order = Literal[0, 1, 2]

BLOCK: Final = 1024
"""Elements at a time: their results fit the second-level cache."""


class Assembled(NamedTuple):
    """The sum of all energies, its gradient in the points' shape, its Hessian as SciPy's CSR."""

    value: Any
    """A float; of points on a device, an array there of no axes."""
    gradient: Any = None
    hessian: Any = None


def element_kernel(
    energy: Callable[..., Any], *, over: Any, order: Order = 2, **options: Any
) -> "ElementKernel":
    """Return a function that sums an energy over the elements of a mesh, with its derivatives.

    `over` has the points of each element, one row of indices for each (triangles, springs, ...).
    `energy(x, *params)` is a NumPy function of the points of one element, x of shape (k, d) or,
    where points are numbers, (k,), and returns one number. The result is called with all points, of
    shape (n, d) or (n,), and parameters: numbers, or arrays with one entry or row for each element.
    It returns the sum, with `order` 1 its gradient too, and with 2 its Hessian as SciPy's CSR
    array, whose rows are the coordinates of the points in their order. A mesh of no elements, of
    shape (0, k), has zeros. The other options are those of `rw.compile`. Derivatives are summed in
    the order of the elements. With `target="cuda"` they are not; points on a device are not copied,
    and results lie there too, the Hessian as the arrays of CSR.

    Raise `ArgumentError` for indices that are no integers, or beyond the points.

    >>> import numpy as np, rewrite as rw
    >>> springs = rw.element_kernel(lambda x: (x[1] - x[0]) ** 2, over=[[0, 1], [1, 2]])
    >>> made = springs(np.array([0.0, 1.0, 3.0]))
    >>> made.value, made.gradient.tolist()
    (5.0, [-2.0, -2.0, 4.0])
    >>> made.hessian.toarray().tolist()
    [[2.0, -2.0, 0.0], [-2.0, 4.0, -2.0], [0.0, -2.0, 2.0]]
    """
    if not callable(energy):
        raise ArgumentError(
            f"the energy is {energy!r}, which is no function of an element's points"
        )
    try:
        indices = np.asarray(over)
    except ValueError:
        raise ArgumentError(
            "over= has rows of different lengths: elements have as many points"
        ) from None
    if indices.ndim != 2 or indices.dtype.kind not in "iu" or not indices.shape[1]:
        raise ArgumentError(
            f"over= has shape {indices.shape} and dtype {indices.dtype}: give a row of point "
            "indices for each element, as integers"
        )
    if (indices < 0).any():
        at = int(np.argmax((indices < 0).any(axis=1)))
        raise ArgumentError(f"element {at} of over= has a negative index: {indices[at].tolist()}")
    if isinstance(order, bool) or not isinstance(order, (int, np.integer)) or not 0 <= order <= 2:
        raise ArgumentError(f"order={order!r} is none of 0, 1, 2")
    return ElementKernel(energy, np.ascontiguousarray(indices, np.int64), order, settled(options))


@dataclass(frozen=True, eq=False)
class ElementKernel:
    """The sum of an energy over elements; made by `element_kernel`."""

    energy: Callable[..., Any]
    over: Ints
    order: Order
    options: dict[str, Any]

    @cached_property
    def kernels(self) -> dict[Any, Kernel]:
        """The kernels that were compiled, by the shapes of points and parameters."""
        return {}

    @cached_property
    def tables(self) -> "dict[tuple[int, int], _Table]":
        """Where the entries of element matrices go, by number of points and coordinates."""
        return {}

    def __call__(
        self, points: Any, *params: Any, out: Assembled | None = None, stream: Any = None
    ) -> Assembled:
        """Sum over all elements; `out`, an earlier result, is filled in place.

        `stream` is for points on a device, that of their library if it is not given.
        """
        target = self.options.get("target")
        if target == "cuda" or (target == "auto" and is_on_device(points)):
            return self._on_device(points, params, out, stream)
        x = np.ascontiguousarray(_real(points, "the points"), np.float64)
        self._check(x.shape)
        values = [self._param(k, value) for k, value in enumerate(params)]
        kernel = self._kernel(x.shape[1:], values)
        made = self._results(x, out)
        return self._summed(kernel, x, values, made)

    def _check(self, shape: tuple[int, ...]) -> None:
        """Refuse points of odd shapes, and too few of them."""
        if len(shape) not in (1, 2):
            raise ArgumentError(f"the points have shape {shape}; give (n, d), or (n,)")
        count = shape[0]
        beyond = (self.over >= count).any(axis=1)
        if beyond.any():
            at = int(np.argmax(beyond))
            raise ArgumentError(
                f"element {at} has the points {self.over[at].tolist()}, but there are only {count}"
            )

    @cached_property
    def devices(self) -> dict[Any, Elements]:
        """The kernels of a GPU, by the shapes of points and parameters."""
        return {}

    def _on_device(
        self, points: Any, params: Sequence[Any], out: Assembled | None, stream: Any
    ) -> Assembled:
        """Sum on a GPU; what is of the host is copied there, and the results back."""
        if out is not None:
            raise ArgumentError("out= is for kernels of the CPU: results on a device are new ones")
        there = is_on_device(points)
        x = points if there else np.ascontiguousarray(points, np.float64)
        self._check(tuple(x.shape))
        values = [
            value if is_on_device(value) else self._param(k, value)
            for k, value in enumerate(params)
        ]
        key = tuple(tuple(getattr(value, "shape", ())) for value in (x, *values))
        if key not in self.devices:
            kernel: Any = self._kernel(key[0][1:], values)
            kernel = kernel.device if isinstance(kernel, AutoKernel) else kernel
            table = self._table(*key[0]) if self.order == 2 else None
            d = key[0][1] if len(key[0]) == 2 else 1
            mesh = Mesh(self.over, d) if table is None else Mesh(
                self.over, d, table.places, table.halves
            )  # fmt: skip
            self.devices[key] = Elements(kernel, mesh, table.pattern.nnz if table else 0)
        made = self.devices[key](x, values, stream)
        return self._assembled(made, key[0]) if there else self._copied(made, key[0])

    def _assembled(self, made: tuple[Any, ...], shape: tuple[int, ...]) -> Assembled:
        """Return results as they lie on the device."""
        value, *others = made
        found = Assembled(value.reshape(()))
        if others:
            found = found._replace(gradient=others[0].reshape(shape))
        if len(others) > 1:
            pattern = self._table(*shape).pattern
            places = [like(others[1], x) for x in (pattern.indices, pattern.indptr)]
            found = found._replace(hessian=DeviceMatrix.of(others[1], pattern, places))
        return found

    def _copied(self, made: tuple[Any, ...], shape: tuple[int, ...]) -> Assembled:
        """Return results in the memory of the host."""
        value, *others = (part.copy_to_host() for part in made)
        found = Assembled(float(value[0]))
        if others:
            found = found._replace(gradient=others[0].reshape(shape))
        if len(others) > 1:
            found = found._replace(hessian=self._table(*shape).pattern.filled(others[1]))
        return found

    def _param(self, place: int, value: Any) -> Any:
        array = np.asarray(_real(value, f"parameter {place + 1}"), np.float64)
        if array.ndim and len(array) != len(self.over):
            raise ArgumentError(
                f"parameter {place + 1} has {len(array)} entries, there are {len(self.over)} "
                "elements: give a number, or an entry or row for each"
            )
        return np.ascontiguousarray(array) if array.ndim else float(array)

    def _kernel(self, core: tuple[int, ...], params: list[Any]) -> Kernel:
        shapes = (core, *[tuple(getattr(value, "shape", ()))[1:] for value in params])
        if shapes not in self.kernels:
            with scope():
                self.kernels[shapes] = self._compiled(shapes)
        return self.kernels[shapes]

    def _compiled(self, shapes: tuple[tuple[int, ...], ...]) -> Kernel:
        k = self.over.shape[1]
        x = _symbols("x", (k, *shapes[0]))
        params = [_symbols(f"p{n}", shape) for n, shape in enumerate(shapes[1:])]
        value = asarray(self.energy(x, *(p if p.ndim else p.item() for p in params)))
        if value.size != 1:
            raise ArgumentError(
                f"the energy has shape {value.shape}: it must be one number for an element"
            )
        term = value.terms()[0]
        results: list[Any] = [term]
        if self.order:
            results.append(gradient(term, x).ravel())
        if self.order == 2:
            full = hessian(term, x.ravel())
            upper = np.triu_indices(x.size)
            results.append(TermArray(full.store, full.ids[upper]))
        args = [x.ravel(), *(p if p.ndim else p.item() for p in params)]
        options = {"dtype": np.float64, **self.options}
        kernel: Any = compile_kernel(args, tuple(results), name="element", **options)
        # an element is computed in registers, whatever loops were found in it
        there = kernel.device if isinstance(kernel, AutoKernel) and not missing() else kernel
        if isinstance(there, CudaKernel) and isinstance(there.program, Rolled):
            found = replaced(results_of(tuple(results))[0], there.terms)
            there.program = straight(parameters_of(args), found, licence(there.math), "element")
        made: Kernel = kernel
        return made

    def _results(self, x: Floats, out: Assembled | None) -> Assembled:
        """Return results of zeros to add to."""
        if out is None:
            slope = np.zeros_like(x) if self.order else None
            if self.order < 2:
                return Assembled(0.0, slope)
            pattern = self._table(*x.shape).pattern
            return Assembled(0.0, slope, pattern.filled(np.zeros(pattern.nnz)))
        if self.order:
            if getattr(out.gradient, "shape", None) != x.shape or out.gradient.dtype != np.float64:
                raise ArgumentError(f"out= has no float64 gradient of shape {x.shape}")
            if not out.gradient.flags.c_contiguous:
                raise ArgumentError("the gradient of out= is not C-contiguous; give an earlier one")
            out.gradient[...] = 0
        if self.order == 2:
            self._table(*x.shape).pattern.values_of(out.hessian, "hessian")[...] = 0
        return out

    def _table(self, count: int, d: int = 1) -> "_Table":
        key = (count, d)
        if key not in self.tables:
            self.tables[key] = _Table(self.over, *key)
        return self.tables[key]

    def _summed(
        self, kernel: Kernel, x: Floats, params: list[Any], made: Assembled
    ) -> Assembled:  # fmt: skip
        from codegen.calculus.scatter import add_gradient, add_hessian  # loads Numba

        total, count = 0.0, len(self.over)
        k, d = self.over.shape[1], prod(x.shape[1:])
        local = np.empty((BLOCK, k, *x.shape[1:]))
        for begin in range(0, count, BLOCK):
            rows = slice(begin, min(begin + BLOCK, count))
            size = rows.stop - rows.start
            own = local[:size]
            np.take(x, self.over[rows], axis=0, out=own, mode="clip")
            inputs = [value[rows] if isinstance(value, np.ndarray) else value for value in params]
            found = kernel(own.reshape(size, k * d), *inputs)
            total += float(np.sum(np.broadcast_to(found[0], size)))
            if not self.order:
                continue
            slopes = np.ascontiguousarray(np.broadcast_to(found[1], (size, k * d)))
            add_gradient(slopes, self.over, begin, d, made.gradient.reshape(-1))
            if self.order == 2:
                table = self._table(*x.shape)
                entries = np.ascontiguousarray(
                    np.broadcast_to(found[2], (size, *found[2].shape[-1:]))
                )
                add_hessian(entries, table.places, table.halves, begin, made.hessian.data)
        return made._replace(value=total)


class _Table:
    """Where each entry of each element's matrix goes in the values of the sum's pattern."""

    def __init__(self, over: Ints, n: int, d: int) -> None:
        count, k = over.shape
        rows = (over[:, :, None] * d + np.arange(d)).reshape(count, k * d)
        keys = (rows[:, :, None] * (n * d) + rows[:, None, :]).reshape(-1)
        known, places = np.unique(keys, return_inverse=True)
        wide = k * d
        self.places = places.reshape(count, wide * wide).astype(np.int32)
        shape = (n * d, n * d)
        self.pattern, _ = Pattern.of(
            (known // (n * d)).astype(np.int32), (known % (n * d)).astype(np.int32), shape, "csr"
        )
        upper = np.zeros((wide, wide), np.int32)
        upper[np.triu_indices(wide)] = np.arange(wide * (wide + 1) // 2)
        self.halves = np.maximum(upper, upper.T).reshape(-1)
        """Which of the upper half's entries each entry of a whole matrix is."""


def _real(value: Any, name: str) -> Any:
    """Return what is real numbers; a conversion would drop imaginary parts."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise ArgumentError(
            f"{name}: {array.dtype} is not supported; give real numbers, complex ones as two"
        )
    return array


def _symbols(name: str, shape: tuple[int, ...]) -> TermArray:
    names = [name + "".join(f"_{i}" for i in index) for index in np.ndindex(shape)]
    return asarray([symbol(each) for each in names]).reshape(shape)
