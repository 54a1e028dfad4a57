"""Static embeddings made from the built-in model."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from operators.data.store import default_cache
from operators.distillation import static_minilm
from operators.embedding import embed
from operators.errors import ConfigError
from operators.models import STATIC_MINILM, model_digest

TEXTS = ["A narrow palate.", "The palate is narrow.", "Stock prices fell.", "", "A narrow palate."]


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTODP_CACHE", str(tmp_path))
    default_cache.cache_clear()
    monkeypatch.setitem(sys.modules, "model2vec.distill", None)  # as where it is not installed
    try:
        with pytest.raises(ConfigError, match=r"llm-autodp\[distill\].*embedding\.model"):
            static_minilm()
    finally:
        default_cache.cache_clear()


@pytest.mark.e2e
def test_distilled_once_and_used():
    """Takes a minute where this machine has not distilled the model before."""
    found = embed(TEXTS, STATIC_MINILM)
    assert found.dtype == np.float32
    assert found.shape == (5, 256)
    assert np.isfinite(found).all()
    assert found[0] @ found[1] > 0.7 > 0.4 > found[0] @ found[2]
    assert (found[0] == found[4]).all()
    assert static_minilm().name == STATIC_MINILM
    assert len(model_digest(STATIC_MINILM)) == 64
