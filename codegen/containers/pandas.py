"""Kernels of pandas' objects: the index stays, different indexes are aligned, NaN and NA pass.

Elementwise kernels take Series, and DataFrames column by column. Array kernels take a DataFrame as
a row of numbers for each label, and a Series as one number for each label; a Series for an argument
that is an array is that array.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from codegen.containers.common import argument_of, check_dtype, check_values, formed, only, parts_of
from rewrite.errors import ArgumentError, ArgumentTypeError

if TYPE_CHECKING:
    from codegen.kernel import Kernel

__all__ = ["call"]


def call(kernel: "Kernel", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return Series, DataFrames or an Index."""
    only(kernel, "pandas", kwargs, ("dtype", "casting"))
    made = _Call(kernel, args, kwargs)
    labelled = made.aligned()
    frames = any(isinstance(each, pd.DataFrame) for each in labelled.values())
    by_columns = frames and kernel.program.is_elementwise
    return formed(kernel, made.columns(labelled) if by_columns else made.series(labelled))


@dataclass(frozen=True)
class _Call:
    """One call, whose arguments are known by their places."""

    kernel: "Kernel"
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    # -- ways of calling ---------------------------------------------------------------------

    def series(self, labelled: Mapping[int, Any]) -> list[Any]:
        """Compute a value for each label."""
        values, gone = self._values(labelled)
        index = next((each.index for each in labelled.values()), None)
        if index is None:
            name = self._name(0)
            return [pd.Index(x, name=name) if np.ndim(x) == 1 else x for x in values]
        return [self._of_rows(place, x, index, gone) for place, x in enumerate(values)]

    def columns(self, labelled: Mapping[int, Any]) -> list[Any]:
        """Compute an elementwise kernel on the columns of frames."""
        first: Any = next(iter(labelled.values()))
        kinds = {kind for each in labelled.values() for kind in each.dtypes}
        if len(kinds) == 1 and isinstance(kind := kinds.pop(), np.dtype) and kind.kind in "biuf":
            values, _ = self._values(labelled)
            shape = first.shape
            found = [
                pd.DataFrame(x, first.index, first.columns, copy=False) if x.shape == shape else x
                for x in values
            ]
        else:
            parts = [
                self.series({place: each.iloc[:, k] for place, each in labelled.items()})
                for k in range(first.shape[1])
            ]
            found = [_beside(each, first) for each in zip(*parts, strict=True)]
        return [self._with_attributes(each, labelled) for each in found]

    # -- arguments ---------------------------------------------------------------------------

    def aligned(self) -> dict[int, Any]:
        """Return what has a label for each point, with the union of labels, as pandas does."""
        labelled = {
            place: arg for place, arg in enumerate(self.args)
            if isinstance(arg, pd.DataFrame)
            or (isinstance(arg, pd.Series) and not self.kernel.program.arguments[place].shape)
        }  # fmt: skip
        self._check(labelled)
        given = list(labelled.values())
        if len({type(each) for each in given}) == 1 and len(given) == 2:  # with repeated labels too
            axis = None if self.kernel.program.is_elementwise else 0
            made: Sequence[Any] = given[0].align(given[1], join="outer", axis=axis)
        else:
            made = _on_union(given, "index")
            if self.kernel.program.is_elementwise and given and given[0].ndim == 2:
                made = _on_union(made, "columns")
        return dict(zip(labelled, made, strict=True))

    def _check(self, labelled: Mapping[int, Any]) -> None:
        """Refuse what cannot be computed, before alignment makes floats of integers."""
        frames = [isinstance(each, pd.DataFrame) for each in labelled.values()]
        if self.kernel.program.is_elementwise and len(set(frames)) > 1:
            raise ArgumentError(
                f"kernel {self.kernel.__name__!r} takes Series or DataFrames, not both at once; "
                "pass the columns of the DataFrame one by one"
            )
        for place, each in labelled.items():
            argument = self.kernel.program.arguments[place]
            is_frame = isinstance(each, pd.DataFrame)
            if is_frame and not self.kernel.program.is_elementwise and len(argument.shape) != 1:
                raise ArgumentError(
                    f"{argument_of(self.kernel, place)} has shape {argument.shape} at each "
                    "point; the rows of a DataFrame have one axis"
                )
            for part in (each.iloc[:, k] for k in range(each.shape[1])) if is_frame else (each,):
                self._check_one(place, part)

    def _check_one(self, place: int, series: Any) -> None:
        plain = _plain(series.dtype)
        if plain is None:
            name = self.kernel.program.arguments[place].name
            raise ArgumentTypeError(
                f"{argument_of(self.kernel, place)} is a Series of dtype {series.dtype}, whose "
                f"values are no numbers; {name}.astype(float) where all of it are such"
            )
        check_dtype(self.kernel, place, plain)
        if plain.kind in "iu" and plain.itemsize == 8:
            check_values(self.kernel, place, series.dropna().to_numpy(plain))

    def _values(self, labelled: Mapping[int, Any]) -> tuple[tuple[Any, ...], Any]:
        """Return the results on NumPy's arrays, and in which rows something is missing."""
        inputs, missing = [], []
        for place, arg in enumerate(self.args):
            given = labelled.get(place)
            if given is None:
                is_ours = isinstance(arg, (pd.Series, pd.Index))
                inputs.append(arg.to_numpy() if is_ours else arg)
                continue
            values, gone = _numbers(given)
            is_turned = self.kernel.batch_axis == -1 and values.ndim == 2
            inputs.append(values.T if is_turned else values)
            if gone is not None:
                missing.append(gone)
        found = parts_of(self.kernel, self.kernel(*inputs, **self.kwargs))
        return found, np.logical_or.reduce(missing) if missing else None

    # -- results -----------------------------------------------------------------------------

    def _of_rows(self, place: int, values: Any, index: Any, gone: Any) -> Any:
        """Give a result the labels of the arguments."""
        output = self.kernel.program.outputs[place]
        if output.shape and self.kernel.batch_axis == -1:
            values = np.moveaxis(values, -1, 0)
        if np.shape(values)[:1] != (len(index),) or np.ndim(values) != 1 + len(output.shape):
            return values  # another argument has more axes
        if not output.shape:
            made = pd.Series(_held(values, gone), index, name=self._name(place), copy=False)
            return self._with_attributes(made, dict(enumerate(self.args)))
        if len(output.shape) > 1:
            return values
        if gone is None:
            return pd.DataFrame(values, index, copy=False)
        return pd.DataFrame(
            {k: _held(values[:, k].copy(), gone) for k in range(output.shape[0])}, index
        )

    def _name(self, place: int) -> Any:
        """Return the name that all arguments have, or that of the result where results have."""
        if self.kernel.results == "dict":
            return self.kernel.program.outputs[place].name
        names = {arg.name for arg in self.args if isinstance(arg, (pd.Series, pd.Index))}
        return names.pop() if len(names) == 1 else None

    def _with_attributes(self, made: Any, labelled: Mapping[int, Any]) -> Any:
        """Keep the attributes of the only argument that has any."""
        given = [arg for arg in labelled.values() if isinstance(arg, (pd.Series, pd.DataFrame))]
        if len(given) == 1 and given[0].attrs and isinstance(made, (pd.Series, pd.DataFrame)):
            made.attrs = dict(given[0].attrs)
        return made


def _on_union(given: Sequence[Any], axis: str) -> list[Any]:
    """Return Series or frames with all labels that any of them has."""
    labels: Any = None
    for each in given:
        mine = getattr(each, axis)
        labels = mine if labels is None or labels.equals(mine) else labels.union(mine)
    return [x if getattr(x, axis).equals(labels) else x.reindex(**{axis: labels}) for x in given]


def _plain(dtype: Any) -> "np.dtype[Any] | None":
    """Return NumPy's dtype of the numbers of a Series, None where they are none."""
    if not isinstance(dtype, np.dtype):  # pandas' own: nullable, sparse, of Arrow
        dtype = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", None))
    found = None if dtype is None else np.dtype(dtype)
    return found if found is not None and found.kind in "biufc" else None


def _numbers(given: Any) -> tuple[Any, Any]:
    """Return NumPy's array, and where it is missing; there it holds any number."""
    if isinstance(given, pd.DataFrame):
        kinds = set(given.dtypes)
        if len(kinds) == 1 and isinstance(kinds.pop(), np.dtype):
            return given.to_numpy(), None
        parts = [_numbers(given.iloc[:, k]) for k in range(given.shape[1])]
        gone = [each for _, each in parts if each is not None]
        values = [each for each, _ in parts]
        return np.stack(values, 1), np.logical_or.reduce(gone) if gone else None
    if isinstance(given.dtype, np.dtype):
        return given.to_numpy(), None
    if isinstance(given.dtype, pd.SparseDtype):
        return given.to_numpy(), None
    plain: Any = _plain(given.dtype)
    return given.to_numpy(plain, na_value=plain.type(0)), np.asarray(given.isna(), bool)


def _held(values: Any, gone: Any) -> Any:
    """Return an array of pandas' own types where something may be missing."""
    if gone is None:
        return values
    kind = {"b": "boolean", "f": f"Float{8 * values.itemsize}"}[values.dtype.kind]
    made = pd.array(values, dtype=kind)  # pandas' options say whether NaN is missing there
    made[gone] = pd.NA
    return made


def _beside(parts: Sequence[Any], like: Any) -> Any:
    """Make a frame of columns, with the labels of another one."""
    made = pd.DataFrame(dict(enumerate(parts)), like.index)
    made.columns = like.columns
    return made
