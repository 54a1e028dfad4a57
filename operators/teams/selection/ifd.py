"""Selection by what the target model itself finds hard: IFD and perplexity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from operators.config import Training
from operators.data.records import Record
from operators.teams.base import Context
from operators.teams.selection.base import ScoredSelection
from operators.teams.selection.model import ModelParams, reporting

if TYPE_CHECKING:
    import numpy as np

    from operators.training.tokens import Example


class PerplexityParams(ModelParams):
    """Which end of the perplexity range is kept."""

    keep: Literal["low", "middle", "high"] = Field("middle", description="Which records count as the best")


class IFD(ScoredSelection[ModelParams]):
    """Keeps the highest instruction-following difficulty: how little the questions help with the answers.

    IFD = exp(NLL(answers | questions)) / exp(NLL(answers)), Li et al. 2023, arXiv 2308.12032; in a conversation
    the second term keeps the earlier answers and empties all other turns. Above 1 the questions make the answers
    less likely, which means that they do not belong together: such records rank last.
    """

    name = "ifd"
    version = 5
    params_type = ModelParams
    needs_model = True

    def scores(self, records: list[Record], context: Context) -> np.ndarray:
        """IFD per record where it is below 1, minus IFD above, NaN without an answer, shape (n,)."""
        import numpy as np

        alone = [
            r.with_contents([m.content if m.role == "assistant" else "" for m in r.messages]) for r in records
        ]
        both = answer_nll_of([*records, *alone], context, self.params.max_length, pairs=True)
        with np.errstate(over="ignore"):
            ratio = np.exp(both[: len(records)] - both[len(records) :])
        self.count("question_does_not_help", int((ratio >= 1).sum()))
        return np.where(ratio < 1, ratio, -ratio)


class Perplexity(ScoredSelection[PerplexityParams]):
    """Keeps records by the target model's perplexity on the answers (Marion et al. 2023, arXiv 2309.04564)."""

    name = "perplexity"
    version = 5
    params_type = PerplexityParams
    needs_model = True

    def scores(self, records: list[Record], context: Context) -> np.ndarray:
        """NLL in nats per token, signed so that the wanted end is highest; NaN without an answer. Shape (n,)."""
        import numpy as np

        nll = answer_nll_of(records, context, self.params.max_length)
        if self.params.keep == "high":
            return nll
        if self.params.keep == "low":
            return -nll
        return -np.abs(nll - np.nanmedian(nll)) if np.isfinite(nll).any() else nll


def answer_nll_of(records: list[Record], context: Context, max_length: int, *, pairs: bool = False) -> np.ndarray:
    """NLL per token of each record's answers under the target model; NaN where there is none. Shape (n,).

    With `pairs`, the second half of the records are the first half without their questions: each pair is cut to
    the same tokens of the answers.
    """
    import numpy as np

    from operators.training.likelihood import answer_nll
    from operators.training.lora import load_model
    from operators.training.tokens import encode, load_tokenizer

    tokenizer = load_tokenizer(context.target_model)
    examples = [encode(r, tokenizer, max_length) if r.answer.strip() else None for r in records]
    if pairs:
        half = len(records) // 2
        examples[half:] = [_cut(b, a) for a, b in zip(examples[:half], examples[half:], strict=True)]
    result = np.full(len(records), np.nan)
    if readable := [i for i, e in enumerate(examples) if e is not None]:
        result[readable] = answer_nll(
            load_model(Training(model=context.target_model, dtype=context.precision)),
            [e for e in examples if e is not None],
            tokenizer.pad_token_id,
            progress=reporting(context, "score"),
        )
    return result


def _cut(example: Example | None, other: Example | None) -> Example | None:
    """`example` up to as many labels as `other` has."""
    from operators.training.tokens import IGNORE, Example

    if example is None or other is None:
        return None
    left = sum(label != IGNORE for label in other.labels)
    places = [i for i, label in enumerate(example.labels) if label != IGNORE][:left]
    end = places[-1] + 1
    return Example(example.input_ids[:end], example.labels[:end])
