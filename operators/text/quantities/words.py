"""How numbers, units and comparisons are spelled in English and Chinese: the tables that the reading goes by."""

from __future__ import annotations


def _all(spellings: str, meaning: str) -> dict[str, str]:
    return dict.fromkeys(spellings.split(), meaning)


def _set(spellings: str) -> set[str]:
    return set(spellings.split())


UNITS: dict[str, tuple[str, ...]] = {
    "kg": ("kilogram", "kilogramme", "kilo", "千克", "公斤"),
    "g": ("gram", "gramme", "gm", "克"),
    "mg": ("milligram", "milligramme", "毫克"),
    "mcg": ("μg", "ug", "microgram", "microgramme", "微克"),
    "ng": ("nanogram", "纳克"),
    "pg": ("picogram", "皮克"),
    "fg": ("femtogram",),
    "ppm": (),
    "ppb": (),
    "pound": ("lb", "£", "gbp", "英镑"),
    "l": ("liter", "litre", "升"),
    "dl": ("deciliter", "decilitre", "分升"),
    "ml": ("milliliter", "millilitre", "cc", "毫升"),
    "iu": ("国际单位",),
    "unit": ("u", "单位"),
    "mol": ("mole", "摩尔"),
    "mmol": ("millimole", "毫摩尔"),
    "μmol": ("umol", "mcmol", "micromole", "微摩尔"),
    "nmol": ("nanomole", "纳摩尔"),
    "pmol": ("picomole", "皮摩尔"),
    "meq": ("milliequivalent", "毫当量"),
    "km": ("kilometer", "kilometre", "公里", "千米"),
    "m": ("meter", "metre", "米"),
    "cm": ("centimeter", "centimetre", "厘米"),
    "mm": ("millimeter", "millimetre", "毫米"),
    "mmhg": ("毫米汞柱",),
    "kcal": ("kilocalorie", "千卡"),
    "millisecond": ("ms", "msec", "毫秒"),
    "second": ("sec", "秒", "秒钟"),
    "minute": ("min", "分钟"),
    "hour": ("h", "hr", "小时", "个小时"),
    "day": ("天", "日"),
    "week": ("wk", "周", "星期", "个星期"),
    "month": ("个月",),
    "year": ("yr", "年"),
    "月": (),  # March as well as three months
    "岁": (),
    "time": ("次",),
    "tablet": ("tab", "片"),
    "pill": ("粒",),
    "capsule": ("胶囊",),
    "drop": ("滴",),
    "dose": ("剂",),
    "%": ("percent",),
    "‰": (),
    "°": ("degree", "度"),
    "$": ("dollar", "usd", "美元"),
    "€": ("euro", "eur", "欧元"),
    "¥": ("yuan", "rmb", "cny", "元"),
    "yen": ("jpy", "日元"),
    "₹": ("rupee",),
}
"""One name of each unit or currency, and what else it is called (singular, lower case)."""
UNIT = {spelling: unit for unit, others in UNITS.items() for spelling in (unit, *others)}
HAN_UNITS = {s for s in UNIT if "\u3400" <= s[0] <= "\u9fff"}
CURRENCIES = {"$", "€", "¥", "yen", "pound", "₹"}
TEMPERATURES = {"c": "°c", "celsius": "°c", "centigrade": "°c", "f": "°f", "fahrenheit": "°f"}
TIMES = {"second", "minute", "hour", "day", "week", "month", "year"}
RATES = {
    "hourly": "hour",
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "yearly": "year",
    "annually": "year",
}

SCALES = {"hundred": 2, "thousand": 3, "lakh": 5, "million": 6, "crore": 7, "billion": 9, "trillion": 12}
"""Powers of ten."""
HAN_SCALES = {"百": 2, "千": 3, "万": 4, "萬": 4, "亿": 8, "億": 8}
SHORT_SCALES = {"k": 3, "m": 6, "mn": 6, "b": 9, "bn": 9, "tn": 12}
"""After an amount of money only: "5 m" is a length elsewhere."""
_ONES = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBERS = {word: i for i, word in enumerate(f"{_ONES} eighteen nineteen".split(), 1)} | {
    word: 10 * i for i, word in enumerate(_TENS.split(), 2)
}
TWICE = {"twice": 2, "thrice": 3}
HAN_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "兩": 2}
HAN_TENS = {"十": 10} | {c: 10**power for c, power in HAN_SCALES.items()}

SYMBOLS = set("<>≤≥≠")
OR_EQUAL = {"<": "≤", ">": "≥"}
FLIPPED = {"<": ">", ">": "<", "≤": "≥", "≥": "≤"}
"""The comparator with its sides exchanged."""
NEGATED = {"<": "≥", ">": "≤", "≤": ">", "≥": "<"}
THAN = _all("more greater higher larger bigger longer older later heavier", ">") | _all(
    "less fewer lower smaller shorter younger earlier lighter", "<"
)
BEFORE = _all("above over exceed exceeds exceeding exceeded", ">") | _all("below under beneath", "<")
LIMITS = {"maximum": "≤", "max": "≤", "minimum": "≥"}
PHRASES = {("up", "to"): "≤", ("at", "most"): "≤", ("at", "least"): "≥"}
AFTER = _all("more greater higher above over older longer", "≥") | _all(
    "less fewer lower below under younger shorter", "≤"
)
"""As in "5 or more"."""
HAN_BEFORE = (
    _all("不超过 不高于 不大于 不多于 至多 最多 小于等于 小于或等于 低于或等于", "≤")
    | _all("不低于 不少于 不小于 至少 最少 大于等于 大于或等于 高于或等于", "≥")
    | _all("小于 低于 少于 不足 不到 不满", "<")
    | _all("大于 高于 多于 超过", ">")
)
HAN_AFTER = _all("及以上 或以上 以上", "≥") | _all("及以下 或以下 以下", "≤")
ROUGHLY = _set("about approximately approx around roughly a an the of ~ ≈ 约")
PER = {"/", "per", "each", "every", "每"}
NEGATIONS = {"no", "not", "never", "cannot", "nor", "without"}
CLAUSE_ENDS = set(".,;:!?()\n。，；：！？、和或") | _set("and or but then while if unless because although")
