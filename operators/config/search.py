"""The settings of a search as a whole."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from operators.config.data import Data, Embedding, Sampling, Targeting
from operators.config.endpoints import Endpoints
from operators.config.judging import Judging
from operators.config.settings import SEED_LIMIT, Settings
from operators.config.training import Training
from operators.strategist.space import Team


class Strategist(Settings):
    """Who proposes strategies."""

    kind: Literal["auto", "claude", "hybrid", "surrogate", "optuna", "random", "exhaustive"] = Field(
        "auto", description="auto: claude where a strategist endpoint is configured, else surrogate"
    )
    max_tokens: int = Field(1024, ge=64, description="Length of an LLM strategist's answer")


class Budget(Settings):
    """When the search stops at the latest."""

    rounds: int = Field(5, ge=1, description="Rounds of proposing, processing, fine-tuning and judging")
    trials_per_round: int = Field(4, ge=1, le=64, description="Strategies that a round tries")
    trials: int = Field(20, ge=1, description="Strategies that are tried in all")
    minutes: float | None = Field(None, gt=0, description="No round starts after so many; None: no limit")
    tokens: int | None = Field(
        None,
        ge=0,
        description="LLM tokens of all rounds, in and out, all roles; what the verdict and the winner's pass over "
        "the whole set take comes on top",
    )


class Step(Settings):
    """One operator of a team's chain."""

    name: str = Field(description="As `autodp operators` lists it")
    params: dict[str, Any] = Field({}, description="Parameters that differ from the operator's defaults")


DEFAULT_CHAINS: dict[Team, tuple[Step, ...]] = {
    Team.CLEANING: (
        Step(name="fix_text"),
        Step(name="strip_markup"),
        Step(name="mask_contacts"),
        Step(name="special_characters"),
        Step(name="length_bounds", params={"keep_incomplete": False}),
        Step(name="repetition"),
        Step(name="decontaminate"),
        Step(name="near_duplicates"),
        Step(name="truncated_answers"),
        Step(name="answer_mismatch"),
    ),
    Team.GENERATION: (Step(name="fill_question"), Step(name="fill_answer"), Step(name="new_pairs")),
    Team.OPTIMIZATION: (Step(name="rewrite_question"), Step(name="rewrite_answer")),
    # The only one that beats random selection clearly both before and after Cleaning (benchmarks.selection).
    Team.SELECTION: (Step(name="gradient_influence"),),
}


class Cluster(Settings):
    """Where Ray runs."""

    address: str | None = Field(None, description="None: a local Ray on this machine; else ray:// or host:port")
    num_cpus: int | None = Field(None, ge=1, description="Local Ray only; None: all cores")


class ScaleOut(Settings):
    """How a set in many Parquet files is processed by many workers, file by file."""

    workers: int | None = Field(None, ge=1, description="Files at a time; None: one a core of the cluster")
    rows_at_once: int = Field(4096, ge=1, description="Rows that a worker processes and writes together")
    whole_set_rows: int = Field(
        1_000_000, ge=0, description="Rows up to which one worker may hold a set that an operator needs as a whole"
    )


class SearchConfig(Settings):
    """Everything a search depends on."""

    name: str = Field(
        "search",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$",
        description="Of the run, its folder and its artifacts",
    )
    data: Data
    store: str = Field(".autodp/store", description="Content store: path or s3:// URL")
    output: str = Field("runs", description="Results go to the folder `name` below it: path or s3:// URL")
    data_set: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$",
        description="Data set whose uploads the found recipe is for, once it is approved; None: the name",
    )
    seed: int = Field(0, ge=0, lt=SEED_LIMIT, description="Of every random choice but those of training")
    embedding: Embedding = Embedding()
    sampling: Sampling = Sampling()
    targeting: Targeting = Targeting()
    teams: dict[Team, tuple[Step, ...]] = Field(DEFAULT_CHAINS, description="Operators of each team, in order")
    training: Training = Training()
    judging: Judging = Judging()
    strategist: Strategist = Strategist()
    endpoints: Endpoints = Endpoints()
    budget: Budget = Budget()
    cluster: Cluster = Cluster()

    @field_validator("teams")
    @classmethod
    def _all_teams(cls, value: dict[Team, tuple[Step, ...]]) -> dict[Team, tuple[Step, ...]]:
        return {**DEFAULT_CHAINS, **value}

    @field_validator("targeting", mode="before")
    @classmethod
    def _on_or_off(cls, value: Any) -> Any:
        # "targeting: off" reads as false in YAML, and as text after --set or in a form.
        if isinstance(value, bool):
            return {"enabled": value}
        if isinstance(value, str) and value.lower() in ("on", "off"):
            return {"enabled": value.lower() == "on"}
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.strategist.kind in ("claude", "hybrid") and self.endpoints.strategist is None:
            raise ValueError(f"strategist.kind is {self.strategist.kind}, so endpoints.strategist must be set")
        if self.judging.method == "pairwise" and self.endpoints.judge is None:
            raise ValueError("judging.method is pairwise, so endpoints.judge must be set")
        target = self.endpoints.target
        if target is not None and target.managed and target.model != self.training.model:
            raise ValueError(f"endpoints.target.model is {target.model}: it must be training.model")
        if self.targeting.enabled and self.targeting.labels and self.endpoints.judge is None:
            raise ValueError(
                f"targeting.labels is {self.targeting.labels}, so endpoints.judge must be set: it gives the labels"
            )
        return self

    @property
    def approved_as(self) -> str:
        """The data set that the found recipe is for."""
        return self.data_set or self.name

    @property
    def strategist_kind(self) -> str:
        """The strategist in force."""
        if self.strategist.kind != "auto":
            return self.strategist.kind
        return "claude" if self.endpoints.strategist else "surrogate"
