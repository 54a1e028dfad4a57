"""What a search found, as numbers: the models behind search.json, report and leaderboards. No record text."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from operators.config import Endpoint, Targeting
from operators.data.store import DatasetRef
from operators.strategist.space import Team
from operators.teams.base import OperatorReport, OperatorSpec

Interval = tuple[float, float]


class Result(BaseModel):
    """Base of all: frozen."""

    model_config = ConfigDict(frozen=True)


class LLMUsage(Result):
    """Requests to model endpoints. A request answered from the cache counts only as a hit."""

    requests: int = 0
    cache_hits: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    failures: int = 0

    def __add__(self, other: LLMUsage) -> LLMUsage:
        return LLMUsage(**{k: v + getattr(other, k) for k, v in self.model_dump().items()})


class TeamRun(Result):
    """One team applied to one data set: a node of the prefix tree."""

    team: Team
    source: DatasetRef
    dataset: DatasetRef
    reports: list[OperatorReport]
    usage: LLMUsage = LLMUsage()
    seconds: float = 0.0


class Comparison(Result):
    """Trial against baseline over n questions. `outcomes[i]` is 1 win, 0 tie, -1 loss (or between, where two
    orders disagree). `win_rate` is the share of questions won, ties counting as not won."""

    n: int
    win: float
    tie: float
    loss: float
    score: float
    score_ci: Interval
    win_rate: float
    win_rate_ci: Interval
    outcomes: list[float]


class Trial(Result):
    """One strategy tried in one round."""

    round: int
    strategy: tuple[Team, ...]
    comparison: Comparison
    rows: int
    """Rows left to train on after processing."""
    steps: int
    reports: list[list[OperatorReport]] = []
    """One list per team of the strategy, in order."""
    reused_teams: int = 0
    """Leading teams of the strategy whose output came from the cache or from another trial."""
    trained: bool = True
    """False where the fine-tune came from the cache or was shared with another trial."""
    seconds: float = 0.0


class Verdict(Result):
    """The decision, on the sealed questions."""

    strategy: tuple[Team, ...]
    decision: Literal["adopt", "no_processing"]
    win_rate: float
    win_rate_ci: Interval
    score: float
    score_ci: Interval
    n: int
    reason: str
    """One sentence for people."""


class Work(Result):
    """What was asked for, and what had to be computed."""

    team_runs_requested: int = 0
    team_runs_executed: int = 0
    fine_tunes_requested: int = 0
    fine_tunes_executed: int = 0
    llm_requests: int = 0
    llm_cache_hits: int = 0
    llm_input_tokens: int = 0
    llm_output_tokens: int = 0


class DataCounts(Result):
    """Rows on their way through the search."""

    rows: int
    quarantined: int
    flagged: int
    sampled: int
    processed: int = 0


class SearchResult(Result):
    """search.json."""

    name: str
    verdict: Verdict
    trials: list[Trial]
    work: Work
    data: DataCounts
    seconds: dict[str, float]
    strategist: str = ""
    stopped: str = ""
    """Why the search ended: "best", "no_processing", "rounds", "trials", "minutes", "tokens", "exhausted"."""
    final_reports: list[list[OperatorReport]] = []
    """The winner applied to the whole set: one list per team."""


class RecordsFile(Result):
    """A file of records beside the recipe that its operators look at. `file` is relative to the recipe."""

    file: str
    sha256: str


class Recipe(Result):
    """A replayable processing: everything its output depends on, and nothing about where it was found."""

    recipe: Literal[1] = 1
    name: str
    strategy: tuple[Team, ...]
    teams: dict[Team, list[OperatorSpec]]
    seed: int
    target_model: str
    target_model_sha256: str
    embedder: str
    embedder_sha256: str
    targeting: Targeting = Targeting()
    rewriter: Endpoint | None = None
    """The private model of LLM operators; set only where the strategy has some."""
    development: RecordsFile | None = None
    evaluation: RecordsFile | None = None
    left_out: Literal["question", "conversation"] = "conversation"
    """Which records are not processed: those that ask an evaluation question, or that equal its record."""
    task: str = ""
    evidence: Verdict | None = None
