"""The verdict: the sealed questions are opened once, for the best strategy and the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from prefect.futures import PrefectFuture
from pydantic import BaseModel, ConfigDict

from flows.iteration import Round, answer_usage, judge_on, judge_usage, llm_work
from flows.plan import Plan
from flows.training import answered
from operators.data.store import BlobRef, DatasetRef
from operators.digest import digest
from operators.errors import NothingLearned
from operators.judging.openings import level, opening
from operators.judging.pairwise import pooled
from operators.judging.statistics import compare_seeds, noise_floor
from operators.results import Comparison, Lead, Verdict, Work
from operators.strategist.space import Strategy, label
from operators.training.lora import FineTune
from operators.verdict import best_trial, decide, lead
from tasks.durable import failed_with, in_store, raise_failure, was_executed
from tasks.judging import evaluate_sealed
from tasks.progress import say
from tasks.training import fine_tune


class End(BaseModel):
    """How a search ends."""

    model_config = ConfigDict(frozen=True)
    verdict: Verdict
    lead: Lead | None
    adapter: BlobRef
    """Of the model that the verdict is for."""
    same_data: list[Comparison] = []
    """The baselines among themselves."""
    work: Work


def deliver_verdict(plan: Plan, rounds: Sequence[Round], recommended: Strategy | None = None) -> End:
    """Compares the best strategy with the baseline on the sealed questions, over several training seeds. The best
    is the one that the strategist named when it ended the search, else the `recommended` one.

    A search that is run again with another budget may end with another strategy. It meets questions that have been
    looked at, so its intervals are the wider the more candidates there were before it.

    The seeds are new ones: the model that won the search won by the luck of its seed as well. Both sides of a seed
    see shared records in the same order, so they are compared in pairs. The baselines among themselves (A/A) show
    how far seeds alone move such a score. A strategy whose model cannot be tuned with some of the seeds is not
    adopted.
    """
    plan = plan.model_copy(update={"runtime": plan.runtime.without_limit()})  # a verdict is not left half-judged
    settings, sealed = plan.config.judging, plan.splits.sealed
    trials = [t for r in rounds for t in r.trials]
    named = rounds[-1].proposal.best if rounds[-1].proposal.decision == "best" else recommended
    best = best_trial(trials, named)
    data = [d for r in rounds for d in r.data][trials.index(best)]
    baselines = next(r.baselines for r in rounds if r.baselines)
    say(f"opening the sealed questions for {label(best.strategy)}")
    candidate = digest(
        data.training_sha256, plan.recipe(1).content(plan.model_sha256), settings.method, settings.sealed_seeds
    )
    questions = digest(sealed.sha256, plan.splits.train.sha256)
    number = opening(plan.runtime.store, questions, candidate)
    confidence = level(settings.confidence, number)

    repeats = range(1, settings.sealed_seeds + 1)
    candidates = [_trained(data, plan, r, f"verdict - candidate {r}") for r in repeats]
    known = enumerate(baselines if settings.noise_floor else [])
    controls = {r: _measured(model, plan, r, f"verdict - baseline {r}") for r, model in known}
    new = [r for r in repeats if r not in controls]
    controls |= {r: _trained(plan.sample, plan, r, f"verdict - baseline {r}") for r in new}
    ours = [answered(model, sealed, plan) for model in candidates]
    theirs = {r: answered(model, sealed, plan) for r, model in controls.items()}
    judged = [judge_on(sealed, ours[r - 1], theirs[r], plan, f"verdict - judge {r}") for r in repeats]
    pairs = combinations(theirs, 2) if settings.noise_floor else ()
    same = [judge_on(sealed, theirs[b], theirs[a], plan, f"verdict - A/A {a} {b}") for a, b in pairs]
    lost = [r for r in repeats if failed_with(candidates[r - 1], NothingLearned)]
    raise_failure([*controls.values(), *theirs.values(), *same])
    if len(lost) == len(candidates):
        raise_failure(candidates)
    kept = [r for r in repeats if r not in lost]
    raise_failure([of[r - 1] for of in (candidates, ours, judged) for r in kept])

    intervals = {"resamples": settings.bootstrap, "confidence": confidence, "seed": plan.config.seed}
    results: list[Comparison] = [judged[r - 1].result() for r in kept]
    pooled_score = compare_seeds([c.outcomes for c in results], **intervals).model_copy(  # type: ignore[arg-type]
        update={"details": pooled([c.details for c in results if c.details])}
    )
    floor = best.noise_floor
    if same:
        floor = noise_floor([a_a.result().outcomes for a_a in same], seeds=len(results), **intervals)  # type: ignore[arg-type]
    verdict = decide(
        best.strategy,
        pooled_score,
        confidence,
        noise_floor=floor,
        search_score=best.comparison.score,
        lost=len(lost),
        opening=number,
    )
    trained = [*(candidates[r - 1] for r in kept), *(controls[r] for r in new)]
    adopted = candidates[0].result() if verdict.decision == "adopt" else baselines[0]
    return End(
        verdict=verdict,
        lead=lead(best, trials, settings.confidence),
        adapter=adopted.adapter,
        same_data=[a_a.result() for a_a in same],
        work=llm_work(
            judge_usage([*(judged[r - 1] for r in kept), *same])
            + answer_usage([*(ours[r - 1] for r in kept), *theirs.values()])
        ).model_copy(
            update={
                "fine_tunes_requested": len(trained),
                "fine_tunes_executed": sum(map(was_executed, trained)),
            }
        ),
    )


def _trained(data: DatasetRef, plan: Plan, repeat: int, run_name: str) -> PrefectFuture[FineTune]:
    return in_store(fine_tune, plan.runtime.store, run_name).submit(
        data, plan.splits.sealed, plan.recipe(repeat), plan.model_sha256, plan.answer_tokens, plan.runtime
    )


def _measured(model: FineTune, plan: Plan, repeat: int, run_name: str) -> PrefectFuture[FineTune]:
    return in_store(evaluate_sealed, plan.runtime.store, run_name).submit(
        model, plan.splits.sealed, plan.recipe(repeat), plan.model_sha256, plan.answer_tokens, plan.runtime
    )
