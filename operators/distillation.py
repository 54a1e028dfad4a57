"""The built-in embedding model distilled into static vectors (model2vec): a text's vector is the weighted mean of
its tokens' vectors, so embedding is a look-up, hundreds of times faster than the model."""

from __future__ import annotations

import logging
import shutil
import uuid
from pathlib import Path

from operators.data.store import default_cache
from operators.errors import ConfigError
from operators.models import MINILM, STATIC_MINILM, local_path

log = logging.getLogger(__name__)

DIMENSIONS = 256


def static_minilm() -> Path:
    """A sentence-transformers directory with all-MiniLM-L6-v2 in static form, made once in this machine's cache.

    Every token of the vocabulary is embedded by itself; the vectors are reduced to 256 principal components and
    weighted by the token's rank as an estimate of its frequency (Arora et al. 2017, "SIF"). No text is used and
    nothing is fetched; it takes a minute or two. Raises ConfigError where model2vec is missing.
    """
    target = default_cache() / "models" / STATIC_MINILM
    if target.exists():
        return target
    try:
        from model2vec.distill import distill
    except ImportError:
        raise ConfigError(
            "static embeddings need model2vec and skeletoken: install them (pip install 'llm-autodp[distill]'), "
            "or set embedding.model to all-minilm-l6-v2"
        ) from None
    log.info("distilling %s into %s, once on this machine", MINILM, target)
    partial = target.with_name(f".{STATIC_MINILM}.{uuid.uuid4().hex}")
    distill(str(local_path(MINILM)), device="cpu", pca_dims=DIMENSIONS).save_pretrained(str(partial))
    (partial / "README.md").unlink(missing_ok=True)  # a model card of boilerplate
    try:
        partial.rename(target)  # the directory appears only when it is complete
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        if not target.exists():
            raise
    return target
