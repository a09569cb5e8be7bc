"""Kernels of xarray's objects: dimensions, coordinates and names stay, as with NumPy's functions.

The dimensions of an array argument are the last ones (the first under `batch_axis=-1`) of what is
given for it. Those of an array result are new, named after the result: which are the same as an
argument's is not for a kernel to say; `xarray.apply_ufunc` with the kernel lets its caller say it.
"""

from typing import TYPE_CHECKING, Any

from codegen.containers.common import argument_of, formed, only, parts_of
from rewrite.errors import ArgumentError

if TYPE_CHECKING:
    from codegen.kernel import Kernel

__all__ = ["call"]


def call(kernel: "Kernel", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return xarray's objects, lazy where the arguments are of Dask."""
    import xarray

    only(kernel, "xarray", kwargs, ("dtype", "casting"))
    options = xarray.get_options()
    keeps = options["keep_attrs"]
    outputs = [
        [f"{output.name}_{axis}" for axis in range(len(output.shape))]
        for output in kernel.program.outputs
    ]
    found = xarray.apply_ufunc(
        _in_order(kernel), *args,
        input_core_dims=[_core(kernel, place, arg) for place, arg in enumerate(args)],
        output_core_dims=outputs, join=options["arithmetic_join"],
        dataset_join=options["arithmetic_join"], dataset_fill_value=float("nan"),
        kwargs=kwargs, dask="allowed", keep_attrs=True if keeps == "default" else keeps,
    )  # fmt: skip
    results = found if len(outputs) > 1 else (found,)
    if kernel.batch_axis == -1:
        pairs = zip(results, outputs, strict=True)
        results = [each.transpose(*core, ...) if core else each for each, core in pairs]
    if kernel.results == "dict":
        named: tuple[Any, ...] = kernel.program.outputs
        results = [_named(each, o.name) for each, o in zip(results, named, strict=True)]
    return formed(kernel, results)


def _core(kernel: "Kernel", place: int, arg: Any) -> list[Any]:
    """Return the dimensions that are an argument's own."""
    argument = kernel.program.arguments[place]
    count = len(argument.shape)
    if not count:
        return []
    dims = getattr(arg, "dims", None)
    if dims is None:  # an array of another library, whose last axes they are
        return [f"{argument.name}_{axis}" for axis in range(count)]
    if not isinstance(dims, tuple) or len(dims) < count:
        raise ArgumentError(
            f"{argument_of(kernel, place)} is an array of shape {argument.shape}; pass a "
            f"DataArray whose {count} "
            f"{'first' if kernel.batch_axis == -1 else 'last'} dimensions are those"
        )
    return list(dims[:count] if kernel.batch_axis == -1 else dims[-count:])


def _in_order(kernel: "Kernel") -> Any:
    """Return the kernel as xarray calls functions: own axes last, several results as a tuple."""
    first = kernel.again(batch_axis=0) if kernel.batch_axis == -1 else kernel
    if kernel.results != "dict" and not (
        kernel.results == "tuple" and len(kernel.program.outputs) == 1
    ):
        return first

    def run(*args: Any, **kwargs: Any) -> Any:
        results = parts_of(kernel, first(*args, **kwargs))
        return results if len(results) > 1 else results[0]

    return run


def _named(value: Any, name: str) -> Any:
    """Give an array the name of a result."""
    return value.rename(name) if hasattr(value, "name") else value
