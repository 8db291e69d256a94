"""`mooring backup` and `mooring restore`: all dicts of the folders in one file, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec
import typer

from mooring.cli.operating import operate, read_service
from mooring.cli.options import CONFIG, DB_CONFIG, FAILED, FAULTY_CONFIG, ConfigFile, DbConfigFile, fault
from mooring.cli.undo import go_back
from mooring.config import ServiceConfig
from mooring.control.commands import CommandTable
from mooring.control.messages import Request, Response
from mooring.service.backup_commands import BACKUP_COMMANDS
from mooring.service.backup_places import Places
from storage.backup_file import BackupReader, DictHead
from storage.db_config import read_config
from storage.errors import ConfigError, StorageError
from storage.moobius_storage import TAKEN_NAMES
from storage.restore import RestoreFolder, contents, opened_folders, settle, stage, switch

_PATIENCE = 86_400.0
"""Seconds for a backup."""

_SHOWN = 50


def add_backup(app: typer.Typer) -> None:
    """Let the command line back up and restore."""

    @app.command()
    def backup(
        file: Annotated[Path, typer.Argument(help="The file to write; it must not be there yet.")],
        channel: Annotated[str, typer.Option(help="Only this channel, by its id.")] = "",
        only_folders: Annotated[bool, typer.Option("--only-folders", help="Leave out what is kept on servers.")] = False,
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """Write all dicts of all channels to one file, as they are at one moment, while the service runs or not."""
        arguments = {"path": str(file.absolute()), "channel": channel, "only_folders": only_folders}
        done = operate("backup", arguments, config, db_config, _in_the_store, patience=_PATIENCE)
        typer.echo(f"{file} has {done['keys']} keys of {done['dicts']} dicts, {done['bytes']} bytes.")
        if done["faults"]:
            raise fault("What was damaged is not in it:\n" + "\n".join(done["faults"]), FAILED)

    @app.command()
    def restore(  # noqa: PLR0917 - typer reads the options from the arguments
        what: Annotated[str, typer.Argument(metavar="FILE", help="A file that `mooring backup` has written; CHANNEL[/DICT] with --at.")],
        at: Annotated[str, typer.Option(help="Bring a channel, or a dict of it, back to this time from the journal: 90m, 2026-11-27T20:15.")] = "",
        channel: Annotated[str, typer.Option(help="Only this channel, by its id.")] = "",
        dict_name: Annotated[str, typer.Option("--dict", help="Only the dict of this name.")] = "",
        replace: Annotated[bool, typer.Option("--replace", help="Take the place of what is there, which is kept in dated files.")] = False,
        plan: Annotated[bool, typer.Option("--plan", help="Show what would be done and stop.")] = False,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """Let the dicts hold what a backup holds, in one step; for this the service must not run. With --at it may."""
        if at:
            if channel or dict_name or replace:
                raise fault("--at goes with a channel's id, or CHANNEL/DICT, and with none of --channel, --dict and --replace.", FAULTY_CONFIG)
            go_back(what, at, config, db_config, plan=plan, yes=yes)
            return
        file = Path(what)
        try:
            service = read_service(config)
            places = Places(service, [entry.model_dump() for entry in read_config(db_config, TAKEN_NAMES)])
            channel = channel or _channel_in(file)
            folders = _planned(file, service.service_id, places, channel, dict_name)
            _restore(file, folders, _gives_way(places, channel, dict_name), replace=replace, plan=plan, yes=yes)
        except ConfigError as error:
            raise fault(str(error), FAULTY_CONFIG) from error
        except StorageError as error:
            raise fault(f"Nothing was restored: {error}", FAILED) from error
        except OSError as error:
            where = error.filename or "the folders with the data"
            raise fault(f"Nothing was restored: {where}: {error.strerror or error}; mend that and try again", FAILED) from error


def _in_the_store(service: ServiceConfig, entries: list[dict[str, Any]], command: str, arguments: Mapping[str, Any]) -> Response:
    table = CommandTable(lambda: Places(service, entries), BACKUP_COMMANDS)
    return asyncio.run(table.answer(Request(command, msgspec.Raw(msgspec.json.encode(arguments)))))


def _channel_in(file: Path) -> str:
    """The only channel that the backup has, empty if it has all: what it has not must not give way."""
    with file.open("rb") as backup:
        return BackupReader(backup, str(file)).header.channel


def _planned(file: Path, service_id: str, places: Places, channel: str, dict_name: str) -> list[RestoreFolder]:
    """What of the backup goes to which folder. Every byte of the backup is checked."""
    with _opened(file, "checking") as backup:
        header, heads = contents(backup, str(file), places.selection(channel, dict_name))
    when = datetime.fromtimestamp(header.at, UTC)
    typer.echo(f"{file}: written {when:%Y-%m-%d %H:%M:%S} UTC by Mooring {header.version} for the service {header.service}")
    if header.service != service_id:
        other = f"{file} is of the service {header.service!r}, and the config's service_id is {service_id!r}"
        raise StorageError(f"{other}; use the config of that service")
    if not heads:
        raise StorageError(f"{file} has nothing of that; look for the right id or name, or leave --channel and --dict out")
    folders: dict[Path, RestoreFolder] = {}
    for head in heads:
        root = places.folder_of(head.domain)
        if root is None:
            typer.echo(f"  {head.domain}: nothing of it is kept by the db config; it is left out")
        else:
            folders.setdefault(root, RestoreFolder(root, places.folders[root])).wanted.append(head)
    if not (channel or dict_name):  # where nothing is restored to, something may have to give way
        for root, settings in places.folders.items():
            folders.setdefault(root, RestoreFolder(root, settings))
    return list(folders.values())


def _gives_way(places: Places, channel: str, dict_name: str) -> Callable[[str], bool]:
    """Which dicts that are not in the backup are emptied: those of all that is restored as a whole."""
    return places.selection(channel, "") if not dict_name else lambda _: False


def _restore(file: Path, folders: list[RestoreFolder], gives_way: Callable[[str], bool], *, replace: bool, plan: bool, yes: bool) -> None:
    with opened_folders(folders, gives_way) as stores:
        there = [(folder, domain) for folder in folders for domain in folder.there]
        for folder in folders:
            _show(folder)
        if plan:
            return
        if there and not replace:
            raise StorageError(f"{len(there)} dicts have something in them; look at them, and say --replace to take their place")
        if not (yes or typer.confirm("Restore?")):
            raise typer.Exit(FAILED)
        staged = []
        try:
            for folder, store in zip(folders, stores, strict=True):
                with _opened(file, f"writing to {folder.root.name}") as backup:
                    staged.append(stage(folder, store, backup, str(file)))
            kept = switch(folders, staged)
        except BaseException:
            for each in staged:
                each.discard()
            raise
    try:
        settle(folders)
    except StorageError as error:
        raise fault(f"What was restored counts, and is not in its place yet: {error}; mend that, and the next start puts it there", FAILED) from error
    typer.echo(f"Done. What was there is in {len(kept)} files, which `mooring cleared list` names." if kept else "Done.")


def _show(folder: RestoreFolder) -> None:
    typer.echo(f"{folder.root}: {len(folder.wanted)} dicts with {sum(head.keys for head in folder.wanted)} keys are restored")
    new = {head.domain: head for head in folder.wanted}
    for domain, keys in list(folder.there.items())[:_SHOWN]:
        typer.echo(f"  {domain}: {new.get(domain, DictHead(domain, 0)).keys} keys take the place of {keys}")
    if len(folder.there) > _SHOWN:
        typer.echo(f"  and {len(folder.there) - _SHOWN} more dicts that have something in them")


@contextmanager
def _opened(file: Path, what: str) -> Iterator[BinaryIO]:
    """The file, with a bar that shows how much of it was read."""
    with file.open("rb") as opened, typer.progressbar(length=file.stat().st_size, label=what) as bar:
        yield _Shown(opened, bar.update)  # type: ignore[misc]


class _Shown:
    """As much of an open file as gzip asks for."""

    def __init__(self, file: BinaryIO, tell: Callable[[int], object]) -> None:
        self._file = file
        self._tell = tell

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data = self._file.read(size)
        self._tell(len(data))
        return data
