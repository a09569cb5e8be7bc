"""Files that nobody but this user can have written: owner and mode are looked at, not the path.

A folder is opened once and its files by name within it, so that what was checked is what is read.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["is_private", "opened_folder", "read_private"]

_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


def is_private(found: os.stat_result) -> bool:
    """Tell whether this user owns a file or folder and no other may write to it."""
    return found.st_uid == os.geteuid() and not found.st_mode & _OTHERS


@contextmanager
def opened_folder(path: Path, *, make: bool = False) -> Iterator[int]:
    """Open a folder of this user's alone, and make it where asked to.

    Raise `OSError` where it is not there or is none, and `PermissionError` where another user could
    have put something into it.
    """
    if make:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not is_private(os.fstat(handle)):
            raise PermissionError(f"others may write to {path}")
        yield handle
    finally:
        os.close(handle)


def read_private(name: str, folder: int) -> bytes:
    """Read a file of an open folder and mark it as used now.

    Raise `OSError` where it is not there, and `PermissionError` where it is no plain file or
    another user could have written it.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    handle = os.open(name, flags, dir_fd=folder)
    with open(handle, "rb") as file:
        found = os.fstat(handle)
        if not (stat.S_ISREG(found.st_mode) and is_private(found)):
            raise PermissionError(f"others may write to {name}")
        data = file.read()
        try:
            os.utime(handle)
        except OSError:
            pass  # a read-only file system; nothing is dropped there either
        return data
