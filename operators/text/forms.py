"""Characters of one meaning brought to one form, without making another number of them."""

from __future__ import annotations

import re
import unicodedata

_SUPERSCRIPTS = re.compile("[\u00b2\u00b3\u00b9\u2070\u2071\u2074-\u207f]+")
_SUBSCRIPTS = re.compile("[\u2080-\u208e]+")
_FRACTIONS = re.compile("[\u00bc-\u00be\u2150-\u215f\u2189]")


def compatible(text: str) -> str:
    """The text in NFKC, but "10⁶" is "10^6" and not "106", "log₂8" is "log_28", and "2½" is "2 1⁄2"."""
    if not text.isascii():
        text = _SUPERSCRIPTS.sub(r"^\g<0>", text)
        text = _SUBSCRIPTS.sub(r"_\g<0>", text)
        text = _FRACTIONS.sub(r" \g<0>", text)
    return unicodedata.normalize("NFKC", text)
