"""What all rounds of one search share: its references, prepared once."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from operators.config import SearchConfig, Training
from operators.data.store import DatasetRef
from operators.processing import TeamContext
from operators.strategist.space import Team
from operators.teams.base import OperatorSpec
from tasks.runtime import Runtime
from tasks.sampling import SplitRefs


class Plan(BaseModel):
    """The fixed part of a search."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())
    config: SearchConfig
    runtime: Runtime
    splits: SplitRefs
    sample: DatasetRef
    context: TeamContext
    chains: dict[Team, list[OperatorSpec]]
    model_sha256: str
    embedder: str
    """Of targeting and sampling; the teams' is in the context."""
    embedder_sha256: str

    def recipe(self, repeat: int = 0) -> Training:
        """The training recipe, with another seed for each repeat."""
        training = self.config.training
        return training.model_copy(update={"seed": training.seed + repeat})

    @property
    def answer_tokens(self) -> int:
        """Tokens a tuned model may write per question; 0 where the judge reads likelihoods only."""
        judging = self.config.judging
        return judging.max_answer_tokens if judging.method == "pairwise" else 0
