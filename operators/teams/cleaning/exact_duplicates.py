"""Removes records that say word for word what another one says."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

from pydantic import Field

from operators.data.records import Record, conversation_digest
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params
from operators.teams.cleaning.keeping import keep_order
from operators.text.forms import compatible

# A point that opens a number is none of the noise: ".5 mg" is a tenth of "5 mg".
_NOISE = re.compile(r"""(?:[\s,;:!?"'。，！？；：、“”‘’]|\.(?!\d)|(?<=\w)\.)+""")


class ExactDuplicatesParams(Params):
    """Parameters of `exact_duplicates`."""

    normalise: bool = Field(True, description="Ignore letter case, spaces, commas, stops, quotes and Unicode form")
    keep: Literal["first", "best"] = Field(
        "best",
        description="Which copy stays: the first, or the clean one, then the most careful, then the longest",
    )


class ExactDuplicates(Operator[ExactDuplicatesParams]):
    """Keeps one of the records whose conversations are equal, role by role. The quality flag only ranks copies."""

    name = "exact_duplicates"
    team = Team.CLEANING
    version = 3
    params_type = ExactDuplicatesParams

    def apply(self, records: list[Record], context: Context) -> list[Record]:  # noqa: ARG002
        seen: set[bytes] = set()
        kept = []
        for i in keep_order(records, self.params.keep).tolist():
            key = self._key(records[i])
            if key not in seen:
                seen.add(key)
                kept.append(i)
        self.count("exact_duplicates", len(records) - len(kept))
        return [records[i] for i in sorted(kept)]

    def _key(self, record: Record) -> bytes:
        if not self.params.normalise:
            return bytes.fromhex(conversation_digest(record))
        h = hashlib.sha256()
        for m in record.messages:
            text = _NOISE.sub(" ", compatible(m.content).casefold()).strip()
            # A text of nothing but symbols is compared by them.
            h.update(f"{m.role}\0{text or m.content}\0".encode("utf-8", "surrogatepass"))
        return h.digest()
