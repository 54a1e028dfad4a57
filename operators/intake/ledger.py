"""The ledger of uploads: a folder of the store with one sub-folder per object version.

`asked-00001`, ... an event was sent; `claim-00001`, ... a run works on it (see `Lease`); `object.*` the bytes it
works on; `waiting.json` a search has to find a recipe first; `outcome.json` the end. Every file but a claim's is
created once, so of any number of watchers, deliveries and runs one is first, and the others see it.
"""

from __future__ import annotations

import contextlib
import posixpath
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from operators.data.containers import atomic_file, filesystem
from operators.data.lease import Holding, Lease, read_lease
from operators.data.once import create_once
from operators.intake.uploads import Upload, read_upload

CLAIM_SECONDS = 60.0
"""How long after its last sign of life a run keeps its upload."""


class Outcome(BaseModel):
    """What became of an upload. `reason` is one sentence without record text."""

    model_config = ConfigDict(frozen=True)
    status: Literal["processed", "failed", "superseded"]
    upload: Upload
    reason: str
    output: str | None = None
    """The processed object, or the quarantined one."""
    recipe: str | None = None
    rows_in: int = 0
    rows_out: int = 0
    run: str | None = None
    """Id of the flow run."""
    at: datetime | None = None


class Waiting(BaseModel):
    """An upload that a search must find a recipe for."""

    model_config = ConfigDict(frozen=True)
    upload: Upload
    data_set: str
    search_run: str
    """Id of the search's flow run."""
    search: str = ""
    """Its name, which the folder of what it finds has; empty where an earlier release noted the wait."""
    decisions: int = 0
    """How many decisions about the data set there were before the search."""


class _Asked(Upload):
    """The content of an `asked-` file. The sender tells whose it is: see `create_once`."""

    sender: str = ""

    @property
    def upload(self) -> Upload:
        return Upload.model_validate(self.model_dump(exclude={"sender"}))


class Entry(BaseModel):
    """What the names of an upload's files tell."""

    model_config = ConfigDict(frozen=True)
    asked: int = 0
    asked_at: float = 0.0
    """Seconds since 1970, of the last time."""
    claims: int = 0
    copied: bool = False
    waiting: bool = False
    settled: bool = False

    def with_file(self, name: str, info: dict[str, object]) -> Entry:
        """What is known with one more file, of which its file system tells `info`."""
        kind, _, number = name.partition("-")
        if kind == "asked" and number.isdecimal() and int(number) > self.asked:
            return self.model_copy(update={"asked": int(number), "asked_at": _modified(info)})
        if kind == "claim" and number.isdecimal():
            return self.model_copy(update={"claims": max(self.claims, int(number))})
        if kind.startswith("object."):
            return self.model_copy(update={"copied": True})
        if name in ("waiting.json", "outcome.json"):
            return self.model_copy(update={"waiting" if name == "waiting.json" else "settled": True})
        return self


class Ledger:
    """The uploads of one store."""

    def __init__(self, store: str) -> None:
        self.root = posixpath.join(store, "uploads")

    def entries(self) -> dict[str, Entry]:
        """Every upload ever seen, by id, from one listing."""
        fs, root = filesystem(self.root)
        found: dict[str, Entry] = {}
        for name, info in (fs.find(root, detail=True) if fs.exists(root) else {}).items():
            folder, _, file = name.removeprefix(root).strip("/").partition("/")
            if file:  # else something like .DS_Store
                found[folder] = found.get(folder, Entry()).with_file(file, info)
        return found

    def under_way(self, entries: Mapping[str, Entry]) -> Iterator[Upload]:
        """Those of the uploads with these ids that were asked for and copied, and neither wait nor have ended:
        their objects may be gone, and they are not."""
        for name, entry in entries.items():
            if entry.copied and entry.asked and not entry.waiting and not entry.settled:
                fs, path = filesystem(posixpath.join(self.root, name, f"asked-{entry.asked:05d}"))
                with contextlib.suppress(FileNotFoundError):  # it has ended since
                    yield _Asked.model_validate_json(fs.cat_file(path)).upload

    def entry(self, upload: Upload) -> Entry:
        """One upload's; an empty one where it was never seen."""
        fs, folder = filesystem(self._place(upload))
        found = Entry()
        for name, info in (fs.find(folder, detail=True) if fs.exists(folder) else {}).items():
            found = found.with_file(name.removeprefix(folder).strip("/"), info)
        return found

    def mark_asked(self, upload: Upload, attempt: int) -> bool:
        """Notes that an event is about to be sent; False where somebody sends this one already."""
        asked = _Asked(**upload.model_dump(), sender=uuid.uuid4().hex)
        return create_once(self._place(upload, f"asked-{attempt:05d}"), asked.model_dump_json().encode())

    def take_back(self, upload: Upload, attempt: int) -> None:
        """Unmarks an event that could not be sent."""
        self._remove(upload, f"asked-{attempt:05d}")

    def lease(self, upload: Upload, holder: str, seconds: float = CLAIM_SECONDS) -> Lease:
        """The right to work on an upload, not yet taken."""
        return Lease(self._place(upload), holder, seconds)

    def claim(self, upload_id: str) -> Holding | None:
        """Who works, or last worked, on the upload with this id."""
        return read_lease(posixpath.join(self.root, upload_id))

    def outcome(self, upload: Upload) -> Outcome | None:
        """The end of an upload, or None while there is none."""
        fs, path = filesystem(self._place(upload, "outcome.json"))
        try:
            return Outcome.model_validate_json(fs.cat_file(path))
        except FileNotFoundError:
            return None

    def settle(self, outcome: Outcome) -> bool:
        """Writes the end of an upload and clears what it needed; False where it had ended already."""
        outcome = outcome.model_copy(update={"at": datetime.now(UTC)})
        first = create_once(self._place(outcome.upload, "outcome.json"), outcome.model_dump_json().encode())
        self._clear(outcome.upload)
        return first

    def reopen(self, upload: Upload) -> bool:
        """Forgets the end of an upload; False where it has none. Where the same bytes are stored again under the
        same key, an object store calls that the same version."""
        if self.outcome(upload) is None:
            return False
        self._clear(upload)  # a run that was killed while it settled has left what says that it was asked for
        self._remove(upload, "outcome.json")
        return True

    def _clear(self, upload: Upload, kind: str = "") -> None:
        """Removes all of an entry but its end, or what has a name that begins so."""
        fs, folder = filesystem(self._place(upload))
        for name in fs.ls(folder, detail=False):
            file = posixpath.basename(name)
            if file.startswith(kind) and file != "outcome.json":
                with contextlib.suppress(FileNotFoundError):  # two runs may clear at once
                    fs.rm_file(name)

    def snapshot(self, upload: Upload) -> str:
        """Copies exactly this version of the object beside its ledger entry, and returns the copy's URI.

        Whatever happens to the object afterwards, all steps of a run read the same bytes.
        """
        uri = self._copy(upload)
        with atomic_file(uri) as partial, partial.open("wb") as f:
            for piece in read_upload(upload):
                f.write(piece)
        return uri

    def copy_of(self, upload: Upload) -> str | None:
        """The copy that `snapshot` made, if there is one."""
        uri = self._copy(upload)
        fs, path = filesystem(uri)
        return uri if fs.exists(path) else None

    def wait(self, waiting: Waiting) -> None:
        """Notes that the upload waits for a search, instead of whatever it waited for before. The runs that have
        led to it are done with: they do not count among those that died."""
        with atomic_file(self._place(waiting.upload, "waiting.json")) as partial:
            partial.write_text(waiting.model_dump_json())
        self._clear(waiting.upload, "claim-")

    def waiting(self) -> Iterator[Waiting]:
        """The uploads that wait for a search or an approval."""
        for name, entry in self.entries().items():
            if entry.waiting and not entry.settled:
                fs, path = filesystem(posixpath.join(self.root, name, "waiting.json"))
                with contextlib.suppress(FileNotFoundError):
                    yield Waiting.model_validate_json(fs.cat_file(path))

    def stop_waiting(self, upload: Upload) -> None:
        """The opposite of `wait`."""
        self._remove(upload, "waiting.json")

    def _remove(self, upload: Upload, name: str) -> None:
        fs, path = filesystem(self._place(upload, name))
        with contextlib.suppress(FileNotFoundError):
            fs.rm_file(path)

    def _copy(self, upload: Upload) -> str:
        # The end of the name tells how to read it.
        return self._place(upload, "object." + ".".join(upload.name.split(".")[1:]))

    def _place(self, upload: Upload, name: str = "") -> str:
        return posixpath.join(self.root, str(upload.id), name).rstrip("/")


def _modified(info: dict[str, object]) -> float:
    """When a file was written, in seconds since 1970, by the clock of its file system."""
    when = info.get("mtime", info.get("LastModified"))
    if isinstance(when, datetime):
        return when.timestamp()
    return float(when) if isinstance(when, int | float) else time.time()
