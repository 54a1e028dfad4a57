"""S3 keys from a Prefect block: named by the environment, read by each flow, kept by the server alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr, ValidationError

from operators.data.s3 import S3Access, use_access
from operators.errors import ConfigError

if TYPE_CHECKING:
    from prefect_aws import AwsCredentials, MinIOCredentials, S3Bucket

VARIABLE = "AUTODP_S3_BLOCK"


def use_s3_block() -> None:
    """Reaches S3 by the block that $AUTODP_S3_BLOCK names; without the variable, as AWS_* say.

    Every flow begins with it, so a changed block counts from the next run on. Raises ConfigError where the block
    is not there or holds no keys.
    """
    name = os.environ.get(VARIABLE)
    use_access(_access(name) if name else None)


def _access(name: str) -> S3Access:
    from prefect_aws import AwsCredentials, S3Bucket  # 1.4 s, for those who use a block

    block = _load(name)
    holder = block.credentials if isinstance(block, S3Bucket) else block
    token = None
    if isinstance(holder, AwsCredentials):
        if holder.assume_role_arn:
            raise ConfigError(
                f"{VARIABLE}={name}: the block assumes a role, whose keys may end before a search does; give it "
                "keys of its own, or give the role to the machines and unset the variable"
            )
        key, secret, token = holder.aws_access_key_id, holder.aws_secret_access_key, holder.aws_session_token
    else:
        key, secret = holder.minio_root_user, holder.minio_root_password
    if not key or not secret or not secret.get_secret_value():
        raise ConfigError(
            f"{VARIABLE}={name}: the block lacks the access key ID or its secret; fill in both in the Prefect UI, "
            "or unset the variable to take the AWS_* environment variables"
        )
    client = holder.aws_client_parameters
    authorities = client.verify_cert_path or client.verify
    return S3Access(
        key=key,
        secret=secret,
        token=SecretStr(token) if token else None,
        endpoint_url=client.endpoint_url,
        region=holder.region_name,
        use_ssl=client.use_ssl,
        verify=str(authorities) if isinstance(authorities, Path) else authorities,
        config=json.dumps(client.config or {}, sort_keys=True),
    )


def _load(name: str) -> AwsCredentials | MinIOCredentials | S3Bucket:
    from prefect_aws import AwsCredentials, MinIOCredentials, S3Bucket

    kinds: dict[str, Any] = {k.get_block_type_slug(): k for k in (AwsCredentials, MinIOCredentials, S3Bucket)}
    kind, _, document = name.partition("/")
    if kind not in kinds or not document:
        wanted = ", ".join(f"{k}/NAME" for k in kinds)
        raise ConfigError(f"{VARIABLE}={name}: names no block that holds S3 keys; expected one of {wanted}")
    try:
        return kinds[kind].load(document)
    except RuntimeError as e:
        if not isinstance(e.__cause__, ValidationError):
            raise
        fields = ", ".join(".".join(map(str, x["loc"])) for x in e.__cause__.errors(include_input=False))
        problem = f"the block cannot be used as it is ({fields}); edit it in the Prefect UI"
    except ValueError:
        problem = (
            "the Prefect server has no such block; make it under Blocks in its UI (after `prefect block register "
            "-m prefect_aws`), or unset the variable to take the AWS_* environment variables"
        )
    # Outside the except blocks: what they caught may quote what the block holds.
    raise ConfigError(f"{VARIABLE}={name}: {problem}")
