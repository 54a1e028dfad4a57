"""The command line: `autodp`."""

from __future__ import annotations

import json
import logging
import os
import posixpath
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from operators.config import load_config
from operators.errors import AutoDPError, ConfigError
from operators.strategist.space import Team

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Finds by itself which data processing makes a fine-tuned model better, and proves it.",
)
err = Console(stderr=True)


@app.command()
def search(
    config: Annotated[Path, typer.Argument(help="YAML file; see examples/")],
    name: Annotated[str | None, typer.Option(help="Name of the run and of its folder")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="a.b=value; may be repeated")] = None,
) -> None:
    """Find the best processing for a data set."""
    settings = load_config(config, [*(set_ or []), *([f"name={json.dumps(name)}"] if name else [])])
    with _running():
        from flows.search import search as flow
        from operators.report import console_leaderboard

        result = flow(settings)
    out = _out()
    out.print(console_leaderboard(result.trials, result.verdict.adopted))
    work = result.work
    _tell(
        out,
        f"team runs {work.team_runs_executed} of {work.team_runs_requested} requested, "
        f"fine-tunes {work.fine_tunes_executed} of {work.fine_tunes_requested}, "
        f"LLM requests {work.llm_requests} (+{work.llm_cache_hits} cached), "
        f"{result.seconds['total']:.0f} s",
    )
    _tell(out, result.verdict.reason, style="bold")
    place = posixpath.join(settings.output, settings.name)
    if bad := result.data.quarantined:
        _tell(
            out,
            f"{bad} bad rows were left out: {posixpath.join(place, 'quarantine.jsonl')} says why",
            style="yellow",
        )
    _tell(out, f"Report, recipe and processed set: {place}")


@app.command()
def process(
    recipe: Annotated[str, typer.Argument(help="recipe.yaml of a search; path or s3:// URL")],
    input: Annotated[str, typer.Argument(help="Data set to process; path or s3:// URL")],
    output: Annotated[str, typer.Argument(help="File to write")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="a.b=value; may be repeated")] = None,
) -> None:
    """Replay a recipe on a data set, without a search."""
    from operators.config import override, parse

    values: dict[str, Any] = {"recipe": recipe, "input": input, "output": output}
    for item in set_ or []:
        override(values, item)
    with _running():
        from flows.process import ProcessConfig, process_dataset

        result = process_dataset(parse(ProcessConfig, values, "autodp process"))
    _tell(
        Console(),
        f"{result.rows_in} records in, {result.rows_out} out, {result.quarantined} quarantined: {result.output}",
    )


@app.command()
def approve(
    run: Annotated[str, typer.Argument(help="Output directory of a search; path or s3:// URL")],
    data_set: Annotated[str | None, typer.Option(help="Data set that it is for; else the search's")] = None,
    store: Annotated[str | None, typer.Option(help="Content store with the registry; else the search's")] = None,
    by: Annotated[str | None, typer.Option(help="Who approves; else the user of this machine")] = None,
    note: Annotated[str, typer.Option(help="Why; kept with the approval")] = "",
) -> None:
    """Put a found recipe in force: a data set's uploads are processed with it from now on."""
    import getpass

    with _running():
        from flows.approve import approve_found

        approval = approve_found(run, data_set, store, by or getpass.getuser(), note)
    _tell(Console(), f"{approval.data_set} is processed with {approval.recipe}", soft_wrap=True)
    _warn_without_server()


@app.command()
def retry(
    uri: Annotated[str, typer.Argument(help="Object whose upload has ended; path or s3:// URL")],
    store: Annotated[str, typer.Option(help="Content store with the ledger of uploads")] = ".autodp/store",
) -> None:
    """Process an upload again that failed, once what was wrong is mended (a recipe, a setting, a key), or one that
    was stored again as it was before."""
    with _running():
        from flows.retrying import retry_upload

        retry_upload(uri, store)
    _tell(Console(), f"{uri} is asked for again", soft_wrap=True)
    _warn_without_server()


@app.command()
def receive(
    prefix: Annotated[str, typer.Argument(help="s3:// URL below which objects are uploads")],
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on")] = 4280,
    token_env: Annotated[
        str, typer.Option(help="Environment variable with the token that senders must give")
    ] = "AUTODP_RECEIVER_TOKEN",
) -> None:
    """Receive an object store's notifications and start a run for each new object."""
    import uvicorn

    from flows.receiver import application, refuse_open
    from tasks.s3_block import use_s3_block

    if not prefix.startswith("s3://"):
        raise ConfigError(f"{prefix}: give an s3:// URL, below which the objects are that stores tell of")
    token = os.environ.get(token_env) or None
    refuse_open(host, token, token_env)
    if not _has_server():
        raise ConfigError("set PREFECT_API_URL: without a server, what the receiver tells of starts no run")
    use_s3_block()
    uvicorn.run(application(prefix, token), host=host, port=port, log_level="warning")


@app.command("operators")
def list_operators(
    names: Annotated[list[str] | None, typer.Argument(help="Operators to show; all where none is named")] = None,
    team: Annotated[Team | None, typer.Option(help="Operators of this team only")] = None,
) -> None:
    """List the operators with their parameters, ranges and defaults."""
    from flows.operator_list import operator_list

    _out().print(operator_list(names or [], team))


@app.command()
def example(
    directory: Annotated[Path, typer.Argument(help="Where to write the built-in example set")],
    rows: Annotated[int, typer.Option(help="Training records")] = 1200,
    seed: Annotated[int, typer.Option(help="Seed of the corruption")] = 7,
    corrupted: Annotated[float, typer.Option(help="Share of the training records to corrupt")] = 0.5,
) -> None:
    """Write the built-in example set: medical terms and definitions, half of them corrupted."""
    from operators.example import build_example

    build_example(directory, rows, seed, corrupted)
    _tell(Console(), f"wrote the example set to {directory}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def bench(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Which one; without it, a list")] = None,
) -> None:
    """Run a benchmark; what follows its name is passed on (`autodp bench strategists --help`)."""
    import ast
    import runpy
    from importlib.util import find_spec

    package = find_spec("benchmarks")
    folders = [Path(place) for place in (package and package.submodule_search_locations) or ()]
    sources = {p.stem: p.read_text("utf-8") for folder in folders for p in folder.glob("*.py")}
    known = sorted(stem for stem, source in sources.items() if "__main__" in source)
    if not known:
        raise ConfigError("no benchmarks are installed; run this in a checkout of the repository")
    if name in (None, "--help"):
        for stem in known:
            about = (ast.get_docstring(ast.parse(sources[stem])) or "").partition("\n")[0]
            _tell(Console(), f"{stem:<22} {about}", soft_wrap=True)
        return
    if name not in known:
        raise ConfigError(f"no benchmark is named {name}; there are {', '.join(known)}")
    sys.argv = [f"autodp bench {name}", *context.args]
    runpy.run_module(f"benchmarks.{name}", run_name="__main__")


def _has_server() -> bool:
    """Whether a Prefect server is named; without one each command has a temporary one, which no worker asks."""
    from prefect.settings import PREFECT_API_URL

    return bool(PREFECT_API_URL.value())


def _warn_without_server() -> None:
    if not _has_server():
        text = (
            "no server is named in PREFECT_API_URL, so no worker has heard of it: uploads that it is about go on "
            "some minutes later, when watch-bucket passes"
        )
        _tell(err, text, style="yellow", soft_wrap=True)


def _tell(console: Console, text: str, *, style: str = "", soft_wrap: bool = False) -> None:
    """Prints the text as it is: rich reads the square brackets and colons of a path in a str as markup."""
    console.print(Text(text, style), soft_wrap=soft_wrap)


def _out() -> Console:
    out = Console()
    if not out.is_terminal:
        out.width = 120  # a log file has no edge to wrap at
    return out


def _running():  # type: ignore[no-untyped-def]  # Prefect's import costs seconds, so it is not made for --help
    """A run under the command line: our progress instead of Prefect's console log (its server keeps the log)."""
    err.print("[dim]starting Prefect ...[/dim]")
    import prefect.main  # noqa: F401 - installs the log handlers that are taken away below

    from flows.console import console_progress

    for name in ("", *logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            if "Console" in type(handler).__name__:
                logger.removeHandler(handler)
    return console_progress(err)


def main() -> None:
    """Entry point. An expected failure is one sentence and exit code 1; anything else keeps its traceback."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")
    try:
        app()
    except AutoDPError as e:
        err.print(Text.assemble(("error:", "red"), f" {e}"), soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
