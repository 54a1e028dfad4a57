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


def is_starting(run: FlowRun) -> bool:
    """Whether a worker has the run and its process has not begun: it may wait for a place in the cluster."""
    return run.state_type == StateType.PENDING


def seconds_in_state(run: FlowRun) -> float:
    """How long the run has been in its present state."""
    if run.state is None:
        return 0.0
    return (datetime.now(UTC) - run.state.timestamp).total_seconds()


def mark_crashed(run: FlowRun, why: str) -> None:
    """Says in the UI what happened to a run whose process is gone, and gives back its concurrency slot."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, Crashed(message=why), force=True)


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
        open_states = FlowRunFilterState(type=FlowRunFilterStateType(any_=[*UNFINISHED, StateType.PAUSED]))
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=open_states), deployment_filter=named, limit=PAGE
        )
    return {str(run.parameters.get("data_set")) for run in runs}
