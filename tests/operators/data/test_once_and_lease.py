"""Files created once, and leases: one winner among threads and processes, takeover after a holder's death."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec

from operators.data.lease import Lease, read_lease
from operators.data.once import create_once

DIES = """
import os, sys
from operators.data.lease import Lease
lease = Lease(sys.argv[1], "dies", float(sys.argv[2]))
assert lease.acquire()
with lease.renewed():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_of_many_creates(tmp_path: Path) -> None:
    for trial in range(20):
        uri = str(tmp_path / "folder" / f"{trial}")
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda i, uri=uri: create_once(uri, str(i).encode() * 1000), range(8)))
        assert sum(won) == 1
        assert Path(uri).read_bytes() == str(won.index(True)).encode() * 1000
    assert len(list((tmp_path / "folder").iterdir())) == 20, "no partial file is left"


def test_who_finds_its_own_object_has_created_it() -> None:
    """As a client does whose first PUT went through, and whose answer was lost: an object store of fsspec's."""
    uri = f"memory://{uuid.uuid4().hex}/claim"
    assert create_once(uri, b"mine")
    assert create_once(uri, b"mine")
    assert not create_once(uri, b"another's")
    with fsspec.open(uri, "rb") as f:
        assert f.read() == b"mine"


def test_one_of_many_acquires(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda i: Lease(str(tmp_path), f"h{i}").acquire(), range(8)))
    assert sum(won) == 1


def test_a_holder_may_acquire_again_and_others_may_not(tmp_path: Path) -> None:
    first = Lease(str(tmp_path), "a", seconds=60)
    assert first.acquire()
    assert not Lease(str(tmp_path), "b").acquire()
    again = Lease(str(tmp_path), "a", seconds=60)
    assert again.acquire()
    assert again.is_held
    assert not first.is_held, "the earlier process of the same run is out"


def test_the_end_of_the_block_frees_the_lease(tmp_path: Path) -> None:
    first = Lease(str(tmp_path), "a", seconds=60)
    assert first.acquire()
    with first.renewed():
        assert not Lease(str(tmp_path), "b").acquire()
    second = Lease(str(tmp_path), "b")
    assert second.acquire()
    assert second.number == 2


def test_a_lease_is_renewed_while_its_holder_lives_and_taken_over_when_it_is_killed(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", DIES, str(tmp_path), "3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    first = read_lease(str(tmp_path))
    other = Lease(str(tmp_path), "other", seconds=3)
    end = time.time() + 5.0  # longer than the lease lasts by itself
    while time.time() < end:
        assert not other.acquire()
        time.sleep(0.1)
    renewed = read_lease(str(tmp_path))
    assert first is not None
    assert renewed is not None
    assert renewed.expires > first.expires
    process.kill()
    process.wait()
    while not other.acquire():
        time.sleep(0.1)
    assert time.time() >= renewed.expires, "not before the killed holder's time was over"
    assert (other.number, other.is_held) == (2, True)
