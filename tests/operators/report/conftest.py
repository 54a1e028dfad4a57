"""A search result as a demo run leaves it: three rounds, a winner, shared prefixes, a whole-set replay."""

from __future__ import annotations

import random
import statistics

import pytest

from operators.results import Comparison, DataCounts, SearchResult, Trial, Verdict, Work
from operators.strategist.space import Team, strategy
from operators.teams.base import OperatorReport

CHAINS = {
    Team.CLEANING: ["fix_text", "strip_markup", "mask_contacts", "length_bounds", "near_duplicates"],
    Team.GENERATION: ["fill_question", "fill_answer"],
    Team.OPTIMIZATION: ["rewrite_question", "rewrite_answer"],
    Team.SELECTION: ["nearest_to_development"],
}
TRIALS = [  # round, strategy, share of wins, teams taken from the store or another trial, whether trained
    (1, "cleaning", 0.68, 0, True),
    (1, "generation", 0.47, 0, True),
    (1, "optimization", 0.55, 0, True),
    (1, "selection", 0.60, 0, True),
    (2, "cleaning selection", 0.81, 1, True),
    (2, "cleaning optimization", 0.72, 1, True),
    (2, "selection cleaning", 0.66, 1, True),
    (2, "generation cleaning", 0.50, 1, False),
    (3, "cleaning optimization selection", 0.78, 2, True),
    (3, "cleaning generation optimization selection", 0.58, 1, True),
    (3, "optimization cleaning selection", 0.70, 1, True),
]


def team_reports(team: Team, rows: int) -> list[OperatorReport]:
    reports = []
    for place, name in enumerate(CHAINS[team]):
        dropped = rows // 9 if team is Team.CLEANING and place > 2 else rows // 2 if team is Team.SELECTION else 0
        added = rows // 20 if team is Team.GENERATION else 0
        changed = 0 if team is Team.SELECTION else (rows - dropped) // (4 + place)
        reports.append(
            OperatorReport(
                operator=name,
                version=1,
                rows_in=rows,
                rows_out=rows - dropped + added,
                changed=changed,
                dropped=dropped,
                added=added,
                seconds=0.2 + place / 3,
                counts={"rewrite_rejected": 7} if team is Team.OPTIMIZATION else {},
            )
        )
        rows = rows - dropped + added
    return reports


def all_reports(of: tuple[Team, ...], rows: int) -> list[list[OperatorReport]]:
    reports = []
    for team in of:
        reports.append(team_reports(team, rows))
        rows = reports[-1][-1].rows_out
    return reports


def comparison(win: float, n: int, seed: int) -> Comparison:
    rng = random.Random(seed)
    outcomes = [1.0 if rng.random() < win else -1.0 if rng.random() < 0.9 else 0.0 for _ in range(n)]
    shares = [outcomes.count(x) / n for x in (1.0, 0.0, -1.0)]
    half = 1.96 * statistics.stdev(outcomes) / n**0.5
    score = statistics.fmean(outcomes)
    return Comparison(
        n=n,
        win=shares[0],
        tie=shares[1],
        loss=shares[2],
        score=score,
        score_ci=(score - half, score + half),
        win_rate=shares[0],
        win_rate_ci=(shares[0] - half / 2, shares[0] + half / 2),
        outcomes=outcomes,
    )


@pytest.fixture
def search_result() -> SearchResult:
    trials = []
    for seed, (number, names, win, reused, trained) in enumerate(TRIALS):
        of = strategy(names.split())
        reports = all_reports(of, 412)
        trials.append(
            Trial(
                round=number,
                strategy=of,
                comparison=comparison(win, 100, seed),
                rows=reports[-1][-1].rows_out,
                steps=60,
                reports=reports,
                reused_teams=reused,
                trained=trained,
                seconds=31.5 + seed,
            )
        )
    winner = strategy(["cleaning", "selection"])
    final = all_reports(winner, 2061)
    return SearchResult(
        name="demo",
        verdict=Verdict(
            strategy=winner,
            decision="adopt",
            win_rate=0.847,
            win_rate_ci=(0.787, 0.9),
            score=0.72,
            score_ci=(0.6, 0.82),
            n=150,
            reason="Adopt cleaning > selection: 85% of 150 sealed questions won, 13% lost against the model tuned "
            "on the unprocessed data (score +0.72, 95% interval +0.60 to +0.82).",
        ),
        trials=trials,
        work=Work(
            team_runs_requested=sum(len(t.strategy) for t in trials),
            team_runs_executed=sum(len(t.strategy) - t.reused_teams for t in trials),
            fine_tunes_requested=len(trials) + 1,
            fine_tunes_executed=len(trials),
            llm_requests=1184,
            llm_cache_hits=402,
            llm_input_tokens=301_552,
            llm_output_tokens=77_120,
        ),
        data=DataCounts(rows=2061, quarantined=14, flagged=987, sampled=412, processed=812),
        seconds={
            "load": 1.9,
            "embed": 44.2,
            "target": 3.1,
            "sample": 0.8,
            "process": 97.0,
            "fine_tune": 301.4,
            "judge": 58.3,
            "verdict": 66.0,
            "total": 512.6,
        },
        strategist="claude",
        stopped="best",
        final_reports=final,
    )
