import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from operators.results import DataCounts, JudgeDetails, Trial
from operators.strategist.posterior import posterior
from operators.strategist.prompt import schema, system_prompt, user_prompt
from operators.strategist.space import Team, all_strategies, strategy
from operators.strategist.surrogate import expected_best
from operators.strategist.view import AgentView, Counts, Remaining, Tried, agent_view

CANARY = "CANARY-7f3a"


def text_fields(model: type[BaseModel]) -> set[str]:
    """Names of all fields, at any depth, that can hold text which is not one of a fixed set of words."""
    definitions = model.model_json_schema()

    def walk(schema: Any, name: str) -> Iterator[str]:
        if isinstance(schema, list):
            for item in schema:
                yield from walk(item, name)
        elif isinstance(schema, dict):
            if "enum" in schema or "const" in schema:
                return
            closed = schema.get("type") in {"integer", "number", "boolean", "null", "array", "object"}
            if not closed and not schema.keys() & {"anyOf", "$ref"}:
                yield name  # a string, or a field of any type
            if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
                yield f"{name} (open)"
            for key in ("anyOf", "items", "prefixItems"):
                yield from walk(schema.get(key, []), name)
            for key, value in schema.get("properties", {}).items():
                yield from walk(value, key)

    found = set(walk({k: v for k, v in definitions.items() if k != "$defs"}, model.__name__))
    for definition in definitions.get("$defs", {}).values():
        found |= set(walk(definition, definition["title"]))
    return found


def planted(trial: Callable[..., Trial]) -> list[Trial]:
    """Trials with a canary wherever a trial can hold text."""
    return [trial("cleaning", [1, 1, 0, 1], mark=CANARY), trial("selection", [0, -1, 0, 1], mark=CANARY)]


def leaks(shown: AgentView) -> bool:
    """Whether the canary is in the view, or in what a model would be sent because of it."""
    return CANARY in "\n".join(
        [shown.model_dump_json(), repr(shown), system_prompt(shown, 4), user_prompt(shown, 4)]
    )


def test_the_task_is_the_only_free_text() -> None:
    assert text_fields(AgentView) == {"task"}


@pytest.mark.parametrize("leak", [str, Any, str | None, list[str], dict[str, int], tuple[str, ...]])
def test_a_field_added_for_text_is_caught(leak: Any) -> None:
    class Leaky(Tried):
        note: leak  # type: ignore[valid-type]

    class LeakyView(AgentView):
        history: tuple[Leaky, ...] = ()  # type: ignore[assignment]

    assert text_fields(LeakyView) > {"task"}


def test_no_text_of_a_trial_is_copied(trial: Callable[..., Trial], view: Callable[..., AgentView]) -> None:
    trials = planted(trial)
    assert all(CANARY in t.model_dump_json() for t in trials)
    assert not leaks(view(trials))


def test_a_leak_put_in_on_purpose_is_caught(
    trial: Callable[..., Trial], view: Callable[..., AgentView], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "operators.strategist.prompt._history",
        lambda shown: f"History: {[t.reports[0][0].operator for t in planted(trial)]} {shown.round}",
    )
    assert leaks(view(planted(trial)))


def test_text_has_no_field_to_hide_in(trial: Callable[..., Trial], view: Callable[..., AgentView]) -> None:
    good = json.loads(view(planted(trial)).model_dump_json())
    assert AgentView.model_validate_json(json.dumps(good)) == view(planted(trial))
    for place in (good, good["history"][0], good["effects"][0], good["counts"], good["remaining"]):
        for key in [*place, "extra"]:
            if key == "task":
                continue
            before = place.get(key)
            place[key] = CANARY
            with pytest.raises(ValidationError):
                AgentView.model_validate_json(json.dumps(good))
            if before is None:
                del place[key]
            else:
                place[key] = before


def test_numbers_are_rounded(trial: Callable[..., Trial]) -> None:
    shown = agent_view(
        task="",
        round=2,
        data=DataCounts(rows=3001, quarantined=0, flagged=1234, sampled=601),
        trials=[trial("cleaning", [1, 1, 0, -1, 0, 1, 1], rows=417)],
        remaining=Remaining(rounds=3, trials=9),
    )
    assert shown.counts == Counts(rows=3001, flagged_share=0.41, sampled=601)
    assert shown.history[0] == Tried(
        round=1,
        strategy=(Team.CLEANING,),
        score=0.43,
        low=0.31,
        high=0.55,
        measured=0.43,
        error=0.17,
        rows_left=0.69,
    )
    assert not re.findall(r"\d\.\d{3,}", shown.model_dump_json())


def test_no_run_of_wins_is_certain(trial: Callable[..., Trial], view: Callable[..., AgentView]) -> None:
    won = trial("cleaning", [1] * 16)
    exact = won.model_copy(update={"comparison": won.comparison.model_copy(update={"score_ci": (1.0, 1.0)})})
    assert view([exact]).history[0].error == pytest.approx(0.11, abs=0.011)


def test_the_error_is_that_of_the_interval_at_its_confidence(trial: Callable[..., Trial]) -> None:
    found = trial("cleaning", [1, -1] * 200)
    errors = []
    for confidence, half in ((0.8, 1.2816), (0.99, 2.5758)):
        comparison = found.comparison.model_copy(update={"score_ci": (-0.1 * half, 0.1 * half)})
        shown = agent_view(
            task="",
            round=2,
            data=DataCounts(rows=400, quarantined=0, flagged=0, sampled=400),
            trials=[found.model_copy(update={"comparison": comparison})],
            remaining=Remaining(rounds=3, trials=9),
            confidence=confidence,
        )
        errors.append(shown.history[0].error)
    assert errors == [0.1, 0.1]


def test_minus_zero_is_zero(trial: Callable[..., Trial], view: Callable[..., AgentView]) -> None:
    shown = view([trial("cleaning", [1, -1] * 200 + [-1])])
    assert str(shown.history[0].score) == "0.0"


def test_view_is_frozen(view: Callable[..., AgentView]) -> None:
    shown = view()
    with pytest.raises(ValidationError):
        shown.task = "another"


def test_untried_and_best(trial: Callable[..., Trial], view: Callable[..., AgentView]) -> None:
    trials = [trial("cleaning selection", [1, 0]), trial("cleaning", [1, 0]), trial("generation", [0, -1])]
    shown = view(trials)
    assert len(shown.untried) == 61
    assert shown.best is not None
    assert shown.best.strategy == strategy(["cleaning"])  # of equal scores the shorter
    assert view().best is None


def test_only_usable_teams(trial: Callable[..., Trial]) -> None:
    shown = agent_view(
        task="",
        round=2,
        data=DataCounts(rows=10, quarantined=0, flagged=0, sampled=10),
        trials=[trial("cleaning", [1, 0])],
        remaining=Remaining(rounds=1, trials=4),
        teams=(Team.CLEANING, Team.SELECTION),
    )
    usable = [s for s in all_strategies() if set(s) <= {Team.CLEANING, Team.SELECTION}]
    assert shown.untried == [s for s in usable if s != (Team.CLEANING,)]
    assert "generation" not in system_prompt(shown, 4)


def test_what_a_race_stopped_has_no_score_beside_those_that_a_judge_gave(trial) -> None:
    trials = [trial("cleaning", [1, -1, 0, 1]), trial("selection", [1, 1, 1, 1])]
    trials[1] = trials[1].model_copy(update={"stopped": True})
    counts = DataCounts(rows=10, quarantined=0, flagged=None, sampled=10, held_out=4)
    told = {"task": "", "round": 2, "data": counts, "remaining": Remaining(rounds=1, trials=1)}
    by_likelihood = agent_view(**told, trials=trials)
    assert [t.strategy for t in by_likelihood.history] == [t.strategy for t in trials]
    assert {e.team for e in by_likelihood.effects} == {Team.CLEANING}, "its score is not of the same training"
    assert [t.stopped for t in by_likelihood.history] == [False, True]
    assert by_likelihood.best == by_likelihood.history[0], "what cannot be adopted is not the best"
    assert expected_best(posterior(by_likelihood), by_likelihood) == (Team.CLEANING,)
    assert schema(by_likelihood, 1, 1024)["properties"]["best"]["enum"] == ["cleaning"]
    assert "selection (stopped early, cannot be the best)" in user_prompt(by_likelihood, 1)
    details = JudgeDetails.model_construct()
    read = trials[0].comparison.model_copy(update={"details": details})
    trials[0] = trials[0].model_copy(update={"comparison": read})
    judged = agent_view(**told, trials=trials)
    assert [t.strategy for t in judged.history] == [trials[0].strategy]
    assert judged.stopped == (trials[1].strategy,)
    assert judged.tried == by_likelihood.tried
    assert "selection" in user_prompt(judged, 1).partition("History")[0]
