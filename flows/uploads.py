"""What the flows about uploads share: their settings, and how an upload ends."""

from __future__ import annotations

import posixpath
import re
from typing import Self

from prefect.runtime import flow_run
from pydantic import Field, model_validator

from operators.config import Cluster, Endpoint, RowFormat, SearchConfig, Settings
from operators.digest import digest
from operators.drift import MAX_DRIFT
from operators.errors import ConfigError
from operators.intake.ledger import CLAIM_SECONDS, Ledger, Outcome
from operators.intake.uploads import Upload, below_prefix, is_watched
from tasks.events import FAILED, PROCESSED, send, upload_resource
from tasks.progress import say
from tasks.uploading import quarantine_upload

ATTEMPTS = Field(5, ge=1, le=100, description="Runs that may die on an upload before it is given up and set aside")


def refuse_watched(prefix: str, **places: str | None) -> None:
    """Raises ValueError where one of the named places lies below the prefix: what is written there would be taken
    for uploads, and processed, without end."""
    for name, place in places.items():
        if place is not None and is_watched(place, prefix):
            raise ValueError(
                f"{name} {place} lies below the prefix {prefix}, so what is written there would be taken for "
                'uploads: give another place, or a folder whose name begins with "_" or "."'
            )


class UploadConfig(Settings):
    """How uploads are processed."""

    prefix: str = Field(description="Where uploads arrive: path or s3:// URL; a folder below it is a data set")
    output: str = Field(description="Where processed objects go, under the same names: path or s3:// URL")
    store: str = Field(".autodp/store", description="Content store, ledger and approvals: path or s3:// URL")
    quarantine: str | None = Field(
        None, description="Where uploads that cannot be used are set aside; None: `quarantined` in the store"
    )
    data_sets: dict[str, str] = Field(
        {}, description="Data set -> prefix of its uploads, where folders below the prefix do not tell"
    )
    max_drift: float = Field(
        MAX_DRIFT,
        ge=0,
        le=2,
        description="Distance from the set a recipe was found on beyond which a new search is made; see docs",
    )
    search: SearchConfig | None = Field(
        None, description="The search for uploads without a fitting recipe; its input and name are replaced"
    )
    search_deployment: str = Field(
        "search/search", pattern=r"^[^/]+/[^/]+$", description="Deployment that searches: flow/deployment"
    )
    data_format: RowFormat = Field(
        RowFormat(),
        description="Of the input, where it is not the recipe's set's or, without one, that of `search`",
    )
    rewriter: Endpoint | None = Field(None, description="Instead of the recipes' rewriter endpoint")
    judge: Endpoint | None = Field(None, description="Instead of the recipes' judge, which labels records")
    i_allow_records_to_leave: bool = Field(False, description="Accept a rewriter or judge outside this network")
    attempts: int = ATTEMPTS
    claim_seconds: float = Field(
        CLAIM_SECONDS, ge=3, le=3600, description="How long after a run's last sign of life another takes over"
    )
    num_cpus: float = Field(1, ge=0, description="CPUs of an operator that loads the target model")
    num_gpus: float = Field(0, ge=0, description="GPUs of an operator that loads the target model")
    cluster: Cluster = Cluster()

    @model_validator(mode="after")
    def _places_apart(self) -> Self:
        refuse_watched(self.prefix, output=self.output, store=self.store, quarantine=self.quarantine)
        return self

    @property
    def set_aside(self) -> str:
        """Where uploads that cannot be used go."""
        return self.quarantine or posixpath.join(self.store, "quarantined")

    def data_set_of(self, upload: Upload) -> str:
        """The data set an upload belongs to: of the longest prefix in `data_sets`, else its folder below the
        watched prefix, else the prefix's own last part. What cannot be in a data set's name becomes "-", and the
        end of the name a digest."""
        fitting = [(len(p), name) for name, p in self.data_sets.items() if below_prefix(upload.uri, p)]
        if fitting:
            return max(fitting)[1]
        folders = self._below(upload).split("/")[:-1] or self.prefix.rstrip("/").split("/")[-1:]
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", folders[0]).strip("-._")[:80]
        if name == folders[0]:
            return name
        # Folders whose names differ are different sets, also where only what cannot be in a name differs.
        return f"{name[:71] or 'uploads'}-{digest(folders[0])[:8]}"

    def output_of(self, upload: Upload) -> str:
        """Where the processed object goes."""
        return posixpath.join(self.output, self._below(upload))

    def _below(self, upload: Upload) -> str:
        below = below_prefix(upload.uri, self.prefix)
        if below is None:
            raise ConfigError(f"{upload.uri}: is not a data file below {self.prefix}, so it is not processed")
        return below


def settle(outcome: Outcome, copy: str | None, *, store: str, set_aside: str) -> bool:
    """Ends an upload: set aside where it failed, written to the ledger, told in the log and by an event.

    False where it had ended already: then nothing is told.
    """
    if outcome.status == "failed":
        place = quarantine_upload(outcome.upload, copy, set_aside, outcome.reason)
        outcome = outcome.model_copy(update={"output": place})
    outcome = outcome.model_copy(update={"run": flow_run.id})
    if not Ledger(store).settle(outcome):
        return False
    say(f"{outcome.upload.uri}: {outcome.status}: {outcome.reason}")
    send(
        FAILED if outcome.status == "failed" else PROCESSED,
        upload_resource(outcome.upload),
        outcome.model_dump(mode="json", exclude={"upload"}),
    )
    return True
