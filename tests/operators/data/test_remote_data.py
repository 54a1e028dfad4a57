"""Data sets on a real S3 server, reached by the standard AWS_* variables."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from operators.data.lease import Lease, read_lease
from operators.data.loading import load, write_quarantine
from operators.data.once import create_once
from operators.data.store import Store
from operators.data.writers import write
from operators.errors import DataError
from operators.intake import uploads
from operators.intake.ledger import Ledger, Waiting

pytestmark = pytest.mark.e2e

ROWS = [{"id": str(i), "question": f"what is {i}?", "answer": f"it is {i}"} for i in range(20)]


@pytest.fixture
def bucket(s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    import s3fs

    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    return "s3://corpus"


def test_json_lines_are_read_from_and_written_to_s3(bucket: str, tmp_path: Path) -> None:
    local = tmp_path / "in.jsonl"
    local.write_text("".join(json.dumps(r) + "\n" for r in ROWS) + "{broken\n")
    first = load(str(local))
    write(first.records, f"{bucket}/deep/in.jsonl", first.source)
    write_quarantine(first, f"{bucket}/deep/quarantine.jsonl")
    again = load(f"{bucket}/deep/in.jsonl")
    assert again.records == first.records
    assert again.quarantined == []
    import fsspec

    with fsspec.open(f"{bucket}/deep/quarantine.jsonl", "r") as f:
        assert json.load(f)["row"] == 21


def test_a_saved_dataset_is_read_from_and_written_to_s3(bucket: str, tmp_path: Path) -> None:
    from datasets import Dataset

    Dataset.from_list(ROWS).save_to_disk(tmp_path / "in")
    first = load(str(tmp_path / "in"))
    write(first.records, f"{bucket}/set", first.source)
    write(first.records[:5], f"{bucket}/set", first.source)
    assert load(f"{bucket}/set").records == first.records[:5]


def test_an_object_that_is_not_there(bucket: str) -> None:
    with pytest.raises(DataError, match=r"s3://corpus/none.jsonl: no such file"):
        load(f"{bucket}/none.jsonl")


def test_a_bucket_that_is_not_there(bucket: str) -> None:  # noqa: ARG001 - sets the endpoint
    with pytest.raises(DataError, match=r"s3://nowhere/none.jsonl: "):
        load("s3://nowhere/none.jsonl")


def test_of_many_one_creates_an_object_or_takes_a_lease(bucket: str) -> None:
    import fsspec

    place = f"{bucket}/{uuid.uuid4().hex}"
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda i: create_once(f"{place}/one", f"by {i}".encode()), range(8)))
        held = list(pool.map(lambda i: Lease(f"{place}/lease", f"holder {i}").acquire(), range(8)))
    assert (sum(won), sum(held)) == (1, 1)
    with fsspec.open(f"{place}/one", "rb") as f:
        assert f.read() == f"by {won.index(True)}".encode()
    holding = read_lease(f"{place}/lease")
    assert holding is not None
    assert (holding.holder, holding.is_live) == (f"holder {held.index(True)}", True)


def test_an_upload_that_is_replaced_while_it_is_read(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    monkeypatch.setattr(uploads, "CHUNK", 10)
    fs, key = s3fs.S3FileSystem(), "corpus/up/med/a.jsonl"
    fs.pipe_file(key, b"x" * 100)
    [upload] = uploads.list_uploads(f"{bucket}/up")
    assert (upload.uri, upload.size) == (f"s3://{key}", 100)
    ledger = Ledger(f"{bucket}/{uuid.uuid4().hex}")
    assert [ledger.mark_asked(upload, 1) for _ in range(2)] == [True, False]
    assert abs(ledger.entry(upload).asked_at - time.time()) < 60
    copy = ledger.snapshot(upload)
    assert fs.cat_file(copy) == b"x" * 100
    pieces = uploads.read_upload(upload)
    assert next(pieces) == b"x" * 10
    fs.pipe_file(key, b"y" * 100)
    with pytest.raises(uploads.UploadChanged):
        list(pieces)
    with pytest.raises(uploads.UploadChanged):
        ledger.snapshot(upload)
    assert fs.cat_file(copy) == b"x" * 100, "the first version is kept"
    ledger.wait(Waiting(upload=upload, data_set="med", search_run="r"))
    assert [w.upload for w in ledger.waiting()] == [upload]


def test_the_store_on_s3(bucket: str, tmp_path: Path) -> None:
    store = Store(f"{bucket}/store")
    local = tmp_path / "in.jsonl"
    local.write_text("".join(json.dumps(r) + "\n" for r in ROWS))
    records = load(str(local)).records
    ref = store.put_records(records)
    assert Store(f"{bucket}/store").get_records(ref) == records
    assert Store(str(tmp_path / "store")).put_records(records) == ref
