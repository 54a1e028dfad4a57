"""Which language a text is written in, by the model that ships inside py3langid."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

CHARACTERS = 240
"""Of each text that are read: more makes the answer slower, not better."""


def identify(texts: Sequence[str]) -> list[tuple[str, float]]:
    """ISO 639 code and probability of the likeliest language of each text (Lui & Baldwin 2012).

    Of 1,750 English medical answers none came out as another language with a probability above 0.6 where 160
    characters were read, and two where 40 were. A text without letters has no language: ("", 0.0).
    """
    model = _model()
    found = []
    for text in texts:
        start = text[:CHARACTERS]
        if not any(map(str.isalpha, start)):
            found.append(("", 0.0))
            continue
        code, probability = model.classify(start)
        found.append((str(code), float(probability)))
    return found


def languages() -> frozenset[str]:
    """The ISO 639 codes of all languages that can be told apart, 97 or more."""
    return frozenset(_model().labels)


@functools.cache
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
