"""Baselines that ask an LLM in other ways than our strategist does. Benchmark only."""

from __future__ import annotations

import json
from typing import Any

from operators.digest import digest
from operators.llm.client import LLMClient, Request
from operators.strategist.base import Proposal, Strategist
from operators.strategist.prompt import TEAMS
from operators.strategist.space import NO_PROCESSING, Strategy, Team, label, strategy
from operators.strategist.view import AgentView, Tried

SETTING = """\
A private data set of question and answer records is processed before a language model is fine-tuned on it. A \
processing strategy is a list of different teams in the order they run:
{teams}
A strategy is scored by fine-tuning the model on the processed data and comparing it with the model tuned on the \
raw data: score = share of held-out questions won - share lost, from -1 to 1."""


class OneShot(Strategist):
    """What an LLM proposes without any result: one request for a ranking of strategies, tried in that order. What
    it names twice is tried once, so it may end early."""

    source = "claude"

    def __init__(self, llm: LLMClient, seed: int = 0) -> None:
        super().__init__(seed)
        self.llm = llm

    def propose(self, view: AgentView, k: int) -> Proposal:
        asked = len(view.history) + view.remaining.trials
        names = [label(s) for s in [*view.tried, *view.untried]]
        prompt = f"Name the {asked} strategies that you expect to score best, the best first."
        choices = sorted(names, key=lambda name: (name.count(">"), name))
        ranked = _ask(self.llm, view, prompt, choices, asked, self.seed)
        left = tuple(s for s in dict.fromkeys(ranked) if s not in view.tried)[:k]
        return Proposal(strategies=left, source=self.source)


class TreeSearch(Strategist):
    """Greedy tree search in the manner of AIDE (Jiang et al. 2025, arXiv 2502.13138, section 3).

    Some first drafts; then each step asks for one atomic improvement of the best solution so far, given a summary
    of what was tried. A step is one trial, so a round of k trials asks k times, and knows of the others only that
    they run.
    """

    source = "claude"
    DRAFTS = 5

    def __init__(self, llm: LLMClient, seed: int = 0) -> None:
        super().__init__(seed)
        self.llm = llm

    def propose(self, view: AgentView, k: int) -> Proposal:
        chosen: list[Strategy] = []
        while len(chosen) < min(k, len(view.untried)):
            step = self._draft if len(view.history) + len(chosen) < self.DRAFTS else self._improve
            chosen.append(step(view, chosen))
        return Proposal(strategies=tuple(chosen), source=self.source)

    def _draft(self, view: AgentView, chosen: list[Strategy]) -> Strategy:
        new = [s for s in view.untried if s not in chosen]
        prompt = f"{_memory(view, chosen)}\n\nDraft one strategy that differs from those tried."
        return self._one(view, prompt, new)

    def _improve(self, view: AgentView, chosen: list[Strategy]) -> Strategy:
        order = sorted(view.history, key=lambda t: -t.score)
        for parent in order:
            near = [s for s in neighbours(parent.strategy) if s in view.untried and s not in chosen]
            if near:
                change = "by one change: add, remove, move or replace one team"
                prompt = f"{_memory(view, chosen)}\n\nImprove {label(parent.strategy)} {change}."
                return self._one(view, prompt, near)
        return self._draft(view, chosen)

    def _one(self, view: AgentView, prompt: str, allowed: list[Strategy]) -> Strategy:
        named = _ask(self.llm, view, prompt, [label(s) for s in allowed], 1, self.seed)
        return named[0] if named else allowed[int(digest(self.seed, len(view.history))[:8], 16) % len(allowed)]


def neighbours(of: Strategy) -> list[Strategy]:
    """Strategies that one change leads to: a team added, removed, moved, or replaced by one that is not there."""
    absent = [t for t in Team if t not in of]
    found: list[Strategy] = [(*of[:i], t, *of[i:]) for t in absent for i in range(len(of) + 1)]
    for i, team in enumerate(of):
        rest = of[:i] + of[i + 1 :]
        found.append(rest)
        found += [(*rest[:j], team, *rest[j:]) for j in range(len(of))]
        found += [(*of[:i], t, *of[i + 1 :]) for t in absent]
    return [s for s in dict.fromkeys(found) if s not in (of, NO_PROCESSING)]


def _memory(view: AgentView, chosen: list[Strategy]) -> str:
    """AIDE's summary of all solutions so far and how they did."""

    def line(tried: Tried) -> str:
        return f"- {label(tried.strategy)}: {tried.score:+.2f}"

    lines = [*map(line, view.history), *(f"- {label(s)}: running" for s in chosen)]
    return "Tried so far:\n" + "\n".join(lines) if lines else "Nothing has been tried yet."


def _ask(llm: LLMClient, view: AgentView, prompt: str, choices: list[str], n: int, seed: int) -> list[Strategy]:
    """Up to `n` strategies among the choices; none where the model gives no usable answer."""
    items = {"type": "string", "enum": choices}
    properties: dict[str, Any] = {
        "reasoning": {"type": "string", "maxLength": 300},
        "strategies": {"type": "array", "items": items, "minItems": n, "maxItems": n},
    }
    form = {"type": "object", "properties": properties, "required": list(properties)}
    request = Request(
        system=SETTING.format(teams="\n".join(f"- {t}: {TEAMS[t]}" for t in view.teams)),
        prompt=f"Task of the fine-tuned model: {view.task or '(not described)'}\n\n{prompt}",
        max_tokens=1024,
        temperature=0.0,
        seed=seed,
        schema={**form, "additionalProperties": False},
    )
    answer = llm.complete([request], label="propose")[0]
    try:
        names = (answer.parsed or json.loads(answer.text))["strategies"]
    except (ValueError, KeyError, TypeError):
        return []
    return [strategy(name.split(" > ")) for name in names[:n]]
