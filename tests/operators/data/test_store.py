"""The content-addressed store, on a local directory and on another fsspec file system."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from operators.data.records import Message, Record
from operators.data.store import BlobRef, Store, default_cache
from operators.digest import sha256_bytes
from operators.errors import DataError

RECORDS = [
    Record("1", (Message("user", "q\n\u2028 é😀"), Message("assistant", "")), {"n": [1, None]}, None),
    Record("2", (Message("user", "q"), Message("assistant", "cut \ud83d")), {}, False),
    Record("3", (Message("user", "q"),), {}, True),
]


@pytest.fixture(params=["local", "remote"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "local":
        yield Store(str(tmp_path / "store"))
        return
    remote = Store(f"memory://{uuid.uuid4().hex}")
    yield remote
    remote.fs.rm(remote._base, recursive=True)


def test_records_come_back(store: Store) -> None:
    ref = store.put_records(RECORDS)
    assert (ref.rows, ref.flagged) == (3, 2)
    assert store.get_records(ref) == RECORDS
    assert store.put_records(iter(RECORDS)) == ref
    assert store.put_records(RECORDS[::-1]).training_sha256 == ref.training_sha256
    assert store.put_records(RECORDS[::-1]).sha256 != ref.sha256


def test_records_come_back_one_by_one(store: Store) -> None:
    ref = store.put_records(RECORDS)
    assert list(store.iter_records(ref)) == RECORDS
    assert next(store.iter_records(ref)) == RECORDS[0]


def test_a_file_is_stored_as_its_bytes_would_be(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"0123456789" * 300_000)
    ref = store.put_file(file)
    assert ref == store.put_file(file) == store.put_bytes(file.read_bytes())
    with store.open(ref.sha256) as f:
        assert f.read(10) == b"0123456789"


@pytest.mark.parametrize("damaged", [b'{"id": "1", "mess', b""])
def test_damage_is_seen_while_reading(store: Store, damaged: bytes) -> None:
    ref = store.put_records(RECORDS)
    store.fs.pipe_file(store.path(ref.sha256), damaged)
    with pytest.raises(DataError, match="is damaged"):
        list(store.iter_records(ref))
    with pytest.raises(DataError, match="is not in the store"):
        list(store.iter_records(ref.model_copy(update={"sha256": "0" * 64})))


def test_no_records(store: Store) -> None:
    ref = store.put_records([])
    assert (ref.rows, store.get_records(ref)) == (0, [])


def test_objects_are_named_by_their_content_and_written_once(store: Store) -> None:
    ref = store.put_bytes(b"hello")
    assert ref == BlobRef(sha256=sha256_bytes(b"hello"), size=5)
    assert store.put_bytes(b"hello") == ref
    assert store.get_bytes(ref.sha256) == b"hello"
    assert [p.rsplit("/", 1)[-1] for p in store.fs.find(store._base)] == [ref.sha256]


def test_missing_and_damaged_objects_are_told_apart(store: Store) -> None:
    ref = store.put_bytes(b"hello")
    store.fs.pipe_file(store.path(ref.sha256), b"hellO")
    with pytest.raises(DataError, match="damaged"):
        store.get_bytes(ref.sha256)
    with pytest.raises(DataError, match="is not in the store"):
        store.get_bytes("0" * 64)


def test_directories_are_packed_the_same_every_time(store: Store, tmp_path: Path) -> None:
    refs = []
    for name in ("a", "b"):
        folder = tmp_path / name
        (folder / "deep").mkdir(parents=True)
        for file in ("x.txt", "deep/y.bin") if name == "a" else ("deep/y.bin", "x.txt"):
            (folder / file).write_bytes(file.encode())
        refs.append(store.put_directory(folder))
    assert refs[0] == refs[1]
    unpacked = store.get_directory(refs[0], tmp_path / "cache")
    assert (unpacked / "deep" / "y.bin").read_bytes() == b"deep/y.bin"
    assert store.get_directory(refs[0], tmp_path / "cache") == unpacked
    assert [p.name for p in unpacked.parent.iterdir()] == [refs[0].sha256], "nothing half-unpacked is left"


def test_another_user_may_read_what_is_shared(store: Store, tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "weights").write_bytes(b"x")
    ref = store.put_directory(tmp_path / "adapter")
    before = os.umask(0o022)
    try:
        shared = store.get_directory(ref, tmp_path / "shared")
    finally:
        os.umask(before)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755
    assert stat.S_IMODE((shared / "weights").stat().st_mode) == 0o644
    own = store.get_directory(ref)
    assert stat.S_IMODE(own.stat().st_mode) == 0o700, "this machine's cache is for its user"


def test_a_relative_root_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store("store")
    monkeypatch.chdir("/")
    ref = store.put_bytes(b"x")
    assert (tmp_path / "store" / "objects" / ref.sha256[:2] / ref.sha256).read_bytes() == b"x"


def test_the_cache_is_told_to_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("AUTODP_CACHE", str(tmp_path / "x" / ".." / "cache"))
    default_cache.cache_clear()
    try:
        assert default_cache() == tmp_path / "cache"
        assert os.environ["AUTODP_CACHE"] == str(tmp_path / "cache")
    finally:
        default_cache.cache_clear()
