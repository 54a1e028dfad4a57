"""From files to one set and back: for what looks at the whole set, between reading and writing file by file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict

from operators.data.codec import with_unique_id
from operators.data.loading import UniqueIds
from operators.data.records import Record
from operators.data.schemas import SourceSchema
from operators.data.store import BlobRef, DatasetRef, Store
from operators.data.writers import write_parts
from operators.errors import DataError

Progress = Callable[[str, int, int], None]


class StoredShard(BaseModel):
    """What is left of one file, in the store until the whole set is processed."""

    model_config = ConfigDict(frozen=True)
    dataset: DatasetRef
    own_ids: BlobRef
    """JSON list: the id of each of its records as its row gave it, also of those that were dropped since."""
    source: SourceSchema
    """With the file's own Arrow schema."""


class Gathered(BaseModel):
    """All files' records as one set, in order."""

    model_config = ConfigDict(frozen=True)
    dataset: DatasetRef
    ids: BlobRef
    """JSON list of lists: the ids of each file's records."""


def gather(shards: Sequence[StoredShard], store_root: str, *, progress: Progress) -> Gathered:
    """Puts the files' records into one set. Ids are those that the set in one file would have: made unique in the
    order of the rows, of which dropped ones count."""
    store = Store(store_root)
    whole = UniqueIds()
    records: list[Record] = []
    ids: list[list[str]] = []
    for done, shard in enumerate(shards):
        progress("gather", done, len(shards))
        own = json.loads(store.get_bytes(shard.own_ids.sha256))
        alone = UniqueIds()
        names = {alone.of(name): whole.of(name) for name in own}
        mine = [_named(r, names.get(r.id, r.id), shard.source) for r in store.iter_records(shard.dataset)]
        records += mine
        ids.append([r.id for r in mine])
    return Gathered(dataset=store.put_records(records), ids=store.put_bytes(json.dumps(ids).encode()))


def write_back(
    dataset: DatasetRef,
    ids: BlobRef,
    outputs: Sequence[tuple[str, SourceSchema]],
    store_root: str,
    *,
    progress: Progress,
) -> None:
    """Writes a processed set to one file for each that it came from: every record to the file of its row, new
    ones, which follow all others, to the last. Raises DataError where an operator put records in another order."""
    store = Store(store_root)
    owner = {name: k for k, names in enumerate(json.loads(store.get_bytes(ids.sha256))) for name in names}
    parts: list[list[Record]] = [[] for _ in outputs]
    at = 0
    for record in store.iter_records(dataset):
        k = owner.get(record.id, len(parts) - 1)
        if k < at:
            raise DataError(
                f"{outputs[k][0]}: an operator of the recipe changes the order of the records, so they have no "
                "place in the files they came from; process the set in one file, without scale_out"
            )
        at = k
        parts[k].append(record)
    progress("write", 0, len(outputs))
    write_parts([(part, uri, source) for part, (uri, source) in zip(parts, outputs, strict=True)])


def _named(record: Record, name: str, source: SourceSchema) -> Record:
    return record if name == record.id else with_unique_id(record, name, source)
