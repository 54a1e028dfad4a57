"""For how many candidates the sealed questions of a data set have been opened: whoever looks again and again until
one is found better will find one."""

from __future__ import annotations

import json
import posixpath
from datetime import UTC, datetime

from operators.data.containers import filesystem
from operators.data.once import create_once


def opening(store: str, questions: str, candidate: str) -> int:
    """The number of a candidate, from 1, among those that the questions were opened for. It is kept: a verdict
    that is repeated has the number that it had. `questions` and `candidate` are digests."""
    folder = posixpath.join(store, "openings", questions)
    before = _candidates(folder)
    if candidate in before:
        return before.index(candidate) + 1
    number = len(before) + 1
    kept = json.dumps({"candidate": candidate, "at": datetime.now(UTC).isoformat()}).encode()
    # Another search may open them for a candidate of its own at the same time.
    while not create_once(posixpath.join(folder, f"{number:05d}.json"), kept):
        number += 1
    return number


def level(confidence: float, number: int) -> float:
    """The confidence at which the candidate with this number is judged: the error that is allowed, shared among as
    many candidates as have been looked at (Bonferroni)."""
    return 1 - (1 - confidence) / number


def _candidates(folder: str) -> list[str]:
    fs, path = filesystem(folder)
    names = sorted(fs.ls(path, detail=False)) if fs.exists(path) else []
    return [json.loads(fs.cat_file(name))["candidate"] for name in names if name.endswith(".json")]
