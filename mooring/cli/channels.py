"""`mooring channel ...`: channels that are made, renamed and deleted at run time, in the running service or, if none runs, in its store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from mooring.cli.operating import operate
from mooring.cli.options import CONFIG, DB_CONFIG, FAILED, ConfigFile, DbConfigFile
from mooring.config import ServiceConfig
from mooring.control.commands import CommandTable
from mooring.control.messages import Request, Response
from mooring.service.channel_commands import CHANNEL_COMMANDS
from mooring.service.stored_channels import StoredChannels

ChannelId = Annotated[str, typer.Argument(metavar="ID", help="The channel's id.")]


def add_channel(app: typer.Typer) -> None:
    """Let the command line make channels and take them away."""
    channel = typer.Typer(no_args_is_help=True, help="Make, rename, archive, open, delete and list channels, while the service runs or not.")
    app.add_typer(channel, name="channel")

    @channel.command()
    def create(  # noqa: PLR0917 - typer reads the options from the arguments
        channel_id: ChannelId,
        name: Annotated[str, typer.Option(help="What members read.")] = "",
        description: Annotated[str, typer.Option(help="What it is for.")] = "",
        welcome: Annotated[str, typer.Option(help="What members are told when they come in first.")] = "",
        access: Annotated[str, typer.Option(help="open or token.")] = "",
        template: Annotated[str, typer.Option(help="A template of the config, which gives what is not said here.")] = "",
        plugin: Annotated[list[str] | None, typer.Option(help="A plugin that serves it; may be given several times. All, if none is given.")] = None,
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """Make a channel."""
        given = {"welcome": welcome, "access": access, "template": template, "plugins": plugin}
        fields = {key: value for key, value in given.items() if value}
        arguments = {"channel_id": channel_id, "name": name, "description": description, "fields": fields}
        _run("channel create", arguments, config, db_config)
        typer.echo(f"The channel {channel_id} was made.")

    @channel.command()
    def rename(
        channel_id: ChannelId,
        name: Annotated[str, typer.Argument(help="What members read from now on.")],
        description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """Give a channel another name."""
        _run("channel update", {"channel_id": channel_id, "name": name, "description": description}, config, db_config)
        typer.echo(f"The channel {channel_id} is called {name} now.")

    @channel.command()
    def archive(channel_id: ChannelId, config: ConfigFile = CONFIG, db_config: DbConfigFile = DB_CONFIG) -> None:
        """Close a channel; it stays as it is, and `open` brings it back."""
        _run("channel archive", {"channel_id": channel_id}, config, db_config)
        typer.echo(f"The channel {channel_id} is archived.")

    @channel.command("open")
    def open_(channel_id: ChannelId, config: ConfigFile = CONFIG, db_config: DbConfigFile = DB_CONFIG) -> None:
        """Open a channel that was archived, or the newest deleted one of this id."""
        _run("channel open", {"channel_id": channel_id}, config, db_config)
        typer.echo(f"The channel {channel_id} is open.")

    @channel.command()
    def delete(
        channel_id: ChannelId,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """Take a channel away. What it kept stays until `prune`."""
        if not (yes or typer.confirm(f"Delete the channel {channel_id}? Its members are sent out; what it kept stays until it is pruned.")):
            raise typer.Exit(FAILED)
        _run("channel delete", {"channel_id": channel_id}, config, db_config)
        typer.echo(f"The channel {channel_id} is deleted. What it kept stays: `mooring channel open` brings it back, `prune` removes it.")

    @channel.command()
    def prune(
        channel_id: ChannelId,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """Remove what deleted channels of this id kept."""
        if not (yes or typer.confirm(f"Remove all that the deleted channel {channel_id} kept? Nothing brings it back then.")):
            raise typer.Exit(FAILED)
        keys = _run("channel prune", {"channel_id": channel_id}, config, db_config)
        typer.echo(f"{keys} keys of the deleted channel {channel_id} were removed.")

    @channel.command("list")
    def list_(
        as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
        config: ConfigFile = CONFIG,
        db_config: DbConfigFile = DB_CONFIG,
    ) -> None:
        """All channels, those of the config and deleted ones included."""
        lines = _run("channel list", {}, config, db_config)
        if as_json:
            typer.echo(json.dumps(lines, indent=2))
        else:
            for line in lines:
                typer.echo(f"{line['id']}  {line['state']}  {line['name']}")


def made_channel_ids(config: Path, db_config: Path) -> list[str]:
    """The ids of the channels that were made at run time and not deleted. Exits with a message if they cannot be known."""
    return [line["id"] for line in _run("channel list", {}, config, db_config) if line["state"] in {"open", "archived"}]


def _run(command: str, arguments: Mapping[str, Any], config: Path, db_config: Path) -> Any:
    return operate(command, arguments, config, db_config, _in_the_store)


def _in_the_store(service: ServiceConfig, entries: list[dict[str, Any]], command: str, arguments: Mapping[str, Any]) -> Response:
    with closing(StoredChannels(service, entries)) as channels:
        table = CommandTable(channels, CHANNEL_COMMANDS)
        return asyncio.run(table.answer(Request(command, msgspec.Raw(msgspec.json.encode(arguments)))))
