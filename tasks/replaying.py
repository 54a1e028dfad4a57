"""The steps of a replay that open records: they run as tasks, whose errors cannot quote one."""

from __future__ import annotations

import posixpath
from typing import Literal

from prefect import task

from operators.data.records import Record
from operators.data.splits import without
from operators.data.store import DatasetRef, Store
from operators.data.writers import write
from operators.digest import sha256_bytes
from operators.errors import DataError
from operators.publishing import Output, read_bytes
from operators.results import RecordsFile
from tasks.durable import durable, silenced
from tasks.loading import Loaded


@task(name="records-beside-recipe", task_run_name="read {ref.file}")
@silenced
def records_beside(recipe_uri: str, ref: RecordsFile, store: str) -> DatasetRef:
    """Brings a file of records that lies beside the recipe into the store."""
    uri = posixpath.join(posixpath.dirname(recipe_uri), ref.file)
    data = read_bytes(uri)
    # Before anything is parsed: a damaged file is named, and no parser stumbles over a record.
    if sha256_bytes(data) != ref.sha256:
        raise DataError(f"{uri}: is not the file that the recipe was made with (its SHA-256 differs)")
    return Store(store).put_records(map(Record.from_json, data.splitlines()))


@durable(
    "leave-out",
    content=lambda dataset, held_out, same, store: [dataset.sha256, held_out.sha256, same],  # noqa: ARG005
)
def leave_out(
    dataset: DatasetRef, held_out: DatasetRef, same: Literal["question", "conversation"], store: str
) -> DatasetRef:
    """The records that do not repeat one the recipe was judged on."""
    place = Store(store)
    return place.put_records(without(place.get_records(dataset), place.get_records(held_out), same=same))


@task(name="write-output", task_run_name="write {output}")
@silenced
def write_output(dataset: DatasetRef, loaded: Loaded, output: str, store: str) -> None:
    """Writes the records in the shape of the file they came from, and the bad rows beside them."""
    place, output = Store(store), output.rstrip("/")
    folder = Output(posixpath.dirname(output) or ".")
    bad_rows = f"{posixpath.basename(output)}.quarantine.jsonl"
    folder.remove(bad_rows)  # of another run
    write(place.get_records(dataset), output, loaded.source)
    if loaded.quarantine:
        folder.write(bad_rows, place.get_bytes(loaded.quarantine.sha256))
