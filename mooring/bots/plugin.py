"""One loaded plugin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from mooring.bars.spec import BarSpec
from mooring.bots.schedule import Timer
from mooring.bots.schemas import Values
from mooring.bots.stores import Store, StoreValues
from mooring.commands.command import Command
from mooring.commands.permissions import Groups
from mooring.commands.rules import Rules
from mooring.config import PluginEntry


@dataclass(frozen=True)
class Plugin:
    """One loaded plugin."""

    name: str
    module: ModuleType = field(repr=False)
    config: Any
    """The validated instance of the module's `Config`, or None."""
    commands: tuple[Command, ...]
    rules: Rules = field(repr=False)
    """Who may use what it shows."""
    groups: Groups = field(repr=False)
    """Those that its permissions may name."""
    hooks: Mapping[str, Callable[..., Any]] = field(repr=False)
    lifespan: Callable[..., Any] | None = field(repr=False)
    """Takes the service and the config, and is an async context manager; see `mooring.bots.lifespan`."""
    bars: tuple[BarSpec, ...]
    timers: tuple[Timer, ...]
    values: tuple[Values, ...]
    stores: tuple[Store[Any], ...]
    store_values: tuple[StoreValues, ...]
    """Those of them that each channel has, for the migration."""
    shared_values: tuple[StoreValues, ...]
    """Those that all channels share."""
    uses: tuple[str, ...]
    """The dicts of the db config that it says it uses, alone."""
    shares: tuple[str, ...]
    """Those that it uses together with other plugins."""
    entry: PluginEntry = field(repr=False)

    @property
    def dicts(self) -> tuple[str, ...]:
        """The dicts of a channel that are its own: stores, and those that it uses alone for bars, declared values and what else it names."""
        stores = (f"{self.name}.{store.name}" for store in self.stores if not store.is_shared)
        named = (*self.uses, *(spec.dict for spec in self.bars), *(values.dict for values in self.values))
        return (*stores, *(name for name in dict.fromkeys(named) if name not in self.shares))

    @property
    def summary(self) -> str:
        """The first line of the module's docstring."""
        return (self.module.__doc__ or "").strip().split("\n", 1)[0]
