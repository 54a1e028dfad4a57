"""Where a data set lies and what kind of file it is: paths, suffixes, opening for reading and for writing."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import shutil
import tempfile
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict

from operators.errors import DataError, Unreachable

Kind = Literal["jsonl", "json", "csv", "parquet", "datasets"]

SUFFIXES: dict[str, Kind] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}


NETWORK = {"botocore", "aiobotocore", "aiohttp", "s3fs"}
FOREIGN = {"pyarrow", *NETWORK}


class Container(BaseModel):
    """The kind of file and everything about it that a writer needs to make another one like it."""

    model_config = ConfigDict(frozen=True)
    kind: Kind
    gzip: bool = False
    suffix: str = ""
    """Of the input, without ".gz"; empty for a directory."""
    encoding: Literal["utf-8", "utf-8-sig"] = "utf-8"
    delimiter: str = ","
    """CSV only."""
    newline: Literal["\n", "\r\n"] = "\n"
    """CSV only: what ends a row."""
    list_key: str | None = None
    """JSON only: key of the list where the file holds an object; None where it holds an array."""
    envelope: dict[str, Any] = {}
    """JSON only: the object's other keys."""
    arrow_schema: str | None = None
    """Parquet and saved data sets only: the serialized Arrow schema, base64."""


def output_name(container: Container, stem: str = "processed") -> str:
    """File name for a data set in this container, for example "processed.jsonl" or "processed.csv.gz";
    the bare stem for a saved `datasets` directory."""
    return f"{stem}{container.suffix}{'.gz' if container.gzip else ''}"


def container_of(uri: str) -> Container:
    """The container a file name promises. Raises DataError on a suffix that means nothing to us."""
    name = uri.rstrip("/").rsplit("/", 1)[-1].lower()
    zipped = name.endswith(".gz")
    suffix = Path(name.removesuffix(".gz")).suffix
    kind = SUFFIXES.get(suffix)
    if kind is None or (zipped and kind == "parquet"):
        raise DataError(
            f"{uri}: cannot tell the kind of file from its name; expected one of "
            f"{', '.join(SUFFIXES)} (text files also with .gz), or a directory written by datasets.save_to_disk"
        )
    return Container(kind=kind, gzip=zipped, suffix=suffix)


def absolute(uri: str) -> str:
    """The same place for a process that runs in another directory: a path made absolute, a URL as it is."""
    return uri if "://" in uri else str(Path(uri).expanduser().absolute())


def filesystem(uri: str) -> tuple[Any, str]:
    """The fsspec file system of a path or URL, and the path on it. S3 takes its endpoint and credentials from
    the AWS_* environment variables, or as `operators.data.s3` was told."""
    import fsspec

    try:
        fs, path = fsspec.core.url_to_fs(absolute(uri))
    except (ValueError, ImportError):
        raise DataError(f"{uri}: no file system is known for this kind of URL; give a path or s3://") from None
    # A long-lived process must see an object that arrived after it last listed the bucket.
    fs.invalidate_cache()
    return fs, path


def is_local(fs: Any) -> bool:
    """Whether an fsspec file system is this machine's own."""
    return "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))


@contextlib.contextmanager
def failures_named(uri: str, action: str) -> Iterator[None]:
    """Turns what file systems, decompressors and Arrow raise into a DataError that names the place and nothing
    else: their own messages may quote a record. Any other exception is a fault of ours and passes."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{uri}: no such file or directory; check the path") from None
    except Exception as e:
        package = type(e).__module__.partition(".")[0]
        if not isinstance(e, (OSError, EOFError, zlib.error)) and package not in FOREIGN:
            raise
        # A broken file raises an OSError as well, but one without a number of the operating system's.
        # So has what S3 says about missing rights.
        passing = isinstance(e, ConnectionError | TimeoutError | PermissionError)
        away = package in NETWORK or passing or getattr(e, "errno", None)
        fix = (
            "no space is left on a disk that is written to; free some, or set TMPDIR where temporary files fill it"
            if getattr(e, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
            else "check that the file is whole and readable and, for s3://, the AWS_* environment variables or "
            "the block of AUTODP_S3_BLOCK"
        )
        raise (Unreachable if away else DataError)(
            f"{uri}: cannot be {action} ({type(e).__name__}); {fix}"
        ) from None


@contextlib.contextmanager
def open_binary(uri: str, *, gzipped: bool = False) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed where asked, read piece by piece."""
    fs, path = filesystem(uri)
    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(fs.open(path, "rb"))
        if gzipped:
            yield stack.enter_context(gzip.open(raw, "rb"))
        elif is_local(fs):
            yield raw
        else:
            # A remote file of fsspec cannot read a line up to a limit.
            yield stack.enter_context(io.BufferedReader(raw, 1 << 20))


@contextlib.contextmanager
def atomic_file(uri: str) -> Iterator[Path]:
    """A temporary local file that becomes `uri` when the block ends well, and vanishes when it does not.

    Locally by a rename, which is atomic because the temporary file lies beside its target; elsewhere by one
    upload: an object store shows an object only when it is complete.
    """
    fs, path = filesystem(uri)
    with failures_named(uri, "written"):
        if is_local(fs):
            target = Path(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{uuid.uuid4().hex}.part")  # a name may be as long as it can be already
            try:
                yield partial
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
        else:
            with tempfile.TemporaryDirectory() as folder:
                partial = Path(folder) / "part"
                yield partial
                fs.put_file(str(partial), path)


@contextlib.contextmanager
def atomic_directory(uri: str, *, marker: str) -> Iterator[Path]:
    """As `atomic_file`, for a directory. Only a directory that holds the file `marker` is ever replaced.

    On an object store, where no directory appears at once, `marker` is uploaded last.
    """
    fs, path = filesystem(uri.rstrip("/"))
    if fs.exists(path) and not fs.exists(f"{path}/{marker}") and (fs.isfile(path) or fs.ls(path)):
        raise DataError(f"{uri}: something else is there already; choose another place")
    if is_local(fs):
        target = Path(path)
        partial, old = (target.with_name(f".{uuid.uuid4().hex}.{end}") for end in ("part", "old"))
        try:
            with failures_named(uri, "written"):
                target.parent.mkdir(parents=True, exist_ok=True)
                yield partial
                if target.exists():
                    target.rename(old)
                partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
    else:
        with tempfile.TemporaryDirectory() as folder, failures_named(uri, "written"):
            partial = Path(folder) / "part"
            yield partial
            files = sorted((p for p in partial.rglob("*") if p.is_file()), key=lambda p: (p.name == marker, p))
            for file in files:
                fs.put_file(str(file), f"{path}/{file.relative_to(partial).as_posix()}")
