"""What Prefect knows about runs for uploads: which ones are queued, and which ones only seem to run."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed
from pydantic import ValidationError

from operators.intake.uploads import Upload

PAGE = 200
UNFINISHED = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING]


def unfinished_runs(deployment: str) -> dict[str, list[FlowRun]]:
    """The runs of the deployment of that name that are queued, starting or running, by upload id."""
    found: dict[str, list[FlowRun]] = {}
    with get_client(sync_client=True) as client:
        for run in _runs_of(client, deployment, UNFINISHED):
            with contextlib.suppress(ValidationError):
                upload = Upload.model_validate(run.parameters.get("upload"))
                found.setdefault(str(upload.id), []).append(run)
    return found


def _runs_of(client: SyncPrefectClient, deployment: str, states: list[StateType]) -> Iterator[FlowRun]:
    """Every run of the deployment of that name that is in one of these states, page by page."""
    in_state = FlowRunFilterState(type=FlowRunFilterStateType(any_=states))
    for offset in itertools.count(0, PAGE):
        page = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=in_state),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[deployment])),
            limit=PAGE,
            offset=offset,
        )
        yield from page
        if len(page) < PAGE:
            return


def is_queued(run: FlowRun) -> bool:
    """Whether the run only waits for its turn: no worker has it yet, so none can have died with it."""
    return run.state_type == StateType.SCHEDULED


def is_starting(run: FlowRun) -> bool:
    """Whether a worker has the run and its process has not begun: it may wait for a place in the cluster."""
    return run.state_type == StateType.PENDING


def seconds_in_state(run: FlowRun) -> float:
    """How long the run has been in its present state."""
    if run.state is None:
        return 0.0
    return (datetime.now(UTC) - run.state.timestamp).total_seconds()


def mark_crashed(run: FlowRun, why: str) -> bool:
    """Says in the UI what happened to a run whose process is gone, and gives back its concurrency slot. False, and
    nothing is said, where the run is in another state than it was when it was looked up."""
    now = find_run(str(run.id))
    if now is None or now.state_type != run.state_type:
        return False
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, Crashed(message=why), force=True)
    return True


def find_run(run_id: str) -> FlowRun | None:
    """The run, or None where this server does not know it: it may have lost its database since."""
    with get_client(sync_client=True) as client:
        by_id = FlowRunFilter.model_validate({"id": {"any_": [UUID(run_id)]}})
        return next(iter(client.read_flow_runs(flow_run_filter=by_id)), None)


def asked_about(deployment: str) -> set[str] | None:
    """Data sets that a run of the deployment of that name, which approves recipes, is asking a person about or
    will; None where there is no such deployment."""
    named = DeploymentFilter(name=DeploymentFilterName(any_=[deployment]))
    with get_client(sync_client=True) as client:
        if not client.read_deployments(deployment_filter=named, limit=1):
            return None
        runs = _runs_of(client, deployment, [*UNFINISHED, StateType.PAUSED])
        return {str(run.parameters.get("data_set")) for run in runs}
