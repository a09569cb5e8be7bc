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
from codegen.cuda.call import Given, batch_shape, float_type, given, results_given
from codegen.cuda.fold import Fold, fold_source
from codegen.cuda.launch import (
    Place,
    arrange,
    check_room,
    check_size,
    grid,
    is_packable,
    launch,
    number_type,
    operands,
    place_of,
    to_device,
)
from codegen.cuda.libraries import library_of, stream_handle
from codegen.cuda.reduce import reduced
from codegen.cuda.source import Form, kernel_source
from codegen.program import Program
from codegen.target import ITEMSIZE, Float, Target
from rewrite.display import Code, Displayed
from rewrite.errors import ArgumentError, TargetError

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
        program: Program,
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
    ) -> None:
        """Keep the program; the options are those of `codegen.kernel.Kernel`.

        Raise `TargetError` where there is no GPU to run on, saying what is missing.
        """
        runtime.require()
        self.program = replace(program, name=name or program.name).verify()
        self.target = target
        self.terms, self.report, self.cost, self.math = terms, report, cost, math
        self.dtype = dtype
        self.certificate: Any = None
        self.results = results or ("single" if len(program.outputs) == 1 else "tuple")
        self.batch_axis = batch_axis
        self.__name__ = self.__qualname__ = self.program.name
        self.__doc__ = doc or str(self.program)
        self._doc = doc
        self._made: dict[tuple[Form, Fold | None], Any] = {}
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
            "math": self.math,
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
        return self.program, self.target, self.dtype, self.results, self.batch_axis

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

    # What it is made of.

    @property
    def last(self) -> bool:
        """Tell whether the axes of the batch come last in arguments with axes of their own."""
        return self.batch_axis == -1

    @property
    def source(self) -> Code:
        """The Python that Numba compiles, for contiguous arrays of the kernel's float type."""
        form = plain_form(self.program, self.dtype or "f64")
        return Code(kernel_source(self.program, form), "python")

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

    def variant(self, form: Form, fold: Fold | None = None) -> Any:
        """Return the dispatcher of a form; Numba picks in it among the layouts of arrays."""
        key = (form, fold)
        made = self._made.get(key)
        if made is None:
            with self._lock:
                made = self._made.get(key)
                if made is None:
                    write: Callable[[], str] = partial(kernel_source, self.program, form)
                    if fold is not None:
                        write = partial(fold_source, self.program, form, fold)
                    made = self._made[key] = runtime.launchable(write(), self.program, form)
        return made

    # Calls.

    def _on_device(
        self, found: Sequence[Given], shape: tuple[int, ...], out: Any, stream: Any
    ) -> Any:
        place, dtype = place_of(found, stream), float_type(found, self.dtype)
        with runtime.cuda().gpus[place.device]:
            results = self._empty(place, shape, dtype) if out is None else results_given(
                self.program, out
            )  # fmt: skip
            self._launch(found, results, shape, dtype, place.stream)
            if out is None:
                results = tuple(map(place.library.finish, results))
        return self._formed(results)

    def _through_host(
        self, found: Sequence[Given], shape: tuple[int, ...], out: Any, stream: Any
    ) -> Any:
        """Copy arguments to the device, launch, and copy results back."""
        dtype = float_type(found, self.dtype)
        moved = to_device(self.__name__, found, narrow=self.dtype == "f32")
        blank = runtime.cuda().device_array(0)
        place = Place(library_of(blank), blank, 0, stream_handle(stream))
        made = self._empty(place, shape, dtype)
        self._launch(moved, made, shape, dtype, place.stream)
        results = tuple(array.copy_to_host()[()] for array in made)
        if out is None:
            return self._formed(results)
        held = results_given(self.program, out)
        for target, result in zip(held, results, strict=True):
            np.copyto(target, result)
        return self._formed(held)

    def _launch(
        self, found: Sequence[Given], results: tuple[Any, ...], shape: tuple[int, ...],
        dtype: Float, queue: int | None,
    ) -> None:  # fmt: skip
        views = self._result_views(results, shape, dtype, found)
        made = arrange(self.program, found, views, shape, dtype, last=self.last)
        if not made.count:
            return
        check_size(self.program, made.form.rank)
        units = made.count // made.form.pack
        sizes = [np.int64(size) for size in (units, *made.sizes[1:])]
        passed = [*sizes, *operands(found, made)]
        launch(self.variant(made.form), grid(units), found, queue, passed)

    # Results.

    def _kinds(self, dtype: Float) -> list["np.dtype[Any]"]:
        kinds = map(self.program.type_of, self.program.outputs)
        return [number_type(dtype) if kind == "f" else np.dtype(np.bool_) for kind in kinds]

    def _shapes(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        cores = [output.shape for output in self.program.outputs]
        return [(*core, *shape) if self.last else (*shape, *core) for core in cores]

    def _empty(self, place: Place, shape: tuple[int, ...], dtype: Float) -> tuple[Any, ...]:
        """Make the results, all or none."""
        wanted = list(zip(self._shapes(shape), self._kinds(dtype), strict=True))
        for output, (size, kind) in zip(self.program.outputs, wanted, strict=True):
            check_room(self.__name__, f"the result {output.name!r}", size, kind)
        return tuple(place.library.empty(size, kind, place.like) for size, kind in wanted)

    def _result_views(
        self, results: tuple[Any, ...], shape: tuple[int, ...], dtype: Float,
        found: Sequence[Given],
    ) -> tuple[View, ...]:  # fmt: skip
        """Return the views of results; refuse those that do not fit, or overlap in part."""
        views = []
        wanted = zip(self._shapes(shape), self._kinds(dtype), strict=True)
        for output, result, (size, kind) in zip(self.program.outputs, results, wanted, strict=True):
            view = view_of(result)
            what = f"kernel {self.__name__!r}: out= for {output.name!r}"
            if view is None:
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

    def _formed(self, results: tuple[Any, ...]) -> Any:
        if self.results == "dict":
            names = (output.name for output in self.program.outputs)
            return dict(zip(names, results, strict=True))
        return results[0] if self.results == "single" else results


def plain_form(program: Program, dtype: Float) -> Form:
    """Return the form for contiguous arrays of one axis."""
    pack = PACK_BYTES // ITEMSIZE[dtype] if is_packable(program) else 1
    return Form(dtype, 1, False, (False,) * len(program.arguments), pack)


def ptx_text(
    program: Program, dtype: Float, cc: tuple[int, int], *, pack: int | None = None
) -> str:
    """Return the PTX of a program for contiguous arrays, made without a device."""
    form = plain_form(program, dtype)
    form = form if pack is None else replace(form, pack=pack)
    kinds: list[Any] = [np.int64]
    for operand in program.operands:
        kind = number_type(dtype) if program.type_of(operand) == "f" else np.dtype(np.bool_)
        kinds.append((kind, 1 + len(operand.shape)))
    return runtime.ptx(kernel_source(program, form), program, form, kinds, cc)


def _rebuild(program: Program, target: Target, options: dict[str, Any]) -> CudaKernel:
    try:
        return CudaKernel(program, target, **options)
    except TargetError as error:
        raise TargetError(f"the kernel {program.name!r} was made for a GPU: {error}") from None
