"""Numbers that stand in a text as words: "two to five tablets", "dreimal täglich", 每日两到三次."""

from __future__ import annotations

import re
from collections import Counter

_SPELLED = {
    2: "two twice double doubled doubles doubling zwei zwo zweimal zweifach doppelt deux dos doble",
    3: "three thrice triple tripled triples tripling drei dreimal dreifach trois tres",
    4: "four vier viermal quatre cuatro",
    5: "five fünf fünfmal cinq cinco",
    6: "six sechs sechsmal seis",
    7: "seven sieben siebenmal sept siete",
    8: "eight acht achtmal huit ocho",
    9: "nine neun neunmal neuf nueve",
    10: "ten zehn zehnmal dix diez",
    11: "eleven elf onze",
    12: "twelve dozen zwölf dutzend douze doce",
    13: "thirteen dreizehn treize trece",
    14: "fourteen vierzehn quatorze catorce",
    15: "fifteen fünfzehn quinze quince",
    16: "sixteen sechzehn seize dieciséis",
    17: "seventeen siebzehn diecisiete",
    18: "eighteen achtzehn dieciocho",
    19: "nineteen neunzehn diecinueve",
    20: "twenty zwanzig vingt veinte",
    30: "thirty dreißig dreissig trente treinta",
    40: "forty vierzig quarante cuarenta",
    50: "fifty fünfzig cinquante cincuenta",
    60: "sixty sechzig soixante sesenta",
    70: "seventy siebzig setenta",
    80: "eighty achtzig ochenta",
    90: "ninety neunzig noventa",
    100: "hundred hundreds hundert cien ciento",
    1_000: "thousand thousands tausend mille",
    1_000_000: "million millions millionen millón millones",
}
_VALUES = {word: str(value) for value, words in _SPELLED.items() for word in words.split()}
_VALUES |= dict.fromkeys(["third", "thirds", "drittel", "tiers", "tercio", "tercios"], "third")
_VALUES |= dict.fromkeys(["quarter", "quarters", "fourth", "fourths", "viertel", "quart", "quarts"], "quarter")
_WORD = re.compile(rf"\b(?:{'|'.join(sorted(_VALUES, key=len, reverse=True))})\b", re.IGNORECASE)
_HAN = {c: str(i) for i, c in enumerate("二三四五六七八九十", 2)} | {"两": "2", "兩": "2"}
_HAN |= {"百": "100", "千": "1000", "万": "10000", "萬": "10000"}
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
