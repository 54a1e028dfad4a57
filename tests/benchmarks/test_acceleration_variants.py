"""What `benchmarks.acceleration` compares."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.acceleration import VARIANTS, configuration


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_a_search_with_its_accelerations_alone(name: str, tmp_path: Path) -> None:
    variant = VARIANTS[name]
    config = configuration(variant, tmp_path / name, rows=300, trials=15, epochs=1)
    assert (config.sampling.fraction < 1) == variant.sampling
    assert config.targeting.enabled == variant.targeting
    assert config.training.reuse_frozen == variant.reuse
    assert config.training.steps == (8 if variant.sampling else 38)  # rows trained on / 8
    assert config.budget.trials_per_round == variant.at_once
