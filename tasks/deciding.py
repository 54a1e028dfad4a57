"""What a person decides about, kept as it is while they think."""

from __future__ import annotations

from operators.approvals import keep_found
from tasks.durable import durable


@durable("keep-for-decision", content=lambda run, store, flow_run_id: [run, flow_run_id])  # noqa: ARG005
def keep_for_decision(run: str, store: str, flow_run_id: str) -> str:  # noqa: ARG001 - for the key
    """A copy of what a search has found, one for each run that asks about it; where it is."""
    return keep_found(store, run)
