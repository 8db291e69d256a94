"""The command line of Mooring: its own commands, and those of the plugins, which are loaded only when no other has the name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from copy import copy
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from mooring.cli.backup import add_backup
from mooring.cli.channels import add_channel
from mooring.cli.check import add_check
from mooring.cli.cleared import add_cleared
from mooring.cli.console import add_console
from mooring.cli.history import add_history
from mooring.cli.import_moobius import add_import
from mooring.cli.init import init
from mooring.cli.members import add_member
from mooring.cli.migrate import add_migrate
from mooring.cli.options import CONFIG, FAULTY_CONFIG, fault
from mooring.cli.plugin_commands import plugin_commands
from mooring.cli.port import add_port
from mooring.cli.reload import add_reload
from mooring.cli.scaffold import add_new_plugin
from mooring.cli.serving import add_run
from mooring.cli.status import add_status
from mooring.cli.stores import add_store
from mooring.cli.undo import add_undo
from mooring.version import __version__
from storage.expansion import UnknownVariable, expand

if TYPE_CHECKING:
    from mooring.service.service import ChannelService

_FLAGS = frozenset({"--help", "--version", "--allow-open"})
"""The options that take no value and may stand before the command."""


def build_app(make_service: Callable[..., ChannelService]) -> typer.Typer:
    """The command line for one service class."""
    app = typer.Typer(cls=_Commands, add_completion=False, pretty_exceptions_enable=False)

    @app.callback(epilog="Where no command is named, run is meant.")
    def mooring(
        _version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and stop.")] = False,
        _home: Annotated[
            Path | None, typer.Option("--home", envvar="MOORING_HOME", help="The folder in which relative names begin, for every command.")
        ] = None,
    ) -> None:
        """A channel-bot service whose persistent dicts do not lose data."""

    add_run(app, make_service)
    app.command()(init)
    add_new_plugin(app)
    add_migrate(app)
    add_import(app)
    add_port(app)
    add_channel(app)
    add_backup(app)
    add_cleared(app)
    add_check(app)
    add_history(app)
    add_member(app)
    add_store(app)
    add_undo(app)
    add_status(app)
    add_reload(app)
    add_console(app)
    return app


class _Commands(TyperGroup):
    """Looks for a command among the plugins' if Mooring itself has none of the name."""

    _added: Mapping[str, Any] | None = None
    _config = CONFIG

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Find out which config names the plugins, and which command is meant."""
        args = _at_home(args)
        self._config = _config_named_in(args)
        return super().parse_args(ctx, _with_command(args))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One command by its name, None if there is none."""
        return super().get_command(ctx, cmd_name) or self._of_plugins().get(cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all."""
        return [*super().list_commands(ctx), *self._of_plugins()]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """List the options of `run` as well, since they may stand where no command is named."""
        shown = copy(self)
        options: list[Any] = [copy(option) for option in self.commands["run"].params]
        for option in options:
            option.rich_help_panel = "Options of run"
        shown.params = [*self.params, *options]
        super(_Commands, shown).format_help(ctx, formatter)

    def _of_plugins(self) -> Mapping[str, Any]:
        if self._added is None:
            self._added = plugin_commands(self._config, self.commands)
        return self._added


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mooring {__version__}")
        raise typer.Exit


def _at_home(args: list[str]) -> list[str]:
    """Go to the folder that --home or MOORING_HOME names, before any other name of a file is read; the arguments without the option."""
    home = os.environ.get("MOORING_HOME") or ""
    end = args.index("--") if "--" in args else len(args)
    options, rest, left = args[:end], args[end:], []
    while options:
        name, joined, value = options.pop(0).partition("=")
        if name != "--home":
            left.append(f"{name}{joined}{value}")
        else:
            home = value if joined else options.pop(0) if options else ""
            if not home:
                raise fault("--home needs the name of a folder", FAULTY_CONFIG)
    if home:
        try:
            os.chdir(expand(home))
        except (OSError, UnknownVariable) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise fault(f"--home {home}: {reason}; name the folder in which the configs and data are", FAULTY_CONFIG) from error
    return [*left, *rest]


def _config_named_in(args: list[str]) -> Path:
    """The value of --config, which belongs to a command that is not known before the config is read."""
    named = os.environ.get("MOORING_CONFIG") or CONFIG
    options = args[: args.index("--")] if "--" in args else args
    for option, value in pairwise([*options, ""]):
        name, _, joined = option.partition("=")
        if name == "--config" and (joined or value):
            named = joined or value
    return Path(named)


def _with_command(args: list[str]) -> list[str]:
    """The arguments with the command first: options that stood before it behind it, and `run` where none is named."""
    start = 0
    while start < len(args) and args[start].startswith("-"):
        start += 1 if "=" in args[start] or args[start] in _FLAGS else 2
    leading, rest = args[:start], args[start:]
    for option in ("--help", "--version"):
        if option in leading:
            return [option]
    if not rest:
        return ["run", *leading]
    end = rest.index("--") if "--" in rest else len(rest)
    return [*rest[:end], *leading, *rest[end:]]
