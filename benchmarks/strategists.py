"""Strategists against recorded landscapes: `autodp bench strategists [--landscape NAME] [--replays 200]`.

Every strategist searches the same landscape many times, four strategies a round. Printed: how far the strategy
it would adopt after 4, 8, 12 and 16 evaluations is from the best one (regret), and how often ours ends with the
better one of the two. LLM strategists take part where a model is given: Claude where ANTHROPIC_API_KEY is set, any
other with --vllm (a managed server on this machine) or --base-url.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.players import OneShot, TreeSearch
from benchmarks.recorded import Landscape, landscape_names, read_landscape
from benchmarks.replay import CHECKPOINTS, Player, Replay, head_to_head, interval, regret, replays
from benchmarks.results import write_result
from operators.config import Endpoint
from operators.data.store import default_cache
from operators.llm.cache import RequestCache
from operators.llm.client import LLMClient
from operators.llm.vllm import shared_server
from operators.models import SMOLLM2
from operators.strategist.claude import ClaudeStrategist
from operators.strategist.hybrid import HybridStrategist
from operators.strategist.optuna_ import OptunaStrategist
from operators.strategist.random_ import RandomStrategist
from operators.strategist.space import label
from operators.strategist.surrogate import SurrogateStrategist

OURS = "surrogate"
CLAUDE = "claude-sonnet-4-5"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one table a landscape, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(prog="autodp bench strategists", description=__doc__.split("\n\n")[0])
    parser.add_argument("--landscape", nargs="*", default=[], help="names or files; without it, all")
    parser.add_argument("--replays", type=int, default=200)
    parser.add_argument("--llm-replays", type=int, default=20, help="of strategists that ask an LLM")
    parser.add_argument("--vllm", metavar="MODEL", nargs="?", const=SMOLLM2, help="start vLLM with this model")
    parser.add_argument("--base-url", help="server of the Messages API")
    parser.add_argument("--model", default=SMOLLM2, help="the model behind --base-url")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/strategists.json")
    given = parser.parse_args(arguments)
    clients = _clients(given)
    figures = {}
    names = given.landscape or landscape_names()
    if not names:
        print(
            "no landscape is recorded yet: python -m benchmarks.landscape examples/demo.yaml records one (hours)"
        )
    for name in names:
        landscape = read_landscape(name)
        figures[landscape.name] = compare(landscape, clients, given.replays, given.llm_replays)
    if given.keep:
        write_result("strategists", figures)
    if given.json:
        print(json.dumps(figures))


def compare(landscape: Landscape, clients: dict[str, LLMClient], count: int, llm_count: int) -> dict[str, Any]:
    """All strategists on one landscape."""
    best = max(landscape.means, key=lambda s: landscape.means[s])
    floor = landscape.noise_floor
    print(f"\n{landscape.name}: {len(landscape.strategies)} strategies, training seeds {landscape.seeds}")
    print(f"best: {label(best)}, mean score {landscape.means[best]:+.3f}; noise floor {floor:.3f}")
    players: dict[str, tuple[Callable[[int], Player], int, int]] = {
        "random": (RandomStrategist, count, 1),
        "optuna": (OptunaStrategist, count, 1),
        "surrogate": (SurrogateStrategist, count, 1),
    }
    for model, client in clients.items():
        for name, make in llm_players(client).items():
            players[f"{name} ({model})"] = (make, llm_count, client.endpoint.concurrency)
    played: dict[str, list[Replay]] = {}
    head = "".join(f"{f'after {n}':>24}" for n in CHECKPOINTS)
    print(f"{'median regret, interval':<34}{'replays':>8}{head}{'ends at':>9}{'s':>6}")
    figures: dict[str, Any] = {"best": label(best), "best_score": landscape.means[best], "noise_floor": floor}
    for name, (make, times, threads) in players.items():
        start = time.perf_counter()
        played[name] = replays(make, landscape, times, threads=threads)
        medians = {n: interval([regret(landscape, r.named[n]) for r in played[name]]) for n in CHECKPOINTS}
        used = float(np.mean([r.evaluations for r in played[name]]))
        figures[name] = {
            "replays": times,
            "median_regret": medians,
            "mean_regret": {
                n: float(np.mean([regret(landscape, r.named[n]) for r in played[name]])) for n in CHECKPOINTS
            },
            "mean_evaluations": used,
        }
        cells = "".join(f"{m:>9.3f} ({low:.3f}-{high:.3f})" for m, low, high in medians.values())
        print(f"{name:<34}{times:>8}{cells}{used:>9.1f}{time.perf_counter() - start:>6.0f}")
    figures["head_to_head"] = duels(landscape, played)
    return figures


def duels(landscape: Landscape, played: dict[str, list[Replay]]) -> dict[str, dict[int, float]]:
    """Ours against every other, at equal numbers of evaluations."""
    print(
        f"{OURS + ' names the better strategy against':<42}" + "".join(f"{f'after {n}':>10}" for n in CHECKPOINTS)
    )
    figures = {}
    for name, theirs in played.items():
        if name != OURS:
            shares = {n: head_to_head(landscape, played[OURS], theirs, n) for n in CHECKPOINTS}
            figures[name] = shares
            print(f"{name:<42}" + "".join(f"{share:>10.0%}" for share in shares.values()))
    return figures


def llm_players(client: LLMClient) -> dict[str, Callable[[int], Player]]:
    """Strategists that ask a model."""
    return {
        "agent": lambda seed: ClaudeStrategist(client, seed=seed),
        "hybrid": lambda seed: HybridStrategist(client, seed=seed),
        "one-shot": lambda seed: OneShot(client, seed=seed),
        "tree search": lambda seed: TreeSearch(client, seed=seed),
    }


def _clients(given: argparse.Namespace) -> dict[str, LLMClient]:
    """The models that take part, by name; says which do not."""
    cache = RequestCache(default_cache() / "requests")
    endpoints: dict[str, tuple[Endpoint, str | None]] = {}
    if os.environ.get("ANTHROPIC_API_KEY"):
        endpoints[CLAUDE] = (Endpoint(model=CLAUDE), None)
    else:
        print("Claude is left out: ANTHROPIC_API_KEY is not set")
    if given.vllm:
        server = shared_server(given.vllm).wait()
        endpoints[given.vllm] = (Endpoint(model=given.vllm, managed=True), server.base_url)
    elif given.base_url:
        endpoints[given.model] = (Endpoint(model=given.model, base_url=given.base_url), None)
    else:
        print("LLMs behind vLLM are left out: neither --vllm nor --base-url is given")
    return {
        name: LLMClient(endpoint, base_url=url, cache=cache, role="strategist")
        for name, (endpoint, url) in endpoints.items()
    }


if __name__ == "__main__":
    main()
