"""Whether racing keeps the winner, on landscapes where that is known."""

import pytest

from benchmarks.racing import replayed
from benchmarks.recorded import Landscape, Tuning
from operators.results import DataCounts
from operators.strategist.space import all_strategies


def landscape(sign: int) -> Landscape:
    """Strategy number i wins i of 70 questions; its training shows that early (`sign` 1), or the opposite (-1)."""
    strategies = all_strategies(include_empty=True)
    return Landscape(
        name="made",
        about={},
        task="Answer.",
        data=DataCounts(rows=100, quarantined=0, flagged=50, sampled=100),
        questions=70,
        steps=9,
        early_steps=3,
        tie_margin=0.002,
        tuning_of={">".join(s): str(i) for i, s in enumerate(strategies)},
        tunings={
            str(i): Tuning(
                rows=100,
                nll={0: [3.0 + (0.1 if q >= i else -0.1) * (i > 0) for q in range(70)]},
                early={0: 4.0 - sign * i / 100},
            )
            for i in range(len(strategies))
        },
    )


def test_what_shows_early_is_kept() -> None:
    found = replayed(landscape(1), 4, 300)
    assert found["keeps_the_winner"] == 1
    assert found["score_with_racing"] == found["score_without_racing"]
    assert found["a_random_half_keeps_it"] == pytest.approx(0.5, abs=0.1)
    assert found["steps_saved"] == pytest.approx(1 / 3)


def test_what_misleads_early_is_lost() -> None:
    assert replayed(landscape(-1), 4, 300)["keeps_the_winner"] == 0
