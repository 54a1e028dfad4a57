"""What all rounds of one search share: its references, prepared once."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from operators.config import SearchConfig, Training
from operators.data.store import DatasetRef
from operators.precision import Precision
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
    precision: Precision
    """Of all fine-tunes."""

    def recipe(self, repeat: int = 0) -> Training:
        """The training recipe, with another seed for each repeat, and one precision for all."""
        training = self.config.training
        return training.model_copy(update={"seed": training.seed + repeat, "dtype": self.precision})

    @property
    def answer_tokens(self) -> int:
        """Tokens a tuned model may write per question where it is trained; 0 where the judge reads likelihoods
        only, or a server answers as all of them."""
        judging = self.config.judging
        return judging.max_answer_tokens if judging.method == "pairwise" and not self.answers_on_server else 0

    @property
    def answers_on_server(self) -> bool:
        """Whether the target endpoint writes the tuned models' answers."""
        return self.config.judging.method == "pairwise" and self.config.endpoints.target is not None
