"""What `benchmarks.acceleration` compares."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.acceleration import VARIANTS, configuration
from benchmarks.acceleration_report import compared


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_a_search_with_its_accelerations_alone(name: str, tmp_path: Path) -> None:
    variant = VARIANTS[name]
    config = configuration(variant, tmp_path / name, rows=300, trials=15, epochs=1)
    assert (config.sampling.fraction < 1) == variant.sampling
    assert config.targeting.enabled == variant.targeting
    assert config.training.reuse_frozen == variant.reuse
    assert config.training.steps == (8 if variant.sampling else 38)  # rows trained on / 8
    assert config.budget.trials_per_round == variant.at_once


@pytest.mark.parametrize(("score", "inside"), [(0.1, True), (0.6, False)])
def test_a_choice_is_held_against_the_base_by_the_bases_own_measure(score: float, inside: bool) -> None:
    spent = ("seconds", "seconds_whole_set_after", "llm_tokens", "optimizer_steps", "records_processed")
    costs = dict.fromkeys(spent, 100.0)
    base = {
        **costs,
        "scores": {"selection": 0.3, "cleaning": 0.2},
        "verdict": {"strategy": ["selection"], "score": 0.15, "score_ci": [0.0, 0.3]},
        "sealed_of": {"cleaning": {"score": score}},
    }
    chose_another = {**costs, "seconds": 10.0, "verdict": {"strategy": ["cleaning"], "score": 0.7}}
    found = compared(chose_another, base)
    assert found["wall_time"] == 10
    assert not found["inside_interval"]  # its own measure, on a sample
    assert (found["sealed_score_of_choice_there"], found["choice_inside_interval"]) == (score, inside)
    assert compared(base, base)["sealed_score_of_choice_there"] == 0.15
    assert compared(chose_another, base | {"sealed_of": {}})["choice_inside_interval"] is None
