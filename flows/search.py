"""The search: which processing, in which order, makes the fine-tuned model better?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.futures import PrefectFuture

from flows.iteration import Round, leader_of, llm_work, search_iteration
from flows.plan import Plan
from flows.prepare import Prepared, prepare
from flows.verdict import deliver_verdict
from operators.config import SearchConfig
from operators.data.store import DatasetRef
from operators.errors import BudgetExceeded, NothingLearned
from operators.jobs import spent
from operators.judging.exam import require
from operators.report import exam_table
from operators.results import Exam, LLMUsage, SearchResult, TeamRun, Trial, Verdict, Work
from operators.strategist.explain import what_matters
from operators.strategist.factory import recommended
from operators.strategist.view import AgentView, Remaining, agent_view
from tasks.durable import in_store, was_executed
from tasks.judging import examine_judge
from tasks.processing import apply_team
from tasks.progress import say
from tasks.publishing import make_recipe, publish
from tasks.s3_block import use_s3_block
from tasks.story import tell_budget, tell_trials


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
    use_s3_block()
    clock = Clock()
    ready = prepare(config, clock.stage)
    plan = ready.plan
    exam, examined = _examine(plan, clock)
    rounds, stopped, lost = _rounds(ready, clock)
    trials = _trials(rounds)
    failed = [f for r in rounds for f in r.failed]
    if failed and not trials:
        raise NothingLearned(f"no strategy leaves records that a model can be tuned on: {failed[0].reason}")
    if not trials:
        raise BudgetExceeded(f"the budget ({stopped}) ended before a first trial: raise budget.{stopped}")
    work = reduce(_add, (r.work for r in rounds), _add(_add(llm_work(ready.usage), examined), lost))
    say(f"the search ends after {len(rounds)} rounds and {len(trials)} trials ({stopped})")

    with clock.stage("verdict"):
        view = _view(ready, rounds, _remaining(ready, rounds, clock))
        end = deliver_verdict(plan, rounds, recommended(config, view))
        work = _add(work, end.work)
    with clock.stage("process the whole set"):
        runs = process_whole(plan, end.verdict)
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
        data_set=config.data_set,
        store=config.store,
        verdict=end.verdict,
        trials=trials,
        work=work,
        data=ready.counts.model_copy(update={"processed": final.rows}),
        seconds={**clock.seconds, "total": round(clock.minutes * 60, 2)},
        strategist=config.strategist_kind,
        proposed_by=list(dict.fromkeys(r.proposal.source for r in rounds if r.trials or r.failed)),
        precision=plan.precision,
        stopped=stopped,
        final_reports=[run.result().reports for run in runs],
        what_matters=what_matters(trials, list(plan.chains), ready.counts, config.judging.confidence),
        failed=failed,
        lead=end.lead,
        exam=exam,
        same_data=[*next((r.same_data for r in rounds if r.same_data), []), *end.same_data],
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
        end.adapter,
        [r.proposal for r in rounds],
        ready.reference,
    )
    say(f"everything is in {place}")
    say(end.verdict.reason)
    return result


def _examine(plan: Plan, clock: Clock) -> tuple[Exam | None, Work]:
    """An LLM judge must pass its exam before anything is spent on the search. Also what the exam cost."""
    if plan.config.judging.method == "reference":
        return None, Work()
    with clock.stage("judge exam"):
        asked = in_store(examine_judge, plan.runtime.store).submit(
            plan.splits.search, plan.config.judging, plan.config.data.task, plan.config.seed, plan.runtime
        )
        exam = asked.result()
    create_markdown_artifact(exam_table(exam), key="judge-exam", description=f"Exam of the judge {exam.judge}")
    require(exam)
    return exam, llm_work(exam.usage if was_executed(asked) else LLMUsage())


def _rounds(ready: Prepared, clock: Clock) -> tuple[list[Round], str, Work]:
    """Rounds until the strategist or the budget says stop, which of them it was, and the work of a round that has
    no results."""
    config, plan = ready.plan.config, ready.plan
    budget, ledger = config.budget, plan.runtime.ledger
    rounds: list[Round] = []
    while True:
        trials = _trials(rounds)
        remaining = _remaining(ready, rounds, clock)
        for what, left in remaining.model_dump().items():
            if left is not None and left <= 0:
                return rounds, what, Work()
        number = len(rounds) + 1
        view = _view(ready, rounds, remaining)
        k = min(budget.trials_per_round, remaining.trials)
        before = spent(ledger) if ledger else 0
        try:
            with clock.stage(f"round {number}"):
                rounds.append(search_iteration(number, view, k, plan, leader_of(trials)))
        except BudgetExceeded:
            if not rounds:
                raise
            lost = spent(ledger) - before if ledger else 0
            return rounds, "tokens", Work(llm_lost_tokens=lost)  # the trials of the rounds before it stand
        tried = len(trials) + len(rounds[-1].trials)
        if rounds[-1].trials:
            tell_trials(config.name, [*trials, *rounds[-1].trials], f"round {number}")
        tokens = spent(ledger) if ledger else _tokens(rounds)
        tell_budget(config.name, budget, number, tried, clock.minutes, tokens)
        proposal = rounds[-1].proposal
        if proposal.decision != "continue":
            return rounds, proposal.decision, Work()
        if not (rounds[-1].trials or rounds[-1].failed):
            return rounds, "exhausted", Work()


def _tokens(rounds: Sequence[Round]) -> int:
    return sum(r.work.llm_input_tokens + r.work.llm_output_tokens for r in rounds)


def _trials(rounds: Sequence[Round]) -> list[Trial]:
    return [t for r in rounds for t in r.trials]


def _remaining(ready: Prepared, rounds: Sequence[Round], clock: Clock) -> Remaining:
    """What is left of the budget."""
    budget, ledger = ready.plan.config.budget, ready.plan.runtime.ledger
    tokens = spent(ledger) if ledger else 0
    return Remaining(
        rounds=budget.rounds - len(rounds),
        trials=max(budget.trials - sum(len(r.trials) + len(r.failed) for r in rounds), 0),
        minutes=None if budget.minutes is None else round(budget.minutes - clock.minutes, 1),
        tokens=None if budget.tokens is None else budget.tokens - tokens,
    )


def _view(ready: Prepared, rounds: Sequence[Round], remaining: Remaining) -> AgentView:
    """What the strategist may see after these rounds."""
    config = ready.plan.config
    return agent_view(
        task=config.data.task,
        round=len(rounds) + 1,
        data=ready.counts,
        trials=_trials(rounds),
        remaining=remaining,
        teams=list(ready.plan.chains),
        failed=[f.strategy for r in rounds for f in r.failed],
        confidence=config.judging.confidence,
    )


def process_whole(plan: Plan, verdict: Verdict) -> list[PrefectFuture[TeamRun]]:
    """The winner on every training record, one team after the other."""
    runs: list[PrefectFuture[TeamRun]] = []
    source: DatasetRef | PrefectFuture[TeamRun] = plan.splits.train
    for team in verdict.adopted:
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
