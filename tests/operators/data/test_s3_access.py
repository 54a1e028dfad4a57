"""Keys for S3 that are given by hand: every file system takes them, and nothing shows them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass

import fsspec
import pytest
from fsspec.config import conf

from operators.data.containers import filesystem
from operators.data.s3 import S3Access, access_in_use, use_access
from operators.data.store import Store

ACCESS = S3Access(
    key="an-id", secret="a-secret", endpoint_url="http://store:8333", region="eu-central-1", verify=False
)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    use_access(None)


def test_every_file_system_takes_them() -> None:
    use_access(ACCESS)
    for fs in (Store("s3://b/store").fs, filesystem("s3://b/x.jsonl")[0], fsspec.filesystem("s3")):
        assert (fs.key, fs.secret, fs.endpoint_url) == ("an-id", "a-secret", "http://store:8333")
        assert fs.client_kwargs == {"region_name": "eu-central-1", "verify": False}


def test_new_keys_make_a_new_file_system() -> None:
    use_access(ACCESS)
    before = Store("s3://b/store").fs
    use_access(S3Access(key="another-id", secret="another"))
    after = Store("s3://b/store").fs
    assert (before.key, after.key, after.endpoint_url) == ("an-id", "another-id", None)


def test_what_the_user_configured_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(conf, "s3", {"anon": True, "requester_pays": True})
    use_access(ACCESS)
    assert conf["s3"]["requester_pays"]
    assert conf["s3"]["key"] == "an-id"
    use_access(None)
    assert conf["s3"] == {"anon": True, "requester_pays": True}
    assert access_in_use() is None


def test_options_of_the_client() -> None:
    access = S3Access(key="i", secret="s", token="t", config='{"s3": {"addressing_style": "path"}}')
    assert access.options() == {
        "key": "i",
        "secret": "s",
        "token": "t",
        "use_ssl": True,
        "config_kwargs": {"s3": {"addressing_style": "path"}},
    }


def test_they_are_not_shown() -> None:
    for shown in (repr(ACCESS), str(ACCESS), str([ACCESS]), ACCESS.model_dump_json(), str(ACCESS.model_dump())):
        assert "a-secret" not in shown
    assert not is_dataclass(ACCESS), "Ray Data would write its fields to a log"
    assert pickle.loads(pickle.dumps(ACCESS)) == ACCESS


def test_no_process_inherits_them() -> None:
    use_access(ACCESS)
    assert "a-secret" not in repr(dict(os.environ))
    code = "import s3fs; print(s3fs.S3FileSystem().key)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "None\n"
