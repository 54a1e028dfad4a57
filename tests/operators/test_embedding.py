"""The real embedder on a few texts."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import StaticEmbedding
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from operators import embedding
from operators.data.store import default_cache
from operators.embedding import embed, embed_stream
from operators.errors import ConfigError
from operators.models import MINILM

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
    assert calls[-1] == ("embedding", 7, 7)
    warm = embed(TEXTS[::-1])
    assert (cold == warm[::-1]).all()


def test_the_model_reads_a_text_the_same_way_whoever_is_embedded_beside_it(cache):
    """Down to the padding: on it hang the last bits of a vector."""
    texts = [f"record {i}: " + "narrow palate " * (7 * i % 20) for i in range(60)]
    read: list[tuple[int, ...]] = []
    hook = embedding._load(MINILM)[0].register_forward_pre_hook(
        lambda _model, args: read.extend(map(tuple, args[0]["input_ids"].tolist()))
    )
    try:
        together = embed(texts)
        assert len(read) == len(set(texts))
        known = set(read)
        for part in (slice(0, None, 7), slice(59, 60), slice(None, None, -3)):
            cache.unlink()
            read.clear()
            np.testing.assert_allclose(embed(texts[part]), together[part], atol=1e-3)
            assert len(read) == len(set(texts[part]))
            assert set(read) <= known
    finally:
        hook.remove()


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


def test_nothing_to_embed(tmp_path):
    assert embed([]).shape == (0, 384)
    assert embed_stream([], 0, file=tmp_path / "v.npy").shape == (0, 384)
    assert np.load(tmp_path / "v.npy").shape == (0, 384)


def test_a_stream_gives_the_same_rows_window_by_window(monkeypatch, tmp_path):
    expected = embed(TEXTS)
    monkeypatch.setattr(embedding, "WINDOW", 3)
    held: list[int] = []

    def texts():
        for number, text in enumerate(TEXTS):
            held.append(number)
            yield text

    calls: list[tuple[str, int, int]] = []

    def progress(label: str, done: int, total: int) -> None:
        calls.append((label, done, total))
        assert len(held) <= done + 3  # no more than one window has been taken

    found = embed_stream(texts(), 7, file=tmp_path / "v.npy", progress=progress)
    assert (found == expected).all()
    assert (np.load(tmp_path / "v.npy") == expected).all()
    assert calls[-1] == ("embedding", 7, 7)


@pytest.mark.parametrize("rows", [2, 4])
def test_a_stream_of_another_length_is_refused(rows):
    with pytest.raises(ValueError, match=f"expected {rows} texts"):
        embed_stream(TEXTS[:3], rows)


def test_empty_texts_have_one_vector():
    found = embed(["", "   ", "", "fever"])
    assert np.isfinite(found).all()
    assert (found[0] == found[2]).all()


def test_many_equal_rows_are_embedded_once(cache):
    found = embed_stream(("the same text" for _ in range(50_000)), 50_000)
    assert (found == found[0]).all()
    with sqlite3.connect(cache) as connection:
        assert connection.execute("SELECT count(*) FROM vectors").fetchone() == (1,)


def test_values_that_are_not_finite_are_refused_and_not_kept(cache, tmp_path):
    """A real model directory whose weights are damaged."""
    weights = np.ones((4, 8), np.float32)
    weights[2, 1] = np.nan
    words = Tokenizer(WordLevel({"[UNK]": 0, "[PAD]": 1, "fever": 2, "cough": 3}, "[UNK]"))
    words.pre_tokenizer = Whitespace()
    folder = tmp_path / "damaged"
    SentenceTransformer(modules=[StaticEmbedding(words, embedding_weights=weights)], device="cpu").save(
        str(folder)
    )
    with pytest.raises(ConfigError, match="not finite for 1 of 2 texts") as caught:
        embed(["fever", "cough"], str(folder))
    assert "fever" not in str(caught.value).replace(str(folder), "")
    with sqlite3.connect(cache) as connection:
        assert connection.execute("SELECT count(*) FROM vectors").fetchone() == (0,)


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
