"""The one door through which plugins come in, built-in or not."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mooring.bars.spec import BarSpec
from mooring.bots.discovery import NotFound, find_plugin, plugin_names
from mooring.bots.runtime import PluginRuntime
from mooring.bots.schedule import Timer, timers_of
from mooring.bots.schemas import Values, migrate
from mooring.channels.sends import checked
from mooring.channels.system_dicts import ServiceDicts
from mooring.commands.command import Command, CommandTable, commands_of
from mooring.config import PluginEntry, faults_of
from mooring.errors import PluginError
from mooring.text import nearest
from storage import MoobiusStorage
from storage.errors import ConfigError, Fault

Kind = TypeVar("Kind")

logger = logging.getLogger(__name__)

HOOKS = (
    "on_start",
    "on_stop",
    "on_channel_init",
    "on_join",
    "on_leave",
    "on_message_up",
    "on_button_click",
    "on_menu_item_click",
    "on_refresh",
    "on_channel_message",
    "on_channel_message_returned",
)
"""Names of module-level functions that the machinery calls."""
_TAKES_ONE = frozenset({"on_channel_init"})


@dataclass(frozen=True)
class Plugin:
    """One loaded plugin."""

    name: str
    module: ModuleType = field(repr=False)
    config: Any
    """The validated instance of the module's `Config`, or None."""
    commands: tuple[Command, ...]
    hooks: Mapping[str, Callable[..., Any]] = field(repr=False)
    lifespan: Callable[..., Any] | None = field(repr=False)
    """Takes the service and the config, and is an async context manager; see `mooring.bots.lifespan`."""
    bars: tuple[BarSpec, ...]
    timers: tuple[Timer, ...]
    values: tuple[Values, ...]
    entry: PluginEntry = field(repr=False)

    @property
    def summary(self) -> str:
        """The first line of the module's docstring."""
        return (self.module.__doc__ or "").strip().split("\n", 1)[0]


class Plugins:
    """All loaded plugins, in the order of the config."""

    def __init__(self, loaded: Iterable[Plugin] = (), failed: Mapping[str, str] | None = None, runtime: PluginRuntime | None = None) -> None:
        self.loaded: Mapping[str, Plugin] = MappingProxyType({plugin.name: plugin for plugin in loaded})
        self.failed: Mapping[str, str] = MappingProxyType(dict(failed or {}))
        """What kept plugins out that are not required, by their names."""
        self.runtime = runtime or PluginRuntime()
        self.table = CommandTable(entry for plugin in self.loaded.values() for entry in plugin.commands)
        self.bars = tuple(spec for plugin in self.loaded.values() for spec in plugin.bars)
        self._bars = _by_name(self.bars)
        self.values = tuple(values for plugin in self.loaded.values() for values in plugin.values)

    def hooks(self, name: str) -> list[tuple[Plugin, Callable[..., Any]]]:
        """The functions for one of `HOOKS`, in the order of the config."""
        return [(plugin, plugin.hooks[name]) for plugin in self.loaded.values() if name in plugin.hooks]

    def bar(self, name: str) -> BarSpec:
        """The declared bar of this name. Raises PluginError if no plugin declares it."""
        spec = self._bars.get(name)
        if spec is None:
            match = nearest(name, self._bars)
            hint = f"; did you mean {match}?" if match else ""
            raise PluginError(f"no plugin declares a bar named {name!r}{hint}")
        return spec

    def prepare(self, storage: MoobiusStorage) -> None:
        """See that a channel has the dicts that plugins declare, and migrate what is of older versions. Blocks.

        Raises PluginError.
        """
        for spec in self.bars:
            spec.kept_in(storage)
        if self.values:
            migrate(self.values, storage)

    def without(self, name: str, why: str) -> Plugins:
        """The same but for one that did not start."""
        return Plugins([plugin for plugin in self.loaded.values() if plugin.name != name], {**self.failed, name: why}, self.runtime)

    def with_plugin(self, plugin: Plugin) -> Plugins:
        """The same with `plugin` added, or in the place of the one with its name. Raises PluginError if they cannot be together."""
        failed = {name: why for name, why in self.failed.items() if name != plugin.name}
        return Plugins({**self.loaded, plugin.name: plugin}.values(), failed, self.runtime)


def _by_name(bars: Iterable[BarSpec]) -> dict[str, BarSpec]:
    named: dict[str, BarSpec] = {}
    for spec in bars:
        if spec.name in named:
            raise PluginError(f"two plugins declare a bar named {spec.name!r}; rename one of the two")
        named[spec.name] = spec
    return named


def load_plugins(entries: Sequence[PluginEntry], folders: Sequence[str] = (), file: str = "service.json") -> Plugins:
    """Load the plugins that the config names; each comes in whole or not at all.

    A plugin that is not required and fails is left out with one warning. Raises ConfigError with every fault of the required
    ones, and of the configs of all.
    """
    plugins = Plugins()
    failed: dict[str, str] = {}
    faults: list[Fault] = []
    for entry in entries:
        try:
            plugins = plugins.with_plugin(load_plugin(entry, folders, file))
        except ConfigError as error:
            faults.extend(error.faults)
        except PluginError as error:
            if entry.required:
                faults.append(Fault(file, f"plugin {entry.name}", "", str(error), 'mend it, or set "required" to false to start without it'))
            else:
                logger.warning("Plugin %s was left out: %s", entry.name, error)
                failed[entry.name] = str(error)
    if faults:
        raise ConfigError(faults)
    return Plugins(plugins.loaded.values(), failed)


def load_plugin(entry: PluginEntry, folders: Sequence[str] = (), file: str = "service.json") -> Plugin:
    """Load one plugin. Raises PluginError, or ConfigError if its config has faults; whatever its code raises is a PluginError."""
    try:
        return _load(entry, folders, file)
    except (ConfigError, PluginError):
        raise
    except BaseException as error:
        raise PluginError(f"its code failed while it was loaded: {type(error).__name__}: {error}") from error


def _load(entry: PluginEntry, folders: Sequence[str], file: str) -> Plugin:
    module = _import(entry.name, folders)
    config = config_of(module, entry, file)
    plugin = Plugin(
        name=entry.name,
        module=module,
        config=config,
        commands=commands_of(entry.name, _functions(module), config),
        hooks=_hooks(module),
        lifespan=_lifespan(module),
        bars=_bars(module, config),
        timers=timers_of(entry.name, _functions(module)),
        values=_declared(module, "VALUES", Values),
        entry=entry,
    )
    # What every member is shown who comes in.
    checked("plugin", [plugin.summary, [command.describe() for command in plugin.commands], plugin.bars], Any)
    return plugin


def _import(name: str, folders: Sequence[str]) -> ModuleType:
    try:
        return find_plugin(name, folders)
    except NotFound as error:
        raise PluginError(str(error)) from error
    except BaseException as error:
        raise PluginError(f"its code failed while it was imported: {type(error).__name__}: {error}") from error


def kept_by_plugins(folders: Sequence[str] = ()) -> list[ServiceDicts]:
    """What all plugins that can be found keep for the service, in the config now or not: what they kept before is still there.

    Raises PluginError for one whose code fails, since nobody knows what it keeps.
    """
    found: list[ServiceDicts] = []
    for name in plugin_names(folders):
        found += _declared(_import(name, folders), "SERVICE_DICTS", ServiceDicts)
    return found


def _functions(module: ModuleType) -> list[Callable[..., Any]]:
    return [value for value in vars(module).values() if callable(value)]


def _lifespan(module: ModuleType) -> Callable[..., Any] | None:
    lifespan: Callable[..., Any] | None = getattr(module, "lifespan", None)
    if lifespan is not None:
        _check_takes("lifespan", lifespan, ("service", "config"))
    return lifespan


def _check_takes(name: str, function: Callable[..., Any], given: tuple[str, ...]) -> None:
    try:
        inspect.signature(function).bind(*given)
    except TypeError as error:
        raise PluginError(f"{name} is called with ({', '.join(given)}), which it does not take: {error}") from error


def _hooks(module: ModuleType) -> Mapping[str, Callable[..., Any]]:
    found = {name: getattr(module, name) for name in HOOKS if callable(getattr(module, name, None))}
    for name, hook in found.items():
        given = ("ctx",) if name in _TAKES_ONE else ("service", "config") if name in {"on_start", "on_stop"} else ("ctx", "event")
        _check_takes(name, hook, given)
    return MappingProxyType(found)


def config_of(module: ModuleType, entry: PluginEntry, file: str) -> Any:
    """The plugin's settings, an instance of its `Config`; None if it has none. Raises ConfigError, which names `file`."""
    model = getattr(module, "Config", None)
    place = f"plugin {entry.name}"
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        if entry.config:
            raise ConfigError([Fault(file, place, "config", "this plugin has no settings", "remove the field")])
        return None
    try:
        return model.model_validate(entry.config)
    except ValidationError as error:
        faults = faults_of(error, file, model)
        raise ConfigError([replace(fault, entry=f"{place}, {fault.entry}".removesuffix(", ")) for fault in faults]) from error


def _bars(module: ModuleType, config: Any) -> tuple[BarSpec, ...]:
    """`BARS` is a list, or a function that makes it from the config."""
    declared = getattr(module, "BARS", ())
    return _all_of(declared(config) if callable(declared) else declared, "BARS", BarSpec)


def _declared(module: ModuleType, name: str, kind: type[Kind]) -> tuple[Kind, ...]:
    return _all_of(getattr(module, name, ()), name, kind)


def _all_of(declared: Iterable[Any], name: str, kind: type[Kind]) -> tuple[Kind, ...]:
    found = tuple(declared)
    wrong = [item for item in found if not isinstance(item, kind)]
    if wrong:
        raise PluginError(f"{name} holds {wrong[0]!r}, which is no {kind.__name__}")
    return found
