"""Identities, listings, snapshots and the ledger, on a local directory."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path

import pytest

from flows.uploads import UploadConfig
from flows.watch import WatchConfig
from operators.errors import Unreachable
from operators.intake.ledger import Entry, Ledger, Outcome, Waiting
from operators.intake.uploads import (
    Upload,
    UploadChanged,
    UploadGone,
    below_prefix,
    find_upload,
    is_watched,
    list_uploads,
    read_upload,
)
from tasks.uploading import quarantine_upload


def put(path: Path, text: str = '{"question": "q", "answer": "a"}\n', age: float = 60) -> Upload:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time.time() - age,) * 2)
    found = find_upload(str(path))
    assert found is not None
    return found


def test_the_identity_is_of_key_and_version() -> None:
    a = Upload(uri="s3://b/k.jsonl", etag='"1"', size=3)
    assert a.etag == "1"
    assert a.id == Upload(uri="s3://b/k.jsonl", etag="1").id == a.event_id(1)
    others = [Upload(uri="s3://b/k.jsonl", etag="2").id, Upload(uri="s3://b/l.jsonl", etag="1").id, a.event_id(2)]
    assert len({a.id, *others}) == 4


def test_a_listing_holds_settled_data_files_only(tmp_path: Path) -> None:
    wanted = [put(tmp_path / "a.jsonl"), put(tmp_path / "set" / "b.csv.gz")]
    put(tmp_path / "fresh.jsonl", age=0)
    for name in (".hidden.jsonl", "_SUCCESS.json", "notes.txt", "set/.b.csv.part", ".tmp/c.jsonl"):
        put(tmp_path / name)
    assert list_uploads(str(tmp_path), settled=5) == wanted
    assert len(list_uploads(str(tmp_path), settled=0)) == 3


def test_a_name_that_is_not_utf8_is_passed_over_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wanted = put(tmp_path / "a.jsonl")
    for name in (b"L\xe4nge.jsonl", b"L\xe4nge.txt", b"zip::a.jsonl"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("x")
    assert list_uploads(str(tmp_path), settled=0) == [wanted]
    why = "the name is not UTF-8, too long or has '::': rename the file"
    assert caplog.messages == [rf"{tmp_path}/L\udce4nge.jsonl: {why}", f"{tmp_path}/zip::a.jsonl: {why}"]


def test_of_two_that_ask_on_an_object_store_one_is_first() -> None:
    ledger = Ledger(f"memory://{uuid.uuid4().hex}")
    upload = Upload(uri="s3://b/up/x.jsonl", etag="1", size=3)
    assert [ledger.mark_asked(upload, 1) for _ in range(2)] == [True, False]
    entries = {str(upload.id): Entry(asked=1, copied=True)}
    assert list(ledger.under_way(entries)) == [upload]
    assert [type(u) for u in ledger.under_way(entries)] == [Upload]


def test_a_file_that_is_no_part_of_the_ledger_is_passed_over(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "store"))
    upload = put(tmp_path / "a.jsonl")
    assert ledger.mark_asked(upload, 1)
    folder = tmp_path / "store" / "uploads"
    for place in (folder, folder / str(upload.id)):
        (place / ".DS_Store").write_text("x")
    (folder / str(upload.id) / "claim-00001 (copy)").write_text("x")
    assert {name: entry.asked for name, entry in ledger.entries().items()} == {str(upload.id): 1}
    assert ledger.entry(upload).claims == 0


@pytest.mark.parametrize(
    ("uri", "below"),
    [
        ("s3://b/up/x.jsonl", "x.jsonl"),
        ("s3://b/up/set/x.csv.gz", "set/x.csv.gz"),
        ("s3://b/upper/x.jsonl", None),
        ("s3://c/up/x.jsonl", None),
        ("s3://b/up/../store/x.jsonl", None),
        ("s3://b/up//x.jsonl", None),
        ("s3://b/up/x.exe", None),
    ],
)
def test_below_a_prefix(uri: str, below: str | None) -> None:
    assert below_prefix(uri, "s3://b/up") == below_prefix(uri, "s3://b/up/") == below


@pytest.mark.parametrize(
    ("place", "watched"),
    [
        ("s3://b/up", True),
        ("s3://b/up/", True),
        ("s3://b/up/out", True),
        ("s3://b/up/_out/x", False),
        ("s3://b/up/.store", False),
        ("s3://b/upper", False),
        ("s3://b", False),
        ("s3://other/up/out", False),
    ],
)
def test_what_is_written_below_the_prefix_would_be_an_upload(place: str, watched: bool) -> None:
    assert is_watched(place, "s3://b/up") is is_watched(place, "s3://b/up/") is watched
    told = r"lies below the prefix s3://b/up, so .* taken for uploads"
    for name in ("output", "store", "quarantine") if watched else ():
        with pytest.raises(ValueError, match=rf"{name} s3://b/up.* {told}"):
            UploadConfig.model_validate({"prefix": "s3://b/up", "output": "s3://b/out", name: place})
        with pytest.raises(ValueError, match=told):
            WatchConfig(prefix="s3://b/up", quarantine=place)


def test_a_relative_place_is_below_the_prefix_it_leads_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_watched("up/out", str(tmp_path / "up"))
    assert is_watched(str(tmp_path / "out"), ".")
    assert not is_watched(".autodp/store", ".")


def test_a_long_name_can_be_set_aside(tmp_path: Path) -> None:
    name = "ж" * 124 + ".jsonl"
    copy = put(tmp_path / "in" / name)
    place = quarantine_upload.fn(copy, copy.uri, str(tmp_path / "aside"), "why")
    assert Path(place).read_bytes() == Path(copy.uri).read_bytes()
    assert place.endswith("ж.jsonl")
    assert json.loads(Path(f"{place}.reason.json").read_text())["upload"]["uri"] == copy.uri


def test_what_is_opened_again_has_no_marks_of_before(tmp_path: Path) -> None:
    ledger, upload = Ledger(str(tmp_path)), Upload(uri="s3://b/up/x.jsonl", etag="1", size=3)
    assert ledger.settle(Outcome(upload=upload, status="failed", reason="r"))
    assert ledger.mark_asked(upload, 1)  # as where a run was killed before it had cleared
    assert ledger.reopen(upload)
    assert ledger.mark_asked(upload, 1)


def test_a_snapshot_is_of_exactly_one_version(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "store"))
    upload = put(tmp_path / "a.jsonl.gz", "one")
    copy = ledger.snapshot(upload)
    assert Path(copy).read_text() == "one"
    assert copy.endswith(".jsonl.gz")
    assert ledger.copy_of(upload) == copy
    put(tmp_path / "a.jsonl.gz", "two")
    with pytest.raises(UploadChanged, match="written again"):
        ledger.snapshot(upload)
    (tmp_path / "a.jsonl.gz").unlink()
    with pytest.raises(UploadGone, match="was deleted"):
        ledger.snapshot(upload)
    assert Path(copy).read_text() == "one"


def test_a_local_file_that_cannot_be_read(tmp_path: Path) -> None:
    upload = find_upload(str(tmp_path))  # a directory: root may read every file
    assert upload is not None
    with pytest.raises(Unreachable, match="cannot be read; check its permissions"):
        list(read_upload(upload))


def test_a_file_that_grows_while_it_is_read_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from operators.intake import uploads

    monkeypatch.setattr(uploads, "CHUNK", 2)
    upload = put(tmp_path / "a.jsonl", "abcdef")
    pieces = uploads.read_upload(upload)
    assert next(pieces) == b"ab"
    with (tmp_path / "a.jsonl").open("a") as f:
        f.write("more")
    with pytest.raises(UploadChanged):
        list(pieces)


def test_the_ledger_of_one_upload(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "store"))
    upload, other = put(tmp_path / "a.jsonl"), put(tmp_path / "b.jsonl")
    assert ledger.entries() == {}
    assert ledger.entry(upload) == Entry()
    assert [ledger.mark_asked(upload, 1) for _ in range(3)] == [True, False, False]
    assert ledger.mark_asked(upload, 2)
    assert ledger.mark_asked(other, 1)
    assert ledger.lease(upload, "run").acquire()
    ledger.snapshot(upload)
    ledger.wait(Waiting(upload=other, data_set="d", search_run="r"))
    entry = ledger.entries()[str(upload.id)]
    assert (entry.asked, entry.claims, entry.waiting, entry.settled) == (2, 1, False, False)
    assert abs(entry.asked_at - time.time()) < 60
    assert ledger.entry(upload) == entry
    assert ledger.entry(other) == ledger.entries()[str(other.id)]
    assert [w.upload for w in ledger.waiting()] == [other]
    assert ledger.lease(other, "run").acquire()
    ledger.wait(Waiting(upload=other, data_set="d", search_run="r"))
    assert ledger.entry(other).claims == 0, "a run that led to a search has not died"
    ledger.take_back(upload, 2)
    assert ledger.entries()[str(upload.id)].asked == 1

    end = Outcome(status="processed", upload=upload, reason="done", output="o")
    assert ledger.settle(end)
    assert not ledger.settle(end.model_copy(update={"status": "failed"})), "the first end stays"
    assert ledger.outcome(upload) == ledger.outcome(upload)
    kept = ledger.outcome(upload)
    assert kept is not None
    assert (kept.status, kept.at is not None) == ("processed", True)
    folder = tmp_path / "store" / "uploads" / str(upload.id)
    assert [p.name for p in folder.iterdir()] == ["outcome.json"], "one small file a settled upload"
    assert ledger.entries()[str(upload.id)].settled
    ledger.stop_waiting(other)
    assert list(ledger.waiting()) == []
