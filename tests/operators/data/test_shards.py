"""Sets in many Parquet files."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from operators.data.shards import check_output, find_shards
from operators.errors import DataError


def write(path: Path, **columns: list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def test_files_come_by_name_and_know_where_they_begin(tmp_path):
    for name, n in (("b.parquet", 2), ("a/x.parquet", 3), ("c.pq", 0)):
        write(tmp_path / name, question=[f"q{i}" for i in range(n)] or pa.array([], pa.string()))
    write(tmp_path / "_marks" / "b.parquet", other=[1])
    (tmp_path / ".hidden.json").write_text("{}")
    found = find_shards(f"{tmp_path}/")
    assert [(s.name, s.rows, s.first_row) for s in found] == [
        ("a/x.parquet", 3, 0),
        ("b.parquet", 2, 3),
        ("c.pq", 0, 5),
    ]
    assert Path(found[0].uri) == tmp_path / "a" / "x.parquet"


def test_what_is_no_set_of_files(tmp_path):
    with pytest.raises(DataError, match=r"empty: no Parquet files"):
        find_shards(str(tmp_path / "empty"))
    write(tmp_path / "set" / "a.parquet", question=["q"])
    with pytest.raises(DataError, match=r"a\.parquet: is a file"):
        find_shards(str(tmp_path / "set" / "a.parquet"))
    write(tmp_path / "set" / "b.parquet", question=[1])
    with pytest.raises(DataError, match=r"b\.parquet: its columns or their types are not those of .*a\.parquet"):
        find_shards(str(tmp_path / "set"))
    (tmp_path / "set" / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match=r"notes\.txt is no Parquet file"):
        find_shards(str(tmp_path / "set"))


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 the patient's secret")
    with pytest.raises(DataError, match=r"a\.parquet: cannot be read") as caught:
        find_shards(str(tmp_path))
    assert "secret" not in str(caught.value)


def test_the_output_goes_neither_into_the_input_nor_among_other_files(tmp_path):
    write(tmp_path / "set" / "a.parquet", question=["q"])
    place = str(tmp_path / "set")
    shards = find_shards(place)
    for output in (place, f"{place}/", f"{place}/clean"):
        with pytest.raises(DataError, match=r"lies in the input"):
            check_output(output, place, shards)
    check_output(f"{place}-clean", place, shards)
    write(tmp_path / "set-clean" / "a.parquet", question=["q"])
    write(tmp_path / "set-clean" / "_marks" / "b.parquet", question=["q"])
    check_output(f"{place}-clean", place, shards)
    write(tmp_path / "set-clean" / "b.parquet", question=["q"])
    with pytest.raises(DataError, match=r"b\.parquet is no file of the input"):
        check_output(f"{place}-clean", place, shards)
