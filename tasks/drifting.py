"""Comparing a new data set with the one a recipe was found on."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pydantic import ValidationError

from operators import drift
from operators.data.store import BlobRef, DatasetRef, Store
from operators.digest import sha256_bytes
from operators.drift import Reference
from operators.errors import ConfigError, DataError
from operators.models import model_digest
from operators.publishing import read_bytes
from operators.record_vectors import as_sides, whole
from tasks.durable import durable, in_store
from tasks.runtime import Runtime
from tasks.scoring import embed

if TYPE_CHECKING:
    import numpy as np


@durable(
    "summarize",
    version="2",
    content=lambda embeddings, embedder, embedder_sha256, seed, store: [  # noqa: ARG005
        embeddings.sha256,
        embedder,
        embedder_sha256,
        seed,
    ],
)
def summarize(embeddings: BlobRef, embedder: str, embedder_sha256: str, seed: int, store: str) -> BlobRef:
    """The summary of a set's vectors that is kept with the recipe; stores a `Reference` as JSON."""
    reference = drift.make_reference(_matrix(embeddings, store), embedder, embedder_sha256, seed)
    return Store(store).put_bytes(reference.model_dump_json().encode())


@durable(
    "choose-for-comparison",
    content=lambda dataset, seed, store: [dataset.sha256, seed],  # noqa: ARG005
)
def choose_for_comparison(dataset: DatasetRef, seed: int, store: str) -> DatasetRef:
    """The records of a large set that are compared."""
    place = Store(store)
    records = place.get_records(dataset)
    return place.put_records(records[i] for i in drift.choose_rows(len(records), seed))


@durable(
    "drift",
    content=lambda embeddings, reference, store: [embeddings.sha256, reference],  # noqa: ARG005
)
def measure_drift(embeddings: BlobRef, reference: Reference, store: str) -> float:
    """Squared maximum mean discrepancy between the old set and the new one."""
    return drift.drift(reference, _matrix(embeddings, store))


def drift_from(dataset: DatasetRef, reference: Reference, runtime: Runtime) -> float:
    """Embeds some of the new records on a Ray worker and compares them with the summary of the old set.

    Raises ConfigError where the embedding model has changed since.
    """
    if model_digest(reference.embedder) != reference.embedder_sha256:
        raise ConfigError(
            f"the embedding model {reference.embedder} has other weights than when the recipe was found: install "
            "the same model, or search again"
        )
    chosen = in_store(choose_for_comparison, runtime.store)(dataset, reference.seed, runtime.store)
    vectors = in_store(embed, runtime.store)(chosen, reference.embedder, reference.embedder_sha256, runtime)
    return in_store(measure_drift, runtime.store)(vectors, reference, runtime.store)


def read_reference(uri: str, sha256: str) -> Reference:
    """Reads the summary that lies beside a recipe. Raises DataError where it is another file, or of a version
    that cannot be compared."""
    data = read_bytes(uri)
    if sha256_bytes(data) != sha256:
        raise DataError(f"{uri}: is not the file that the recipe was made with (its SHA-256 differs)")
    try:
        return Reference.model_validate_json(data)
    except ValidationError:
        raise DataError(
            f"{uri}: was written by another version of autodp, whose vectors cannot be compared with this one's: "
            "search the data set again"
        ) from None


def _matrix(embeddings: BlobRef, store: str) -> np.ndarray:
    import numpy as np

    return whole(as_sides(np.load(io.BytesIO(Store(store).get_bytes(embeddings.sha256)), allow_pickle=False)))
