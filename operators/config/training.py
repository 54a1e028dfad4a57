"""Settings of the fine-tunes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from operators.config.settings import SEED_LIMIT, Settings


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
    dtype: Literal["auto", "bfloat16", "float32"] = Field(
        "auto", description="Precision of weights and arithmetic; auto: bfloat16 where a machine computes in it"
    )
    reuse_frozen: bool = Field(
        True, description="On a CPU, keep what the blocks below the adapters make of a text for the next fine-tune"
    )
    seed: int = Field(
        0, ge=0, lt=SEED_LIMIT, description="Of the adapters' first weights and the order of records"
    )
    racing: Racing = Racing()
    num_cpus: float = Field(1, ge=0, description="CPUs of one fine-tune")
    num_gpus: float = Field(0, ge=0, description="GPUs of one fine-tune")

    def content(self, model_sha256: str) -> dict[str, object]:
        """What of the recipe decides a fine-tune: all but the resources it is given and whether it is raced, and
        the model by its weights instead of its path."""
        outside = {"num_cpus", "num_gpus", "model", "racing"}
        return {**self.model_dump(mode="json", exclude=outside), "model": model_sha256}
