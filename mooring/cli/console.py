"""`mooring console`: commands in a channel of the running service, as its operator."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from mooring.cli.operating import ask_running
from mooring.cli.options import CONFIG, DB_CONFIG, FAILED, NOT_RUNNING, ConfigFile, DbConfigFile, fault

ChannelId = Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel's id.")]


def add_console(app: typer.Typer) -> None:
    """Let the command line run commands in channels."""

    @app.command()
    def console(
        channel_id: ChannelId,
        lines: Annotated[list[str] | None, typer.Argument(metavar="[COMMAND]...", help="Each in quotes. Lines of the input, without any.")] = None,
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """Run commands in a channel as its operator, who is in it meanwhile with the rights of an owner. Exit code 1 if one was refused."""
        results: list[bool] = []
        try:
            for line in lines or _typed(channel_id):
                results.append(_run(channel_id, line, config))
        finally:
            if results:
                _first("console leave", {"channel_id": channel_id}, config)
        if not all(results):
            raise typer.Exit(FAILED)


def _run(channel_id: str, line: str, config: Path) -> bool:
    if not line.startswith("/"):
        typer.echo("Commands begin with /; /help lists them.", err=True)
        return False
    answer = _first("console run", {"channel_id": channel_id, "line": line}, config)
    for reply in answer["replies"]:
        typer.echo(reply)
    if not answer["ok"] and answer["message"] not in answer["replies"]:
        typer.echo(answer["message"], err=True)
    return bool(answer["ok"])


def _first(command: str, arguments: dict[str, Any], config: Path) -> Any:
    """The result of one process of the service. Exits with a message if none runs."""
    results = ask_running(command, arguments, config, at_most=1)
    if not results:
        raise fault("No service runs with this config.", NOT_RUNNING)
    return results[0]


def _typed(channel_id: str) -> Iterator[str]:
    source: Iterable[str] = iter(lambda: _prompt(channel_id), "") if sys.stdin.isatty() else sys.stdin
    return (line.strip() for line in source if line.strip())


def _prompt(channel_id: str) -> str:
    try:
        return input(f"{channel_id}> ") or " "
    except (EOFError, KeyboardInterrupt):
        typer.echo()
        return ""
