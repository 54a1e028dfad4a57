"""A target model that is tuned in a second: the frozen language model with a cache of the training answers.

p(token) = (1 - w) p_LM + w p_cache, the cache being a trigram model of the answers trained on, with Witten-Bell
smoothing (Bell et al. 1990); interpolating a language model with a cache goes back to Kuhn and De Mori (1990). It
learns wording and facts, not behaviour, so its landscape is not that of a fine-tune; but data, examples, schedule
and questions are the same.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from pydantic import BaseModel

from operators.config import Training
from operators.data.records import Record
from operators.training.lora import batches, load_model
from operators.training.tokens import IGNORE, Example, encode_all, load_tokenizer

WEIGHT = 0.25
ORDER = 3


class TokenScores(BaseModel):
    """Of every question, the log-probability of each token of its answer under the frozen model (nats)."""

    log_probabilities: list[list[float]]


class AnswerCache:
    """Trigram counts of answers, with their prompts as context."""

    def __init__(self, examples: Sequence[Example], vocabulary: int) -> None:
        self.vocabulary = vocabulary
        self.after: defaultdict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for example in examples:
            for i in answer_positions(example):
                for n in range(ORDER):
                    self.after[tuple(example.input_ids[i - n : i])][example.input_ids[i]] += 1

    def probability(self, context: Sequence[int], token: int) -> float:
        """Of `token` after the last tokens of `context`."""
        value = 1 / self.vocabulary
        for n in range(ORDER):
            seen = self.after.get(tuple(context[len(context) - n :]))
            if seen:
                total, kinds = seen.total(), len(seen)
                value = (seen[token] + kinds * value) / (total + kinds)
        return value


def answer_positions(example: Example) -> list[int]:
    """Places of the tokens that are learned; the first has a token before it."""
    return [i for i, label in enumerate(example.labels) if label != IGNORE and i >= ORDER]


def frozen_scores(questions: Sequence[Record], recipe: Training) -> TokenScores:
    """The frozen model's scores, computed once for all tunings."""
    import torch

    model = load_model(recipe).eval()
    scores = []
    with torch.inference_mode():
        for example in encode_all(questions, load_tokenizer(recipe.model), recipe.max_length):
            logits = model(input_ids=torch.tensor([example.input_ids])).logits[0].float()
            at = answer_positions(example)
            found = torch.log_softmax(logits[[i - 1 for i in at]], dim=-1)
            scores.append([float(row[example.input_ids[i]]) for row, i in zip(found, at, strict=True)])
    return TokenScores(log_probabilities=scores)


def cache_nll(
    records: Sequence[Record], questions: Sequence[Record], frozen: TokenScores, recipe: Training
) -> list[float]:
    """Nats per token of each question's answer, after the examples that `recipe` would train on."""
    tokenizer = load_tokenizer(recipe.model)
    examples = encode_all(records, tokenizer, recipe.max_length)
    schedule = batches(examples, recipe.batch_size, recipe.steps, recipe.seed)
    cache = AnswerCache([examples[i] for batch in schedule for i in batch], len(tokenizer))
    result = []
    asked = encode_all(questions, tokenizer, recipe.max_length)
    for example, frozen_logs in zip(asked, frozen.log_probabilities, strict=True):
        logs = [
            math.log(
                (1 - WEIGHT) * math.exp(log)
                + WEIGHT * cache.probability(example.input_ids[:i], example.input_ids[i])
            )
            for i, log in zip(answer_positions(example), frozen_logs, strict=True)
        ]
        result.append(-sum(logs) / len(logs))
    return result
