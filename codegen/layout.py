"""Where CPython and NumPy have what machine code reads of their objects, found out and checked."""

import ctypes
import sys
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codegen.capi import address_of, array_function
from codegen.llvm import builtin
from codegen.llvm.builtin import CPython

__all__ = ["layout", "type_bits"]

_ARRAY_NEW: Final = 93
"""The place of `PyArray_New` in NumPy's table."""


def layout() -> CPython | None:
    """Return where this process has what the guard reads, or nothing if that is not known."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    arrays = [np.arange(2).astype(kind) for kind in "?bBhHiIlLqQefdgFDGOSUV"]
    number = np.int64(-(5**23))
    samples = [1.5, 3, True, (1, 2), np.float64(1), np.float32(1), number, *arrays]
    if not all(_word(sample, builtin.TYPE_AT) == id(type(sample)) for sample in samples):
        return None
    if not all(_holds_double(sample) for sample in (1.5, np.float64(1.5))):
        return None
    items_at, bytes_at, text = tuple.__basicsize__, bytes.__basicsize__ - 1, b"some bytes"
    if ctypes.string_at(id(text) + bytes_at, len(text)) != text:
        return None
    pair = (arrays[0], arrays[1])
    pairs_known = [_word(pair, items_at + 8 * k) for k in range(2)] == list(map(id, pair))
    integer = ctypes.c_int64.from_address(id(number) + builtin.INT64_AT).value
    single = np.float32(1.5)
    if ctypes.c_float.from_address(id(single) + builtin.FLOAT_AT).value != single:
        return None
    if not pairs_known or integer != number or not all(map(_is_known, arrays)):
        return None

    return CPython(
        vectorcall=address_of("PyObject_Vectorcall"),
        long_as_long=address_of("PyLong_AsLongLongAndOverflow"),
        error_matches=address_of("PyErr_ExceptionMatches"),
        error_clear=address_of("PyErr_Clear"),
        type_error=id(TypeError),
        quick_types=(id(float), id(np.float64), id(bool), id(np.float32)),
        int_type=id(int),
        int64_type=id(np.int64),
        array_type=id(np.ndarray),
        items_at=items_at,
        numbers=type_bits("biuf", 1, 2, 4) | type_bits("f", 8),
        signed=type_bits("i", 8),
        unsigned=type_bits("u", 8),
        float_types=(id(float), id(np.float64)),
        single_type=id(np.float32),
        float_dtypes=(id(np.dtype(np.float64)), id(np.dtype(np.float32))),
        float_numbers=(np.dtype(np.float64).num, np.dtype(np.float32).num),
        new_object=address_of("PyType_GenericAlloc"),
        result_type=id(np.float64),
        increment=address_of("Py_IncRef"),
        decrement=address_of("Py_DecRef"),
        save_thread=address_of("PyEval_SaveThread"),
        restore_thread=address_of("PyEval_RestoreThread"),
        array_new=array_function(_ARRAY_NEW),
        out=id(sys.intern("out")),
        bytes_at=bytes_at,
    )


def type_bits(kinds: str, *sizes: int) -> int:
    """Return the set of NumPy's type numbers of some kinds and sizes, as bits."""
    dtypes = [np.dtype(letter) for letter in "?bBhHiIlLqQefd"]
    return sum({1 << d.num for d in dtypes if d.kind in kinds and d.itemsize in sizes})


def _is_known(array: "NDArray[Any]") -> bool:
    """Tell whether an array and its dtype are laid out as the guard reads them."""
    dtype = array.dtype
    number = ctypes.c_int.from_address(id(dtype) + builtin.NUMBER_AT).value
    order = ctypes.c_char.from_address(id(dtype) + builtin.ORDER_AT).value
    strange = dtype.newbyteorder()
    other = ctypes.c_char.from_address(id(strange) + builtin.ORDER_AT).value
    sizes, strides = (_word(array, builtin.SIZES_AT + k) or 0 for k in (0, 8))
    if sizes + 8 * array.ndim != strides:  # before reading there: they are in one block
        return False
    size = ctypes.c_int64.from_address(sizes).value
    seen = (
        _word(array, builtin.DTYPE_AT),
        _word(array, builtin.DATA_AT),
        ctypes.c_int.from_address(id(array) + builtin.RANK_AT).value,
        ctypes.c_int.from_address(id(array) + builtin.FLAGS_AT).value & builtin.SIMPLE,
        (number, order, other, size),
    )
    expected = (dtype.num, dtype.byteorder.encode(), strange.byteorder.encode(), len(array))
    return seen == (id(dtype), array.ctypes.data, array.ndim, builtin.SIMPLE, expected)


def _holds_double(sample: float) -> bool:
    """Tell whether a number is what the guard reads and makes: a head and a double."""
    value = ctypes.c_double.from_address(id(sample) + builtin.FLOAT_AT).value
    return value == sample and type(sample).__basicsize__ == builtin.FLOAT_AT + 8


def _word(sample: object, offset: int) -> int | None:
    return ctypes.c_void_p.from_address(id(sample) + offset).value
