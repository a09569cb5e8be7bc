"""Arrays as two words: what compiled loops hand to each other, without counting what holds them.

Numba passes an array by value, as seven words or more, so a call with twenty arrays copies a
hundred and fifty words: more than most of our small functions do. A slim array is the data and the
length, of a matrix also the distance of its rows. It borrows: whoever made it keeps the array.
Indices are not negative.
"""
# mypy: disable-error-code="no-untyped-call, untyped-decorator, attr-defined, misc"

import operator
from typing import Any

from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

__all__ = ["slim"]


class Slim(types.Type):
    """The type of a vector, or of a matrix whose rows are contiguous."""

    def __init__(self, dtype: Any, ndim: int) -> None:
        self.dtype, self.ndim = dtype, ndim
        super().__init__(name=f"Slim({dtype}, {ndim})")


@register_model(Slim)
class _Model(models.StructModel):
    """Data, length, and the bytes from one row to the next."""

    def __init__(self, dmm: Any, fe_type: Any) -> None:
        members = [("data", types.CPointer(fe_type.dtype)), ("length", types.intp)]
        if fe_type.ndim == 2:
            members.append(("stride", types.intp))
        super().__init__(dmm, fe_type, members)


def _slim_type(given: Any) -> Any:
    if isinstance(given, types.BaseTuple):
        return types.Tuple([_slim_type(each) for each in given.types])
    if isinstance(given, types.Array) and given.layout == "C" and given.ndim <= 2:
        return Slim(given.dtype, given.ndim)
    raise TypeError(f"{given} is no contiguous vector or matrix")


def _slim_value(context: Any, builder: Any, given: Any, value: Any) -> Any:
    if isinstance(given, types.BaseTuple):
        parts = cgutils.unpack_tuple(builder, value, len(given))
        made = [
            _slim_value(context, builder, *each) for each in zip(given.types, parts, strict=True)
        ]
        return context.make_tuple(builder, _slim_type(given), made)
    array = context.make_array(given)(context, builder, value)
    result = cgutils.create_struct_proxy(_slim_type(given))(context, builder)
    result.data, result.length = array.data, builder.extract_value(array.shape, 0)
    if given.ndim == 2:
        result.stride = builder.extract_value(array.strides, 0)
    return result._getvalue()


@intrinsic
def _slim(typingctx: Any, given: Any) -> Any:
    """Return the slim array of an array, and those of a tuple of arrays, in loops alone."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _slim_value(context, builder, sig.args[0], args[0])

    return signature(_slim_type(given), given), generate


slim: Any = _slim  # checkers take it for a function of two arguments


# -- indexing ----------------------------------------------------------------------------------


def _index(of: Any, place: Any) -> Any:
    if isinstance(of, Slim):
        if of.ndim == 1 and isinstance(place, types.Integer):
            return types.intp if place.signed else types.uintp
        if of.ndim == 2 and isinstance(place, types.BaseTuple) and len(place) == 2:
            return types.UniTuple(types.intp, 2)
    return None


@infer_global(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        place = _index(*args)
        return None if place is None else signature(args[0].dtype, args[0], place)


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        place = _index(*args[:2])
        dtype = args[0].dtype if place is not None else None
        return None if place is None else signature(types.none, args[0], place, dtype)


@infer_global(len)
class _Length(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(types.intp, *args) if isinstance(args[0], Slim) else None


def _pointer(context: Any, builder: Any, of: Any, value: Any, place: Any) -> Any:
    array = cgutils.create_struct_proxy(of)(context, builder, value=value)
    if of.ndim == 1:
        return builder.gep(array.data, [place])
    row, column = cgutils.unpack_tuple(builder, place, 2)
    begin = builder.bitcast(array.data, cgutils.voidptr_t)
    begin = builder.gep(begin, [builder.mul(row, array.stride)])
    return builder.gep(builder.bitcast(begin, array.data.type), [column])


@lower_builtin(operator.getitem, Slim, types.Any)
def _get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    pointer = _pointer(context, builder, sig.args[0], *args)
    return context.unpack_value(builder, sig.return_type, pointer)


@lower_builtin(operator.setitem, Slim, types.Any, types.Any)
def _set(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    of, (value, place, given) = sig.args[0], args
    context.pack_value(builder, of.dtype, given, _pointer(context, builder, of, value, place))


@lower_builtin(len, Slim)
def _length(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return cgutils.create_struct_proxy(sig.args[0])(context, builder, value=args[0]).length
