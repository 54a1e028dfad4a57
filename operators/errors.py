"""Every error this project raises on purpose. Each is also a standard error, survives pickling (they cross
process borders with Ray), and names what is wrong and how to mend it, never what a record says."""

from __future__ import annotations

import traceback
from pathlib import Path


class AutoDPError(Exception):
    """Base of all. `str(error)` is one sentence that is safe to log: it holds no record text."""


class DataError(AutoDPError, ValueError):
    """The data cannot be used: names the file, the row where there is one, and the fix."""


class NothingLearned(DataError):
    """A model cannot be tuned on these records: none can be learned from, or the training diverges on them."""


class Unreachable(DataError):
    """A place cannot be read or written at the moment: a network, a permission, a full disk. Trying again may
    help; the data themselves may be fine."""


class ConfigError(AutoDPError, ValueError):
    """The configuration cannot be used: names the key and the fix."""


class EndpointError(AutoDPError, ConnectionError):
    """A model endpoint is down, refuses, or answers nonsense after all retries."""


class JudgeRefused(AutoDPError, RuntimeError):
    """A judge did not pass its exam. Says at what, and which judge would do."""


class EndpointDown(EndpointError):
    """A model endpoint cannot be reached. Trying again may help: a managed server is started anew."""


class BudgetExceeded(AutoDPError, RuntimeError):
    """A limit the owner set (tokens, wall clock, trials) is reached."""


class JobError(AutoDPError, RuntimeError):
    """Some library failed inside a job. Holds the type and place of the failure, not its message:
    a library's message may quote the record it stumbled over."""


class WorkerDied(JobError):
    """The process or machine that ran a job is gone. Trying again may help."""


def may_hold_text(error: BaseException) -> bool:
    """Whether it is a failure of work, rather than an order to end it. A panic in a Rust library is no Exception
    in Python, and quotes the text that it was about."""
    return isinstance(error, Exception) or type(error).__module__ == "pyo3_runtime"


def without_text(error: BaseException) -> AutoDPError:
    """The same failure with nothing in it that could quote a record.

    Our own errors pass as they are. Of any other only its type and the file and line it came from are kept.
    """
    if isinstance(error, AutoDPError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    ours = next((f for f in reversed(frames) if "/operators/" in f.filename), None)
    if ours is not None and ours is not frames[-1]:
        place += f", called from {Path(ours.filename).name}:{ours.lineno}"
    return JobError(f"{type(error).__name__}{place} (its message is withheld: it may quote a record)")
