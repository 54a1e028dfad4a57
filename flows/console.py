"""The command line's view of a run: lines that stay, and bars for what is going on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from tasks.progress import listening

QUIET_SECONDS = 10.0
"""Without a terminal, a running piece of work is mentioned at most this often."""


class ConsoleListener:
    """Shows progress with rich: live bars in a terminal, plain lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.started = time.monotonic()
        self.bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._ids: dict[str, TaskID] = {}
        self._mentioned: dict[str, float] = {}
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Prints a line with the seconds since the start."""
        # Text, not str: rich reads the square brackets of a path as markup.
        self.console.print(Text.assemble((f"{time.monotonic() - self.started:6.1f} s", "dim"), f"  {text}"))

    def update(self, label: str, done: int, total: int) -> None:
        """Moves the bar of `label`, or mentions it now and then where there is no terminal."""
        with self._lock:
            if not self.console.is_terminal:
                now = time.monotonic()
                if done < total and now - self._mentioned.get(label, 0.0) >= QUIET_SECONDS:
                    self._mentioned[label] = now
                    self.say(f"{label} {done}/{total}")
                return
            if done >= total:
                if label in self._ids:
                    self.bars.remove_task(self._ids.pop(label))
            elif label in self._ids:
                self.bars.update(self._ids[label], completed=done, total=total)
            else:
                self._ids[label] = self.bars.add_task(label, completed=done, total=total)


@contextmanager
def console_progress(console: Console) -> Iterator[None]:
    """Shows all progress on `console` while the context lasts."""
    listener = ConsoleListener(console)
    with listener.bars, listening(listener):
        yield
