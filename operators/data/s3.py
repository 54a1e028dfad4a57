"""The keys by which this process reaches S3, where the AWS_* variables are not to give them.

They go to s3fs by fsspec's own configuration: every file system made in this process takes them, Prefect's result
storage included, and no process that it starts inherits them.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

_PROTOCOL = "s3"


class S3Access(BaseModel):
    """Keys and place of an object store. It may be pickled to a worker; printed or as JSON it shows no secret."""

    model_config = ConfigDict(frozen=True)
    key: str = Field(repr=False)
    secret: SecretStr
    token: SecretStr | None = None
    endpoint_url: str | None = None
    """None: Amazon's, or AWS_ENDPOINT_URL."""
    region: str | None = None
    use_ssl: bool = True
    verify: bool | str | None = None
    """Whether the server's certificate is checked, or the file with the authorities to check it by."""
    config: str = "{}"
    """Further options of botocore's client, as a JSON object."""

    def options(self) -> dict[str, Any]:
        """As s3fs.S3FileSystem takes it."""
        client = {"region_name": self.region, "verify": self.verify}
        options = {
            "key": self.key,
            "secret": self.secret.get_secret_value(),
            "token": self.token and self.token.get_secret_value(),
            "endpoint_url": self.endpoint_url,
            "use_ssl": self.use_ssl,
            "client_kwargs": {k: v for k, v in client.items() if v is not None},
            "config_kwargs": json.loads(self.config),
        }
        return {k: v for k, v in options.items() if v not in (None, {})}


class _InUse:
    access: S3Access | None = None
    user: dict[str, Any] | None = None
    """What the user's own fsspec configuration says."""


def use_access(access: S3Access | None) -> None:
    """From here on this process reaches S3 by these keys. None: by what AWS_* and the user's files say."""
    from fsspec.config import conf

    if access == _InUse.access:
        return
    if _InUse.access is None:
        _InUse.user = conf.get(_PROTOCOL)
    if access is not None:
        conf[_PROTOCOL] = {**(_InUse.user or {}), **access.options()}
    elif _InUse.user is not None:
        conf[_PROTOCOL] = _InUse.user
    else:
        conf.pop(_PROTOCOL, None)
    _InUse.access = access


def access_in_use() -> S3Access | None:
    """What `use_access` was last given here."""
    return _InUse.access
