"""Parcels on disk: a file for each key in a folder of this user's alone, bounded in size.

Only ever a shortcut: what is missing, damaged or not to be trusted is as if it were not there, and
what cannot be written is not kept. A file is written under another name and renamed, so that
readers see all of it or nothing, and any number of processes may share the folder. The time of a
file is that of its last use; the bytes that were not used for longest are dropped first.
"""

import os
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rewrite.parcel import DamagedError, Parcel, pack, unpack
from rewrite.private import opened_folder, read_private

__all__ = ["MOST_BYTES", "Parcels"]

MOST_BYTES: Final = 1 << 30
"""Of more the least recently used are dropped, down to nine tenths."""
_BETWEEN_LOOKS: Final = 32
"""A process looks at the size when it first writes, and after each such part of the bound."""
_ABANDONED: Final = 3600 * 10**9
"""Nanoseconds after which an unfinished file is one of a process that ended."""
_NAME: Final = re.compile(r"[0-9a-f]{64}")


@dataclass
class Parcels:
    """Parcels by key, the 64 hexadecimal digits of a digest."""

    folder: Path
    most_bytes: int = MOST_BYTES
    _unseen: int | None = field(default=None, init=False, repr=False)
    """Bytes written since the last look at the size."""
    hits: int = field(default=0, init=False)
    misses: int = field(default=0, init=False)
    """How often this process found a key, and how often not."""

    def get(self, key: str) -> Parcel | None:
        """Return what is kept under a key, or None; what is damaged is removed."""
        try:
            with opened_folder(self.folder) as handle:
                data = read_private(key, handle)
                try:
                    found = unpack(key, data)
                    self.hits += 1
                    return found
                except DamagedError:
                    os.unlink(key, dir_fd=handle)
        except (OSError, MemoryError):
            pass
        self.misses += 1
        return None

    def put(self, key: str, parcel: Parcel) -> None:
        """Keep a parcel, in place of what the key had."""
        try:
            data = pack(key, parcel)
            if len(data) > self.most_bytes:
                return
            with opened_folder(self.folder, make=True) as handle:
                self._make_room(handle, len(data))
                _write(key, data, handle)
        except (OSError, TypeError, ValueError, MemoryError):
            pass

    def size(self) -> tuple[int, int]:
        """Return how many parcels there are, and their bytes."""
        with suppress(OSError), opened_folder(self.folder) as handle:
            sizes = [size for _, size, name in _listed(handle) if _NAME.fullmatch(name)]
            return len(sizes), sum(sizes)
        return 0, 0

    def clear(self) -> None:
        """Remove every parcel."""
        with suppress(OSError), opened_folder(self.folder) as handle:
            for _, _, name in _listed(handle):
                _drop(name, handle)

    def _make_room(self, handle: int, size: int) -> None:
        if self._unseen is not None:
            self._unseen += size
            if self._unseen * _BETWEEN_LOOKS < self.most_bytes:
                return
        self._unseen = 0
        found = sorted(_listed(handle))
        now, total = time.time_ns(), size + sum(size for _, size, _ in found)
        least = self.most_bytes if total <= self.most_bytes else self.most_bytes * 9 // 10
        for used, size_, name in found:
            abandoned = not _NAME.fullmatch(name) and now - used > _ABANDONED
            if total > least or abandoned:
                _drop(name, handle)
                total -= size_


def _listed(handle: int) -> list[tuple[int, int, str]]:
    """List the files of an open folder: when they were used, their bytes and names."""
    found = []
    with os.scandir(handle) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # another process has just dropped it
                seen = entry.stat(follow_symlinks=False)
                found.append((seen.st_mtime_ns, seen.st_size, entry.name))
    return found


def _drop(name: str, handle: int) -> None:
    with suppress(OSError):
        os.unlink(name, dir_fd=handle)


def _write(key: str, data: bytes, handle: int) -> None:
    """Write a file as a whole or not at all."""
    name = f".{key[:16]}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    made = os.open(name, flags, 0o600, dir_fd=handle)
    try:
        with open(made, "wb") as file:
            file.write(data)
        os.rename(name, key, src_dir_fd=handle, dst_dir_fd=handle)
    except BaseException:
        _drop(name, handle)
        raise
