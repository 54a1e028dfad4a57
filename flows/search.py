"""The search: which processing, in which order, makes the fine-tuned model better?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce

from prefect import flow
from prefect.futures import PrefectFuture

from flows.iteration import Round, llm_work, search_iteration
from flows.plan import Plan
from flows.prepare import Prepared, prepare
from operators.config import SearchConfig
from operators.data.store import DatasetRef
from operators.errors import BudgetExceeded
from operators.jobs import spent
from operators.results import LLMUsage, SearchResult, TeamRun, Verdict, Work
from operators.strategist.explain import what_matters
from operators.strategist.space import NO_PROCESSING, Strategy, label
from operators.strategist.view import Remaining, agent_view
from operators.training.lora import FineTune
from operators.verdict import decide
from tasks.durable import in_store, was_executed
from tasks.judging import evaluate_sealed, judge
from tasks.processing import apply_team
from tasks.progress import say
from tasks.publishing import make_recipe, publish
from tasks.story import tell_budget


class Clock:
    """Wall seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.started = time.monotonic()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times the block under `name` and says so."""
        start = time.monotonic()
        say(f"{name} ...")
        yield
        self.seconds[name] = round(time.monotonic() - start, 2)

    @property
    def minutes(self) -> float:
        """Minutes since the search began."""
        return (time.monotonic() - self.started) / 60


@flow(name="search", flow_run_name="search {config.name}")
def search(config: SearchConfig) -> SearchResult:
    """Finds the best processing strategy for a data set, proves it on sealed questions, and hands it over."""
    clock = Clock()
    ready = prepare(config, clock.stage)
    plan = ready.plan
    rounds, stopped = _rounds(ready, clock)
    trials = [t for r in rounds for t in r.trials]
    if not trials:
        raise BudgetExceeded(f"the budget ({stopped}) ended before a first trial: raise budget.{stopped}")
    work = reduce(_add, (r.work for r in rounds), llm_work(ready.usage))
    say(f"the search ends after {len(rounds)} rounds and {len(trials)} trials ({stopped})")

    with clock.stage("verdict"):
        verdict, judged = judge_sealed(plan, rounds)
    with clock.stage("process the whole set"):
        runs = process_whole(plan, verdict)
        for run in runs:
            work = _add(work, llm_work(run.result().usage if was_executed(run) else LLMUsage()))
        work = work.model_copy(
            update={
                "team_runs_requested": work.team_runs_requested + len(runs),
                "team_runs_executed": work.team_runs_executed + sum(map(was_executed, runs)),
            }
        )
    final = runs[-1].result().dataset if runs else plan.splits.train
    result = SearchResult(
        name=config.name,
        verdict=verdict,
        trials=trials,
        work=work,
        data=ready.counts.model_copy(update={"processed": final.rows}),
        seconds={**clock.seconds, "total": round(clock.minutes * 60, 2)},
        strategist=config.strategist_kind,
        stopped=stopped,
        final_reports=[run.result().reports for run in runs],
        what_matters=what_matters(trials, list(plan.chains), ready.counts),
    )
    recipe = make_recipe(
        config,
        result,
        plan.chains,
        plan.splits,
        plan.model_sha256,
        plan.context,
        plan.embedder,
        plan.embedder_sha256,
        ready.reference,
    )
    place = publish(
        result,
        recipe,
        config,
        ready.loaded,
        ready.fidelity,
        plan.splits,
        final,
        judged.adapter,
        [r.proposal for r in rounds],
        ready.reference,
    )
    say(f"everything is in {place}")
    say(verdict.reason)
    return result


def _rounds(ready: Prepared, clock: Clock) -> tuple[list[Round], str]:
    """Rounds until the strategist or the budget says stop, and which of them it was."""
    config, plan = ready.plan.config, ready.plan
    budget = config.budget
    rounds: list[Round] = []
    while True:
        trials = [t for r in rounds for t in r.trials]
        tokens = spent(plan.runtime.ledger) if plan.runtime.ledger else 0
        remaining = Remaining(
            rounds=budget.rounds - len(rounds),
            trials=max(budget.trials - len(trials), 0),
            minutes=None if budget.minutes is None else round(budget.minutes - clock.minutes, 1),
            tokens=None if budget.tokens is None else budget.tokens - tokens,
        )
        for what, left in remaining.model_dump().items():
            if left is not None and left <= 0:
                return rounds, what
        number = len(rounds) + 1
        view = agent_view(
            task=config.data.task,
            round=number,
            data=ready.counts,
            trials=trials,
            remaining=remaining,
            teams=list(plan.chains),
        )
        k = min(budget.trials_per_round, remaining.trials)
        try:
            with clock.stage(f"round {number}"):
                rounds.append(search_iteration(number, view, k, plan, trials))
        except BudgetExceeded:
            if not rounds:
                raise
            return rounds, "tokens"  # the trials of the rounds before it stand
        tried = len(trials) + len(rounds[-1].trials)
        tell_budget(config.name, budget, number, tried, clock.minutes, reduce(_add, (r.work for r in rounds)))
        proposal = rounds[-1].proposal
        if proposal.decision != "continue":
            return rounds, proposal.decision
        if not rounds[-1].trials:
            return rounds, "exhausted"


def judge_sealed(plan: Plan, rounds: list[Round]) -> tuple[Verdict, FineTune]:
    """Opens the sealed questions once, for the candidate and the baseline. Also the model the verdict is for."""
    trials = [t for r in rounds for t in r.trials]
    tuned = [t for r in rounds for t in r.tuned]
    baseline = next(r.baseline for r in rounds if r.baseline is not None)
    named = rounds[-1].proposal.best if rounds[-1].proposal.decision == "best" else None
    best = max(range(len(trials)), key=lambda i: (trials[i].strategy == named, trials[i].comparison.score))
    say(f"opening the sealed questions for {label(trials[best].strategy)}")
    sealed = {
        name: in_store(evaluate_sealed, plan.runtime.store, f"verdict - {name}").submit(
            model, plan.splits.sealed, plan.config.training, plan.model_sha256, plan.answer_tokens, plan.runtime
        )
        for name, model in (("candidate", tuned[best]), ("baseline", baseline))
    }
    comparison = in_store(judge, plan.runtime.store, "verdict - judge")(
        sealed["candidate"].result(),
        sealed["baseline"].result(),
        plan.splits.sealed,
        plan.config.judging,
        plan.config.data.task,
        plan.config.seed,
        plan.runtime.without_limit(),
    )
    verdict = decide(trials[best].strategy, comparison, plan.config.judging.confidence)
    return verdict, tuned[best] if verdict.decision == "adopt" else baseline


def process_whole(plan: Plan, verdict: Verdict) -> list[PrefectFuture[TeamRun]]:
    """The winner on every training record, one team after the other."""
    strategy: Strategy = verdict.strategy if verdict.decision == "adopt" else NO_PROCESSING
    runs: list[PrefectFuture[TeamRun]] = []
    source: DatasetRef | PrefectFuture[TeamRun] = plan.splits.train
    for team in strategy:
        source = in_store(apply_team, plan.runtime.store, f"whole set - {team}").submit(
            team,
            plan.chains[team],
            source,  # type: ignore[arg-type]  # Prefect resolves futures among arguments
            plan.context,
            plan.runtime.without_limit(),
        )
        runs.append(source)
    for run in runs:
        run.result()
    return runs


def _add(a: Work, b: Work) -> Work:
    return Work(**{k: v + getattr(b, k) for k, v in a.model_dump().items()})
