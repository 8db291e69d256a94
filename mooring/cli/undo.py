"""`mooring undo`: take back what an event or a member did, or bring a channel back to what it was."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from mooring.cli.members import list_members
from mooring.cli.operating import operate
from mooring.cli.options import CONFIG, DB_CONFIG, FAILED, FAULTY_CONFIG, ConfigFile, DbConfigFile, fault
from mooring.config import ServiceConfig
from mooring.control.commands import CommandTable
from mooring.control.messages import Request, Response
from mooring.durations import parse_duration
from mooring.service.backup_places import Places
from mooring.service.stored_storages import StoredStorages
from mooring.service.undo_commands import UNDO_COMMANDS, StoredUndoing
from mooring.text import fold_name


def add_undo(app: typer.Typer) -> None:
    """Let the command line undo what was done."""

    @app.command()
    def undo(  # noqa: PLR0917 - typer reads the options from the arguments
        place: Annotated[str, typer.Argument(metavar="CHANNEL[/DICT]", help="The channel's id, or one dict of it.")],
        event: Annotated[str, typer.Argument(metavar="[EVENT]", help="One event, by its id, as `mooring history` has it.")] = "",
        since: Annotated[str, typer.Option(help="Everything since then: 90m, 2d, or a time like 2026-11-27T20:15.")] = "",
        member: Annotated[str, typer.Option(help="What this member did alone, by id or name.")] = "",
        keep_later: Annotated[bool, typer.Option("--keep-later", help="Leave what others changed since; otherwise that stops everything.")] = False,
        plan: Annotated[bool, typer.Option("--plan", help="Only show what it would do.")] = False,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """Take back what an event or a member did to the dicts of plugins; without a member, bring them back to what they were at a time.

        The plan comes first. Then everything is one commit, in the running service or in the store, and can be undone as well.
        """
        channel_id, _, dict_name = place.partition("/")
        arguments: dict[str, Any] = {"channel_id": channel_id, "dict": dict_name, "event": event, "keep_later": keep_later}
        arguments["since"] = _moment(since, "--since") if since else None
        arguments["member"] = _member_id(config, db_config, channel_id, member) if member else ""
        carry_out(arguments, config, db_config, plan=plan, yes=yes)


def go_back(place: str, at: str, config: Path, db_config: Path, *, plan: bool, yes: bool) -> None:
    """Bring the dicts of plugins, in a channel or `CHANNEL/DICT`, back to what they were at a time. Exits with a message if that cannot be."""
    channel_id, _, dict_name = place.partition("/")
    carry_out({"channel_id": channel_id, "dict": dict_name, "since": _moment(at, "--at")}, config, db_config, plan=plan, yes=yes)


def carry_out(arguments: Mapping[str, Any], config: Path, db_config: Path, *, plan: bool, yes: bool) -> None:
    """Show what an undo would do, ask, and do it. Exits with a message if it cannot be done."""
    keep_later = bool(arguments.get("keep_later"))
    planned = operate("undo plan", arguments, config, db_config, _in_the_store)
    for change in planned["changes"]:
        typer.echo(_line(change))
    if planned["all"] > len(planned["changes"]):
        typer.echo(f"... and {planned['all'] - len(planned['changes'])} more")
    hindered = planned["hindered"]
    if not planned["all"]:
        raise fault("Nothing that is kept was changed by it.", FAILED)
    if hindered and not keep_later:
        raise fault(f"{hindered} of {planned['all']} keys cannot be set back; --keep-later leaves these as they are.", 0 if plan else FAILED)
    if plan:
        return
    if not (yes or typer.confirm(f"Set back what is possible, {planned['all'] - hindered} of {planned['all']} keys?")):
        raise typer.Exit(FAILED)
    done = operate("undo apply", {**arguments, "until": planned["until"]}, config, db_config, _in_the_store)
    typer.echo(f"Keys set back: {done['undone']}; left as they are: {done['left']}.")


def _moment(text: str, option: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        try:
            return time.time() - parse_duration(text).total_seconds()
        except ValueError as error:
            raise fault(f"{option}: {error}, nor a time like 2026-11-27T20:15.", FAULTY_CONFIG) from error


def _member_id(config: Path, db_config: Path, channel_id: str, who: str) -> str:
    """By a name that somebody has here; otherwise it is taken for an id, which may be of somebody who has left."""
    members = list_members(config, db_config, channel_id)
    return next((line["id"] for line in members if fold_name(line["name"]) == fold_name(who.removeprefix("@"))), who)


def _line(change: Mapping[str, Any]) -> str:
    line = f"{change['dict']}[{change['key']!r}]: {change['now']} -> {'?' if change['then'] is None else change['then']}"
    if change["then"] is None:
        return f"{line}  (what it was is not kept any more)"
    later = change.get("later")
    return f"{line}  (changed since by {later['command'] or later['member'] or 'the service'})" if later else line


def _in_the_store(service: ServiceConfig, entries: list[dict[str, Any]], command: str, arguments: Mapping[str, Any]) -> Response:
    storages = StoredStorages(service.service_id, [channel.id for channel in service.channels], entries)
    commands = CommandTable(StoredUndoing(storages, tuple(Places(service, entries).folders)), UNDO_COMMANDS)
    return asyncio.run(commands.answer(Request(command, msgspec.Raw(msgspec.json.encode(arguments)))))
