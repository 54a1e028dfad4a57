"""What a job that Ray could not run is told as, by a real Ray."""

from __future__ import annotations

import os
import sys
import time
import types

import pytest

from flows.prepare import prepare
from operators import jobs
from operators.config import Cluster, SearchConfig
from operators.errors import ConfigError, JobError, WorkerDied

HERE = Cluster(num_cpus=1)


@pytest.mark.e2e
@pytest.mark.usefixtures("local_ray")
def test_a_worker_that_is_gone_may_be_tried_again():
    def end(progress: object) -> None:  # noqa: ARG001 - nested, so that Ray sends its code
        os._exit(1)

    with pytest.raises(WorkerDied, match=r"the Ray job end died .* have fewer jobs at a time"):
        jobs.run(end, cluster=HERE)


def test_what_ray_says_of_a_job_is_told_apart():
    from ray import exceptions

    lost = jobs.failure(exceptions.OutOfMemoryError("record text"), "the job", "buy memory")
    assert (type(lost), str(lost)) == (WorkerDied, "the job ran out of memory on its machine: buy memory")
    unable = jobs.failure(exceptions.RuntimeEnvSetupError("record text"), "the job", "buy memory")
    assert type(unable) is JobError
    assert "could not begin on its worker (RuntimeEnvSetupError)" in str(unable)
    assert "record text" not in str(unable)


@pytest.mark.e2e
@pytest.mark.usefixtures("local_ray")
def test_a_worker_without_the_code_is_not_called_dead(monkeypatch):
    module = types.ModuleType("only_the_driver_has_it")
    exec("def work(progress=None): return 1", module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(JobError, match=r"could not begin on its worker .* same packages") as caught:
        jobs.run(module.work, cluster=HERE)
    assert not isinstance(caught.value, WorkerDied)


@pytest.mark.e2e
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(("asked", "says"), [({"num_gpus": 3}, "3 GPUs of "), ({"num_cpus": 999}, "999 CPUs of ")])
def test_what_this_machine_has_not_is_not_waited_for(asked, says):
    with pytest.raises(ConfigError, match=rf"the Ray job work asks for {says}.* lower num_cpus or num_gpus"):
        jobs.run(work, cluster=HERE, **asked)


def test_gpus_that_are_not_there_are_told_before_any_work():
    import torch

    there = torch.cuda.device_count()
    jobs.check_gpus(HERE, there)
    jobs.check_gpus(Cluster(address="ray://elsewhere:10001"), there + 1)  # it knows, and may grow
    settings = {"data": {"input": "/not/read.jsonl"}, "training": {"num_gpus": there + 0.5}}
    with pytest.raises(ConfigError, match=rf"num_gpus is {there}\.5 and torch finds {there} GPUs.*cluster\.addr"):
        prepare(SearchConfig.model_validate(settings), lambda name: pytest.fail(f"{name} was begun"))


def work(progress: jobs.Progress) -> None:
    """Never begins."""


@pytest.mark.e2e
@pytest.mark.usefixtures("local_ray")
def test_a_lost_board_costs_no_job_and_no_count():
    import ray

    def work(progress: jobs.Progress) -> str:
        progress("working", 1, 2)
        time.sleep(4)
        return "done"

    ledger, seen = jobs.SharedLedger("lost", HERE), []
    ledger.add(70)
    assert (ledger.total(), jobs.spent("lost")) == (70, 70)
    ray.kill(jobs._board(), no_restart=False)  # as where its node is taken down
    for _ in range(2):  # while the board begins anew, and then
        assert jobs.run(work, cluster=HERE, progress=lambda *progress: seen.append(progress)) == "done"
    assert seen[-1] == ("working", 1, 2)
    assert jobs.spent("lost") == 70
    assert jobs.SharedLedger("lost", HERE).total() == 70


@pytest.mark.e2e
@pytest.mark.usefixtures("local_ray")
def test_counts_do_not_pile_up_where_nobody_asks_for_the_total():
    ledger = jobs.SharedLedger("unlimited", HERE)
    for _ in range(300):
        ledger.add(1)
    for _ in range(300):
        if len(ledger._counting) <= 100:
            break
        time.sleep(0.1)
        ledger.add(0)
    else:
        pytest.fail(f"{len(ledger._counting)} counts are kept")
    assert ledger.total() == 300
