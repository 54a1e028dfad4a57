"""The texts of many records as numbers: on one core, or of a large set on several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from operators.errors import JobError
from operators.targeting.corruptions import Sides
from operators.targeting.features import Near, SetStatistics

CHUNK = 512
WORTH_PROCESSES = 16 * CHUNK
"""With fewer records, processes take longer to start than they save."""
_IDLE = 10
"""Seconds after which a process that has nothing to do ends. It knows records."""

Part = tuple[Sequence[Sides], Sequence[Near]]

_stats: SetStatistics | None = None


class Describer:
    """Describes records, and damaged copies, of a set whose records `known` are, by their places.

    On `workers` processes where there are several and a call brings at least WORTH_PROCESSES records; what comes
    out is the same. Of few records nothing is started.
    """

    def __init__(self, known: Mapping[int, Sides], workers: int) -> None:
        self._known, self._workers = known, workers
        self._own: SetStatistics | None = None

    def names(self) -> list[str]:
        """Of the columns."""
        return list(SetStatistics({}).features([], []))

    def numbers(self, parts: Iterator[Part], rows: int) -> Iterator[np.ndarray]:
        """For every part of CHUNK records or fewer, `rows` in all, its numbers in order: float64 of shape (records
        of the part, names). Raises JobError where a process dies."""
        if self._workers > 1 and rows >= WORTH_PROCESSES:
            yield from self._on_processes(parts)
            return
        self._own = self._own or SetStatistics(self._known)
        for part in parts:
            yield _numbers(self._own, *part)

    def _on_processes(self, parts: Iterator[Part]) -> Iterator[np.ndarray]:
        from joblib import Parallel, delayed
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        processes = Parallel(
            self._workers,
            return_as="generator",
            idle_worker_timeout=_IDLE,
            initializer=_begin,
            initargs=(self._known,),
        )
        try:
            yield from processes(delayed(_in_process)(*part) for part in parts)
        except TerminatedWorkerError:
            raise JobError(
                "a process that described records for the classifier died (out of memory?): lower "
                "embedding.num_cpus, which is how many there are"
            ) from None


def _begin(known: Mapping[int, Sides]) -> None:
    global _stats
    _stats = SetStatistics(known)


def _in_process(sides: Sequence[Sides], near: Sequence[Near]) -> np.ndarray:
    assert _stats is not None
    return _numbers(_stats, sides, near)


def _numbers(stats: SetStatistics, sides: Sequence[Sides], near: Sequence[Near]) -> np.ndarray:
    return np.column_stack(list(stats.features(sides, near).values()))
