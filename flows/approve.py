"""A found recipe becomes the one that a data set's uploads are processed with: by a policy, or by a person."""

from __future__ import annotations

import posixpath

from prefect import flow, suspend_flow_run
from prefect.artifacts import create_markdown_artifact
from prefect.input import RunInput
from prefect.runtime import flow_run
from pydantic import Field, ValidationError

from flows.asking import ask_again
from flows.uploads import settle
from operators.approvals import Approval, approve, ends_waiting, reject
from operators.config import Settings
from operators.errors import DataError
from operators.intake.ledger import Ledger, Outcome
from operators.intake.uploads import Upload
from operators.publishing import read_bytes
from operators.report import decision_summary
from operators.results import SearchResult
from tasks.deciding import keep_for_decision
from tasks.durable import in_store
from tasks.events import APPROVED, send
from tasks.progress import say
from tasks.s3_block import use_s3_block


class ApprovalPolicy(Settings):
    """What may be approved without a person."""

    auto_approve: float | None = Field(
        None,
        ge=-1,
        lt=1,
        description="Approve where the whole interval lies above this; None: ask a person",
    )
    wait_hours: float = Field(24 * 14, gt=0, le=24 * 365, description="How long a person is waited for")
    quarantine: str | None = Field(
        None, description="Where uploads go that waited for a rejected recipe; None: `quarantined` in the store"
    )

    def allows(self, result: SearchResult) -> bool:
        """Whether the policy decides for the recipe."""
        return (
            self.auto_approve is not None
            and result.verdict.decision == "adopt"
            and result.verdict.score_ci[0] > self.auto_approve
        )


class Decision(RunInput):
    """The form of a suspended run."""

    approve: bool = Field(False, title="Approve", description="Process this data set's uploads with the recipe")
    by: str = Field("", title="Your name", max_length=80, description="Kept with the decision")
    note: str = Field("", title="Note", max_length=500, description="Why; kept with the decision")


@flow(name="approve-recipe", flow_run_name="approve {data_set}", persist_result=True)
def approve_recipe(
    run: str,
    data_set: str,
    store: str = ".autodp/store",
    policy: ApprovalPolicy = ApprovalPolicy(),  # noqa: B008 - frozen, and the form needs its defaults
) -> Approval:
    """Puts the recipe of a search in force for a data set, or asks a person to, and lets waiting uploads go on.

    Args:
        run: Output directory of the search: path or s3:// URL.
        data_set: Data set that the recipe is for.
        store: Content store with the registry of approvals.
        policy: What may be approved without a person.
    """
    use_s3_block()
    # What a person decides about is what the form showed, however long they take: a suspended run begins anew.
    found = in_store(keep_for_decision, store)(run, store, str(flow_run.id))
    result = SearchResult.model_validate_json(read_bytes(posixpath.join(found, "search.json")))
    summary = decision_summary(result)
    create_markdown_artifact(summary, key="approval", description=f"Recipe for {data_set}, found in {run}")
    if policy.allows(result):
        low = result.verdict.score_ci[0]
        decision = Decision(
            approve=True, by="policy", note=f"interval from {low:+.2f}, above {policy.auto_approve:+.2f}"
        )
    else:
        say(f"a person is asked about the recipe for {data_set}: {result.verdict.reason}")
        decision = suspend_flow_run(
            wait_for_input=Decision.with_initial_data(description=summary),
            timeout=round(policy.wait_hours * 3600),
        )
    decide = approve if decision.approve else reject
    approval = decide(store, data_set, found, by=decision.by or "a person", note=decision.note, found_in=run)
    say(f"the recipe for {data_set} is {approval.decision} by {approval.by}")
    release(approval, store, policy.quarantine or posixpath.join(store, "quarantined"))
    return approval


def release(approval: Approval, store: str, set_aside: str) -> int:
    """Lets the uploads go on that waited for this decision about their data set; how many."""
    ledger = Ledger(store)
    waiting = [
        w for w in ledger.waiting() if w.data_set == approval.data_set and ends_waiting([approval], w.search)
    ]
    for one in waiting:
        let_go(one.upload, approval, ledger, store, set_aside)
    send(
        APPROVED,
        {"prefect.resource.id": f"autodp.data-set.{approval.data_set}"},
        approval.model_dump(mode="json", include={"data_set", "decision", "recipe", "found_in", "by"}),
    )
    return len(waiting)


def let_go(upload: Upload, approval: Approval, ledger: Ledger, store: str, set_aside: str) -> None:
    """Ends an upload's waiting: it is asked for again, or set aside where the recipe was rejected."""
    if approval.decision == "rejected":
        reason = f"{upload.uri}: {approval.by} rejected the recipe found for data set {approval.data_set}"
        failed = Outcome(status="failed", upload=upload, reason=reason)
        settle(failed, ledger.copy_of(upload), store=store, set_aside=set_aside)
    else:
        ask_again(upload, ledger)


def approve_found(run: str, data_set: str | None, store: str | None, by: str, note: str) -> Approval:
    """What `autodp approve` does: puts a found recipe in force and lets waiting uploads go on, in the search's
    store and for its data set where no other is given.

    Raises DataError where the directory is not that of a finished search, or cannot be read.
    """
    use_s3_block()
    file = posixpath.join(run, "search.json")
    try:
        found = SearchResult.model_validate_json(read_bytes(file))
    except ValidationError:
        raise DataError(f"{file}: is not of this release's searches; search again, or use that release") from None
    store = store or found.store or ".autodp/store"
    approval = approve(store, data_set or found.data_set or found.name, run, by=by, note=note)
    release(approval, store, posixpath.join(store, "quarantined"))
    return approval
