"""A new object arrived: process it with its data set's approved recipe, or search for one."""

from __future__ import annotations

import posixpath

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed, State

from flows.applying import read_as
from flows.prepare import load_input
from flows.process import ProcessConfig, process_dataset
from flows.uploads import UploadConfig, settle
from operators.approvals import approved_recipe, history, in_force
from operators.config import RowFormat
from operators.data.lease import Lease
from operators.drift import allowed
from operators.errors import AutoDPError, ConfigError, DataError, Unreachable, without_text
from operators.intake.ledger import Ledger, Outcome, Waiting
from operators.intake.uploads import Upload, UploadChanged
from operators.results import Recipe
from tasks.drifting import drift_from, read_reference
from tasks.loading import Loaded
from tasks.progress import say
from tasks.runtime import Runtime
from tasks.s3_block import use_s3_block
from tasks.searching import start_search
from tasks.uploading import copy_upload, hand_over


@flow(name="on-upload", flow_run_name="upload {upload.uri}")
def on_upload(upload: Upload, config: UploadConfig) -> Outcome | State[None]:
    """Turns one version of an object into one result or one clear failure, however often it is asked to.

    Of several runs for one upload one works, as long as it gives signs of life; the others end at once. A run
    that dies leaves a claim that expires, and `watch-bucket` asks again.
    """
    config.output_of(upload)  # refuses what lies elsewhere, before anything is read or written
    use_s3_block()
    ledger = Ledger(config.store)
    lease = ledger.lease(upload, str(flow_run.id), config.claim_seconds)
    if ledger.outcome(upload) or not lease.acquire():
        return _duplicate(upload)
    with lease.renewed():
        if ledger.outcome(upload):  # it ended between the two questions above
            return _duplicate(upload)
        # Who told of it may have left no mark, and without one a dead run's copy is never asked for again.
        ledger.mark_asked(upload, 1)
        return _work(upload, config, ledger, lease)


def _work(upload: Upload, config: UploadConfig, ledger: Ledger, lease: Lease) -> Outcome | State[None]:
    copy: str | None = None
    error: AutoDPError | None = None
    try:
        copy = copy_upload(upload, config.store)
        outcome = _process(upload, copy, config, ledger)
        if outcome is None:
            return Completed(name="Searching", message=f"{upload.uri} waits for a search and its approval")
    except UploadChanged as e:
        outcome = Outcome(status="superseded", upload=upload, reason=str(e))
    except Exception as e:
        error = without_text(e)
        # Data and settings stay wrong; anything else (a dead worker, a store that is away) may pass.
        wrong = isinstance(error, (DataError, ConfigError)) and not isinstance(error, Unreachable)
        final = wrong or lease.number >= config.attempts
        if not final:
            say(f"{upload.uri}: attempt {lease.number} of {config.attempts} failed: {error}")
            raise error.with_traceback(None) from None
        outcome = Outcome(status="failed", upload=upload, reason=str(error))
    first = settle(outcome, copy or ledger.copy_of(upload), store=config.store, set_aside=config.set_aside)
    if not first:
        return _duplicate(upload)
    if error is not None:
        raise error.with_traceback(None) from None
    return outcome


def _process(upload: Upload, copy: str, config: UploadConfig, ledger: Ledger) -> Outcome | None:
    """The result by an approved recipe, or None where a search was started."""
    data_set = config.data_set_of(upload)
    decided = history(config.store, data_set)  # once: a decision that comes later is seen by the next pass
    approval = in_force(decided)
    recipe = approved_recipe(approval) if approval else None
    told = config.data_format
    if recipe is None and config.search is not None and told == RowFormat():
        told = config.search.data.row_format
    data = read_as(copy, told, recipe)
    loaded = load_input(copy, data, config.store, recipe.targeting.labels_from if recipe else None)
    say(f"data set {data_set}: {loaded.dataset.rows} records, {loaded.quarantined} bad rows")
    if approval is None or recipe is None:
        why = f"data set {data_set} has no approved recipe"
    else:
        why = _drifted(recipe, posixpath.dirname(approval.recipe), loaded, config)
    if approval is None or why:
        say(f"{upload.uri}: {why}: searching")
        found_by = config.search_deployment
        search = start_search(upload, data, data_set, config.search, found_by, config.store, len(decided), why)
        ledger.wait(
            Waiting(
                upload=upload,
                data_set=data_set,
                search_run=search.run,
                search=search.name,
                decisions=len(decided),
            )
        )
        return None
    made = posixpath.join(posixpath.dirname(copy), f"result.{posixpath.basename(copy).partition('.')[2]}")
    result = process_dataset(
        ProcessConfig(
            recipe=approval.recipe,
            input=copy,
            output=made,
            store=config.store,
            data_format=config.data_format,
            rewriter=config.rewriter,
            judge=config.judge,
            num_cpus=config.num_cpus,
            num_gpus=config.num_gpus,
            i_allow_records_to_leave=config.i_allow_records_to_leave,
            cluster=config.cluster,
        )
    )
    hand_over(upload, made, config.output_of(upload), config.store, str(flow_run.id))
    return Outcome(
        status="processed",
        upload=upload,
        reason=f"{result.rows_in} records in, {result.rows_out} out, by the recipe that {approval.by} approved",
        output=config.output_of(upload),
        recipe=approval.recipe,
        rows_in=result.rows_in,
        rows_out=result.rows_out,
    )


def _drifted(recipe: Recipe, folder: str, loaded: Loaded, config: UploadConfig) -> str:
    """Why the approved recipe, which lies in `folder`, does not fit, or ""."""
    if recipe.reference is None:
        say("the recipe has no summary of the set it was found on: drift is not measured")
        return ""
    uri = posixpath.join(folder, recipe.reference.file)
    reference = read_reference(uri, recipe.reference.sha256)
    runtime = Runtime(store=config.store, cluster=config.cluster)
    distance = drift_from(loaded.dataset, reference, runtime)
    bound = allowed(config.max_drift, loaded.dataset.rows)
    say(f"distance {distance:.4f} from the set that the recipe was found on, allowed {bound:g}")
    if distance <= bound:
        return ""
    return f"the records differ from those its recipe was found on (distance {distance:.3f} > {bound:g})"


def _duplicate(upload: Upload) -> State[None]:
    message = f"{upload.uri} is done, or another run works on it"
    say(message)
    return Completed(name="Duplicate", message=message)
