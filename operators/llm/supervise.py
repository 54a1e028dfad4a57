"""Runs a command that must not outlive the process that wanted it.

Started by `operators.llm.vllm` as a plain script with only the standard library, in a session of its own:
`python supervise.py PARENT_PID COMMAND...`. The command and all its children share the process group; when the
parent is gone, this process is told to stop, or the command ends, the whole group is ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

GRACE_SECONDS = 8.0
_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def _die_with_parent() -> None:
    """The kernel's own watch, for the case that this process itself is killed. Safe here: one thread only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def main(parent: int, command: list[str]) -> None:
    """Runs until the command ends, the parent is gone or SIGTERM arrives; then kills its own group, itself
    included."""
    stopping = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's to handle
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)
    # Polling the parent's id, not a pipe to it: a pipe's end is inherited by whatever else the parent forks.
    while child.poll() is None and not stopping and os.getppid() == parent:
        time.sleep(0.25)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
