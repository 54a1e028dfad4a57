"""Objects below a prefix, each version with an identity that every source of events agrees on."""

from __future__ import annotations

import logging
import posixpath
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field, field_validator

from operators.data.containers import SUFFIXES, failures_named, filesystem, is_local
from operators.digest import digest
from operators.errors import DataError, Unreachable

log = logging.getLogger(__name__)

CHUNK = 1 << 22
DATA_FILE = re.compile(rf"({'|'.join(map(re.escape, SUFFIXES))})(\.gz)?$")


class UploadGone(DataError):
    """The object was deleted before it was read."""


class UploadChanged(DataError):
    """The object was written again before it was read: its new version is an upload of its own."""


class Upload(BaseModel):
    """One version of one object. On an object store equal bytes under one key are one version, whenever stored."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        field_title_generator=lambda name, _field: name.replace("_", " ").capitalize(),
    )
    uri: str = Field(min_length=1, max_length=4096, description="s3:// URL or path of the object")
    etag: str = Field(min_length=1, max_length=256, description="The version's ETag, without quotes")
    size: int | None = Field(None, ge=0, description="Bytes; None where the notification did not say")

    @field_validator("etag")
    @classmethod
    def _bare(cls, value: str) -> str:
        return value.removeprefix("W/").strip('"')

    @field_validator("uri")
    @classmethod
    def _one_place(cls, value: str) -> str:
        if "::" in value:
            raise ValueError("'::' in a URL chains file systems of fsspec: rename the object")
        return value

    @property
    def id(self) -> UUID:
        """Identity of this version: the id of its event, and its place in the ledger."""
        return uuid5(NAMESPACE_URL, digest("upload", self.uri, self.etag))

    def event_id(self, attempt: int = 1) -> UUID:
        """Id of the event that asks for this upload the n-th time. Equal ids are one event to Prefect."""
        return self.id if attempt == 1 else uuid5(self.id, str(attempt))

    @property
    def name(self) -> str:
        """The last part of the key."""
        return posixpath.basename(self.uri)


def list_uploads(prefix: str, settled: float = 2.0) -> list[Upload]:
    """Every data file below a prefix, in the order of its names. Hidden files and other kinds are passed over, and
    so are local files written in the last `settled` seconds: an object store shows only complete objects, a
    directory does not. A name that is not UTF-8, too long or has "::" is passed over with a warning."""
    with failures_named(prefix, "listed"):
        fs, path = filesystem(prefix)
        before = time.time() - settled
        found = []
        for _, info in sorted(fs.find(path, detail=True).items()):
            if below_prefix(_uri(fs, info), prefix) is None or (is_local(fs) and info["mtime"] > before):
                continue
            try:
                found.append(_upload(fs, info))
            except ValueError:  # one name must not keep a pass from all other uploads
                name = _uri(fs, info).encode("utf-8", "backslashreplace").decode()[:4096]
                log.warning("%s: the name is not UTF-8, too long or has '::': rename the file", name)
        return found


def find_upload(uri: str) -> Upload | None:
    """The object as it is now, or None where it is not there."""
    with failures_named(uri, "looked up"):
        fs, path = filesystem(uri)
        try:
            return _upload(fs, fs.info(path))
        except FileNotFoundError:
            return None


def read_upload(upload: Upload) -> Iterator[bytes]:
    """The bytes of exactly this version, piece by piece.

    Raises UploadGone or UploadChanged where it is not there any more, before or after the reading: pieces count
    only once the iterator has ended well.
    """
    _check(upload, find_upload(upload.uri))
    done = 0
    fs, path = filesystem(upload.uri)
    try:
        with fs.open(path, "rb") as f:
            while piece := f.read(CHUNK):
                done += len(piece)
                yield bytes(piece)
    except FileNotFoundError:
        raise UploadGone(f"{upload.uri}: was deleted while it was read") from None
    except OSError:
        # s3fs asks for the version it opened, and fails where that was replaced.
        _check(upload, find_upload(upload.uri))
        fix = (
            "its permissions"
            if is_local(fs)
            else "the AWS_* environment variables or the block of AUTODP_S3_BLOCK"
        )
        raise Unreachable(f"{upload.uri}: cannot be read; check {fix}") from None
    _check(upload, find_upload(upload.uri))
    if upload.size is not None and done != upload.size:
        raise UploadChanged(
            f"{upload.uri}: {done:,} bytes were read of {upload.size:,}: it is still being written"
        )


def _check(upload: Upload, now: Upload | None) -> None:
    if now is None:
        raise UploadGone(
            f"{upload.uri}: was deleted before it was read; upload it again and, if nothing happens (the bytes "
            "are the same), run `autodp retry`"
        )
    if now.etag != upload.etag:
        raise UploadChanged(
            f"{upload.uri}: was written again before it was read; the new version has its own event"
        )


def _upload(fs: Any, info: dict[str, Any]) -> Upload:
    uri = _uri(fs, info)
    if is_local(fs):
        version = f"{info['ino']:x}-{int(info['mtime'] * 1e9):x}-{info['size']:x}"  # no rewritten file keeps all
        return Upload(uri=uri, etag=version, size=info["size"])
    etag = next((str(info[k]) for k in ("ETag", "etag", "md5Hash", "mtime") if info.get(k)), "")
    return Upload(uri=uri, etag=etag, size=info["size"])


def _uri(fs: Any, info: dict[str, Any]) -> str:
    return str(info["name"] if is_local(fs) else fs.unstrip_protocol(info["name"]))


def below_prefix(uri: str, prefix: str) -> str | None:
    """The object's name below the prefix; None where it lies elsewhere, is hidden, or is no data file.

    A name with an empty part or one that starts with "." or "_" is none: ".." leads elsewhere.
    """
    root = _folder(prefix)
    name = uri.removeprefix(root)
    if not uri.startswith(root) or any(not part or part[0] in "._" for part in name.split("/")):
        return None
    return name if DATA_FILE.search(name.lower()) else None


def is_watched(place: str, prefix: str) -> bool:
    """Whether a file written to the folder `place` would be taken for an upload below `prefix`."""
    root, folder = _folder(prefix), _folder(place)
    return folder.startswith(root) and not any(part[0] in "._" for part in folder[len(root) :].split("/") if part)


def _folder(place: str) -> str:
    return (place if "://" in place else str(Path(place).expanduser().absolute())).rstrip("/") + "/"
