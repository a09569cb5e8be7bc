"""`Parcel`: a small header and named arrays as one run of bytes, which knows when it is damaged.

    magic | SHA-256 of all that follows | length of the header | header in JSON | blocks

Blocks are raw arrays, each at a multiple of 64 bytes; reading makes views and copies nothing.
Nothing is executed by reading, as a pickle would, and nothing is looked at before the checksum.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["Block", "DamagedError", "Parcel", "pack", "unpack"]

type Block = npt.NDArray[Any]

_MAGIC: Final = b"rewrite1"
_HASH: Final = len(_MAGIC)
_LENGTH: Final = _HASH + 32
_HEADER: Final = _LENGTH + 8
_ALIGNED: Final = 64
_KINDS: Final = "biuf"


class DamagedError(ValueError):
    """Bytes are not what was packed under that key."""


@dataclass(frozen=True, slots=True, eq=False)
class Parcel:
    """What JSON can hold, and arrays of numbers by name."""

    header: Mapping[str, Any]
    blocks: Mapping[str, Block] = field(default_factory=dict)

    def part(self, prefix: str) -> dict[str, Block]:
        """Return the blocks whose names begin with a prefix, without it."""
        return {
            name[len(prefix) :]: block
            for name, block in self.blocks.items()
            if name.startswith(prefix)
        }


def pack(key: str, parcel: Parcel) -> bytes:
    """Write a parcel under a key; raise `TypeError` or `ValueError` for what JSON cannot hold."""
    table, at, pieces = [], 0, list[bytes]()
    for name, block in parcel.blocks.items():
        if block.dtype.kind not in _KINDS:
            raise TypeError(f"block {name!r} holds {block.dtype}")
        data = np.ascontiguousarray(block).tobytes()
        table.append([name, block.dtype.str, list(block.shape), at])
        padding = -len(data) % _ALIGNED
        pieces += [data, bytes(padding)]
        at += len(data) + padding
    entry = {"key": key, "header": dict(parcel.header), "blocks": table}
    text = json.dumps(entry, separators=(",", ":")).encode()
    text += b" " * (-(_HEADER + len(text)) % _ALIGNED)
    rest = b"".join([len(text).to_bytes(8, "little"), text, *pieces])
    return _MAGIC + hashlib.sha256(rest).digest() + rest


def unpack(key: str, data: bytes) -> Parcel:
    """Read what was packed under a key; raise `DamagedError` for anything else."""
    whole = memoryview(data)
    if len(data) < _HEADER or not data.startswith(_MAGIC):
        raise DamagedError("this is no parcel")
    if hashlib.sha256(whole[_LENGTH:]).digest() != data[_HASH:_LENGTH]:
        raise DamagedError("the checksum is another")
    length = int.from_bytes(whole[_LENGTH:_HEADER], "little")
    first = _HEADER + length
    try:
        entry = json.loads(bytes(whole[_HEADER:first]))
        if entry["key"] != key:
            raise DamagedError("it was packed under another key")
        blocks = {
            name: np.frombuffer(data, kind, math.prod(shape), first + at).reshape(shape)
            for name, kind, shape, at in entry["blocks"]
        }
        return Parcel(entry["header"], blocks)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedError(str(error)) from None
