"""How long work is seen: in the terminal, in the log, and as progress artifacts in the UI."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import TaskRunContext
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

ARTIFACT_SECONDS = 3.0
"""Least time between two updates of one artifact: each is an API call."""


class Listener(Protocol):
    """Something that shows progress outside Prefect, such as the command line."""

    def say(self, text: str) -> None:
        """A line worth keeping."""

    def update(self, label: str, done: int, total: int) -> None:
        """Progress of one piece of work; done == total ends it."""


_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Sends all progress to `listener` as well, while the context lasts."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def say(text: str) -> None:
    """One line about what happens, to the run's log and every listener. Never record text."""
    with suppress(MissingContextError):
        get_run_logger().info(text)
    for listener in list(_listeners):
        listener.say(text)


@contextmanager
def shown() -> Iterator[Callable[[str, int, int], None]]:
    """Inside a task: a progress(label, done, total) function that feeds an artifact and the listeners."""
    context = TaskRunContext.get()
    name = context.task_run.name if context else "work"
    artifact: UUID | None = None
    last = 0.0
    labels: set[str] = set()

    def progress(label: str, done: int, total: int) -> None:
        nonlocal artifact, last
        labels.add(label)
        for listener in list(_listeners):
            listener.update(f"{name}: {label}", done, total)
        now = time.monotonic()
        if context is None or (now - last < ARTIFACT_SECONDS and done < total):
            return
        last = now
        share = 100.0 * done / max(total, 1)
        known, artifact = artifact, None
        # Work goes on where its progress cannot be shown; an artifact that was lost is made anew.
        with suppress(Exception):
            if known is None:
                known = create_progress_artifact(share, description=f"{name}: {label}")  # type: ignore[assignment]
            else:
                update_progress_artifact(known, share, description=f"{name}: {label}")
            artifact = known

    try:
        yield progress
        if artifact is not None:  # many an operator says only that it begins
            with suppress(Exception):
                update_progress_artifact(artifact, 100.0)
    finally:
        for listener in list(_listeners):
            for label in labels:
                listener.update(f"{name}: {label}", 1, 1)
