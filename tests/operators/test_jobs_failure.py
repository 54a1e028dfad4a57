"""What a job that Ray could not run is told as, by a real Ray."""

from __future__ import annotations

import os
import sys
import types

import pytest

from operators import jobs
from operators.config import Cluster
from operators.errors import JobError, WorkerDied

HERE = Cluster(num_cpus=1)


@pytest.mark.e2e
def test_a_worker_that_is_gone_may_be_tried_again():
    def end(progress: object) -> None:  # noqa: ARG001 - nested, so that Ray sends its code
        os._exit(1)

    with pytest.raises(WorkerDied, match=r"the Ray job end died .* lower training\.batch_size"):
        jobs.run(end, cluster=HERE)


@pytest.mark.e2e
def test_a_worker_without_the_code_is_not_called_dead(monkeypatch):
    module = types.ModuleType("only_the_driver_has_it")
    exec("def work(progress=None): return 1", module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(JobError, match=r"could not begin on its worker .* same packages") as caught:
        jobs.run(module.work, cluster=HERE)
    assert not isinstance(caught.value, WorkerDied)
