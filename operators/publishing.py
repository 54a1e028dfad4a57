"""What a search hands over, written to its output directory."""

from __future__ import annotations

import contextlib
import posixpath
from typing import Any

import yaml

from operators.data.store import Store
from operators.results import Recipe


class Output:
    """Files below `<root>`, a path or a URL that fsspec understands. Each is complete or absent."""

    def __init__(self, root: str) -> None:
        # The store's own writes are atomic on both kinds of file system; here names are chosen, not digests.
        self.root = Store(root).root

    def uri(self, name: str) -> str:
        """Where the named file lies."""
        return posixpath.join(self.root, name)

    def write(self, name: str, data: bytes | str) -> None:
        """Writes one file atomically."""
        from operators.data.containers import atomic_file

        with atomic_file(self.uri(name)) as partial:
            partial.write_bytes(data.encode() if isinstance(data, str) else data)

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""
        from operators.data.containers import filesystem

        fs, path = filesystem(self.uri(name))
        with contextlib.suppress(FileNotFoundError):
            fs.rm_file(path)

    def keep_alone(self, name: str) -> None:
        """Removes a set that was written under this name from another kind of file. What else is named like it, a
        file that somebody set aside, stays."""
        from operators.data.containers import SUFFIXES, filesystem

        fs, root = filesystem(self.root)
        stem = name.partition(".")[0]
        for other in (f"{stem}{suffix}{zipped}" for suffix in SUFFIXES for zipped in ("", ".gz")):
            if other != name:
                self.remove(other)
        saved = posixpath.join(root, stem)
        if stem != name and fs.exists(f"{saved}/state.json"):  # by `datasets`
            fs.rm(saved, recursive=True)


def read_bytes(uri: str) -> bytes:
    """A file's bytes, local or remote. Raises DataError where it cannot be read."""
    from operators.data.containers import failures_named, open_binary

    with failures_named(uri, "read"), open_binary(uri) as f:
        return f.read()


def recipe_yaml(recipe: Recipe) -> str:
    """The recipe as YAML, in the order of its fields."""
    values: dict[str, Any] = recipe.model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def read_recipe(uri: str) -> Recipe:
    """Reads and checks a recipe. Raises ConfigError naming the file, the key and the fix."""
    from pydantic import ValidationError

    from operators.errors import ConfigError

    try:
        values = yaml.safe_load(read_bytes(uri).decode("utf-8"))
        return Recipe.model_validate(values)
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigError(f"{uri}: not valid YAML") from None
    except ValidationError as e:
        wrong = "; ".join(f"{'.'.join(map(str, x['loc'])) or 'recipe'}: {x['msg']}" for x in e.errors())
        raise ConfigError(f"{uri}: not a usable recipe: {wrong}") from None
