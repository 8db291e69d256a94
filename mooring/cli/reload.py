"""`mooring reload`: what has changed counts without a restart."""

from __future__ import annotations

from typing import Annotated

import typer

from mooring.cli.operating import ask_running
from mooring.cli.options import CONFIG, DB_CONFIG, FAILED, NOT_RUNNING, ConfigFile, DbConfigFile, fault


def add_reload(app: typer.Typer) -> None:
    """Let the command line change a running service."""

    @app.command()
    def reload(
        what: Annotated[str, typer.Argument(metavar="[PLUGIN|config]", help="A plugin, whose code is loaded anew, or the configs.")] = "config",
        log_level: Annotated[str | None, typer.Option(help="From now on: DEBUG, INFO, WARNING or ERROR.")] = None,
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """Let changed configs, or the new code of a plugin, count in the running service. With a fault in them nothing is changed."""
        outcomes = ask_running("reload", {"what": what, "log_level": log_level}, config)
        if not outcomes:
            raise fault("No service runs with this config.", NOT_RUNNING)
        for outcome in outcomes:
            typer.echo(f"Changed: {', '.join(outcome['changed']) or 'nothing'}.")
            if outcome["later"]:
                typer.echo(f"Only a restart changes {', '.join(outcome['later'])}.")
            for problem in outcome["problems"]:
                typer.echo(problem, err=True)
        if any(outcome["problems"] for outcome in outcomes):
            raise typer.Exit(FAILED)
