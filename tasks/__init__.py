"""Thin Prefect tasks: how a step is cached, retried and seen."""
