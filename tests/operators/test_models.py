"""What identifies a model's weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from operators.models import model_digest


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"w" * 100)
    return tmp_path


def identity(folder: Path) -> str:
    model_digest.cache_clear()
    return model_digest(str(folder))


def test_what_a_download_notes_is_no_weight(model: Path) -> None:
    before = identity(model)
    notes = model / ".cache" / "huggingface" / "download"
    notes.mkdir(parents=True)
    (notes / "model.safetensors.metadata").write_text("1764200000.0")
    for name in ("README.md", ".DS_Store", ".gitattributes"):
        (model / name).write_text("x")
    assert identity(model) == before


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "1_Pooling/config.json"])
def test_what_a_model_is_made_of_is(model: Path, name: str) -> None:
    before = identity(model)
    (model / name).parent.mkdir(exist_ok=True)
    (model / name).write_bytes(b"another")
    assert identity(model) != before
