"""Content-addressed store on a local directory or any fsspec file system (`s3://bucket/prefix`).

Objects are named by the SHA-256 of their bytes, so writing twice is harmless and a reference stays valid when
the store is moved or reached from another machine. References hold digests and counts, never a location.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import shutil
import tarfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict

from operators.data.containers import atomic_file, failures_named
from operators.data.records import Record, training_digest
from operators.digest import sha256_bytes
from operators.errors import DataError

_PART = 1 << 20
"""Bytes of a large object held at once."""


class DatasetRef(BaseModel):
    """A stored set of records. `sha256` is of the stored bytes, `training_sha256` of what a model would train
    on (see `records.training_digest`); `rows` and `flagged` are counts."""

    model_config = ConfigDict(frozen=True)
    sha256: str
    training_sha256: str
    rows: int
    flagged: int


class BlobRef(BaseModel):
    """A stored file or packed directory (an adapter, a matrix). `size` in bytes."""

    model_config = ConfigDict(frozen=True)
    sha256: str
    size: int


class HashedFile:
    """A file opened for reading that keeps the SHA-256 of what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, all that are left where it is negative."""
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def __iter__(self) -> Iterator[bytes]:
        for line in self._file:
            self._hash.update(line)
            yield line

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes read so far."""
        return self._hash.hexdigest()


class Store:
    """Reads and writes objects below `root`, a path or a URL that fsspec understands."""

    def __init__(self, root: str) -> None:
        import fsspec

        # A bare path is made absolute: Ray workers run in other directories.
        self.root = root if "://" in root else str(Path(root).expanduser().resolve())
        self.fs, self._base = fsspec.core.url_to_fs(self.root)

    @property
    def is_local(self) -> bool:
        """Whether objects are plain files of this machine."""
        return "file" in (self.fs.protocol if isinstance(self.fs.protocol, tuple) else (self.fs.protocol,))

    def path(self, sha256: str) -> str:
        """Where the object with this digest lies, as the file system names it."""
        return f"{self._base}/objects/{sha256[:2]}/{sha256}"

    def put_bytes(self, data: bytes) -> BlobRef:
        """Stores `data` once. A reader never sees a half-written object."""
        ref = BlobRef(sha256=sha256_bytes(data), size=len(data))
        target = self.path(ref.sha256)
        if self.fs.exists(target):
            return ref
        if self.is_local:
            with self._written(target) as f:
                f.write(data)
        else:
            with failures_named(self.root, "written"):
                self.fs.pipe_file(target, data)  # one PUT: object stores show an object only when complete
        return ref

    def put_file(self, file: Path) -> BlobRef:
        """Stores a local file's bytes without holding them in memory."""
        with file.open("rb") as f:
            sha256 = hashlib.file_digest(f, "sha256").hexdigest()
        ref = BlobRef(sha256=sha256, size=file.stat().st_size)
        target = self.path(sha256)
        if self.fs.exists(target):
            return ref
        if self.is_local:
            with file.open("rb") as source, self._written(target) as f:
                shutil.copyfileobj(source, f, _PART)
        else:
            with failures_named(self.root, "written"):
                self.fs.put_file(str(file), target)
        return ref

    @contextmanager
    def _written(self, target: str) -> Iterator[IO[bytes]]:
        """A file that becomes the local object when the block ends well, and is safe on the disk by then."""
        with atomic_file(target) as partial, partial.open("wb") as f:
            yield f
            f.flush()
            os.fsync(f.fileno())

    def get_bytes(self, sha256: str) -> bytes:
        """The object's bytes. Raises DataError where it is missing or damaged."""
        try:
            data = bytes(self.fs.cat_file(self.path(sha256)))
        except FileNotFoundError:
            raise self._missing(sha256) from None
        if sha256_bytes(data) != sha256:
            raise self._damaged(sha256)
        return data

    @contextmanager
    def open(self, sha256: str) -> Iterator[HashedFile]:
        """The object as a file that is read once, from its start. Raises DataError where it is missing, and at
        the end of the block where it is damaged: give nothing made from it away before."""
        try:
            with self.fs.open(self.path(sha256), "rb") as f:
                file = HashedFile(f)
                yield file
                while file.read(_PART):
                    pass
        except FileNotFoundError:
            raise self._missing(sha256) from None
        if file.sha256 != sha256:
            raise self._damaged(sha256)

    def _missing(self, sha256: str) -> DataError:
        return DataError(
            f"object {sha256[:12]} is not in the store {self.root}: it was removed, or belongs to another "
            "store; delete the store's results/ folder to compute it again"
        )

    def _damaged(self, sha256: str) -> DataError:
        return DataError(f"object {sha256[:12]} in the store {self.root} is damaged: delete it and run again")

    def put_records(self, records: Iterable[Record]) -> DatasetRef:
        """Stores records as JSON lines."""
        rows = list(records)
        blob = self.put_bytes("".join(r.to_json() + "\n" for r in rows).encode("utf-8", "surrogatepass"))
        return DatasetRef(
            sha256=blob.sha256,
            training_sha256=training_digest(rows),
            rows=len(rows),
            flagged=sum(r.flagged is not False for r in rows),
        )

    def get_records(self, ref: DatasetRef) -> list[Record]:
        """The records in the order they were stored."""
        return [Record.from_json(line) for line in self.get_bytes(ref.sha256).splitlines()]

    def iter_records(self, ref: DatasetRef) -> Iterator[Record]:
        """As `get_records`, one record at a time; DataError for a damaged object comes after the last."""
        with self.open(ref.sha256) as lines:
            for line in lines:
                try:
                    record = Record.from_json(line)
                except (ValueError, KeyError):
                    raise self._damaged(ref.sha256) from None
                yield record

    def put_directory(self, folder: Path) -> BlobRef:
        """Packs a directory's files (uncompressed tar with fixed metadata: equal files give equal bytes)."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                info = tarfile.TarInfo(str(file.relative_to(folder)))
                info.size = file.stat().st_size
                with file.open("rb") as f:
                    tar.addfile(info, f)
        return self.put_bytes(buffer.getvalue())

    def get_directory(self, ref: BlobRef, cache: Path | None = None) -> Path:
        """Unpacks a directory once into a local cache, named by its digest, and returns its path. In a `cache`
        that is given, others may read it as far as the umask lets them."""
        target = (cache or default_cache()) / "unpacked" / ref.sha256
        if target.exists():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.parent / f".part-{uuid.uuid4().hex}"
        # A directory that is shared has readers of other users (a model server); this machine's cache has not.
        partial.mkdir(mode=0o700 if cache is None else 0o777)
        with tarfile.open(fileobj=io.BytesIO(self.get_bytes(ref.sha256))) as tar:
            tar.extractall(partial, filter="data")
        try:
            partial.rename(target)
        except OSError:  # another process was first; its copy is the same
            if not target.exists():
                raise
        return target


@functools.cache
def default_cache() -> Path:
    """Local cache of this machine (models, unpacked objects): $AUTODP_CACHE or `.autodp/cache` under the
    working directory the first call was made from; workers inherit it through the environment."""
    root = Path(os.environ.get("AUTODP_CACHE", ".autodp/cache")).expanduser().resolve()
    os.environ["AUTODP_CACHE"] = str(root)
    return root
