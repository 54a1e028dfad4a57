"""What Ray sets aside for a team."""

from __future__ import annotations

import pytest

from operators.config import SearchConfig, Step
from operators.processing import TeamContext
from operators.strategist.space import Team
from tasks.processing import asked_by, chain_specs, resources
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


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"teams": {"selection": [{"name": "llm_rating"}]}}, {"rewriter"}),
        ({"judging": {"method": "pairwise"}}, {"judge"}),
        ({"targeting": {"labels": 50}}, {"judge"}),
        ({"targeting": {"labels": 50, "enabled": False}}, set()),
        ({"strategist": {"kind": "hybrid"}}, {"strategist"}),
    ],
)
def test_no_server_is_started_that_nobody_will_ask(changes: dict, expected: set[str]) -> None:
    plain: dict = {team: [] for team in Team} | {"cleaning": [{"name": "strip_markup"}]}
    config = SearchConfig.model_validate(
        {
            "data": {"input": "x"},
            "endpoints": {role: {"managed": True, "model": role} for role in ("rewriter", "judge", "strategist")},
            "strategist": {"kind": "surrogate"},
            **changes,
            "teams": plain | changes.get("teams", {}),
        }
    )
    chains = {team: chain_specs(config.teams[team], team) for team in Team if config.teams[team]}
    assert {endpoint.model for endpoint in asked_by(config, chains)} == expected


def test_the_same_model_in_another_place_is_the_same_work() -> None:
    there = TeamContext(
        seed=0, target_model="/models/q", target_model_sha256="1", embedder="/models/e", embedder_sha256="2"
    )
    here = there.model_copy(update={"target_model": "/mnt/q", "embedder": "/mnt/e"})
    other = there.model_copy(update={"target_model_sha256": "3"})
    assert here.content() == there.content() != other.content()


def test_the_precision_matters_where_the_model_is_loaded() -> None:
    one = TeamContext(
        seed=0,
        target_model="q",
        target_model_sha256="1",
        embedder="e",
        embedder_sha256="2",
        precision="float32",
    )
    other = one.model_copy(update={"precision": "bfloat16"})
    assert one.content(needs_model=False) == other.content(needs_model=False)
    assert one.content(needs_model=True) != other.content(needs_model=True)
