"""From a file to validated records in the store."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from prefect import task
from pydantic import BaseModel, ConfigDict

from operators.config import Data
from operators.data.containers import failures_named, filesystem
from operators.data.loading import load, quarantine_lines
from operators.data.schemas import SourceSchema
from operators.data.store import BlobRef, DatasetRef, Store
from operators.errors import DataError
from tasks.durable import durable, silenced


class Loaded(BaseModel):
    """A loaded file: its usable records, and how to write them back in the same shape."""

    model_config = ConfigDict(frozen=True)
    dataset: DatasetRef
    source: SourceSchema
    quarantined: int
    quarantine: BlobRef | None = None
    """The bad rows with number and reason, as JSON lines."""
    labelled: bool = False
    """Some record has the column of labels that was asked for."""


@task(name="fingerprint-input")
@silenced
def fingerprint_input(uri: str) -> str:
    """SHA-256 of an input's bytes: what decides whether it was loaded before."""
    return _fingerprint(uri)


def _fingerprint(uri: str) -> str:
    h = hashlib.sha256()
    with failures_named(uri, "read"):
        fs, path = filesystem(uri)
        files = sorted(fs.find(path)) if fs.isdir(path) else [path]
        for name in files:
            h.update(Path(name).name.encode())
            with fs.open(name, "rb") as f:
                while chunk := f.read(1 << 20):
                    h.update(chunk)
    return h.hexdigest()


@durable(
    "load",
    content=lambda uri, fingerprint, data, store, labels=None: [  # noqa: ARG005
        # The name decides how bytes are read.
        Path(uri).suffixes,
        fingerprint,
        data.format,
        data.columns,
        *([{"labels": labels}] if labels else []),
    ],
    version="2",
)
def load_records(uri: str, fingerprint: str, data: Data, store: str, labels: str | None = None) -> Loaded:
    """Reads and validates a file; bad rows are set aside with number and reason, never dropped silently.

    A value in the column `labels` that is no label stops it here, where its row is known. Raises DataError where
    the file is no longer the one whose `fingerprint` was taken: its records would be kept as the other one's."""
    from operators.targeting.labels import label_fault

    target = Store(store)
    explained = f"{target.root}/quarantine/{fingerprint[:16]}.jsonl"
    refuse = partial(label_fault, column=labels) if labels else None
    loaded = load(uri, format=data.format, columns=data.columns, quarantine=explained, refuse=refuse)
    if _fingerprint(uri) != fingerprint:
        raise DataError(f"{uri}: was written to while it was read: run again when it is complete")
    return Loaded(
        dataset=target.put_records(loaded.records),
        source=loaded.source,
        quarantined=len(loaded.quarantined),
        quarantine=target.put_bytes(quarantine_lines(loaded)) if loaded.quarantined else None,
        labelled=labels is not None and any(labels in r.meta for r in loaded.records),
    )
