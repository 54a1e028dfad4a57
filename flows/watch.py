"""Looking for new uploads, and for uploads whose run has died."""

from __future__ import annotations

import posixpath
import time
from collections import Counter

from prefect import flow
from prefect.client.schemas.objects import FlowRun
from pydantic import Field

from flows.uploads import ATTEMPTS, settle
from operators.config import Settings
from operators.intake.ledger import Entry, Ledger, Outcome
from operators.intake.uploads import Upload, list_uploads
from tasks.events import send_created
from tasks.progress import say
from tasks.runs import ended_badly, is_queued, mark_crashed, seconds_in_state, unfinished_runs
from tasks.s3_block import use_s3_block


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
    attempts: int = ATTEMPTS


@flow(name="watch-bucket", flow_run_name="watch {config.prefix}")
def watch_bucket(config: WatchConfig) -> dict[str, int]:
    """Sends one event for each new object, and again for one whose run died. Counts of what was done.

    Passes may overlap, and objects may have been told of already: an event has an id made of bucket, key and ETag,
    and the ledger says what was asked for and what is done.
    """
    use_s3_block()
    ledger = Ledger(config.store)
    _fail_hopeless(ledger, config)
    entries = ledger.entries()
    runs = unfinished_runs(config.deployment)
    done: Counter[str] = Counter(new=0, repaired=0, given_up=0)
    for upload in list_uploads(config.prefix, config.settled):
        entry = entries.get(str(upload.id), Entry())
        if entry.settled or entry.waiting:
            continue
        if not entry.asked and not entry.claims:
            done["new"] += _ask(ledger, upload, 1)
            continue
        if time.time() - entry.asked_at < config.repair_after or _alive(ledger, upload, runs, config):
            continue
        if max(entry.claims, entry.asked) >= config.attempts:
            reason = f"given up after {config.attempts} runs that died: see their logs for what ends them"
            done["given_up"] += _give_up(upload, reason, config)
        else:
            done["repaired"] += _ask(ledger, upload, max(entry.claims, entry.asked) + 1)
    say(", ".join(f"{count} {what.replace('_', ' ')}" for what, count in done.items()))
    return dict(done)


def _ask(ledger: Ledger, upload: Upload, attempt: int) -> bool:
    """Sends the upload's n-th event, unless another pass does."""
    if not ledger.mark_asked(upload, attempt):
        return False
    try:
        send_created(upload, attempt)
    except Exception:
        ledger.take_back(upload, attempt)
        raise
    say(f"{upload.uri}: {'new' if attempt == 1 else f'asked for again ({attempt})'}")
    return True


def _alive(ledger: Ledger, upload: Upload, runs: dict[str, list[FlowRun]], config: WatchConfig) -> bool:
    """Whether some run has the upload or will have it. Runs that only seem to are marked as crashed."""
    holding = ledger.claim(str(upload.id))
    if holding is not None and holding.is_live:
        return True
    alive = False
    for run in runs.get(str(upload.id), []):
        # A run that is starting has not claimed yet.
        if is_queued(run) or seconds_in_state(run) < config.repair_after:
            alive = True
        else:
            mark_crashed(run, "its process is gone: its claim on the upload has expired")
            say(f"{upload.uri}: run {run.name} is gone")
    return alive


def _fail_hopeless(ledger: Ledger, config: WatchConfig) -> None:
    """Ends uploads that wait for a search that failed."""
    for waiting in ledger.waiting():
        if ended_badly(waiting.search_run):
            reason = f"the search for a recipe for data set {waiting.data_set} failed: see its run"
            _give_up(waiting.upload, reason, config)


def _give_up(upload: Upload, reason: str, config: WatchConfig) -> bool:
    outcome = Outcome(status="failed", upload=upload, reason=f"{upload.uri}: {reason}")
    set_aside = config.quarantine or posixpath.join(config.store, "quarantined")
    return settle(outcome, Ledger(config.store).copy_of(upload), store=config.store, set_aside=set_aside)
