"""What tuned models answer to held-out questions, where a server holds all of them."""

from __future__ import annotations

import json

from operators.data.store import DatasetRef, Store
from operators.errors import ConfigError
from operators.training.lora import FineTune
from tasks.durable import durable
from tasks.processing import model_identity, request_cache
from tasks.progress import shown
from tasks.runtime import Runtime


def target_url(runtime: Runtime) -> str:
    """Where the target model is served; starts (once) and waits for the server where it is a managed one."""
    endpoint = runtime.target
    if endpoint is None:
        raise ConfigError("endpoints.target is not set")
    if endpoint.managed:
        from operators.llm.vllm import MAX_MODEL_LEN, Adapters, shared_server

        server = shared_server(
            endpoint.model,
            adapters=Adapters(rank=runtime.lora_rank, at_once=endpoint.max_loras),
            max_model_len=max(MAX_MODEL_LEN, runtime.target_tokens),
            gpu_memory_share=endpoint.gpu_memory_share,
        )
        return server.start().wait().base_url
    return str(endpoint.base_url)


@durable(
    "answer",
    version="3",
    # An adapter answers on any model of its shapes: one that was served by mistake must not be remembered.
    content=lambda tuned, questions, max_tokens, runtime: [
        tuned.adapter.sha256,
        questions.sha256,
        max_tokens,
        model_identity(runtime.target),
    ],
)
def answer(tuned: FineTune, questions: DatasetRef, max_tokens: int, runtime: Runtime) -> FineTune:
    """Asks the target endpoint as the tuned model; adds its answers to the questions it was measured on."""
    from operators.llm import adapters
    from operators.llm.cache import RequestCache

    url = target_url(runtime)
    assert runtime.target is not None, "target_url has checked that"
    store = Store(runtime.store)
    with shown() as progress:
        texts, usage = adapters.answer(
            tuned.adapter,
            store.get_records(questions),
            runtime.target,
            url,
            store,
            max_tokens=max_tokens,
            cache=RequestCache(request_cache()),
            token_limit=runtime.token_limit,
            ledger=runtime.shared_ledger(),
            progress=progress,
        )
    answers = store.put_bytes(json.dumps(texts, ensure_ascii=False).encode())
    return tuned.model_copy(update={"answers": answers, "answering": usage})
