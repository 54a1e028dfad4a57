"""Drops records whose answers are in another language than the set's."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from pydantic import Field, StringConstraints

from operators.data.records import Record
from operators.errors import ConfigError
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params
from operators.text.code import without_code
from operators.text.language import CHARACTERS, identify, languages

_BATCH = 512


class LanguageFilterParams(Params):
    """Parameters of `language_filter`."""

    languages: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")], ...] = Field(
        (),
        max_length=100,
        description="ISO 639 codes to keep, such as en or zh; none: the set's own (`least_share`)",
    )
    least_share: float = Field(
        0.2,
        gt=0,
        le=1,
        description="Share of the answers from which a language is the set's own, besides the most frequent one",
    )
    min_probability: float = Field(
        0.6, ge=0.3, le=1, description="Probability from which the language is decided; below, a record is kept"
    )
    least_letters: int = Field(
        16, ge=1, le=CHARACTERS, description="Letters an answer has at least to be judged; shorter ones are kept"
    )


class LanguageFilter(Operator[LanguageFilterParams]):
    """Keeps the records that answer in the wanted languages, and those too short or mixed to say.

    Judged are the beginnings of all answers of a conversation together, without their code; a question may be
    in any language, as in a translation task. Touches all records: a clean record in another language is
    as little wanted. Not in the default chain: which languages belong in a set is the owner's to say.
    """

    name = "language_filter"
    team = Team.CLEANING
    params_type = LanguageFilterParams

    def judges_alone(self) -> bool:
        """Where the languages are named, not told from the set."""
        return bool(self.params.languages)

    def apply(self, records: list[Record], context: Context) -> list[Record]:
        unknown = set(self.params.languages) - languages()
        if unknown:
            raise ConfigError(
                f"operator {self.name}: languages: {', '.join(sorted(unknown))} is none of the languages that "
                "can be told apart; give ISO 639 codes such as en, de or zh"
            )
        found = []
        for start in range(0, len(records), _BATCH):
            context.progress(self.name, start, len(records))
            found += self._decided([_answers(r) for r in records[start : start + _BATCH]])
        wanted = set(self.params.languages) or self._of_the_set(found)
        self.count("undecided", sum(code is None for code in found))
        kept = [r for r, code in zip(records, found, strict=True) if code is None or code in wanted]
        self.count("other_language", len(records) - len(kept))
        return kept

    def _decided(self, texts: list[str]) -> list[str | None]:
        """Language of each text; None where it is too short or the model is not sure."""
        p = self.params
        long = [sum(map(str.isalpha, t)) >= p.least_letters for t in texts]
        sure = iter(identify([t for t, enough in zip(texts, long, strict=True) if enough]))
        codes = [next(sure) if enough else ("", 0.0) for enough in long]
        return [code if code and probability >= p.min_probability else None for code, probability in codes]

    def _of_the_set(self, found: list[str | None]) -> set[str]:
        counts = Counter(code for code in found if code is not None)
        most = max(counts.values(), default=0)
        least = min(most, self.params.least_share * counts.total())
        return {code for code, n in counts.items() if n >= least}


def _answers(record: Record) -> str:
    answers = [without_code(m.content).strip() for m in record.messages if m.role == "assistant"]
    share = CHARACTERS // max(1, len(answers))  # every turn has its part in what is read
    return "\n".join(a[: max(share, 1)] for a in answers)
