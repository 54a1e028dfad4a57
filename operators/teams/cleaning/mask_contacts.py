"""Hides e-mail addresses, telephone numbers, network addresses and identity numbers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from operators.data.records import Record
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params, map_contents
from operators.text.contacts import Kind, replace_contacts
from operators.text.spacing import normalise_spaces

_PLACEHOLDERS: dict[Kind, str] = {"email": "[EMAIL]", "phone": "[PHONE]", "ip": "[IP]", "id": "[ID]"}


class MaskContactsParams(Params):
    """Parameters of `mask_contacts`."""

    kinds: tuple[Kind, ...] = Field(
        ("email", "phone", "ip", "id"),
        min_length=1,
        description="What to look for; id: social security, card, bank, identity and record numbers",
    )
    action: Literal["mask", "remove", "drop"] = Field(
        "mask", description="Put a typed placeholder such as [EMAIL], remove the string, or drop the record"
    )


class MaskContacts(Operator[MaskContactsParams]):
    """Masks strings that lead to a person. Years, doses, ranges, dates and version numbers stay.

    Names and street addresses are not found: this is noise and leak reduction, no anonymization. Touches all
    records, also with `drop`: a contact is as wrong in a clean record.
    """

    name = "mask_contacts"
    team = Team.CLEANING
    params_type = MaskContactsParams

    def apply(self, records: list[Record], context: Context) -> list[Record]:  # noqa: ARG002
        kinds: frozenset[Kind] = frozenset(self.params.kinds)
        done = map_contents(records, lambda text: self._mask(text, kinds))
        if self.params.action != "drop":
            return done
        return [r for r, changed in zip(records, done, strict=True) if r is changed]

    def _mask(self, text: str, kinds: frozenset[Kind]) -> str:
        def replace(kind: Kind, _found: str) -> str:
            self.count(kind)
            return _PLACEHOLDERS[kind] if self.params.action == "mask" else ""

        masked = replace_contacts(text, kinds, replace)
        return normalise_spaces(masked) if masked != text and self.params.action == "remove" else masked
