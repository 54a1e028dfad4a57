"""Bytes by key in one SQLite file of this machine's cache, shared by threads and processes."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

log = logging.getLogger(__name__)


class KeyedCache:
    """Values computed before, by key. A cache that cannot be used costs time, never a result.

    `what` names the values in warnings. When they take more than `max_bytes`, the next `put` starts over.
    """

    def __init__(self, file: Path, what: str, *, max_bytes: int | None = None) -> None:
        self.file = file
        self.what = what
        self.max_bytes = max_bytes

    def get(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The values that are there."""
        wanted = list(keys)
        found: dict[bytes, bytes] = {}
        try:
            with self._open() as connection:
                for start in range(0, len(wanted), 500):
                    part = wanted[start : start + 500]
                    marks = ",".join("?" * len(part))
                    found.update(
                        connection.execute(f"SELECT key, value FROM vectors WHERE key IN ({marks})", part)
                    )
        except (sqlite3.Error, OSError) as e:
            log.warning("%s cache %s cannot be read (%s): computing again", self.what, self.file, type(e).__name__)
        return found

    def put(self, values: Mapping[bytes, bytes]) -> None:
        """Adds values; those already there stay."""
        try:
            with self._open() as connection, connection:
                if self.max_bytes is not None and _used(connection) > self.max_bytes:
                    connection.execute("DELETE FROM vectors")  # the file keeps its size, its pages are used again
                connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", values.items())
        except (sqlite3.Error, OSError) as e:
            log.warning("%s cache %s cannot be written (%s)", self.what, self.file, type(e).__name__)

    def _open(self) -> closing[sqlite3.Connection]:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.file, timeout=60)
        connection.execute("PRAGMA journal_mode=WAL")  # readers and one writer do not wait for each other
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
        return closing(connection)


def _used(connection: sqlite3.Connection) -> int:
    """Bytes of the pages that hold something."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
