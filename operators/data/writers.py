"""Writing records back as they came: same container, same schema, same columns in the same order."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from operators.data.arrow import load_schema, to_table
from operators.data.codec import LAYOUT, encode
from operators.data.containers import (
    SUFFIXES,
    Container,
    atomic_directory,
    atomic_file,
    container_of,
    failures_named,
    filesystem,
    is_local,
)
from operators.data.records import Record
from operators.data.schemas import SourceSchema
from operators.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 4096


def refuse_overwriting(output: str, source: str) -> None:
    """Raises ConfigError where `output`, or the file of bad rows beside it, is the set that is read."""
    for place in (output, f"{output.rstrip('/')}.quarantine.jsonl"):
        if _same_place(place, source):
            raise ConfigError(
                f"output {output}: {place} is the input {source}, which would be overwritten; choose another place"
            )


def refuse_other_kind(output: str, source: str) -> None:
    """Raises ConfigError where the name of `output` promises another kind of file than `source` is: rows are
    written as they came, and nobody could read JSON lines that are called CSV."""
    fs, path = filesystem(source)
    with failures_named(source, "read"):
        directory = fs.isdir(path)
    found = _promise(output)
    if directory:
        if not any(fs.exists(f"{path}/{name}") for name in ("state.json", "dataset_dict.json")):
            raise ConfigError(
                f"input {source}: datasets.save_to_disk did not write this directory; name a file or, where it "
                "holds Parquet files of one schema, set scale_out (such as --set scale_out.workers=4)"
            )
        if found[0] is not None:
            raise ConfigError(
                f"output {output}: the input {source} is a directory; choose a name without a suffix"
            )
        return
    container = container_of(source)
    expected = f"{container.suffix}.gz" if container.gzip else container.suffix
    if found != _promise(source):
        raise ConfigError(
            f"output {output}: its format is that of the input {source}; choose a name that ends in {expected}"
        )


def _same_place(a: str, b: str) -> bool:
    (first, here), (second, there) = filesystem(a.rstrip("/")), filesystem(b.rstrip("/"))
    if is_local(first) and is_local(second):
        return Path(here).resolve() == Path(there).resolve()
    return bool(first == second) and posixpath.normpath(here) == posixpath.normpath(there)


def _promise(uri: str) -> tuple[str | None, bool, bool]:
    """What a file's name says of it: its kind, whether it is compressed, whether tabs stand between its cells."""
    name = uri.rstrip("/").lower()
    suffix = posixpath.splitext(name.removesuffix(".gz"))[1]
    return SUFFIXES.get(suffix), name.endswith(".gz"), suffix == ".tsv"


def write(records: Sequence[Record], uri: str, source: SourceSchema) -> None:
    """Writes records to `uri`, a file or (for a saved `datasets` directory) a directory, local or on S3.

    Rows that nothing changed come out as they went in. Columns that records gained on the way, such as
    `generated_by`, follow the source's own. Nothing is seen at `uri` until all is written; what was there is
    replaced. Raises DataError where the place cannot be written, or a column's values no longer fit its type.
    """
    kind = source.container.kind
    if kind == "datasets":
        _write_directory(records, uri, source)
        return
    with atomic_file(uri) as path:
        if kind == "parquet":
            _write_parquet(records, path, uri, source, _schema(records, source))
            return
        with _text_file(path, source.container) as stream:
            if kind == "jsonl":
                stream.writelines(_json(row) + "\n" for row in _rows(records, source))
            elif kind == "json":
                _write_json(records, stream, source)
            else:
                _write_csv(records, stream, source)


def write_parts(parts: Sequence[tuple[Sequence[Record], str, SourceSchema]]) -> None:
    """Writes Parquet files that are one set: (records, place, schema) of each. As `write`, and a column that some
    records gained is in every file."""
    every = [record for records, _, _ in parts for record in records]
    for records, uri, source in parts:
        with atomic_file(uri) as path:
            _write_parquet(records, path, uri, source, _schema(every, source))


@contextmanager
def parquet_parts(path: Path, uri: str, source: SourceSchema) -> Iterator[Callable[[Sequence[Record]], None]]:
    """Writes a Parquet file part by part: a function to call with the records of each. `uri` names it in errors.

    Raises DataError as `write` does, and where records gained a column: the parts would not have the same ones.
    """
    import pyarrow.parquet as pq

    schema = _schema((), source)
    with pq.ParquetWriter(path, schema) as writer:

        def add(records: Sequence[Record]) -> None:
            if gained := _gained(records, source):
                raise DataError(
                    f"{uri}: records gained the column {gained[0]!r}, which a file written in parts cannot"
                )
            for table in _tables(records, uri, source, schema):
                writer.write_table(table)

        yield add


def _rows(records: Iterable[Record], source: SourceSchema) -> Iterator[dict[str, Any]]:
    return (encode(record, source) for record in records)


def _gained(records: Sequence[Record], source: SourceSchema) -> list[str]:
    """Columns of the records that the source does not have, in order of appearance."""
    known = {*source.columns, LAYOUT}
    return list(dict.fromkeys(name for r in records for name in r.meta if name not in known))


@contextmanager
def _text_file(path: Path, container: Container) -> Iterator[IO[str]]:
    with path.open("wb") as raw:
        # No name and no time in the gzip header: equal rows give equal bytes.
        binary = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if container.gzip else raw
        with io.TextIOWrapper(binary, container.encoding, newline="") as stream:
            yield stream


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # A cut emoji in some other column of the source: UTF-8 cannot spell it, an escape can.
    return text if text.isascii() or _encodable(text) else json.dumps(value)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _write_json(records: Sequence[Record], stream: IO[str], source: SourceSchema) -> None:
    key = source.container.list_key
    if key is not None:
        stream.write("{")
        for name, value in source.container.envelope.items():
            stream.write(f"{_json(name)}: {_json(value)}, ")
        stream.write(f"{_json(key)}: ")
    stream.write("[\n")
    for i, row in enumerate(_rows(records, source)):
        stream.write((",\n" if i else "") + _json(row))
    stream.write("\n]" + ("}" if key is not None else "") + "\n")


def _write_csv(records: Sequence[Record], stream: IO[str], source: SourceSchema) -> None:
    columns = [*source.columns, *_gained(records, source)]
    newline = source.container.newline
    buffer = io.StringIO()
    # csv quotes the characters of its line terminator only; a cell with a lone "\r" needs quotes with "\n" too.
    writer = csv.writer(buffer, delimiter=source.container.delimiter, lineterminator="\r\n")
    for cells in itertools.chain(
        [columns], ([_cell(row.get(c)) for c in columns] for row in _rows(records, source))
    ):
        writer.writerow(cells)
        stream.write(buffer.getvalue().removesuffix("\r\n") + newline)
        buffer.seek(0)
        buffer.truncate()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def _schema(records: Sequence[Record], source: SourceSchema) -> pa.Schema:
    """The source's Arrow schema, widened where records gained columns or filled ones that held nothing."""
    import pyarrow as pa

    schema = load_schema(source.container.arrow_schema or "")
    for i, field in enumerate(schema):
        kind = field.type
        if pa.types.is_null(kind):  # a column of nulls has no type
            # An answer that was filled in since is text.
            kind = pa.string() if field.name in source.fields.values() else _type_of(field.name, records)
        schema = schema.set(i, field.with_type(kind).with_nullable(True))
    for name in _gained(records, source):
        schema = schema.append(pa.field(name, _type_of(name, records)))
    return schema


def _type_of(name: str, records: Sequence[Record]) -> pa.DataType:
    """What the records' values in a column are; null where none has one."""
    import pyarrow as pa

    values = (r.meta[name] for r in records if r.meta.get(name) is not None)
    return pa.infer_type(list(itertools.islice(values, BATCH)))


def _tables(records: Sequence[Record], uri: str, source: SourceSchema, schema: pa.Schema) -> Iterator[pa.Table]:
    for start in range(0, len(records), BATCH):
        yield to_table(list(_rows(records[start : start + BATCH], source)), schema, uri)


def _write_parquet(
    records: Sequence[Record], path: Path, uri: str, source: SourceSchema, schema: pa.Schema
) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, schema) as writer:
        for table in _tables(records, uri, source, schema):
            writer.write_table(table)


def _write_directory(records: Sequence[Record], uri: str, source: SourceSchema) -> None:
    import pyarrow as pa
    from datasets import (
        Dataset,
        Features,
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    before = load_schema(source.container.arrow_schema or "")
    features = Features.from_arrow_schema(before)
    for field in _schema(records, source):
        if field.name not in before.names or field.type != before.field(field.name).type:
            features.update(Features.from_arrow_schema(pa.schema([field])))
    schema = features.arrow_schema
    tables = list(_tables(records, uri, source, schema))
    dataset = Dataset(pa.concat_tables(tables) if tables else schema.empty_table())
    silent = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        with atomic_directory(uri, marker="state.json") as folder:
            dataset.save_to_disk(folder)
    finally:
        if not silent:
            enable_progress_bars()
