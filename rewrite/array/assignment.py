"""Reading and writing places of arrays of ids: indices, masks, views and what may be written.

NumPy's own views of the arrays of ids make views of terms: a write through one is seen by all.
"""

from typing import Any, Final

from rewrite import ops
from rewrite.array import interning
from rewrite.errors import PlaceError, ShapeError, TraceError
from rewrite.store import Ints, Store

__all__ = ["data_dependent", "masked", "picked", "require_writable", "written"]

_READ_ONLY: Final = (
    "this array of terms cannot be written to: it is an argument of the traced function, a view of "
    "one, or a broadcast array, and the caller would see the write; write to a copy, "
    "u = u.copy(), or name the arguments that the function fills in out=[...]"
)


def picked(ids: Ints, key: Any) -> Any:
    """Return the ids at an index; raise `PlaceError` outside."""
    try:
        return ids[key]
    except IndexError as error:
        raise PlaceError(f"{error}; the array of terms has shape {ids.shape}") from None


def written(ids: Ints, key: Any, new: Ints) -> None:
    """Write to the places of an index, with broadcasting."""
    require_writable(ids)
    try:
        ids[key] = new
    except IndexError as error:
        raise PlaceError(f"{error}; the array of terms has shape {ids.shape}") from None
    except ValueError:
        place = ids[key].shape
        raise ShapeError(
            f"values of shape {new.shape} do not fit into a place of shape {place}"
        ) from None


def masked(store: Store, ids: Ints, condition: Ints, new: Ints) -> None:
    """Write one value where a condition of terms holds, as a choice for each element."""
    if not interning.truths(store, condition).all():
        raise data_dependent("the place that an index of terms names")
    if condition.shape != ids.shape:
        raise ShapeError(
            f"a mask of shape {condition.shape} does not fit an array of shape {ids.shape}"
        )
    if new.ndim:
        raise data_dependent("how many values a condition of terms takes")
    require_writable(ids)
    ids[...] = interning.applied(store, ops.WHERE, [condition, new, ids])


def require_writable(ids: Ints) -> None:
    """Refuse to write to arguments and to broadcast arrays, as NumPy does to the latter."""
    if not ids.flags.writeable:
        raise TraceError(_READ_ONLY)


def data_dependent(what: str) -> TraceError:
    """Return the error about a shape or a place that is not known before there are values."""
    return TraceError(
        f"{what} depends on values, which are not known when terms are built; choose between "
        "values with np.where(condition, a, b)"
    )
