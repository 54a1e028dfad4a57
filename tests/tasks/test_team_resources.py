"""What Ray sets aside for a team."""

from __future__ import annotations

import pytest

from operators.config import SearchConfig, Step
from operators.processing import TeamContext
from operators.strategist.space import Team
from tasks.processing import chain_specs, resources
from tasks.runtime import Runtime


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["nearest_to_development"], {"num_cpus": 1}),
        (["llm_rating"], {"num_cpus": 0}),
        (["llm_rating", "gradient_influence"], {"num_cpus": 3, "num_gpus": 0.5}),
    ],
)
def test_a_team_that_loads_the_target_model_gets_what_a_training_gets(names: list[str], expected: dict) -> None:
    config = SearchConfig.model_validate({"data": {"input": "x"}, "training": {"num_cpus": 3, "num_gpus": 0.5}})
    specs = chain_specs([Step(name=n) for n in names], Team.SELECTION)
    assert resources(specs, Runtime.of(config)) == expected


def test_the_same_model_in_another_place_is_the_same_work() -> None:
    there = TeamContext(
        seed=0, target_model="/models/q", target_model_sha256="1", embedder="/models/e", embedder_sha256="2"
    )
    here = there.model_copy(update={"target_model": "/mnt/q", "embedder": "/mnt/e"})
    other = there.model_copy(update={"target_model_sha256": "3"})
    assert here.content() == there.content() != other.content()
