"""What was found before, on disk, by content: a key is a digest of all that a result depends on.

One SQLite file in the user's cache folder holds texts, never pickles. It is shared by processes,
bounded in size, and only ever a shortcut: what cannot be read, or could be another user's, is as if
it were not there. The environment variable `REWRITE_CACHE` names another folder, or turns it off:
`REWRITE_CACHE=0`.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

from rewrite.private import is_private, opened_folder

__all__ = ["ContentCache", "digest", "folder", "stamp"]

MOST_ROWS: Final = 200_000
"""Of more than so many results the tenth that was not used for longest is dropped."""
MOST_AT_ONCE: Final = 500
PATIENCE: Final = 2.0
"""Seconds to wait for another process that writes."""
_PACKAGES: Final = ("rewrite", "strategies", "codegen")


def folder() -> Path | None:
    """Return where results are kept; None where that is turned off."""
    given = os.environ.get("REWRITE_CACHE", "")
    if given.lower() in ("0", "off", "no", "false"):
        return None
    if given:
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("rewrite"))


@cache
def stamp() -> str:
    """Return a digest of this library's own sources: another version finds other results."""
    root = str(Path(__file__).parents[1])
    found = [
        (os.path.relpath(where, root), name, os.stat(os.path.join(where, name)))
        for package in _PACKAGES
        for where, _, names in os.walk(os.path.join(root, package))
        for name in names
        if name.endswith(".py")
    ]
    texts = (f"{at}/{name} {seen.st_size} {seen.st_mtime_ns}" for at, name, seen in found)
    return digest(*sorted(texts))


def digest(*parts: str | bytes) -> str:
    """Return one digest of several texts."""
    made = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        made.update(len(data).to_bytes(8, "little") + data)
    return made.hexdigest()


class ContentCache:
    """Texts by key, in a file of the given folder."""

    def __init__(self, where: Path) -> None:
        self.path = where / "forms" / "results.sqlite"

    def get(self, keys: Iterable[str]) -> dict[str, str]:
        """Return those texts that are there."""
        wanted, found = list(keys), dict[str, str]()
        if not self.path.exists():
            return found
        with (
            suppress(sqlite3.Error, OSError), self._private(),
            closing(self._connect()) as connection,
        ):  # fmt: skip
            for at in range(0, len(wanted), MOST_AT_ONCE):
                some = wanted[at : at + MOST_AT_ONCE]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, text FROM results WHERE key IN ({marks})"
                found.update(connection.execute(query, some).fetchall())
            self._use(connection, found)
        return found

    def put(self, rows: Mapping[str, str]) -> None:
        """Keep texts; those of a key that is there already stay."""
        if not rows:
            return
        try:
            with self._private(), closing(self._connect()) as connection, connection:
                clock = self._clock(connection)
                connection.executemany(
                    "INSERT OR IGNORE INTO results VALUES (?, ?, ?)",
                    [(key, text, clock) for key, text in rows.items()],
                )
                self._shrink(connection)
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.OperationalError):  # not a database: begin anew
                with suppress(OSError):
                    self.path.unlink()
        except OSError:
            pass

    def size(self) -> tuple[int, int]:
        """Return how many results there are, and the bytes of the file."""
        if self.path.exists():
            with (
                suppress(sqlite3.Error, OSError), self._private(),
                closing(self._connect()) as connection,
            ):  # fmt: skip
                (count,) = connection.execute("SELECT COUNT(*) FROM results").fetchone()
                return int(count), self.path.stat().st_size
        return 0, 0

    def clear(self) -> None:
        """Forget every result."""
        with suppress(OSError), self._private():
            self.path.unlink()

    @contextmanager
    def _private(self) -> Iterator[None]:
        """Work in a folder to which no other user can write; raise `OSError` where one can."""
        with opened_folder(self.path.parent, make=True) as handle:
            with suppress(FileNotFoundError):
                seen = os.stat(self.path.name, dir_fd=handle, follow_symlinks=False)
                if not is_private(seen):
                    raise PermissionError(f"others may write to {self.path}")
            yield

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=PATIENCE)
        try:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS results "
                "(key TEXT PRIMARY KEY, text TEXT NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID"
            )
        except BaseException:
            connection.close()
            raise
        return connection

    @staticmethod
    def _clock(connection: sqlite3.Connection) -> int:
        (last,) = connection.execute("SELECT COALESCE(MAX(used), 0) FROM results").fetchone()
        return int(last) + 1

    def _use(self, connection: sqlite3.Connection, found: Mapping[str, str]) -> None:
        with connection:
            clock = self._clock(connection)
            connection.executemany(
                "UPDATE results SET used = ? WHERE key = ?", [(clock, key) for key in found]
            )

    @staticmethod
    def _shrink(connection: sqlite3.Connection) -> None:
        (count,) = connection.execute("SELECT COUNT(*) FROM results").fetchone()
        if count > MOST_ROWS:
            connection.execute(
                "DELETE FROM results WHERE key IN (SELECT key FROM results ORDER BY used LIMIT ?)",
                (count - MOST_ROWS + MOST_ROWS // 10,),
            )
