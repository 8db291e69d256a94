"""The commands that plugins add to the command line, made into typer's when one of them is asked for."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import typer
from typer.main import get_group

from mooring.bots.declarations import config_of
from mooring.bots.discovery import built_in_names, find_plugin
from mooring.cli.channels import made_channel_ids
from mooring.cli.command import CliContext, cli_commands_of
from mooring.cli.members import in_the_store, list_members
from mooring.cli.operating import operate
from mooring.cli.options import CONFIG, DB_CONFIG, FAILED, FAULTY_CONFIG, ConfigFile, DbConfigFile, fault
from mooring.config import PluginEntry, ServiceConfig, parse_service
from mooring.environment_settings import with_environment
from mooring.errors import CommandError, PluginError
from mooring.text import clip, one_of
from storage.errors import ConfigError, StorageError
from storage.json_config import expect_object, read_json

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*( [a-z0-9][a-z0-9-]*)?")
_PARTS = ("service_id", "channels", "plugins", "plugin_folders")
"""What a command goes by. Faults in other parts of the file are for the service to tell."""
_OPTIONS = (
    inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, default=CONFIG, annotation=ConfigFile),
    inspect.Parameter("db_config", inspect.Parameter.KEYWORD_ONLY, default=DB_CONFIG, annotation=DbConfigFile),
)


def plugin_commands(config: Path, taken: Iterable[str]) -> Mapping[str, Any]:
    """The commands and groups, as typer has them, of the plugins that a service config names; of the built-in ones without a readable config.

    `taken` are names that no plugin may have. What is wrong with a plugin costs its commands, and is told in a line.
    """
    try:
        service = read_service(config)
    except ConfigError:
        service = ServiceConfig(plugins=[PluginEntry(name=name) for name in built_in_names()])
    found: dict[str, Any] = {}
    owners = dict.fromkeys(taken, "mooring itself")
    for entry in service.plugins:
        try:
            commands = _commands_of(entry.name, find_plugin(entry.name, service.plugin_folders), owners)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the plugin's code raises at its import, or typer at its annotations
            why = " ".join(f"{type(error).__name__}: {error}".split())
            typer.echo(f"The plugin {entry.name} adds no commands here: {clip(why, 300)}", err=True)
        else:
            found |= commands
            owners |= dict.fromkeys(commands, f"the plugin {entry.name}")
    return found


def read_service(config: Path) -> ServiceConfig:
    """The parts of a service config that say which service it is and which plugins it has. Raises ConfigError."""
    raw = with_environment(expect_object(read_json(config, "mooring init does"), str(config)))
    return parse_service({part: raw[part] for part in _PARTS if part in raw}, str(config))


def _commands_of(plugin: str, module: ModuleType, owners: Mapping[str, str]) -> Mapping[str, Any]:
    """Raises PluginError, and what typer raises for an annotation that it cannot read."""
    marked = cli_commands_of(value for value in vars(module).values() if callable(value))
    app = typer.Typer()
    app.callback()(lambda: None)  # so that a single command does not become the whole app
    panel = f"Commands of the plugin {plugin}"
    groups: dict[str, typer.Typer] = {}
    for name, function in marked.items():
        first, _, second = name.partition(" ")
        if not _NAME.fullmatch(name):
            raise PluginError(f"command name {name!r}: use one or two lower-case words with a single space between them")
        if first in owners or (second and first in marked):
            raise PluginError(f"{first} is a command of {owners.get(first, f'the plugin {plugin}')} already; rename one of the two")
        if second and first not in groups:
            words = sorted(other.split()[1] for other in marked if other.startswith(f"{first} "))
            groups[first] = typer.Typer(no_args_is_help=True, help=f"{one_of(words).capitalize()}.")
            app.add_typer(groups[first], name=first, rich_help_panel=panel)
        if second:
            groups[first].command(second)(_with_options(plugin, module, function))
        else:
            app.command(first, rich_help_panel=panel)(_with_options(plugin, module, function))
    return get_group(app).commands if marked else {}


def _with_options(plugin: str, module: ModuleType, function: Callable[..., Any]) -> Callable[..., None]:
    """A function for typer: with options for the configs in the place of the context."""
    signature = inspect.signature(function, eval_str=True)
    first, *own = signature.parameters.values() or [None]
    if first is None or first.annotation is not CliContext:
        raise PluginError(f"{function.__name__} takes a CliContext first, as in def {function.__name__}(ctx: CliContext)")
    taken = sorted({option.name for option in _OPTIONS} & signature.parameters.keys())
    if taken:
        raise PluginError(f"{function.__name__} has an argument {taken[0]}, which is an option that every command has; rename it")

    def call(*, config: Path, db_config: Path, **given: Any) -> None:
        try:
            result = function(_context(plugin, module, config, db_config), **given)
            if inspect.iscoroutine(result):
                result = asyncio.run(result)
        except ConfigError as error:
            raise fault(str(error), FAULTY_CONFIG) from error
        except (CommandError, PluginError, StorageError) as error:
            raise fault(str(error), FAILED) from error
        if isinstance(result, str):
            typer.echo(result)

    parameters = [*own, *_OPTIONS]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__doc__ = function.__doc__
    return call


def _read_store(config: Path, db_config: Path, plugin: str, channel_id: str, name: str) -> dict[str, Any]:
    arguments = {"channel_id": channel_id, "name": f"{plugin}.{name}"}
    found: dict[str, Any] = operate("store read", arguments, config, db_config, in_the_store)
    return found


def _context(plugin: str, module: ModuleType, config: Path, db_config: Path) -> CliContext:
    """Whoever has no config at all gets the defaults; a file that was named must be there."""
    is_there = config != CONFIG or config.exists()
    service = read_service(config) if is_there else ServiceConfig()
    entry = next((entry for entry in service.plugins if entry.name == plugin), PluginEntry(name=plugin))
    return CliContext(
        service_id=service.service_id,
        channel_ids=tuple(channel.id for channel in service.channels),
        config=config_of(module, entry, str(config)),
        db_config=[] if db_config == DB_CONFIG and not db_config.exists() else db_config,
        config_file=config if is_there else None,
        made_channel_ids=partial(made_channel_ids, config, db_config),
        members=partial(list_members, config, db_config, refused=[]),
        store=partial(_read_store, config, db_config, plugin),
    )
