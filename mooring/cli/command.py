"""Commands of `mooring`'s command line that come from plugins: the decorator, and what such a command is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from storage.db_config import DbConfig

Handler = TypeVar("Handler", bound=Callable[..., Any])
_MARK = "__mooring_cli_command__"


def _nobody(channel_id: str) -> list[dict[str, Any]]:
    return []


def _nothing(channel_id: str, name: str) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class CliContext:
    """Which service a command is for, as `--config` and `--db-config` say.

    No service runs in the process of the command; one may run beside it. To reach a channel's dicts open a
    `MoobiusStorage(ctx.service_id, channel_id, ctx.db_config)`; a folder of the JSON engine that a running service has open
    is refused with StoreLocked.
    """

    service_id: str
    channel_ids: tuple[str, ...]
    """The channels that the service's config names."""
    config: Any
    """The plugin's own settings: an instance of its `Config`, None if it has none."""
    db_config: DbConfig
    config_file: Path | None = None
    """Where the service's config is; None if there is none, and all of this are defaults."""
    made_channel_ids: Callable[[], list[str]] = list
    """Asks the running service, or its store, for the channels that were made at run time. Ends the command with a message if it cannot."""
    members: Callable[[str], list[dict[str, Any]]] = _nobody
    """Asks it for the members of a channel, as `mooring member list --json` shows them; none of one that is archived. Ends the command with a
    message if it cannot."""
    store: Callable[[str, str], dict[str, Any]] = _nothing
    """Asks it for what a store of the plugin, by its name, keeps in a channel: plain values by key. Ends the command with a message if it cannot."""


def cli_command(name: str) -> Callable[[Handler], Handler]:
    """Make a function of a plugin's module a command of `mooring`; `"token create"` is `create` in the group `token`.

    The function takes a CliContext first, and then arguments and options in the way of typer. The docstring is its help, and a
    returned str is printed. ConfigError, CommandError and StorageError are shown in a line and make the exit code 2, 1 and 1.
    """

    def mark(function: Handler) -> Handler:
        setattr(function, _MARK, name)
        return function

    return mark


def cli_commands_of(functions: Iterable[Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Those of the functions that are commands of the command line, by their names."""
    return {getattr(function, _MARK): function for function in functions if hasattr(function, _MARK)}
