"""How a step is made durable: cached by content, stored as JSON, retried when a process dies, silent on text."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext
from prefect.filesystems import RemoteFileSystem, WritableFileSystem
from prefect.futures import PrefectFuture
from prefect.settings import PREFECT_API_URL
from prefect.states import State
from prefect.transactions import IsolationLevel

from operators.data.s3 import S3Access, access_in_use
from operators.digest import digest, sha256_bytes
from operators.errors import AutoDPError, EndpointDown, WorkerDied, may_hold_text, without_text
from tasks.locks import ThreadLocks

P = ParamSpec("P")
R = TypeVar("R")

_locks = ThreadLocks()


@dataclass
class ContentKey(CachePolicy):
    """Keys a task by what its output depends on, and by nothing else.

    `content` picks that from the task's arguments: references, operator specs, recipes, seeds. Run ids, paths,
    timestamps and addresses never belong to it.
    """

    content: Callable[..., Any] = tuple

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],  # noqa: ARG002 - Prefect's signature
        **kwargs: Any,  # noqa: ARG002
    ) -> str | None:
        """Task name and SHA-256 of the content; also the name of the result's file."""
        return f"{task_ctx.task.name}-{digest(task_ctx.task.version, self.content(**inputs))}"


def durable(
    name: str, *, content: Callable[..., Any], version: str = "1", **options: Any
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Decorator: a Prefect task whose result is reused by every later run with the same content.

    `version` goes up when the same content would now give another result. Threads of one process that need the
    same result at the same time wait for the first one (serializable isolation). Exceptions leave without any
    record text, and without the chain of exceptions that could hold some.
    """

    def wrap(function: Callable[P, R]) -> Task[P, R]:
        return task(
            name=name,
            version=version,
            cache_policy=ContentKey(
                content=content, isolation_level=IsolationLevel.SERIALIZABLE, lock_manager=_locks
            ),
            persist_result=True,
            result_serializer="json",
            cache_result_in_memory=False,
            retries=2,
            retry_delay_seconds=[2, 20],
            retry_condition_fn=may_pass,
            **options,
        )(silenced(function))

    return wrap


def silenced(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, whose exceptions cannot quote a record."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except BaseException as e:
            if not may_hold_text(e):
                raise
            error = without_text(e)
        # Outside the except block, and cleared: a chained cause (a parser's error, say) may hold the text.
        error.__cause__ = error.__context__ = None
        raise error.with_traceback(None)

    return call


def in_store(step: Task[P, R], store: str, run_name: str | None = None) -> Task[P, R]:
    """The task with its results kept in `<store>/results`, under a name that tells the UI what it does."""
    name = (run_name or step.name).replace("{", "{{").replace("}", "}}")  # Prefect formats it
    return step.with_options(result_storage=result_storage(store), task_run_name=name)


def result_storage(store: str) -> WritableFileSystem | Path:
    """Where Prefect keeps results that belong to a store: a directory, or an fsspec URL such as s3://."""
    if "://" in store and not store.startswith("file://"):
        return _remote_storage(f"{store.rstrip('/')}/results", str(PREFECT_API_URL.value()), access_in_use())
    # A Path, not a string: Prefect reads a string with one slash as the name of a block.
    return Path(store.removeprefix("file://")).expanduser().resolve() / "results"


@functools.cache
def _remote_storage(
    basepath: str,
    api: str,  # noqa: ARG001 - a server knows its own blocks
    access: S3Access | None,  # noqa: ARG001 - a block keeps the file system that it made
) -> WritableFileSystem:
    """Prefect takes only a block that its server knows. It holds no keys: s3fs has them in this process."""
    block = RemoteFileSystem(basepath=basepath)
    block.save(f"autodp-{sha256_bytes(basepath.encode())[:12]}", overwrite=True)
    return block


def was_executed(future: PrefectFuture[Any]) -> bool:
    """Whether a finished task ran its body, rather than finding its result in the store."""
    future.wait()
    return future.state.name != "Cached"


def raise_failure(futures: Iterable[PrefectFuture[Any]]) -> None:
    """Waits for tasks, given in the order of their dependencies, and raises the first failure.

    A task whose input failed never starts; asking for its result would tell of that instead of the cause.
    """
    for future in futures:
        future.wait()
        if future.state.is_failed() or future.state.is_crashed():
            future.result()


def failed_with(future: PrefectFuture[Any], kind: type[AutoDPError]) -> AutoDPError | None:
    """Waits for a task; its error where it failed with one of this kind, None where it succeeded. Any other
    failure is raised."""
    try:
        future.result()
    except kind as e:
        return e
    return None


def may_pass(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Whether a task's failure is worth another try: a process died, a server was away."""
    return isinstance(state.result(raise_on_failure=False), WorkerDied | EndpointDown)
