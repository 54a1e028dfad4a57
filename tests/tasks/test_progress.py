"""Progress that cannot be shown ends no work."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.e2e


def test_a_progress_artifact_that_was_deleted_is_made_anew(prefect_server):  # noqa: ARG001
    from prefect import flow, task
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterTaskRunId
    from prefect.context import TaskRunContext

    from tasks.progress import shown

    @task
    def work() -> list[int]:
        context = TaskRunContext.get()
        assert context is not None
        own = ArtifactFilter(task_run_id=ArtifactFilterTaskRunId(any_=[context.task_run.id]))
        seen = []
        with shown() as progress, get_client(sync_client=True) as client:
            for _ in range(3):
                progress("step", 1, 1)
                found = client.read_artifacts(artifact_filter=own)
                seen.append(len(found))
                for artifact in found:
                    client.delete_artifact(artifact.id)
        return seen

    @flow
    def main() -> list[int]:
        return work()

    assert main() == [1, 0, 1]
