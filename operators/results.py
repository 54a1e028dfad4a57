"""What a search found, as numbers: the models behind search.json, report and leaderboards. No record text."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, computed_field

from operators.config import FLAGS_VERSION, Endpoint, RowFormat, Targeting
from operators.data.store import DatasetRef
from operators.precision import Precision
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


class Flagging(Result):
    """The quality flags of one data set, and what they rest on."""

    dataset: DatasetRef
    note: str
    """In a sentence or two."""
    expected_precision: float | None = None
    """Of the records flagged as low quality; None where there are none."""
    usage: LLMUsage = LLMUsage()


class TeamRun(Result):
    """One team applied to one data set: a node of the prefix tree."""

    team: Team
    source: DatasetRef
    dataset: DatasetRef
    reports: list[OperatorReport]
    usage: LLMUsage = LLMUsage()
    seconds: float = 0.0


class JudgeDetails(Result):
    """How an LLM judge came to its outcomes. Rates are shares of the questions (flips) or of the verdicts asked
    for (invalid, truncated); lengths are mean characters of an answer."""

    calls: int
    """Verdicts asked for, second attempts included."""
    flip_rate: float
    """Questions whose two orders contradict each other."""
    invalid_rate: float
    """Verdicts that stayed unusable after the second attempt and count as ties; truncated ones are among them."""
    truncated_rate: float
    trial_length: float
    baseline_length: float
    length_controlled: float
    """The score at equal lengths."""
    questions: int
    """Questions there were; the comparison's n is smaller where judging stopped early."""
    settled: Literal["better", "worse", "behind"] | None = None
    """Why judging stopped early."""
    usage: LLMUsage = LLMUsage()


class Comparison(Result):
    """Trial against baseline over n questions. `outcomes[i]` is 1 win, 0 tie, -1 loss (or between, where two
    orders or seeds disagree, or a judge gives probabilities), `score` their mean. `win`, `tie` and `loss` are the
    shares of outcomes above, at and below 0; `win_rate` is `win`."""

    n: int
    win: float
    tie: float
    loss: float
    score: float
    score_ci: Interval
    win_rate: float
    win_rate_ci: Interval
    outcomes: list[float]
    seed_scores: list[float] = []
    """The score of each training seed."""
    details: JudgeDetails | None = None
    """Where an LLM judged."""


class Trial(Result):
    """One strategy tried in one round."""

    round: int
    strategy: tuple[Team, ...]
    comparison: Comparison
    rows: int
    """Rows left to train on after processing."""
    steps: int
    stopped: bool = False
    """Whether racing ended its training early: its comparison is with the baseline after as many steps."""
    reports: list[list[OperatorReport]] = []
    """One list per team of the strategy, in order."""
    reused_teams: int = 0
    """Leading teams of the strategy whose output came from the cache or from another trial."""
    trained: bool = True
    """False where the fine-tune came from the cache or was shared with another trial."""
    seconds: float = 0.0
    noise_floor: float = 0.0
    """The |score| that a strategy without any effect would stay below (`operators.judging.statistics`)."""

    @property
    def is_noise(self) -> bool:
        """Whether the score lies inside the noise floor."""
        return abs(self.comparison.score) <= self.noise_floor

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def win(self) -> float:
        """Share of the questions won."""
        return self.comparison.win

    @computed_field  # type: ignore[prop-decorator]
    @property
    def tie(self) -> float:
        """Share of the questions without a difference."""
        return self.comparison.tie

    @computed_field  # type: ignore[prop-decorator]
    @property
    def loss(self) -> float:
        """Share of the questions lost."""
        return self.comparison.loss

    @computed_field  # type: ignore[prop-decorator]
    @property
    def score(self) -> float:
        """The score as it is reported: 0 inside the noise floor."""
        return 0.0 if self.is_noise else self.comparison.score

    @computed_field  # type: ignore[prop-decorator]
    @property
    def score_ci(self) -> Interval:
        """The interval as it is reported: one around 0 reaches it."""
        low, high = self.comparison.score_ci
        return (min(low, 0.0), max(high, 0.0)) if self.is_noise else (low, high)


class FailedTrial(Result):
    """A strategy that was tried and has no score: no model could be tuned on what it leaves."""

    round: int
    strategy: tuple[Team, ...]
    reason: str


class Lead(Result):
    """The best strategy of a search against the second best, question by question."""

    second: tuple[Team, ...]
    difference: float
    difference_ci: Interval
    noise_floor: float = 0.0
    """Of a trial: what training seeds alone can do to a difference."""

    @property
    def better(self) -> int:
        """1 where the first is shown to be the better one, -1 where the second is, 0 where it is open."""
        low, high = self.difference_ci
        if abs(self.difference) <= self.noise_floor:
            return 0
        return 1 if low > 0 else -1 if high < 0 else 0


class Contrast(Result):
    """What one change does to the score on average over all strategies it can be made to, as far as the trials
    tell, with its 95 % interval.

    `kind` is "added" (`team` against the same strategy without it) or "before" (`team` before `other`, against the
    same strategy with the two in each other's place). `trials` counts those that ran `team` (and `other`).
    """

    kind: Literal["added", "before"]
    team: Team
    other: Team | None = None
    mean: float
    interval: Interval
    trials: int


class Check(Result):
    """One kind of question in a judge's exam: how many it got right, and the share it has to."""

    name: str
    passed: int
    of: int
    bar: float

    @property
    def ok(self) -> bool:
        """Whether the share is reached."""
        return self.passed >= self.bar * self.of


class Exam(Result):
    """What a judge has to show before it may judge. Counts only."""

    judge: str
    """The model's name."""
    checks: list[Check]
    usage: LLMUsage = LLMUsage()

    @property
    def passed(self) -> bool:
        """Whether every bar is reached."""
        return all(check.ok for check in self.checks)


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
    search_score: float | None = None
    """The score by which the strategy was picked. What it loses on the sealed questions is the winner's curse."""
    seed_scores: list[float] = []
    """The sealed score of each training seed."""
    noise_floor: float = 0.0
    """The |score| on the sealed questions that a strategy without any effect would stay below."""
    chance: float | None = None
    """The probability of such a score where every question's outcome is as likely to be its opposite."""
    opening: int = 1
    """The number of the strategy among those that these sealed questions were opened for. The intervals of a later
    one are wider."""
    details: JudgeDetails | None = None

    @property
    def adopted(self) -> tuple[Team, ...]:
        """What is put in force: the strategy, or no processing."""
        return self.strategy if self.decision == "adopt" else ()

    @property
    def drop(self) -> float | None:
        """From the search's score to the sealed one."""
        return None if self.search_score is None else self.search_score - self.score


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
    llm_lost_tokens: int = 0
    """Read and written in a round that the budget ended: its answers are cached, but it gave no trial."""


class DataCounts(Result):
    """Rows on their way through the search: `rows` were read beside the `quarantined` ones; of them `held_out` are
    evaluation questions, `left_out` repeat such a question or record, and the others were trained on. `flagged` is
    None where quality was not scored."""

    rows: int
    quarantined: int
    flagged: int | None
    sampled: int
    held_out: int = 0
    left_out: int = 0
    processed: int = 0


class SearchResult(Result):
    """search.json."""

    name: str
    data_set: str | None = None
    """What uploads the recipe is for; None: those of the data set `name`."""
    store: str | None = None
    """The content store that the search worked in."""
    verdict: Verdict
    trials: list[Trial]
    work: Work
    data: DataCounts
    seconds: dict[str, float]
    strategist: str = ""
    """That was configured."""
    proposed_by: list[str] = []
    """Who proposed what was tried: another where the configured strategist's model did not answer."""
    precision: str = ""
    """That all models of the search were trained in: "float32" or "bfloat16"."""
    stopped: str = ""
    """Why the search ended: "best", "no_processing", "rounds", "trials", "minutes", "tokens", "exhausted"."""
    final_reports: list[list[OperatorReport]] = []
    """The winner applied to the whole set: one list per team."""
    failed: list[FailedTrial] = []
    lead: Lead | None = None
    """Where at least two strategies were tried."""
    exam: Exam | None = None
    """The judge's, where an LLM judges."""
    what_matters: list[Contrast] = []
    """The effect of every team and of every order of two, from the surrogate's posterior over all trials."""
    same_data: list[Comparison] = []
    """The baseline with another training seed against itself (A/A): on the judging questions, then on the sealed
    ones."""


class RecordsFile(Result):
    """A file beside the recipe that its replay looks at. `file` is relative to the recipe."""

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
    precision: Precision | None = None
    """In which operators load the target model; None in recipes of earlier releases: the machine's own."""
    embedder: str
    embedder_sha256: str
    targeting_embedder: str | None = None
    """What the quality flags were made with; None: `embedder`."""
    targeting_embedder_sha256: str | None = None
    targeting: Targeting = Targeting()
    targeting_version: int = FLAGS_VERSION
    """Of the code that set the quality flags."""
    rewriter: Endpoint | None = None
    """The private model of LLM operators; set only where the strategy has some."""
    rewriter_sha256: str | None = None
    """Of what named its weights (operators.llm.identity); None in recipes of earlier releases."""
    judge: Endpoint | None = None
    """The private model that quality labels are asked of; set only where `targeting.labels` asks for some."""
    development: RecordsFile | None = None
    evaluation: RecordsFile | None = None
    reference: RecordsFile | None = None
    """Summary of the set that it was found on (see operators.drift), to tell when another set differs."""
    left_out: Literal["question", "conversation"] = "conversation"
    """Which records are not processed: those that ask an evaluation question, or that equal its record."""
    data_format: RowFormat = RowFormat()
    """How the search was told to read its set: other sets are read so as well."""
    task: str = ""
    evidence: Verdict | None = None
