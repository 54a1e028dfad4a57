"""Notifications of object stores: whatever shape they come in, the uploads they tell of.

Shapes: the event message of Amazon S3 ("Records", structure version 2.x), which MinIO sends as well; the same in
an SNS envelope; the "Object Created" event of EventBridge; and SeaweedFS's filer event (a path under /buckets).
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from pydantic import BaseModel, ConfigDict, ValidationError

from operators.errors import DataError
from operators.intake.uploads import Upload, find_upload

MAX_RECORDS = 1000
"""Objects of one notification; Amazon sends one, others batch some."""


class Created(BaseModel):
    """An object that a notification says was written. Its version may be left out."""

    model_config = ConfigDict(frozen=True)
    bucket: str
    key: str
    etag: str | None = None
    size: int | None = None

    @property
    def uri(self) -> str:
        """The object's s3:// URL."""
        return f"s3://{self.bucket}/{self.key}"

    def upload(self) -> Upload | None:
        """The version written. The store is asked where the notification does not tell its ETag; None where it is
        gone already."""
        if self.etag:
            return Upload(uri=self.uri, etag=self.etag, size=self.size)
        return find_upload(self.uri)


def created_objects(body: bytes) -> list[Created]:
    """The objects written, of one notification; of deletions, tests and subscriptions an empty list.

    Raises DataError where the body is not a notification of a known shape. The message quotes nothing of it.
    """
    try:
        message = json.loads(body)
        if isinstance(message, dict) and message.get("Type") == "Notification":
            message = json.loads(message["Message"])  # SNS
        found = list(_created(message))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ValidationError):
        raise DataError("not a notification of S3, MinIO, SeaweedFS or EventBridge: check what sends it") from None
    if len(found) > MAX_RECORDS:
        raise DataError(f"the notification tells of more than {MAX_RECORDS} objects: send it in parts")
    return found


def _created(message: Mapping[str, Any]) -> Iterator[Created]:
    if "Records" in message:
        yield from _s3(message["Records"])
    elif "detail-type" in message:
        yield from _event_bridge(message)
    elif "event_type" in message:
        yield from _seaweedfs(message)
    elif message.get("Event") != "s3:TestEvent" and message.get("Type") != "SubscriptionConfirmation":
        raise KeyError


def _s3(records: list[dict[str, Any]]) -> Iterator[Created]:
    for record in records:
        # "ObjectCreated:Put" at Amazon, "s3:ObjectCreated:Put" at MinIO.
        if record["eventName"].removeprefix("s3:").startswith("ObjectCreated:"):
            s3 = record["s3"]
            yield Created(
                bucket=s3["bucket"]["name"],
                key=unquote_plus(s3["object"]["key"]),  # the one shape whose keys are URL-encoded
                etag=s3["object"].get("eTag"),
                size=s3["object"].get("size"),
            )


def _event_bridge(message: Mapping[str, Any]) -> Iterator[Created]:
    if message["source"] == "aws.s3" and message["detail-type"] == "Object Created":
        detail = message["detail"]
        yield Created(
            bucket=detail["bucket"]["name"],
            key=detail["object"]["key"],
            etag=detail["object"].get("etag"),
            size=detail["object"].get("size"),
        )


def _seaweedfs(message: Mapping[str, Any]) -> Iterator[Created]:
    """A filer tells of every file and folder, by its place under /buckets."""
    if message["event_type"] not in ("create", "update", "rename"):
        return
    details = message["message"]
    entry = details.get("new_entry") or {}
    place = f"{details.get('new_parent_path', '')}/{entry.get('name', '')}"
    bucket, _, key = place.removeprefix("/buckets/").partition("/")
    # The parts of a multipart upload lie under .uploads until it is complete.
    if entry.get("is_directory") or not place.startswith("/buckets/") or not key or key.startswith(".uploads/"):
        return
    etag = (entry.get("extended") or {}).get("Seaweed-X-Amz-ETag")
    yield Created(
        bucket=bucket,
        key=key,
        etag=b64decode(etag, validate=True).decode("ascii") if etag else None,
        size=(entry.get("attributes") or {}).get("file_size"),
    )
