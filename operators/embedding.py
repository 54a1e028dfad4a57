"""Sentence embeddings, computed once per distinct text and kept in this machine's cache."""

from __future__ import annotations

import functools
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from operators.data.store import default_cache
from operators.digest import digest, sha256_bytes
from operators.errors import ConfigError, without_text
from operators.keyed_cache import KeyedCache
from operators.models import MINILM, STATIC_MINILM, local_path, model_digest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MAX_TOKENS = 128
"""Longest input the model reads: the length all-MiniLM was trained with. The rest of a text is ignored."""
MAX_CHARACTERS = 4096
"""Cut before tokenizing: a record of many megabytes must not cost minutes for 128 tokens of it."""
STATIC_CHARACTERS = 768
"""The same for static embeddings: about the 128 tokens that the model they come from reads. Tokenizing is all
they cost."""
WINDOW = 8192
"""Texts held at once. Equal ones among them are embedded once, those of other windows come from the cache."""
_CHUNK = 1024
_BATCH = 32
_STEP = 8
"""Inputs are padded to a multiple of this many tokens, and those of one padded length are read together: what a
text is padded to, and with it the last bits of its vector, depends on the text alone, not on who is read beside
it. On a CPU the vectors are then the same in every run; a GPU makes no such promise."""

Progress = Callable[[str, int, int], None]


def embed(texts: Sequence[str], model: str = MINILM, *, progress: Progress | None = None) -> np.ndarray:
    """Embeddings of `texts`: float32 of shape (n, d), rows of unit length.

    `model` is a name or directory, as `operators.models.local_path` takes it. Vectors are kept as float16 in a
    file that threads and processes may share, and what is computed now is rounded the same way, so that a warm
    and a cold cache agree; a text in the cache is not embedded again. An empty text gets the model's vector of an
    empty sentence. `progress` is called as progress("embedding", done, total).

    Raises ConfigError where the model is missing, is no embedding model, or gives values that are not finite.
    """
    return embed_stream(texts, len(texts), model, progress=progress)


def embed_stream(
    texts: Iterable[str],
    rows: int,
    model: str = MINILM,
    *,
    file: Path | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """As `embed`, for `rows` texts that come one by one: WINDOW of them are held at a time. With `file` the
    vectors are written there in NumPy's format, and the array is a map of it. Raises ValueError where fewer or
    more texts come."""
    found: np.ndarray | None = None
    done = 0
    for window in _windows(texts):
        if model == STATIC_MINILM:
            part = _look_up(window, model)
        else:
            part = _embed_window(window, model, progress, done, rows)
        if found is None:
            found = _empty((rows, part.shape[1]), file)
        if done + len(part) > rows:
            raise ValueError(f"expected {rows} texts, got more")
        found[done : done + len(part)] = part
        done += len(part)
        if progress:
            progress("embedding", done, rows)
    if done < rows:
        raise ValueError(f"expected {rows} texts, got {done}")
    return _empty((0, _load(model).get_embedding_dimension() or 0), file) if found is None else found


def _windows(texts: Iterable[str]) -> Iterator[list[str]]:
    """Up to WINDOW texts at a time, cut to what is read of them."""
    each = iter(texts)
    # Lone surrogates have no UTF-8 form and would stop the tokenizer.
    while window := [t[:MAX_CHARACTERS].encode("utf-8", "replace").decode() for t in islice(each, WINDOW)]:
        yield window


def _empty(shape: tuple[int, int], file: Path | None) -> np.ndarray:
    if file is None:
        return np.empty(shape, np.float32)
    if not shape[0]:  # nothing cannot be mapped
        np.save(file, np.empty(shape, np.float32), allow_pickle=False)
        return np.empty(shape, np.float32)
    return np.lib.format.open_memmap(file, "w+", np.float32, shape)


def _look_up(texts: list[str], model: str) -> np.ndarray:
    """Unit rows of static embeddings: as quick as a cache would be, so none is kept."""
    found = _encode([t[:STATIC_CHARACTERS] for t in texts], model, batch_size=1024).astype(np.float32)
    # A text without any known token has the zero vector, which has no direction: it stays as it is.
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def _embed_window(texts: list[str], model: str, progress: Progress | None, before: int, total: int) -> np.ndarray:
    """Unit rows, float32 of shape (len(texts), d). Equal texts are embedded once."""
    identity = digest("embedding", 2, model_digest(model), MAX_TOKENS)
    keys = {t: _key(identity, t) for t in texts}
    cache = KeyedCache(default_cache() / "embeddings.sqlite", "embedding")
    vectors = {k: np.frombuffer(v, np.float16) for k, v in cache.get(keys.values()).items()}
    missing = [t for t, k in keys.items() if k not in vectors]
    left = len(missing)
    for chunk in _alike(missing, model):
        if progress:
            progress("embedding", before + len(keys) - left, total)
        fresh = {keys[t]: v for t, v in zip(chunk, _encode(chunk, model), strict=True)}
        cache.put({k: v.tobytes() for k, v in fresh.items()})
        vectors.update(fresh)
        left -= len(chunk)
    found = np.stack([vectors[keys[t]] for t in texts]).astype(np.float32)
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return found


def _alike(texts: list[str], model: str) -> Iterator[list[str]]:
    """Up to _CHUNK texts at a time that are padded to one length."""
    by_length: dict[int, list[str]] = defaultdict(list)
    for text, tokens in zip(texts, _lengths(texts, model), strict=True):
        by_length[-(-tokens // _STEP)].append(text)
    for _, alike in sorted(by_length.items()):
        yield from (alike[start : start + _CHUNK] for start in range(0, len(alike), _CHUNK))


def _lengths(texts: list[str], model: str) -> list[int]:
    """Of each text in tokens; zero where the model has no such thing."""
    try:
        mask = _load(model).preprocess(texts).get("attention_mask") if texts else None
    except Exception as e:
        raise without_text(e) from None  # a tokenizer's message may quote the text
    return [0] * len(texts) if mask is None else mask.sum(dim=1).tolist()


def _key(identity: str, text: str) -> bytes:
    return bytes.fromhex(sha256_bytes(f"{identity}\n{text}".encode()))


def _encode(texts: list[str], model: str, batch_size: int = _BATCH) -> np.ndarray:
    """Unit vectors as float16, shape (n, d)."""
    try:
        found = _load(model).encode(
            texts,
            batch_size=batch_size,
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
    except Exception as e:
        raise without_text(e) from None
    found = np.asarray(found, np.float16)
    # Checked before it is cached: a broken vector would stay there.
    if bad := int((~np.isfinite(found)).any(axis=1).sum()):
        raise ConfigError(
            f"embedding model {model!r} gives values that are not finite for {bad} of {len(texts)} texts: "
            "its weights are damaged, install it again"
        )
    return found


_loading = threading.Lock()


def _load(model: str) -> SentenceTransformer:
    with _loading:  # two threads that both find the model missing would both load it
        return _load_once(model)


@functools.cache
def _load_once(model: str) -> SentenceTransformer:
    path = local_path(model)
    if not (path / "modules.json").exists():
        raise ConfigError(
            f"embedding model {model!r}: no modules.json there; give a sentence-transformers directory"
        )
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding, Transformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    loaded = SentenceTransformer(str(path), local_files_only=True)
    if isinstance(loaded[0], StaticEmbedding):
        return loaded.float()  # in half precision the zero vector of an empty text would be divided by zero
    loaded.max_seq_length = min(loaded.max_seq_length or MAX_TOKENS, MAX_TOKENS)
    if isinstance(loaded[0], Transformer):
        loaded[0].processing_kwargs.setdefault("text", {})["pad_to_multiple_of"] = _STEP
    return loaded
