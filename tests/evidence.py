"""Everything a run leaves behind outside the store's objects, place by place, and a search for texts in it."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import logging
import os
import pickle
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Evidence = dict[str, bytes]
"""What was found, by place."""

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{24,}={0,2}")


def leaks(evidence: bytes, texts: Iterable[str]) -> list[str]:
    """Which of `texts` occur in `evidence`: as they are, in any case, or inside base64 (Prefect's pickles)."""
    plain = [evidence.lower()]
    for run in _BASE64.findall(evidence.replace(b"\\n", b"").replace(b"\n", b"")):
        with contextlib.suppress(binascii.Error):
            plain.append(base64.b64decode(run + b"=" * (-len(run) % 4)).lower())
    return [t for t in texts if any(t.lower().encode() in p for p in plain)]


class LogCapture(logging.Handler):
    """Every log record of this process, of all loggers and levels, as text."""

    def __init__(self) -> None:
        super().__init__(level=0)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the message, its arguments and its traceback."""
        self.lines.append(f"{self.format(record)} {record.args!r}")


@contextmanager
def captured_logs() -> Iterator[LogCapture]:
    """Captures at DEBUG what our packages and Prefect log, whether or not it would be shown."""
    handler = LogCapture()
    root = logging.getLogger()
    named = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    closed = [x for x in named if not x.propagate]
    opened = [root, *(logging.getLogger(n) for n in ("flows", "tasks", "operators", "prefect"))]
    levels = [(x, x.level) for x in opened]
    for logger in opened:
        logger.setLevel(logging.DEBUG)
    for logger in (root, *closed):
        logger.addHandler(handler)
    try:
        yield handler
    finally:
        for logger in (root, *closed):
            logger.removeHandler(handler)
        for logger, level in levels:
            logger.setLevel(level)


@contextmanager
def captured_output() -> Iterator[list[bytes]]:
    """Captures what this process and its children write to stdout and stderr; filled in at the end."""
    found: list[bytes] = []
    with tempfile.TemporaryFile("w+b") as file:
        sys.stdout.flush()
        sys.stderr.flush()
        saved = [os.dup(1), os.dup(2)]
        text = os.fdopen(os.dup(file.fileno()), "w", encoding="utf-8")
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
                yield found
        finally:
            text.close()
            for number, copy in zip((1, 2), saved, strict=True):
                os.dup2(copy, number)
                os.close(copy)
            file.seek(0)
            found.append(file.read())


def of_exception(error: BaseException) -> bytes:
    """All that an exception carries: its traceback with all causes, and its pickle."""
    parts = ["".join(traceback.format_exception(error)), repr(error), repr(vars(error))]
    return "\n".join(parts).encode() + pickle.dumps(error)


def of_files(paths: Iterable[Path]) -> bytes:
    """Names and contents of files."""
    return b"\n".join(str(p).encode() + b"\n" + p.read_bytes() for p in sorted(paths) if p.is_file())


def of_prefect() -> Evidence:
    """What the Prefect server knows, read through its API, and its database file as it lies on disk."""
    from prefect.client.orchestration import get_client
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL

    APILogWorker.drain_all(at_exit=False)
    EventsWorker.drain_all(at_exit=False)
    with get_client(sync_client=True) as client:
        _wait_for_task_runs(client)
        pages = {
            "flow runs": _all(client, "/flow_runs/filter"),
            "task runs": _all(client, "/task_runs/filter"),
            "server logs": _all(client, "/logs/filter"),
            "artifacts": _all(client, "/artifacts/filter"),
        }
        for kind in ("flow", "task"):
            ids = [r["id"] for r in pages[f"{kind} runs"]]
            pages[f"{kind} run states"] = [
                state
                for one in ids
                for state in client.request("GET", f"/{kind}_run_states/", params={f"{kind}_run_id": one}).json()
            ]
    evidence = {name: json.dumps(rows, ensure_ascii=False).encode() for name, rows in pages.items()}
    assert all(pages.values()), {name: len(rows) for name, rows in pages.items()}
    file = Path(PREFECT_SERVER_DATABASE_CONNECTION_URL.value().partition(":///")[2])
    return {**evidence, "server database": of_files(file.parent.iterdir())}


def _all(client: Any, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while page := client.request("POST", path, json={"offset": len(rows), "limit": 200}).json():
        rows += page
    return rows


def _wait_for_task_runs(client: Any) -> None:
    """The server records task runs from events, a little later than they happen: waits until nothing changes."""
    before: list[tuple[str, str]] | None = None
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        runs = [(r["id"], r["state_type"]) for r in _all(client, "/task_runs/filter")]
        if runs and runs == before:
            return
        before = runs
        time.sleep(1)


def found_in(evidence: Mapping[str, bytes], texts: Mapping[str, str]) -> dict[str, list[str]]:
    """By place, the names of the texts that are there."""
    names = {text: name for name, text in texts.items()}
    return {place: [names[t] for t in found] for place, data in evidence.items() if (found := leaks(data, names))}
