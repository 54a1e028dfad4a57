"""Thin Prefect tasks: how a step is cached, retried and seen."""

import operators  # noqa: F401 - its environment defaults must be in place before Prefect is imported
