"""`mooring store read`: one dict of a channel for people with spreadsheets, and for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from mooring.channels.registry_records import read_channel
from mooring.channels.system_dicts import INCARNATIONS, MADE_CHANNELS, OF_THE_REGISTRY
from mooring.cli.operating import read_service
from mooring.cli.options import CONFIG, DB_CONFIG, FAILED, FAULTY_CONFIG, ConfigFile, DbConfigFile, fault
from mooring.made_channels import variant_of
from mooring.service.backup_places import Places
from storage.db_config import read_config
from storage.domains import domain_of
from storage.errors import ConfigError, StorageError
from storage.json.inspection import read_dict
from storage.moobius_storage import TAKEN_NAMES

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets take for the beginning of a formula."""


def add_store(app: typer.Typer) -> None:
    """Let the command line show what a dict holds."""
    store = typer.Typer(no_args_is_help=True, help="Show what a dict holds.")
    app.add_typer(store, name="store")
    store.callback()(lambda: None)  # so that `read` has to be said, as there may be more

    @store.command()
    def read(
        channel: Annotated[str, typer.Argument(help="The channel's id.")],
        dict_name: Annotated[str, typer.Argument(metavar="DICT", help="A dict, or PLUGIN.STORE; those of the service begin with an underscore.")],
        as_csv: Annotated[bool, typer.Option("--csv/--json", help="A table for spreadsheets with a line for each key, or JSON.")] = False,
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """Print one dict of a channel that is kept in a folder, as JSON or CSV, beside the running service, too."""
        try:
            service = read_service(config)
            places = Places(service, [entry.model_dump() for entry in read_config(db_config, TAKEN_NAMES)])
            variant = _variant(places, service.service_id, channel)
            found = _read(places, domain_of(service.service_id, channel, dict_name, variant))
        except ConfigError as error:
            raise fault(str(error), FAULTY_CONFIG) from error
        except StorageError as error:
            raise fault(str(error), FAILED) from error
        if not found:
            typer.echo(f"Nothing is kept in {dict_name} of the channel {channel}; is that its id, and the dict's name?", err=True)
        typer.echo(_csv(found) if as_csv else json.dumps(found, indent=2, ensure_ascii=False), nl=not as_csv)


def _read(places: Places, domain: str) -> Mapping[str, Any]:
    root: Path | None = places.folder_of(domain)
    kept = {} if root is None else read_dict(root, domain)
    plain: dict[str, Any] = msgspec.to_builtins(kept, enc_hook=str, str_keys=True)
    return plain


def _variant(places: Places, service_id: str, channel: str) -> str:
    """Of the channel that has this id now, among those that had it."""
    made, known = (
        _read(places, domain_of(service_id, OF_THE_REGISTRY.storage, each.changed_as, OF_THE_REGISTRY.variant)).get(channel)
        for each in (MADE_CHANNELS, INCARNATIONS)
    )
    record = read_channel(made)
    if record is not None:
        return variant_of(record.incarnation)
    return variant_of((known.get("configured") if isinstance(known, dict) else None) or 1)


def _csv(values: Mapping[str, Any]) -> str:
    """Values that are objects have a column for each field that any of them has."""
    fields = dict.fromkeys(field for value in values.values() if isinstance(value, dict) for field in value)
    has_plain = any(not isinstance(value, dict) for value in values.values())
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([_cell(each) for each in ("key", *(["value"] if has_plain or not fields else []), *fields)])
    for key, value in values.items():
        lines.writerow(_row(key, value, fields, has_value=has_plain or not fields))
    return text.getvalue()


def _row(key: str, value: Any, fields: Mapping[str, None], *, has_value: bool) -> Iterator[str]:
    is_object = isinstance(value, dict)
    yield _cell(key)
    if has_value:
        yield "" if is_object else _cell(value)
    for field in fields:
        yield _cell(value[field]) if is_object and field in value else ""


def _cell(value: Any) -> str:
    """Texts of members must not become formulas, so an apostrophe stands before what would be one."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return json.dumps(value, ensure_ascii=False)
