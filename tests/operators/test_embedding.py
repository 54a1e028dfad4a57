"""The real embedder on a few texts."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from operators.data.store import default_cache
from operators.embedding import embed
from operators.errors import ConfigError

TEXTS = [
    "A narrow palate.",
    "",
    "The palate is narrow.",
    "Stock prices fell.",
    "A narrow palate.",
    "医学",
    "\ud800 x",
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTODP_CACHE", str(tmp_path))
    default_cache.cache_clear()
    yield tmp_path / "embeddings.sqlite"
    default_cache.cache_clear()


def test_shape_norm_and_meaning():
    found = embed(TEXTS)
    assert found.shape == (7, 384)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert found[0] @ found[2] > 0.8 > 0.3 > found[0] @ found[3]
    assert (found[0] == found[4]).all()


def test_order_and_a_warm_cache_change_nothing():
    calls: list[tuple[str, int, int]] = []
    cold = embed(TEXTS, progress=lambda *a: calls.append(a))
    assert calls[-1] == ("embedding", 6, 6)
    warm = embed(TEXTS[::-1])
    assert (cold == warm[::-1]).all()


def test_equal_texts_are_stored_once(cache):
    embed(["one text"] * 5 + ["another"])
    with sqlite3.connect(cache) as connection:
        assert connection.execute("SELECT count(*) FROM vectors").fetchone() == (2,)


def test_cached_vectors_are_used(cache):
    embed(["one text"])
    with sqlite3.connect(cache) as connection:
        marked = np.zeros(384, np.float16)
        marked[7] = 1
        connection.execute("UPDATE vectors SET value = ?", [marked.tobytes()])
    assert embed(["one text"])[0].argmax() == 7


def test_a_damaged_cache_costs_time_not_results(cache, caplog):
    expected = embed(["one text"])
    for file in cache.parent.iterdir():
        file.unlink()
    cache.write_bytes(b"this is no database" * 100)
    assert (embed(["one text"]) == expected).all()
    assert "one text" not in caplog.text


def test_threads_share_the_cache():
    parts = [[f"text number {i % 30}" for i in range(j, j + 20)] for j in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(embed, parts))
    again = [embed(p) for p in parts]
    for a, b in zip(found, again, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)


def test_nothing_to_embed():
    assert embed([]).shape == (0, 384)


def test_a_giant_text_is_cut():
    start = "word " * 2000
    found = embed([start, start + "other end " * 200_000])
    assert (found[0] == found[1]).all()


def test_missing_model_is_named():
    with pytest.raises(ConfigError, match="no-such/model"):
        embed(["x"], "no-such/model")


def test_directory_without_a_model_is_named(tmp_path):
    (tmp_path / "m").mkdir()
    with pytest.raises(ConfigError, match=r"modules\.json"):
        embed(["x"], str(tmp_path / "m"))
