import json

from operators.judging.statistics import compare
from operators.results import Trial
from operators.strategist.space import Team


def test_a_trial_shows_its_score_as_reported_and_is_read_back():
    for outcomes, noise_floor, score in (([1.0, 1.0, -1.0, 0.0], 0.0, 0.25), ([1.0, 0.0, 0.0, 0.0], 0.5, 0.0)):
        trial = Trial(
            round=1,
            strategy=(Team.CLEANING,),
            comparison=compare(outcomes),
            rows=10,
            steps=1,
            noise_floor=noise_floor,
        )
        written = json.loads(trial.model_dump_json())
        assert {"round", "strategy", "win", "tie", "loss", "score", "score_ci"} <= written.keys()
        assert written["score"] == score
        assert written["win"] == outcomes.count(1.0) / 4
        assert written["score_ci"][0] <= written["score"] <= written["score_ci"][1]
        assert Trial.model_validate(written) == trial
