"""What is read is what was fingerprinted, and what is handed over is of one run."""

from __future__ import annotations

import posixpath
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tiny import rows, write_jsonl

from operators.config import Data
from operators.data.lease import Lease
from operators.digest import digest
from operators.errors import DataError
from operators.intake.uploads import Upload, UploadChanged, find_upload
from operators.publishing import Output
from tasks.loading import Loaded, fingerprint_input, load_records
from tasks.replaying import write_output
from tasks.uploading import hand_over


def loaded(file: Path, store: Path) -> Loaded:
    """Loads a file as the tasks do, one after the other."""
    fingerprint = fingerprint_input.fn(str(file))
    return load_records.fn(str(file), fingerprint, Data(input=str(file)), str(store))


def test_a_file_that_is_replaced_while_it_is_read_is_not_kept_as_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "nightly.jsonl"
    write_jsonl(file, rows(4))
    fingerprint = fingerprint_input.fn(str(file))
    write_jsonl(file, rows(5))
    with pytest.raises(DataError, match=r"nightly\.jsonl: was written to while it was read: run again"):
        load_records.fn(str(file), fingerprint, Data(input=str(file)), str(tmp_path / "store"))
    assert loaded(file, tmp_path / "store").dataset.rows == 5


def test_bad_rows_of_the_run_before_do_not_stay(tmp_path: Path) -> None:
    file, output = tmp_path / "in.jsonl", tmp_path / "out" / "clean.jsonl"
    for bad, expected in (("{broken\n", True), ("", False)):
        write_jsonl(file, rows(4))
        file.write_text(file.read_text() + bad)
        found = loaded(file, tmp_path / "store")
        write_output.fn(found.dataset, found, str(output), str(tmp_path / "store"))
        assert (tmp_path / "out" / "clean.jsonl.quarantine.jsonl").exists() == expected
    assert len(output.read_text().splitlines()) == 4


def test_bad_rows_of_the_version_before_do_not_stay(tmp_path: Path) -> None:
    made, output = tmp_path / "made.jsonl", tmp_path / "out" / "med.jsonl"
    write_jsonl(made, rows(4))
    upload = find_upload(str(made))
    assert isinstance(upload, Upload)
    for bad in (True, False):
        (tmp_path / "made.jsonl.quarantine.jsonl").write_text("{}") if bad else (
            tmp_path / "made.jsonl.quarantine.jsonl"
        ).unlink()
        hand_over.fn(upload, str(made), str(output), str(tmp_path / "store"), "a run")
        assert (tmp_path / "out" / "med.jsonl.quarantine.jsonl").exists() == bad
    assert output.read_bytes() == made.read_bytes()


def test_the_result_of_an_older_version_is_not_put_over_that_of_a_newer(tmp_path: Path) -> None:
    """A run that is slower than another's: it looks at the object once it is its turn to write."""
    made, output, store = tmp_path / "made.jsonl", tmp_path / "out.jsonl", str(tmp_path / "store")
    write_jsonl(made, rows(4))
    upload = find_upload(str(made))
    assert upload is not None
    newer = Lease(posixpath.join(store, "handing-over", digest(str(output))[:32]), "the newer version's run")
    assert newer.acquire()
    with newer.renewed(), ThreadPoolExecutor(1) as pool:
        older = pool.submit(hand_over.fn, upload, str(made), str(output), store, "the older version's run")
        time.sleep(0.5)
        assert not older.done()
        write_jsonl(made, rows(5))
        output.write_text("newer")
        newer._write(0.0)
        with pytest.raises(UploadChanged):
            older.result(timeout=10)
    assert output.read_text() == "newer"


def test_bad_rows_lie_beside_a_directory_whose_name_ends_with_a_slash(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    write_jsonl(file, rows(4))
    file.write_text(file.read_text() + "{broken\n")
    found = loaded(file, tmp_path / "store")
    write_output.fn(found.dataset, found, f"{tmp_path}/clean.jsonl/", str(tmp_path / "store"))
    assert (tmp_path / "clean.jsonl.quarantine.jsonl").exists()


@pytest.mark.parametrize("place", ["runs", "runs [old] *", "processed"])
def test_a_set_in_another_kind_of_file_does_not_stay_beside_the_new_one(tmp_path: Path, place: str) -> None:
    root = tmp_path / place
    Output(str(root)).keep_alone("processed.jsonl")
    (root / "processed").mkdir(parents=True)
    (root / "processed" / "state.json").write_text("{}")
    (root / "processed.v1").mkdir()
    for name in ("processed.csv", "processed.jsonl", "processed.jsonl.gz", "processed.old.jsonl", "report.html"):
        (root / name).write_text("")
    Output(str(root)).keep_alone("processed.jsonl")
    left = {p.name for p in root.iterdir()}
    assert left == {"processed.jsonl", "processed.old.jsonl", "processed.v1", "report.html"}
