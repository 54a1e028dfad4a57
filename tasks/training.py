"""Fine-tuning: one Ray job a distinct training set, whatever strategy it came from."""

from __future__ import annotations

from prefect import task

from operators import jobs, remote
from operators.config import Training
from operators.data.store import DatasetRef
from operators.precision import Precision, native_precision
from operators.results import TeamRun
from operators.training.lora import FineTune
from tasks.durable import durable, may_pass, silenced
from tasks.processing import output_of
from tasks.progress import shown
from tasks.runtime import Runtime


@task(
    name="settle-precision",
    task_run_name="settle precision",
    retries=2,
    retry_delay_seconds=[2, 20],
    retry_condition_fn=may_pass,
)
@silenced
def precision(recipe: Training, runtime: Runtime) -> Precision:
    """What the recipe says; for "auto", what suits the machines that train. It is settled once for all models of a
    search: which of two is better must not depend on where each was trained, nor on what the store has of another
    machine."""
    if recipe.dtype != "auto":
        return recipe.dtype
    if runtime.cluster.address is None:
        return native_precision()
    return jobs.run(
        remote.precision_there, cluster=runtime.cluster, num_cpus=recipe.num_cpus, num_gpus=recipe.num_gpus
    )


@durable(
    "fine-tune",
    version="8",
    content=lambda source, questions, recipe, model_sha256, answer_tokens, runtime, until=None, begun=None: [  # noqa: ARG005
        output_of(source).training_sha256,
        questions.sha256,
        recipe.content(model_sha256),
        answer_tokens,
        *([until] if until else []),  # what was begun first ends as if it had run through
    ],
)
def fine_tune(
    source: TeamRun | DatasetRef,
    questions: DatasetRef,
    recipe: Training,
    model_sha256: str,  # noqa: ARG001 - for the key
    answer_tokens: int,
    runtime: Runtime,
    until: int | None = None,
    begun: FineTune | None = None,
) -> FineTune:
    """Trains an adapter on what a strategy left and measures it on the judging questions.

    With `until` it pauses after so many steps; with `begun` it goes on from there.
    """
    with shown() as progress:
        return jobs.run(
            remote.fine_tune_dataset,
            output_of(source),
            questions,
            recipe,
            runtime.store,
            answer_tokens,
            until,
            begun,
            cluster=runtime.cluster,
            num_cpus=recipe.num_cpus,
            num_gpus=recipe.num_gpus,
            progress=progress,
            to_save_memory="lower training.batch_size or training.max_length, or raise training.num_cpus",
        )
