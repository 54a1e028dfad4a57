"""Input, store, results and output on a real S3 server whose keys only a Prefect block has."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Outcome, autodp_process
from evidence import leaks, of_files, of_prefect
from object_store import BUCKET, seaweedfs
from tiny import rows, settings, write_config

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]

BLOCK = "aws-credentials/of-the-test"
CHAINS: dict[str, Any] = {
    "cleaning": [{"name": "fix_text"}],
    "generation": [],
    "optimization": [],
    "selection": [],
}


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with seaweedfs(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    # What a user of this machine has in files is none of this test's.
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_a_search_by_a_block(
    prefect_server: str,
    access: dict[str, str],
    no_aws: None,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import s3fs
    from prefect_aws import AwsClientParameters, AwsCredentials

    fs = s3fs.S3FileSystem(
        endpoint_url=access["AWS_ENDPOINT_URL"],
        key=access["AWS_ACCESS_KEY_ID"],
        secret=access["AWS_SECRET_ACCESS_KEY"],
    )
    made = rows(70)
    for name, lines in (("train", made[:40]), ("evaluation", made[40:])):
        fs.pipe_file(f"{BUCKET}/in/{name}.jsonl", "".join(json.dumps(r) + "\n" for r in lines).encode())
    AwsCredentials(
        aws_access_key_id=access["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=access["AWS_SECRET_ACCESS_KEY"],
        region_name=access["AWS_DEFAULT_REGION"],
        aws_client_parameters=AwsClientParameters(endpoint_url=access["AWS_ENDPOINT_URL"]),
    ).save("of-the-test")
    config = write_config(
        tmp_path,
        data={"input": f"s3://{BUCKET}/in/train.jsonl", "evaluation": f"s3://{BUCKET}/in/evaluation.jsonl"},
        store=f"s3://{BUCKET}/store",
        output=f"s3://{BUCKET}/runs",
        teams=CHAINS,
        strategist={"kind": "exhaustive"},
        budget={"trials_per_round": 1},
    )

    def search(name: str) -> Outcome:
        done = autodp_process(prefect_server, "search", config, "--name", name, timeout=900)
        assert done.code == 0, done.err
        return done

    def published(name: str) -> Any:
        fs.invalidate_cache()
        return json.loads(fs.cat_file(f"{BUCKET}/runs/{name}/search.json"))

    # A short path: Ray's sockets lie below it.
    with tempfile.TemporaryDirectory(prefix="ray-") as ray:
        monkeypatch.setenv("RAY_TMPDIR", ray)
        monkeypatch.setenv("AUTODP_S3_BLOCK", BLOCK)
        monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")  # all that could be said, to the server
        said = [search("first"), search("second")]
        worker_logs = of_files(Path(ray).rglob("*.*"))
    first, second = published("first"), published("second")
    assert first["data"]["rows"] == 40
    assert first["work"]["fine_tunes_executed"] > 0
    assert second["work"]["fine_tunes_executed"] == second["work"]["team_runs_executed"] == 0, "all was found"
    assert second["trials"][0]["score"] == first["trials"][0]["score"]
    for place in ("store/results", "store/objects", "runs/first/recipe.yaml", "runs/first/processed.jsonl"):
        assert fs.exists(f"{BUCKET}/{place}")

    # Only the Prefect server has the keys, and it keeps them encrypted.
    assert b"worker" in worker_logs
    evidence = {
        **of_prefect(),
        "Ray's files": worker_logs,
        "what was printed": "".join(o.out + o.err for o in said).encode(),
        "the bucket": b"\n".join(fs.cat(fs.find(BUCKET)).values()),
        "names in the bucket": "\n".join(fs.find(BUCKET)).encode(),
    }
    secret = access["AWS_SECRET_ACCESS_KEY"]
    assert {place: found for place, data in evidence.items() if (found := leaks(data, [secret]))} == {}


def test_without_its_block_a_search_says_what_to_do(
    prefect_server: str,
    no_aws: None,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AUTODP_S3_BLOCK", "aws-credentials/forgotten")
    config = write_config(tmp_path, data=settings(tmp_path)["data"])
    said = autodp_process(prefect_server, "search", config).error
    assert said.startswith(
        "error: AUTODP_S3_BLOCK=aws-credentials/forgotten: the Prefect server has no such block"
    )
