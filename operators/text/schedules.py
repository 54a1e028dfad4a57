"""How often something is done: what a dose means nothing without, and what stands in a text as words."""

from __future__ import annotations

import re
from typing import NamedTuple

_PERIODS = {
    "hour": "hour hours hourly hora heure stunde stunden stündlich 小时",
    "day": "day days daily tag täglich día diario diaria jour quotidien quotidienne 天 日",
    "night": "night nights nightly bedtime nacht noche nuit 晚 夜",
    "week": "week weeks weekly woche wöchentlich semana semanal semaine hebdomadaire 周 星期",
    "month": "month months monthly monat monatlich mes mensual mois mensuel mensuelle 月 个月",
    "year": "year years yearly annually jahr jährlich año anual an annuel annuelle 年",
}
_PERIOD = {word: period for period, words in _PERIODS.items() for word in words.split()}
_ALONE = (
    "hourly daily nightly weekly monthly yearly annually stündlich täglich wöchentlich monatlich jährlich diario "
    "diaria semanal mensual quotidien quotidienne hebdomadaire mensuel mensuelle annuel annuelle"
)
_NAMES = "|".join(sorted(_PERIOD, key=len, reverse=True))
_EVERY = re.compile(
    rf"(?:\b(?P<firm>every|each|per|pro|jede[nrs]?|cada|por|al|par|chaque)|(?P<soft>\ban?|\ba la)|/)\s*"
    rf"(?P<other>other |second |alternate |zweite[nrs]? |deux(?:ième)? )?\s*(?P<period>{_NAMES})(?![^\W\d_])"
    rf"|\b(?P<alone>{_ALONE.replace(' ', '|')})\b"
    r"|\b(?P<short>[bt]\.?i\.?d|q\.?[idh](?:\.?[dsn])?|q\.?o\.?d|prn)\b"
    r"|(?P<han>每|隔|一)\s*(?P<of>个月|小时|星期|[天日晚夜周月年])|(?P<half>\bhalf|\bhalb\w*|半)",
    re.IGNORECASE,
)
_ROMAN = re.compile(
    r"\b(?:stage|grade|class|type|phase|factor|category|schedule)s? ([IVX]{1,4})(?![A-Za-z])|\b([IVX]{2,4})\b"
)


class Schedule(NamedTuple):
    """What a text says of how often, by period, and which halves and Roman numerals it has. `unsaid` are those
    that are often no more than an article: "a day"."""

    said: frozenset[str]
    unsaid: frozenset[str]

    def agrees(self, other: Schedule) -> bool:
        """Whether neither says anything that the other does not."""
        mine, theirs = self.said | self.unsaid, other.said | other.unsaid
        return self.said <= theirs and other.said <= mine


def schedule(text: str) -> Schedule:
    """Reads "every other day", "wöchentlich", "b.i.d." or 每日, in English, German, French, Spanish and
    Chinese."""
    said: set[str] = set()
    unsaid: set[str] = set()
    for match in _EVERY.finditer(text):
        if match["half"]:
            said.add("half")
        elif match["short"]:
            said.add(match["short"].lower().replace(".", ""))
        elif match["han"]:
            found = unsaid if match["han"] == "一" else said  # 一天三次 as well as 每天三次
            found.add(("other " if match["han"] == "隔" else "") + _PERIOD[match["of"]])
        else:
            period = _PERIOD[(match["alone"] or match["period"]).lower()]
            (unsaid if match["soft"] else said).add(("other " if match["other"] else "") + period)
    said |= {match[1] or match[2] for match in _ROMAN.finditer(text)}
    return Schedule(frozenset(said), frozenset(unsaid))
