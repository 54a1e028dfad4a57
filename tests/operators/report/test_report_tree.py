from hypothesis import given, settings
from hypothesis import strategies as st

from operators.report.tree import prefix_tree
from operators.results import Comparison, SearchResult, Trial
from operators.strategist.space import Team, all_strategies

NOTHING = Comparison(
    n=1, win=0, tie=1, loss=0, score=0, score_ci=(0, 0), win_rate=0, win_rate_ci=(0, 0), outcomes=[0.0]
)


def test_tree_of_the_search(search_result: SearchResult) -> None:
    tree = prefix_tree(search_result.trials)
    assert [n.team for n in tree] == list(Team)
    cleaning = tree[0]
    assert (cleaning.requested, cleaning.executed) == (5, 1)
    assert [c.team for c in cleaning.children] == [Team.GENERATION, Team.OPTIMIZATION, Team.SELECTION]
    assert cleaning.children[0].trial is None  # only a beginning of a longer strategy
    assert cleaning.children[2].trial is not None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(all_strategies()), unique=True), st.randoms(use_true_random=False))
def test_every_team_run_is_in_the_tree(strategies, rng):
    trials = [
        Trial(round=1, strategy=s, comparison=NOTHING, rows=1, steps=1, reused_teams=rng.randint(0, len(s)))
        for s in strategies
    ]
    nodes = [n for root in prefix_tree(trials) for n in root.walk()]
    assert len({n.strategy for n in nodes}) == len(nodes)
    assert sum(n.requested for n in nodes) == sum(len(t.strategy) for t in trials)
    assert sum(n.executed for n in nodes) == sum(len(t.strategy) - t.reused_teams for t in trials)
    assert {n.strategy for n in nodes if n.trial} == set(strategies)
    assert all(c.strategy[:-1] == n.strategy for n in nodes for c in n.children)
