"""Object files on disk, by what they were made of."""

from collections.abc import Callable

import numpy as np

from codegen.store.keys import key_for, parcels
from codegen.target import Target
from rewrite.parcel import Parcel

__all__ = ["kept", "kept_object"]


type Parts = Callable[[], tuple[str, ...]]
"""What a result depends on besides the target; not asked for where nothing is kept."""


def kept(target: Target, parts: Parts, make: Callable[[], Parcel]) -> Parcel:
    """Return what these parts stand for on a target, from disk or made and kept."""
    found = parcels()
    if found is None:
        return make()
    key = key_for(target, *parts())
    parcel = found.get(key)
    if parcel is None:
        parcel = make()
        found.put(key, parcel)
    return parcel


def kept_object(target: Target, parts: Parts, make: Callable[[], bytes]) -> bytes:
    """Return the object file that these parts stand for on a target."""

    def packed() -> Parcel:
        return Parcel({}, {"object": np.frombuffer(make(), np.uint8)})

    return kept(target, lambda: ("object", *parts()), packed).blocks["object"].tobytes()
