"""`mooring check`: whether a start would succeed, as far as that can be known without opening or writing anything."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import typer

from mooring.cli.check_stores import look_through
from mooring.cli.options import CONFIG, DB_CONFIG, FAILED, FAULTY_CONFIG, ConfigFile, DbConfigFile, fault
from mooring.settings import Settings, Sources, load_settings
from storage.engines import engine_class, find_engine
from storage.errors import ConfigError, StorageError

_KEY = "health"
"""Asked for in every engine; whether it is there makes no difference."""


def add_check(app: typer.Typer) -> None:
    """Let the command line check what a start needs."""

    @app.command()
    def check(config: ConfigFile = CONFIG, db_config: DbConfigFile = DB_CONFIG) -> None:
        """Check the configs, the plugins, the folders and servers of the data, and all that is in the folders. Nothing is written."""
        try:
            settings = load_settings(Sources({}, {"service_config": str(config), "db_config": str(db_config)}, {}))
        except ConfigError as error:
            raise fault(str(error), FAULTY_CONFIG) from error
        look = look_through(settings.service.service_id, settings.raw["db_config"], settings.plugins)
        found = [*_findings(settings), *look.faults]
        for note in look.notes:
            typer.echo(note)
        if found:
            raise fault("\n".join(found), FAILED)
        typer.echo(f"No fault was found: {len(settings.service.channels)} channel(s), the plugins {', '.join(settings.plugins.loaded) or 'none'}.")


def _findings(settings: Settings) -> Iterator[str]:
    for name, reason in settings.plugins.failed.items():
        yield f"plugin {name} would be left out: {reason}"
    for folder in dict.fromkeys(Path(each).resolve() for each in (settings.service.data_dir, settings.service.upload_dir)):
        yield from _folder_findings(folder)
    asked: set[str] = set()
    for entry in settings.raw["db_config"]:
        place = repr((entry["implementation"], entry["settings"]))
        if place not in asked:
            asked.add(place)
            yield from _engine_findings(entry)


def _engine_findings(entry: Mapping[str, Any]) -> Iterator[str]:
    engine = find_engine(entry["implementation"])
    if engine is not None and engine.name == "json":
        # Opening a store would take its lock and write to it.
        yield from _folder_findings(Path(entry["settings"].get("root_dir", "")).resolve())
        return
    try:
        with closing(engine_class(entry["implementation"])("check", **entry["settings"])) as opened:
            opened.load_one(_KEY)
    except StorageError as error:
        yield f"{entry['name']}: {error}"


def _folder_findings(folder: Path) -> Iterator[str]:
    """What keeps this user from writing into the folder, or from making it."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        yield f"{folder} cannot be a folder: {nearest} is a file"
    elif not os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
        what = "written" if nearest == folder else f"made: {nearest} cannot be written"
        yield f"{folder} cannot be {what}; give it to the user who runs Mooring"
