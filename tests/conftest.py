"""What several parts' tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from messages_peer import Behaviour, MessagesPeer

if TYPE_CHECKING:
    from operators.llm.vllm import ManagedServer

# One cache for all runs: converting the built-in model takes longer than most tests.
os.environ.setdefault("AUTODP_CACHE", str(Path(__file__).resolve().parents[1] / ".autodp" / "cache"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Nobody's account pays for tests.
os.environ.pop("ANTHROPIC_API_KEY", None)


pytest_plugins = ["services"]


@pytest.fixture
def messages_peer() -> Iterator[Callable[[Behaviour], MessagesPeer]]:
    """Starts peers of the Messages API: `messages_peer(behaviour)`."""
    peers: list[MessagesPeer] = []

    def start(behaviour: Behaviour) -> MessagesPeer:
        peers.append(MessagesPeer(behaviour))
        return peers[-1]

    yield start
    for peer in peers:
        peer.close()


@pytest.fixture(scope="session")
def vllm_server() -> Iterator[ManagedServer]:
    """vLLM on this machine's CPUs with the built-in model, ready to answer; one for the whole test run."""
    from operators.llm.vllm import ManagedServer
    from operators.models import SMOLLM2

    with ManagedServer(SMOLLM2) as server:
        yield server
