"""What calls with all libraries share: checks of dtypes, and results in the form asked for."""

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from codegen.guarded import CASTS, Closer
from rewrite.errors import ArgumentError

if TYPE_CHECKING:
    from codegen.kernel import Kernel

__all__ = [
    "argument_of", "check_dtype", "check_values", "formed", "only", "parts_of", "result_dtypes",
]  # fmt: skip


def only(kernel: "Kernel", library: str, kwargs: dict[str, Any], allowed: Collection[str]) -> None:
    """Refuse keywords that have no meaning for arrays of a library."""
    for name in kwargs:
        if name not in allowed:
            raise ArgumentError(
                f"kernel {kernel.__name__!r}: {name}= is for NumPy's arrays, and the arguments are "
                f"of {library}; pass NumPy's arrays, or leave it out"
            )


def argument_of(kernel: "Kernel", place: int) -> str:
    """Name an argument, as messages begin."""
    return f"argument {kernel.program.arguments[place].name!r} of kernel {kernel.__name__!r}"


def check_values(kernel: "Kernel", place: int, value: Any) -> None:
    """Refuse numbers that the kernel cannot take, by the argument's name."""
    narrow = kernel.dtype == "f32"
    program = kernel.program
    closer = Closer(kernel, program.name, program.arguments, narrow, kernel.failure)
    closer.seen(value, program.arguments[place], narrow)


def check_dtype(kernel: "Kernel", place: int, dtype: Any) -> None:
    """Refuse a dtype that the kernel cannot take, by the argument's name."""
    check_values(kernel, place, np.empty(0, dtype))


def result_dtypes(
    kernel: "Kernel", known: Sequence[Any], kwargs: dict[str, Any]
) -> tuple["np.dtype[Any]", ...]:
    """Return the dtypes of the results for those of the arguments, or `int` and `float`."""
    casts = {name: kwargs[name] for name in CASTS if name in kwargs}
    count = len(kernel.program.outputs)
    if kernel.dtype == "f32" and not casts:
        return tuple(map(np.dtype, kernel.types[0].partition("->")[2]))
    if "dtype" in casts:  # of the results, whose loop is the one that makes them
        wanted = np.dtype(casts.pop("dtype"))
        casts["signature"] = (*[None] * len(known), *[wanted] * count)
    types = kernel.resolve_dtypes((*known, *[None] * count), **casts)
    return tuple(types[len(known) :])


def formed(kernel: "Kernel", results: Iterable[Any]) -> Any:
    """Return results as the kernel does: one by itself, a tuple, or by name."""
    held = tuple(results)
    if kernel.results == "dict":
        return dict(zip((each.name for each in kernel.program.outputs), held, strict=True))
    return held[0] if kernel.results == "single" else held


def parts_of(kernel: "Kernel", results: Any) -> tuple[Any, ...]:
    """Return all results in order, whatever form the kernel gave them."""
    if kernel.results == "dict":
        return tuple(results.values())
    return (results,) if kernel.results == "single" else tuple(results)
