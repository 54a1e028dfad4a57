"""Settings of the comparison of tuned models."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from operators.config.settings import Settings


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
        0.05, gt=0, lt=1, description="Chance in a whole search of a stop that calls a model wrongly better"
    )
    batch: int = Field(8, ge=1, description="Pairwise: questions judged before looking again")
    bootstrap: int = Field(2000, ge=100, description="Resamples for the intervals")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of all intervals")
    noise_floor: bool = Field(True, description="Train the baseline with a second seed, to see what is noise")
    sealed_seeds: int = Field(3, ge=1, description="New training seeds of winner and baseline in the verdict")
