"""Real services for the tests that need them, each started once for the whole test run."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from object_store import seaweedfs

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def third_party_operators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The package in tests/third_party, built and installed where this process and its workers find it."""
    from operators.teams.registry import operators

    source = tmp_path_factory.mktemp("third-party-source") / "package"
    shutil.copytree(HERE / "third_party", source)  # building writes beside the source
    target = tmp_path_factory.mktemp("third-party")
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert uv, "uv is part of the development environment"
    command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--offline", "--target", str(target), str(source)], check=True, timeout=120)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(target))
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(target), os.environ.get("PYTHONPATH")])))
        importlib.invalidate_caches()
        operators.cache_clear()  # the registry reads the installed packages once
        yield target
    operators.cache_clear()


@pytest.fixture(scope="session")
def local_ray(third_party_operators: Path) -> Iterator[None]:  # noqa: ARG001 - workers inherit its path
    """A local Ray whose workers can import the third-party operators."""
    from operators import jobs
    from operators.config import Cluster

    import ray  # isort: skip - `operators` sets its environment

    assert not ray.is_initialized(), "another test started Ray without this fixture"
    jobs.connect(Cluster(num_cpus=2))
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Prefect API server with an empty database; flows of this process report to it."""
    import operators  # noqa: F401 - its environment defaults must be in place before Prefect is imported

    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings  # isort: skip
    from prefect.testing.utilities import prefect_test_harness  # isort: skip

    home = tmp_path_factory.mktemp("prefect-home")
    with temporary_settings({PREFECT_HOME: home}), prefect_test_harness(server_startup_timeout=None):
        yield PREFECT_API_URL.value()


@pytest.fixture(scope="session")
def stack(prefect_server: str, local_ray: None) -> str:  # noqa: ARG001
    """Everything a search needs: Prefect and Ray. URL of the Prefect API."""
    return prefect_server


@pytest.fixture(scope="module")
def fs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real object store of a module's own, by the AWS_* variables."""
    import s3fs

    with seaweedfs(tmp_path_factory.mktemp("s3")) as access, pytest.MonkeyPatch.context() as patch:
        for name, value in access.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        yield s3fs.S3FileSystem()
    s3fs.S3FileSystem.clear_instance_cache()
