"""Embedding every record, and the classifier's quality flag."""

from __future__ import annotations

import io
from dataclasses import replace

from operators import jobs, remote
from operators.config import Targeting
from operators.data.store import BlobRef, DatasetRef, Store
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
    content=lambda dataset, embeddings, settings, seed, store: [  # noqa: ARG005
        dataset.sha256,
        embeddings.sha256,
        settings,
        seed,
    ],
)
def flag_low_quality(
    dataset: DatasetRef, embeddings: BlobRef, settings: Targeting, seed: int, store: str
) -> DatasetRef:
    """Sets every record's quality flag by the classifier."""
    from operators.targeting import flag_records, labels_of

    place = Store(store)
    records = place.get_records(dataset)
    labels = labels_of(records, settings.label_column) if settings.label_column else None
    result = flag_records(
        records, read_matrix(place, embeddings), precision=settings.precision, seed=seed, labels=labels
    )
    return place.put_records(replace(r, flagged=f) for r, f in zip(records, result.flags, strict=True))


def read_matrix(store: Store, ref: BlobRef):  # type: ignore[no-untyped-def]  # numpy stays a late import
    """A stored NumPy array."""
    import numpy as np

    return np.load(io.BytesIO(store.get_bytes(ref.sha256)), allow_pickle=False)
