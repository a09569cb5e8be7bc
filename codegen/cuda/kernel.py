"""`CudaKernel`: a program on NVIDIA's GPUs, called with arrays of any library that lie there."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np

from codegen.containers.registry import library_of as container_of
from codegen.cuda import runtime
from codegen.cuda.arrays import PACK_BYTES, View, view_of
from codegen.cuda.batch import batch_source, batched
from codegen.cuda.call import Given, batch_shape, float_type, given, results_given, types_of
from codegen.cuda.fold import Fold, fold_source
from codegen.cuda.launch import (
    Place,
    arrange,
    check_room,
    check_size,
    grid,
    host_place,
    is_packable,
    launch,
    number_type,
    operands,
    place_of,
    to_device,
)
from codegen.cuda.reduce import reduced
from codegen.cuda.rolled import Loops, plain_source, table_kinds
from codegen.cuda.source import Form, kernel_source
from codegen.cuda.sparse import Matrices
from codegen.loops.program import Rolled
from codegen.program import Program
from codegen.store.rolled import rolled_digest
from codegen.target import ITEMSIZE, Float, Target
from rewrite.display import Code, Displayed
from rewrite.errors import ArgumentError, TargetError
from strategies.calculus.pattern import Pattern

__all__ = ["CudaKernel", "ptx_text"]

type Results = Literal["single", "tuple", "dict"]


class CudaKernel(Displayed):
    """A program as CUDA kernels, made for each kind of call when it first comes.

    Arrays on a device (CuPy, PyTorch, JAX, Numba: `__cuda_array_interface__` or DLPack) are read
    where they lie, with any strides, and results are arrays of the same library on the same device;
    nothing waits for the device. NumPy's arrays are copied there and back. `stream=` is a stream of
    any of these libraries; without it, work is queued where the library of the first argument now
    queues its own.

    Raise `ArgumentError` for arrays of host and device together or on two devices, for dtypes that
    would be rounded, and for arrays that do not fit into the device's memory.
    """

    def __init__(
        self,
        program: Program | Rolled,
        target: Target,
        *,
        name: str | None = None,
        doc: str = "",
        terms: Any = None,
        report: Any = None,
        cost: Any = None,
        dtype: Float | None = None,
        results: Results | None = None,
        batch_axis: Literal[0, -1] = 0,
        math: Any = None,
        patterns: tuple[Pattern | None, ...] = (),
    ) -> None:
        """Keep the program; the options are those of `codegen.kernel.Kernel`.

        Raise `TargetError` where there is no GPU to run on, saying what is missing.
        """
        runtime.require()
        self.program: Program | Rolled = replace(program, name=name or program.name).verify()
        self.target = target
        self.terms, self.report, self.cost, self.math = terms, report, cost, math
        self.dtype = dtype
        self.certificate: Any = None
        self.results = results or ("single" if len(program.outputs) == 1 else "tuple")
        self.batch_axis = batch_axis
        self.patterns = patterns
        self.matrices = Matrices(patterns) if any(patterns) else None
        self.loops = Loops(self.program) if isinstance(self.program, Rolled) else None
        self.__name__ = self.__qualname__ = self.program.name
        self.__doc__ = doc or str(self.program)
        self._doc = doc
        self._made: dict[tuple[Form, Fold | None, bool], Any] = {}
        self.parts: dict[Any, list[Any]] = {}
        """What folds count blocks by, and what each leaves, by device and stream."""
        self._lock = threading.Lock()
        check_size(self.program, 1)

    def __repr__(self) -> str:
        """Show name, operands and target."""
        arguments = ", ".join(argument.name for argument in self.program.arguments)
        results = ", ".join(output.name for output in self.program.outputs)
        types = self.dtype or "f64, f32"
        return (
            f"<CudaKernel {self.__name__}({arguments}) -> {results}; {types}; {self.target.name}>"
        )

    def _repr_html_(self) -> str:
        from codegen.look import kernel_html

        return kernel_html(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the program and the options: code is made anew where it is loaded."""
        options = {
            "doc": self._doc, "terms": self.terms, "report": self.report, "cost": self.cost,
            "dtype": self.dtype, "results": self.results, "batch_axis": self.batch_axis,
            "math": self.math, "patterns": self.patterns,
        }  # fmt: skip
        return _rebuild, (self.program, self.target, options)

    def __eq__(self, other: object) -> bool:
        """Compare what is computed, for which target, and how it is called."""
        return self._content == other._content if isinstance(other, CudaKernel) else NotImplemented

    def __hash__(self) -> int:
        """Hash what is compared."""
        return hash(self._content)

    @property
    def _content(self) -> tuple[Any, ...]:
        program = self.program
        what = rolled_digest(program) if isinstance(program, Rolled) else program
        patterns = tuple(
            p and (p.shape, p.format, p.indices.tobytes(), p.indptr.tobytes())
            for p in self.patterns
        )
        return what, self.target, self.dtype, self.results, self.batch_axis, patterns

    def __call__(self, *args: Any, out: Any = None, stream: Any = None) -> Any:
        """Launch the kernel over the broadcast arguments."""
        if container_of(args) == "dask":
            raise ArgumentError(
                f"kernel {self.__name__!r} would compute all blocks of a Dask array at once; "
                "x.map_blocks(kernel, ..., dtype=...) computes each when Dask asks for it"
            )
        found = given(self.program, args)
        shape = batch_shape(self.__name__, found, last=self.last)
        if any(one.view is not None for one in found):
            return self._on_device(found, shape, out, stream)
        return self._through_host(found, shape, out, stream)

    def reduce(
        self, op: Literal["sum", "prod", "max", "min"], *args: Any, axis: int | None = None,
        bounds: Any = None, stream: Any = None,
    ) -> Any:  # fmt: skip
        """Fold the results over the batch in the launch that computes them.

        Over all elements, over the last axis with `axis=-1`, or over what lies between neighbouring
        `bounds`, an array of integers on the device, of a batch with one axis. The order depends on
        the number of elements alone, so the bits are always the same. A NaN among them is the
        result. Nothing is folded to 0, 1, -inf or inf.

        Raise `ArgumentError` for results that are no single numbers, and for other axes.

        With `rw.compile([x, y], x * y, target="cuda")`, `reduce("sum", a, b)` is a dot product.
        """
        found = given(self.program, args)
        shape = batch_shape(self.__name__, found, last=False)
        return self._formed(reduced(self, op, found, shape, axis, bounds, stream))

    def sum(self, *args: Any, **options: Any) -> Any:
        """Return the sum over the batch, as `reduce` takes its options."""
        return self.reduce("sum", *args, **options)

    def max(self, *args: Any, **options: Any) -> Any:
        """Return the maximum over the batch, as `reduce` takes its options."""
        return self.reduce("max", *args, **options)

    def min(self, *args: Any, **options: Any) -> Any:
        """Return the minimum over the batch, as `reduce` takes its options."""
        return self.reduce("min", *args, **options)

    def batch(
        self, calls: Sequence[Any], *, reduce: Literal["sum", "prod", "max", "min"] | None = None,
        stream: Any = None,
    ) -> Any:  # fmt: skip
        """Return the results of many calls, which are one launch: a list of tuples of arguments.

        Arrays lie anywhere, but have the same shapes, strides and dtypes in each call. With
        `reduce` the results of each call are folded in that launch too, and what is returned has
        one number for each call.

        Raise `ArgumentError` for calls that differ in more than values, naming the argument.
        """
        made = batched(self, list(calls), reduce, stream)
        return list(map(self._formed, made)) if reduce is None else self._formed(made[0])

    # What it is made of.

    @property
    def last(self) -> bool:
        """Tell whether the axes of the batch come last in arguments with axes of their own."""
        return self.batch_axis == -1

    @property
    def source(self) -> Code:
        """The Python that Numba compiles, for contiguous arrays of the kernel's float type."""
        return Code(_plain(self.program, self.dtype or "f64")[0], "python")

    @property
    def ptx(self) -> Code:
        """The PTX text for contiguous arrays, of this device, or of compute capability 9.0."""
        return Code(ptx_text(self.program, self.dtype or "f64", runtime.capability()), "ptx")

    @property
    def device_text(self) -> Code:
        """What runs: the PTX, or the Python under Numba's simulator."""
        return self.source if runtime.is_simulated() else self.ptx

    @property
    def expression(self) -> str:
        """What is computed, a line for each result."""
        return self._doc or str(self.program)

    def variant(self, form: Form, fold: Fold | None = None, *, calls: bool = False) -> Any:
        """Return the dispatcher of a form; Numba picks in it among the layouts of arrays.

        With `calls` it is of many calls in one launch.
        """
        key = (form, fold, calls)
        made = self._made.get(key)
        if made is None:
            with self._lock:
                made = self._made.get(key)
                if made is None:
                    program = self.program
                    assert isinstance(program, Program), "of loops there are no variants"
                    write: Callable[[], str] = partial(kernel_source, program, form)
                    if calls:
                        write = partial(batch_source, program, form, fold)
                    elif fold is not None:
                        write = partial(fold_source, program, form, fold)
                    made = self._made[key] = runtime.launchable(write(), program, form)
        return made

    # Calls.

    def _on_device(
        self, found: Sequence[Given], shape: tuple[int, ...], out: Any, stream: Any
    ) -> Any:
        place, dtype = place_of(found, stream), float_type(found, self.dtype)
        with runtime.cuda().gpus[place.device]:
            results = self.blank(place, shape, dtype) if out is None else self._given(out)
            self._launch(found, results, shape, dtype, place)
            if out is None:
                results = tuple(map(place.library.finish, results))
            return self._formed(results) if out is None else self._returned(out)

    def _through_host(
        self, found: Sequence[Given], shape: tuple[int, ...], out: Any, stream: Any
    ) -> Any:
        """Copy arguments to the device, launch, and copy results back."""
        dtype = float_type(found, self.dtype)
        moved = to_device(self.__name__, found, narrow=self.dtype == "f32")
        place = host_place(stream)
        made = self.blank(place, shape, dtype)
        self._launch(moved, made, shape, dtype, place)
        results = tuple(array.copy_to_host()[()] for array in made)
        if out is None:
            return self._formed(results)
        for target, result in zip(self._given(out), results, strict=True):
            np.copyto(target, result)
        return self._returned(out)

    def _launch(
        self, found: Sequence[Given], results: tuple[Any, ...], shape: tuple[int, ...],
        dtype: Float, place: Place,
    ) -> None:  # fmt: skip
        views = self._result_views(results, shape, dtype, found)
        if self.loops is not None:
            self.loops.launch(
                found, views, shape, dtype, place.device, place.stream, last=self.last
            )
            return
        made = arrange(self.program, found, views, shape, dtype, last=self.last)
        if not made.count:
            return
        check_size(self.program, made.form.rank)
        units = made.count // made.form.pack
        sizes = [np.int64(size) for size in (units, *made.sizes[1:])]
        passed = [*sizes, *operands(found, made)]
        launch(self.variant(made.form), grid(units), found, place.stream, passed)

    # Results.

    def _given(self, out: Any) -> tuple[Any, ...]:
        """Return the arrays of `out=`; of sparse matrices those of their values."""
        held = results_given(self.program, out, self.matrices is not None)
        if self.matrices is None:
            return held
        return self.matrices.values_of(held, self._names)

    def _returned(self, out: Any) -> Any:
        """Return what `out=` gave, as a call without it returns results."""
        return self._shaped(results_given(self.program, out, self.matrices is not None))

    @property
    def _names(self) -> list[str]:
        return [output.name for output in self.program.outputs]

    def _kinds(self, dtype: Float) -> list["np.dtype[Any]"]:
        kinds = types_of(self.program, self.program.outputs)
        return [number_type(dtype) if kind == "f" else np.dtype(np.bool_) for kind in kinds]

    def _shapes(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        cores = [output.shape for output in self.program.outputs]
        return [(*core, *shape) if self.last else (*shape, *core) for core in cores]

    def blank(self, place: Place, shape: tuple[int, ...], dtype: Float) -> tuple[Any, ...]:
        """Make the results, all or none."""
        before, wanted = 0, list(zip(self._shapes(shape), self._kinds(dtype), strict=True))
        for name, (size, kind) in zip(self._names, wanted, strict=True):
            before = check_room(self.__name__, f"the result {name!r}", size, kind, before)
        return tuple(place.library.empty(size, kind, place.like) for size, kind in wanted)

    def _result_views(
        self, results: tuple[Any, ...], shape: tuple[int, ...], dtype: Float,
        found: Sequence[Given],
    ) -> tuple[View, ...]:  # fmt: skip
        """Return the views of results; refuse those that do not fit, or overlap in part."""
        views = []
        wanted = zip(self._shapes(shape), self._kinds(dtype), strict=True)
        there = next((one.view.device for one in found if one.view is not None), None)
        for name, result, (size, kind) in zip(self._names, results, wanted, strict=True):
            view = view_of(result)
            what = f"kernel {self.__name__!r}: out= for {name!r}"
            if view is None or (there is not None and view.device != there):
                raise ArgumentError(f"{what} is no array on the device of its arguments")
            if view.shape != size or view.dtype != kind:
                raise ArgumentError(
                    f"{what} is {view.dtype} of shape {view.shape}, not {kind} of {size}"
                )
            for one in found:
                if one.view is not None and self._clashes(view, one.view):
                    raise ArgumentError(
                        f"{what} shares memory with argument {one.argument.name!r}; only the very "
                        "same elements may, of kernels without array arguments"
                    )
            views.append(view)
        return tuple(views)

    def _clashes(self, result: View, argument: View) -> bool:
        same = self.program.is_elementwise and result.same_place(argument)
        return result.overlaps(argument) and not same

    def _formed(self, results: Sequence[Any]) -> Any:
        return self._shaped(self.matrices.made(results) if self.matrices else results)

    def _shaped(self, results: Sequence[Any]) -> Any:
        if self.results == "dict":
            return dict(zip(self._names, results, strict=True))
        return results[0] if self.results == "single" else tuple(results)


def plain_form(program: Program, dtype: Float) -> Form:
    """Return the form for contiguous arrays of one axis."""
    pack = PACK_BYTES // ITEMSIZE[dtype] if is_packable(program) else 1
    return Form(dtype, 1, False, (False,) * len(program.arguments), pack)


def _plain(program: Program | Rolled, dtype: Float, pack: int | None = None) -> tuple[str, Form]:
    """Return the source and the form for contiguous arrays of one axis."""
    if isinstance(program, Rolled):
        return plain_source(program, dtype)
    form = plain_form(program, dtype)
    form = form if pack is None else replace(form, pack=pack)
    return kernel_source(program, form), form


def ptx_text(
    program: Program | Rolled, dtype: Float, cc: tuple[int, int], *, pack: int | None = None
) -> str:
    """Return the PTX of a program for contiguous arrays, made without a device."""
    source, form = _plain(program, dtype, pack)
    rolled = isinstance(program, Rolled)
    kinds: list[Any] = [np.int64, *(table_kinds(dtype) if rolled else ())]
    for operand, type_ in zip(program.operands, types_of(program, program.operands), strict=True):
        kind = number_type(dtype) if type_ == "f" else np.dtype(np.bool_)
        kinds.append((kind, 1 + (min(len(operand.shape), 1) if rolled else len(operand.shape))))
    return runtime.ptx(source, program, form, kinds, cc)


def _rebuild(program: Program | Rolled, target: Target, options: dict[str, Any]) -> CudaKernel:
    try:
        return CudaKernel(program, target, **options)
    except TargetError as error:
        raise TargetError(f"the kernel {program.name!r} was made for a GPU: {error}") from None
