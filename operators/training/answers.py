"""The tuned model's own answers to held-out questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from operators.data.records import Message, Record
from operators.training.templates import accepted, render


def generate(
    model: Any,
    questions: Sequence[Record],
    tokenizer: Any,
    max_new_tokens: int,
    progress: Callable[[str, int, int], None] = lambda _label, _done, _total: None,
    *,
    batch_size: int = 16,
) -> list[str]:
    """Greedy answers, one per question, to everything before its last assistant turn."""
    import torch

    model.eval()
    device = next(model.parameters()).device
    prompts = [_prompt(q, tokenizer) for q in questions]
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    answers = [""] * len(prompts)
    tokenizer.padding_side = "left"
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        inputs = tokenizer(
            [prompts[i] for i in batch], return_tensors="pt", padding=True, add_special_tokens=False
        ).to(device)
        with torch.inference_mode():
            output = model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
            )
        texts = tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        for i, text in zip(batch, texts, strict=True):
            answers[i] = text.strip()
        progress("answer", min(start + batch_size, len(order)), len(order))
    return answers


def _prompt(record: Record, tokenizer: Any) -> str:
    messages = record.before_answer or (Message("user", ""),)  # no template renders nothing
    return render(accepted(messages, tokenizer), tokenizer, to_answer=True)
