"""The Bayesian model of the scores, the strategist that searches by it, and the one that lets an LLM vote."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.judging.statistics import compare
from operators.results import Trial
from operators.strategist.base import Strategist
from operators.strategist.hybrid import HybridStrategist
from operators.strategist.posterior import Prior, features, noise_covariance, posterior, prior_covariance
from operators.strategist.space import NO_PROCESSING, Strategy, Team, all_strategies, strategy
from operators.strategist.surrogate import SurrogateStrategist, batch, expected_best, noise
from operators.strategist.view import AgentView

View = Callable[..., AgentView]
MakeTrial = Callable[..., Trial]

C, G, R, S = Team  # R: optimization rewrites


def outcomes(score: float, n: int = 100) -> list[float]:
    """n outcomes of this mean, none tied."""
    won = round(n * (1 + score) / 2)
    return [1.0] * won + [-1.0] * (n - won)


def test_no_processing_is_known_and_every_strategy_is_told_apart() -> None:
    covariance = prior_covariance(all_strategies(include_empty=True), Prior())
    assert not covariance[0].any()
    assert np.linalg.eigvalsh(covariance[1:, 1:]).min() > 0
    matrix, scales = features(all_strategies(include_empty=True), Prior())
    assert matrix.shape == (65, len(scales)) == (65, 24)
    assert len({tuple(row) for row in matrix}) == 65


def test_posterior_is_that_of_the_weights(trial: MakeTrial, view: View) -> None:
    """The same posterior, computed the other way: over the weights of features instead of over strategies."""
    shown = view([trial("cleaning", outcomes(0.3)), trial("selection cleaning", outcomes(-0.2))])
    prior = Prior(rest=0.0)
    model = posterior(shown, prior)
    matrix, scales = features(model.strategies, prior)
    seen = matrix[[model.index[t.strategy] for t in shown.history]]
    precision = np.linalg.inv(noise_covariance(shown.history))
    covariance = np.linalg.inv(np.diag(scales**-2) + seen.T @ precision @ seen)
    weights = covariance @ seen.T @ precision @ [t.measured for t in shown.history]
    assert model.mean == pytest.approx(matrix @ weights)
    assert model.covariance == pytest.approx(matrix @ covariance @ matrix.T)


def test_draws_follow_the_distribution_and_no_choice_of_basis(
    trial: MakeTrial, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = posterior(view([trial("cleaning", outcomes(0.3))]))
    drawn = model.draws(20_000, 0)
    assert drawn.mean(axis=0) == pytest.approx(model.mean, abs=0.02)
    assert np.cov(drawn.T) == pytest.approx(model.covariance, abs=0.02)
    decompose = np.linalg.eigh

    def turned(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """An equally good answer: a vector's sign is free, and so is the basis where values are equal."""
        values, vectors = decompose(matrix)
        signs = np.where(np.arange(len(values)) % 2, -1, 1)
        angle = 0.3
        equal = np.flatnonzero(np.isclose(values[1:], values[:-1], rtol=1e-9, atol=0) & (values[1:] > 1e-6))
        assert len(equal), "alike strategies give equal values"
        i = int(equal[0])
        pair = vectors[:, i : i + 2] @ [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        return values, np.column_stack([vectors[:, :i], pair, vectors[:, i + 2 :]]) * signs

    monkeypatch.setattr(np.linalg, "eigh", turned)
    assert model.draws(20, 0) == pytest.approx(drawn[:20], abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_scores_never_add_doubt(trial, view, data):
    names = data.draw(st.lists(st.sampled_from(all_strategies()), unique=True, min_size=1, max_size=12))
    trials = [trial(s, outcomes(data.draw(st.floats(-1, 1)))) for s in names]
    before, after = posterior(view(trials[:-1])), posterior(view(trials))
    assert (np.diag(after.covariance) <= np.diag(before.covariance) + 1e-12).all()
    assert np.linalg.eigvalsh(after.covariance).min() > -1e-9
    assert after.mean[0] == 0


def test_missing_teams_are_not_modelled(trial: MakeTrial, view: View) -> None:
    shown = view([trial("cleaning", outcomes(0.2))]).model_copy(update={"teams": (C, S)})
    assert set(posterior(shown).strategies) == {(), (C,), (S,), (C, S), (S, C)}
    proposed = SurrogateStrategist().propose(shown, 4).strategies
    assert set(proposed) == {(S,), (C, S), (S, C)}


def test_learns_which_order_matters(trial: MakeTrial, view: View) -> None:
    trials = [trial((C, S), outcomes(0.6)), trial((S, C), outcomes(-0.2)), trial((G, C, S), outcomes(0.6))]
    model = posterior(view(trials))
    expected = dict(zip(model.strategies, model.mean, strict=True))
    assert expected[C, R, S] > expected[S, R, C] + 0.2
    order = {(c.team, c.other): c for c in model.contrasts(view(trials).history) if c.kind == "before"}
    assert order[C, S].interval[0] > 0
    assert order[C, S].trials == 3
    assert order[G, R].interval[0] < 0 < order[G, R].interval[1]
    assert order[G, R].trials == 0


def test_contrasts_tell_what_a_team_adds(trial: MakeTrial, view: View) -> None:
    effect = {C: 0.3, G: 0.0, R: -0.2, S: 0.1}
    trials = [trial(s, outcomes(sum(effect[t] for t in s))) for s in all_strategies()]
    found = {c.team: c for c in posterior(view(trials)).contrasts(view(trials).history) if c.kind == "added"}
    for team in Team:
        assert found[team].interval[0] < effect[team] < found[team].interval[1]
        assert found[team].mean == pytest.approx(effect[team], abs=0.04)
        assert found[team].trials == 49


def test_a_lucky_score_is_not_the_best_strategy(trial: MakeTrial, view: View) -> None:
    """Cleaning helps wherever it runs; one strategy without it drew a score as high."""
    trials = [trial(s, outcomes(0.4)) for s in [(C,), (C, S), (C, G), (C, S, G), (R, C)]]
    trials += [trial((R,), outcomes(-0.1)), trial((G,), outcomes(0.0)), trial((R, G), outcomes(0.42))]
    trials += [trial((G, R), outcomes(-0.1)), trial((R, G, S), outcomes(0.0)), trial((R, S, G), outcomes(0.0))]
    shown = view(trials)
    assert shown.best is not None
    assert shown.best.strategy == (R, G)
    assert C in SurrogateStrategist().recommend(shown)


def test_of_equals_the_shorter_is_recommended(trial: MakeTrial, view: View) -> None:
    trials = [trial((C,), outcomes(0.40)), trial((C, G), outcomes(0.41)), trial((S,), outcomes(-0.3))]
    assert SurrogateStrategist().recommend(view(trials)) == (C,)
    clear = [trial((C,), outcomes(0.1)), trial((C, G), outcomes(0.6)), trial((S,), outcomes(-0.3))]
    assert SurrogateStrategist().recommend(view(clear)) == (C, G)


def landscape(of: Strategy) -> float:
    """Cleaning helps, most when it runs first; generation a little; selection hurts."""
    return 0.3 * (C in of) + 0.2 * (of[:1] == (C,)) + 0.1 * (G in of) - 0.3 * (S in of)


def play(player: Strategist, view: View, trial: MakeTrial, rounds: int) -> tuple[list[Trial], Strategy]:
    trials: list[Trial] = []
    for number in range(1, rounds + 1):
        proposal = player.propose(view(trials, round=number), 4)
        if proposal.decision != "continue":
            return trials, proposal.best or NO_PROCESSING
        trials += [trial(s, outcomes(landscape(s)), round=number) for s in proposal.strategies]
    return trials, player.recommend(view(trials))


@pytest.mark.parametrize("seed", range(3))
def test_finds_the_best(seed: int, trial: MakeTrial, view: View) -> None:
    _, best = play(SurrogateStrategist(seed), view, trial, 4)
    assert landscape(best) == pytest.approx(0.6)


def test_opens_with_teams_alone_and_with_longer_strategies(view: View) -> None:
    first = SurrogateStrategist().propose(view(), 4).strategies
    assert sorted(len(s) > 1 for s in first) == [False, False, True, True]
    assert {(t,) for t in Team} <= set(SurrogateStrategist().propose(view(), 8).strategies)
    two = view().model_copy(update={"teams": (C, S)})
    assert set(SurrogateStrategist().propose(two, 4).strategies) == {(C,), (S,), (C, S), (S, C)}


def test_ends_when_nothing_more_is_expected(trial: MakeTrial, view: View) -> None:
    trials, best = play(SurrogateStrategist(), view, trial, 16)
    assert 4 <= len(trials) < 40
    assert landscape(best) == pytest.approx(0.6)


def test_no_processing_where_everything_hurts(trial: MakeTrial, view: View) -> None:
    trials = [trial(s, outcomes(-0.4)) for s in all_strategies()[:30]]
    end = SurrogateStrategist().propose(view(trials), 4)
    assert (end.decision, end.best, end.strategies) == ("no_processing", None, ())
    assert SurrogateStrategist().recommend(view(trials)) == NO_PROCESSING


def test_scores_inside_the_noise_end_the_search(trial: MakeTrial, view: View) -> None:
    rng = np.random.default_rng(0)
    trials = [
        trial(s, [0.0]).model_copy(update={"comparison": compare(list(rng.choice([-1.0, 1.0], 100)))})
        for s in all_strategies()[:32]
    ]
    assert SurrogateStrategist().propose(view(trials), 4).decision in ("no_processing", "best")


def test_a_batch_spreads_its_bets(trial: MakeTrial, view: View) -> None:
    """Of strategies that are as good as each other for the same reason, one is enough for a start."""
    shown = view([trial((C,), outcomes(0.1))])
    model = posterior(shown)
    chosen, gain = batch(model, shown, 4, seed=0)
    singly = sorted(shown.untried, key=lambda s: -model.mean[model.index[s]])[:4]
    draws = model.draws(4000, 9)

    def reach(of: list[Strategy]) -> float:
        return float(draws[:, [0, *(model.index[s] for s in [(C,), *of])]].max(axis=1).mean())

    assert reach(chosen) > reach(singly)
    # Three standard errors of a mean over the DRAWS that it is measured by.
    assert gain == pytest.approx(reach(chosen) - reach([]), abs=0.05)


def test_noise_is_what_trials_do_not_share(trial: MakeTrial, view: View) -> None:
    assert noise(view()) == 0
    shown = view([trial(s, outcomes(0.0)) for s in all_strategies()[:3]])
    assert 0 < noise(shown) < 0.1
    assert expected_best(posterior(shown), shown) in {(), *(t.strategy for t in shown.history)}


def test_the_llm_has_a_vote(messages_server, view):
    favourite = strategy(["selection", "optimization", "generation", "cleaning"])
    messages_server.answers = [
        {"reasoning": "r", "decision": "continue", "strategies": [" > ".join(favourite)]},
    ]
    alone = SurrogateStrategist(1).propose(view(), 4)
    both = HybridStrategist(messages_server.client(), seed=1).propose(view(), 4)
    assert favourite in both.strategies
    assert favourite not in alone.strategies
    assert both.source == "hybrid"
    assert both.reasoning == "r"
    assert len(both.transcript) == 1
    assert len(set(both.strategies)) == 4


def test_without_a_usable_answer_the_surrogate_decides(messages_server, trial, view):
    messages_server.answers = ["not JSON"]
    shown = view([trial("cleaning", outcomes(0.2))])
    both = HybridStrategist(messages_server.client(), seed=1).propose(shown, 4)
    assert len(both.strategies) == 4
    assert both.fallbacks == ("invalid_json",)


def test_the_llm_does_not_end_the_search(messages_server, trial, view):
    messages_server.answers = [
        {"reasoning": "", "decision": "best", "strategies": ["selection"], "best": "cleaning"},
    ]
    shown = view([trial("cleaning", outcomes(0.2))])
    assert HybridStrategist(messages_server.client()).propose(shown, 4).decision == "continue"


def test_what_the_llm_names_beside_an_end_counts_as_a_vote(messages_server, trial, view, monkeypatch):
    monkeypatch.setattr("operators.strategist.hybrid.VOTE", 0.5)  # of which the first place is sure
    shown = view([trial("cleaning", outcomes(0.2))])
    second = SurrogateStrategist(1).propose(shown, 4).strategies[1]
    messages_server.answers = [
        {"reasoning": "", "decision": "best", "strategies": [" > ".join(second)], "best": "cleaning"},
    ]
    end = HybridStrategist(messages_server.client(), seed=1).propose(shown, 1)
    assert (end.decision, end.strategies, end.fallbacks) == ("continue", (second,), ())


def test_every_pair_of_orders_is_compared_once(view: View) -> None:
    kinds = [(c.kind, c.team, c.other) for c in posterior(view()).contrasts([])]
    assert kinds == [("added", t, None) for t in Team] + [
        ("before", a, b) for a, b in itertools.combinations(Team, 2)
    ]


@pytest.mark.parametrize("kind", ["surrogate", "hybrid"])
def test_the_end_of_the_space_is_concluded_as_any_other_end(
    kind: str, trial: MakeTrial, view: View, messages_server: Any
) -> None:
    scores = {"cleaning": 0.8, "selection": 0.05, "cleaning selection": 0.81, "selection cleaning": 0.7}
    shown = view([trial(names, outcomes(score, 200)) for names, score in scores.items()], teams=(C, S))
    searching = SurrogateStrategist() if kind == "surrogate" else HybridStrategist(messages_server.client())
    end = searching.propose(shown, 4)
    assert end.fallbacks == ("space_exhausted",)
    assert end.best == searching.recommend(shown) == (C,), "as good as the highest, and shorter"
