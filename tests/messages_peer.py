"""A server on this machine that speaks the Messages API as well or as badly as a test wants."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class HTTPReply:
    """What goes over the wire; `delay` in seconds before it."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


Behaviour = Callable[[dict[str, Any], int], HTTPReply]
"""behaviour(body of the request, how many requests came before it) -> reply."""


def message(
    text: str, *, stop: str = "end_turn", tokens: tuple[int, int] = (10, 5), delay: float = 0.0
) -> HTTPReply:
    """A well-formed reply with `text`."""
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": text}],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": tokens[0], "output_tokens": tokens[1]},
    }
    return HTTPReply(body=json.dumps(body).encode(), headers={"content-type": "application/json"}, delay=delay)


def failure(status: int, **headers: str) -> HTTPReply:
    """A well-formed error reply."""
    body = {"type": "error", "error": {"type": "api_error", "message": "no"}}
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    return HTTPReply(status, json.dumps(body).encode(), {"content-type": "application/json", **named})


class MessagesPeer:
    """Listens on a free port of the loopback interface. `requests` holds the bodies received, `headers` their
    headers, `paths` their paths, `most_at_once` the largest number that were open at one time."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.most_at_once = 0
        self._open = 0
        self._lock = threading.Lock()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                peer.paths.append(self.path)
                peer._serve(self, body)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        with self._lock:
            before = len(self.requests)
            self.requests.append(body)
            self.headers.append({k.lower(): v for k, v in handler.headers.items()})
            self._open += 1
            self.most_at_once = max(self.most_at_once, self._open)
        try:
            reply = self.behaviour(body, before)
            time.sleep(reply.delay)
        finally:
            with self._lock:
                self._open -= 1
        try:
            handler.send_response(reply.status)
            for name, value in reply.headers.items():
                handler.send_header(name, value)
            handler.send_header("content-length", str(len(reply.body)))
            handler.end_headers()
            handler.wfile.write(reply.body)
        except OSError:
            pass  # the client gave up waiting, as the test wants
