"""The steps that open an upload's bytes: copied, set aside, handed over. Their errors quote no record."""

from __future__ import annotations

import json
import posixpath

from prefect import task

from operators.data.containers import atomic_file, filesystem
from operators.data.lease import Lease
from operators.digest import digest
from operators.intake.ledger import Ledger
from operators.intake.uploads import CHUNK, Upload, UploadChanged, UploadGone, find_upload
from operators.publishing import Output
from tasks.durable import silenced

LONGEST_NAME = 200
"""Bytes of an upload's name that a place for it keeps: with what is put around it a file system takes 255."""


@task(name="copy-upload", task_run_name="copy {upload.name}")
@silenced
def copy_upload(upload: Upload, store: str) -> str:
    """Copies exactly this version into the store, so that every step reads the same bytes; the copy's URI.

    An object that an earlier run copied, before it died or had to wait, may be gone since: then that copy is
    used. Raises UploadGone where there is none, UploadChanged where another version is there.
    """
    ledger = Ledger(store)
    try:
        return ledger.snapshot(upload)
    except UploadGone:
        if (copy := ledger.copy_of(upload)) is None:
            raise
        return copy


@task(name="hand-over", task_run_name="hand over {upload.name}")
@silenced
def hand_over(upload: Upload, made: str, output: str, store: str, run: str) -> None:
    """Puts a processed file, and its quarantined rows, where they are looked for. `run` names who does.

    Raises UploadChanged where the object has a newer version by now: its result must not be overwritten by this
    one's. An object that is gone has been taken away after it was read, which is usual. Runs for two versions of
    an object do it one after the other: else one could look, and write when the other has written.
    """
    lease = Lease(posixpath.join(store, "handing-over", digest(output)[:32]), run)
    lease.wait()  # no longer than another copies, or than the lease of one that has died
    with lease.renewed():
        _put_in_place(upload, made, output)


def _put_in_place(upload: Upload, made: str, output: str) -> None:
    now = find_upload(upload.uri)
    if now is not None and now.etag != upload.etag:
        raise UploadChanged(f"{upload.uri}: was written again meanwhile; the new version has its own event")
    bad, bad_rows = f"{made}.quarantine.jsonl", f"{output}.quarantine.jsonl"
    fs, path = filesystem(bad)
    if fs.exists(path):
        _copy(bad, bad_rows)
    else:  # an earlier version's
        Output(posixpath.dirname(output) or ".").remove(posixpath.basename(bad_rows))
    _copy(made, output)


@task(name="quarantine-upload", task_run_name="set {upload.name} aside")
@silenced
def quarantine_upload(upload: Upload, copy: str | None, folder: str, reason: str) -> str:
    """Sets an upload aside, the reason beside it, and returns where. Without a copy only the reason is kept."""
    name = upload.name.encode()[-LONGEST_NAME:].decode(errors="ignore")  # its end tells how to read it
    place = posixpath.join(folder, f"{str(upload.id)[:8]}-{name}")
    if copy is not None:
        _copy(copy, place)
    with atomic_file(f"{place}.reason.json") as partial:
        partial.write_text(json.dumps({"upload": upload.model_dump(mode="json"), "reason": reason}, indent=1))
    return place if copy is not None else f"{place}.reason.json"


def _copy(source: str, target: str) -> None:
    fs, path = filesystem(source)
    with fs.open(path, "rb") as f, atomic_file(target) as partial, partial.open("wb") as out:
        while piece := f.read(CHUNK):
            out.write(piece)
