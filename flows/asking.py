"""Asking for an upload: the event from which a run of `on-upload` begins, noted in the ledger."""

from __future__ import annotations

from operators.intake.ledger import Ledger
from operators.intake.uploads import Upload
from tasks.events import send_created


def ask(upload: Upload, ledger: Ledger, attempt: int, *, anew: bool = False) -> bool:
    """Sends the upload's event with this number; False where somebody else does, or did. What could not be sent is
    not noted, and raises what `tasks.events.send` raises."""
    if not ledger.mark_asked(upload, attempt):
        return False
    try:
        send_created(upload, attempt, anew=anew)
    except BaseException:
        ledger.take_back(upload, attempt)
        raise
    return True


def ask_again(upload: Upload, ledger: Ledger) -> None:
    """Sends the event of an upload that waits no more. Until it is sent, the upload waits: nobody else would ask
    for one whose object is gone by now."""
    entry = ledger.entry(upload)
    ask(upload, ledger, max(entry.asked, entry.claims) + 1)  # an event whose id was seen lately would be dropped
    ledger.stop_waiting(upload)
