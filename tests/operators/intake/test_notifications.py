"""Notifications in the shapes that stores send. SeaweedFS's are as version 4.48 sent them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.errors import DataError
from operators.intake.notifications import created_objects

ETAG = "de6224f73589e9f1a1800d0dbee75a0b"


def s3(name: str = "ObjectCreated:Put", key: str = "up/a+b%2Bc.jsonl") -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": "corpus"}, "object": {"key": key, "size": 8, "eTag": ETAG}},
    }


SEAWEED = {
    "event_type": "create",
    "key": "/buckets/corpus/up/a b+c.jsonl",
    "message": {
        "new_entry": {
            "name": "a b+c.jsonl",
            "chunks": [{"size": 8, "e_tag": "3mIk9zWJ6fGhgA0NvudaCw==", "fid": {"volume_id": 1}}],
            "attributes": {"file_size": 8, "mtime": 1795635543, "md5": "3mIk9zWJ6fGhgA0NvudaCw=="},
            "extended": {"Seaweed-X-Amz-ETag": "ZGU2MjI0ZjczNTg5ZTlmMWExODAwZDBkYmVlNzVhMGI="},
        },
        "delete_chunks": True,
        "new_parent_path": "/buckets/corpus/up",
    },
}
EVENT_BRIDGE = {
    "version": "0",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "detail": {"bucket": {"name": "corpus"}, "object": {"key": "up/a b+c.jsonl", "size": 8, "etag": ETAG}},
}
MINIO = {
    "EventName": "s3:ObjectCreated:Put",
    "Key": "corpus/up/a b+c.jsonl",
    "Records": [s3("s3:ObjectCreated:Put")],
}
SNS = {"Type": "Notification", "TopicArn": "arn", "Message": json.dumps({"Records": [s3()]})}


@pytest.mark.parametrize("message", [{"Records": [s3()]}, MINIO, SNS, EVENT_BRIDGE, SEAWEED])
def test_every_shape_names_the_same_upload(message: dict[str, Any]) -> None:
    (created,) = created_objects(json.dumps(message).encode())
    upload = created.upload()
    assert upload is not None
    assert (upload.uri, upload.etag, upload.size) == ("s3://corpus/up/a b+c.jsonl", ETAG, 8)


@pytest.mark.parametrize(
    "message",
    [
        {"Records": [s3("ObjectRemoved:Delete"), s3("ObjectTagging:Put")]},
        {"Records": []},
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "corpus"},
        {"Type": "SubscriptionConfirmation", "SubscribeURL": "http://169.254.169.254/"},
        {**EVENT_BRIDGE, "detail-type": "Object Deleted"},
        {**EVENT_BRIDGE, "source": "someone.else"},
        {**SEAWEED, "event_type": "delete"},
        {
            **SEAWEED,
            "message": {"new_entry": {"name": "u", "is_directory": True}, "new_parent_path": "/buckets/c"},
        },
        {**SEAWEED, "message": {"new_entry": {"name": "x.jsonl"}, "new_parent_path": "/etc"}},
        {**SEAWEED, "message": {"new_entry": {"name": "0001.part"}, "new_parent_path": "/buckets/c/.uploads/9"}},
    ],
)
def test_what_creates_nothing(message: dict[str, Any]) -> None:
    assert created_objects(json.dumps(message).encode()) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"7",
        b'"secret"',
        b"{",
        b'{"a": 1}',
        b'{"Records": [{}]}',
        b'{"Records": 5}',
        b"\xff",
        b"[" * 99999,
    ],
)
def test_anything_else_is_refused_without_being_quoted(body: bytes) -> None:
    with pytest.raises(DataError) as refused:
        created_objects(body)
    assert "secret" not in str(refused.value)
    assert "S3, MinIO, SeaweedFS or EventBridge" in str(refused.value)


def test_a_huge_batch_is_refused() -> None:
    with pytest.raises(DataError, match="1000 objects"):
        created_objects(json.dumps({"Records": [s3()] * 1001}).encode())


KEYS = st.sampled_from(["Records", "s3", "detail", "detail-type", "event_type", "message", "Type", "Message"])
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None, max_examples=60)
@given(VALUES)
def test_no_body_does_anything_but_parse_or_be_refused(value: Any) -> None:
    with contextlib.suppress(DataError):
        created_objects(json.dumps(value).encode())
