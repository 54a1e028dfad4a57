"""What is read is what was fingerprinted, and what is handed over is of one run."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import rows, write_jsonl

from operators.config import Data
from operators.errors import DataError
from operators.intake.uploads import Upload, find_upload
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
        hand_over.fn(upload, str(made), str(output))
        assert (tmp_path / "out" / "med.jsonl.quarantine.jsonl").exists() == bad
    assert output.read_bytes() == made.read_bytes()


@pytest.mark.parametrize("place", ["runs", "runs [old] *", "processed"])
def test_a_set_in_another_kind_of_file_does_not_stay_beside_the_new_one(tmp_path: Path, place: str) -> None:
    root = tmp_path / place
    Output(str(root)).keep_alone("processed.jsonl")
    (root / "processed").mkdir(parents=True)
    (root / "processed" / "dataset_info.json").write_text("{}")
    for name in ("processed.csv", "processed.jsonl", "processed.jsonl.gz", "processed_by_hand.csv", "report.html"):
        (root / name).write_text("")
    Output(str(root)).keep_alone("processed.jsonl")
    left = {p.name for p in root.iterdir()}
    assert left == {"processed.jsonl", "processed_by_hand.csv", "report.html"}
