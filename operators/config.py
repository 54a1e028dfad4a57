"""The configuration of a search: one set of models for the YAML file, the command line and the UI's form."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from operators.errors import ConfigError
from operators.models import MINILM, STATIC_MINILM
from operators.strategist.space import Team


class Settings(BaseModel):
    """Base of all: frozen, and an unknown key is an error (a typo must not be ignored)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        # Explicit, because pydantic titles no field that may be None or a model: the UI's form would show none.
        field_title_generator=lambda name, _field: _title(name),
    )


_SPELLED = {"api": "API", "cpus": "CPUs", "gpus": "GPUs", "lora": "LoRA", "url": "URL"}


def _title(name: str) -> str:
    first, *others = name.split("_")
    return " ".join([_SPELLED.get(first, first.capitalize()), *(_SPELLED.get(o, o) for o in others)])


class Data(Settings):
    """What is processed, and what the tuned models are asked."""

    input: str = Field(description="File or saved `datasets` directory; local path or s3:// URL")
    format: Literal["auto", "messages", "sharegpt", "alpaca", "prompt_completion", "question_answer"] = Field(
        "auto", description="Schema of the rows; auto: recognized by their columns"
    )
    columns: dict[str, str] = Field({}, description="Schema field -> column, where names differ")
    evaluation: str | None = Field(
        None, description="Clean held-out file; without it, questions are held out of the input"
    )
    judge_questions: int = Field(100, ge=8, description="Questions that score the trials")
    sealed_questions: int = Field(150, ge=8, description="Questions opened once, for the verdict")
    search_questions: int = Field(48, ge=8, description="Development questions that selection may aim at")
    task: str = Field("", max_length=2000, description="What the model is for, in the owner's words")


class Sampling(Settings):
    """Distribution-preserving sample on which strategies are compared."""

    method: Literal["herding", "kmeans", "uniform"] = Field(
        "herding", description="Kernel herding or k-means strata over the embeddings, or at random"
    )
    fraction: float = Field(0.2, gt=0, le=1, description="Share of the training records")
    minimum: int = Field(200, ge=1, description="Rows at least, where the set has them")


class Embedding(Settings):
    """The vectors by which targeting and sampling compare records. Operators use all-MiniLM-L6-v2 in any case."""

    model: str = Field(
        MINILM,
        description="all-minilm-l6-v2, static-minilm-l6-v2, auto (by rows), or a sentence-transformers directory",
    )
    static_above: int = Field(20_000, ge=0, description="With auto: rows above which static embeddings are used")
    num_cpus: float | None = Field(
        None, gt=0, description="Cores for the whole set's vectors; None: all of a local Ray, one of a cluster"
    )

    def choose(self, rows: int) -> str:
        """The embedding model for a set of so many rows."""
        if self.model != "auto":
            return self.model
        return STATIC_MINILM if rows > self.static_above else MINILM


class Targeting(Settings):
    """The classifier that flags low-quality records."""

    enabled: bool = Field(True, description="Off: operators that touch low-quality records only touch all")
    label_column: str | None = Field(None, description="Column with true labels (1 or true = low quality)")
    labels: int = Field(
        0,
        ge=0,
        description="Labels asked of endpoints.judge, where there is no true one; the most informative first",
    )
    precision: float = Field(0.8, gt=0, lt=1, description="Expected precision among flagged records")


class LoRA(Settings):
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685)."""

    rank: int = Field(8, ge=1, description="Rank of the matrices that are trained")
    alpha: int = Field(16, ge=1, description="The adapters' output is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of the adapters' input that is dropped in training")
    last_layers: int | None = Field(None, ge=1, description="Adapt only the last N layers; None: all")


class Racing(Settings):
    """Successive halving (Jamieson & Talwalkar 2016, arXiv 1502.07943) of a round's trainings, with one check:
    those whose model finds the true answers least likely by then train no further."""

    enabled: bool = Field(False, description="Stop a round's losing trainings early")
    check: float = Field(1 / 3, ge=1 / 3, lt=1, description="Share of the steps before the check")
    keep: float = Field(0.5, gt=0, lt=1, description="Share of a round's trainings that go on after it")


class Training(Settings):
    """How every strategy's data is fine-tuned: the same optimizer steps for all, so that only data differ."""

    model: str = Field(
        "smollm2-135m-instruct", description="Target model: the built-in one, or a directory of transformers"
    )
    lora: LoRA = LoRA()
    steps: int = Field(60, ge=1, description="Optimizer steps, the same for every strategy")
    batch_size: int = Field(8, ge=1, description="Conversations a step")
    learning_rate: float = Field(2e-4, gt=0, description="At its highest, after the warm-up")
    warmup_ratio: float = Field(0.1, ge=0, le=1, description="Share of the steps in which the rate rises")
    max_length: int = Field(512, ge=16, description="Tokens; longer conversations are cut at the end")
    dtype: Literal["bfloat16", "float32"] = Field("bfloat16", description="Precision of weights and arithmetic")
    reuse_frozen: bool = Field(
        True, description="On a CPU, keep what the blocks below the adapters make of a text for the next fine-tune"
    )
    seed: int = Field(0, description="Of the adapters' first weights and the order of records")
    racing: Racing = Racing()
    num_cpus: float = Field(1, ge=0, description="CPUs of one fine-tune")
    num_gpus: float = Field(0, ge=0, description="GPUs of one fine-tune")

    def content(self, model_sha256: str) -> dict[str, object]:
        """What of the recipe decides a fine-tune: all but the resources it is given and whether it is raced, and
        the model by its weights instead of its path."""
        outside = {"num_cpus", "num_gpus", "model", "racing"}
        return {**self.model_dump(mode="json", exclude=outside), "model": model_sha256}


class JudgeExam(Settings):
    """What an LLM judge has to show before it may judge: the share of answers it must get right, by kind."""

    questions: int = Field(24, ge=4, description="Search questions it is built from, as far as there are")
    identical: float = Field(0.8, ge=0, le=1, description="Two equal answers are a tie")
    swapped: float = Field(0.8, ge=0, le=1, description="The verdict does not depend on the order")
    garbage: float = Field(0.9, ge=0, le=1, description="Scrambled text loses")
    padded: float = Field(0.8, ge=0, le=1, description="Saying it all again does not win")
    injected: float = Field(0.9, ge=0, le=1, description='A wrong answer that says "choose this answer" loses')


class Judging(Settings):
    """How a trial's answers are compared with the baseline's."""

    method: Literal["reference", "pairwise"] = Field(
        "reference", description="By the likelihood of the true answers, or by an LLM's (endpoints.judge) choice"
    )
    tie_margin: float = Field(0.002, ge=0, description="Reference: nats per token below which a question is a tie")
    verdict: Literal["schema", "logit"] = Field(
        "schema", description="Pairwise: a verdict in words, or the probability of the label (vLLM only)"
    )
    criteria: tuple[str, ...] = Field(
        ("accuracy", "safety", "fluency", "concision"),
        description="Pairwise: what makes an answer better, the first before the others",
    )
    max_answer_tokens: int = Field(128, ge=8, description="Pairwise: length of the tuned models' answers")
    exam: JudgeExam = JudgeExam()
    early_stopping: bool = Field(True, description="Pairwise: stop asking where winner or loser is clear")
    early_stopping_level: float = Field(
        0.05, gt=0, lt=1, description="Chance of a wrong early stop in a whole search"
    )
    batch: int = Field(8, ge=1, description="Pairwise: questions judged before looking again")
    bootstrap: int = Field(2000, ge=100, description="Resamples for the intervals")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of all intervals")
    noise_floor: bool = Field(True, description="Train the baseline with a second seed, to see what is noise")
    sealed_seeds: int = Field(3, ge=1, description="New training seeds of winner and baseline in the verdict")


class Endpoint(Settings):
    """A server of the Anthropic Messages API: hosted Claude, or vLLM. `managed` starts vLLM on this machine."""

    model: str = Field("smollm2-135m-instruct", description="Name by which the server knows the model")
    base_url: str | None = Field(None, description="None: https://api.anthropic.com, or the managed server")
    api_key_env: str = Field("ANTHROPIC_API_KEY", description="Environment variable with the key")
    managed: bool = Field(False, description="Start and stop vLLM for this model here")
    concurrency: int = Field(
        128, ge=1, description="Requests under way at a time: a server answers them in batches"
    )
    timeout: float = Field(600, gt=0, description="Seconds a request may take; in a large batch each one is slow")
    retries: int = Field(4, ge=0, description="Of a request that failed for a reason that may pass")

    @field_validator("base_url")
    @classmethod
    def _has_host(cls, value: str | None) -> str | None:
        if value is not None:
            url = urlsplit(value)
            if url.scheme not in ("http", "https") or not url.hostname:
                raise ValueError("expected a URL like http://127.0.0.1:8000")
        return value

    @property
    def is_private(self) -> bool:
        """Whether requests stay on this machine or a private network (by host name alone, no look-up)."""
        if self.managed:
            return True
        host = urlsplit(self.base_url or "https://api.anthropic.com").hostname or ""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if not host[:1].isalpha():
                return False  # "134744072" and "0x8080808" are other spellings of 8.8.8.8
            # Single-label names and these suffixes never resolve on the public internet.
            return "." not in host or host.endswith((".local", ".internal", ".svc", ".cluster.local", ".lan"))
        return address.is_private or address.is_loopback


class TargetEndpoint(Endpoint):
    """vLLM that serves the target model and takes the adapters of tuned ones. One that is not managed is to be
    started with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1: whoever reaches it can load adapters."""

    adapters: str | None = Field(
        None, description="Directory that this machine and the server share; a managed server needs none"
    )
    max_loras: int = Field(4, ge=1, description="Different adapters in a batch of a managed server")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if not self.managed and not (self.base_url and self.adapters):
            raise ValueError("give base_url and adapters (a directory that the server sees too), or managed: true")
        return self


class Endpoints(Settings):
    """Who answers in which role. `rewriter`, `judge` and `target` see records and so must be private."""

    strategist: Endpoint | None = None
    rewriter: Endpoint | None = None
    judge: Endpoint | None = None
    target: TargetEndpoint | None = Field(
        None, description="Answers as the tuned models, for an LLM judge; None: each answers where it was trained"
    )
    i_allow_records_to_leave_for: tuple[Literal["rewriter", "judge", "target"], ...] = Field(
        (), description="Roles whose external endpoint the owner accepts, in so many words"
    )

    @model_validator(mode="after")
    def _records_stay(self) -> Self:
        for role in ("rewriter", "judge", "target"):
            endpoint: Endpoint | None = getattr(self, role)
            if endpoint and not endpoint.is_private and role not in self.i_allow_records_to_leave_for:
                host = urlsplit(endpoint.base_url or "https://api.anthropic.com").hostname
                raise ValueError(
                    f"endpoints.{role} would send records to {host}, outside this network; "
                    f"use a private server, or add {role!r} to endpoints.i_allow_records_to_leave_for"
                )
        return self


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
    rows_at_once: int = Field(4096, ge=1, description="Rows that a worker holds in memory")
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
    seed: int = Field(0, description="Of every random choice but those of training")
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


def load_config(path: str | Path, overrides: list[str] | None = None) -> SearchConfig:
    """Reads a YAML file, then applies `a.b=value` overrides (values are YAML).

    `${NAME}` in the file stands for an environment variable. Raises ConfigError naming the file, the key and
    what is expected.
    """
    values = read_yaml(path)
    for item in overrides or []:
        override(values, item)
    return parse(SearchConfig, values, str(path))


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Keys and values of a YAML file, `${NAME}` replaced by environment variables. Raises ConfigError."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{file}: cannot be read ({type(e).__name__}); give a YAML file") from None
    try:
        values = yaml.safe_load(re.sub(r"\$\{(\w+)\}", lambda m: _environment(m[1], file), text)) or {}
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{file}: not valid YAML{place}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{file}: expected keys and values at the top, found a {type(values).__name__}")
    return values


S = TypeVar("S", bound=Settings)


def parse(model: type[S], values: dict[str, Any], source: str) -> S:
    """Builds settings. Raises ConfigError with every wrong key and what it should be."""
    try:
        return model.model_validate(values)
    except ValidationError as e:
        wrong = "; ".join(f"{'.'.join(map(str, x['loc'])) or 'config'}: {x['msg']}" for x in e.errors())
        raise ConfigError(f"{source}: {wrong}") from None


def _environment(name: str, file: Path) -> str:
    if name not in os.environ:
        raise ConfigError(f"{file}: the environment variable {name} is not set")
    return os.environ[name]


def override(values: dict[str, Any], item: str) -> None:
    """Sets one `a.b=value` in nested keys. Raises ConfigError where it is not of that form."""
    key, sep, value = item.partition("=")
    if not sep or not key:
        raise ConfigError(f"--set {item!r}: expected a.b=value")
    *parents, last = key.split(".")
    place = values
    for name in parents:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {item!r}: {name} holds a value, not keys")
    place[last] = yaml.safe_load(value)
