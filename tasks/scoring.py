"""Embedding every record, and the classifier's quality flag."""

from __future__ import annotations

from operators import jobs, remote
from operators.config import FLAGS_VERSION, Targeting
from operators.data.store import BlobRef, DatasetRef
from operators.errors import ConfigError
from operators.results import Flagging
from tasks.durable import durable
from tasks.processing import connection, model_identity
from tasks.progress import shown
from tasks.runtime import Runtime


@durable(
    "embed",
    version="3",
    content=lambda dataset, model, model_sha256, runtime: [dataset.sha256, model_sha256],  # noqa: ARG005
)
def embed(dataset: DatasetRef, model: str, model_sha256: str, runtime: Runtime) -> BlobRef:  # noqa: ARG001
    """Sentence embeddings of both sides of every record (`operators.record_vectors`), on a Ray worker."""
    with shown() as progress:
        return jobs.run(
            remote.embed_dataset,
            dataset,
            model,
            runtime.store,
            cluster=runtime.cluster,
            num_cpus=runtime.embedding_cpus,
            progress=progress,
        )


@durable(
    "flag-low-quality",
    version=str(FLAGS_VERSION),
    content=lambda dataset, embeddings, settings, embedder_sha256, seed, task, runtime: [  # noqa: ARG005
        dataset.sha256,
        settings,
        embedder_sha256,
        seed,
        # The judge matters only to those who ask it.
        [task, model_identity(runtime.judge)] if settings.labels else None,
    ],
)
def flag_low_quality(
    dataset: DatasetRef,
    embeddings: BlobRef,
    settings: Targeting,
    embedder_sha256: str,  # noqa: ARG001 - for the key
    seed: int,
    task: str,
    runtime: Runtime,
) -> Flagging:
    """Sets every record's quality flag by the classifier, on a Ray worker; a private judge gives labels from
    there, where some are asked for."""
    judge = None
    if settings.labels:
        if runtime.judge is None:
            raise ConfigError("targeting.labels asks a judge for labels: configure endpoints.judge")
        judge = connection(runtime.judge, runtime)
    with shown() as progress:
        return jobs.run(
            remote.flag_dataset,
            dataset,
            embeddings,
            settings,
            seed,
            task,
            judge,
            runtime.store,
            cluster=runtime.cluster,
            num_cpus=runtime.embedding_cpus,
            progress=progress,
        )
