"""Embedding every record, and the classifier's quality flag."""

from __future__ import annotations

from operators import jobs, remote
from operators.config import Targeting
from operators.data.store import BlobRef, DatasetRef
from tasks.durable import durable
from tasks.progress import shown
from tasks.runtime import Runtime


@durable(
    "embed",
    content=lambda dataset, model, model_sha256, runtime: [dataset.sha256, model_sha256],  # noqa: ARG005
)
def embed(dataset: DatasetRef, model: str, model_sha256: str, runtime: Runtime) -> BlobRef:  # noqa: ARG001
    """Sentence embeddings, one row a record, on a Ray worker."""
    with shown() as progress:
        return jobs.run(
            remote.embed_dataset, dataset, model, runtime.store, cluster=runtime.cluster, progress=progress
        )


@durable(
    "flag-low-quality",
    content=lambda dataset, embeddings, settings, embedder, embedder_sha256, seed, runtime: [  # noqa: ARG005
        dataset.sha256,
        settings,
        embedder_sha256,
        seed,
    ],
)
def flag_low_quality(
    dataset: DatasetRef,
    embeddings: BlobRef,
    settings: Targeting,
    embedder: str,
    embedder_sha256: str,  # noqa: ARG001 - for the key
    seed: int,
    runtime: Runtime,
) -> DatasetRef:
    """Sets every record's quality flag by the classifier, on a Ray worker."""
    with shown() as progress:
        return jobs.run(
            remote.flag_dataset,
            dataset,
            embeddings,
            settings,
            embedder,
            seed,
            runtime.store,
            cluster=runtime.cluster,
            progress=progress,
        )
