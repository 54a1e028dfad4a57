"""What the command line says, word for word."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from command_line import autodp
from rich.console import Console

from flows.console import ConsoleListener

BRACKETS = ["x[draft].yaml", "x[/y].yaml", "x[bold].yaml", ":smiley:.yaml"]


@pytest.mark.parametrize("name", BRACKETS)
def test_brackets_in_a_path_are_no_markup(name: str) -> None:
    done = autodp("search", name)
    assert done.code == 1
    assert name in done.error


def test_brackets_in_a_result_are_no_markup(tmp_path: Path) -> None:
    place = tmp_path / "set[draft]"
    done = autodp("example", place, "--rows", "20")
    assert done.code == 0, done.err
    assert str(place) in done.out.replace("\n", "")


@pytest.mark.parametrize("name", BRACKETS)
@pytest.mark.parametrize("terminal", [True, False])
def test_brackets_in_progress_are_no_markup(name: str, terminal: bool) -> None:
    out = io.StringIO()
    listener = ConsoleListener(Console(file=out, force_terminal=terminal, width=120, color_system=None))
    listener.say(f"read {name}")
    with listener.bars:
        listener.update(f"load {name}", 1, 2)
        listener.bars.refresh()
    assert f"read {name}" in out.getvalue()
    assert f"load {name}" in out.getvalue()


def test_benchmarks_are_listed() -> None:
    assert autodp("bench", "--help").out == autodp("bench").out
    done = autodp("bench")
    assert done.code == 0
    assert "dedup                  Near-duplicate removal against datasketch" in done.out
    assert "results " not in done.out
    done = autodp("bench", "nonsense")
    assert done.code == 1
    assert "no benchmark is named nonsense; there are acceleration," in done.error


def test_a_value_that_is_no_yaml_is_an_error() -> None:
    done = autodp(
        "process", "recipe.yaml", "in.jsonl", "out.jsonl", "--set", "data_format={columns: {question: Q}"
    )
    assert done.code == 1
    assert "--set 'data_format={columns: {question: Q}': what follows the = is not YAML" in done.error


def test_notifications_are_about_an_s3_prefix() -> None:
    done = autodp("receive", "bucket/uploads")
    assert done.code == 1
    assert "bucket/uploads: give an s3:// URL" in done.error


def test_a_receiver_without_a_server_is_refused() -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        done = autodp("receive", "s3://bucket/uploads")
    assert done.code == 1
    assert done.error.startswith("error: set PREFECT_API_URL: without a server")
