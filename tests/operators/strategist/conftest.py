"""Histories of trials, and a server of the Messages API that answers what a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from operators.config import Endpoint
from operators.llm.client import LLMClient
from operators.results import Comparison, DataCounts, Trial
from operators.strategist.space import Strategy, Team, strategy
from operators.strategist.view import AgentView, Remaining, agent_view
from operators.teams.base import OperatorReport

DATA = DataCounts(rows=2000, quarantined=3, flagged=987, sampled=400)


def make_trial(
    names: str | Strategy,
    outcomes: Sequence[float],
    *,
    round: int = 1,
    rows: int = 400,
    mark: str = "fix_text",
) -> Trial:
    """A trial with these outcomes; `mark` stands in every text field of its reports."""
    n = len(outcomes)
    score = sum(outcomes) / n
    win, loss = (sum(o == x for o in outcomes) / n for x in (1, -1))
    return Trial(
        round=round,
        strategy=strategy(names.split()) if isinstance(names, str) else names,
        comparison=Comparison(
            n=n,
            win=win,
            tie=1 - win - loss,
            loss=loss,
            score=score,
            score_ci=(max(-1, score - 0.123456), min(1, score + 0.123456)),
            win_rate=win,
            win_rate_ci=(max(0, win - 0.1), min(1, win + 0.1)),
            outcomes=list(outcomes),
        ),
        rows=rows,
        steps=60,
        reports=[
            [
                OperatorReport(
                    operator=mark,
                    version=1,
                    rows_in=400,
                    rows_out=rows,
                    changed=1,
                    dropped=400 - rows,
                    added=0,
                    seconds=1.0,
                    counts={mark: 1},
                )
            ]
        ],
    )


def make_view(
    trials: Sequence[Trial] = (),
    *,
    round: int | None = None,
    task: str = "Answer.",
    teams: Sequence[Team] = tuple(Team),
) -> AgentView:
    """The view before `round`; by default the round after the last trial."""
    number = round or max((t.round for t in trials), default=0) + 1
    return agent_view(
        task=task,
        round=number,
        data=DATA,
        trials=trials,
        teams=teams,
        remaining=Remaining(rounds=6 - min(number, 5), trials=20),
    )


@dataclass
class Server:
    """What was asked, and what is to be answered: texts, dictionaries (sent as JSON), or HTTP statuses."""

    url: str
    answers: list[str | dict[str, Any] | int] = field(default_factory=list)
    stop_reason: str = "end_turn"
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def client(self, **options: Any) -> LLMClient:
        """A client of this server."""
        endpoint = Endpoint(model="tiny", base_url=self.url, retries=0, timeout=10)
        return LLMClient(endpoint, role="strategist", **options)


@pytest.fixture
def messages_server() -> Iterator[Server]:
    server: Server

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            answer = server.answers[min(len(server.bodies), len(server.answers)) - 1]
            status = answer if isinstance(answer, int) else 200
            text = answer if isinstance(answer, str) else json.dumps(answer)
            reply = {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "tiny",
                "content": [{"type": "text", "text": text}],
                "stop_reason": server.stop_reason,
                "stop_sequence": None,
                "usage": {"input_tokens": 100, "output_tokens": 20},
            }
            body = json.dumps(reply if status == 200 else {"error": {"message": "CANARY-server"}}).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(url=f"http://127.0.0.1:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture(scope="session")
def trial() -> Callable[..., Trial]:
    return make_trial


@pytest.fixture(scope="session")
def view() -> Callable[..., AgentView]:
    return make_view
