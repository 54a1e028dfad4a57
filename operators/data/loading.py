"""Reading a data set: rows of any supported container and schema become records, bad rows go to quarantine."""

from __future__ import annotations

import base64
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from operators.data.codec import decode, with_unique_id
from operators.data.containers import (
    Container,
    atomic_file,
    container_of,
    failures_named,
    filesystem,
    open_binary,
)
from operators.data.fields import BadRow, blank_in
from operators.data.readers import CsvReader, JsonLinesReader, JsonReader, RawRow, Reader
from operators.data.records import Record
from operators.data.schemas import (
    ROLES,
    SourceSchema,
    TextStyle,
    detect,
    dump_turns,
    in_turn,
    sample_turns,
    with_later_columns,
)
from operators.data.table_readers import ParquetReader, SavedDatasetReader
from operators.errors import DataError

SAMPLE = 100
"""Good rows from which the schema is told. A field that no row needs may first appear behind them."""
SEARCHED = 10_000
"""Rows after which a file without a single good one is given up."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that cannot be used. `row` counts from 1: the line of a JSON-lines file, else the row, not counting
    a CSV header. `raw` is for the quarantine file alone, and never shown."""

    row: int
    reason: str
    raw: bytes = field(repr=False)


@dataclass(frozen=True)
class Loaded:
    """A data set as read. `rows` = records + quarantined."""

    records: list[Record] = field(repr=False)
    quarantined: list[Quarantined] = field(repr=False)
    source: SourceSchema
    rows: int
    own_ids: list[str] = field(repr=False)
    """Id of each record before it was made unique."""


class UniqueIds:
    """Gives every record an id of its own: the second "a" becomes "a-2"."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._copies: Counter[str] = Counter()

    def of(self, own: str) -> str:
        """The next record's id."""
        name = own
        while name in self._taken:
            self._copies[own] += 1
            name = f"{own}-{self._copies[own] + 1}"
        self._taken.add(name)
        return name


def load(
    uri: str,
    *,
    format: str = "auto",
    columns: Mapping[str, str] | None = None,
    max_characters: int = 1_000_000,
    max_bad_share: float = 0.5,
    quarantine: str | None = None,
    refuse: Callable[[Record], str | None] | None = None,
) -> Loaded:
    """Reads a file or a saved `datasets` directory, local or on S3.

    `format` is "auto" or a schema name, `columns` maps schema fields to columns. A record of more than
    `max_characters` characters of conversation is quarantined. Ids are the rows' own, or "row-000001" by row
    number; the second of two equal ids gets "-2".

    Raises DataError where the file is missing, empty, broken as a whole, of no known schema, or without a usable
    row; where `refuse` says what is wrong with a record, for faults that make the file as a whole not what its
    owner meant; and where more than `max_bad_share` of its rows are bad: then the bad rows are first written to
    `quarantine` (a path or URL), if given.
    """
    with failures_named(uri, "read"):
        reader = _open(uri, max_characters)
        rows = reader.rows()
        head = list(_head(rows, uri))
        source = _describe(head, reader, format, columns or {}, uri)
        collected = _Collector(source, max_characters)
        for row in itertools.chain(head, rows):
            record = collected.add(row)
            if record and refuse and (fault := refuse(record)):
                raise DataError(f"{uri}: row {row.number}: {fault}")
    unseen = [repr(c) for f, c in (columns or {}).items() if not in_turn(f) and c not in collected.seen]
    if unseen:
        raise DataError(f"{uri}: the mapping `columns:` names {', '.join(unseen)}, which no row has; correct it")
    final = collected.finish(reader)
    bad = len(final.quarantined)
    if not final.records or bad > max_bad_share * final.rows:
        place = "" if quarantine is None else f"; every bad row is explained in {quarantine}"
        if quarantine is not None:
            write_quarantine(final, quarantine)
        share = "no row" if not final.records else f"more than {max_bad_share:.0%}"
        what = f"{share} can be used" if not final.records else f"{share} of the rows are bad"
        raise DataError(
            f"{uri}: {what}: {bad} of {final.rows} are bad ({_reasons(final.quarantined)}); read as format "
            f"{source.format} from the columns {', '.join(source.fields.values())}; mend the file or set "
            f"`format:` and `columns:`{place}"
        )
    return final


def describe(
    uris: Sequence[str],
    *,
    format: str = "auto",
    columns: Mapping[str, str] | None = None,
    max_characters: int = 1_000_000,
) -> SourceSchema:
    """The schema of several files that are one set, told from the first rows as `load` tells it of one file.

    Raises DataError as `load` does.
    """
    with failures_named(uris[0], "read"):
        first = _open(uris[0], max_characters)
        head = list(_head(itertools.chain(first.rows(), _rows(uris[1:], max_characters)), uris[0]))
        return _describe(head, first, format, columns or {}, uris[0])


def load_parts(
    uri: str, source: SourceSchema, *, rows: int, first_row: int = 0, max_characters: int = 1_000_000
) -> Iterator[Loaded]:
    """Reads a file of a known schema, at most `rows` rows at a time.

    `first_row` rows of the set lie in files before this one: ids that come from a row's number count them, the
    numbers in the quarantine do not. Ids are unique within the file. Raises DataError where the file is missing or
    broken as a whole; judging the share of bad rows is left to the caller.
    """
    with failures_named(uri, "read"):
        reader = _open(uri, max_characters)
        collected = _Collector(source, max_characters, first_row)
        for row in reader.rows():
            collected.add(row)
            if len(collected) == rows:
                yield collected.finish(reader)
    yield collected.finish(reader)


def write_quarantine(loaded: Loaded, uri: str) -> None:
    """Writes `quarantine_lines` to a path or URL. An empty file says that no row was bad."""
    with atomic_file(uri) as path:
        path.write_bytes(quarantine_lines(loaded))


def quarantine_lines(loaded: Loaded) -> bytes:
    """The bad rows as JSON lines: {"row", "reason", "raw"}, or "raw_base64" where the row is not UTF-8."""
    lines = []
    for bad in loaded.quarantined:
        entry: dict[str, Any] = {"row": bad.row, "reason": bad.reason}
        try:
            entry["raw"] = bad.raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            entry["raw_base64"] = base64.b64encode(bad.raw).decode("ascii")
        lines.append(json.dumps(entry, ensure_ascii=False) + "\n")
    return "".join(lines).encode("utf-8")


def _open(uri: str, max_characters: int) -> Reader:
    # One character takes up to 12 bytes as an escaped pair; the rest is room for other columns.
    limit = 16 * max_characters + (1 << 16)
    fs, path = filesystem(uri)
    info = fs.info(path)  # FileNotFoundError, which the caller names
    if info["type"] == "directory":
        return SavedDatasetReader(uri.rstrip("/"), Container(kind="datasets"), limit)
    container = container_of(uri)
    if info["size"] == 0:
        raise DataError(f"{uri}: the file is empty")
    if container.kind == "json" and _is_json_lines(uri, container, limit):
        container = container.model_copy(update={"kind": "jsonl"})
    readers: dict[str, type[Reader]] = {
        "jsonl": JsonLinesReader,
        "json": JsonReader,
        "csv": CsvReader,
        "parquet": ParquetReader,
    }
    return readers[container.kind](uri, container, limit)


def _rows(uris: Sequence[str], max_characters: int) -> Iterator[RawRow]:
    """The rows of several files, each named by what fails in it."""
    for uri in uris:
        with failures_named(uri, "read"):
            yield from _open(uri, max_characters).rows()


def _is_json_lines(uri: str, container: Container, limit: int) -> bool:
    """Whether a file named .json holds JSON lines, as many published ones do."""
    with open_binary(uri, gzipped=container.gzip) as stream:
        first = stream.readline(limit).removeprefix(b"\xef\xbb\xbf").strip()
        more = bool(first) and bool(stream.read(1 << 16).strip())
    if not more or not first.startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _head(rows: Iterator[RawRow], uri: str) -> Iterator[RawRow]:
    good = seen = 0
    for row in rows:
        yield row
        seen += 1
        good += not row.reason
        if good == SAMPLE:
            return
        if seen == SEARCHED and not good:
            raise DataError(
                f"{uri}: none of the first {SEARCHED:,} rows can be read (row {row.number}: {row.reason})"
            )
    if not seen:
        raise DataError(f"{uri}: the file holds no rows")


def _describe(
    head: list[RawRow], reader: Reader, format: str, mapping: Mapping[str, str], uri: str
) -> SourceSchema:
    rows = [row.value for row in head if not row.reason and isinstance(row.value, dict)]
    if not rows:
        bad = [Quarantined(r.number, r.reason or "expected an object with columns", b"") for r in head]
        raise DataError(f"{uri}: no row can be used ({_reasons(bad)})")
    columns = reader.columns or tuple(dict.fromkeys(name for row in rows for name in row))
    is_csv, more = reader.container.kind == "csv", reader.columns is None
    name, fields = detect(rows, columns, format=format, mapping=mapping, uri=uri, is_csv=is_csv, more=more)
    source = SourceSchema(container=reader.container, format=name, fields=fields, columns=columns)
    found: dict[str, Any] = {}
    if "id" in fields:
        ids = [row[fields["id"]] for row in rows if row.get(fields["id"]) is not None]
        found["integer_ids"] = bool(ids) and all(type(i) is int for i in ids)
    texts = ["system"] if source.has_turns else [f for f in fields if f not in ("id", "label")]
    blanks = {f: [b for row in rows if (b := blank_in(row, fields[f]))] for f in texts if f in fields}
    found["blanks"] = {f: kinds[0] for f, kinds in blanks.items() if kinds and kinds[0] != "text"}
    if source.has_turns:
        found |= _describe_turns(rows, source)
    return source.model_copy(update=found)


def _describe_turns(rows: list[dict[str, Any]], source: SourceSchema) -> dict[str, Any]:
    column, role_key, content_key = source.turn_fields
    found: dict[str, Any] = {"roles": {}}
    turns = sample_turns(rows, column)
    first = Counter(next((k for k in turn if k in (role_key, content_key)), role_key) for turn in turns)
    found["content_first"] = first[content_key] > first[role_key]
    for turn in turns:
        name = turn.get(role_key)
        if isinstance(name, str) and (role := ROLES.get(name.strip().lower())):
            found["roles"].setdefault(role, name)
    values = [row[column] for row in rows if row.get(column)]
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) > len(values) / 2:
        found["turns_as_text"] = max(get_args(TextStyle), key=lambda style: _spelled(texts, style))
    meta = [row["meta"] for row in rows if "meta" in row]
    own = {column, source.fields.get("id", "id"), "meta", "flagged"}
    if (
        source.container.kind in ("jsonl", "json")
        and meta
        and all(isinstance(m, dict) for m in meta)
        and all(row.keys() <= own for row in rows)
    ):
        found["own_rows"] = True
        found["fields"] = {**source.fields, "meta": "meta"}
        found["blanks"] = {"flagged": "null" if all("flagged" in row for row in rows) else "absent"}
    return found


def _spelled(texts: list[str], style: TextStyle) -> int:
    """How many of the texts this style spells exactly."""
    same = 0
    for text in texts:
        try:
            same += dump_turns(json.loads(text), style) == text
        except (ValueError, RecursionError):
            continue
    return same


class _Collector:
    """Turns rows into records, one by one. `len` counts the rows since the last `finish`."""

    def __init__(self, source: SourceSchema, max_characters: int, first_row: int = 0) -> None:
        self._source, self._max, self._first_row = source, max_characters, first_row
        self._records: list[Record] = []
        self._bad: list[Quarantined] = []
        self._own_ids: list[str] = []
        self._ids = UniqueIds()
        self.seen = set(source.columns)
        """Columns of any row so far."""

    def __len__(self) -> int:
        return len(self._records) + len(self._bad)

    def add(self, row: RawRow) -> Record | None:
        """The record, or None where the row is bad."""
        reason = row.reason
        if not reason:
            try:
                if isinstance(row.value, dict) and not self.seen.issuperset(row.value):
                    self._note_columns(row.value)
                record = decode(row.value, self._first_row + row.number, self._source)
                length = sum(len(m.content) for m in record.messages)
                if length <= self._max:
                    self._records.append(self._unique(record))
                    return record
                reason = f"the record has {length:,} characters, more than the limit of {self._max:,}"
            except BadRow as e:
                reason = str(e)
        raw = row.raw or json.dumps(row.value, ensure_ascii=False).encode("utf-8", "surrogatepass")
        self._bad.append(Quarantined(row.number, reason, raw))
        return None

    def _note_columns(self, row: Mapping[str, Any]) -> None:
        new = [column for column in row if column not in self.seen]
        self.seen.update(new)
        self._source = with_later_columns(self._source, new)

    def finish(self, reader: Reader) -> Loaded:
        source = self._source.model_copy(update={"container": reader.container})
        loaded = Loaded(self._records, self._bad, source, len(self), self._own_ids)
        self._records, self._bad, self._own_ids = [], [], []
        return loaded

    def _unique(self, record: Record) -> Record:
        self._own_ids.append(record.id)
        name = self._ids.of(record.id)
        return record if name == record.id else with_unique_id(record, name, self._source)


def _reasons(bad: list[Quarantined]) -> str:
    counts = Counter(q.reason for q in bad)
    first = {q.reason: q.row for q in reversed(bad)}
    return "; ".join(f"{n} x {reason}, first in row {first[reason]}" for reason, n in counts.most_common(3))
