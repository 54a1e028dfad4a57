"""Defaults of the process environment: offline, no telemetry. Whatever the user has set stays."""

import os

DEFAULTS = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_DATASETS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # The built-in server takes ~15 s on a quiet two-core machine; its own limit of 20 s fails on a busy one.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "RAY_USAGE_STATS_ENABLED": "0",
    "VLLM_NO_USAGE_STATS": "1",
}


def apply_defaults() -> None:
    """Sets what is not set. Has to run before the libraries concerned are imported."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
