"""Tokens that several clients spend out of one budget."""

from __future__ import annotations

import threading
from typing import Protocol


class Ledger(Protocol):
    """What a client reports to, and asks, about the tokens spent by all."""

    def add(self, tokens: int) -> None:
        """Counts tokens, in and out."""

    def total(self) -> int:
        """All tokens so far, as far as is known here."""


class LocalLedger:
    """A ledger of the clients in this process. `operators.jobs.SharedLedger` reaches across processes."""

    def __init__(self) -> None:
        self._total = 0
        self._lock = threading.Lock()

    def add(self, tokens: int) -> None:
        """Counts tokens, in and out."""
        with self._lock:
            self._total += tokens

    def total(self) -> int:
        """All tokens so far."""
        return self._total
