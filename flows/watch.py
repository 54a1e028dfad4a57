"""Looking for new uploads, and for uploads whose run has died."""

from __future__ import annotations

import functools
import posixpath
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from prefect import flow
from prefect.client.schemas.objects import FlowRun
from pydantic import Field, model_validator

from flows.approve import let_go
from flows.asking import ask, ask_again
from flows.uploads import ATTEMPTS, refuse_watched, settle
from operators.approvals import ends_waiting, history, keep_found
from operators.config import SearchConfig, Settings
from operators.errors import AutoDPError
from operators.intake.ledger import Entry, Ledger, Outcome
from operators.intake.uploads import Upload, below_prefix, list_uploads
from operators.publishing import read_bytes
from operators.results import SearchResult
from tasks.events import send_search_finished
from tasks.progress import say
from tasks.runs import (
    asked_about,
    find_run,
    is_queued,
    is_starting,
    mark_crashed,
    seconds_in_state,
    unfinished_runs,
)
from tasks.s3_block import use_s3_block

UNHEARD = 4
"""Times `attempts`: events after which an upload is given up though no run of it ever began."""
MOST_FAULTS = 20
"""Of single uploads, after which a pass ends."""


class WatchConfig(Settings):
    """What is watched."""

    prefix: str = Field(description="Where uploads arrive: path or s3:// URL")
    store: str = Field(".autodp/store", description="The store of on-upload, which holds the ledger")
    quarantine: str | None = Field(
        None, description="Where uploads that are given up are set aside; None: `quarantined` in the store"
    )
    deployment: str = Field("on-upload", description="Name of the deployment that uploads start")
    settled: float = Field(
        2.0, ge=0, le=3600, description="Seconds a local file must have rested; S3 shows only whole objects"
    )
    repair_after: float = Field(
        180.0,
        ge=1,
        le=86400,
        description="Seconds without a sign of life after which an upload is asked for again",
    )
    start_within: float = Field(
        900.0,
        ge=1,
        le=86400,
        description="Seconds a run may wait for a place in the cluster before it counts as dead",
    )
    approve_deployment: str = Field("approve", description="Name of the deployment that asks about found recipes")
    attempts: int = ATTEMPTS

    @model_validator(mode="after")
    def _places_apart(self) -> Self:
        refuse_watched(self.prefix, store=self.store, quarantine=self.quarantine)
        return self

    @property
    def set_aside(self) -> str:
        """Where uploads that are given up go."""
        return self.quarantine or posixpath.join(self.store, "quarantined")


@flow(name="watch-bucket", flow_run_name="watch {config.prefix}")
def watch_bucket(config: WatchConfig) -> dict[str, int]:
    """Sends one event for each new object, and again for one whose run died. Counts of what was done.

    Passes may overlap, and objects may have been told of already: an event has an id made of bucket, key and ETag,
    and the ledger says what was asked for and what is done.
    """
    use_s3_block()
    ledger = Ledger(config.store)
    faults: list[AutoDPError] = []
    _tend_waiting(ledger, config, faults)
    entries = ledger.entries()
    runs = unfinished_runs(config.deployment)
    done: Counter[str] = Counter(new=0, repaired=0, given_up=0)
    for upload in _uploads(ledger, entries, config):
        entry = entries.get(str(upload.id), Entry())
        if entry.settled or entry.waiting:
            continue
        with _apart(upload, faults):
            if not entry.asked and not entry.claims:
                done["new"] += _ask(ledger, upload, 1)
            elif _has_rested(entry, config) and not _alive(ledger, upload, runs, config):
                done.update(_repair(ledger, upload, config))
    say(", ".join(f"{count} {what.replace('_', ' ')}" for what, count in done.items()))
    if faults:
        raise faults[0]
    return dict(done)


def _has_rested(entry: Entry, config: WatchConfig) -> bool:
    """Whether nothing has been heard of an upload for so long that its run may have died."""
    return time.time() - entry.asked_at >= config.repair_after


def _repair(ledger: Ledger, upload: Upload, config: WatchConfig) -> dict[str, int]:
    """Asks for an upload again whose run has died, or gives it up; counts of what was done."""
    entry = ledger.entry(upload)  # as it is now: the listing may be minutes old
    if entry.settled or entry.waiting or not _has_rested(entry, config):
        return {}
    if entry.claims >= config.attempts:
        reason = f"given up after {config.attempts} runs that died: see their logs for what ends them"
    elif entry.asked >= UNHEARD * config.attempts:
        reason = f"given up: no run began after {entry.asked} events; see to the deployment and its workers"
    else:
        return {"repaired": _ask(ledger, upload, max(entry.claims, entry.asked) + 1)}
    return {"given_up": _give_up(upload, reason, config)}


@contextmanager
def _apart(upload: Upload, faults: list[AutoDPError]) -> Iterator[None]:
    """What goes wrong with one upload keeps the pass from no other: it fails when it has seen to them all. Not so
    where much goes wrong, as when the store is away."""
    try:
        yield
    except AutoDPError as e:
        say(f"{upload.uri}: left to the next pass: {e}")
        faults.append(e)
        if len(faults) >= MOST_FAULTS:
            raise


def _uploads(ledger: Ledger, entries: dict[str, Entry], config: WatchConfig) -> Iterator[Upload]:
    """The objects below the prefix, and those that were there when a run took its copy."""
    unseen = dict(entries)
    for upload in list_uploads(config.prefix, config.settled):
        unseen.pop(str(upload.id), None)
        yield upload
    for upload in ledger.under_way(unseen):
        if below_prefix(upload.uri, config.prefix):
            yield upload


def _ask(ledger: Ledger, upload: Upload, attempt: int) -> bool:
    asked = ask(upload, ledger, attempt)
    if asked:
        say(f"{upload.uri}: {'new' if attempt == 1 else f'asked for again ({attempt})'}")
    return asked


def _alive(ledger: Ledger, upload: Upload, runs: dict[str, list[FlowRun]], config: WatchConfig) -> bool:
    """Whether some run has the upload or will have it. Runs that only seem to are marked as crashed."""
    holding = ledger.claim(str(upload.id))
    if holding is not None and holding.is_live:
        return True
    alive = False
    for run in runs.get(str(upload.id), []):
        # A run that is starting has not claimed yet.
        grace = config.start_within if is_starting(run) else config.repair_after
        gone = not is_queued(run) and seconds_in_state(run) >= grace
        # One whose state has changed meanwhile is left to the next pass.
        if gone and mark_crashed(run, "its process is gone: its claim on the upload has expired"):
            say(f"{upload.uri}: run {run.name} is gone")
        else:
            alive = True
    return alive


def _tend_waiting(ledger: Ledger, config: WatchConfig, faults: list[AutoDPError]) -> None:
    """Sees to it that no upload waits for a search in vain.

    One whose search failed is set aside. One goes on whose recipe was decided about while its wait was being
    noted, or whose search this Prefect server does not know: a lost database must cost no upload. Where a search
    has ended and nobody is asked about its recipe (the run that asked has expired, or died), a person is asked
    again.
    """
    asked: set[str] | None = None
    # Thousands may wait for one search.
    decisions, run_of = functools.cache(functools.partial(history, config.store)), functools.cache(find_run)
    for waiting in ledger.waiting():
        upload, data_set = waiting.upload, waiting.data_set
        with _apart(upload, faults):
            decided = ends_waiting(decisions(data_set)[waiting.decisions :], waiting.search)
            search = run_of(waiting.search_run)
            if decided is not None:
                let_go(upload, decided, ledger, config.store, config.set_aside)
            elif search is None:
                say(f"{upload.uri}: its search is not known here any more: asked for again")
                ask_again(upload, ledger)
            elif search.state is None or not search.state.is_final():
                continue
            elif not search.state.is_completed():
                _give_up(upload, f"the search for a recipe for data set {data_set} failed: see its run", config)
            elif seconds_in_state(search) > config.repair_after:
                asked = asked_about(config.approve_deployment) if asked is None else asked
                if asked is not None and data_set not in asked:
                    asked.add(data_set)
                    _ask_person(search, data_set, config)


def _ask_person(search: FlowRun, data_set: str, config: WatchConfig) -> None:
    """Tells of a finished search once more: the event that asks for a decision."""
    try:
        found = SearchConfig.model_validate(search.parameters["config"])
        folder = posixpath.join(found.output, found.name)
        result = SearchResult.model_validate_json(read_bytes(posixpath.join(folder, "search.json")))
        keep_found(config.store, folder)  # as the run does that asks, which would fail at every pass
    except (KeyError, ValueError):  # one that was moved must not keep the pass from all other uploads
        say(f"what the run {search.name} found for data set {data_set} cannot be read: approve it or search again")
        return
    say(f"nobody is asked about the recipe in {folder}: asking again")
    send_search_finished(found.name, folder, data_set, config.store, result.verdict.decision)


def _give_up(upload: Upload, reason: str, config: WatchConfig) -> bool:
    outcome = Outcome(status="failed", upload=upload, reason=f"{upload.uri}: {reason}")
    return settle(outcome, Ledger(config.store).copy_of(upload), store=config.store, set_aside=config.set_aside)
