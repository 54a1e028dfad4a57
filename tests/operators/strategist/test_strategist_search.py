"""The strategists that need no LLM, and the rules that hold for all."""

import random
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.results import Trial
from operators.strategist.base import Proposal, Strategist, conclude, highest, refuse_repeats
from operators.strategist.exhaustive import ExhaustiveStrategist
from operators.strategist.optuna_ import OptunaStrategist, decode, encode
from operators.strategist.random_ import RandomStrategist
from operators.strategist.space import NO_PROCESSING, Strategy, Team, all_strategies, label, strategy
from operators.strategist.view import AgentView

ALL = [RandomStrategist, ExhaustiveStrategist, OptunaStrategist]  # the surrogate may end earlier
View = Callable[..., AgentView]
MakeTrial = Callable[..., Trial]


def run(
    strategist: Strategist, score: Callable[[Strategy], float], trial: MakeTrial, view: View, k: int
) -> list[Trial]:
    """Plays rounds until the strategist ends the search."""
    trials: list[Trial] = []
    while (proposal := strategist.propose(view(trials), k)).decision == "continue":
        number = max((t.round for t in trials), default=0) + 1
        trials += [trial(s, [score(s)] * 2, round=number) for s in proposal.strategies]
    return trials


@pytest.mark.parametrize("kind", ALL)
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_proposals_are_new_and_full(kind, trial, view, data):
    tried = data.draw(st.lists(st.sampled_from(all_strategies()), unique=True, max_size=64))
    shown = view([trial(s, [data.draw(st.sampled_from([-1.0, 0.0, 1.0]))]) for s in tried])
    k = data.draw(st.integers(1, 8))
    proposal = kind(seed=data.draw(st.integers(0, 9))).propose(shown, k)
    if len(tried) == 64:
        assert proposal.decision in ("best", "no_processing")
        return
    assert proposal.decision == "continue"
    assert len(set(proposal.strategies)) == len(proposal.strategies) == min(k, 64 - len(tried))
    assert not set(proposal.strategies) & {*tried, NO_PROCESSING}
    assert proposal.source == kind.source


@pytest.mark.parametrize("kind", ALL)
def test_whole_space_once_then_the_best(kind: type[Strategist], trial: MakeTrial, view: View) -> None:
    best = strategy(["selection", "cleaning", "generation"])
    trials = run(kind(seed=1), lambda s: 0.5 if s == best else 0.1, trial, view, 10)
    assert sorted(t.strategy for t in trials) == sorted(all_strategies())
    end = kind(seed=1).propose(view(trials), 4)
    assert (end.decision, end.best, end.strategies) == ("best", best, ())
    assert end.fallbacks == ("space_exhausted",)


@pytest.mark.parametrize("kind", ALL)
def test_nothing_helps(kind: type[Strategist], trial: MakeTrial, view: View) -> None:
    trials = [trial(s, [0, -1]) for s in all_strategies()]
    assert kind().propose(view(trials), 4).decision == "no_processing"


@pytest.mark.parametrize("kind", ALL)
def test_stateless(kind: type[Strategist], trial: MakeTrial, view: View) -> None:
    trials = [trial(s, [i % 3 - 1, 1]) for i, s in enumerate(all_strategies()[:9])]
    used = kind(seed=5)
    used.propose(view(), 4)
    assert used.propose(view(trials), 4) == kind(seed=5).propose(view(trials), 4)


@pytest.mark.parametrize("kind", ALL)
def test_k_below_one(kind: type[Strategist], view: View) -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        kind().propose(view(), 0)


def test_random_draws_depend_on_seed_and_round_alone(view: View) -> None:
    draws = {seed: RandomStrategist(seed).propose(view(), 4).strategies for seed in range(5)}
    assert len(set(draws.values())) == 5
    assert RandomStrategist(0).propose(view(round=2), 4).strategies != draws[0]
    # Written down, so that a run elsewhere or under another release is known to draw the same.
    assert [label(s) for s in draws[0]] == [
        "cleaning > generation > optimization",
        "selection > generation",
        "optimization > generation",
        "generation > cleaning > optimization",
    ]


def test_random_draws_are_uniform(view: View) -> None:
    firsts = [RandomStrategist(seed).propose(view(), 1).strategies[0] for seed in range(640)]
    counts = [firsts.count(s) for s in all_strategies()]
    chi_square = sum((c - 10) ** 2 / 10 for c in counts)
    assert chi_square < 104  # 0.999 quantile with 63 degrees of freedom


def test_exhaustive_keeps_the_fixed_order(trial: MakeTrial, view: View) -> None:
    trials = run(ExhaustiveStrategist(), lambda s: len(s) / 10, trial, view, 7)
    assert [t.strategy for t in trials] == all_strategies()


def test_optuna_opens_with_each_team_alone(view: View) -> None:
    singles = [(team,) for team in Team]
    assert list(OptunaStrategist().propose(view(), 4).strategies) == singles
    assert list(OptunaStrategist().propose(view(), 3).strategies) == singles[:3]
    assert list(OptunaStrategist().propose(view(), 6).strategies)[:4] == singles


def test_optuna_learns(trial: MakeTrial, view: View) -> None:
    """Where selection hurts and cleaning helps most when it runs first, later rounds must show it."""

    def score(s: Strategy) -> float:
        return 0.5 * (Team.CLEANING in s[:1]) + 0.1 * (Team.OPTIMIZATION in s) - 0.5 * (Team.SELECTION in s)

    chance = statistics.fmean(map(score, all_strategies()))
    learned = []
    for seed in range(10):
        trials: list[Trial] = []
        for number in range(1, 5):
            proposed = OptunaStrategist(seed).propose(view(trials, round=number), 4).strategies
            trials += [trial(s, [score(s)] * 2, round=number) for s in proposed]
        learned += [score(t.strategy) for t in trials if t.round > 1]
    assert statistics.fmean(learned) > chance + 0.08


@pytest.mark.parametrize("of", all_strategies(include_empty=True))
def test_positions_stand_for_one_strategy(of: Strategy) -> None:
    assert decode(encode(of)) == of


@given(st.fixed_dictionaries({t.value: st.integers(0, 4) for t in Team}))
@settings(max_examples=100, deadline=None)
def test_all_positions_are_a_strategy(positions):
    decoded = decode(positions)
    assert set(decoded) == {t for t in Team if positions[t]}
    assert [positions[t] for t in decoded] == sorted(positions[t] for t in decoded)


def proposal(*names: str, decision: str = "continue") -> Proposal:
    return Proposal.model_validate(
        {"strategies": [strategy(n.split()) for n in names], "decision": decision, "source": "claude"}
    )


def test_repeats_are_dropped_and_replaced(trial: MakeTrial, view: View) -> None:
    shown = view([trial("cleaning", [1, 0])])
    asked = proposal("cleaning", "", "selection cleaning", "selection cleaning")
    kept = refuse_repeats(asked, shown, 3, OptunaStrategist())
    assert kept.strategies[0] == strategy(["selection", "cleaning"])
    assert len(set(kept.strategies)) == 3
    assert not set(kept.strategies) & {(Team.CLEANING,), NO_PROCESSING}
    assert kept.fallbacks == ("topped_up",)
    assert refuse_repeats(asked, shown, 3).strategies == (strategy(["selection", "cleaning"]),)


def test_a_full_proposal_is_left_alone(view: View) -> None:
    asked = proposal("cleaning", "selection")
    assert refuse_repeats(asked, view(), 2, OptunaStrategist()) == asked


def test_no_more_than_k(view: View) -> None:
    assert len(refuse_repeats(proposal("cleaning", "selection", "generation"), view(), 2).strategies) == 2


def test_an_ending_is_passed_on(trial: MakeTrial, view: View) -> None:
    shown = view([trial("cleaning", [1, 0])])
    end = proposal("selection", decision="no_processing")
    assert refuse_repeats(end, shown, 4, OptunaStrategist()).strategies == ()
    assert refuse_repeats(end, shown, 4, OptunaStrategist()).decision == "no_processing"


def test_fallback_fills_when_the_proposal_takes_its_first_choices(trial: MakeTrial, view: View) -> None:
    """The fallback may name what was already proposed; the places must be filled all the same."""
    rng = random.Random(3)
    for _ in range(20):
        tried = rng.sample(all_strategies(), rng.randint(0, 60))
        shown = view([trial(s, [1, 0]) for s in tried])
        first = tuple(shown.untried[:2])
        asked = Proposal(strategies=first, source="claude")
        filled = refuse_repeats(asked, shown, 4, ExhaustiveStrategist()).strategies
        assert len(filled) == min(4, len(shown.untried))
        assert filled[:2] == first[:4]


def test_conclusions(trial: MakeTrial, view: View) -> None:
    assert conclude(highest(view()), "random", "Done.").decision == "no_processing"
    end = conclude(highest(view([trial("cleaning", [1, 0]), trial("selection", [1, 1])])), "random", "Done.")
    assert (end.decision, end.best) == ("best", (Team.SELECTION,))
