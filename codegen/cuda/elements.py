"""Energies over a mesh's elements on a GPU: one thread an element, all of it in registers.

A thread gathers the points of its element, computes energy, gradient and Hessian, and adds them to
the results by atomic operations; no array of element matrices is made. The order in which
neighbours add is not fixed, so the last bits of sums may differ from call to call.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import numpy as np

from codegen.cuda import runtime
from codegen.cuda.arrays import handle, is_on_device, view_of
from codegen.cuda.call import Given
from codegen.cuda.dlpack import contiguous
from codegen.cuda.fold import Fold, begin, tree
from codegen.cuda.kernel import CudaKernel
from codegen.cuda.launch import check_room, copied, grid, launch
from codegen.cuda.libraries import library_of, stream_handle
from codegen.cuda.source import Body, Form, kernel_source
from codegen.cuda.words import Words
from codegen.program import Program, ProgramBuilder
from rewrite.errors import ArgumentError

__all__ = ["Elements", "Mesh", "element_source"]


_RESULTS: Final = ("the value", "the gradient", "the Hessian's values")


@dataclass(frozen=True, slots=True)
class Mesh:
    """Tables of a mesh in the memory of the host: points of elements, and where entries go."""

    over: Any
    coordinates: int
    """Numbers of a point."""
    places: Any = None
    """Shape (elements, entries of a whole element matrix): where each is added."""
    halves: Any = None
    """Which of the upper half's entries each entry of a whole matrix is."""


class _Element(Body):
    """The values of one element, gathered and added instead of loaded and stored."""

    def __init__(self, program: Program, words: Words, form: Form, mesh: Mesh) -> None:
        super().__init__(program, words, form, ("i",))
        self.mesh = mesh
        size = mesh.over.shape[1]
        self.bases = [words.write(f"over[i, {k}] * {mesh.coordinates}") for k in range(size)]

    def _load(self, number: int, component: int) -> str:
        if number:
            return super()._load(number, component)
        point, at = divmod(component, self.mesh.coordinates)
        return str(self.words.write(f"F(a0[{self.bases[point]} + {at}])"))

    def places(self) -> dict[int, list[Any]]:
        """Return the statements that add each value to the results."""
        found: dict[int, list[Any]] = {}
        total, *others = self.program.outputs
        found.setdefault(total.values[0], []).append("x0 = x0 + {}")
        if others:
            for component, value in enumerate(others[0].values):
                point, at = divmod(component, self.mesh.coordinates)
                place = f"{self.bases[point]} + {at}"
                found.setdefault(value, []).append(f"cuda.atomic.add(r1, {place}, {{}})")
        for entry, half in enumerate(self.mesh.halves if len(others) > 1 else ()):
            value = others[1].values[half]
            add = f"cuda.atomic.add(r2, places[i, {entry}], {{}})"
            found.setdefault(value, []).append(add)
        return found

    def _store(self, value: int, targets: Sequence[Any]) -> None:
        for target in targets:
            self.words.line(target.format(self.values[value]))


def element_source(program: Program, form: Form, mesh: Mesh, threads: int) -> str:
    """Write `def kernel(n, a0, ..., over, r0[, r1[, r2, places]])`.

    `a0` has the coordinates of all points one after the other; other arguments are numbers, or have
    an entry or row for each element. All results are added to.
    """
    operands = [f"a{k}" for k in range(len(program.arguments))]
    results = [f"r{k}" for k in range(len(program.outputs))]
    more = ["places"] if len(results) > 2 else []
    lines = [f"def kernel({', '.join(['n', *operands, 'over', *results, *more])}):"]
    words = Words(form.dtype, lines, indent="    ")
    fold = Fold("sum", "all", threads)
    words.line(f"s0 = cuda.shared.array({threads}, F)")
    words.line("t = cuda.threadIdx.x")
    begin(words, fold, (0,))
    words.line("count = N(n)")
    words.line("i = N(cuda.grid(1))")
    words.line("stride = N(cuda.gridsize(1))")
    with words.inside("while i < count:"):
        _Element(program, words, form, mesh).compute()
        words.line("i = N(i + stride)")
    tree(words, fold, (0,), threads, "t")
    with words.inside("if t == 0:"):
        words.line("cuda.atomic.add(r0, 0, s0[0])")
    return "\n".join([*lines, ""])


class Elements:
    """An element kernel with the tables of its mesh on the devices that it was called for."""

    def __init__(self, kernel: CudaKernel, mesh: Mesh, nnz: int) -> None:
        self.kernel, self.mesh, self.nnz = kernel, mesh, nnz
        self._tables: dict[int, list[Any]] = {}
        self._dispatchers: dict[Form, Any] = {}

    def __call__(self, points: Any, params: Sequence[Any], stream: Any = None) -> tuple[Any, ...]:
        """Return the sums, on the device of the points: energy, gradient, values of the Hessian.

        Each has one axis. Points and parameters are arrays of float64 on a device, or of the host.
        """
        cuda = runtime.cuda()
        found = [self._given(value, k) for k, value in enumerate((points, *params))]
        first = found[0].view
        assert first is not None
        like = found[0].value
        library = library_of(like)
        queue = library.stream(like) if stream is None else stream_handle(stream)
        with cuda.gpus[first.device]:
            sizes = [1, first.size, self.nnz][: len(self.kernel.program.outputs)]
            before = 0
            for size, what in zip(sizes, _RESULTS, strict=False):
                before = check_room("element", what, (size,), np.dtype(np.float64), before)
            made = [library.empty((size,), np.dtype(np.float64), like) for size in sizes]
            views = [view for result in made if (view := view_of(result)) is not None]
            for view in views:
                zero = _filler(), grid(view.size), (), queue, [np.int64(view.size), handle(view)]
                launch(*zero)
            flat = replace(first, shape=(first.size,), strides=(first.dtype.itemsize,))
            passed = [handle(flat), *map(_passed, found[1:])]
            over, *places = self._on(first.device)
            count = len(self.mesh.over)
            form = Form("f64", 1, False, tuple(one.view is None for one in found))
            launch(
                self._dispatcher(form), grid(count), found, queue,
                [np.int64(count), *passed, over, *map(handle, views), *places],
            )  # fmt: skip
            return tuple(made)

    def _dispatcher(self, form: Form) -> Any:
        if form not in self._dispatchers:
            program, threads = self.kernel.program, grid(1 << 20)[1]
            assert isinstance(program, Program), "elements are computed in registers"
            source = element_source(program, form, self.mesh, threads)
            self._dispatchers[form] = runtime.launchable(source, program, form)
        return self._dispatchers[form]

    def _on(self, device: int) -> list[Any]:
        """Return the mesh's tables on a device, copied there by the first call."""
        if device not in self._tables:
            needed = [self.mesh.over]
            if len(self.kernel.program.outputs) > 2:
                needed.append(self.mesh.places)
            self._tables[device] = copied("element", "a table of the mesh", needed)
        return self._tables[device]

    def _given(self, value: Any, place: int) -> Given:
        """Return an argument as a contiguous array on the device, or a number."""
        argument = self.kernel.program.arguments[place]
        if isinstance(value, float):
            return Given(argument, value)
        there = value if is_on_device(value) else runtime.cuda().to_device(value)
        view = view_of(there)
        if view is None or view.dtype != np.float64 or view.strides != contiguous(view.shape, 8):
            raise ArgumentError(
                f"argument {place + 1} of an element kernel is to be a C-contiguous array of "
                "float64 on the device"
            )
        return Given(argument, there, view)


def _passed(one: Given) -> Any:
    return handle(one.view) if one.view is not None else np.float64(one.value)


@cache
def _filler() -> Any:
    """Return the kernel that fills an array with zeros."""
    builder = ProgramBuilder("zero")
    builder.output("out", builder.const(0.0))
    program, form = builder.finish(), Form("f64")
    return runtime.launchable(kernel_source(program, form), program, form)
