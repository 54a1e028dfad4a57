"""Settings from a YAML file and from overrides on the command line."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from operators.config.search import SearchConfig
from operators.config.settings import Settings
from operators.errors import ConfigError


def load_config(path: str | Path, overrides: list[str] | None = None) -> SearchConfig:
    """Reads a YAML file, then applies `a.b=value` overrides (values are YAML).

    `${NAME}` in a value stands for an environment variable. Raises ConfigError naming the file, the key and what
    is expected.
    """
    values = read_yaml(path)
    for item in overrides or []:
        override(values, item)
    return parse(SearchConfig, values, str(path))


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Keys and values of a YAML file, `${NAME}` in them replaced by environment variables, whatever these hold.
    Raises ConfigError, also for a key that is given twice."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{file}: cannot be read ({type(e).__name__}); give a YAML file") from None
    try:
        values = yaml.load(text, _Loader) or {}
    except _RepeatedKey as e:
        raise ConfigError(f"{file}: {e}") from None
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{file}: not valid YAML{place}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{file}: expected keys and values at the top, found a {type(values).__name__}")
    return {key: _filled(value, file) for key, value in values.items()}


class _RepeatedKey(Exception):
    """Of a mapping, which YAML would give the last of its values."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice: one of its values would be ignored."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        places: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            line = key.start_mark.line + 1
            if (first := places.get(key.value)) is not None:
                raise _RepeatedKey(f"line {line} gives {key.value} again, after line {first}: join them in one")
            places[key.value] = line
        return super().construct_mapping(node, deep)


def _filled(value: Any, file: Path) -> Any:
    """The value with environment variables in the texts of it. A text that is a number is taken for one where
    the setting is one."""
    if isinstance(value, dict):
        return {k: _filled(v, file) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, file) for v in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda m: _environment(m[1], file), value)
    return value


S = TypeVar("S", bound=Settings)


def parse(model: type[S], values: dict[str, Any], source: str) -> S:
    """Builds settings. Raises ConfigError with every wrong key and what it should be."""
    try:
        return model.model_validate(values)
    except ValidationError as e:
        wrong = "; ".join(f"{'.'.join(map(str, x['loc'])) or 'config'}: {x['msg']}" for x in e.errors())
        raise ConfigError(f"{source}: {wrong}") from None


def _environment(name: str, file: Path) -> str:
    if name not in os.environ:
        raise ConfigError(f"{file}: the environment variable {name} is not set")
    return os.environ[name]


def override(values: dict[str, Any], item: str) -> None:
    """Sets one `a.b=value` in nested keys. Raises ConfigError where it is not of that form."""
    key, sep, value = item.partition("=")
    if not sep or not key:
        raise ConfigError(f"--set {item!r}: expected a.b=value")
    *parents, last = key.split(".")
    place = values
    for name in parents:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {item!r}: {name} holds a value, not keys")
    try:
        place[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(
            f"--set {item!r}: what follows the = is not YAML; look at its brackets and quotes"
        ) from None
