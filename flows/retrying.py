"""Asking once more for uploads that have ended, such as for a reason that has been mended since."""

from __future__ import annotations

from flows.asking import ask
from operators.errors import DataError
from operators.intake.ledger import Ledger
from operators.intake.uploads import find_upload
from tasks.s3_block import use_s3_block


def retry_upload(uri: str, store: str) -> None:
    """What `autodp retry` does: forgets how the object in its present version ended, and tells of it anew.

    Its end may have been a missing recipe or setting, or another version that took its place for a while: the
    object is the same, so storing it again would change nothing. Raises DataError where there is no such object,
    or it has not ended.
    """
    use_s3_block()
    upload = find_upload(uri)
    if upload is None:
        raise DataError(f"{uri}: no such object; upload it again")
    ledger = Ledger(store)
    if not ledger.reopen(upload):
        raise DataError(f"{uri}: has no end yet in the store {store}, so there is nothing to retry")
    ask(upload, ledger, 1, anew=True)
