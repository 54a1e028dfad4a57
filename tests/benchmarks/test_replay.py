"""Recorded landscapes, replays of searches over them, and the players that only benchmarks have."""

import random
from pathlib import Path

import pytest
from command_line import autodp
from model_peers import answering

from benchmarks.players import OneShot, TreeSearch, neighbours
from benchmarks.recorded import Landscape, Tuning, landscape_names, read_landscape, write_landscape
from benchmarks.replay import CHECKPOINTS, head_to_head, interval, regret, replay, replays
from operators.config import Endpoint
from operators.llm.client import LLMClient
from operators.results import DataCounts
from operators.strategist.exhaustive import ExhaustiveStrategist
from operators.strategist.random_ import RandomStrategist
from operators.strategist.space import NO_PROCESSING, Strategy, Team, all_strategies
from operators.strategist.surrogate import SurrogateStrategist

C, G, R, S = Team  # R: optimization rewrites


def saved(of: Strategy) -> float:
    """Nats per token that a strategy saves: cleaning helps, first of all places; selection hurts."""
    return 0.2 * (C in of) + 0.1 * (of[:1] == (C,)) + 0.05 * (G in of) - 0.2 * (S in of)


@pytest.fixture(scope="module")
def landscape() -> Landscape:
    rng = random.Random(0)
    hard = [rng.uniform(2, 4) for _ in range(60)]
    strategies = all_strategies(include_empty=True)
    return Landscape(
        name="made",
        about={},
        task="Answer.",
        data=DataCounts(rows=1000, quarantined=0, flagged=500, sampled=200),
        questions=60,
        steps=18,
        tie_margin=0.002,
        tuning_of={">".join(s): str(i) for i, s in enumerate(strategies)},
        tunings={
            str(i): Tuning(
                rows=200,
                nll={seed: [round(q - saved(s) + rng.gauss(0, 0.3), 4) for q in hard] for seed in range(3)},
            )
            for i, s in enumerate(strategies)
        },
    )


def test_a_landscape_is_written_and_read(landscape: Landscape, tmp_path: Path) -> None:
    write_landscape(landscape, tmp_path / "made.json")
    assert read_landscape(tmp_path / "made.json") == landscape


def test_scores(landscape: Landscape) -> None:
    assert landscape.seeds == [0, 1, 2]
    assert landscape.means[NO_PROCESSING] == 0
    assert landscape.means[C,] > 0.3 > 0 > landscape.means[S,]
    assert len(landscape.same_data) == 3
    assert 0.1 < landscape.noise_floor < 0.5
    assert regret(landscape, max(landscape.means, key=lambda s: landscape.means[s])) == 0


@pytest.mark.parametrize("name", landscape_names())
def test_landscapes_of_the_project_are_whole(name: str) -> None:
    recorded = read_landscape(name)
    assert list(recorded.strategies) == all_strategies(include_empty=True)
    assert len(recorded.seeds) >= 2
    assert {len(v) for t in recorded.tunings.values() for v in t.nll.values()} == {recorded.questions}


def test_replays_repeat_and_share_their_luck(landscape: Landscape) -> None:
    assert replay(RandomStrategist(3), landscape, 3) == replay(RandomStrategist(3), landscape, 3)
    first = replay(ExhaustiveStrategist(), landscape, 0)
    assert set(first.named) == set(CHECKPOINTS)
    assert (first.evaluations, first.rounds) == (16, 4)
    named = {replay(ExhaustiveStrategist(), landscape, n).named[16] for n in range(8)}
    assert len(named) > 1  # other seeds are drawn, and another strategy looks best


def test_the_surrogate_beats_chance(landscape: Landscape) -> None:
    ours = replays(SurrogateStrategist, landscape, 12)
    chance = replays(RandomStrategist, landscape, 12)
    mean = [sum(regret(landscape, r.named[8]) for r in played) / 12 for played in (ours, chance)]
    assert mean[0] < 0.6 * mean[1]
    assert head_to_head(landscape, ours, chance, 8) > 0.5
    assert head_to_head(landscape, ours, ours, 8) == 0.5


def test_interval_of_a_median() -> None:
    middle, low, high = interval([0.0, 0.1, 0.1, 0.2, 0.9])
    assert (middle, low <= 0.1 <= high) == (0.1, True)


def test_one_change_away() -> None:
    assert set(neighbours((C,))) == {(C, G), (G, C), (C, R), (R, C), (C, S), (S, C), (G,), (R,), (S,)}
    every = neighbours((C, G, R, S))
    assert {len(s) for s in every} == {3, 4}
    assert all(set(neighbours(s)) <= set(all_strategies()) for s in all_strategies())


@pytest.mark.parametrize("player", [OneShot, TreeSearch])
def test_other_llm_players_search(messages_peer, landscape, player):
    peer = messages_peer(answering(lambda _body, _name: "because"))
    client = LLMClient(Endpoint(model="m", base_url=peer.base_url, retries=0))
    result = replay(player(client, seed=1), landscape, 1)
    assert set(result.named) == set(CHECKPOINTS)
    asked = [body["output_config"]["format"]["schema"]["properties"]["strategies"] for body in peer.requests]
    if player is TreeSearch:
        assert result.evaluations == len(asked) == 16
        assert {a["maxItems"] for a in asked} == {1}
        assert len(asked[0]["items"]["enum"]) == 64
        assert max(len(a["items"]["enum"]) for a in asked[5:]) < 24  # neighbours of the best so far
    else:
        assert {a["minItems"] for a in asked} == {16}
        assert (result.evaluations, result.ended) == (1, "exhausted")  # this model names one strategy 16 times


def test_bench_on_the_command_line(landscape: Landscape, tmp_path: Path) -> None:
    write_landscape(landscape, tmp_path / "made.json")
    done = autodp("bench", "strategists", "--landscape", tmp_path / "made.json", "--replays", "3", "--json")
    assert done.code == 0
    assert "Claude is left out" in done.out
    assert '"head_to_head"' in done.out.splitlines()[-1]


def test_an_unknown_benchmark() -> None:
    done = autodp("bench", "nothing")
    assert done.code == 1
    assert "no benchmark is named nothing; there are " in done.error
    assert "strategists" in done.error
