"""Many pieces of work on Ray Data: a stream of small descriptions in, a stream of small results out.

The pieces' bytes never pass through Ray: each worker reads and writes its own, so the driver and the object store
hold nothing that grows with the data.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from operators import jobs
from operators.config import Cluster
from operators.data.s3 import S3Access, access_in_use, use_access
from operators.errors import ConfigError, may_hold_text, without_text

LARGEST = 50_000
"""What the items of one call may add up to. Ray Data sees that a call is done, and sends the next, up to a fifth
of a second later: calls should take several seconds."""
LEAST_CALLS = 4
"""Of each worker: with fewer, one would often wait for another at the end."""

T = TypeVar("T")
R = TypeVar("R")


def map_each(
    function: Callable[[T], R],
    items: Sequence[T],
    *,
    cluster: Cluster,
    size: Callable[[T], int] = lambda _item: LARGEST,
    workers: int | None = None,
    num_cpus: float = 1,
) -> Iterator[R]:
    """`function(item)` of every item, in the order in which they are done. `workers` at a time, None: as many as
    the cluster has room for, each with `num_cpus`.

    `function` and the items must be picklable; what one call needs and gives should be small. A call takes one
    item, or several next to each other whose `size` is small. A failure comes back as an AutoDPError without any
    text of a record, and ends the rest; a process that dies, as WorkerDied, which the caller may retry: left to
    itself Ray Data would repeat a call for ever that needs more memory than there is.

    Raises ConfigError where `cluster.address` is one of Ray Client.
    """
    if cluster.address and cluster.address.startswith("ray://"):
        # Its tasks stream what they return, and Ray Client cannot (ray-project/ray issue 43357).
        raise ConfigError(
            "Ray Data, which scale_out works with, cannot be used by a cluster.address that begins with ray://: "
            "run this on a machine of the cluster, with the address head:6379 (that of its GCS) or auto"
        )
    if not items:
        return
    jobs.connect(cluster)
    import ray.data  # sets up its log when it is first imported

    logging.getLogger("ray.data").setLevel(logging.ERROR)  # every run would be told of on stderr
    settings = ray.data.DataContext.get_current()
    settings.enable_progress_bars = settings.print_on_execution_start = False
    parallel = workers or max(1, int(ray.cluster_resources().get("CPU", 1) // num_cpus))
    rows = [{"work": pickle.dumps((function, part))} for part in bundles(items, size, LEAST_CALLS * parallel)]
    done = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        _worker(access_in_use()),
        num_cpus=num_cpus,
        compute=ray.data.TaskPoolStrategy(size=workers),
        max_retries=0,  # Ray 2.64 will have another way: this one is deprecated, and the only one in 2.60
    )
    try:
        for row in done.iter_rows():
            for outcome in map(pickle.loads, pickle.loads(row["outcome"])):
                if isinstance(outcome, Exception):
                    raise outcome
                yield outcome
    except ray.exceptions.RayError as e:
        raise jobs.failure(
            e, "a worker of Ray Data", "lower scale_out.rows_at_once or scale_out.workers"
        ) from None


def bundles(items: Sequence[T], size: Callable[[T], int], least: int) -> Iterator[list[T]]:
    """The items in order, in parts whose sizes add up to LARGEST or to 1/`least` of all, whichever is less, but of
    one item at least."""
    sizes = [size(item) for item in items]
    limit = min(LARGEST, sum(sizes) / least)
    part: list[T] = []
    filled = 0
    for item, own in zip(items, sizes, strict=True):
        if part and filled + own > limit:
            yield part
            part, filled = [], 0
        part.append(item)
        filled += own
    yield part


def _worker(access: S3Access | None) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What each worker runs. The function holds the keys: Ray Data writes arguments to its logs."""

    def call(row: dict[str, Any]) -> dict[str, Any]:
        use_access(access)
        return _call(row)

    return call


def _call(row: dict[str, Any]) -> dict[str, Any]:
    """Runs in the worker. A failure is returned, not raised: Ray would log and keep the whole traceback."""
    outcomes: list[bytes] = []
    try:
        function, items = pickle.loads(row["work"])
        for item in items:
            outcomes.append(pickle.dumps(function(item)))
    except BaseException as e:
        if not may_hold_text(e):
            raise
        failure = without_text(e).with_traceback(None)
        failure.__cause__ = failure.__context__ = None
        outcomes.append(pickle.dumps(failure))
    return {"outcome": pickle.dumps(outcomes)}
