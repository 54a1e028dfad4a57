"""A recipe whose operators look at the whole set, on many files: gathered in between, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sharded_set import ALONE, dirty_rows, read_files, write_files, write_recipe, write_whole

from operators.config import Targeting
from operators.data.lease import Lease
from operators.errors import ConfigError, DataError
from operators.strategist.space import Team
from operators.teams.registry import build

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("stack")]

ROWS = [*dirty_rows(200), *dirty_rows(60)]


TOGETHER = [build(name).spec for name in ("strip_markup", "near_duplicates", "truncated_answers")]
TEAMS = {Team.CLEANING: [*ALONE[:4], *TOGETHER], Team.SELECTION: [build("random_selection").spec]}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_recipe(tmp_path, ROWS[4], TEAMS)


def process(recipe: Path, **values: Any) -> Any:
    from flows.process import ProcessConfig, process_dataset

    values = {"recipe": str(recipe), "store": str(recipe.parent / "store"), **values}
    return process_dataset(ProcessConfig.model_validate({"cluster": {"num_cpus": 2}, **values}))


def test_what_looks_at_the_whole_set_gives_what_it_gives_of_one_file(tmp_path: Path, recipe: Path) -> None:
    source = write_files(tmp_path / "in", ROWS, 4)
    whole = write_whole(tmp_path / "whole.parquet", ROWS)
    one = process(recipe, input=str(whole), output=str(tmp_path / "expected.parquet"))
    many = process(recipe, input=str(source), output=str(tmp_path / "out"), scale_out={"rows_at_once": 13})
    assert read_files(tmp_path / "out") == pq.read_table(tmp_path / "expected.parquet").to_pylist()
    assert (many.rows_in, many.rows_out, many.quarantined) == (one.rows_in, one.rows_out, one.quarantined)
    assert [run.team for run in many.runs] == [Team.CLEANING, Team.SELECTION]
    assert 20 < many.rows_out < 150


def test_flags_of_many_files_are_those_of_one(tmp_path: Path) -> None:
    """`repetition` drops what was flagged only: an operator that judges alone, but after the flags."""
    teams = {Team.CLEANING: [build("repetition", {"action": "drop"}).spec, build("near_duplicates").spec]}
    recipe = write_recipe(tmp_path, ROWS[4], teams, Targeting())
    source = write_files(tmp_path / "in", ROWS, 4)
    whole = write_whole(tmp_path / "whole.parquet", ROWS)
    one = process(recipe, input=str(whole), output=str(tmp_path / "expected.parquet"))
    many = process(recipe, input=str(source), output=str(tmp_path / "out"), scale_out={"rows_at_once": 13})
    assert read_files(tmp_path / "out") == pq.read_table(tmp_path / "expected.parquet").to_pylist()
    assert 20 < many.rows_out == one.rows_out < many.rows_in


def test_two_runs_do_not_write_to_one_directory(
    tmp_path: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.scale_out.HELD", 1.0)
    source = write_files(tmp_path / "in", ROWS, 2)
    values = {"input": str(source), "output": str(tmp_path / "out"), "scale_out": {}}
    other = Lease(str(tmp_path / "out" / "_writing"), "another run", 60)
    assert other.acquire()
    with pytest.raises(ConfigError, match=r"out: another run writes there: wait for its end"):
        process(recipe, **values)
    other._write(0.0)  # it has ended
    assert process(recipe, **values).rows_in > 200


def test_what_cannot_be_done_is_refused_before_anything_is_written(tmp_path: Path, recipe: Path) -> None:
    source = write_files(tmp_path / "in", ROWS, 4)
    values = {"input": str(source), "output": str(tmp_path / "out")}
    with pytest.raises(ConfigError, match=r"operator strip_markup .* whole set, and 260 rows are more than"):
        process(recipe, **values, scale_out={"whole_set_rows": 259})
    with pytest.raises(DataError, match="lies in the input"):
        process(recipe, **{**values, "output": str(source / "clean")}, scale_out={})
    assert not (tmp_path / "out").exists()
    assert len(list(source.iterdir())) == 4
