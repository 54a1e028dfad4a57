"""The strategist that the configuration asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.config import SearchConfig
from operators.errors import ConfigError
from operators.strategist.base import Strategist
from operators.strategist.space import Strategy
from operators.strategist.view import AgentView

if TYPE_CHECKING:
    from operators.llm.client import LLMClient


def build_strategist(config: SearchConfig, llm: LLMClient | None = None) -> Strategist:
    """Builds `config.strategist_kind`. `llm` is the client of `endpoints.strategist`; ConfigError where the
    LLM strategist is asked for without one."""
    kind = config.strategist_kind
    if kind in ("claude", "hybrid"):
        from operators.strategist.claude import ClaudeStrategist
        from operators.strategist.hybrid import HybridStrategist

        if llm is None:
            raise ConfigError(f"strategist.kind is {kind}: set endpoints.strategist, or choose surrogate")
        asking = HybridStrategist if kind == "hybrid" else ClaudeStrategist
        return asking(llm, max_tokens=config.strategist.max_tokens, seed=config.seed)
    if kind == "surrogate":
        from operators.strategist.surrogate import SurrogateStrategist

        return SurrogateStrategist(config.seed)
    if kind == "optuna":
        from operators.strategist.optuna_ import OptunaStrategist

        return OptunaStrategist(config.seed)
    if kind == "random":
        from operators.strategist.random_ import RandomStrategist

        return RandomStrategist(config.seed)
    from operators.strategist.exhaustive import ExhaustiveStrategist

    return ExhaustiveStrategist(config.seed)


def recommended(config: SearchConfig, view: AgentView) -> Strategy:
    """What the configured strategist would adopt after the trials of the view. Asks no model."""
    asks_model = config.strategist_kind in ("claude", "hybrid")
    return (build_explorer(config) if asks_model else build_strategist(config)).recommend(view)


def build_explorer(config: SearchConfig) -> Strategist:
    """What proposes in place of an LLM strategist that does not answer: each kind without its LLM."""
    if config.strategist_kind == "hybrid":
        from operators.strategist.surrogate import SurrogateStrategist

        return SurrogateStrategist(config.seed)
    from operators.strategist.optuna_ import OptunaStrategist

    return OptunaStrategist(config.seed)
