"""A search that is killed and started again goes on from what is in the store."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import run_search, write_config, write_set

pytestmark = pytest.mark.e2e

CHANGES = {
    "strategist": {"kind": "exhaustive"},
    "budget": {"rounds": 6, "trials_per_round": 1},
    "judging": {"tie_margin": 100.0},
}


def results(folder: Path, kind: str = "") -> dict[str, int]:
    """When each of the results in the store was written."""
    return {p.name: p.stat().st_mtime_ns for p in (folder / "store" / "results").rglob(f"{kind}*") if p.is_file()}


def test_a_killed_search_goes_on_where_it_was(stack: str, tmp_path: Path) -> None:
    write_set(tmp_path)
    command = [sys.executable, "-m", "flows.cli", "search", str(write_config(tmp_path, **CHANGES))]
    environment = {**os.environ, "PREFECT_API_URL": stack}
    with (tmp_path / "killed.log").open("wb") as log:
        first = subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            deadline = time.monotonic() + 300
            while not (results(tmp_path, "judge-") and len(results(tmp_path, "apply-team-")) > 1):
                assert first.poll() is None, (tmp_path / "killed.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(first.pid, signal.SIGKILL)
            first.wait()
    assert not (tmp_path / "runs" / "tiny" / "search.json").exists(), "it was killed before its end"
    known = results(tmp_path)
    found = run_search(tmp_path, **CHANGES)
    assert len(found.trials) == 6
    assert {name: written for name, written in results(tmp_path).items() if name in known} == known
    done_before = len([name for name in known if name.startswith("apply-team-")])
    assert found.work.team_runs_executed == len(results(tmp_path, "apply-team-")) - done_before
    assert found.work.team_runs_executed < found.work.team_runs_requested
