"""Reading a model's proposal: what can be used of it, and what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from operators.strategist.base import Fallback
from operators.strategist.space import Strategy, Team
from operators.strategist.view import AgentView, Decision

if TYPE_CHECKING:
    from operators.llm.client import Answer


class RawProposal(BaseModel):
    """The answer's form; see `prompt.schema`. Team names are checked afterwards, one by one."""

    model_config = ConfigDict(frozen=True, strict=True)
    decision: Decision
    strategies: list[str | list[str]] = []
    best: str | list[str] = ""
    reasoning: str = ""


@dataclass(frozen=True)
class Reading:
    """A checked answer. `strategies` holds only what may be tried, were the search to go on; `problems` has each
    code once. An end that cannot be is read as going on with what it names."""

    strategies: tuple[Strategy, ...] = ()
    decision: Decision = "continue"
    best: Strategy | None = None
    reasoning: str = ""
    problems: tuple[Fallback, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether there is something to go on with, if only in part."""
        return bool(self.strategies) if self.decision == "continue" else not self.problems


def read_answer(answer: Answer, view: AgentView, k: int) -> Reading:
    """Checks an answer against the search space, the history and `k`. Never raises.

    An answer that breaks the schema is read again leniently: not every server enforces bounds and enums, and
    "two strategies too many" can be used and complained about, "not JSON" cannot.
    """
    if answer.error in ("truncated", "refused", "rejected"):
        return Reading(problems=(answer.error,))
    if answer.error not in (None, "invalid"):
        return Reading(problems=("endpoint_error",))
    try:
        raw = RawProposal.model_validate(answer.parsed or json.loads(answer.text))
    except (ValueError, RecursionError):
        return Reading(problems=("invalid_json",))
    if raw.decision == "continue":
        return _read_strategies(raw, view, k)
    problems: list[Fallback] = []
    best = None
    if not view.history:
        problems.append("decided_too_early")
    elif raw.decision not in view.decisions:
        problems.append("contradicts_scores")
    elif raw.decision == "best":
        best, problem = _read_strategy(raw.best, view)
        if problem or best not in {t.strategy for t in view.finished if t.score > 0}:
            problems.append("best_not_tried")
    named = _read_strategies(raw, view, k).strategies  # it was asked to name some even if it ends the search
    if problems and named:
        return Reading(named, "continue", None, raw.reasoning, tuple(problems))
    return Reading(named, raw.decision, best, raw.reasoning, tuple(problems))


def _read_strategies(raw: RawProposal, view: AgentView, k: int) -> Reading:
    kept: list[Strategy] = []
    problems: list[Fallback] = []
    for names in raw.strategies:
        strategy, problem = _read_strategy(names, view)
        if problem is None and strategy in view.tried:
            problem = "already_tried"
        if problem is None and strategy in kept:
            problem = "repeated_strategy"
        if problem is None and len(kept) == k:
            problem = "too_many"
        if problem is None:
            kept.append(strategy)
        else:
            problems.append(problem)
    if not kept:
        problems.append("nothing_new")
    return Reading(tuple(kept), "continue", None, raw.reasoning, tuple(dict.fromkeys(problems)))


def _read_strategy(given: str | list[str], view: AgentView) -> tuple[Strategy, Fallback | None]:
    """A strategy as `label` writes it, or as a list of teams."""
    names = [n.strip() for n in given.split(">") if n.strip()] if isinstance(given, str) else given
    if not names:
        return (), "empty_strategy"
    if any(n not in view.teams for n in names):
        return (), "unknown_team"
    if len(set(names)) < len(names):
        return (), "repeated_team"
    return tuple(Team(n) for n in names), None
