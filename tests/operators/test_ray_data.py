"""What a worker of Ray Data is given, as Ray sends it: pickled, to another process."""

from __future__ import annotations

import pickle
import subprocess
import sys

from ray import cloudpickle

from operators.data.containers import filesystem
from operators.data.s3 import S3Access
from operators.ray_data import _worker

IN_A_WORKER = """
import pickle, sys
call, row = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(pickle.dumps(call(row)))
"""


def test_a_worker_reaches_s3_by_the_keys_of_its_driver() -> None:
    worker = _worker(S3Access(key="an-id", secret="a-secret"))
    row = {"work": pickle.dumps((filesystem, "s3://bucket/rows.parquet"))}
    sent = cloudpickle.dumps((worker, row))
    done = subprocess.run([sys.executable, "-c", IN_A_WORKER], input=sent, capture_output=True, check=True)
    fs, path = pickle.loads(pickle.loads(done.stdout)["outcome"])
    assert (fs.key, fs.secret, path) == ("an-id", "a-secret", "bucket/rows.parquet")
    assert "a-secret" not in repr(worker)
