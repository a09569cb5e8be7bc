"""Kernels of polars' Series and expressions: the name stays, and what is null stays null.

An argument that is an array takes a Series of `polars.Array`, and a result that is one makes such.
Expressions are computed when polars asks for them, batch by batch; several results are the fields
of a struct.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from codegen.containers.common import argument_of, formed, only, parts_of
from rewrite.errors import ArgumentError, ArgumentTypeError

if TYPE_CHECKING:
    from codegen.kernel import Kernel

__all__ = ["call"]


def call(kernel: "Kernel", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return Series, or an expression."""
    kwargs.pop("return_dtype", None)  # polars passes it on to the functions of `map_batches`
    only(kernel, "polars", kwargs, ("dtype", "casting"))
    if kernel.batch_axis == -1:
        raise ArgumentError(
            f"kernel {kernel.__name__!r} has batch_axis=-1, and each element of polars' columns is "
            "a point: compile it without"
        )
    for place, arg in enumerate(args):
        if isinstance(arg, pl.DataFrame):
            raise ArgumentTypeError(
                f"{argument_of(kernel, place)} is a DataFrame; pass columns, or "
                "pl.concat_arr(...) of them for an array"
            )
    if any(isinstance(arg, pl.Expr) for arg in args):
        return _expression(kernel, args, kwargs)
    return formed(kernel, _series(kernel, args, kwargs))


def _series(kernel: "Kernel", args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
    """Compute on NumPy's arrays."""
    given = [arg for arg in args if isinstance(arg, pl.Series)]
    inputs = [_numbers(kernel, k, a) if isinstance(a, pl.Series) else a for k, a in enumerate(args)]
    results = parts_of(kernel, kernel(*inputs, **kwargs))
    rows = {len(each) for each in given}
    gone = [each.is_null() for each in given if each.null_count()]
    named = kernel.results == "dict"
    made = []
    outputs: tuple[Any, ...] = kernel.program.outputs
    for output, values in zip(outputs, results, strict=True):
        if np.ndim(values) != 1 + len(output.shape) or len(values) not in rows:
            made.append(values)  # another argument has more axes
            continue
        series = pl.Series(output.name if named else given[0].name, values)
        for missing in gone:
            mask = missing if len(missing) == len(series) else bool(missing[0])
            series = pl.select(pl.when(~pl.lit(mask)).then(pl.lit(series))).to_series().alias(
                series.name
            )  # fmt: skip
        made.append(series)
    return made


def _numbers(kernel: "Kernel", place: int, series: pl.Series) -> Any:
    """Return NumPy's array; where the Series is null it holds any number."""
    kind: Any = series.dtype
    if isinstance(kind, pl.Array):
        kind = kind.inner
    if kind == pl.Null:
        series, kind = series.cast(pl.Float64), pl.Float64()
    if not (kind.is_numeric() or kind == pl.Boolean) or kind.is_decimal():
        name = kernel.program.arguments[place].name
        raise ArgumentTypeError(
            f"{argument_of(kernel, place)} is a Series of {kind}, whose values are no numbers of "
            f"float64; {name}.cast(pl.Float64) where they are"
        )
    if series.null_count() and isinstance(series.dtype, pl.Array):
        raise ArgumentError(
            f"{argument_of(kernel, place)} has arrays that are null: drop them first"
        )
    if series.null_count():
        series = series.fill_null(False if kind == pl.Boolean else 0)
    return series.to_numpy()


@dataclass(frozen=True, slots=True)
class _Batch:
    """What polars calls with the columns of an expression."""

    kernel: "Kernel"
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __call__(self, columns: Sequence[pl.Series], **_: Any) -> pl.Series:
        """Return one column; polars passes on the `return_dtype` too."""
        rest = iter(columns)
        args = [next(rest) if isinstance(arg, pl.Expr) else arg for arg in self.args]
        results = _series(self.kernel, args, self.kwargs)
        if len(results) == 1:
            return results[0].alias(columns[0].name)
        names = [output.name for output in self.kernel.program.outputs]
        pairs = zip(results, names, strict=True)
        return pl.DataFrame([x.alias(name) for x, name in pairs]).to_struct(columns[0].name)


def _expression(kernel: "Kernel", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    columns = [arg for arg in args if isinstance(arg, pl.Expr)]
    plain = all(np.ndim(arg) == 0 for arg in args if not isinstance(arg, pl.Expr))
    return pl.map_batches(columns, _Batch(kernel, args, kwargs), is_elementwise=plain)
