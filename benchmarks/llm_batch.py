"""An Optimization pass over records, against vLLM's own offline batch on the same prompts: output tokens a second.

Both sides have the same model, engine arguments, threads and requests (prompts, token limits, schemas), and each
reads each prompt once: every repeat has records of its own, in turns of which side goes first. Ours is the whole
way: the operator asks its client, the client a server over HTTP, replies go to the request cache, and each answer
is parsed. The offline batch is `vllm.LLM.chat`, given everything at once.

    python -m benchmarks.llm_batch [--data FILE] [--rows 200] [--repeats 2] [--threads N]
        [--concurrency N ...] [--json] [--keep]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import write_result
from operators.config import Endpoint
from operators.data.records import Message, Record
from operators.llm import vllm
from operators.llm.cache import RequestCache
from operators.llm.client import Answer, LLMClient, Request
from operators.models import SMOLLM2, local_path
from operators.teams.base import Context
from operators.teams.registry import build

Figures = dict[str, float]
CONCURRENCY = "requests under way: the first is compared, others are run once beside it"
WARM = 16
"""Records of the first, untimed pass: weights in memory, kernels and the schema compiled."""


class Offline:
    """vLLM's offline engine in a process of its own."""

    def __init__(self, server: vllm.ManagedServer, log: Path) -> None:
        script = Path(__file__).with_name("vllm_offline.py")
        self._process = subprocess.Popen(
            [server.python, "-P", script],  # its folder has names that libraries may look for
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            env=vllm.environment(),
            text=True,
        )
        self._ask(vllm.engine_arguments(local_path(server.model), server.max_model_len))

    def run(self, requests: Sequence[Request]) -> Figures:
        """Answers all requests, in one batch."""
        return self._ask(
            [
                {
                    "messages": _messages(r),
                    "temperature": r.temperature,
                    "seed": r.seed,
                    "max_tokens": r.max_tokens,
                    "schema": r.schema,
                }
                for r in requests
            ]
        )

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)

    def _ask(self, value: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(value), file=self._process.stdin, flush=True)
        reply = self._process.stdout.readline()
        if not reply:
            raise SystemExit("the offline engine ended: see its log")
        return json.loads(reply)


class Timed(LLMClient):
    """A client that takes the seconds from the first question to the last answer."""

    seconds = 0.0

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[Answer]:
        start = time.perf_counter()
        yield from super().stream(*args, **kwargs)
        self.seconds = time.perf_counter() - start


class _Asked(Exception):
    """Carries what an operator was about to ask."""


class Listening(LLMClient):
    """A client that asks nobody."""

    def stream(self, requests: Iterable[Request], *args: Any, **kwargs: Any) -> Iterator[Answer]:  # noqa: ARG002
        raise _Asked(list(requests))


def requests_of(operator: str, records: list[Record]) -> list[Request]:
    """What an operator asks about these records."""
    try:
        build(operator).run(records, Context(llm=Listening(Endpoint(managed=True))))
    except _Asked as e:
        return list(e.args[0])
    raise SystemExit(f"{operator} asks nothing about these records")


def ours(operator: str, records: list[Record], endpoint: Endpoint, base_url: str) -> Figures:
    """One pass of an operator with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        client = Timed(endpoint, base_url=base_url, cache=RequestCache(folder))
        start = time.perf_counter()
        _, report = build(operator).run(records, Context(llm=client))
        whole = time.perf_counter() - start
    return {
        "seconds": client.seconds,
        "input_tokens": client.usage.input_tokens,
        "output_tokens": client.usage.output_tokens,
        "seconds_of_the_operator": whole,
        "changed": report.changed,
    }


def read(file: Path, rows: int, longest: int) -> list[Record]:
    """The first records of question and answer whose answer has at most `longest` characters."""
    found = []
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            row = json.loads(line)
            if 0 < len(row["answer"]) <= longest:
                turns = (Message("user", row["question"]), Message("assistant", row["answer"]))
                found.append(Record(f"{number}", turns, flagged=True))
            if len(found) == rows:
                break
    return found


def _messages(request: Request) -> list[dict[str, str]]:
    turns = [("system", request.system)] if request.system else []
    for asked, said in request.examples:
        turns += [("user", asked), ("assistant", said)]
    return [{"role": role, "content": text} for role, text in [*turns, ("user", request.prompt)]]


def _rate(passes: Sequence[Figures]) -> Figures:
    seconds = sum(p["seconds"] for p in passes)
    output, read = (sum(p[k] for p in passes) for k in ("output_tokens", "input_tokens"))
    return {
        "seconds": round(seconds, 2),
        "output_tokens": output,
        "input_tokens": read,
        "output_tokens_per_s": round(output / seconds, 1),
        "tokens_per_s": round((output + read) / seconds, 1),
    }


def _told(what: str, figures: Figures) -> Figures:
    rate = figures["output_tokens"] / figures["seconds"]
    print(
        f"  {what}: {figures['output_tokens']} tokens in {figures['seconds']:.1f} s, {rate:.1f} a second",
        flush=True,
    )
    return figures


def _ratio(a: Figures, b: Figures) -> float:
    """Output tokens a second of one pass over another's."""
    return round(a["output_tokens"] / a["seconds"] / (b["output_tokens"] / b["seconds"]), 3)


def main() -> None:
    """Runs both sides and prints the ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.llm_batch")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/forum_doctor_3k.jsonl"))
    parser.add_argument("--operator", default="rewrite_answer")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument(
        "--concurrency", type=int, nargs="+", default=[Endpoint().concurrency, 16], help=CONCURRENCY
    )
    parser.add_argument("--threads", type=int, help="compute threads of each engine; as managed without")
    parser.add_argument("--longest", type=int, default=400, help="characters of an answer")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object at the end")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/llm_batch.json")
    arguments = parser.parse_args()
    if arguments.threads:
        os.environ[vllm.THREADS_ENV] = str(arguments.threads)
    main_concurrency, *others = arguments.concurrency
    wanted = arguments.rows * (arguments.repeats + len(others))
    records = read(arguments.data, WARM + wanted, arguments.longest)
    warm, rest = records[:WARM], records[WARM:]
    parts = [rest[i : i + arguments.rows] for i in range(0, len(rest), arguments.rows)]

    sides: dict[str, list[Figures]] = {"ours": [], "offline": []}
    beside: dict[int, Figures] = {}
    with vllm.ManagedServer(SMOLLM2) as server:
        assert server.log
        offline = Offline(server, server.log.with_suffix(".offline.log"))

        def online(part: list[Record], concurrency: int) -> Figures:
            endpoint = Endpoint(managed=True, concurrency=concurrency)
            return _told(
                f"ours, {concurrency} at a time", ours(arguments.operator, part, endpoint, server.base_url)
            )

        runs: dict[str, Callable[[list[Record]], Figures]] = {
            "ours": lambda part: online(part, main_concurrency),
            "offline": lambda part: _told("offline", offline.run(requests_of(arguments.operator, part))),
        }
        for run in runs.values():
            run(warm)
        for i, part in enumerate(parts[: arguments.repeats]):
            for name in sorted(runs, reverse=not i % 2):
                sides[name].append(runs[name](part))
        for concurrency, part in zip(others, parts[arguments.repeats :], strict=True):
            beside[concurrency] = _rate([online(part, concurrency)])
        offline.close()

    figures = {
        "operator": arguments.operator,
        "data": arguments.data.stem,
        "model": SMOLLM2,
        "requests_a_pass": len(parts[0]),
        "passes": arguments.repeats,
        "concurrency": main_concurrency,
        "threads": int(vllm.environment()["OMP_NUM_THREADS"]),
        **{name: _rate(passes) for name, passes in sides.items()},
        "by_pass": sides,
        "ours_at_other_concurrency": beside,
    }
    figures["ratio"] = round(figures["ours"]["output_tokens_per_s"] / figures["offline"]["output_tokens_per_s"], 3)
    print(f"{'':10}{'requests':>9}{'seconds':>9}{'output tokens/s':>17}{'all tokens/s':>14}")
    requests = len(parts[0]) * arguments.repeats
    for name in sides:
        f = figures[name]
        print(
            f"{name:10}{requests:>9}{f['seconds']:>9.1f}{f['output_tokens_per_s']:>17.1f}{f['tokens_per_s']:>14.1f}"
        )
    print(
        f"ratio {figures['ratio']} (concurrency {figures['concurrency']}, threads {figures['threads']}); "
        f"passes {[_ratio(a, b) for a, b in zip(sides['ours'], sides['offline'], strict=True)]}"
    )
    if arguments.keep:
        print(f"wrote {write_result('llm_batch', figures)}")
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
