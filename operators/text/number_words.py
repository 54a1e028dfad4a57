"""Numbers that stand in a text as words: "two to five tablets", "dreimal täglich", 每日两到三次."""

from __future__ import annotations

import re
from collections import Counter

from operators.text.quantities.words import HAN_DIGITS, HAN_TENS, NUMBERS, TWICE

_OTHERS = {
    2: "double doubled doubles doubling zwei zwo zweimal zweifach doppelt deux dos doble",
    3: "triple tripled triples tripling drei dreimal dreifach trois tres",
    4: "vier viermal quatre cuatro",
    5: "fünf fünfmal cinq cinco",
    6: "sechs sechsmal seis",
    7: "sieben siebenmal sept siete",
    8: "acht achtmal huit ocho",
    9: "neun neunmal neuf nueve",
    10: "zehn zehnmal dix diez",
    11: "elf onze",
    12: "dozen zwölf dutzend douze doce",
    13: "dreizehn treize trece",
    14: "vierzehn quatorze catorce",
    15: "fünfzehn quinze quince",
    16: "sechzehn seize dieciséis",
    17: "siebzehn diecisiete",
    18: "achtzehn dieciocho",
    19: "neunzehn diecinueve",
    20: "zwanzig vingt veinte",
    30: "dreißig dreissig trente treinta",
    40: "vierzig quarante cuarenta",
    50: "fünfzig cinquante cincuenta",
    60: "sechzig soixante sesenta",
    70: "siebzig setenta",
    80: "achtzig ochenta",
    90: "neunzig noventa",
    100: "hundred hundreds hundert cien ciento",
    1_000: "thousand thousands tausend mille",
    1_000_000: "million millions millionen millón millones",
}
"""What numbers are called in German, French and Spanish, and in English beside the counting words."""
_VALUES = {word: str(value) for word, value in (NUMBERS | TWICE).items() if value > 1}
_VALUES |= {word: str(value) for value, words in _OTHERS.items() for word in words.split()}
_VALUES |= dict.fromkeys(["third", "thirds", "drittel", "tiers", "tercio", "tercios"], "third")
_VALUES |= dict.fromkeys(["quarter", "quarters", "fourth", "fourths", "viertel", "quart", "quarts"], "quarter")
_WORD = re.compile(rf"\b(?:{'|'.join(sorted(_VALUES, key=len, reverse=True))})\b", re.IGNORECASE)
_HAN = {c: str(value) for c, value in (HAN_DIGITS | HAN_TENS).items() if 1 < value <= 10_000}
_IDIOM = re.compile("十分|千万|万一|百分|[三四]肢|四周|四处|五官|二氧化|三叉|万能")
"""In which a numeral counts nothing, or 百分 what stands in digits beside it."""
_HAN_NUMERAL = re.compile(f"[{''.join(_HAN)}]")
_PLAIN = re.compile(r"(?<![\d.,])\d{1,3}(?![.,]?\d)")


def number_words(text: str) -> Counter[str]:
    """How often each number stands in the text, as a word of English, German, French, Spanish or Chinese or as
    digits (below 1,000): "two" and "2" are the same number. One is left out, which is an article as well."""
    found = Counter(_VALUES[m.group().lower()] for m in _WORD.finditer(text))
    found.update(_HAN[c] for c in _HAN_NUMERAL.findall(_IDIOM.sub("", text)))
    found.update(str(int(n)) for n in _PLAIN.findall(text))
    del found["1"]
    return found
