"""`mooring member ...`: who is in a channel, and what they may do there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from mooring.cli.operating import operate
from mooring.cli.options import CONFIG, DB_CONFIG, ConfigFile, DbConfigFile
from mooring.config import ServiceConfig
from mooring.control.commands import CommandTable
from mooring.control.messages import Request, Response
from mooring.service.member_commands import MEMBER_COMMANDS, StoredMembers
from mooring.service.store_commands import STORE_COMMANDS, StoredStores
from mooring.service.stored_storages import StoredStorages

ChannelId = Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel's id.")]


def add_member(app: typer.Typer) -> None:
    """Let the command line look after members."""
    member = typer.Typer(no_args_is_help=True, help="List the members of a channel and change their roles, while the service runs or not.")
    app.add_typer(member, name="member")

    @member.command("list")
    def list_(
        channel_id: ChannelId,
        as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """The members, with their ids and roles."""
        lines = list_members(config, db_config, channel_id)
        if as_json:
            typer.echo(json.dumps(lines, indent=2))
        else:
            for line in lines:
                here = "  here now" if line["online"] else ""
                typer.echo(f"{line['id']}  {line['name']}  {'guest' if line.get('guest') and line['role'] == 'member' else line['role']}{here}")

    @member.command()
    def role(
        channel_id: ChannelId,
        who: Annotated[str, typer.Argument(metavar="MEMBER", help="The member's id or name.")],
        new: Annotated[str, typer.Argument(metavar="ROLE", help="member, moderator or owner.")],
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """Give a member another role in the channel. It counts more than the role of their token."""
        changed = operate("member role", {"channel_id": channel_id, "member": who, "role": new}, config, db_config, in_the_store)
        typer.echo(f"{changed['name']} ({changed['id']}) has the role {new} in {channel_id} now.")


def list_members(config: Path, db_config: Path, channel_id: str, refused: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    """The members of a channel, as `mooring member list --json` has them.

    If the channel is not there, or archived in a running service: `refused`, or the command ends with a message.
    """
    lines: list[dict[str, Any]] = operate("member list", {"channel_id": channel_id}, config, db_config, in_the_store, refused=refused)
    return lines


def in_the_store(service: ServiceConfig, entries: list[dict[str, Any]], command: str, arguments: Mapping[str, Any]) -> Response:
    """Carry out a command about members or stores where no service runs."""
    storages = StoredStorages(service.service_id, [channel.id for channel in service.channels], entries)
    commands = CommandTable(StoredMembers(storages), MEMBER_COMMANDS)
    commands.add(StoredStores(storages), STORE_COMMANDS)
    return asyncio.run(commands.answer(Request(command, msgspec.Raw(msgspec.json.encode(arguments)))))
