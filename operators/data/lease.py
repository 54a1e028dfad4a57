"""Leases: one holder at a time across processes and machines, taken over when the holder has died."""

from __future__ import annotations

import contextlib
import logging
import math
import posixpath
import threading
import time
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from operators.data.containers import atomic_file, filesystem
from operators.data.once import create_once

log = logging.getLogger(__name__)


class Holding(BaseModel):
    """The file of one lease. `number` counts the holders, `expires` is in seconds since 1970."""

    model_config = ConfigDict(frozen=True)
    number: int
    holder: str
    expires: float

    @property
    def is_live(self) -> bool:
        """Whether its holder has renewed it in time. Clocks of machines are taken to agree within seconds."""
        return time.time() < self.expires


class Lease:
    """A lease kept as files `<folder>/claim-00001`, `-00002`, ...: each holder creates the next number.

    Creating a number is atomic (see `create_once`), so of several that see the same expired lease one takes it
    over. A holder renews by rewriting its own file, from a thread, three times a period.
    """

    def __init__(self, folder: str, holder: str, seconds: float = 60.0) -> None:
        """`seconds`: how long after its last renewal a lease is the holder's; also the most a takeover waits."""
        self.folder, self.holder, self.seconds = folder, holder, seconds
        self.number = 0

    def acquire(self) -> bool:
        """Takes the lease where nobody holds it. The holder may take it again (a flow that is run again)."""
        latest = read_lease(self.folder)
        if latest is not None and latest.is_live and latest.holder != self.holder:
            return False
        number = latest.number + 1 if latest else 1
        if not create_once(self._path(number), self._content(number)):
            return False
        self.number = number
        return True

    def wait(self, seconds: float = math.inf) -> bool:
        """Takes the lease as soon as nobody holds it; False where that is not within `seconds`."""
        until = time.monotonic() + seconds
        while not self.acquire():
            if time.monotonic() > until:
                return False
            time.sleep(0.2)
        return True

    @property
    def is_held(self) -> bool:
        """Whether nobody has taken it over: a process may have been stopped for longer than the lease lasts."""
        latest = read_lease(self.folder)
        return latest is not None and latest.number == self.number

    @contextlib.contextmanager
    def renewed(self) -> Iterator[None]:
        """Renews the lease in the background while the block runs, and ends it when the block does."""
        stop = threading.Event()

        def renew() -> None:
            while not stop.wait(self.seconds / 3):
                try:
                    if self.is_held:
                        self._write(time.time() + self.seconds)
                except Exception as e:  # the store may be back before the lease ends
                    log.warning("lease %s cannot be renewed (%s)", self.folder, type(e).__name__)

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            with contextlib.suppress(Exception):
                if self.is_held:  # not where the block has cleared the folder
                    self._write(0.0)

    def _write(self, expires: float) -> None:
        with atomic_file(self._path(self.number)) as partial:
            partial.write_bytes(self._content(self.number, expires))

    def _path(self, number: int) -> str:
        return posixpath.join(self.folder, f"claim-{number:05d}")

    def _content(self, number: int, expires: float | None = None) -> bytes:
        at = time.time() + self.seconds if expires is None else expires
        return Holding(number=number, holder=self.holder, expires=at).model_dump_json().encode()


def read_lease(folder: str) -> Holding | None:
    """The latest holding in a folder, or None where it was never taken."""
    fs, path = filesystem(folder)
    try:
        names = sorted(n for n in fs.ls(path, detail=False) if posixpath.basename(n).startswith("claim-"))
        return Holding.model_validate_json(fs.cat_file(names[-1])) if names else None
    except FileNotFoundError:  # no folder yet, or its files were just cleared away
        return None
