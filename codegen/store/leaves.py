"""Symbols, constants and whole terms as arrays, the same for equal terms of any store."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.constants import PI, Constant, E, Named
from rewrite.dag import Dag, rebuild
from rewrite.parcel import Parcel
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = ["pack_symbols", "pack_terms", "unpack_terms"]

type Block = npt.NDArray[Any]

_NAMED: Final = {named.name: named for named in (PI, E)}
_SYMBOL, _INT, _FLOAT, _OTHER = range(4)
_LIMIT: Final = 1 << 63


def pack_symbols(symbols: Sequence[Symbol]) -> Parcel:
    """Write symbols: names as one text, and what only some of them have."""
    names = [symbol.name.encode("utf-8", "surrogatepass") for symbol in symbols]
    odd = [
        [at, s.dtype, s.low, s.high, s.sort_name, s.many]
        for at, s in enumerate(symbols)
        if s.dtype or s.low is not None or s.high is not None or s.sort_name or s.many
    ]
    blocks: dict[str, Block] = {
        "names": np.frombuffer(b"".join(names), np.uint8),
        "lengths": np.array([len(name) for name in names], np.int32),
    }
    return Parcel({"odd": odd}, blocks)


def _symbols(header: Mapping[str, Any], blocks: Mapping[str, Block]) -> list[Symbol]:
    text, end = blocks["names"].tobytes(), 0
    found = []
    for length in blocks["lengths"].tolist():
        found.append(Symbol(text[end : end + length].decode("utf-8", "surrogatepass")))
        end += length
    for at, dtype, low, high, sort_name, many in header["odd"]:
        found[at] = Symbol(found[at].name, dtype, low, high, sort_name, many)
    return found


def pack_terms(dag: Dag) -> Parcel:
    """Write the terms of a program.

    Raise `TypeError` for constants that are none of this library's.
    """
    symbols: list[Symbol] = []
    ints: list[int] = []
    floats: list[float] = []
    others: list[list[Any]] = []
    kinds, leaves = [], np.flatnonzero(np.diff(dag.start) == 0)
    for at in leaves.tolist():
        value = dag.value[at]
        if isinstance(value, Symbol):
            symbols.append(value)
            kinds.append(_SYMBOL)
        elif type(value) is int and -_LIMIT <= value < _LIMIT:
            ints.append(value)
            kinds.append(_INT)
        elif type(value) is float:
            floats.append(value)
            kinds.append(_FLOAT)
        else:
            others.append(_text(value))
            kinds.append(_OTHER)
    packed = pack_symbols(symbols)
    blocks = {
        **packed.blocks, "code": dag.code, "counts": np.diff(dag.start).astype(np.int32),
        "args": dag.args, "sort": dag.sort, "kinds": np.array(kinds, np.uint8),
        "ints": np.array(ints, np.int64), "floats": np.array(floats, np.float64),
        "roots": np.array(dag.roots, np.int32),
    }  # fmt: skip
    return Parcel({**packed.header, "others": others}, blocks)


def _text(value: Any) -> list[Any]:
    match value:
        case bool():
            return ["b", value]
        case int():
            return ["i", f"{value:x}"]
        case Fraction():
            return ["q", f"{value.numerator:x}", f"{value.denominator:x}"]
        case Named() if value.name in _NAMED:
            return ["n", value.name]
    raise TypeError(f"{value!r} is no constant that can be kept")


def _value(kind: str, *parts: Any) -> Constant:
    if kind == "b":
        return bool(parts[0])
    if kind == "i":
        return int(parts[0], 16)
    if kind == "q":
        return Fraction(int(parts[0], 16), int(parts[1], 16))
    return _NAMED[parts[0]]


def unpack_terms(
    header: Mapping[str, Any], blocks: Mapping[str, Block], store: Store
) -> tuple[Term, ...]:
    """Build the terms again in a store."""
    code, counts = blocks["code"], blocks["counts"]
    start = np.zeros(len(code) + 1, np.int64)
    np.cumsum(counts, out=start[1:])
    pools = [
        iter(_symbols(header, blocks)), iter(blocks["ints"].tolist()),
        iter(blocks["floats"].tolist()), iter([_value(*row) for row in header["others"]]),
    ]  # fmt: skip
    value: list[Symbol | Constant | None] = [None] * len(code)
    leaves = np.flatnonzero(counts == 0).tolist()
    for at, kind in zip(leaves, blocks["kinds"].tolist(), strict=True):
        value[at] = next(pools[kind])
    roots = blocks["roots"].tolist()
    ids = np.full(len(code), -1, np.int32)
    # a copy: compiled loops know columns that may be written to
    dag = Dag(code.copy(), start, blocks["args"], blocks["sort"], value, roots, ids)
    with store.lock:
        made = rebuild(dag, store)
    return tuple([Term(store, made[root]) for root in roots])
