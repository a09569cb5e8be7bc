"""What was found before, on disk, by content: a key is a digest of all that a result depends on.

One SQLite file in the user's cache folder holds texts, never pickles. It is shared by processes,
bounded in size, and only ever a shortcut: what cannot be read is as if it were not there. The
environment variable `REWRITE_CACHE` names another folder, or turns it off: `REWRITE_CACHE=0`.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Final

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
    root = Path(__file__).parents[1]
    files = sorted(path for name in _PACKAGES for path in (root / name).rglob("*.py"))
    stats = [(str(path.relative_to(root)), path.stat()) for path in files]
    return digest(*[f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats])


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
        self.path = where / "results.sqlite"

    def get(self, keys: Iterable[str]) -> dict[str, str]:
        """Return those texts that are there."""
        wanted, found = list(keys), dict[str, str]()
        if not self.path.exists():
            return found
        with suppress(sqlite3.Error, OSError), closing(self._connect()) as connection:
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
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with closing(self._connect()) as connection, connection:
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
