"""Heavy work on Ray: on this machine or on a cluster, with resources and progress."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from operators.config import Cluster
from operators.data.s3 import S3Access, access_in_use, use_access
from operators.errors import ConfigError, JobError, Unreachable, WorkerDied, may_hold_text, without_text

logger = logging.getLogger(__name__)

T = TypeVar("T")
Progress = Callable[[str, int, int], None]

OMP_WAIT_POLICY = "PASSIVE"
"""Threads of one job that wait for each other leave the core to others. Spinning, as OpenMP prefers, two threads
on two busy cores reach a hundredth of the speed of one."""

KNOCK_SECONDS = 10.0
"""In which a cluster's head has to take a connection."""

_PATIENCE = 5.0
"""Seconds that a look at a job's progress may take."""
_UNDER_WAY = 100
"""Counts of tokens that are not looked at before they arrive."""
_spent: dict[str, int] = {}
"""By run, what was last known to be spent."""

_start = threading.Lock()


class ClusterAway(ConfigError, Unreachable):
    """No Ray answers at `cluster.address`. Trying again may help: its head may be starting."""


def connect(cluster: Cluster) -> None:
    """Joins the cluster, or starts a local Ray once per process. Safe to call from several threads.

    Raises ConfigError where the cluster cannot be joined, a ClusterAway where that may pass.
    """
    # Before the first import: Ray reads them then.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    from operators.data.store import default_cache

    with _start:
        if ray.is_initialized():
            return
        # Ray warns on stderr about being started from a thread; that is how Prefect's tasks run.
        logging.getLogger("ray").addHandler(logging.NullHandler())
        # What a worker prints may quote a record, so it stays in Ray's own log files.
        shared: dict[str, Any] = {
            "log_to_driver": False,
            "configure_logging": False,
            "namespace": "autodp",
            "runtime_env": {
                "env_vars": {
                    "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
                    "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", OMP_WAIT_POLICY),
                }
            },
        }
        if cluster.address:
            address = cluster.address
            try:
                _knock(address)
                _in_lasting_thread(lambda: ray.init(address=address, **shared))
            except Exception as e:
                raise _not_joined(e, address) from None
        else:
            shared["runtime_env"]["env_vars"]["AUTODP_CACHE"] = str(default_cache())
            local: dict[str, Any] = {"address": "local", "num_cpus": cluster.num_cpus, "include_dashboard": False}
            _in_lasting_thread(lambda: ray.init(**local, **shared))


def _knock(address: str) -> None:
    """Raises ConnectionError where nothing listens at an address with a port: Ray itself tries a dead one for
    minutes."""
    place = urlsplit(address if "://" in address else f"//{address}")
    if place.hostname is None or place.port is None:
        return
    try:
        socket.create_connection((place.hostname, place.port), KNOCK_SECONDS).close()
    except OSError as e:
        raise ConnectionError(type(e).__name__) from None


def _not_joined(error: Exception, address: str) -> ConfigError:
    """What an error of `ray.init` says about `cluster.address`, without the error's own text."""
    # Nothing that could be a password or a token.
    scheme, colons, place = address.rpartition("://")
    where = f"cluster.address {scheme}{colons}{place.rpartition('@')[2].partition('?')[0]}"
    token = "RAY_AUTH_MODE=token and the cluster's RAY_AUTH_TOKEN, if it has one"
    if scheme == "ray" and importlib.util.find_spec("grpc") is None:
        return ConfigError(f"{where} needs the package ray[client]: install requirements/project.txt")
    if isinstance(error, ConnectionAbortedError):
        return ClusterAway(
            f"the Ray at {where} answers and begins no session: try again where its head is busy, else see "
            "ray_client_server.err in the logs of Ray there"
        )
    if isinstance(error, ConnectionError):
        return ClusterAway(
            f"no Ray answers at {where}: start its head, give the right host and port (10001 with ray://, 6379 "
            f"without), and set {token}"
        )
    if isinstance(error, ValueError):
        return ConfigError(
            f"{where} is no address of a cluster: give ray://HEAD:10001 or, on a machine of the cluster, "
            "HEAD:6379 or auto"
        )
    return ConfigError(
        f"{where} cannot be joined ({type(error).__name__}): use the cluster's versions of Ray and Python, and "
        f"set {token}; HEAD:6379 and auto are for machines of the cluster, ray://HEAD:10001 is for others"
    )


def _in_lasting_thread(start: Callable[[], Any]) -> None:
    """Calls `start` in a thread that lasts as long as this process. The processes that Ray starts end with the
    thread that started them, and a task's thread ends with its flow: a round's, where a search goes on after a
    kill and has found all before it in the store."""
    started = threading.Event()
    failure: list[BaseException] = []

    def stay() -> None:
        try:
            start()
        except BaseException as e:
            failure.append(e)
        started.set()
        if not failure:
            threading.Event().wait()

    threading.Thread(target=stay, name="ray", daemon=True).start()
    started.wait()
    if failure:
        raise failure[0]


def run(
    function: Callable[..., T],
    /,
    *args: Any,
    cluster: Cluster,
    num_cpus: float | None = 1,
    num_gpus: float = 0,
    progress: Progress | None = None,
    to_save_memory: str = "have fewer jobs at a time (more CPUs for each)",
    **kwargs: Any,
) -> T:
    """Calls `function(*args, progress=..., **kwargs)` on a Ray worker and returns its result.

    `num_cpus` None stands for all cores of a local Ray, and for one of a cluster, whose nodes may differ;
    `to_save_memory` is what people can do where a worker runs out of it.

    `function` must be importable by workers. A failure comes back as an AutoDPError without any text of a
    record; a dead worker as WorkerDied, which the caller may retry. Raises ConfigError where a local Ray has not
    what is asked for; a cluster may grow, and is waited for.
    """
    connect(cluster)
    import ray

    if num_cpus is None:
        num_cpus = 1 if cluster.address else ray.cluster_resources()["CPU"]
    _check_resources(function.__name__, cluster, CPU=num_cpus, GPU=num_gpus)
    board = _board()
    key = uuid.uuid4().hex
    # The same process count for every job: torch in a worker sizes its thread pool by OMP_NUM_THREADS, which
    # Ray sets from num_cpus.
    remote = ray.remote(max_retries=0, num_cpus=num_cpus, num_gpus=num_gpus)(_call)
    task = remote.remote(function, args, kwargs, board, key, access_in_use())
    try:
        while not ray.wait([task], timeout=1.0)[0]:
            if progress and (seen := _seen(board, key)):
                progress(*seen)
        outcome = ray.get(task)
    except ray.exceptions.RayError as e:
        raise failure(e, f"the Ray job {function.__name__}", to_save_memory) from None
    except BaseException:
        ray.cancel(task, force=True)
        raise
    finally:
        board.forget.remote(key)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _check_resources(what: str, cluster: Cluster, **asked: float) -> None:
    """Ray lets a job wait for ever that asks for more than there is, and does not say so."""
    import ray

    known = ray.cluster_resources()
    short = [f"{n:g} {kind}s of {known.get(kind, 0):g}" for kind, n in asked.items() if n > known.get(kind, 0)]
    if not short:
        return
    asks = f"the Ray job {what} asks for {' and '.join(short)}"
    if cluster.address:
        logger.warning("%s that the cluster has now: it waits until machines join", asks)
        return
    raise ConfigError(
        f"{asks} that this machine's Ray has: lower num_cpus or num_gpus (in a search training.num_cpus, "
        "training.num_gpus or embedding.num_cpus), raise cluster.num_cpus, or give the cluster.address of a Ray "
        "that has them"
    )


def check_gpus(cluster: Cluster, asked: float) -> None:
    """Raises ConfigError where a fine-tune on this machine asks for more GPUs than torch finds. Before any work:
    Ray says so only when the first of them begins."""
    if not asked or cluster.address:
        return
    import torch

    if asked > (there := torch.cuda.device_count()):
        raise ConfigError(
            f"training.num_gpus is {asked:g} and torch finds {there} GPUs on this machine: lower it, or give the "
            "cluster.address of a Ray that has them"
        )


def own_cpus() -> int:
    """The cores that the job which asks was given, at least 1."""
    import ray

    return max(1, int(ray.get_runtime_context().get_assigned_resources().get("CPU", 1)))


def failure(error: Exception, what: str, to_save_memory: str) -> JobError:
    """What an error of Ray itself says about `what` was run. A worker that could not begin will not begin the
    next time either; one that is gone may, so that is a WorkerDied."""
    from ray import exceptions

    if isinstance(error, exceptions.RayTaskError | exceptions.RuntimeEnvSetupError):
        cause = type(getattr(error, "cause", None) or error).__name__
        return JobError(
            f"{what} could not begin on its worker ({cause}): every machine of the cluster needs this version of "
            "the project, with the same packages and Python; see the logs of Ray on that machine"
        )
    if isinstance(error, exceptions.OutOfMemoryError):
        return WorkerDied(f"{what} ran out of memory on its machine: {to_save_memory}")
    return WorkerDied(
        f"{what} died ({type(error).__name__}): see the logs of Ray on its machine; where it ran out of memory, "
        f"{to_save_memory}"
    )


def _call(
    function: Callable[..., Any], args: Any, kwargs: Any, board: Any, key: str, access: S3Access | None
) -> Any:
    """Runs in the worker. A failure is returned, not raised: Ray would attach the whole traceback."""

    # An argument, since Ray writes the environment that a worker is given to its logs.
    use_access(access)
    _board.actor = board  # type: ignore[attr-defined]  # what the job counts in a ledger goes to its driver

    def progress(label: str, done: int, total: int) -> None:
        board.write.remote(key, label, done, total)

    try:
        return function(*args, progress=progress, **kwargs)
    except BaseException as e:
        if not may_hold_text(e):
            raise
        return without_text(e).with_traceback(None)


class SharedLedger:
    """Tokens of one run, counted in one place for its driver and all its workers (`operators.llm.ledger.Ledger`).

    `run` names it. Instances may be pickled. Counting does not wait, so `total` may lag behind by what is being
    counted elsewhere at that moment.
    """

    def __init__(self, run: str, cluster: Cluster) -> None:
        self.run, self.cluster = run, cluster
        self._known: int | None = None
        self._counting: list[tuple[Any, int]] = []
        self._lock = threading.Lock()

    def add(self, tokens: int) -> None:
        """Counts tokens, in and out."""
        connect(self.cluster)
        with self._lock:
            self._counting.append((_board().spend.remote(self.run, tokens), tokens))
            if len(self._counting) > _UNDER_WAY:  # nobody need ask for the total
                self._settle()

    def total(self) -> int:
        """All tokens counted so far, as far as is known here."""
        if self._known is None:
            self.add(0)
        with self._lock:
            self._settle()
            return (self._known or 0) + sum(tokens for _, tokens in self._counting)

    def _settle(self) -> None:
        """Takes what has been counted; the first time it waits for it."""
        import ray

        while self._counting and (self._known is None or ray.wait([self._counting[0][0]], timeout=0)[0]):
            count, tokens = self._counting.pop(0)
            try:
                self._known = max(ray.get(count), self._known or 0)
            except ray.exceptions.RayActorError:  # whose node is gone; what was spent is not forgotten here
                self._known = (self._known or 0) + tokens

    def __getstate__(self) -> dict[str, Any]:
        return {"run": self.run, "cluster": self.cluster}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def spent(run: str) -> int:
    """Tokens counted for a run of this process; 0 where it never counted any. Starts nothing."""
    if not hasattr(_board, "actor"):
        return 0
    import ray

    def count(tokens: int) -> int:
        return int(ray.get(_board().spend.remote(run, tokens)))

    known = _spent.get(run, 0)
    with contextlib.suppress(ray.exceptions.RayActorError):
        counted = count(0)
        # A board that had to begin anew on another node counts from zero.
        known = counted if counted >= known else count(known)
    _spent[run] = known
    return known


def _seen(board: Any, key: str) -> tuple[str, int, int] | None:
    """A job's latest progress; None where nothing can be learned of it now, which is no reason to end the job."""
    import ray

    try:
        seen: tuple[str, int, int] | None = ray.get(board.read.remote(key), timeout=_PATIENCE)
    except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError):
        return None
    return seen


class _Board:
    """Latest progress of each running job, and the tokens of each run."""

    def __init__(self) -> None:
        self.latest: dict[str, tuple[str, int, int]] = {}
        self.tokens: dict[str, int] = {}

    def spend(self, run: str, tokens: int) -> int:
        """Counts tokens; the run's total."""
        self.tokens[run] = self.tokens.get(run, 0) + tokens
        return self.tokens[run]

    def write(self, key: str, label: str, done: int, total: int) -> None:
        self.latest[key] = (label, done, total)

    def read(self, key: str) -> tuple[str, int, int] | None:
        return self.latest.get(key)

    def forget(self, key: str) -> None:
        self.latest.pop(key, None)


def _board() -> Any:
    import ray

    # One board a process: a name in the cluster would outlive its owner or collide with another run's.
    with _start:
        if not hasattr(_board, "actor"):
            # Its node may be lost, or taken down where a cluster shrinks: then it begins anew elsewhere.
            lasting = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Board)
            _board.actor = lasting.remote()  # type: ignore[attr-defined]
        return _board.actor  # type: ignore[attr-defined]
