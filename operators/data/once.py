"""Files that are created once, whoever is first: the base of claims, ledgers and registries."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path

from operators.data.containers import filesystem, is_local


def create_once(uri: str, data: bytes) -> bool:
    """Creates the file with `data`; False, and nothing changed, where it exists already.

    Of any number of processes and machines that try at the same time one gets True, and no reader sees half of
    the file. Locally that is a hard link to a complete file; on an object store a conditional PUT
    (`If-None-Match: *`), which Amazon S3, MinIO and SeaweedFS know. There `data` has to be the caller's own: of
    several with equal data each gets True.
    """
    fs, path = filesystem(uri)
    if not is_local(fs):
        try:
            fs.pipe_file(path, data, mode="create")
        except OSError:  # s3fs reports a failed precondition as EINVAL
            with contextlib.suppress(FileNotFoundError):
                # A client sends a PUT again whose answer was lost, and then finds what it wrote itself.
                return bytes(fs.cat_file(path)) == data
            raise
        return True
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        with partial.open("wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        os.link(partial, target)
    except FileExistsError:
        return False
    finally:
        partial.unlink(missing_ok=True)
    return True
