"""Options and exit codes that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CONFIG = Path("config/service.json")
DB_CONFIG = Path("config/db_config.json")

ConfigFile = Annotated[Path, typer.Option(envvar="MOORING_CONFIG", help="The service's config: channels, plugins, limits.")]
DbConfigFile = Annotated[Path, typer.Option(envvar="MOORING_DB_CONFIG", help="Which dict is in which engine.")]

FAILED, FAULTY_CONFIG, NOT_RUNNING = 1, 2, 3


def fault(message: str, code: int) -> typer.Exit:
    """Show what is wrong; raise what this returns."""
    typer.echo(message, err=True)
    return typer.Exit(code)
