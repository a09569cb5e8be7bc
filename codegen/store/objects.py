"""Object files on disk, by what they were made of."""

from collections.abc import Callable

import numpy as np

from codegen.store.keys import key_for, parcels
from codegen.target import Target
from rewrite.parcel import Parcel

__all__ = ["Parts", "kept", "kept_object", "looked_up"]


type Parts = Callable[[], tuple[str, ...]]
"""What a result depends on besides the target; not asked for where nothing is kept."""


def kept(target: Target, parts: Parts, make: Callable[[], Parcel]) -> Parcel:
    """Return what these parts stand for on a target, from disk or made and kept."""
    parcel, keep = looked_up(target, parts)
    if parcel is None:
        parcel = make()
        keep(parcel)
    return parcel


def looked_up(target: Target, parts: Parts) -> tuple[Parcel | None, Callable[[Parcel], None]]:
    """Return what the disk has of these parts, and what keeps it there once it is made."""
    found = parcels()
    if found is None:
        return None, lambda parcel: None
    key = key_for(target, *parts())
    return found.get(key), lambda parcel: found.put(key, parcel)


def kept_object(target: Target, parts: Parts, make: Callable[[], bytes]) -> bytes:
    """Return the object file that these parts stand for on a target."""

    def packed() -> Parcel:
        return Parcel({}, {"object": np.frombuffer(make(), np.uint8)})

    return kept(target, lambda: ("object", *parts()), packed).blocks["object"].tobytes()
