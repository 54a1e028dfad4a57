"""What a worker of Ray Data is given, as Ray sends it: pickled, to another process."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray import cloudpickle

from operators.config import Cluster
from operators.data.containers import filesystem
from operators.data.s3 import S3Access
from operators.errors import ConfigError, DataError, JobError, WorkerDied
from operators.ray_data import LARGEST, _call, _worker, bundles, map_each

IN_A_WORKER = """
import pickle, sys
call, row = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(pickle.dumps(call(row)))
"""


def _double(n: int) -> int:
    if n < 0:
        raise DataError("a number below zero: give another one")
    return 2 * n


def test_what_is_done_before_a_failure_is_kept() -> None:
    outcomes = _outcomes(_call({"work": pickle.dumps((_double, [3, 4, -1, 5]))}))
    assert outcomes[:2] == [6, 8]
    assert str(outcomes[2]) == "a number below zero: give another one"
    assert len(outcomes) == 3


@given(st.lists(st.integers(0, 2 * LARGEST), min_size=1, max_size=60), st.integers(1, 20))
def test_small_items_go_together_in_order(sizes: list[int], least: int) -> None:
    parts = list(bundles(sizes, lambda size: size, least))
    assert list(itertools.chain(*parts)) == sizes
    assert all(parts)
    limit = min(LARGEST, sum(sizes) / least)
    assert all(len(part) == 1 or sum(part) <= limit for part in parts)
    assert all(sum(a) + b[0] > limit for a, b in itertools.pairwise(parts))


def test_a_worker_reaches_s3_by_the_keys_of_its_driver() -> None:
    worker = _worker(S3Access(key="an-id", secret="a-secret"))
    row = {"work": pickle.dumps((filesystem, ["s3://bucket/rows.parquet"]))}
    sent = cloudpickle.dumps((worker, row))
    done = subprocess.run([sys.executable, "-c", IN_A_WORKER], input=sent, capture_output=True, check=True)
    [(fs, path)] = _outcomes(pickle.loads(done.stdout))
    assert (fs.key, fs.secret, path) == ("an-id", "a-secret", "bucket/rows.parquet")
    assert "a-secret" not in repr(worker)


def test_work_that_cannot_be_read_and_results_that_cannot_be_sent_are_failures_not_dead_workers():
    [unread] = _outcomes(_call({"work": b"cno_such_module\nname\n."}))
    assert isinstance(unread, JobError)
    [unsent] = _outcomes(_call({"work": pickle.dumps((open, [os.devnull]))}))
    assert isinstance(unsent, JobError)


@pytest.mark.e2e
@pytest.mark.usefixtures("local_ray")
def test_a_worker_that_dies_ends_the_work():
    with pytest.raises(WorkerDied, match=r"a worker of Ray Data died .* lower scale_out\.rows_at_once"):
        list(map_each(os._exit, [1], cluster=Cluster(num_cpus=1)))


def test_ray_client_is_refused_before_anything_is_reached():
    work = map_each(_double, [1], cluster=Cluster(address="ray://nobody:10001"))
    with pytest.raises(
        ConfigError, match=r"cluster\.address .* ray://: run this on a machine .* head:6379 .* auto"
    ):
        next(work)


def _outcomes(row: dict[str, bytes]) -> list[object]:
    return [pickle.loads(outcome) for outcome in pickle.loads(row["outcome"])]
