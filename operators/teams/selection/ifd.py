"""Selection by what the target model itself finds hard: IFD and perplexity."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from operators.config import Training
from operators.data.records import Message, Record
from operators.teams.base import Context
from operators.teams.selection.base import SelectionOperator, SelectionParams

if TYPE_CHECKING:
    import numpy as np


class PerplexityParams(SelectionParams):
    """Which end of the perplexity range is kept."""

    keep: Literal["low", "middle", "high"] = Field("middle", description="Which records count as the best")
    max_length: int = Field(512, ge=16, description="Tokens of a conversation that are read")


class IFDParams(SelectionParams):
    """How much of a conversation is read."""

    max_length: int = Field(512, ge=16, description="Tokens of a conversation that are read")


class IFD(SelectionOperator[IFDParams]):
    """Keeps the highest instruction-following difficulty: how little the question helps with the answer.

    IFD = exp(NLL(answer | question)) / exp(NLL(answer)), Li et al. 2023, arXiv 2308.12032. Above 1 the question
    makes the answer less likely, which means that they do not belong together: such records rank last.
    """

    name = "ifd"
    params_type = IFDParams
    needs_model = True

    def scores(self, records: list[Record], context: Context) -> np.ndarray:
        """IFD per record where it is below 1, minus IFD above, NaN without an answer, shape (n,)."""
        import numpy as np

        alone = [replace(r, messages=(Message("user", ""), Message("assistant", r.answer))) for r in records]
        both = _nll([*records, *alone], context, self.params.max_length)
        with np.errstate(over="ignore"):
            ratio = np.exp(both[: len(records)] - both[len(records) :])
        self.count("question_does_not_help", int((ratio >= 1).sum()))
        return np.where(ratio < 1, ratio, -ratio)


class Perplexity(SelectionOperator[PerplexityParams]):
    """Keeps records by the target model's perplexity on the answers (Marion et al. 2023, arXiv 2309.04564)."""

    name = "perplexity"
    params_type = PerplexityParams
    needs_model = True

    def scores(self, records: list[Record], context: Context) -> np.ndarray:
        """NLL in nats per token, signed so that the wanted end is highest; NaN without an answer. Shape (n,)."""
        import numpy as np

        nll = _nll(records, context, self.params.max_length)
        if self.params.keep == "high":
            return nll
        if self.params.keep == "low":
            return -nll
        return -np.abs(nll - np.nanmedian(nll))


def _nll(records: list[Record], context: Context, max_length: int) -> np.ndarray:
    """NLL per token of each record's answers under the target model; NaN where there is none. Shape (n,)."""
    import numpy as np

    from operators.training.likelihood import answer_nll
    from operators.training.lora import load_model
    from operators.training.tokens import encode, load_tokenizer

    tokenizer = load_tokenizer(context.target_model)
    examples = [encode(r, tokenizer, max_length) if r.answer.strip() else None for r in records]
    model = load_model(Training(model=context.target_model))
    values = answer_nll(
        model,
        [e for e in examples if e is not None],
        tokenizer.pad_token_id,
        progress=lambda done, total: context.progress("score", done, total),
    )
    result = np.full(len(records), np.nan)
    result[[i for i, e in enumerate(examples) if e is not None]] = values
    return result
