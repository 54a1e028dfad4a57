"""One round of the search: propose, process as a prefix tree, fine-tune in parallel, judge."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import flow
from prefect.futures import PrefectFuture
from pydantic import BaseModel, ConfigDict

from flows.plan import Plan
from flows.training import Trainings, train
from operators.data.store import DatasetRef
from operators.errors import EndpointError, NothingLearned
from operators.judging.statistics import noise_floor
from operators.results import Comparison, FailedTrial, LLMUsage, TeamRun, Trial, Work
from operators.strategist.base import Proposal
from operators.strategist.space import Strategy, label, prefixes
from operators.strategist.view import AgentView
from operators.training.lora import FineTune
from operators.verdict import best_trial
from tasks.durable import failed_with, in_store, raise_failure, was_executed
from tasks.judging import EarlyStop, judge
from tasks.processing import apply_team
from tasks.progress import say
from tasks.proposing import explore, propose

Leader = tuple[float, ...] | None


class Round(BaseModel):
    """What a round decided, tried and cost."""

    model_config = ConfigDict(frozen=True)
    proposal: Proposal
    trials: list[Trial] = []
    failed: list[FailedTrial] = []
    data: list[DatasetRef] = []
    """What each trial trained on, in their order."""
    baselines: list[FineTune] = []
    """The baseline, and where the noise floor is measured, the same with another training seed."""
    same_data: list[Comparison] = []
    """The one against the other."""
    work: Work = Work()


@flow(name="search-iteration", flow_run_name="round {number}", validate_parameters=False)
def search_iteration(number: int, view: AgentView, k: int, plan: Plan, leader: Leader = None) -> Round:
    """Tries up to `k` new strategies against the baseline. `leader` is what the best one so far scored on each
    question; more of the rounds before would outgrow what Prefect takes as a parameter.

    The baseline is trained beside the first round's strategies, and once more with another seed, to see what is
    noise (A/A); later rounds find both in the store. A strategy whose records no model can be tuned on has failed,
    and the others go on.
    """
    proposal, usage = _propose(number, view, k, plan)
    plan.runtime.count(usage)
    if proposal.decision != "continue":
        return Round(proposal=proposal, work=llm_work(usage))
    say(f"round {number}: {proposal.source} proposes {', '.join(map(label, proposal.strategies))}")

    # Teams first: trainings that wait for nothing would keep all cores from those that do.
    tree = process(proposal.strategies, plan, f"round {number}")
    begun = train(list(proposal.strategies), tree, plan, f"round {number}")
    raise_failure([*tree.values(), begun.baseline, *begun.again])
    errors = {s: error for s, model in begun.tuned.items() if (error := failed_with(model, NothingLearned))}
    for s, error in errors.items():
        say(f"round {number}: {label(s)} is left out: {error}")
    strategies = [s for s in proposal.strategies if s not in errors]
    runs = begun.without(errors)
    read = runs.answered(plan.splits.judge, plan)
    same = [judge_on(plan.splits.judge, twin, read.baseline, plan, "A/A - judge") for twin in read.again]
    stop = _early_stop(plan, leader)
    judged = {s: _judge(number, s, read, plan, stop) for s in strategies}
    raise_failure([*tree.values(), *runs.all, *read.all, *same, *judged.values()])
    twins = [a_a.result().outcomes for a_a in same]
    trials = []
    claimed: set[Strategy] = set()
    for s in strategies:
        comparison = judged[s].result()
        # The fewer questions, the further a score without effect may stray: judging may have ended early.
        floor = _noise_floor([outcomes[: comparison.n] for outcomes in twins], plan)
        trials.append(_trial(number, s, tree, runs, comparison, claimed, floor))
        claimed.update(prefixes(s))
        noise = " (inside the noise)" if trials[-1].is_noise and floor else ""
        say(f"round {number}: {label(s)} scores {comparison.score:+.2f}{noise}")
    return Round(
        proposal=proposal,
        trials=trials,
        failed=[FailedTrial(round=number, strategy=s, reason=str(error)) for s, error in errors.items()],
        data=[tree[s].result().dataset for s in strategies],
        baselines=[model.result() for model in (runs.baseline, *runs.again)],
        same_data=[a_a.result() for a_a in same],
        work=_work(
            proposal.strategies,
            list(tree.values()),
            [*runs.tuned.values(), *([runs.baseline, *runs.again] if number == 1 else [])],
            [*judged.values(), *same],
            usage + answer_usage(read.all),
        ),
    )


def _propose(number: int, view: AgentView, k: int, plan: Plan) -> tuple[Proposal, LLMUsage]:
    """The strategist's proposal, and what it cost now. Where its model does not answer the round explores."""
    store = plan.runtime.store
    asked = in_store(propose, store, f"round {number} - propose").submit(view, k, plan.config)
    try:
        proposed = asked.result()
    except EndpointError as e:
        say(f"round {number}: {e}; exploring without it")
        asked = in_store(explore, store, f"round {number} - explore").submit(view, k, plan.config)
        proposed = asked.result()
    return proposed.proposal, proposed.usage if was_executed(asked) else LLMUsage()


def process(strategies: Sequence[Strategy], plan: Plan, when: str) -> dict[Strategy, PrefectFuture[TeamRun]]:
    """Submits every distinct prefix of the strategies once, each after the prefix it extends."""
    tree: dict[Strategy, PrefectFuture[TeamRun]] = {}
    for prefix in sorted({p for s in strategies for p in prefixes(s)}, key=lambda p: (len(p), p)):
        team = prefix[-1]
        source = tree[prefix[:-1]] if len(prefix) > 1 else plan.sample
        tree[prefix] = in_store(apply_team, plan.runtime.store, f"{when} - {label(prefix)}").submit(
            team,
            plan.chains[team],
            source,  # type: ignore[arg-type]  # Prefect resolves futures among arguments
            plan.context,
            plan.runtime,
        )
    return tree


def judge_on(
    questions: DatasetRef,
    trial: PrefectFuture[FineTune] | FineTune,
    baseline: PrefectFuture[FineTune] | FineTune,
    plan: Plan,
    run_name: str,
    stop: EarlyStop | None = None,
) -> PrefectFuture[Comparison]:
    """Submits the comparison of two models that were measured on `questions`."""
    return in_store(judge, plan.runtime.store, run_name).submit(
        trial,  # type: ignore[arg-type]  # Prefect resolves futures among arguments
        baseline,  # type: ignore[arg-type]
        questions,
        plan.config.judging,
        plan.config.data.task,
        plan.config.seed,
        plan.runtime,
        stop,
    )


def _judge(
    number: int, strategy: Strategy, runs: Trainings, plan: Plan, stop: EarlyStop | None
) -> PrefectFuture[Comparison]:
    """A trial against the baseline; one that was stopped early, by likelihood alone: it has no answers."""
    name = f"round {number} - judge {label(strategy)}"
    tuned = runs.tuned[strategy]
    if strategy not in runs.stopped or runs.early_baseline is None:
        return judge_on(plan.splits.judge, tuned, runs.baseline, plan, name, stop)
    judging = plan.config.judging.model_copy(update={"method": "reference"})
    by_likelihood = plan.model_copy(update={"config": plan.config.model_copy(update={"judging": judging})})
    return judge_on(plan.splits.judge, tuned, runs.early_baseline, by_likelihood, name)


def leader_of(trials: Sequence[Trial]) -> Leader:
    """The outcomes of the best strategy so far, where it is better than the baseline. What racing stopped leads
    nobody: it was compared with an earlier state of the baseline."""
    finished = [t for t in trials if not t.stopped]
    best = best_trial(finished) if finished else None
    return tuple(best.comparison.outcomes) if best and best.score > 0 else None


def _early_stop(plan: Plan, leader: Leader) -> EarlyStop | None:
    """An LLM judge's calls cost time; each strategy of the search gets its share of the level (Bonferroni)."""
    settings = plan.config.judging
    if settings.method == "reference" or not settings.early_stopping:
        return None
    return EarlyStop(level=settings.early_stopping_level / plan.config.budget.trials, leader=leader)


def _noise_floor(runs: Sequence[Sequence[float]], plan: Plan) -> float:
    settings = plan.config.judging
    if not runs:
        return 0.0
    return noise_floor(runs, resamples=settings.bootstrap, confidence=settings.confidence, seed=plan.config.seed)


def _trial(
    number: int,
    strategy: Strategy,
    tree: dict[Strategy, PrefectFuture[TeamRun]],
    trainings: Trainings,
    comparison: Comparison,
    claimed: set[Strategy],
    floor: float,
) -> Trial:
    runs = [tree[p].result() for p in prefixes(strategy)]
    reused = [p in claimed or not was_executed(tree[p]) for p in prefixes(strategy)]
    trained = was_executed(trainings.tuned[strategy])
    result = trainings.tuned[strategy].result()
    return Trial(
        round=number,
        strategy=strategy,
        comparison=comparison,
        rows=runs[-1].dataset.rows,
        steps=result.steps,
        stopped=strategy in trainings.stopped,
        reports=[r.reports for r in runs],
        reused_teams=next((i for i, seen in enumerate(reused) if not seen), len(reused)),
        trained=trained,
        seconds=round(
            sum(r.seconds for r, seen in zip(runs, reused, strict=True) if not seen)
            + (result.seconds if trained else 0.0),
            2,
        ),
        noise_floor=floor,
    )


def _work(
    strategies: Sequence[Strategy],
    team_runs: list[PrefectFuture[TeamRun]],
    fine_tunes: list[PrefectFuture[FineTune]],
    judged: list[PrefectFuture[Comparison]],
    usage: LLMUsage,
) -> Work:
    ran = [f for f in team_runs if was_executed(f)]
    for future in ran:
        usage += future.result().usage
    usage += judge_usage(judged)
    return llm_work(usage).model_copy(
        update={
            "team_runs_requested": sum(len(s) for s in strategies),
            "team_runs_executed": len(ran),
            "fine_tunes_requested": len(fine_tunes),
            "fine_tunes_executed": sum(map(was_executed, fine_tunes)),
        }
    )


def judge_usage(judged: Sequence[PrefectFuture[Comparison]]) -> LLMUsage:
    """What an LLM judge was asked for comparisons that were not in the store."""
    details = [future.result().details for future in judged if was_executed(future)]
    return sum((d.usage for d in details if d), LLMUsage())


def answer_usage(models: Sequence[PrefectFuture[FineTune]]) -> LLMUsage:
    """What the target endpoint was asked for answers that were not in the store."""
    return sum((model.result().answering for model in models if was_executed(model)), LLMUsage())


def llm_work(usage: LLMUsage) -> Work:
    """The model requests of something, as work."""
    return Work(
        llm_requests=usage.requests,
        llm_cache_hits=usage.cache_hits,
        llm_input_tokens=usage.input_tokens,
        llm_output_tokens=usage.output_tokens,
    )
