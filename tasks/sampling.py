"""Splits of the evaluation questions, and the sample on which strategies are compared."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from operators import jobs, remote
from operators.config import Data, Sampling, Training
from operators.data.splits import split
from operators.data.store import DatasetRef, Store
from operators.fidelity import Fidelity
from tasks.durable import durable
from tasks.progress import shown
from tasks.runtime import Runtime


class SplitRefs(BaseModel):
    """What may be trained on, and three disjoint sets of questions."""

    model_config = ConfigDict(frozen=True)
    train: DatasetRef
    search: DatasetRef
    judge: DatasetRef
    sealed: DatasetRef
    held_out: DatasetRef
    """The whole evaluation set, or what was held out of the input: for exclusion only."""


class Sample(BaseModel):
    """The sample and how faithful it is."""

    model_config = ConfigDict(frozen=True)
    dataset: DatasetRef
    fidelity: Fidelity


@durable(
    "split",
    version="3",
    content=lambda dataset, evaluation, data, training, model_sha256, seed, store: [  # noqa: ARG005
        dataset.sha256,
        evaluation and evaluation.sha256,
        [data.search_questions, data.judge_questions, data.sealed_questions],
        [training.max_length, model_sha256],
        seed,
    ],
)
def split_questions(
    dataset: DatasetRef,
    evaluation: DatasetRef | None,
    data: Data,
    training: Training,
    model_sha256: str,  # noqa: ARG001  # part of the key
    seed: int,
    store: str,
) -> SplitRefs:
    """Search, judging and sealed questions, and the training records that share nothing with them.

    Questions that leave the model no room for an answer are not drawn."""
    from operators.training.tokens import Room

    place = Store(store)
    parts = split(
        place.get_records(dataset),
        search=data.search_questions,
        judge=data.judge_questions,
        sealed=data.sealed_questions,
        seed=seed,
        evaluation=place.get_records(evaluation) if evaluation else None,
        fits=Room(training.model, training.max_length),
    )
    return SplitRefs(
        train=place.put_records(parts.train),
        search=place.put_records(parts.search),
        judge=place.put_records(parts.judge),
        sealed=place.put_records(parts.sealed),
        held_out=evaluation or place.put_records(parts.held_out),
    )


@durable(
    "sample",
    version="4",
    content=lambda train, settings, embedder, embedder_sha256, seed, runtime: [  # noqa: ARG005
        train.sha256,
        settings,
        embedder_sha256,
        seed,
    ],
)
def draw_sample(
    train: DatasetRef,
    settings: Sampling,
    embedder: str,
    embedder_sha256: str,  # noqa: ARG001 - for the key
    seed: int,
    runtime: Runtime,
) -> Sample:
    """A share of the training records with the same embedding distribution and the same share of flags, drawn
    on a Ray worker."""
    with shown() as progress:
        dataset, fidelity = jobs.run(
            remote.sample_dataset,
            train,
            settings,
            embedder,
            seed,
            runtime.store,
            cluster=runtime.cluster,
            progress=progress,
        )
    return Sample(dataset=dataset, fidelity=fidelity)
