"""One shard of a large set: read, processed and written a few thousand rows at a time, and marked when it is done.

A mark is written after what it speaks of and names that by content: the shard's digest and everything else the
output depends on, and the output's own digest. So a run that was killed goes on where it stopped, and nothing is
taken for done that is damaged, half written, or was made with another recipe.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import posixpath
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
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
from operators.errors import DataError, Unreachable
from operators.processing import TeamContext, opened
from operators.teams.base import OperatorReport, OperatorSpec
from operators.teams.registry import rebuild
from operators.whole_set import StoredShard

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
    """Which records repeat one of `context.held_out`."""
    leave_out: bool = True
    """Whether those are not processed."""
    store: str
    output: str
    """Directory or prefix; shards keep their names below it."""
    rows_at_once: int
    keep: bool = False
    """Whether records are kept in the store, for what looks at the whole set, and not written yet."""

    def key(self, sha256: str, shard: Shard) -> str:
        """What a shard's output depends on. Where shards lie, and their Arrow schema, which their bytes tell, are
        no part of it."""
        source = self.source.model_copy(
            update={"container": self.source.container.model_copy(update={"arrow_schema": None})}
        )
        # Ids that come from a row's number are written to no file, but kept.
        kept = [shard.first_row] if self.keep else []
        return digest(
            VERSION, sha256, source, list(self.specs), self.context.content(), self.left_out, self.leave_out, *kept
        )


class ShardRun(BaseModel):
    """What was done to one shard, in counts; also the content of its mark."""

    model_config = ConfigDict(frozen=True)
    name: str
    key: str
    sha256: str
    """Of the output, or of the records kept."""
    kept: StoredShard | None = None
    rows: int
    records: int
    """Rows that were usable."""
    rows_out: int
    reports: list[OperatorReport]
    reused: bool = False
    """Whether it was done by an earlier run."""


def process_shard(job: ShardJob, shard: Shard) -> ShardRun:
    """Processes one shard, unless its mark says that this very output is there. Safe to repeat at any point."""
    mark = posixpath.join(job.output, MARKS, f"{shard.name}.json")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "shard.parquet"
        key = job.key(_copied(shard.uri, copy), shard)
        if done := _finished(mark, key, job):
            return done.model_copy(update={"reused": True})
        _remove(mark)
        with _named(shard.uri, copy):
            parts = load_parts(str(copy), job.source, rows=job.rows_at_once, first_row=shard.first_row)
            done = (_kept if job.keep else _written)(parts, job, shard.name, key)
    with atomic_file(mark) as partial:
        partial.write_text(done.model_dump_json(exclude={"reused"}), encoding="utf-8")
    return done


class _Chain:
    """The job's operators over the parts of one shard, and the counts of all parts together."""

    def __init__(self, job: ShardJob) -> None:
        self._context = opened(job.context, Store(job.store))
        self._held_out, self._same = self._context.held_out if job.leave_out else (), job.left_out
        self._operators = rebuild(job.specs)
        self._reports: list[list[OperatorReport]] = [[] for _ in self._operators]
        self._rows = self._records = self._rows_out = 0

    def __call__(self, part: Loaded) -> list[Record]:
        """The processed records of the part."""
        records = part.records
        if self._held_out:
            records = without(records, self._held_out, same=self._same)
        for operator, reports in zip(self._operators, self._reports, strict=True):
            records, report = operator.run(records, self._context)
            reports.append(report)
        self._rows += part.rows
        self._records += len(part.records)
        self._rows_out += len(records)
        return records

    def run(self, name: str, key: str, sha256: str, kept: StoredShard | None = None) -> ShardRun:
        """What was done."""
        return ShardRun(
            name=name,
            key=key,
            sha256=sha256,
            kept=kept,
            rows=self._rows,
            records=self._records,
            rows_out=self._rows_out,
            reports=[sum_reports(reports) for reports in self._reports],
        )


def _written(parts: Iterator[Loaded], job: ShardJob, name: str, key: str) -> ShardRun:
    chain, target = _Chain(job), posixpath.join(job.output, name)
    first = next(parts)  # the file's own Arrow schema comes with it
    with atomic_file(target) as partial:
        with parquet_parts(partial, target, first.source) as write, _quarantine(job, name) as set_aside:
            for part in itertools.chain([first], parts):
                set_aside(part)
                write(chain(part))
        with partial.open("rb") as f:
            sha256 = hashlib.file_digest(f, "sha256").hexdigest()
    return chain.run(name, key, sha256)


def _kept(parts: Iterator[Loaded], job: ShardJob, name: str, key: str) -> ShardRun:
    chain, store = _Chain(job), Store(job.store)
    own_ids: list[str] = []
    records: list[Record] = []
    source = job.source
    with _quarantine(job, name) as set_aside:
        for part in parts:
            set_aside(part)
            own_ids += part.own_ids
            records += chain(part)
            source = part.source
    kept = StoredShard(
        dataset=store.put_records(records),
        own_ids=store.put_bytes(json.dumps(own_ids).encode()),
        source=source,
    )
    return chain.run(name, key, kept.dataset.sha256, kept)


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


def _finished(mark: str, key: str, job: ShardJob) -> ShardRun | None:
    """The run that the mark tells of, where it is this one and its output is as it left it."""
    fs, path = filesystem(mark)
    try:
        done = ShardRun.model_validate_json(fs.cat_file(path))
    except (FileNotFoundError, ValidationError):
        return None
    if done.key != key:
        return None
    if done.kept is None:
        intact = _is_intact(posixpath.join(job.output, done.name), done.sha256)
    else:
        store = Store(job.store)
        objects = (done.kept.dataset.sha256, done.kept.own_ids.sha256)
        intact = all(_is_intact(store.fs.unstrip_protocol(store.path(s)), s) for s in objects)
    return done if intact else None


def _is_intact(uri: str, sha256: str) -> bool:
    fs, path = filesystem(uri)
    try:
        with failures_named(uri, "read"), fs.open(path, "rb") as raw:
            file = HashedFile(raw)
            while file.read(_PART):
                pass
    except Unreachable:
        raise
    except DataError:  # it is not there
        return False
    return file.sha256 == sha256


def _remove(uri: str) -> None:
    fs, path = filesystem(uri)
    with failures_named(uri, "removed"), suppress(FileNotFoundError):
        fs.rm_file(path)


@contextmanager
def _quarantine(job: ShardJob, name: str) -> Iterator[Callable[[Loaded], None]]:
    """Sets bad rows aside, part by part. A file is there only where a row was bad."""
    uri = posixpath.join(job.output, QUARANTINE, f"{name}.jsonl")
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
