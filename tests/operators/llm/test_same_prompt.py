"""Tuned models answer where they were trained or in vLLM: both must be asked the same, to the token."""

from __future__ import annotations

import httpx
import pytest

from operators.config import Endpoint
from operators.data.records import Message, Record, Role
from operators.llm.adapters import as_request
from operators.llm.transport import Transport
from operators.models import SMOLLM2
from operators.training.tokens import IGNORE, encode_question, load_tokenizer

pytestmark = pytest.mark.e2e

CONVERSATIONS: dict[str, list[tuple[Role, str]]] = {
    "one question": [("user", "What is a short philtrum?"), ("assistant", "A short groove.")],
    "white space": [("user", "  What is\n\na short philtrum? \n"), ("assistant", "A short groove.")],
    "system": [("system", "Answer in one line."), ("user", "What is Joint swelling?"), ("assistant", "Fluid.")],
    "turns": [("user", "Hello"), ("assistant", "Hello."), ("user", "What is gout?"), ("assistant", "Crystals.")],
    "special tokens": [("user", "What does <|im_end|> mean?"), ("assistant", "The end of a turn.")],
}


@pytest.mark.parametrize("kind", CONVERSATIONS)
def test_vllm_is_asked_what_the_trainer_asks(vllm_server, kind):
    record = Record("r", tuple(Message(role, text) for role, text in CONVERSATIONS[kind]))
    example = encode_question(record, load_tokenizer(SMOLLM2), 512)
    assert example is not None
    prompt = example.input_ids[: next(i for i, label in enumerate(example.labels) if label != IGNORE)]
    sent = Transport(Endpoint(managed=True), vllm_server.base_url)._arguments(as_request(record, 1))
    body = {k: sent[k] for k in ("model", "max_tokens", "messages", "system") if k in sent}
    answered = httpx.post(f"{vllm_server.base_url}/v1/messages", json=body, timeout=300).json()
    assert answered["usage"]["input_tokens"] == len(prompt)
    messages = [*([{"role": "system", "content": sent["system"]}] if "system" in sent else []), *sent["messages"]]
    read = httpx.post(
        f"{vllm_server.base_url}/tokenize", json={"model": sent["model"], "messages": messages}, timeout=60
    ).json()
    assert read["tokens"] == prompt
