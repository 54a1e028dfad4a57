"""Rows out of Arrow containers: Parquet files and directories written by `datasets.save_to_disk`."""

from __future__ import annotations

import base64
import json
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from operators.data.arrow import dump_schema, plain_type, to_rows
from operators.data.containers import Container, filesystem, open_binary
from operators.data.readers import RawRow, Reader
from operators.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BATCH = 4096
"""Rows that are read together."""
BATCH_BYTES = 1 << 26
"""About what they may take, uncompressed."""


class TableReader(Reader):
    """Reads tables of a few thousand rows at a time."""

    def __init__(self, uri: str, container: Container, limit: int) -> None:
        super().__init__(uri, container, limit)
        self._columns: tuple[str, ...] = ()

    @abstractmethod
    def tables(self) -> Iterator[pa.Table]:
        """The rows in pieces; calls `describe` before the first."""

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    def describe(self, schema: pa.Schema) -> None:
        """Takes note of the columns and their types. Raises DataError on a type that has no JSON form."""
        if len(set(schema.names)) != len(schema.names):
            raise DataError(f"{self.uri}: two columns have one name; give each its own")
        for field in schema:
            plain_type(field.type, field.name)
        self._columns = tuple(schema.names)
        self._container = self._container.model_copy(update={"arrow_schema": dump_schema(schema)})

    def rows(self) -> Iterator[RawRow]:
        number = 0
        for table in self.tables():
            try:
                values = to_rows(table)
            except UnicodeDecodeError:
                yield from self._one_by_one(table, number)
            else:
                for offset, value in enumerate(values, start=1):
                    yield RawRow(number + offset, value, b"")
            number += table.num_rows

    def _one_by_one(self, table: pa.Table, before: int) -> Iterator[RawRow]:
        """Rows of a table that holds bytes which are not UTF-8 in a text column."""
        for index in range(table.num_rows):
            row = table.slice(index, 1)
            try:
                yield RawRow(before + index + 1, to_rows(row)[0], b"")
            except UnicodeDecodeError:
                yield RawRow(before + index + 1, None, _readable(row), "not valid UTF-8")


class ParquetReader(TableReader):
    """A Parquet file, read one batch of rows at a time."""

    def tables(self) -> Iterator[pa.Table]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with open_binary(self.uri) as stream, pq.ParquetFile(stream) as file:
            self.describe(file.schema_arrow)
            for batch in file.iter_batches(batch_size=_rows_at_once(file.metadata)):
                yield pa.Table.from_batches([batch], schema=file.schema_arrow)


def _rows_at_once(metadata: pq.FileMetaData) -> int:
    """At most BATCH, and fewer where rows are large."""
    size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    return max(1, min(BATCH, BATCH_BYTES * metadata.num_rows // max(size, 1)))


class SavedDatasetReader(TableReader):
    """A directory written by `datasets.Dataset.save_to_disk`."""

    def tables(self) -> Iterator[pa.Table]:
        from datasets import load_from_disk

        fs, path = filesystem(self.uri)
        if fs.exists(f"{path}/dataset_dict.json"):
            with self._metadata_checked(), fs.open(f"{path}/dataset_dict.json") as f:
                splits = ", ".join(json.load(f)["splits"])
            raise DataError(
                f"{self.uri}: the directory holds several splits ({splits}); name one: {self.uri}/<split>"
            )
        if not fs.exists(f"{path}/state.json"):
            raise DataError(
                f"{self.uri}: the directory holds no state.json, so datasets.save_to_disk did not write it; "
                "name a file instead"
            )
        with self._metadata_checked():
            dataset = load_from_disk(self.uri if "://" in self.uri else path)
        self.describe(dataset.features.arrow_schema)
        yield from dataset.with_format("arrow").iter(batch_size=BATCH)

    @contextmanager
    def _metadata_checked(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except pa.ArrowException:  # of the rows; the caller names it
            raise
        except (ValueError, KeyError, TypeError):
            raise DataError(
                f"{self.uri}: its JSON files (state.json, dataset_info.json) are damaged or of another version of "
                "`datasets`; save it again with datasets.save_to_disk, or name a Parquet file instead"
            ) from None


def _readable(row: pa.Table) -> bytes:
    """One row as JSON text, its unreadable text values as base64."""
    cells: dict[str, Any] = {}
    for name in row.column_names:
        try:
            cells |= to_rows(row.select([name]))[0]
        except UnicodeDecodeError:
            value = row.column(name)[0]
            # Only plain text has one buffer of bytes; text inside a list or struct stays unreadable.
            data = value.as_buffer().to_pybytes() if hasattr(value, "as_buffer") else b""
            cells[name] = {"base64": base64.b64encode(data).decode("ascii")}
    return json.dumps(cells, ensure_ascii=False).encode("utf-8")
