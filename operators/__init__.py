"""The work itself: plain Python that a Ray worker, a notebook or a Prefect task can call. No Prefect here."""

from operators.environment import apply_defaults

apply_defaults()
