"""A round's fine-tunes: each to its end, or as a race that ends early for those that are behind."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from statistics import fmean
from typing import NamedTuple

from prefect.futures import PrefectFuture

from flows.plan import Plan
from operators.config import Racing
from operators.data.store import DatasetRef
from operators.errors import NothingLearned
from operators.results import TeamRun
from operators.strategist.space import Strategy, label
from operators.training.lora import FineTune
from tasks.answering import answer
from tasks.durable import failed_with, in_store, raise_failure
from tasks.progress import say
from tasks.training import fine_tune

Tree = Mapping[Strategy, PrefectFuture[TeamRun]]


class Trainings(NamedTuple):
    """A round's trainings, submitted. Of the `stopped` ones the first part is all there is, and
    `early_baseline` is the baseline after as many steps."""

    tuned: dict[Strategy, PrefectFuture[FineTune]]
    baseline: PrefectFuture[FineTune]
    again: list[PrefectFuture[FineTune]]
    """The baseline with another seed, where the noise floor is measured."""
    stopped: frozenset[Strategy] = frozenset()
    early_baseline: PrefectFuture[FineTune] | None = None

    @property
    def all(self) -> list[PrefectFuture[FineTune]]:
        """Every training that the round waits for."""
        early = [] if self.early_baseline is None else [self.early_baseline]
        return [*early, self.baseline, *self.again, *self.tuned.values()]

    def without(self, failed: Collection[Strategy]) -> Trainings:
        """The same without the models that could not be tuned."""
        return self._replace(tuned={s: model for s, model in self.tuned.items() if s not in failed})

    def answered(self, questions: DatasetRef, plan: Plan) -> Trainings:
        """The same models with their answers, where a judge reads these; it reads none of a stopped one."""
        tuned = {s: m if s in self.stopped else answered(m, questions, plan) for s, m in self.tuned.items()}
        again = [answered(model, questions, plan) for model in self.again]
        return self._replace(tuned=tuned, again=again, baseline=answered(self.baseline, questions, plan))


def answered(model: PrefectFuture[FineTune], questions: DatasetRef, plan: Plan) -> PrefectFuture[FineTune]:
    """Submits a model's questions to the target endpoint; where there is none, it has answered when it was
    measured."""
    if not plan.answers_on_server:
        return model
    return in_store(answer, plan.runtime.store).submit(  # type: ignore[call-overload]
        model,  # Prefect resolves futures among arguments
        questions,
        plan.config.judging.max_answer_tokens,
        plan.runtime,
    )


def train(strategies: list[Strategy], tree: Tree, plan: Plan, when: str) -> Trainings:
    """Submits a fine-tune for every strategy, with the baseline beside them. Of a race it waits for the first
    part: all models see as many steps by then, so the likelihoods of the true answers can be compared."""
    racing = plan.config.training.racing
    going = survivors(len(strategies), racing)
    begun: dict[Strategy, PrefectFuture[FineTune]] = {}
    early: PrefectFuture[FineTune] | None = None
    stopped: frozenset[Strategy] = frozenset()
    until = math.ceil(racing.check * plan.config.training.steps)
    if going < len(strategies) and until < plan.config.training.steps:
        early = _fine_tune(plan.sample, plan, "baseline - begin", until=until)
        begun = {s: _fine_tune(tree[s], plan, f"{when} - begin {label(s)}", until=until) for s in strategies}
        raise_failure([*tree.values(), early])
        failed = {s for s, model in begun.items() if failed_with(model, NothingLearned)}
        losses = {s: fmean(model.result().question_nll) for s, model in begun.items() if s not in failed}
        stopped = behind(losses, going) | failed
        say(f"{when}: after {until} steps {', '.join(label(s) for s in strategies if s in stopped)} stop")

    def whole(s: Strategy) -> PrefectFuture[FineTune]:
        return _fine_tune(tree[s], plan, f"{when} - fine-tune {label(s)}", begun=begun.get(s))

    again = plan.config.judging.noise_floor
    return Trainings(
        baseline=_fine_tune(plan.sample, plan, "baseline - fine-tune", begun=early),
        again=[_fine_tune(plan.sample, plan, "A/A - fine-tune", repeat=1)] if again else [],
        tuned={s: begun[s] if s in stopped else whole(s) for s in strategies},
        stopped=stopped,
        early_baseline=early,
    )


def behind(losses: Mapping[Strategy, float], going: int) -> frozenset[Strategy]:
    """All but the `going` strategies whose models find the true answers likeliest; of equals the earlier go on."""
    return frozenset(sorted(losses, key=losses.__getitem__)[going:])


def survivors(trials: int, racing: Racing) -> int:
    """How many of a round's trainings go on after the check."""
    return math.ceil(racing.keep * trials) if racing.enabled else trials


def _fine_tune(
    source: DatasetRef | PrefectFuture[TeamRun],
    plan: Plan,
    run_name: str,
    *,
    repeat: int = 0,
    until: int | None = None,
    begun: PrefectFuture[FineTune] | None = None,
) -> PrefectFuture[FineTune]:
    return in_store(fine_tune, plan.runtime.store, run_name).submit(
        source,  # type: ignore[arg-type]  # Prefect resolves futures among arguments
        plan.splits.judge,
        plan.recipe(repeat),
        plan.model_sha256,
        0 if until else plan.answer_tokens,
        plan.runtime,
        until,
        begun,  # type: ignore[arg-type]
    )
