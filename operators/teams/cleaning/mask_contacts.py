"""Hides e-mail addresses, telephone numbers, network addresses and identity numbers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from operators.data.records import Record, Role
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params
from operators.text.contact_lines import drop_contact_lines
from operators.text.contacts import Kind, replace_contacts
from operators.text.spacing import normalise_spaces_outside_code

_PLACEHOLDERS: dict[Kind, str] = {"email": "[EMAIL]", "phone": "[PHONE]", "ip": "[IP]", "id": "[ID]"}
# Noncharacters: they stand for contacts while the text around them is looked at.
_MARKS: dict[Kind, str] = {"email": "\ufdea", "phone": "\ufdeb", "ip": "\ufdec", "id": "\ufded"}
_ALL_MARKS = "".join(_MARKS.values())
_MASKED = str.maketrans({_MARKS[kind]: placeholder for kind, placeholder in _PLACEHOLDERS.items()})
_REMOVED = str.maketrans(dict.fromkeys(_ALL_MARKS, ""))


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
    lines: bool = Field(
        True,
        description='Remove lines of an answer that hold little but contacts, such as "Questions? Mail ..."',
    )


class MaskContacts(Operator[MaskContactsParams]):
    """Masks strings that lead to a person. Years, doses, ranges, dates and version numbers stay.

    Names and street addresses are not found: this is noise and leak reduction, no anonymization. Touches all
    records, also with `drop`: a contact is as wrong in a clean record.
    """

    name = "mask_contacts"
    team = Team.CLEANING
    version = 4
    params_type = MaskContactsParams
    rowwise = True

    def apply(self, records: list[Record], context: Context) -> list[Record]:  # noqa: ARG002
        kinds: frozenset[Kind] = frozenset(self.params.kinds)
        done = [r.with_contents([self._mask(m.content, m.role, kinds) for m in r.messages]) for r in records]
        if self.params.action != "drop":
            return done
        return [r for r, changed in zip(records, done, strict=True) if r is changed]

    def _mask(self, text: str, role: Role, kinds: frozenset[Kind]) -> str:
        found = 0

        def replace(kind: Kind, _found: str) -> str:
            nonlocal found
            found += 1
            self.count(kind)
            return _MARKS[kind]

        marked = replace_contacts(text, kinds, replace)
        if not found:
            return text
        shorter = marked
        if self.params.lines and self.params.action != "drop" and role == "assistant":
            shorter = drop_contact_lines(marked, _ALL_MARKS)
        # The marks go first: they are characters that `outside_code` keeps for itself.
        done = shorter.translate(_REMOVED if self.params.action == "remove" else _MASKED)
        if shorter != marked:
            self.count("lines")
        elif self.params.action != "remove":
            return done
        return normalise_spaces_outside_code(done)
