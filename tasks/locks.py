"""Locks between threads of one process: of several tasks that need the same result, one computes it."""

from __future__ import annotations

import asyncio
import threading

from prefect.locking.protocol import LockManager


class ThreadLocks(LockManager):
    """Named locks, each held by one holder at a time.

    Prefect's own `MemoryLockManager` forgets a lock on release although others wait for it; a newcomer then makes
    a second lock of the same name, both run, and the one that is overwritten can never be released again.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holders: dict[str, str] = {}

    def acquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,  # noqa: ARG002 - a thread that ends releases what it holds
    ) -> bool:
        """Waits until nobody else holds the lock, at most `acquire_timeout` seconds. Whether it is held now."""
        with self._changed:
            free = self._changed.wait_for(
                lambda: self._holders.get(key, holder) == holder, timeout=acquire_timeout
            )
            if free:
                self._holders[key] = holder
            return free

    async def aacquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """As `acquire_lock`, without blocking the event loop."""
        return await asyncio.to_thread(self.acquire_lock, key, holder, acquire_timeout, hold_timeout)

    def release_lock(self, key: str, holder: str) -> None:
        """Lets the next one in. Raises ValueError where `holder` does not hold the lock."""
        with self._changed:
            if self._holders.get(key) != holder:
                raise ValueError(f"no lock {key} is held by {holder}")
            del self._holders[key]
            self._changed.notify_all()

    def is_locked(self, key: str) -> bool:
        """Whether anybody holds the lock."""
        with self._changed:
            return key in self._holders

    def is_lock_holder(self, key: str, holder: str) -> bool:
        """Whether `holder` holds the lock."""
        with self._changed:
            return self._holders.get(key) == holder

    def wait_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """Waits until nobody holds the lock, at most `timeout` seconds. Whether it is free."""
        with self._changed:
            return self._changed.wait_for(lambda: key not in self._holders, timeout=timeout)

    async def await_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """As `wait_for_lock`, without blocking the event loop."""
        return await asyncio.to_thread(self.wait_for_lock, key, timeout)
