"""S3 keys from a block of a real Prefect server."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

import pytest

from operators.data.s3 import access_in_use, use_access
from operators.errors import ConfigError

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("prefect_server")]

SECRET = "zqxo-block-secret"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    use_access(None)


def use(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from tasks.s3_block import VARIABLE, use_s3_block

    monkeypatch.setenv(VARIABLE, name)
    use_s3_block()


def refusal(monkeypatch: pytest.MonkeyPatch, name: str) -> str:
    """The one sentence; nothing of the block is anywhere in the exception."""
    with pytest.raises(ConfigError) as refused:
        use(monkeypatch, name)
    assert SECRET not in "".join(traceback.format_exception(refused.value))
    assert refused.value.__context__ is None
    assert access_in_use() is None
    assert str(refused.value).startswith(f"AUTODP_S3_BLOCK={name}: ")
    return str(refused.value)


def test_aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect_aws import AwsClientParameters, AwsCredentials

    AwsCredentials(
        aws_access_key_id="an-id",
        aws_secret_access_key=SECRET,
        aws_session_token="a-token",
        region_name="eu-central-1",
        aws_client_parameters=AwsClientParameters(
            endpoint_url="http://store:8333", config={"s3": {"addressing_style": "path"}}
        ),
    ).save("whole", overwrite=True)
    use(monkeypatch, "aws-credentials/whole")
    assert (access := access_in_use())
    assert access.options() == {
        "key": "an-id",
        "secret": SECRET,
        "token": "a-token",
        "endpoint_url": "http://store:8333",
        "use_ssl": True,
        "client_kwargs": {"region_name": "eu-central-1"},
        "config_kwargs": {"s3": {"addressing_style": "path"}},
    }


def test_a_changed_block_counts_from_the_next_flow_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect_aws import AwsCredentials

    from tasks.durable import result_storage
    from tasks.s3_block import VARIABLE, use_s3_block

    for key in ("first", "second"):
        AwsCredentials(aws_access_key_id=key, aws_secret_access_key=SECRET).save("changing", overwrite=True)
        use(monkeypatch, "aws-credentials/changing")
        storage = result_storage("s3://bucket/store")
        assert storage.filesystem.key == key, "Prefect's result storage has them"
        assert storage.settings == {}, "the block that Prefect keeps of it has not"
    monkeypatch.delenv(VARIABLE)
    use_s3_block()
    assert access_in_use() is None


def test_minio_credentials_and_a_bucket_that_holds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect_aws import MinIOCredentials, S3Bucket

    minio = MinIOCredentials(minio_root_user="root", minio_root_password=SECRET)
    minio.save("minio", overwrite=True)
    S3Bucket(bucket_name="b", credentials=minio).save("bucket", overwrite=True)
    for name in ("minio-credentials/minio", "s3-bucket/bucket"):
        use_access(None)
        use(monkeypatch, name)
        assert (access := access_in_use())
        assert (access.key, access.secret.get_secret_value()) == ("root", SECRET)


@pytest.mark.parametrize("name", ["autodp", "aws-credentials/", "slack-webhook/autodp", "aws-credentials"])
def test_a_name_that_cannot_be_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert "aws-credentials/NAME, minio-credentials/NAME, s3-bucket/NAME" in refusal(monkeypatch, name)


def test_a_block_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect_aws import AwsCredentials

    AwsCredentials(aws_access_key_id="an-id", aws_secret_access_key=SECRET).save("there", overwrite=True)
    said = refusal(monkeypatch, "aws-credentials/not-there")
    assert "no such block; make it" in said
    assert "prefect block register -m prefect_aws" in said


@pytest.mark.parametrize("given", [{}, {"aws_access_key_id": "an-id"}, {"aws_secret_access_key": SECRET}])
def test_a_block_without_keys(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    from prefect_aws import AwsCredentials

    AwsCredentials(**given).save("half", overwrite=True)
    assert "lacks the access key ID or its secret; fill in both" in refusal(monkeypatch, "aws-credentials/half")


def test_a_block_that_does_not_validate(monkeypatch: pytest.MonkeyPatch, prefect_server: str) -> None:
    import httpx
    from prefect_aws import MinIOCredentials

    saved = MinIOCredentials(minio_root_user="root", minio_root_password=SECRET).save("broken", overwrite=True)
    data = {"data": {"minio_root_user": None}, "merge_existing_data": True}
    httpx.patch(f"{prefect_server}/block_documents/{saved}", json=data).raise_for_status()
    assert "cannot be used as it is (minio_root_user)" in refusal(monkeypatch, "minio-credentials/broken")


def test_a_role_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect_aws import AwsCredentials

    AwsCredentials(assume_role_arn="arn:aws:iam::123456789012:role/x").save("role", overwrite=True)
    assert "assumes a role" in refusal(monkeypatch, "aws-credentials/role")
