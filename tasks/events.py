"""Events: what happened, told to Prefect, where automations and people listen. Never record text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext

from operators.intake.uploads import Upload

CREATED = "autodp.object.created"
FAILED = "autodp.upload.failed"
PROCESSED = "autodp.upload.processed"
SEARCH_FINISHED = "autodp.search.finished"
APPROVED = "autodp.recipe.approved"


def send(event: str, resource: dict[str, str], payload: dict[str, Any], event_id: UUID | None = None) -> None:
    """Sends one event and returns once the server has it. Raises what Prefect's client raises where it has not.

    Over HTTP rather than Prefect's background sender, which loses what it has not sent when a process dies.
    """
    context = FlowRunContext.get()
    related = []
    if context is not None and context.flow_run is not None:
        related.append(
            {
                "prefect.resource.id": f"prefect.flow-run.{context.flow_run.id}",
                "prefect.resource.role": "flow-run",
                "prefect.resource.name": context.flow_run.name,
            }
        )
    with get_client(sync_client=True) as client:
        client.request(
            "POST",
            "/events",
            json=[
                {
                    "id": str(event_id or uuid4()),
                    "occurred": datetime.now(UTC).isoformat(),
                    "event": event,
                    "resource": resource,
                    "related": related,
                    "payload": payload,
                }
            ],
        ).raise_for_status()


def send_search_finished(name: str, run: str, data_set: str, store: str, decision: str) -> None:
    """Tells that a search has found a recipe, which waits in the directory `run` for a decision."""
    send(
        SEARCH_FINISHED,
        {"prefect.resource.id": f"autodp.search.{name}", "prefect.resource.name": name},
        {"run": run, "data_set": data_set, "store": store, "decision": decision},
    )


def send_created(upload: Upload, attempt: int = 1, *, anew: bool = False) -> None:
    """Tells of a new object. Every sender gives this upload's n-th event the same id, and the server drops an id
    that it has seen in the last minutes; `anew` gives it another one."""
    send(
        CREATED,
        upload_resource(upload),
        {"upload": upload.model_dump(mode="json"), "attempt": attempt},
        None if anew else upload.event_id(attempt),
    )


def upload_resource(upload: Upload) -> dict[str, str]:
    """How events name an object."""
    return {
        "prefect.resource.id": f"autodp.object.{upload.uri}",
        "prefect.resource.name": upload.name,
        "autodp.etag": upload.etag,
    }
