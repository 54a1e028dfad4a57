"""What all settings have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of all: frozen, and an unknown key is an error (a typo must not be ignored)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        # Explicit, because pydantic titles no field that may be None or a model: the UI's form would show none.
        field_title_generator=lambda name, _field: _title(name),
    )


SEED_LIMIT = 2**32 - 64
"""Above every seed: NumPy takes none of 2**32 or more, and repeats add a few to the one that is given."""
_SPELLED = {"api": "API", "cpus": "CPUs", "gpu": "GPU", "gpus": "GPUs", "lora": "LoRA", "url": "URL"}


def _title(name: str) -> str:
    first, *others = name.split("_")
    return " ".join([_SPELLED.get(first, first.capitalize()), *(_SPELLED.get(o, o) for o in others)])
