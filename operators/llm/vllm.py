"""A vLLM server on this machine, started and stopped by us."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from operators.data.store import default_cache
from operators.errors import ConfigError, EndpointError
from operators.jobs import OMP_WAIT_POLICY
from operators.llm import supervise
from operators.models import local_path
from operators.precision import native_precision

PYTHON_ENV = "AUTODP_VLLM_PYTHON"
THREADS_ENV = "AUTODP_VLLM_THREADS"
DEFAULT_PYTHON = ".venv-vllm/bin/python"
MAX_MODEL_LEN = 4096
"""Tokens of prompt and answer together, where nobody needs more and the model can hold so many."""
START_TIMEOUT = 300.0
DECODING_GRAPHS = {"mode": 0, "cudagraph_mode": "FULL_DECODE_ONLY"}
"""vLLM's `compilation_config` on a GPU: steps that decode are captured as CUDA graphs, and nothing is compiled. A
small model answers 2.8 times as fast as with every kernel launched from Python, and the server starts 2.5 s later
(`benchmarks.serving`, SmolLM2-135M on an H200)."""
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM can be set up for."""
KEPT_ADAPTERS = 32
"""In memory, beside those of a batch."""
_ERROR = re.compile(
    r"^(?:\([^)]*\)\s*)?(?:[A-Z]+ \S+ \S+ \[\S+\]\s*)?([\w.]*(?:Error|Exception))\b(?!: Engine core init)", re.M
)
"""A Python error at the start of a log line, after "(EngineCore pid=1) ERROR 11-23 22:06:07 [x.py:1]" if there.
The server's own, that its engine failed, comes after the one that says why."""
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL")


class Adapters(NamedTuple):
    """Which LoRA adapters a server takes while it runs."""

    rank: int
    """Highest rank."""
    at_once: int
    """Different ones in a batch; more are kept in memory, and all others are read again when they are asked."""


class ManagedServer:
    """vLLM serving one model on the loopback interface, from an environment of its own.

    `model` is what `operators.models.local_path` takes; it is also the name it is served under. `python` is
    the interpreter that has vLLM: by default $AUTODP_VLLM_PYTHON, else `.venv-vllm/bin/python` below the
    working directory or the project. $AUTODP_VLLM_THREADS sets its compute threads (all cores without it). With
    `adapters` it takes LoRA adapters from this machine's disk while it runs (`operators.llm.adapters`).
    `max_model_len` are the tokens of prompt and answer together; fewer where the model's own limit is lower.
    `gpu_memory_share` is how much of a GPU's memory it takes, vLLM's own default without it. `engine` are further
    arguments of vLLM's engine, in place of those of `engine_arguments`; None leaves one out. The server ends with
    `stop`, with the context manager, or with the process that started it, however that ends. It logs no prompts
    and no answers.
    """

    def __init__(
        self,
        model: str,
        *,
        python: str | Path | None = None,
        max_model_len: int = MAX_MODEL_LEN,
        adapters: Adapters | None = None,
        gpu_memory_share: float | None = None,
        engine: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.adapters = adapters
        self.engine = dict(engine or {})
        self.gpu_memory_share = gpu_memory_share
        self.python = _find_python(python)
        self.max_model_len = max_model_len
        self.log: Path | None = None
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._reserved: socket.socket | None = None
        self._ready = False
        self._lock = threading.RLock()

    @property
    def base_url(self) -> str:
        """Where the server answers; known once it is started. Raises EndpointError before."""
        if self._process is None:
            raise EndpointError(f"the vLLM server for {self.model} is not started")
        return f"http://127.0.0.1:{self._port}"

    @property
    def running(self) -> bool:
        """Whether the process is alive; it may not answer yet."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Starts the process and returns at once. Does nothing where it runs already."""
        with self._lock:
            if self.running:
                return self
            weights = local_path(self.model)
            self._reserve_port()
            logs = default_cache() / "logs"
            logs.mkdir(parents=True, exist_ok=True)
            slug = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(self.model).name)
            self.log = logs / f"vllm-{slug}-{os.getpid()}-{self._port}.log"
            command = [sys.executable, "-I", supervise.__file__, str(os.getpid()), *self._command(weights)]
            # Not world-readable: a library that fails may quote what it was given.
            with os.fdopen(os.open(self.log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment() | ({"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"} if self.adapters else {}),
                    start_new_session=True,
                )
            self._ready = False
        return self

    def wait(self, timeout: float = START_TIMEOUT) -> Self:
        """Blocks until the server answers. Raises EndpointError where it ends, or does not answer within
        `timeout` seconds; the message names the log file and the type of the last error in it."""
        deadline = time.monotonic() + timeout
        while not self._ready:
            # Health first, the process second: a foreign server on the port cannot outlive our own's failure.
            answers = self._answers()
            if not self.running:
                raise EndpointError(f"the vLLM server for {self.model} ended before it answered{self._trace()}")
            if answers:
                self._ready = True
                self._release_port()
            elif time.monotonic() > deadline:
                self.stop()
                raise EndpointError(
                    f"the vLLM server for {self.model} did not answer within {timeout:.0f} s{self._trace()}"
                )
            else:
                time.sleep(0.25)
        return self

    def stop(self) -> None:
        """Ends the server's own process group and waits for it. Safe to call twice."""
        with self._lock:
            process, self._ready = self._process, False
            self._release_port()
            if process is None or process.poll() is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                process.terminate()  # the supervisor ends the group
            try:
                process.wait(supervise.GRACE_SECONDS + 4)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def __enter__(self) -> Self:
        self.start()
        try:
            return self.wait()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _command(self, weights: Path) -> list[str]:
        options = {
            **engine_arguments(weights, self.max_model_len, self.gpu_memory_share),
            **(_lora_arguments(self.adapters) if self.adapters else {}),
            **self.engine,
            "served_model_name": self.model,
            "host": "127.0.0.1",
            "port": self._port,
            "uvicorn_log_level": "warning",
            "enable_log_requests": False,
            "disable_uvicorn_access_log": True,
        }
        # The `vllm` command looks for a distribution of that name, and the CPU build has another.
        command = [str(self.python), "-m", "vllm.entrypoints.openai.api_server"]
        for name, value in options.items():
            if value is None:
                continue
            flag = name.replace("_", "-")
            if isinstance(value, bool):
                command.append(f"--{flag}" if value else f"--no-{flag}")
            else:
                command += [f"--{flag}", json.dumps(value) if isinstance(value, dict) else str(value)]
        return command

    def _reserve_port(self) -> None:
        """Takes a free port and keeps it bound until the server, which sets SO_REUSEADDR too, listens on it."""
        self._release_port()
        self._reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self._port = self._reserved.getsockname()[1]

    def _release_port(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    def _answers(self) -> bool:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(f"{self.base_url}/health", timeout=2) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _trace(self) -> str:
        """Where to read more: the log's path and the last error type in it, never a line of it."""
        found = ""
        if self.log is not None and self.log.exists():
            text = self.log.read_text("utf-8", "replace")[-200_000:]
            errors = _ERROR.findall(text)
            if errors:
                found = f" ({errors[-1].rpartition('.')[2]})"
        return f"{found}; its log is {self.log}"


def engine_arguments(
    weights: Path, max_model_len: int = MAX_MODEL_LEN, gpu_memory_share: float | None = None
) -> dict[str, Any]:
    """How the engine is set up, by the names of vLLM's `EngineArgs`."""
    import torch

    graphs = torch.cuda.is_available()
    return {
        "model": str(weights),
        "dtype": native_precision(),
        "max_model_len": min(max_model_len, context_of(weights) or max_model_len),
        "enforce_eager": not graphs,
        # On a CPU vLLM takes blocks of 128 tokens, longer than most system prompts: a prefix shorter than a block
        # is not reused, and every request pays for the same instructions again (twice the time).
        "block_size": 32,
        # Without it a small model fills its answer with line breaks, which JSON allows anywhere.
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
        "disable_log_stats": True,
        **({"compilation_config": DECODING_GRAPHS} if graphs else {}),
        **({"gpu_memory_utilization": gpu_memory_share} if gpu_memory_share is not None else {}),
    }


def context_of(weights: Path) -> int | None:
    """Tokens that a model can hold, as its configuration says; None where it does not."""
    try:
        config = json.loads((weights / "config.json").read_text("utf-8"))
        length = config.get("max_position_embeddings")
        if length is None and isinstance(text := config.get("text_config"), dict):  # beside a model's other senses
            length = text.get("max_position_embeddings")
    except (OSError, ValueError, AttributeError):
        return None
    return length if isinstance(length, int) and length > 0 else None


def _lora_arguments(adapters: Adapters) -> dict[str, Any]:
    return {
        "enable_lora": True,
        "max_lora_rank": next((r for r in LORA_RANKS if r >= adapters.rank), LORA_RANKS[-1]),
        "max_loras": adapters.at_once,
        "max_cpu_loras": KEPT_ADAPTERS + adapters.at_once,
    }


_shared: dict[tuple[str, str, Adapters | None, int], ManagedServer] = {}
_sharing = threading.Lock()


def shared_server(
    model: str,
    *,
    python: str | Path | None = None,
    adapters: Adapters | None = None,
    max_model_len: int = MAX_MODEL_LEN,
    gpu_memory_share: float | None = None,
) -> ManagedServer:
    """The one server for `model` (and `adapters` and length) in this process, started but perhaps not ready: call
    `wait` before use. It is stopped when the process ends. Its share of a GPU is what the first call says; the
    configuration has all roles of one server say the same."""
    with _sharing:
        if not _shared:
            atexit.register(stop_shared)
        key = (model, str(_find_python(python)), adapters, max_model_len)
        made = ManagedServer(
            model,
            python=python,
            adapters=adapters,
            max_model_len=max_model_len,
            gpu_memory_share=gpu_memory_share,
        )
        return _shared.setdefault(key, made).start()


def stop_shared() -> None:
    """Stops every shared server."""
    with _sharing:
        for server in _shared.values():
            server.stop()
        _shared.clear()


def _find_python(given: str | Path | None) -> Path:
    chosen = given or os.environ.get(PYTHON_ENV)
    project = Path(__file__).resolve().parents[2]
    places = [Path(chosen)] if chosen else [Path(DEFAULT_PYTHON).absolute(), project / DEFAULT_PYTHON]
    for place in places:
        if place.is_file():
            return place.absolute()  # not resolved: the link itself is what makes it a virtual environment
    raise ConfigError(
        f"no vLLM environment: {places[0]} does not exist; create it from requirements/vllm.txt, set {PYTHON_ENV} "
        "to the interpreter that has vLLM, or give the endpoint a base_url instead of managed: true"
    )


def environment() -> dict[str, str]:
    """The environment vLLM runs in: ours, without secrets and without what belongs to our own interpreter."""
    own = {k: v for k, v in os.environ.items() if not _SECRET.search(k)}
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "VLLM_LOGGING_CONFIG_PATH"):
        own.pop(name, None)
    threads = os.environ.get(THREADS_ENV) or str(len(os.sched_getaffinity(0)))
    return own | {
        "VLLM_CPU_KVCACHE_SPACE": own.get("VLLM_CPU_KVCACHE_SPACE", "1"),  # GiB
        # vLLM would bind its threads to cores that others use as well.
        "VLLM_CPU_OMP_THREADS_BIND": own.get("VLLM_CPU_OMP_THREADS_BIND", "nobind"),
        "OMP_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": OMP_WAIT_POLICY,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_LOGGING_LEVEL": "INFO",
    }
