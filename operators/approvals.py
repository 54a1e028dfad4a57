"""The registry of approved recipes: which recipe a data set's uploads are processed with, and who said so."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from operators.data.containers import filesystem
from operators.data.once import create_once
from operators.digest import digest, sha256_bytes
from operators.errors import ConfigError
from operators.publishing import Output, read_bytes, read_recipe
from operators.results import Recipe, Verdict

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"


class Approval(BaseModel):
    """One decision about a found recipe. The latest approval of a data set is in force; all stay as history."""

    model_config = ConfigDict(frozen=True)
    data_set: str = Field(pattern=NAME)
    decision: Literal["approved", "rejected"] = "approved"
    recipe: str
    """URI of the approved copy of recipe.yaml, with the files it needs beside it; empty where rejected."""
    recipe_sha256: str
    found_in: str
    """The search's output directory."""
    by: str
    note: str = ""
    evidence: Verdict | None = None
    at: datetime


def keep_found(store: str, run: str) -> str:
    """Copies what a decision is about, the recipe with its files and search.json, into the store; where to.

    A search that is repeated writes to the same output directory, while a person still thinks about what it found
    before. Raises as `approve` does.
    """
    files = {**_files(run), "search.json": read_bytes(posixpath.join(run, "search.json"))}
    return _copied(store, "found", files)


def approve(
    store: str, data_set: str, run: str, *, by: str, note: str = "", found_in: str | None = None
) -> Approval:
    """Puts the recipe of a search's output directory in force for a data set.

    The recipe and the files it needs are copied into the store, under a name made of their content: a later
    change of the directory changes nothing that was approved. `found_in` is the output directory where `run` is a
    copy of it. Raises ConfigError where the name cannot be used or the recipe is not usable, DataError where a
    file is missing or is not the recipe's.
    """
    if not re.match(NAME, data_set):
        raise ConfigError(f"{data_set!r} cannot name a data set: use letters, digits, '.', '_' and '-'")
    copy = posixpath.join(_copied(store, "approved", _files(run)), "recipe.yaml")
    return _record(store, data_set, run, "approved", copy, by, note, found_in)


def _files(run: str) -> dict[str, bytes]:
    """The recipe in a search's output directory and the files that it needs, checked."""
    uri = posixpath.join(run, "recipe.yaml")
    recipe = read_recipe(uri)
    _check_verdict(run, recipe)
    files = {"recipe.yaml": read_bytes(uri)}
    for ref in (recipe.development, recipe.evaluation, recipe.reference):
        if ref is not None:
            data = read_bytes(posixpath.join(run, ref.file))
            if sha256_bytes(data) != ref.sha256:
                raise ConfigError(
                    f"{posixpath.join(run, ref.file)}: is not the file that the recipe was made with; search again"
                )
            files[ref.file] = data
    return files


def _check_verdict(run: str, recipe: Recipe) -> None:
    """Raises ConfigError where search.json, which people are shown, tells of another verdict than the recipe: two
    searches have written to one directory at once."""
    fs, path = filesystem(posixpath.join(run, "search.json"))
    if recipe.evidence is None or not fs.exists(path):
        return
    shown = json.loads(fs.cat_file(path)).get("verdict")
    # Compared as they are read: a field that is newer than both has its default on both sides.
    if Verdict.model_validate(shown) != recipe.evidence:
        raise ConfigError(
            f"{run}: recipe.yaml and search.json are of different searches: search again, under a name that no "
            "other search uses meanwhile"
        )


def _copied(store: str, kind: str, files: dict[str, bytes]) -> str:
    """The files in a folder of the store that their content names."""
    folder = Output(posixpath.join(store, kind, digest({n: sha256_bytes(d) for n, d in files.items()})[:32]))
    for name, data in files.items():
        folder.write(name, data)
    return folder.root


def reject(
    store: str, data_set: str, run: str, *, by: str, note: str = "", found_in: str | None = None
) -> Approval:
    """Keeps that a found recipe was not wanted. Whatever is in force stays so."""
    return _record(store, data_set, run, "rejected", "", by, note, found_in)


def approved(store: str, data_set: str) -> Approval | None:
    """The approval in force for a data set, or None."""
    return in_force(history(store, data_set))


def in_force(decisions: Sequence[Approval]) -> Approval | None:
    """The latest approval among decisions about a data set, or None."""
    return next((a for a in reversed(decisions) if a.decision == "approved"), None)


def approved_recipe(approval: Approval) -> Recipe:
    """The recipe that was approved. Raises ConfigError where its file is another one by now."""
    if sha256_bytes(read_bytes(approval.recipe)) != approval.recipe_sha256:
        raise ConfigError(
            f"{approval.recipe}: was changed after {approval.by} approved it: approve the recipe of "
            f"{approval.found_in} again, or search again"
        )
    return read_recipe(approval.recipe)


def ends_waiting(decisions: Sequence[Approval], search: str) -> Approval | None:
    """Which of the decisions about a data set lets those go on that wait for the search of that name: the latest
    approval, whatever it is of, or else that what this search found was rejected. None: they wait on.

    A search without a name (of an earlier release) is taken to be the one that was decided about.
    """
    of_search = (a for a in decisions if not search or posixpath.basename(a.found_in.rstrip("/")) == search)
    return in_force(decisions) or next(iter(of_search), None)


def history(store: str, data_set: str) -> list[Approval]:
    """Every decision about a data set, the first one first."""
    fs, path = filesystem(_place(store, data_set))
    names = sorted(fs.ls(path, detail=False)) if fs.exists(path) else []
    return [Approval.model_validate_json(fs.cat_file(n)) for n in names if n.endswith(".json")]


def _record(
    store: str,
    data_set: str,
    run: str,
    decision: Literal["approved", "rejected"],
    copy: str,
    by: str,
    note: str,
    found_in: str | None,
) -> Approval:
    """Keeps a decision about the recipe in a search's output directory. `copy` is the approved one's URI."""
    decided_on = copy or posixpath.join(run, "recipe.yaml")
    approval = Approval(
        data_set=data_set,
        decision=decision,
        recipe=copy,
        recipe_sha256=sha256_bytes(read_bytes(decided_on)),
        found_in=found_in or run,
        by=by,
        note=note,
        evidence=read_recipe(decided_on).evidence,
        at=datetime.now(UTC),
    )
    number = len(history(store, data_set)) + 1
    data = approval.model_dump_json(indent=1).encode()
    # Two people at once: both decisions are kept, one after the other.
    while not create_once(_place(store, data_set, f"{number:05d}.json"), data):
        number += 1
    return approval


def _place(store: str, data_set: str, file: str = "") -> str:
    return posixpath.join(store, "approvals", data_set, file).rstrip("/")
