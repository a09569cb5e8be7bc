"""What is kept on disk between runs: forms that searches found, and compiled kernels.

It lies in the user's cache folder, or where the environment variable `REWRITE_CACHE` says; its
value 0 turns it off. Nothing is read that another user could have written.
"""

from dataclasses import dataclass
from pathlib import Path

from rewrite.contentcache import ContentCache, folder
from rewrite.parcels import MOST_BYTES, Parcels

__all__ = ["CacheInfo", "clear", "info"]


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """Where the cache is and how full."""

    folder: Path | None
    """None where it is turned off."""
    kernels: int
    """Compiled kernels and their object files; each is counted."""
    kernel_bytes: int
    forms: int
    """Results of searches for cheapest forms."""
    form_bytes: int
    most_kernel_bytes: int = MOST_BYTES
    """Of more the least recently used are dropped."""

    def __str__(self) -> str:
        """Say it in a few lines."""
        if self.folder is None:
            return "the cache is turned off by REWRITE_CACHE"
        return (
            f"{self.folder}\n"
            f"  kernels and objects: {self.kernels} in {self.kernel_bytes / 1e6:.1f} MB "
            f"of at most {self.most_kernel_bytes / 1e6:.0f} MB\n"
            f"  forms: {self.forms} in {self.form_bytes / 1e6:.1f} MB"
        )


def info() -> CacheInfo:
    """Return where the cache is, and how much is in it.

    >>> import rewrite as rw
    >>> rw.cache.info().kernels >= 0
    True
    """
    where = folder()
    if where is None:
        return CacheInfo(None, 0, 0, 0, 0)
    kernels, forms = Parcels(where / "code"), ContentCache(where)
    return CacheInfo(where, *kernels.size(), *forms.size())


def clear() -> None:
    """Remove all that is kept; running processes keep what they have loaded."""
    where = folder()
    if where is not None:
        Parcels(where / "code").clear()
        ContentCache(where).clear()
