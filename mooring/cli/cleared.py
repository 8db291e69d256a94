"""`mooring cleared ...`: what was cleared or replaced, and the way back to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from mooring.cli.options import DB_CONFIG, FAILED, FAULTY_CONFIG, DbConfigFile, fault
from storage.cleared_backups import DEFAULT_ROOT, cleared_dicts, put_back, read_cleared
from storage.db_config import DictConfig, read_config
from storage.engines import engine_class
from storage.errors import ConfigError, StorageError
from storage.moobius_storage import TAKEN_NAMES
from storage.store_entries import entry_for, keeps


def add_cleared(app: typer.Typer) -> None:
    """Let the command line list what was cleared, and put it back."""
    cleared = typer.Typer(no_args_is_help=True, help="List, put back and remove the copies of dicts that were cleared or replaced.")
    app.add_typer(cleared, name="cleared")

    @cleared.command("list")
    def list_(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False, db_config: DbConfigFile = DB_CONFIG) -> None:
        """The copies, the newest first: the five newest of each dict are kept, and 256 MB of all."""
        copies = [copy for root in _roots(_entries(db_config)) for copy in cleared_dicts(root)]
        if as_json:
            facts = [{"file": str(copy.path), "dict": copy.domain, "when": copy.when, "keys": len(copy.texts), "bytes": copy.size} for copy in copies]
            typer.echo(json.dumps(facts, indent=2))
        else:
            for copy in copies:
                typer.echo(f"{copy.path}  {copy.domain}  {len(copy.texts)} keys  {copy.size} bytes")

    @cleared.command()
    def restore(
        file: Annotated[Path, typer.Argument(help="A copy, as `mooring cleared list` names it.")],
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """Put a copy back in the place of what its dict holds now, which is kept first. The service must not run."""
        try:
            copy = read_cleared(file)
            entry = _entry_of(_entries(db_config), copy.domain)
            with closing(engine_class(entry.implementation)(copy.domain, **entry.settings)) as engine:
                there = len(engine.load_all())
                typer.echo(f"{copy.domain}: {len(copy.texts)} keys of {file} take the place of {there} keys")
                if not (yes or typer.confirm("Put them back?")):
                    raise typer.Exit(FAILED)
                kept = put_back(copy, engine, Path(entry.settings.get("root_dir") or DEFAULT_ROOT))
        except ConfigError as error:
            raise fault(str(error), FAULTY_CONFIG) from error
        except (StorageError, OSError) as error:
            raise fault(f"Nothing was put back: {error}", FAILED) from error
        typer.echo("Done." if kept is None else f"Done. What was there is in {kept.kept}.")

    @cleared.command()
    def prune(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, db_config: DbConfigFile = DB_CONFIG) -> None:
        """Remove all copies. Nothing brings back what they hold then."""
        copies = [copy for root in _roots(_entries(db_config)) for copy in cleared_dicts(root)]
        if copies and not (yes or typer.confirm(f"Remove {len(copies)} copies for good?")):
            raise typer.Exit(FAILED)
        for copy in copies:
            copy.path.unlink(missing_ok=True)
        typer.echo(f"{len(copies)} copies were removed.")


def _entries(db_config: Path) -> list[DictConfig]:
    try:
        return read_config(db_config, TAKEN_NAMES)
    except ConfigError as error:
        raise fault(str(error), FAULTY_CONFIG) from error


def _roots(entries: Sequence[DictConfig]) -> Iterator[Path]:
    yield from dict.fromkeys([*(Path(entry.settings.get("root_dir") or DEFAULT_ROOT) for entry in entries), Path(DEFAULT_ROOT)])


def _entry_of(entries: Sequence[DictConfig], domain: str) -> DictConfig:
    """The entry that says where a dict lives. Raises StorageError and ConfigError."""
    name = domain.rpartition(".")[2]
    if "-" in name and not name.startswith("_"):
        return entry_for(entries, name.replace("-", ".", 1))
    found = next(filter(keeps, entries), None) if name.startswith("_") else next((entry for entry in entries if entry.name == name), None)
    if found is None:
        raise StorageError(f"the db config has no entry for {domain}; put one back, as it was when this was cleared")
    return found
