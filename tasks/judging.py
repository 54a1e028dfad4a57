"""Judging: trial against baseline, question by question."""

from __future__ import annotations

import json

from operators import jobs, remote
from operators.config import Judging, Training
from operators.data.store import BlobRef, DatasetRef, Store
from operators.judging import reference
from operators.judging.statistics import compare
from operators.results import Comparison
from operators.training.lora import FineTune
from tasks.durable import durable
from tasks.processing import base_url, model_identity, request_cache
from tasks.progress import shown
from tasks.runtime import Runtime
from tasks.training import training_content


def _judged_by(settings: Judging, runtime: Runtime) -> list[object]:
    if settings.method == "reference":
        return [settings.method, settings.tie_margin, settings.bootstrap, settings.confidence]
    return [settings, model_identity(runtime.judge)]


@durable(
    "judge",
    content=lambda trial, baseline, questions, settings, task, seed, runtime: [
        trial.question_nll,
        baseline.question_nll,
        trial.answers,
        baseline.answers,
        questions.sha256,
        task,
        seed,
        _judged_by(settings, runtime),
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
) -> Comparison:
    """Win, tie or loss per question, and the score with its interval."""
    if settings.method == "reference":
        outcomes = reference.outcomes(trial.question_nll, baseline.question_nll, settings.tie_margin)
    else:
        outcomes = _pairwise(trial, baseline, questions, settings, task, seed, runtime)
    return compare(outcomes, resamples=settings.bootstrap, confidence=settings.confidence, seed=seed)


@durable(
    "evaluate-sealed",
    content=lambda tuned, questions, recipe, model_sha256, answer_tokens, runtime: [  # noqa: ARG005
        tuned.adapter.sha256,
        questions.sha256,
        training_content(recipe, model_sha256),
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
) -> list[float]:
    from operators.judging import pairwise
    from operators.llm.cache import RequestCache
    from operators.llm.client import LLMClient

    assert runtime.judge is not None, "the configuration has checked that a judge is set"
    store = Store(runtime.store)
    client = LLMClient(
        runtime.judge,
        base_url=base_url(runtime.judge),
        cache=RequestCache(request_cache()),
        token_limit=runtime.token_limit,
        role="judge",
    )
    with shown() as progress:
        result = pairwise.judge(
            client,
            store.get_records(questions),
            _texts(store, trial.answers),
            _texts(store, baseline.answers),
            settings,
            task=task,
            seed=seed,
            progress=progress,
        )
    return result.outcomes


def _texts(store: Store, answers: BlobRef | None) -> list[str]:
    assert answers is not None, "pairwise judging asks every fine-tune for answers"
    return list(json.loads(store.get_bytes(answers.sha256)))
