"""What the LLM strategist is told, made from the view alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from operators.strategist.base import Fallback
from operators.strategist.space import Team, label
from operators.strategist.view import AgentView, Counts, Effect

TEAMS: dict[Team, str] = {
    Team.CLEANING: "removes near-duplicates, markup, links, contact data, special characters, repetition, "
    "answers that belong to another question, and records that are too short, too long or without a question or "
    "an answer. Cheap.",
    Team.GENERATION: "writes a missing question from its answer or a missing answer from its question, and adds "
    "new pairs when the set is small. Uses a language model, so what it writes may be wrong.",
    Team.OPTIMIZATION: "rewrites questions and answers of records flagged as low quality for accuracy, safety, "
    "fluency and concision. Uses a language model, so what it writes may be wrong.",
    Team.SELECTION: "keeps the share of records that is most useful for the task and drops the rest. Cheap.",
}

SYSTEM = """\
You decide how a private data set of question and answer records is processed before a language model is \
fine-tuned on it. You never see a record: the data are a black box, and all you get is the result of \
experiments.

In an experiment a strategy is applied to a sample of the data, the model is fine-tuned on the result, and its \
answers to held-out questions are compared one by one with those of the baseline, the same model fine-tuned on \
the unprocessed sample. score = share of questions won - share lost, from -1 to 1. Above 0 processing helped, \
below 0 it hurt. The interval beside a score says how sure it is: differences smaller than the interval may be \
chance. A score that the luck of training alone could give is shown as 0.

A strategy is a list of different teams in the order they run. Each team works on what the one before left, so \
order matters.
{teams}

How to search:
1. Small strategies first, one or two teams, to learn what each team does.
2. Then refine: compare the strategies with each other. What did adding, removing or moving a team do? Build on \
the best, drop what hurts, try another order of what helps.
3. Never propose a strategy that is in the history already, nor one twice.

Your answer is JSON:
- reasoning: what the comparisons show and what you want to find out, in at most {sentences} sentences.
- decision: "continue" to try more strategies; "best" when another round is unlikely to find a better one; \
"no_processing" when no strategy is above zero beyond its interval.
- strategies: up to {k} different new strategies, the most promising first, each written like "cleaning > \
selection". Name them even if you end the search.
- best: once there is a history, its best strategy, written the same way.\
"""

REASONING_CHARACTERS = 600
"""About four sentences."""

COMPLAINTS: dict[Fallback, str] = {
    "refused": "it was no proposal",
    "truncated": "it was cut off: keep the reasoning short",
    "invalid_json": "it was not JSON of the required form",
    "unknown_team": f"it named a team that does not exist; the teams are {', '.join(Team)}",
    "repeated_team": "a strategy named a team twice",
    "empty_strategy": "a strategy was empty",
    "already_tried": "it proposed strategies that are in the history already",
    "repeated_strategy": "it proposed the same strategy twice",
    "too_many": "it proposed more strategies than allowed",
    "nothing_new": 'it decided "continue" without any new strategy',
    "decided_too_early": "it ended the search before any strategy was tried; propose strategies first",
    "contradicts_scores": '"no_processing" is wrong where a score is above zero beyond its interval, "best" where '
    "none is above zero",
    "best_not_tried": '"best" must be a strategy of the history with a score above zero',
}


def schema(view: AgentView, k: int, max_tokens: int) -> dict[str, Any]:
    """JSON schema of the answer.

    It admits only strategies that are still to be tried, and decisions that can be taken now, so that decoding
    under it cannot go wrong where a server enforces it. The reasoning comes first, so that the decision follows
    from it, and is bounded well below `max_tokens`: a small model would ramble until its answer is cut off.
    """
    untried = {"type": "string", "enum": [label(s) for s in view.untried]}
    properties: dict[str, Any] = {
        "reasoning": {"type": "string", "maxLength": max(40, min(REASONING_CHARACTERS, 2 * (max_tokens - 256)))},
        "decision": {"type": "string", "enum": list(view.decisions)},
        "strategies": {"type": "array", "items": untried, "minItems": 1, "maxItems": k},
    }
    if view.finished:
        above = [t for t in view.finished if t.score > 0] or view.finished
        properties["best"] = {"type": "string", "enum": list(dict.fromkeys(label(t.strategy) for t in above))}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def system_prompt(view: AgentView, k: int) -> str:
    """Role, setting, teams and rules."""
    teams = "\n".join(f"- {team}: {TEAMS[team]}" for team in view.teams)
    return SYSTEM.format(teams=teams, k=k, sentences=4)


def _quality(counts: Counts) -> str:
    if counts.flagged_share is None:
        return "their quality not scored, so that every record is processed as if it were low"
    return f"{counts.flagged_share:.0%} flagged as low quality"


def user_prompt(view: AgentView, k: int) -> str:
    """The task, the data in counts, the history with group-relative comparisons, and what is left to spend."""
    counts, left = view.counts, view.remaining
    parts = [
        f"Task of the fine-tuned model, in the owner's words: {view.task or '(not described)'}",
        f"Data: {counts.rows} records, {_quality(counts)}; experiments run on a sample of {counts.sampled}.",
        f"Round {view.round}. Left: {left.rounds} rounds and {left.trials} experiments, this round included.",
    ]
    if view.failed:
        lost = ", ".join(label(s) for s in view.failed)
        parts.append(
            "No model could be tuned on what these leave (too little to learn from, or the training diverged), "
            f"and they cannot be tried again: {lost}."
        )
    if view.stopped:
        lost = ", ".join(label(s) for s in view.stopped)
        parts.append(
            f"These fell behind early in training and were not judged, nor can they be tried again: {lost}."
        )
    if view.history:
        parts.append(_history(view))
        latest = max(t.round for t in view.history)
        within = [e for e in view.effects if e.round == latest]
        overall = [e for e in view.effects if e.round is None]
        if within:
            parts.append(f"Comparisons within round {latest}:\n" + _effects(within))
        if overall and latest > 1:
            parts.append("Comparisons over all rounds:\n" + _effects(overall))
        parts.append(
            "Each comparison is between strategies that differ in this alone, the baseline (no team) included, "
            "question by question. Removing a team, or moving it later, does the opposite."
        )
        parts.append(f"Decide, and propose up to {k} strategies that are not in the history.")
    else:
        parts.append(
            f'Nothing has been tried yet. Decide "continue" and propose {k} small strategies that tell most.'
        )
    return "\n\n".join(parts)


def repair_prompt(prompt: str, problems: Sequence[Fallback]) -> str:
    """The same question with what was wrong with the first answer."""
    wrong = "; ".join(COMPLAINTS[p] for p in problems)
    return f"{prompt}\n\nYour previous answer was refused: {wrong}. Answer again and avoid this."


def _history(view: AgentView) -> str:
    rows = ["| - | no processing (baseline) | 0 | - | 100% |"]
    rows += [
        f"| {t.round} | {label(t.strategy)}{' (stopped early, cannot be the best)' if t.stopped else ''} "
        f"| {t.score:+.2f} | {t.low:+.2f} to {t.high:+.2f} | {t.rows_left:.0%} |"
        for t in view.history
    ]
    head = "| round | strategy | score | interval | rows left |\n|---|---|---|---|---|"
    best = view.best
    leader = (
        f"\nBest so far: {label(best.strategy)}." if best and best.score > 0 else "\nNothing is above 0 so far."
    )
    return "History:\n" + "\n".join([head, *rows]) + leader


def _effects(effects: Sequence[Effect]) -> str:
    changes = {"added": "adding {}", "moved_earlier": "running {} earlier"}
    rows = [
        f"| {changes[e.change].format(e.team)} | {e.difference:+.2f} | {e.low:+.2f} to {e.high:+.2f} | {e.pairs} |"
        for e in effects
    ]
    head = "| change | difference in score | interval | pairs |\n|---|---|---|---|"
    return "\n".join([head, *rows])
