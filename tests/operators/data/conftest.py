"""A real S3 server for the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from object_store import seaweedfs


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """SeaweedFS on free ports of the loopback interface; the AWS_* variables to reach it."""
    with seaweedfs(tmp_path_factory.mktemp("s3")) as access:
        yield access
