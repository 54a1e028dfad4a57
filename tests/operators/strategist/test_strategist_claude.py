import logging
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from operators.config import Endpoint, SearchConfig, parse
from operators.errors import BudgetExceeded, ConfigError
from operators.llm.client import LLMClient
from operators.results import Trial
from operators.strategist.claude import ClaudeStrategist
from operators.strategist.factory import build_strategist
from operators.strategist.optuna_ import OptunaStrategist
from operators.strategist.prompt import schema
from operators.strategist.space import Team, all_strategies, label, strategy
from operators.strategist.view import AgentView

CANARY = "CANARY-51c0"
View = Callable[..., AgentView]
MakeTrial = Callable[..., Trial]


def says(*strategies: str, decision: str = "continue", best: str = "", reasoning: str = "Why.") -> dict[str, Any]:
    return {"reasoning": reasoning, "decision": decision, "strategies": list(strategies), "best": best}


@pytest.fixture
def history(trial: MakeTrial) -> list[Trial]:
    outcomes = {"cleaning": [1, 1, 0, 1], "selection": [0, -1, 1, 0], "cleaning selection": [1, 1, 1, 1]}
    return [trial(names, values) for names, values in outcomes.items()]


def test_a_good_answer_is_used(messages_server, history, view) -> None:
    messages_server.answers = [says("optimization", "cleaning > optimization", reasoning="Try rewriting.")]
    proposal = ClaudeStrategist(messages_server.client()).propose(view(history), 2)
    assert proposal.strategies == (strategy(["optimization"]), strategy(["cleaning", "optimization"]))
    assert (proposal.decision, proposal.source, proposal.fallbacks) == ("continue", "claude", ())
    assert proposal.reasoning == "Try rewriting."
    assert len(messages_server.bodies) == 1


def test_what_the_model_is_told(messages_server, history, view) -> None:
    messages_server.answers = [says("optimization")]
    shown = view(history, task="Define terms.")
    ClaudeStrategist(messages_server.client(), max_tokens=700).propose(shown, 1)
    body = messages_server.bodies[0]
    prompt = body["messages"][0]["content"]
    assert "Define terms." in prompt
    assert "2000 records, 49% flagged as low quality" in prompt
    assert "| 1 | cleaning > selection | +1.00 | +0.88 to +1.00 | 100% |" in prompt
    assert "| adding selection | +0.12 |" in prompt  # mean of 0 -> 0.0 and 0.75 -> 1.0
    assert all(f"- {team}: " in body["system"] for team in Team)
    assert body["max_tokens"] == 700
    assert body["output_config"]["format"]["schema"] == schema(shown, 1, 700)


def test_first_round_has_no_history(messages_server, view) -> None:
    messages_server.answers = [says("cleaning", "selection")]
    ClaudeStrategist(messages_server.client()).propose(view(), 2)
    prompt = messages_server.bodies[0]["messages"][0]["content"]
    assert "Nothing has been tried yet" in prompt
    assert "History:" not in prompt


def test_transcript_is_kept(messages_server, view) -> None:
    messages_server.answers = ["no json", says("cleaning", "selection")]
    proposal = ClaudeStrategist(messages_server.client()).propose(view(), 2)
    assert proposal.transcript[0].answer == "no json"
    for exchange, body in zip(proposal.transcript, messages_server.bodies, strict=True):
        assert (exchange.system, exchange.prompt) == (body["system"], body["messages"][0]["content"])
    assert type(proposal).model_validate_json(proposal.model_dump_json()) == proposal


@pytest.mark.parametrize(
    ("bad", "code", "complaint"),
    [
        ("I would try cleaning first.", "invalid_json", "not JSON"),
        ({"decision": "perhaps", "strategies": [["generation"]]}, "invalid_json", "not JSON"),
        (says("filtering"), "unknown_team", "a team that does not exist"),
        (says("generation > generation"), "repeated_team", "named a team twice"),
        ({"decision": "continue", "strategies": [["generation", "generation"]]}, "repeated_team", "a team twice"),
        (says(""), "empty_strategy", "was empty"),
        (says("cleaning"), "already_tried", "in the history already"),
        (says("generation", "generation"), "repeated_strategy", "the same strategy twice"),
        (
            says("generation", "optimization", "generation > cleaning"),
            "too_many",
            "more strategies than allowed",
        ),
        (says(), "nothing_new", "without any new strategy"),
        (says(decision="best", best="optimization"), "best_not_tried", "a strategy of the history"),
        (says(decision="best"), "best_not_tried", "a strategy of the history"),
        (says(decision="best", best="selection"), "best_not_tried", "with a score above zero"),
    ],
)
def test_one_repair_attempt(messages_server, history, view, bad, code, complaint) -> None:
    good = says("optimization", "optimization > cleaning")
    messages_server.answers = [bad, good]
    proposal = ClaudeStrategist(messages_server.client()).propose(view(history), 2)
    assert code in proposal.fallbacks
    assert proposal.source == "claude"
    assert [label(s) for s in proposal.strategies] == good["strategies"]
    assert len(messages_server.bodies) == 2
    assert complaint in messages_server.bodies[1]["messages"][0]["content"]


def test_after_the_repair_exploration(messages_server, history, view, caplog) -> None:
    messages_server.answers = [says("cleaning"), "nonsense"]
    with caplog.at_level(logging.WARNING):
        proposal = ClaudeStrategist(messages_server.client(), seed=3).propose(view(history), 4)
    assert proposal.source == "optuna"
    assert proposal.strategies == OptunaStrategist(3).propose(view(history), 4).strategies
    assert proposal.fallbacks == ("already_tried", "nothing_new", "invalid_json")
    assert len(messages_server.bodies) == len(proposal.transcript) == 2
    assert "exploring with optuna" in caplog.text
    assert "nonsense" not in caplog.text


def test_what_is_right_in_part_is_kept(messages_server, history, view) -> None:
    messages_server.answers = [says("generation", "cleaning"), says("cleaning")]
    proposal = ClaudeStrategist(messages_server.client()).propose(view(history), 3)
    assert proposal.source == "claude"
    assert proposal.strategies[0] == (Team.GENERATION,)
    assert len(set(proposal.strategies)) == 3
    assert {"already_tried", "topped_up"} <= set(proposal.fallbacks)


@pytest.mark.parametrize(("decision", "best"), [("best", "cleaning"), ("no_processing", "cleaning")])
def test_decides_only_after_the_first_round(messages_server, trial, view, decision, best) -> None:
    messages_server.answers = [says("generation", decision=decision, best=best)]
    early = ClaudeStrategist(messages_server.client()).propose(view(), 4)
    assert (early.decision, early.source, early.strategies[0]) == ("continue", "claude", (Team.GENERATION,))
    assert early.fallbacks == ("decided_too_early", "topped_up")
    messages_server.answers = [says(decision=decision, best=best)]
    assert ClaudeStrategist(messages_server.client()).propose(view(), 4).source == "optuna"
    unsure = [trial("cleaning", [1, 0, 0, 0, 0, 0, 0, 0, 0, 0])]
    late = ClaudeStrategist(messages_server.client()).propose(view(unsure), 4)
    assert (late.decision, late.strategies, late.fallbacks) == (decision, (), ())
    assert late.best == ((Team.CLEANING,) if decision == "best" else None)


@pytest.mark.parametrize(("decision", "outcome"), [("no_processing", 1), ("best", -1), ("best", 0)])
def test_decides_nothing_against_the_scores(messages_server, trial, view, decision, outcome) -> None:
    shown = view([trial("cleaning", [outcome] * 10)])
    assert decision not in schema(shown, 2, 1024)["properties"]["decision"]["enum"]
    messages_server.answers = [says("generation", decision=decision, best="cleaning"), says("generation")]
    proposal = ClaudeStrategist(messages_server.client()).propose(shown, 1)
    assert proposal.fallbacks == ("contradicts_scores",)
    assert (proposal.decision, proposal.strategies) == ("continue", ((Team.GENERATION,),))


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_failing_endpoint_does_not_end_the_search(messages_server, view, status, caplog) -> None:
    messages_server.answers = [status]
    proposal = ClaudeStrategist(messages_server.client()).propose(view(), 4)
    assert proposal.fallbacks == ("endpoint_error",)
    assert (proposal.source, len(proposal.strategies)) == ("optuna", 4)
    assert len(messages_server.bodies) == 1
    assert "CANARY-server" not in caplog.text + proposal.model_dump_json()


def test_an_answer_in_part_counts_where_the_second_is_lost(messages_server, view) -> None:
    messages_server.answers = [says("cleaning", "cleaning"), 500]
    proposal = ClaudeStrategist(messages_server.client()).propose(view(), 2)
    assert (proposal.source, proposal.strategies[0]) == ("claude", (Team.CLEANING,))
    assert proposal.fallbacks == ("repeated_strategy", "topped_up")
    assert len(proposal.transcript) == 1


def test_a_request_too_long_is_repeated_with_less_room(messages_server, view) -> None:
    messages_server.answers = [400, says("cleaning", "selection")]
    proposal = ClaudeStrategist(messages_server.client(), max_tokens=1024).propose(view(), 2)
    assert (proposal.source, proposal.fallbacks) == ("claude", ("rejected",))
    first, second = messages_server.bodies
    assert (first["max_tokens"], second["max_tokens"]) == (1024, 256)
    assert second["messages"] == first["messages"]
    assert second["output_config"]["format"]["schema"] == schema(view(), 2, 256)


def test_an_endpoint_that_is_down(view) -> None:
    client = LLMClient(Endpoint(base_url="http://127.0.0.1:9", retries=0, timeout=2))
    assert ClaudeStrategist(client).propose(view(), 2).fallbacks == ("endpoint_error",)


def test_an_answer_cut_off(messages_server, view) -> None:
    messages_server.answers = ['{"reasoning": "well, well, well']
    messages_server.stop_reason = "max_tokens"
    proposal = ClaudeStrategist(messages_server.client()).propose(view(), 2)
    assert proposal.fallbacks == ("truncated",)
    assert "keep the reasoning short" in messages_server.bodies[1]["messages"][0]["content"]


def test_a_spent_budget_is_for_the_loop_to_handle(messages_server, view) -> None:
    messages_server.answers = [says("cleaning")]
    with pytest.raises(BudgetExceeded):
        ClaudeStrategist(messages_server.client(token_limit=0)).propose(view(), 2)


def test_nothing_left_to_try_asks_nobody(messages_server, trial, view) -> None:
    shown = view([trial(s, [1, 0]) for s in all_strategies()])
    proposal = ClaudeStrategist(messages_server.client()).propose(shown, 4)
    assert (proposal.decision, proposal.best) == ("best", (Team.CLEANING,))
    assert messages_server.bodies == []


def test_no_text_of_a_trial_is_sent_stored_or_logged(messages_server, trial, view, caplog) -> None:
    marked = [trial("cleaning", [1, 0, 1], mark=CANARY), trial("generation", [0, -1, 0], mark=CANARY)]
    messages_server.answers = [500, "nonsense", says("selection", "cleaning > selection")]
    with caplog.at_level(logging.DEBUG):
        proposals = [ClaudeStrategist(messages_server.client()).propose(view(marked), 2) for _ in range(2)]
    assert proposals[1].source == "claude"
    everything = f"{messages_server.bodies} {caplog.text} {[p.model_dump_json() for p in proposals]}"
    assert "cleaning" in everything
    assert CANARY not in everything


@pytest.mark.parametrize("max_tokens", [64, 256, 1024, 8192])
def test_schema_is_bounded_and_thinks_first(view, history, max_tokens: int) -> None:
    of = schema(view(history), 4, max_tokens)
    jsonschema.Draft202012Validator.check_schema(of)
    assert list(of["properties"]) == ["reasoning", "decision", "strategies", "best"]
    assert 40 <= of["properties"]["reasoning"]["maxLength"] <= max(40, max_tokens * 2)


def test_schema_admits_only_what_can_be_tried(view, history) -> None:
    check = jsonschema.Draft202012Validator(schema(view(history), 2, 1024))
    assert check.is_valid(says("selection > cleaning", "generation", best="cleaning"))
    assert check.is_valid(says("generation", decision="best", best="cleaning > selection"))
    assert not check.is_valid(says("generation", decision="best", best="generation"))
    for wrong in ("cleaning", "filtering", "generation > generation", ""):
        assert not check.is_valid(says(wrong, best="cleaning"))
    assert not check.is_valid(says(best="cleaning"))
    assert not check.is_valid(says("generation", "optimization", "generation > cleaning", best="cleaning"))


def test_schema_of_the_first_round_cannot_end_the_search(view) -> None:
    of = schema(view(), 4, 1024)
    assert of["properties"]["decision"]["enum"] == ["continue"]
    assert "best" not in of["properties"]
    assert of["properties"]["strategies"]["items"]["enum"] == [label(s) for s in all_strategies()]


def search_config(**values: Any) -> SearchConfig:
    return parse(SearchConfig, {"data": {"input": "x.jsonl"}, "seed": 7, **values}, "test")


def test_factory(messages_server) -> None:
    for kind in ("optuna", "random", "exhaustive"):
        built = build_strategist(search_config(strategist={"kind": kind}))
        assert (built.source, built.seed) == (kind, 7)
    assert build_strategist(search_config()).source == "surrogate"
    with_endpoint = search_config(endpoints={"strategist": {"model": "m"}}, strategist={"max_tokens": 99})
    built = build_strategist(with_endpoint, messages_server.client())
    assert isinstance(built, ClaudeStrategist)
    assert (built.seed, built.max_tokens) == (7, 99)
    with pytest.raises(ConfigError, match=r"set endpoints\.strategist"):
        build_strategist(with_endpoint)
