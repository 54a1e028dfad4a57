"""Rows out of text files: JSON lines, JSON, CSV. Each row comes with its number, and a reason where it is bad."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from operators.data.containers import Container, open_binary
from operators.data.json_stream import JsonRows
from operators.errors import DataError

BOM = b"\xef\xbb\xbf"


class RawRow(NamedTuple):
    """One row of a container."""

    number: int
    """Line of a JSON-lines file; else the row, not counting a CSV header. 1-based."""
    value: Any
    """Parsed; None where `reason` is set."""
    raw: bytes
    """As in the file, for the quarantine; empty where the container has no text form."""
    reason: str = ""


class Reader(ABC):
    """One pass over the rows of one container."""

    def __init__(self, uri: str, container: Container, limit: int) -> None:
        """`limit`: bytes of one row beyond which it is not even parsed."""
        self.uri, self._container, self.limit = uri, container, limit

    @abstractmethod
    def rows(self) -> Iterator[RawRow]:
        """All rows in order, bad ones included. Raises DataError where the file as a whole is broken."""

    @property
    def container(self) -> Container:
        """The container as found; complete once `rows` is exhausted."""
        return self._container

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Column names, where the container has them apart from its rows."""
        return None


class JsonLinesReader(Reader):
    """One JSON object a line; blank lines are passed over but counted."""

    def rows(self) -> Iterator[RawRow]:
        with open_binary(self.uri, gzipped=self._container.gzip) as stream:
            for number, (line, cut) in enumerate(_lines(stream, self.limit, self.uri), start=1):
                line = line.removeprefix(BOM) if number == 1 else line
                if cut:
                    yield RawRow(number, None, line, f"the line is longer than {self.limit:,} bytes")
                elif line.strip():
                    yield RawRow(number, *_parsed(line))


class JsonReader(Reader):
    """An array of objects, or an object with one list of objects."""

    def rows(self) -> Iterator[RawRow]:
        with open_binary(self.uri, gzipped=self._container.gzip) as stream:
            _refuse_utf16(stream.read(2), self.uri)
            stream.seek(0)
            text = io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline="")
            document = JsonRows(text, self.uri, self.limit)
            for number, (value, raw) in enumerate(document, start=1):
                line = raw.encode("utf-8", "surrogateescape")
                reason = "" if _is_utf8(line) else "not valid UTF-8"
                yield RawRow(number, None if reason else value, line, reason)
            self._container = self._container.model_copy(
                update={"list_key": document.list_key, "envelope": document.envelope}
            )


class CsvReader(Reader):
    """A header row, then one row a record (RFC 4180; the delimiter is found in the header)."""

    def __init__(self, uri: str, container: Container, limit: int) -> None:
        super().__init__(uri, container, limit)
        self._columns: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    def rows(self) -> Iterator[RawRow]:
        # The default of 128 KiB a field is short of one long answer. The setting is the module's own.
        csv.field_size_limit(max(csv.field_size_limit(), self.limit))
        with open_binary(self.uri, gzipped=self._container.gzip) as stream:
            lines = _CsvLines(stream, self.limit, self.uri)
            self._header(lines)
            reader = csv.reader(lines, delimiter=self._container.delimiter, strict=True)
            number = 0
            while True:
                lines.begin_row()
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as e:
                    number += 1
                    reason = "a quote is not closed, or not doubled"
                    if "new-line" in str(e):
                        reason = "a carriage return outside quotes"
                    yield RawRow(number, None, lines.first_again(), reason)
                    continue
                if cells:
                    number += 1
                    yield self._row(number, cells, lines)

    def _header(self, lines: _CsvLines) -> None:
        try:
            line = next(lines)
            bom, line = line.startswith("\ufeff"), line.removeprefix("\ufeff")
        except StopIteration:
            raise DataError(f"{self.uri}: the file is empty") from None
        if not _is_utf8(lines.raw):
            raise DataError(f"{self.uri}: the header row is not valid UTF-8; save the file as UTF-8")
        # Quotes around names make nonsense of a line split at the wrong mark: strict reading tells.
        choices: dict[str, list[str]] = {}
        for mark in ",;\t|":
            with contextlib.suppress(csv.Error):
                choices[mark] = next(csv.reader([line], delimiter=mark, strict=True))
        if not choices:
            raise DataError(f"{self.uri}: the header row is not valid CSV; each name must end on the first line")
        delimiter = max(choices, key=lambda mark: len(choices[mark]))
        if self._container.suffix == ".tsv" and len(choices.get("\t", ())) > 1:
            delimiter = "\t"  # the file's name says so, though a name of a column may hold commas
        cells = choices[delimiter]
        self._columns = tuple(cells)
        if len(set(cells)) != len(cells):
            raise DataError(f"{self.uri}: the header row names a column twice; give each its own name")
        self._container = self._container.model_copy(
            update={
                "delimiter": delimiter,
                "newline": "\r\n" if line.endswith("\r\n") else "\n",
                "encoding": "utf-8-sig" if bom else "utf-8",
            }
        )

    def _row(self, number: int, cells: list[str], lines: _CsvLines) -> RawRow:
        raw = lines.raw
        if lines.cut:
            return RawRow(number, None, raw, f"the row is longer than {self.limit:,} bytes")
        if not _is_utf8(raw):
            return RawRow(number, None, raw, "not valid UTF-8")
        if len(cells) != len(self._columns):
            reason = f"{len(cells)} cells where the header has {len(self._columns)} (a delimiter outside quotes?)"
            return RawRow(number, None, raw, reason)
        return RawRow(number, dict(zip(self._columns, cells, strict=True)), raw)


class _CsvLines:
    """Lines for `csv.reader`, which remembers those of the current row and can take back all but the first:
    one quote left open must not swallow the rows behind it."""

    def __init__(self, stream: IO[bytes], limit: int, uri: str) -> None:
        self._source = _lines(stream, limit, uri)
        self._row: list[tuple[bytes, bool]] = []
        self._back: deque[tuple[bytes, bool]] = deque()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self._row.append(self._back.popleft() if self._back else next(self._source))
        return self._row[-1][0].decode("utf-8", "surrogateescape")

    def begin_row(self) -> None:
        """Forgets the lines of the row before."""
        self._row.clear()

    def first_again(self) -> bytes:
        """Gives back every line of the row but its first, which is returned."""
        self._back.extendleft(reversed(self._row[1:]))
        return self._row[0][0]

    @property
    def raw(self) -> bytes:
        """The current row as in the file."""
        return b"".join(line for line, _ in self._row)

    @property
    def cut(self) -> bool:
        """Whether a line of the current row was longer than the limit."""
        return any(cut for _, cut in self._row)


def _lines(stream: IO[bytes], limit: int, uri: str) -> Iterator[tuple[bytes, bool]]:
    """(line with its end, whether it was cut at `limit` bytes). The rest of a cut line is passed over, so no
    file can make us hold more than one line of that length."""
    first = True
    while line := stream.readline(limit):
        if first:
            _refuse_utf16(line, uri)
            first = False
        cut = False
        if len(line) == limit and not line.endswith(b"\n"):
            while rest := stream.readline(limit):
                cut = True
                if rest.endswith(b"\n"):
                    break
        yield line, cut


def _parsed(line: bytes) -> tuple[Any, bytes, str]:
    try:
        return json.loads(line.decode("utf-8")), line, ""
    except UnicodeDecodeError:
        return None, line, "not valid UTF-8"
    except json.JSONDecodeError as e:
        return None, line, f"not valid JSON at character {e.pos + 1}"
    except ValueError:
        return None, line, "not valid JSON: a number with too many digits"
    except RecursionError:
        return None, line, "the JSON is nested too deeply"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _refuse_utf16(head: bytes, uri: str) -> None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{uri}: the file is UTF-16; save it as UTF-8")
