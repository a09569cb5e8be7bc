"""Kernels of Dask arrays: one task a block, computed when Dask is asked to.

Axes of the batch are those of the blocks. The axes of an array argument or result are in one block,
since each point needs all of them. Nothing is computed to find dtypes and shapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from codegen.containers.common import (
    argument_of,
    check_dtype,
    check_values,
    formed,
    only,
    result_dtypes,
)
from rewrite.errors import ArgumentError

if TYPE_CHECKING:
    from codegen.kernel import Kernel

__all__ = ["call"]

_CORE: Final = 1000
"""The number of the first index that no axis of a batch has."""


def call(kernel: "Kernel", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return lazy results. With `out=`, a Dask array, that one becomes the result."""
    only(kernel, "Dask", kwargs, ("out", "where", "dtype", "casting"))
    out, where = kwargs.pop("out", None), kwargs.pop("where", True)
    blocks = _Blocks(kernel, args, kwargs)
    results: Sequence[Any] = blocks.results()
    if out is None and where is True:
        return formed(kernel, results)
    return formed(kernel, _written(kernel, results, out, where))


def _written(kernel: "Kernel", results: Sequence[Any], out: Any, where: Any) -> list[Any]:
    """Make Dask arrays that were given the results, where a mask holds."""
    from dask.array import Array
    from dask.array import where as chosen
    from dask.array.core import handle_out

    given = list(out.values()) if isinstance(out, dict) else out
    given = list(given) if isinstance(given, (tuple, list)) else [given]
    if len(given) != len(results) or not all(isinstance(each, Array) for each in given):
        what = "where= needs out=, whose elements stay where it is false: " if out is None else ""
        raise ArgumentError(
            f"kernel {kernel.__name__!r} of Dask arrays: {what}out= takes {len(results)} Dask "
            "arrays, which become the results"
        )
    if where is not True:
        results = [chosen(where, new, old) for new, old in zip(results, given, strict=True)]
    return [handle_out(old, new.astype(old.dtype)) for old, new in zip(given, results, strict=True)]


@dataclass(frozen=True)
class _Blocks:
    """A call of a kernel: its arguments, and which index each of their axes has."""

    kernel: "Kernel"
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def results(self) -> list[Any]:
        """Return a lazy array for each result."""
        from dask.array import blockwise

        pairs, known, rank = self._operands()
        batch = tuple(range(rank))[::-1]
        outputs = self.kernel.program.outputs
        dtypes = result_dtypes(self.kernel, known, self.kwargs)
        run: Any = _Cast(self.kernel, self.kwargs) if self.kwargs else self.kernel
        if self.kernel.results == "single":
            return [self._one(blockwise, 0, batch, dtypes[0], run, pairs)]
        # a block of this is the results of one call
        all_of_them = blockwise(
            run, batch, *pairs, token=self.kernel.__name__, dtype=object, concatenate=True,
            meta=np.empty((0,) * rank, object),
        )  # fmt: skip
        made = []
        for place, dtype in enumerate(dtypes):
            key = outputs[place].name if self.kernel.results == "dict" else place
            taken = [all_of_them, batch, key, None]
            made.append(self._one(blockwise, place, batch, dtype, _taken, taken))
        return made

    def _one(
        self, blockwise: Any, place: int, batch: tuple[int, ...], dtype: Any, function: Any,
        pairs: list[Any],
    ) -> Any:  # fmt: skip
        output = self.kernel.program.outputs[place]
        core = tuple(range(_CORE, _CORE + len(output.shape)))
        index = self._index(batch, core)
        return blockwise(
            function, index, *pairs, token=self._name(output.name), dtype=dtype,
            meta=np.empty((0,) * len(index), dtype), concatenate=True,
            new_axes=dict(zip(core, output.shape, strict=True)),
        )  # fmt: skip

    def _name(self, output: str) -> str:
        name = self.kernel.__name__
        return name if len(self.kernel.program.outputs) == 1 else f"{name}-{output}"

    def _index(self, batch: tuple[int, ...], core: tuple[int, ...]) -> tuple[int, ...]:
        return (*core, *batch) if self._is_last else (*batch, *core)

    @property
    def _is_last(self) -> bool:
        return self.kernel.batch_axis == -1

    def _operands(self) -> tuple[list[Any], list[Any], int]:
        """Return (array, index) pairs, the dtypes that decide on that of results, and the rank."""
        pairs: list[Any] = []
        known: list[Any] = []
        shapes: list[tuple[int, ...]] = []
        first = _CORE + 10
        for place, (arg, argument) in enumerate(
            zip(self.args, self.kernel.program.arguments, strict=True)
        ):
            array = _lazy(arg, bool(argument.shape))
            if array is None:  # a number, whose type Python or NumPy decides
                check_values(self.kernel, place, arg)
                known.append(type(arg) if type(arg) in (int, float) else np.asarray(arg).dtype)
                pairs += [arg, None]
                continue
            check_dtype(self.kernel, place, array.dtype)
            known.append(array.dtype)
            count = array.ndim - len(argument.shape)
            array = self._whole(array, place, count)
            core = tuple(range(first, first + len(argument.shape)))
            pairs += [array, self._index(tuple(range(count))[::-1], core)]
            shape = array.shape[len(core) :] if self._is_last else array.shape[:count]
            shapes.append(tuple(1 if np.isnan(size) else size for size in shape))
            first += len(core)
        return pairs, known, len(np.broadcast_shapes(*shapes))  # which says what does not fit

    def _whole(self, array: Any, place: int, count: int) -> Any:
        """Return an array whose own axes are in one block; refuse another shape."""
        argument = self.kernel.program.arguments[place]
        core = range(len(argument.shape)) if self._is_last else range(count, array.ndim)
        if count < 0 or tuple(array.shape[axis] for axis in core) != argument.shape:
            where = "first" if self._is_last else "last"
            raise ArgumentError(
                f"{argument_of(self.kernel, place)} has shape {array.shape}; its "
                f"{where} axes are {argument.shape}"
            )
        split = [axis for axis in core if array.numblocks[axis] > 1]
        return array.rechunk(dict.fromkeys(split, -1)) if split else array


def _lazy(arg: Any, is_array: bool) -> Any:
    """Return a Dask array, None for a number of an argument that is one."""
    from dask.array import asanyarray
    from dask.base import is_dask_collection

    if not is_dask_collection(arg) and not is_array and np.ndim(arg) == 0:
        return None
    return asanyarray(arg)


@dataclass(frozen=True, slots=True)
class _Cast:
    """A kernel with keywords that Dask has other uses for."""

    kernel: "Kernel"
    kwargs: dict[str, Any]

    def __call__(self, *args: Any) -> Any:
        """Call it for a block."""
        return self.kernel(*args, **self.kwargs)


def _taken(results: Any, key: Any) -> Any:
    return results[key]
