"""A build step of prefect.yaml: the parameters of one environment, from its file under deployments/."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from operators.config import read_yaml
from operators.errors import ConfigError

VARIABLE = "AUTODP_ENVIRONMENT"


def environment(folder: str = "deployments") -> dict[str, Any]:
    """The values of `<folder>/<environment>.yaml`; $AUTODP_ENVIRONMENT names the environment, else "local".

    `${NAME}` in the file stands for an environment variable of whoever deploys, and a relative `working_dir` is
    below the directory that is deployed from. Raises ConfigError where the file is missing or a variable not set.
    """
    name = os.environ.get(VARIABLE, "local")
    path = Path(folder) / f"{name}.yaml"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in Path(folder).glob("*.yaml")))
        raise ConfigError(f"{VARIABLE}={name}: there is no {path}; environments are {there or 'none'}")
    values = read_yaml(path)
    if "working_dir" in values:
        values["working_dir"] = str(Path(values["working_dir"]).resolve())
    return values
