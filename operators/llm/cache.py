"""Replies of models on disk, one entry a request, so that no request is paid for twice."""

from __future__ import annotations

import logging
import sqlite3
import threading
import zlib
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from operators.llm.messages import Reply

if TYPE_CHECKING:
    from diskcache import Cache

log = logging.getLogger(__name__)


class RequestCache:
    """Replies by request key in one SQLite file below `directory`, shared by threads and processes.

    An entry is one transaction: a process killed at any moment leaves whole entries only. Nothing is ever
    evicted. A cache that cannot be used costs requests, never a result: it is reported once and passed over.
    Instances may be pickled.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self._opening = threading.Lock()
        self._warned = False

    def get(self, key: str) -> Reply | None:
        """The reply stored under `key`, or None."""
        import diskcache

        try:
            stored = self._cache.get(key)
            return None if stored is None else Reply(**stored)
        except (sqlite3.Error, diskcache.Timeout, OSError) as e:
            self._warn(e)
        except (ValueError, TypeError, zlib.error) as e:
            log.warning(
                "an entry of the request cache %s is damaged (%s): asking again",
                self.directory,
                type(e).__name__,
            )
        return None

    def put(self, key: str, reply: Reply) -> None:
        """Stores a reply; it is on disk when this returns."""
        import diskcache

        try:
            self._cache.set(key, asdict(reply))
        except (sqlite3.Error, diskcache.Timeout, OSError) as e:
            self._warn(e)

    def entries(self) -> int:
        """How many replies are stored."""
        return len(self._cache)

    def close(self) -> None:
        """Closes this thread's connection."""
        self._cache.close()

    def __getstate__(self) -> dict[str, Path]:
        return {"directory": self.directory}

    def __setstate__(self, state: dict[str, Path]) -> None:
        self.__init__(state["directory"])  # type: ignore[misc]

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            log.warning(
                "the request cache %s cannot be used (%s): requests are sent again",
                self.directory,
                type(error).__name__,
            )

    @property
    def _cache(self) -> Cache:
        with self._opening:
            return self._opened

    @cached_property
    def _opened(self) -> Cache:
        import diskcache

        return diskcache.Cache(
            str(self.directory),
            disk=diskcache.JSONDisk,  # data only: nothing that a foreign file could make us execute
            eviction_policy="none",
            cull_limit=0,
            disk_min_file_size=1 << 30,  # everything in the one SQLite file, so an entry is one transaction
        )
