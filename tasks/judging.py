"""Judging: trial against baseline, question by question."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from operators import jobs, remote
from operators.config import Judging, Training
from operators.data.store import BlobRef, DatasetRef, Store
from operators.judging import reference
from operators.judging.statistics import compare
from operators.results import Comparison, Exam, JudgeDetails
from operators.training.lora import FineTune
from tasks.durable import durable
from tasks.processing import base_url, model_identity, request_cache
from tasks.progress import shown
from tasks.runtime import Runtime

if TYPE_CHECKING:
    from operators.llm.client import LLMClient


class EarlyStop(BaseModel):
    """When judging may end before the last question (`operators.judging.betting`)."""

    model_config = ConfigDict(frozen=True)
    level: float
    leader: tuple[float, ...] | None = None
    """Outcomes of the best strategy of the rounds before, on the same questions."""


def _judged_by(settings: Judging, runtime: Runtime, stop: EarlyStop | None) -> list[object]:
    intervals = [settings.bootstrap, settings.confidence]
    if settings.method == "reference":
        return [settings.method, settings.tie_margin, *intervals]
    asked = [settings.verdict, settings.criteria, settings.batch if stop else None]
    return [settings.method, *asked, *intervals, stop, model_identity(runtime.judge)]


@durable(
    "judge",
    version="3",
    content=lambda trial, baseline, questions, settings, task, seed, runtime, stop=None: [
        trial.question_nll,
        baseline.question_nll,
        trial.answers,
        baseline.answers,
        questions.sha256,
        task,
        seed,
        _judged_by(settings, runtime, stop),
    ],
)
def judge(
    trial: FineTune,
    baseline: FineTune,
    questions: DatasetRef,
    settings: Judging,
    task: str,
    seed: int,
    runtime: Runtime,
    stop: EarlyStop | None = None,
) -> Comparison:
    """Win, tie or loss per question, and the score with its interval.

    With `stop`, an LLM judge ends where the questions so far have settled the matter.
    """
    intervals = {"resamples": settings.bootstrap, "confidence": settings.confidence, "seed": seed}
    if settings.method == "reference":
        outcomes = reference.outcomes(trial.question_nll, baseline.question_nll, settings.tie_margin)
        return compare(outcomes, **intervals)  # type: ignore[arg-type]
    outcomes, details = _pairwise(trial, baseline, questions, settings, task, seed, runtime, stop)
    return compare(outcomes, **intervals).model_copy(update={"details": details})  # type: ignore[arg-type]


@durable(
    "examine-judge",
    version="4",
    content=lambda questions, settings, task, seed, runtime: [
        questions.sha256,
        settings.exam,
        settings.verdict,
        settings.criteria,
        task,
        seed,
        model_identity(runtime.judge),
    ],
)
def examine_judge(questions: DatasetRef, settings: Judging, task: str, seed: int, runtime: Runtime) -> Exam:
    """The LLM judge's exam, on the search questions."""
    from operators.judging.exam import examine

    with shown() as progress:
        return examine(
            _client(runtime),
            Store(runtime.store).get_records(questions),
            settings,
            task=task,
            seed=seed,
            progress=progress,
        )


@durable(
    "evaluate-sealed",
    version="4",
    content=lambda tuned, questions, recipe, model_sha256, answer_tokens, runtime: [  # noqa: ARG005
        tuned.adapter.sha256,
        questions.sha256,
        recipe.content(model_sha256),
        answer_tokens,
    ],
)
def evaluate_sealed(
    tuned: FineTune,
    questions: DatasetRef,
    recipe: Training,
    model_sha256: str,  # noqa: ARG001 - for the key
    answer_tokens: int,
    runtime: Runtime,
) -> FineTune:
    """A stored adapter measured on the sealed questions instead of the judging ones."""
    with shown() as progress:

        def job(function, *args):  # type: ignore[no-untyped-def]
            return jobs.run(
                function,
                tuned.adapter,
                questions,
                recipe,
                runtime.store,
                *args,
                cluster=runtime.cluster,
                num_cpus=recipe.num_cpus,
                num_gpus=recipe.num_gpus,
                progress=progress,
            )

        nll = job(remote.evaluate_adapter)
        answers = job(remote.answer_questions, answer_tokens) if answer_tokens else None
    return tuned.model_copy(update={"question_nll": nll, "answers": answers})


def _pairwise(
    trial: FineTune,
    baseline: FineTune,
    questions: DatasetRef,
    settings: Judging,
    task: str,
    seed: int,
    runtime: Runtime,
    stop: EarlyStop | None,
) -> tuple[list[float], JudgeDetails]:
    from operators.judging import pairwise
    from operators.judging.betting import Settled, settled

    def over(outcomes: list[float]) -> Settled | None:
        return settled(outcomes, stop.level, stop.leader) if stop else None

    store = Store(runtime.store)
    with shown() as progress:
        return pairwise.judge(
            _client(runtime),
            store.get_records(questions),
            _texts(store, trial.answers),
            _texts(store, baseline.answers),
            settings,
            task=task,
            seed=seed,
            settled=over,
            progress=progress,
        )


def _client(runtime: Runtime) -> LLMClient:
    from operators.llm.cache import RequestCache
    from operators.llm.client import LLMClient

    assert runtime.judge is not None, "the configuration has checked that a judge is set"
    return LLMClient(
        runtime.judge,
        base_url=base_url(runtime.judge),
        cache=RequestCache(request_cache()),
        token_limit=runtime.token_limit,
        ledger=runtime.shared_ledger(),
        role="judge",
    )


def _texts(store: Store, answers: BlobRef | None) -> list[str]:
    assert answers is not None, "pairwise judging asks every fine-tune for answers"
    return list(json.loads(store.get_bytes(answers.sha256)))
