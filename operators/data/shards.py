"""A set that lies in many Parquet files: its shards, in the order of their names."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from operators.data.containers import failures_named, filesystem, open_binary
from operators.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".parquet", ".pq")
_READERS = 16


class Shard(BaseModel):
    """One file of the set. `rows` as its footer tells, `first_row` of the set lie in the files before it."""

    model_config = ConfigDict(frozen=True)
    uri: str
    name: str
    """Relative to the set's directory."""
    rows: int
    first_row: int


def find_shards(uri: str) -> list[Shard]:
    """The Parquet files below a directory or prefix, by name. Names that begin with "_" or "." are passed over.

    Raises DataError where there are none, where other files lie among them, or where their columns differ.
    """
    root = uri.rstrip("/")
    names = file_names(root)
    strange = [name for name in names if not name.endswith(SUFFIXES)]
    if strange:
        raise DataError(f"{root}: {strange[0]} is no Parquet file; keep nothing but {', '.join(SUFFIXES)} there")
    if not names:
        raise DataError(f"{root}: no Parquet files; scale_out reads a directory or prefix of *.parquet")
    uris = [posixpath.join(root, name) for name in names]
    with ThreadPoolExecutor(_READERS) as threads:
        footers = list(threads.map(_footer, uris))
    _check_columns(uris, [schema for _, schema in footers])
    shards, first_row = [], 0
    for name, file, (rows, _) in zip(names, uris, footers, strict=True):
        shards.append(Shard(uri=file, name=name, rows=rows, first_row=first_row))
        first_row += rows
    return shards


def check_output(output: str, uri: str, shards: Sequence[Shard]) -> None:
    """Raises DataError where the processed set must not go: into its own input, or among other files, which who
    reads it would take for part of it."""
    (_, inside), (_, path) = filesystem(output.rstrip("/")), filesystem(uri.rstrip("/"))
    if f"{inside}/".startswith(f"{path}/"):
        raise DataError(f"{output}: lies in the input; choose another place")
    left_over = set(file_names(output)) - {shard.name for shard in shards}
    if left_over:
        raise DataError(f"{output}: {min(left_over)} is no file of the input; choose an empty place, or remove it")


def file_names(uri: str) -> list[str]:
    """Names of all files below a directory or prefix, relative to it and sorted; none where it does not exist.
    Names that begin with "_" or ".", or lie below such ones, are passed over."""
    fs, path = filesystem(uri)
    with failures_named(uri, "read"):
        if fs.isfile(path):
            raise DataError(f"{uri}: is a file; scale_out reads and writes directories of Parquet files")
        found = (posixpath.relpath(file, path) for file in fs.find(path))
    return sorted(name for name in found if not any(part[0] in "_." for part in name.split("/")))


def _footer(uri: str) -> tuple[int, pa.Schema]:
    import pyarrow.parquet as pq

    with failures_named(uri, "read"), open_binary(uri) as stream, pq.ParquetFile(stream) as file:
        return file.metadata.num_rows, file.schema_arrow


def _check_columns(uris: Sequence[str], schemas: Sequence[pa.Schema]) -> None:
    for uri, schema in zip(uris, schemas, strict=True):
        if not schema.equals(schemas[0], check_metadata=False):
            raise DataError(
                f"{uri}: its columns or their types are not those of {uris[0]}; write all files with one schema"
            )
