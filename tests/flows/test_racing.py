"""Racing: trainings that are behind after a third of the steps end there, and the others as without it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import run_search, write_set

from flows.training import behind
from operators.results import Trial
from operators.strategist.space import Team

TRAINING = {"steps": 6, "learning_rate": 5e-3}


def test_the_likeliest_go_on() -> None:
    c, g, o, s = ((team,) for team in Team)
    assert behind({c: 2.0, g: 1.0, o: 3.0, s: 1.5}, 2) == {c, o}
    assert behind({c: 1.0, g: 1.0, o: 1.0}, 1) == {g, o}
    assert behind({c: 1.0}, 2) == frozenset()


@pytest.mark.e2e
def test_a_race_stops_the_losers_and_changes_nothing_for_the_rest(stack: str, tmp_path: Path) -> None:  # noqa: ARG001
    write_set(tmp_path)
    budget = {"rounds": 1, "trials_per_round": 4}
    raced = run_search(tmp_path, name="raced", training=TRAINING | {"racing": {"enabled": True}}, budget=budget)
    stopped = [t for t in raced.trials if t.stopped]
    assert [t.steps for t in raced.trials] == [2 if t.stopped else 6 for t in raced.trials]
    assert len(stopped) == 2
    assert raced.verdict.strategy not in [t.strategy for t in stopped]
    assert "stopped at 2" in (tmp_path / "runs" / "raced" / "report.html").read_text(encoding="utf-8")

    # In the same store: whatever a race trained to its end is not trained again.
    whole = run_search(tmp_path, name="whole", training=TRAINING, budget=budget)
    assert not any(t.stopped for t in whole.trials)
    assert whole.work.fine_tunes_executed <= len(stopped)
    outcomes = {t.strategy: t.comparison for t in whole.trials}
    assert all(outcomes[t.strategy] == t.comparison for t in raced.trials if not t.stopped)
    assert [_key(t) for t in raced.trials] == [_key(t) for t in whole.trials]


def _key(trial: Trial) -> tuple[str, ...]:
    return tuple(str(team) for team in trial.strategy)
