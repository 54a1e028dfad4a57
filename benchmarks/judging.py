"""Whether a verdict can be trusted and what it costs: `python -m benchmarks.judging [--json]`.

The e-process against peeking with a z-test where no strategy has any effect; judge calls saved on recorded trials,
and whether decisions stay the same; adoption of strategies that change nothing in whole simulated searches.
`--record NAME=PATH...` first keeps the outcomes of searches (a search.json, or a store) for the other parts;
`--judge` measures the exam and the red team on real vLLM with the built-in model instead.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.judged import Recorded, from_search, from_store, recorded_sets
from benchmarks.results import write_result
from operators.config import Budget, Data, Judging
from operators.judging.betting import STAKES, settled
from operators.judging.statistics import compare, difference

Figures = dict[str, Any]

LEVEL = Judging().early_stopping_level
BATCH = Judging().batch
TRIALS, ROUND = Budget().trials, Budget().trials_per_round
QUESTIONS = Data(input="").judge_questions
SEARCHES = 200
"""Simulated ones in which no strategy has any effect."""
REPLAYED = 50
"""Over the recorded trials of each set."""


def main() -> None:
    """Runs all parts, prints a table a part, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=2000, help="simulated searches for error control")
    parser.add_argument("--record", nargs="+", default=[], metavar="NAME=PATH", help="keep outcomes of searches")
    parser.add_argument("--judge", action="store_true", help="the exam of the built-in model on real vLLM")
    parser.add_argument("--keep", action="store_true", help="write the figures to benchmarks/results/")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.record:
        keep(dict(item.split("=", 1) for item in arguments.record))
        return
    if arguments.judge:
        from benchmarks.real_judge import measure

        name, figures = "judging_exam", measure()
    else:
        from benchmarks.nothing import adoption

        sets = recorded_sets()
        name, figures = (
            "judging",
            {
                "error_control": error_control(arguments.runs),
                "savings": {n: savings(s.trials) for n, s in sets.items() if len(s.trials) > 1},
                "adoption_of_nothing": adoption(sets, SEARCHES),
            },
        )
        for part in figures:
            show(part.replace("_", " "), figures[part])
    if arguments.keep:
        write_result(name, figures)
    if arguments.json:
        print(json.dumps(figures))


def keep(paths: dict[str, str]) -> None:
    """Writes the outcomes of searches to results/judging_recorded.json."""
    found: dict[str, Recorded] = {}
    for name, path in paths.items():
        found[name] = from_search(Path(path)) if path.endswith(".json") else from_store(Path(path))
    write_result("judging_recorded", {name: asdict(recorded) for name, recorded in found.items()})


def error_control(runs: int) -> Figures:
    """Share of searches without any effect in which one of 20 strategies at least is called better, and the same
    for a single strategy.

    Outcomes are 1, 0 or -1 with 45, 10 and 45 %. All rules look after every batch, each strategy at its share of
    the level: "z_test_peeking" stops at the first look beyond the normal quantile, "z_test_once" looks once.
    """
    from scipy.stats import norm

    rng = np.random.default_rng(0)
    looks = np.arange(BATCH, QUESTIONS + 1, BATCH) - 1
    wrong: dict[str, int] = {}
    for _ in range(runs):
        values = rng.choice([1.0, 0.0, -1.0], size=(TRIALS, QUESTIONS), p=[0.45, 0.1, 0.45])
        z = (values.cumsum(axis=1) / np.sqrt((values**2).cumsum(axis=1).clip(min=1)))[:, looks]
        for strategies in (1, TRIALS):
            level, some = LEVEL / strategies, slice(strategies)
            called = {
                "e_process": any(settled(v, level) == "better" for v in values[some]),
                "z_test_peeking": bool((z[some] > norm.isf(level)).any()),
                "z_test_once": bool((z[some, -1] > norm.isf(level)).any()),
            }
            for name, yes in called.items():
                wrong[f"{name}_of_{strategies}"] = wrong.get(f"{name}_of_{strategies}", 0) + yes
    return {"runs": runs, "level": LEVEL, **{name: count / runs for name, count in wrong.items()}}


def savings(trials: dict[str, list[float]]) -> Figures:
    """Judge calls saved in searches over recorded trials, by the number of questions.

    A search takes up to 20 of the trials in random order, in rounds of 4; the leader is that of the rounds before.
    "recorded" shuffles the questions there are; a number draws as many of them with replacement. "oracle" is what
    the best fixed stake, known beforehand for each strategy, would save against the baseline: no gambler of this
    kind does better.
    """
    length = min(map(len, trials.values()))
    table = np.array([values[:length] for values in trials.values()])
    shared = {"level_shared_by_search": TRIALS, "level_shared_by_round": ROUND}
    figures: Figures = {"questions_recorded": length, "trials": len(table)}
    for n in (None, 100, 200, 400):
        name = f"{n}_questions" if n else "recorded"
        figures[name] = {what: _searches(table, n, LEVEL / by) for what, by in shared.items()}
    return figures


def _searches(table: np.ndarray, questions: int | None, level: float) -> Figures:
    asked = possible = early = agree = same_best = oracle = 0
    lost = []
    for number in range(REPLAYED):
        rng = np.random.default_rng(number)
        n = table.shape[1]
        drawn = rng.permutation(n) if questions is None else rng.integers(n, size=questions)
        rows = table[rng.permutation(len(table))[:TRIALS]][:, drawn]
        stopped: list[np.ndarray] = []
        leader: list[float] | None = None
        for start in range(0, len(rows), ROUND):
            for row in rows[start : start + ROUND]:
                ends, why = _judge(row.tolist(), leader, level)
                stopped.append(row[:ends])
                oracle += _oracle(row, level)
                if why in ("better", "worse"):
                    early += 1
                    full = compare(row.tolist(), resamples=300, seed=number)
                    agree += full.score_ci[0] > 0 if why == "better" else full.score_ci[1] < 0
                elif why == "behind" and leader is not None:
                    early += 1
                    ahead = (
                        compare(leader, resamples=100),
                        compare(row[: len(leader)].tolist(), resamples=100),
                    )
                    agree += difference(*ahead, resamples=300, seed=number)[0] > 0
            best = max(stopped, key=np.mean)
            leader = best.tolist() if best.mean() > 0 else None
        asked += sum(map(len, stopped))
        possible += rows.size
        chosen = int(np.argmax([s.mean() for s in stopped]))
        scores = rows.mean(axis=1)
        same_best += bool(scores[chosen] == scores.max())
        lost.append(float(scores.max() - scores[chosen]))
    return {
        "saved": 1 - asked / possible,
        "saved_by_oracle": 1 - oracle / possible,
        "early_decisions": early,
        "as_with_all_questions": agree / early if early else 1.0,
        "same_best": same_best / REPLAYED,
        "score_lost_mean": float(np.mean(lost)),
    }


def _judge(row: list[float], leader: list[float] | None, level: float) -> tuple[int, str | None]:
    for end in range(BATCH, len(row), BATCH):
        if why := settled(row[:end], level, leader):
            return end, why
    return len(row), None


def _oracle(row: np.ndarray, level: float) -> int:
    stakes = (np.arange(STAKES) + 0.5) / STAKES
    logs = np.cumsum(np.log1p(np.outer(np.concatenate([stakes, -stakes]), row)), axis=1).max(axis=0)
    reached = np.flatnonzero(logs >= -np.log(level))
    return min(len(row), int(reached[0]) // BATCH * BATCH + BATCH) if len(reached) else len(row)


def show(title: str, figures: Figures, indent: str = "") -> None:
    """Prints nested figures, one a line."""
    print(f"\n{indent}{title}" if not indent else f"{indent}{title}")
    for name, value in figures.items():
        if isinstance(value, dict):
            show(name, value, indent + "  ")
        else:
            shown = f"{value:.4f}" if isinstance(value, float) else str(value)
            print(f"{indent}  {name.replace('_', ' '):<36} {shown}")


if __name__ == "__main__":
    main()
