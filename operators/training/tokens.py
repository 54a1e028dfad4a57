"""Conversations as token ids with completion-only labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from operators.data.records import Record
from operators.training.templates import Turns, accepted, render

IGNORE = -100
"""Label that torch's cross entropy leaves out."""


@dataclass(frozen=True, slots=True)
class Example:
    """One tokenized conversation; `labels[i]` is `input_ids[i]` inside assistant turns, IGNORE elsewhere."""

    input_ids: list[int]
    labels: list[int]


def encode(record: Record, tokenizer: Any, max_length: int) -> Example | None:
    """The conversation under the tokenizer's chat template, cut to `max_length` tokens.

    Every assistant turn is a completion to learn, its end-of-turn token included, but for those that come before
    all users' turns and so answer nothing, and for what the template writes in another way once more turns follow
    (Qwen3's thoughts stand in the last answer only). None where no label is left: the record has no answer, or
    its prompt alone fills `max_length`.
    """
    if not any(m.role == "assistant" for m in record.messages):
        return None
    turns = accepted(record.messages, tokenizer)
    completions = _assistant_turns(turns)
    asked = next((i for i, m in enumerate(record.messages) if m.role == "user"), len(record.messages))
    if any(m.role == "assistant" for m in record.messages[:asked]):
        # The template's form may have merged turns, but never over the first of a user.
        later = record.messages[asked:]
        replies = len(_assistant_turns(accepted(later, tokenizer))) if later else 0
        completions = completions[len(completions) - replies :]
    ids: list[int] = []
    labels: list[int] = []
    for i in completions:
        # Tokens of earlier turns may differ from what we hold if a template rewrites history; what the model
        # is trained to write is then still exactly the part after this prompt.
        full, start = _answered(turns, i, tokenizer)
        # Of the earlier answers only those tokens are still labels that stand where they stood.
        labels = labels[: min(start, _common_prefix(ids, full))]
        labels += [IGNORE] * (start - len(labels)) + full[start:]
        ids = full
        if start >= max_length:
            break  # later turns change nothing of what is kept, and each is rendered with all before it
    ids, labels = ids[:max_length], labels[:max_length]
    if all(label == IGNORE for label in labels):
        return None
    return Example(ids, labels)


def encode_question(record: Record, tokenizer: Any, max_length: int) -> Example | None:
    """A held-out question with its answer, cut to `max_length` tokens: labels are the last answer's alone, since
    that is what models are asked for. None where there is none, or all before it fills `max_length`."""
    if not record.before_answer or not any(m.role == "assistant" for m in record.messages):
        return None
    turns = accepted(record.messages, tokenizer)
    last = max(i for i, turn in enumerate(turns) if turn["role"] == "assistant")
    full, start = _answered(turns, last, tokenizer)
    if start >= min(max_length, len(full)):
        return None
    return Example(full[:max_length], ([IGNORE] * start + full[start:])[:max_length])


class Room:
    """Whether a held-out question leaves a model room for its answer within `max_length` tokens."""

    def __init__(self, model: str, max_length: int) -> None:
        self._model, self._max_length = model, max_length
        self._tokenizer: Any = None

    def __call__(self, question: Record) -> bool:
        # A token is a byte or more, and a template adds fewer than half of what there is room for.
        if 2 * sum(len(m.content.encode("utf-8", "replace")) for m in question.before_answer) <= self._max_length:
            return True
        self._tokenizer = self._tokenizer or load_tokenizer(self._model)
        return encode_question(question, self._tokenizer, self._max_length) is not None


def encode_all(records: Sequence[Record], tokenizer: Any, max_length: int) -> list[Example]:
    """Examples of all records that have something to learn from."""
    return [e for r in records if (e := encode(r, tokenizer, max_length)) is not None]


def load_tokenizer(model: str) -> Any:
    """The model's tokenizer with a pad token; a plain turn-per-line template where the model brings none."""
    from transformers import AutoTokenizer

    from operators.models import local_path

    tokenizer = AutoTokenizer.from_pretrained(local_path(model))
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.chat_template is None:
        tokenizer.chat_template = (
            "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + eos_token + '\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"  # the space is part of the first word
        )
    return tokenizer


def pad(examples: Sequence[Example], pad_id: int) -> dict[str, Any]:
    """A batch as int64 tensors (n, longest): input_ids, attention_mask, position_ids, labels.

    Padding comes last, where it sees the tokens before it. On the left it would see nothing, and fused attention
    kernels may then give gradients that are not finite (seen on an H200 with torch 2.11).
    """
    import torch

    width = max(len(e.input_ids) for e in examples)
    shape = (len(examples), width)
    ids = torch.full(shape, pad_id, dtype=torch.long)
    mask = torch.zeros(shape, dtype=torch.long)
    labels = torch.full(shape, IGNORE, dtype=torch.long)
    for row, example in enumerate(examples):
        n = len(example.input_ids)
        ids[row, :n] = torch.tensor(example.input_ids)
        mask[row, :n] = 1
        labels[row, :n] = torch.tensor(example.labels)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    return {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "labels": labels}


def length_batches(examples: Sequence[Example], limit: int) -> list[list[int]]:
    """Places of the examples in batches of similar length, each of at most `limit` tokens with padding (or one
    example); the shortest first."""
    batches: list[list[int]] = []
    # Ascending length, so the newest member is the widest.
    for i in sorted(range(len(examples)), key=lambda i: len(examples[i].input_ids)):
        width = len(examples[i].input_ids)
        if batches and width * (len(batches[-1]) + 1) <= limit:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def _tokens(turns: Turns, tokenizer: Any, *, to_answer: bool) -> list[int]:
    # Rendered to text first: with tokenize=True the return type differs between transformers versions.
    return list(tokenizer(render(turns, tokenizer, to_answer=to_answer), add_special_tokens=False)["input_ids"])


def _assistant_turns(turns: Turns) -> list[int]:
    return [i for i, turn in enumerate(turns) if turn["role"] == "assistant"]


def _answered(turns: Turns, i: int, tokenizer: Any) -> tuple[list[int], int]:
    """Tokens of the conversation up to turn i, an answer, and where that begins."""
    full = _tokens(turns[: i + 1], tokenizer, to_answer=False)
    return full, _common_prefix(_tokens(turns[:i], tokenizer, to_answer=True), full)


def _common_prefix(a: list[int], b: list[int]) -> int:
    n = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        n += 1
    return n
