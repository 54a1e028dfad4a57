"""One shard of a large set: read, processed and written a few thousand rows at a time, and marked when it is done.

A mark is written after what it speaks of and names that by content: the shard's digest and everything else the
output depends on, and the output's own digest. So a run that was killed goes on where it stopped, and nothing is
taken for done that is damaged, half written, or was made with another recipe.
"""

from __future__ import annotations

import hashlib
import itertools
import posixpath
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from operators.data.containers import atomic_file, failures_named, filesystem
from operators.data.loading import Loaded, load_parts, quarantine_lines
from operators.data.records import Record
from operators.data.schemas import SourceSchema
from operators.data.shards import Shard
from operators.data.splits import without
from operators.data.store import HashedFile, Store
from operators.data.writers import parquet_parts
from operators.digest import digest
from operators.errors import DataError
from operators.processing import TeamContext, opened
from operators.teams.base import OperatorReport, OperatorSpec
from operators.teams.registry import rebuild

VERSION = 1
"""Goes up when the same shard and the same job would give another output."""
MARKS, QUARANTINE = "_marks", "_quarantine"
_PART = 1 << 20


class ShardJob(BaseModel):
    """What is done to every shard. All operators judge each record alone (`Operator.judges_alone`)."""

    model_config = ConfigDict(frozen=True)
    source: SourceSchema
    """Told from the first rows of the whole set, so that all shards are read alike."""
    specs: tuple[OperatorSpec, ...]
    context: TeamContext
    left_out: Literal["question", "conversation"]
    """Which records repeat one of `context.held_out` and are not processed."""
    store: str
    output: str
    """Directory or prefix; shards keep their names below it."""
    rows_at_once: int

    def key(self, sha256: str) -> str:
        """What a shard's output depends on. Where shards lie, and their Arrow schema, which their bytes tell, are
        no part of it."""
        source = self.source.model_copy(
            update={"container": self.source.container.model_copy(update={"arrow_schema": None})}
        )
        return digest(VERSION, sha256, source, list(self.specs), self.context, self.left_out)


class ShardRun(BaseModel):
    """What was done to one shard, in counts; also the content of its mark."""

    model_config = ConfigDict(frozen=True)
    name: str
    key: str
    sha256: str
    """Of the output."""
    rows: int
    records: int
    """Rows that were usable."""
    rows_out: int
    reports: list[OperatorReport]
    reused: bool = False
    """Whether it was done by an earlier run."""


def process_shard(job: ShardJob, shard: Shard) -> ShardRun:
    """Processes one shard, unless its mark says that this very output is there. Safe to repeat at any point."""
    target = posixpath.join(job.output, shard.name)
    mark = posixpath.join(job.output, MARKS, f"{shard.name}.json")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "shard.parquet"
        key = job.key(_copied(shard.uri, copy))
        if done := _finished(mark, key, target):
            return done.model_copy(update={"reused": True})
        _remove(mark)
        with _named(shard.uri, copy), atomic_file(target) as partial:
            parts = load_parts(str(copy), job.source, rows=job.rows_at_once, first_row=shard.first_row)
            done = _written(parts, job, shard.name, key, partial, target)
    with atomic_file(mark) as partial:
        partial.write_text(done.model_dump_json(exclude={"reused"}), encoding="utf-8")
    return done


def _written(parts: Iterable[Loaded], job: ShardJob, name: str, key: str, partial: Path, target: str) -> ShardRun:
    store = Store(job.store)
    context = opened(job.context, store)
    operators = rebuild(job.specs)
    reports: list[list[OperatorReport]] = []
    rows = usable = left = 0

    def processed(records: list[Record]) -> list[Record]:
        if context.held_out:
            records = without(records, context.held_out, same=job.left_out)
        made = []
        for operator in operators:
            records, report = operator.run(records, context)
            made.append(report)
        reports.append(made)
        return records

    parts = iter(parts)
    first = next(parts)
    with (
        parquet_parts(partial, target, first.source) as write,
        _quarantine(posixpath.join(job.output, QUARANTINE, f"{name}.jsonl")) as set_aside,
    ):
        for part in itertools.chain([first], parts):
            rows, usable = rows + part.rows, usable + len(part.records)
            set_aside(part)
            records = processed(part.records)
            left += len(records)
            write(records)
    with partial.open("rb") as f:
        sha256 = hashlib.file_digest(f, "sha256").hexdigest()
    summed = [sum_reports(run) for run in zip(*reports, strict=True)]
    return ShardRun(name=name, key=key, sha256=sha256, rows=rows, records=usable, rows_out=left, reports=summed)


def sum_reports(reports: Sequence[OperatorReport]) -> OperatorReport:
    """One report of an operator that ran over several parts of a set."""
    first = reports[0]
    counts: dict[str, int] = {}
    for report in reports:
        for what, n in report.counts.items():
            counts[what] = counts.get(what, 0) + n
    numbers = ("rows_in", "rows_out", "changed", "dropped", "added", "seconds")
    totals = {name: sum(getattr(r, name) for r in reports) for name in numbers}
    return first.model_copy(update={**totals, "seconds": round(totals["seconds"], 3), "counts": counts})


def _copied(uri: str, copy: Path) -> str:
    """Brings a file here; the SHA-256 of its bytes. What is read is then what was named, whoever writes there."""
    fs, path = filesystem(uri)
    with failures_named(uri, "read"), fs.open(path, "rb") as raw, copy.open("wb") as target:
        file = HashedFile(raw)
        while part := file.read(_PART):
            target.write(part)
    return file.sha256


def _finished(mark: str, key: str, target: str) -> ShardRun | None:
    """The run that the mark tells of, where it is this one and its output is as it left it."""
    fs, path = filesystem(mark)
    try:
        done = ShardRun.model_validate_json(fs.cat_file(path))
        if done.key != key:
            return None
        fs, path = filesystem(target)
        with fs.open(path, "rb") as raw:
            file = HashedFile(raw)
            while file.read(_PART):
                pass
    except (FileNotFoundError, ValidationError):
        return None
    return done if file.sha256 == done.sha256 else None


def _remove(uri: str) -> None:
    fs, path = filesystem(uri)
    with failures_named(uri, "removed"), suppress(FileNotFoundError):
        fs.rm_file(path)


@contextmanager
def _quarantine(uri: str) -> Iterator[Callable[[Loaded], None]]:
    """Sets bad rows aside, part by part. A file is there only where a row was bad."""
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "bad"
        with lines.open("wb") as f:

            def add(part: Loaded) -> None:
                f.write(quarantine_lines(part))

            yield add
        if lines.stat().st_size:
            with atomic_file(uri) as partial:
                shutil.copyfile(lines, partial)
        else:
            _remove(uri)


@contextmanager
def _named(uri: str, copy: Path) -> Iterator[None]:
    """Failures to read the copy name the file it was made of."""
    try:
        yield
    except DataError as e:
        raise type(e)(str(e).replace(str(copy), uri)) from None
