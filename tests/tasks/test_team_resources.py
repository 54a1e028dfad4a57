"""What Ray sets aside for a team."""

from __future__ import annotations

import pytest

from operators.config import SearchConfig, Step
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
