"""Locks between threads: never two holders at once, nobody forgotten."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from tasks.locks import ThreadLocks


def test_never_two_holders_and_everybody_gets_in() -> None:
    locks = ThreadLocks()
    inside = most = done = 0
    counting = threading.Lock()

    def worker(number: int) -> None:
        nonlocal inside, most, done
        for turn in range(20):
            holder = f"{number}/{turn}"
            assert locks.acquire_lock("key", holder)
            with counting:
                inside += 1
                most = max(most, inside)
            time.sleep(0)
            with counting:
                inside -= 1
                done += 1
            locks.release_lock("key", holder)

    threads = [threading.Thread(target=worker, args=(n,), daemon=True) for n in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(timeout=60)
    assert (most, done) == (1, 16 * 20)
    assert not locks.is_locked("key")


def test_a_waiter_times_out_and_others_do_not_wait() -> None:
    locks = ThreadLocks()
    assert locks.acquire_lock("a", "first")
    assert not locks.acquire_lock("a", "second", acquire_timeout=0.05)
    assert not locks.wait_for_lock("a", timeout=0.05)
    assert locks.acquire_lock("b", "second")
    assert locks.acquire_lock("a", "first")  # again by the same holder: held already
    assert locks.is_lock_holder("a", "first")
    assert not locks.is_lock_holder("a", "second")


def test_only_the_holder_releases() -> None:
    locks = ThreadLocks()
    locks.acquire_lock("a", "first")
    with pytest.raises(ValueError, match="no lock a is held by second"):
        locks.release_lock("a", "second")
    locks.release_lock("a", "first")
    assert locks.wait_for_lock("a", timeout=0)


async def test_waiting_leaves_the_event_loop_free() -> None:
    locks = ThreadLocks()
    assert await locks.aacquire_lock("a", "first")
    waiting = asyncio.create_task(locks.aacquire_lock("a", "second"))
    free = asyncio.create_task(locks.await_for_lock("a", timeout=0.05))
    assert not await free
    locks.release_lock("a", "first")
    assert await waiting
