"""Starting a search for uploads that no approved recipe fits: one for all uploads of a data set."""

from __future__ import annotations

from typing import NamedTuple

from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment

from operators.config import Data, SearchConfig
from operators.digest import digest
from operators.errors import ConfigError
from operators.intake.uploads import Upload


class Searching(NamedTuple):
    """A search that has been started: the id of its flow run, and its name."""

    run: str
    name: str


def start_search(
    upload: Upload,
    data: Data,
    data_set: str,
    search: SearchConfig | None,
    deployment: str,
    store: str,
    decisions: int,
    why: str,
) -> Searching:
    """The flow run that searches, on this upload's records, for a recipe for the data set. `data` says where they
    are and how they are read, `decisions` how many there were about the data set when `why` was found.

    Between two decisions about a data set there is one search, whoever asks for it: Prefect gives the run that
    exists back to an equal idempotency key. A search that failed is followed by another.
    """
    if search is None:
        raise ConfigError(
            f"{upload.uri}: {why}, and no search is configured: approve a recipe with `autodp approve RUN "
            f"--data-set {data_set} --store {store}`, or set `search` in the parameters of on-upload"
        )
    config = search.model_copy(
        update={
            "name": f"{data_set[:71]}-{str(upload.id)[:8]}",
            "data_set": data_set,
            "store": store,
            "data": search.data.model_copy(
                update={"input": data.input, "format": data.format, "columns": data.columns}
            ),
        }
    )
    key = digest("search", store, data_set, decisions)
    while True:
        run = run_deployment(
            deployment,
            parameters={"config": config.model_dump(mode="json")},
            timeout=0,
            as_subflow=False,
            idempotency_key=key,
            flow_run_name=f"search {config.name}",
        )
        with get_client(sync_client=True) as client:
            found = client.read_flow_run(run.id)  # type: ignore[union-attr]
        if found.state is None or not found.state.is_final() or found.state.is_completed():
            # One that was there already has the name that the first upload gave it.
            return Searching(str(found.id), found.parameters["config"]["name"])
        key = digest(key, str(found.id))
