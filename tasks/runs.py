"""What Prefect knows about runs for uploads: which ones are queued, and which ones only seem to run."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import get_client
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
        offset = 0
        while True:
            page = client.read_flow_runs(
                flow_run_filter=FlowRunFilter(
                    state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNFINISHED))
                ),
                deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[deployment])),
                limit=PAGE,
                offset=offset,
            )
            for run in page:
                try:
                    upload = Upload.model_validate(run.parameters.get("upload"))
                except ValidationError:
                    continue
                found.setdefault(str(upload.id), []).append(run)
            if len(page) < PAGE:
                return found
            offset += PAGE


def is_queued(run: FlowRun) -> bool:
    """Whether the run only waits for its turn: no worker has it yet, so none can have died with it."""
    return run.state_type == StateType.SCHEDULED


def seconds_in_state(run: FlowRun) -> float:
    """How long the run has been in its present state."""
    if run.state is None:
        return 0.0
    return (datetime.now(UTC) - run.state.timestamp).total_seconds()


def mark_crashed(run: FlowRun, why: str) -> None:
    """Says in the UI what happened to a run whose process is gone, and gives back its concurrency slot."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, Crashed(message=why), force=True)


def ended_badly(run_id: str) -> bool:
    """Whether a run ended otherwise than well, or is not known any more."""
    with get_client(sync_client=True) as client:
        by_id = FlowRunFilter.model_validate({"id": {"any_": [UUID(run_id)]}})
        runs = client.read_flow_runs(flow_run_filter=by_id)
    state = runs[0].state if runs else None
    return not runs or (state is not None and state.is_final() and not state.is_completed())
