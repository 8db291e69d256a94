"""What the module of a plugin declares: its settings, hooks, bars and values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mooring.bars.spec import BarSpec
from mooring.config import PluginEntry
from mooring.config_faults import faults_of
from mooring.errors import PluginError
from storage.errors import ConfigError, Fault

Kind = TypeVar("Kind")

HOOKS = (
    "on_start",
    "on_stop",
    "on_channel_init",
    "check_event",
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


def functions_of(module: ModuleType) -> list[Callable[..., Any]]:
    return [value for value in vars(module).values() if callable(value)]


def lifespan_of(module: ModuleType) -> Callable[..., Any] | None:
    lifespan: Callable[..., Any] | None = getattr(module, "lifespan", None)
    if lifespan is not None:
        _check_takes("lifespan", lifespan, ("service", "config"))
    return lifespan


def _check_takes(name: str, function: Callable[..., Any], given: tuple[str, ...]) -> None:
    try:
        inspect.signature(function).bind(*given)
    except TypeError as error:
        raise PluginError(f"{name} is called with ({', '.join(given)}), which it does not take: {error}") from error


def hooks_of(module: ModuleType) -> Mapping[str, Callable[..., Any]]:
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


def bars_of(module: ModuleType, config: Any) -> tuple[BarSpec, ...]:
    """`BARS` is a list, or a function that makes it from the config."""
    declared = getattr(module, "BARS", ())
    return _all_of(declared(config) if callable(declared) else declared, "BARS", BarSpec)


def declared(module: ModuleType, name: str, kind: type[Kind]) -> tuple[Kind, ...]:
    return _all_of(getattr(module, name, ()), name, kind)


def _all_of(declared: Iterable[Any], name: str, kind: type[Kind]) -> tuple[Kind, ...]:
    found = tuple(declared)
    wrong = [item for item in found if not isinstance(item, kind)]
    if wrong:
        raise PluginError(f"{name} holds {wrong[0]!r}, which is no {kind.__name__}")
    return found
