"""The command line, in this process and in one of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass
class Outcome:
    """What a command left: its exit code, and what it said where."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one error that was reported."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, f"expected one error, got {self.err}"
        assert "Traceback" not in self.err
        return lines[0]


def autodp(*args: Any) -> Outcome:
    """Runs `autodp` in this process."""
    from flows.cli import main

    out, err = io.StringIO(), io.StringIO()
    code = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["autodp", *map(str, args)])
        patch.setenv("PREFECT_LOGGING_LEVEL", "WARNING")
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as e:
                code = e.code if isinstance(e.code, int) else int(e.code is not None)
    return Outcome(code, out.getvalue(), err.getvalue())


def autodp_process(prefect_server: str, *args: Any, timeout: float = 300) -> Outcome:
    """Runs `autodp` as a process, against a Prefect server that is there, for so many seconds at most."""
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *map(str, args)],
        env={**os.environ, "PREFECT_API_URL": prefect_server},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
