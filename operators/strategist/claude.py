"""The LLM strategist: hosted Claude, or any model behind the Messages API."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from operators.errors import EndpointError
from operators.strategist.answer import Reading, read_answer
from operators.strategist.base import Exchange, Fallback, Proposal, Strategist, refuse_repeats
from operators.strategist.optuna_ import OptunaStrategist
from operators.strategist.prompt import repair_prompt, schema, system_prompt, user_prompt
from operators.strategist.view import AgentView

if TYPE_CHECKING:
    from operators.llm.client import LLMClient

logger = logging.getLogger(__name__)


class ClaudeStrategist(Strategist):
    """Asks the model.

    After an invalid answer it asks once more and says what was wrong (or, where the request was rejected,
    leaves less room for the answer); after that it falls back to exploration (`OptunaStrategist`). Every
    deviation is logged and named in `Proposal.fallbacks`.
    """

    source = "claude"

    def __init__(self, llm: LLMClient, *, max_tokens: int = 1024, seed: int = 0) -> None:
        super().__init__(seed)
        self.llm = llm
        self.max_tokens = max_tokens
        self.explorer = OptunaStrategist(seed)

    def propose(self, view: AgentView, k: int) -> Proposal:
        if k < 1 or not view.untried:
            return refuse_repeats(Proposal(source=self.source), view, k)
        reading, problems, transcript = self.ask(view, k)
        if reading.usable:
            asked = Proposal(
                strategies=reading.strategies,
                decision=reading.decision,
                best=reading.best,
                reasoning=reading.reasoning,
                source=self.source,
                fallbacks=problems,
            )
            proposal = refuse_repeats(asked, view, k, self.explorer)
        else:
            logger.warning("strategist: no usable proposal, exploring with %s instead", self.explorer.source)
            proposal = self.explorer.propose(view, k).model_copy(update={"fallbacks": problems})
        return proposal.model_copy(update={"transcript": transcript})

    def ask(self, view: AgentView, k: int) -> tuple[Reading, tuple[Fallback, ...], tuple[Exchange, ...]]:
        """The model's answer, asked for twice where the first is not right; what was wrong with both; and what
        was said."""
        prompt = user_prompt(view, k)
        reading, exchange = self._ask(view, k, prompt, self.max_tokens)
        transcript = [exchange]
        problems = reading.problems
        if problems and "endpoint_error" not in problems:
            if "rejected" in problems:  # most likely prompt and answer exceed the model's context together
                second, exchange = self._ask(view, k, prompt, self.max_tokens // 4)
            else:
                second, exchange = self._ask(view, k, repair_prompt(prompt, problems), self.max_tokens)
            if (
                "endpoint_error" not in second.problems or not reading.usable
            ):  # else the first answer is what there is
                transcript.append(exchange)
                problems = tuple(dict.fromkeys(problems + second.problems))
                # A first answer that is right in part is better than a second that is wrong altogether.
                reading = second if second.usable or not reading.usable else reading
        if problems:
            logger.warning("strategist: the model's answer had problems: %s", ", ".join(problems))
        return reading, problems, tuple(transcript)

    def _ask(self, view: AgentView, k: int, prompt: str, max_tokens: int) -> tuple[Reading, Exchange]:
        from operators.llm.client import Request

        system = system_prompt(view, k)
        request = Request(
            system=system,
            prompt=prompt,
            max_tokens=max_tokens,
            temperature=0.0,
            seed=self._round_seed(view),
            schema=schema(view, k, max_tokens),
        )
        try:
            answer = self.llm.complete([request], label="propose")[0]
        except EndpointError:
            return Reading(problems=("endpoint_error",)), Exchange(system=system, prompt=prompt, answer="")
        return read_answer(answer, view, k), Exchange(system=system, prompt=prompt, answer=answer.text)
