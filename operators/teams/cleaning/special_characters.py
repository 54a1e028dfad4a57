"""Removes symbols that carry no language."""

from __future__ import annotations

from pydantic import Field

from operators.data.records import Record
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params, to_process
from operators.text.code import looks_like_code, outside_code, without_code
from operators.text.spacing import normalise_spaces_outside_code
from operators.text.symbols import remove_symbols, symbol_share

_SHORT = 16
_ROUNDS = 4


class SpecialCharactersParams(Params):
    """Parameters of `special_characters`."""

    remove: bool = Field(True, description="Remove decoration, unshowable characters and runs of symbols")
    max_share: float = Field(
        0.4,
        gt=0,
        le=1,
        description="Drop a record where symbols are more than this share of an answer; 1: never",
    )


class SpecialCharacters(Operator[SpecialCharactersParams]):
    """Removes decoration and runs of symbols, and drops answers that are mostly symbols.

    Letters, marks, digits and punctuation of every script, mathematics, currencies and emoji stay, and so do
    code (fenced, or by its looks) and Markdown. So do signs that mean something where they stand: "▲ 3.2%",
    "¶ 12", a rating in stars. Text repair touches all records and empties none; dropping honours the flag.
    """

    name = "special_characters"
    team = Team.CLEANING
    version = 4
    params_type = SpecialCharactersParams
    rowwise = True

    def apply(self, records: list[Record], context: Context) -> list[Record]:  # noqa: ARG002
        p = self.params
        kept = []
        for record in records:
            cleaned = record.with_contents([_clean(m.content) for m in record.messages]) if p.remove else record
            if p.max_share < 1 and to_process(record) and self._is_noise(record.answer, cleaned.answer):
                self.count("mostly_symbols")
                continue
            # A symbol may be all there is to say.
            kept.append(
                cleaned.with_contents(
                    [
                        new.content or old.content
                        for new, old in zip(cleaned.messages, record.messages, strict=True)
                    ]
                )
            )
        return kept

    def _is_noise(self, answer: str, cleaned: str) -> bool:
        if not cleaned:
            return bool(answer)  # there was nothing but symbols
        prose = without_code(cleaned)
        # Formulas and one-sign answers are short.
        return len(prose) >= _SHORT and symbol_share(prose) > self.params.max_share and not looks_like_code(prose)


def _clean(text: str) -> str:
    for _ in range(_ROUNDS):  # what is left may stand together anew; the end is a fixed point
        cleaned = outside_code(text, remove_symbols)
        if cleaned == text or looks_like_code(without_code(text)):
            break
        text = normalise_spaces_outside_code(cleaned)
    return text
