"""Settings of the LLM servers, and which of them may see records."""

from __future__ import annotations

import ipaddress
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from operators.config.settings import Settings


class Endpoint(Settings):
    """A server of the Anthropic Messages API: hosted Claude, or vLLM. `managed` starts vLLM on this machine."""

    model: str = Field("smollm2-135m-instruct", description="Name by which the server knows the model")
    base_url: str | None = Field(None, description="None: https://api.anthropic.com, or the managed server")
    api_key_env: str = Field("ANTHROPIC_API_KEY", description="Environment variable with the key")
    managed: bool = Field(False, description="Start and stop vLLM for this model here")
    gpu_memory_share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Of a GPU's memory, what a managed server takes; None: vLLM's own default, 0.92. Servers and "
        "trainings that share a GPU need less",
    )
    concurrency: int = Field(
        128, ge=1, description="Requests under way at a time: a server answers them in batches"
    )
    timeout: float = Field(600, gt=0, description="Seconds a request may take; in a large batch each one is slow")
    retries: int = Field(4, ge=0, description="Of a request that failed for a reason that may pass")

    @field_validator("base_url")
    @classmethod
    def _has_host(cls, value: str | None) -> str | None:
        if value is not None:
            url = urlsplit(value)
            if url.scheme not in ("http", "https") or not url.hostname or not _can_be_asked(value):
                raise ValueError("expected a URL like http://127.0.0.1:8000")
            if url.username is not None or url.password is not None:
                raise ValueError(
                    "holds a user or password, which every run and recipe would show: name a variable that has "
                    "the key in api_key_env"
                )
        return value

    @model_validator(mode="after")
    def _one_server(self) -> Self:
        if self.managed and self.base_url is not None:
            raise ValueError("give managed: true, which starts a server here, or a base_url, not both")
        return self

    @property
    def is_private(self) -> bool:
        """Whether requests stay on this machine or a private network (by host name alone, no look-up)."""
        if self.managed:
            return True
        host = urlsplit(self.base_url or "https://api.anthropic.com").hostname or ""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if not host[:1].isalpha():
                return False  # "134744072" and "0x8080808" are other spellings of 8.8.8.8
            # Single-label names and these suffixes never resolve on the public internet.
            return "." not in host or host.endswith((".local", ".internal", ".svc", ".cluster.local", ".lan"))
        return address.is_private or address.is_loopback


def _can_be_asked(url: str) -> bool:
    """Whether host and port are such that a client would take them."""
    import httpx

    try:
        return httpx.URL(url).port is None or urlsplit(url).port is not None  # which has to be below 65,536
    except (httpx.InvalidURL, ValueError):
        return False


class TargetEndpoint(Endpoint):
    """vLLM that serves the target model and takes the adapters of tuned ones. One that is not managed is to be
    started with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1: whoever reaches it can load adapters."""

    adapters: str | None = Field(
        None, description="Directory that this machine and the server share; a managed server needs none"
    )
    max_loras: int = Field(4, ge=1, description="Different adapters in a batch of a managed server")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if not self.managed and not (self.base_url and self.adapters):
            raise ValueError("give base_url and adapters (a directory that the server sees too), or managed: true")
        return self


class Endpoints(Settings):
    """Who answers in which role. `rewriter`, `judge` and `target` see records and so must be private."""

    strategist: Endpoint | None = None
    rewriter: Endpoint | None = None
    judge: Endpoint | None = None
    target: TargetEndpoint | None = Field(
        None, description="Answers as the tuned models, for an LLM judge; None: each answers where it was trained"
    )
    i_allow_records_to_leave_for: tuple[Literal["rewriter", "judge", "target"], ...] = Field(
        (), description="Roles whose external endpoint the owner accepts, in so many words"
    )

    @model_validator(mode="after")
    def _one_share_a_server(self) -> Self:
        shares: dict[str, float | None] = {}
        for role in ("strategist", "rewriter", "judge"):  # the target's server is one of its own
            endpoint: Endpoint | None = getattr(self, role)
            if endpoint is None or not endpoint.managed:
                continue
            if shares.setdefault(endpoint.model, endpoint.gpu_memory_share) != endpoint.gpu_memory_share:
                raise ValueError(
                    f"endpoints.{role} is answered by the same managed server as another role with the model "
                    f"{endpoint.model}: give all of them the same gpu_memory_share"
                )
        return self

    @model_validator(mode="after")
    def _records_stay(self) -> Self:
        for role in ("rewriter", "judge", "target"):
            endpoint: Endpoint | None = getattr(self, role)
            if endpoint and not endpoint.is_private and role not in self.i_allow_records_to_leave_for:
                host = urlsplit(endpoint.base_url or "https://api.anthropic.com").hostname
                raise ValueError(
                    f"endpoints.{role} would send records to {host}, outside this network; "
                    f"use a private server, or add {role!r} to endpoints.i_allow_records_to_leave_for"
                )
        return self
