"""Settings of the data: what is read, how it is embedded, sampled and flagged."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from operators.config.settings import Settings
from operators.models import MINILM, STATIC_MINILM


class RowFormat(Settings):
    """How rows are read."""

    format: Literal["auto", "messages", "sharegpt", "alpaca", "prompt_completion", "question_answer"] = Field(
        "auto", description="Schema of the rows; auto: recognized by their columns"
    )
    columns: dict[str, str] = Field({}, description="Schema field -> column, where names differ")


class Data(RowFormat):
    """What is processed, and what the tuned models are asked."""

    input: str = Field(description="File or saved `datasets` directory; local path or s3:// URL")
    evaluation: str | None = Field(
        None, description="Clean held-out file; without it, questions are held out of the input"
    )
    judge_questions: int = Field(100, ge=8, description="Questions that score the trials")
    sealed_questions: int = Field(150, ge=8, description="Questions opened once, for the verdict")
    search_questions: int = Field(48, ge=8, description="Development questions that selection may aim at")
    task: str = Field("", max_length=2000, description="What the model is for, in the owner's words")

    @property
    def row_format(self) -> RowFormat:
        """How its rows are read, alone."""
        return RowFormat(format=self.format, columns=self.columns)


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
        None,
        gt=0,
        description="Cores for the whole set's vectors and flags; None: all of a local Ray, one of a cluster",
    )

    def choose(self, rows: int) -> str:
        """The embedding model for a set of so many rows."""
        if self.model != "auto":
            return self.model
        return STATIC_MINILM if rows > self.static_above else MINILM


FLAGS_VERSION = 9
"""Goes up when the same settings would flag other records of the same set."""


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

    @property
    def labels_from(self) -> str | None:
        """The column that labels are read from, if any are."""
        return self.label_column if self.enabled else None
