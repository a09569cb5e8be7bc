"""The words of written code as Numba intrinsics: one LLVM instruction or NVVM call each.

NVVM contracts a product and a sum into an fma unless it is told otherwise, and Numba has no option
to tell it. So a product is `llvm.nvvm.mul.rn`, which is exact about its rounding: PTX has `mul.rn`,
which neither NVVM nor ptxas contracts. What is an fma was chosen as one.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir

__all__ = ["elements", "intrinsics", "memory", "numbers"]

type _Generate = Callable[..., Any]

_PACK_BYTES = 16  # the widest load of a thread
_LANE = ir.IntType(32)
_SUFFIX = {"float": "f32", "double": "f64"}
_SHORT = {"float": "f", "double": "d"}


def _call(builder: Any, name: str, args: Any) -> Any:
    """Call a function of numbers of one type."""
    kind = args[0].type
    signature = ir.FunctionType(kind, [kind] * len(args))
    return builder.call(builder.module.declare_intrinsic(name, (), signature), args)


def _named(name: str) -> _Generate:
    def generate(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        return _call(builder, f"llvm.{name}.{_SUFFIX[str(args[0].type)]}", args)

    return generate


def _rounded(name: str) -> _Generate:
    """Return what calls NVVM's own operation with a stated rounding."""

    def generate(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        return _call(builder, f"llvm.nvvm.{name}.rn.{_SHORT[str(args[0].type)]}", args)

    return generate


def _libdevice(name: str) -> _Generate:
    """Return what calls a function of NVIDIA's library, for what NVVM has no intrinsic of."""

    def generate(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        kind = args[0].type
        full = f"__nv_{name}{'f' if str(kind) == 'float' else ''}"
        known = builder.module.globals.get(full)
        if known is None:
            known = ir.Function(builder.module, ir.FunctionType(kind, [kind] * len(args)), full)
        return builder.call(known, args)

    return generate


def _method(name: str) -> _Generate:
    def generate(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        return getattr(builder, name)(*args)

    return generate


def _cast(_context: Any, builder: Any, sig: Any, args: Any) -> Any:
    """Read the bits of a number as an integer, or those of an integer as a number."""
    width = 64 if "64" in str(sig.return_type) else 32
    to_number = str(sig.return_type).startswith("float")
    number = ir.DoubleType() if width == 64 else ir.FloatType()
    return builder.bitcast(args[0], number if to_number else ir.IntType(width))


def _copysign(_context: Any, builder: Any, sig: Any, args: Any) -> Any:
    width = 64 if str(sig.return_type) == "float64" else 32
    word, top = ir.IntType(width), 1 << (width - 1)
    size, sign = (builder.bitcast(arg, word) for arg in args)
    joined = builder.or_(builder.and_(size, word(top - 1)), builder.and_(sign, word(top)))
    return builder.bitcast(joined, args[0].type)


def _inverted(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
    return builder.xor(args[0], ir.IntType(1)(1))


def intrinsics(intrinsic: Any, types: Any, *, device: bool) -> dict[str, Any]:
    """Return the words, made by Numba's `intrinsic` for a device or for the CPU.

    Tests compile written code for the CPU, to compare many results with those of vectors.
    """
    whole = {types.float64: types.int64, types.float32: types.int32}
    real = {kind: number for number, kind in whole.items()}

    def word(name: str, arity: int, generate: _Generate, result: Any = None) -> Any:
        """Make a word whose operands are of one type, which is its result's unless stated."""

        def typed(kind: Any) -> Any:
            kind = types.unliteral(kind)
            made = kind if result is None else result(kind)
            return made(*[kind] * arity)

        def one(_context: Any, a: Any) -> Any:
            return typed(a), generate

        def two(_context: Any, a: Any, b: Any) -> Any:
            return typed(a), generate

        def three(_context: Any, a: Any, b: Any, c: Any) -> Any:
            return typed(a), generate

        chosen = (one, two, three)[arity - 1]
        chosen.__name__ = chosen.__qualname__ = name
        return intrinsic(chosen)

    def select(_context: Any, mask: Any, a: Any, b: Any) -> Any:
        kind = types.unliteral(a)
        return kind(types.boolean, kind, kind), _method("select")

    found = {
        "mul": word("mul", 2, _rounded("mul") if device else _method("fmul")),
        "div": word("div", 2, _method("fdiv")),
        "fma": word("fma", 3, _named("fma")),
        "select": intrinsic(select),
        "bits": word("bits", 1, _cast, whole.__getitem__),
        "number": word("number", 1, _cast, real.__getitem__),
        "copysign": word("copysign", 2, _copysign),
        "both": word("both", 2, _method("and_")),
        "either": word("either", 2, _method("or_")),
        "differ": word("differ", 2, _method("xor")),
        "negated": word("negated", 1, _inverted),
        "whole": word("whole", 2, _method("udiv")),
        "rest": word("rest", 2, _method("urem")),
    }
    found["sqrt"] = word("sqrt", 1, _rounded("sqrt") if device else _named("sqrt"))
    for name in ("fabs", "floor", "ceil", "trunc", "rint"):
        found[name] = word(name, 1, _libdevice(name) if device else _named(name))
    return found


def memory(intrinsic: Any, types: Any) -> dict[str, Any]:
    """Return `load2(array, i)`, `store2(array, i, x, y)` and those of 4: the i-th aligned pack.

    `peek(array, i)` and `poke(array, i, x)` are of one number of a contiguous array, `at(array,
    address)` is an array like another one that begins elsewhere.
    """

    def load(pack: int) -> Any:
        def load(_context: Any, array: Any, index: Any) -> Any:
            return types.UniTuple(array.dtype, pack)(array, index), partial(_loaded, pack)

        return intrinsic(load)

    def store2(_context: Any, array: Any, index: Any, a: Any, b: Any) -> Any:
        return types.void(array, index, *[array.dtype] * 2), _stored

    def store4(_context: Any, array: Any, index: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        return types.void(array, index, *[array.dtype] * 4), _stored

    def peek(_context: Any, array: Any, index: Any) -> Any:
        return array.dtype(array, index), _peeked

    def poke(_context: Any, array: Any, index: Any, a: Any) -> Any:
        return types.void(array, index, array.dtype), _poked

    def at(_context: Any, array: Any, address: Any) -> Any:
        return array(array, address), _moved

    return {
        "at": intrinsic(at), "load2": load(2), "load4": load(4),
        "store2": intrinsic(store2), "store4": intrinsic(store4),
        "peek": intrinsic(peek), "poke": intrinsic(poke),
    }  # fmt: skip


def elements(intrinsic: Any, types: Any, real: Any, most: int) -> dict[str, Any]:
    """Return the words of elements of arrays with up to so many axes.

    `real3(array, i, j, k)` reads one as a number of a type, `truth3` as a truth value, and
    `put3(array, i, j, k, x)` writes one. Numba's own indexing says the same in many more values,
    with the square of which its time grows.
    """
    return {
        f"{name}{axes}": _of_elements(intrinsic, types, name, axes, real)
        for name in ("real", "truth", "put")
        for axes in range(1, most + 1)
    }


def _of_elements(intrinsic: Any, types: Any, name: str, axes: int, real: Any) -> Any:
    """Return a word of an array and so many indices."""

    def read(array: Any, *index: Any) -> Any:
        result = types.boolean if name == "truth" else real
        return result(array, *index), _element_read

    def put(array: Any, *rest: Any) -> Any:
        return types.void(array, *rest), _element_put

    given = ", ".join(["array", *[f"i{axis}" for axis in range(axes)], *["x"][: name == "put"]])
    namespace = {"typed": put if name == "put" else read}
    exec(f"def {name}{axes}(context, {given}): return typed({given})", namespace)
    return intrinsic(namespace[f"{name}{axes}"])


def _element(context: Any, builder: Any, sig: Any, args: Any, axes: int) -> Any:
    """Return a pointer to an element."""
    kind, word = sig.args[0], ir.IntType(64)
    array = context.make_array(kind)(context, builder, args[0])
    way: Any = word(0)
    for axis in range(axes):
        index, known = args[1 + axis], sig.args[1 + axis]
        if index.type != word:
            index = (builder.sext if known.signed else builder.zext)(index, word)
        nearest = kind.ndim - 1 if kind.layout == "C" else 0 if kind.layout == "F" else -1
        if axis == nearest:
            step = word(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        else:
            step = builder.extract_value(array.strides, axis)
        way = builder.add(way, builder.mul(index, step))
    start = builder.bitcast(array.data, ir.IntType(8).as_pointer())
    return builder.bitcast(builder.gep(start, [way]), array.data.type)


def _element_read(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    kind = sig.args[0].dtype
    place = _element(context, builder, sig, args, len(args) - 1)
    value = context.unpack_value(builder, kind, place)
    return context.cast(builder, value, kind, sig.return_type)


def _element_put(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    kind = sig.args[0].dtype
    value = context.cast(builder, args[-1], sig.args[-1], kind)
    context.pack_value(builder, kind, value, _element(context, builder, sig, args, len(args) - 2))
    return context.get_dummy_value()


def _moved(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array = context.make_array(sig.args[0])(context, builder, args[0])
    array.data = builder.inttoptr(args[1], array.data.type)
    return array._getvalue()


def _place(context: Any, builder: Any, kind: Any, at: Sequence[Any]) -> Any:
    data = context.make_array(kind)(context, builder, at[0]).data
    return builder.gep(data, [at[1]])


def _peeked(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.load(_place(context, builder, sig.args[0], args))


def _poked(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], _place(context, builder, sig.args[0], args[:2]))
    return context.get_dummy_value()


def _pack(context: Any, builder: Any, kind: Any, at: Sequence[Any], count: int) -> Any:
    """Return a pointer to a pack of an array."""
    (array, index), wide = at, ir.IntType(64)
    data = context.make_array(kind)(context, builder, array).data
    first = builder.zext(index, wide) if index.type != wide else index
    vector = ir.VectorType(data.type.pointee, count)
    place = builder.gep(data, [builder.mul(first, wide(count))])
    return builder.bitcast(place, vector.as_pointer()), vector


def _loaded(count: int, context: Any, builder: Any, sig: Any, args: Any) -> Any:
    place, _ = _pack(context, builder, sig.args[0], args, count)
    vector = builder.load(place, align=_PACK_BYTES)
    lanes = [builder.extract_element(vector, _LANE(lane)) for lane in range(count)]
    return context.make_tuple(builder, sig.return_type, lanes)


def _stored(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    place, kind = _pack(context, builder, sig.args[0], args[:2], len(args) - 2)
    vector = ir.Constant(kind, ir.Undefined)
    for lane, value in enumerate(args[2:]):
        vector = builder.insert_element(vector, value, _LANE(lane))
    builder.store(vector, place, align=_PACK_BYTES)
    return context.get_dummy_value()


def numbers(dtype: str) -> dict[str, Any]:
    """Return the types that written code names, and its constants that have no literals."""
    names = (
        (np.float64, np.int64, np.uint64) if dtype == "f64" else (np.float32, np.int32, np.uint32)
    )
    return {
        **dict(zip("FIU", names, strict=True)),
        "float64": np.float64, "INF": float("inf"), "NAN": float("nan"),
    }  # fmt: skip
