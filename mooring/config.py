"""`service.json`: its model, its loading, and the list of all its faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field, ValidationError, field_validator

from mooring.channel_config import ChannelConfig, ChannelLimits, Permissions, StrictModel, TemplateConfig
from mooring.config_faults import faults_of
from mooring.config_paths import PathText
from mooring.roles import ROLES
from storage.errors import ConfigError, Fault
from storage.nearest_word import nearest_word


class Amounts(StrictModel):
    """The most keys and bytes that may be kept; what is left out has no limit."""

    keys: int | None = Field(default=None, ge=1)
    bytes: int | None = Field(default=None, ge=1)


class PluginLimits(Amounts):
    """What a plugin may keep in each channel, and each of its stores, by name."""

    stores: dict[str, Amounts] = Field(default_factory=dict)


class PluginEntry(StrictModel):
    """One plugin. A bare string in the list of plugins is short for its name."""

    name: str = Field(min_length=1)
    config: dict[str, Any] = Field(default_factory=dict)
    required: bool = True
    allow: Permissions = Field(default_factory=dict)
    limits: PluginLimits = PluginLimits()


_LEVELS_OF_THE_SDK = {"TRACE": "DEBUG", "SUCCESS": "INFO"}
"""The levels that its logger has besides the usual ones."""


class LogConfig(StrictModel):
    """Where the log goes, with the names that the Moobius SDK gives its `log_config`."""

    terminal_log_level: str = "INFO"
    log_file: PathText | None = None
    log_level: str = "DEBUG"
    error_log_file: PathText | None = None
    error_log_level: str = "WARNING"
    log_retention: dict[str, Any] | str = Field(default_factory=dict)
    """Accepted for configs written for the SDK, and not used: rotating files is left to logrotate and journald."""

    @field_validator("terminal_log_level", "log_level", "error_log_level")
    @classmethod
    def _known_level(cls, level: str) -> str:
        level = _LEVELS_OF_THE_SDK.get(level.upper(), level)
        if level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
            raise ValueError("is no log level; expected DEBUG, INFO, WARNING, ERROR or CRITICAL")
        return level.upper()


class ServiceConfig(StrictModel):
    """Everything in `service.json`."""

    service_id: str = Field(default="1", min_length=1)
    channels: list[ChannelConfig] = Field(default_factory=list)
    templates: dict[str, TemplateConfig] = Field(default_factory=dict)
    plugins: list[PluginEntry] = Field(default_factory=list)
    plugin_folders: list[PathText] = Field(default_factory=list)
    reserved_names: list[str] = Field(default_factory=list)
    """Names that nobody may pick, besides those of the people in charge."""
    guest_days: float = Field(default=30, gt=0)
    """For so long a guest who stays away is known, and nobody else can pick the name."""
    groups: dict[str, list[str]] = Field(default_factory=dict)
    """The ids of members, by the names under which permissions speak of them."""
    limits: ChannelLimits = ChannelLimits()
    stop_timeout: float = Field(default=10, gt=0)
    checkin_interval: float = Field(default=3600, ge=0)
    data_dir: PathText = Field(default="data", min_length=1)
    """Where a running service has the socket on which `mooring` finds it."""
    upload_dir: PathText = Field(default="data/uploads", min_length=1)
    upload_bytes: int = Field(default=1_000_000_000, ge=1)

    @field_validator("channels", mode="before")
    @classmethod
    def _short_channels(cls, channels: Any) -> Any:
        return [{"id": entry} if isinstance(entry, str) else entry for entry in channels] if isinstance(channels, list) else channels

    @field_validator("plugins", mode="before")
    @classmethod
    def _short_plugins(cls, plugins: Any) -> Any:
        return [{"name": entry} if isinstance(entry, str) else entry for entry in plugins] if isinstance(plugins, list) else plugins

    @field_validator("plugins")
    @classmethod
    def _loaded_once(cls, plugins: list[PluginEntry]) -> list[PluginEntry]:
        names = [plugin.name for plugin in plugins]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"names {', '.join(map(repr, twice))} more than once; each plugin stands there once")
        return plugins

    @field_validator("groups")
    @classmethod
    def _no_roles(cls, groups: dict[str, list[str]]) -> dict[str, list[str]]:
        roles = sorted(set(groups) & set(ROLES))
        if roles:
            raise ValueError(f"{', '.join(roles)} is a role, and no group can be called so")
        return groups

    @field_validator("channels")
    @classmethod
    def _each_once(cls, channels: list[ChannelConfig]) -> list[ChannelConfig]:
        ids = [channel.id for channel in channels]
        twice = sorted({channel_id for channel_id in ids if ids.count(channel_id) > 1})
        if twice:
            raise ValueError(f"names {', '.join(map(repr, twice))} more than once; each channel stands there once")
        rooms = [entry.room for channel in channels for entry in channel.rooms]
        shared = sorted({str(room) for room in rooms if rooms.count(room) > 1})
        if shared:
            raise ValueError(f"binds {', '.join(shared)} more than once; a room is bound to one channel")
        return channels


SDK_ONLY = frozenset({"http_server_uri", "ws_server_uri", "others", "service_mode", "no_warn_cannot_save_service_id", "email", "password"})
"""Fields that a `service_config` written for the Moobius SDK has and that have no meaning here."""


def parse_service(raw: Mapping[str, Any], file: str) -> ServiceConfig:
    """Check a service config; `file` is where it came from, for the reader of the faults. Raises ConfigError with all of them."""
    known = {name: value for name, value in raw.items() if name not in SDK_ONLY and (name, value) != ("service_id", "")}
    try:
        return ServiceConfig.model_validate(known)
    except ValidationError as error:
        raise ConfigError(list(faults_of(error, file, ServiceConfig))) from error


def judgeable(raw: Mapping[str, Any]) -> ServiceConfig:
    """What of a config with faults can be judged: a misspelt field counts as the one that was meant, and faulty entries are left out."""
    fields = ServiceConfig.model_fields
    good: dict[str, Any] = {}
    for name, value in raw.items():
        field = name if name in fields else nearest_word(name, fields)
        if field is None or (field != name and field in raw):
            continue
        if field in {"plugins", "channels"} and isinstance(value, list):
            value = _good_entries(field, value)
        elif field == "plugin_folders":
            value = [folder for folder in (value if isinstance(value, list) else [value]) if isinstance(folder, str)]
        if _is_good({field: value}):
            good[field] = value
    return ServiceConfig.model_validate(good)


def _good_entries(field: str, entries: list[Any]) -> list[Any]:
    key = "id" if field == "channels" else "name"
    good: dict[Any, Any] = {}
    for entry in entries:
        if _is_good({field: [entry]}):
            good.setdefault(entry if isinstance(entry, str) else entry[key], entry)
    return list(good.values())


def _is_good(part: Mapping[str, Any]) -> bool:
    try:
        ServiceConfig.model_validate(part)
    except ValidationError:
        return False
    return True


def parse_log(raw: Mapping[str, Any], file: str) -> LogConfig:
    """Check a log config. Raises ConfigError."""
    try:
        return LogConfig.model_validate(dict(raw))
    except ValidationError as error:
        raise ConfigError(list(faults_of(error, file, LogConfig))) from error


def channel_faults(channel: ChannelConfig | TemplateConfig, names: Iterable[str], templates: Iterable[str], file: str, place: str) -> list[Fault]:
    """What of a channel or template does not fit the rest of the config: `names` are its plugins, `templates` its templates."""
    faults = []
    known = list(names)
    used = [use.name for use in channel.plugins or ()]
    for name in dict.fromkeys(used):
        if name not in known:
            match = nearest_word(name, known)
            remedy = f"did you mean {match}?" if match else f"loaded are {', '.join(known) or 'none'}"
            faults.append(Fault(file, place, "plugins", f"names {name!r}, which is no plugin of the config", remedy))
        if used.count(name) > 1:
            faults.append(Fault(file, place, "plugins", f"names {name!r} more than once", "name each plugin once"))
    template = channel.template if isinstance(channel, ChannelConfig) else None
    if template is not None and template not in templates:
        match = nearest_word(template, list(templates))
        remedy = f"did you mean {match}?" if match else f"known are {', '.join(templates) or 'none'}"
        faults.append(Fault(file, place, "template", f"there is no template {template!r}", remedy))
    return faults
