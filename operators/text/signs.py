"""Signs that say something away from numbers: "HBsAg (+)", "Rh-", "C++"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_SIGN = re.compile(
    r"[(（]\s?(?P<alone>[+±−＋－-]{1,4})\s?[)）]|\b(?P<name>[A-Z][A-Za-z]?)(?P<behind>[+#]{1,2}|[−-])(?![\w-])"
)
_NAMES = str.maketrans(
    {"+": "plus", "＋": "plus", "-": "minus", "−": "minus", "－": "minus", "±": "both", "#": "sharp"}
)


def spelled(text: str) -> str:
    """The text with those signs as words, which tell it from the same text with others."""
    return _SIGN.sub(_word, text)


def _word(match: re.Match[str]) -> str:
    sign = (match["alone"] or match["behind"]).translate(_NAMES)
    return f"{match['name'] or ''} {sign} "


class Spelled(Sequence[str]):
    """Texts with their signs spelled, each when it is asked for."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, i: Any) -> Any:
        return spelled(self._texts[i])
