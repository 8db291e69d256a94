"""`mooring init`: the configs of a first service."""

from __future__ import annotations

from pathlib import Path

import typer

from mooring.cli.options import CONFIG, DB_CONFIG, FAILED, fault

_SERVICE = """{
  "service_id": "1",
  "channels": [
    {"id": "tavern", "name": "The Tavern", "description": "Hit, heal and cast: health and mana for everybody."}
  ],
  "plugins": [
    "help",
    "bars",
    {"name": "web", "config": {"host": "127.0.0.1", "port": 8765}}
  ]
}
"""
_DICTS = """[
  {"implementation": "json", "name": "health_bars", "settings": {"root_dir": "json_db"}},
  {"implementation": "json", "name": "mana_bars", "settings": {"root_dir": "json_db"}}
]
"""


def init() -> None:
    """Write config/service.json and config/db_config.json into this folder. Files that are there stay as they are."""
    try:
        written = [file for file, text in ((CONFIG, _SERVICE), (DB_CONFIG, _DICTS)) if _write(file, text)]
    except OSError as error:
        raise fault(f"{error.filename} cannot be written: {error.strerror}", FAILED) from error
    for file in (CONFIG, DB_CONFIG):
        typer.echo(f"{file}: {'written' if file in written else 'was there already and is as it was'}")
    typer.echo("Start the service:  mooring run\nSee what else there is:  mooring --help")


def _write(file: Path, text: str) -> bool:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        return False
    return True
