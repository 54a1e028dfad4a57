"""When two texts are taken for the same."""

from __future__ import annotations


def bare(text: str) -> str:
    """The text for comparing: what it says, whatever its case and white space."""
    return " ".join(text.casefold().split())
