"""A recipe on many files: Parquet on a real S3 server, a Ray cluster of two nodes, a run killed on the way."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from command_line import autodp_process
from object_store import BUCKET
from sharded_set import ALONE, dirty_rows, write_files, write_recipe, write_whole

from operators.strategist.space import Team

pytestmark = pytest.mark.e2e

ROWS = dirty_rows(600)
FILES = 12


@pytest.fixture(scope="module")
def two_nodes(fs: Any) -> Iterator[str]:  # noqa: ARG001 - the nodes inherit the way to the object store
    """Address of a Ray cluster of two nodes with one core each."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster.address
    cluster.shutdown()


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of operators that judge each record alone."""
    return write_recipe(tmp_path_factory.mktemp("recipe"), ROWS[4], {Team.CLEANING: ALONE})


def test_a_killed_run_goes_on_and_gives_what_one_machine_gives(
    fs: Any, two_nodes: str, recipe: Path, prefect_server: str, tmp_path: Path
) -> None:
    write_files(tmp_path / "in", ROWS, FILES)
    fs.put(str(tmp_path / "in"), f"{BUCKET}/in", recursive=True)
    arguments = [
        *("process", recipe, f"s3://{BUCKET}/in", f"s3://{BUCKET}/out", "--set", f"store=s3://{BUCKET}/store"),
        *("--set", f"cluster.address={two_nodes}"),
    ]
    with (tmp_path / "killed.log").open("wb") as log:
        slowly = ["--set", "scale_out.workers=1", "--set", "scale_out.rows_at_once=2"]
        first = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", *map(str, arguments), *slowly],
            env={**os.environ, "PREFECT_API_URL": prefect_server},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 300
            while len(marks(fs)) < 2:
                assert first.poll() is None, (tmp_path / "killed.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(first.pid, signal.SIGKILL)
            first.wait()
    done: dict[str, Any] = {}
    while (seen := marks(fs)) != done:  # a worker ends with its driver, not before
        done = seen
        time.sleep(3)
    assert 0 < len(done) < FILES

    second = autodp_process(prefect_server, *arguments, "--set", "scale_out.workers=2")
    assert second.code == 0, second.err
    assert f"{FILES} files, {len(done)} of them done before" in " ".join(second.err.split())
    assert {name: made for name, made in marks(fs).items() if name in done} == done
    assert len(marks(fs)) == FILES

    whole = write_whole(tmp_path / "whole.parquet", ROWS)
    expected = tmp_path / "expected.parquet"
    single = autodp_process(
        prefect_server,
        "process",
        recipe,
        whole,
        expected,
        "--set",
        f"store={tmp_path}/store",
        "--set",
        "cluster.num_cpus=1",
    )
    assert single.code == 0, single.err
    rows = pq.read_table(expected).to_pylist()
    fs.invalidate_cache()
    made = []
    for name in sorted(fs.glob(f"{BUCKET}/out/*.parquet")):
        with fs.open(name) as f:
            made += pq.read_table(f).to_pylist()
    assert made == rows
    assert 250 < len(rows) < 500
    assert single.out.split(":")[0] == second.out.split(":")[0], "the same counts"

    for line in (*second.err.splitlines(), *(tmp_path / "killed.log").read_text().splitlines()):
        assert "illness" not in line, "no record text"


def marks(fs: Any) -> dict[str, Any]:
    """Marks of done files, with the time each was written."""
    fs.invalidate_cache()
    found = fs.find(f"{BUCKET}/out/_marks", detail=True)
    return {name: info["LastModified"] for name, info in found.items() if info["type"] == "file"}
