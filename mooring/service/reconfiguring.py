"""Taking over changed configs while the service runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import msgspec

from mooring.bots.lifespan import Lifespans
from mooring.bots.reloading import change_entry
from mooring.channel_config import ChannelConfig, with_template
from mooring.channels.channel import HostedChannel
from mooring.config import LogConfig, ServiceConfig
from mooring.control.commands import ControlCommand
from mooring.errors import CommandError, PluginError
from mooring.events import Down
from mooring.protocols import ServiceError
from mooring.service.channels import Channels
from mooring.settings import Settings, Sources, load_settings
from storage import ConfigError, StorageError

log = logging.getLogger("service")

_AT_A_START = ("service_id", "plugin_folders", "stop_timeout", "data_dir", "upload_dir", "upload_bytes", "checkin_interval")
_LIMITS_AT_A_START = ("blocking_seconds", "handler_seconds", "schedule_tries", "schedule_retry_seconds", "outbox_minutes")
_OF_A_CHANNEL_AT_A_START = ("rooms", "dicts")


@dataclass
class Outcome:
    """What a reload has done, in words."""

    changed: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    """What counts after a restart."""
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [", ".join(self.changed) or "nothing has changed"]
        parts += [f"only a restart changes {', '.join(self.later)}"] if self.later else []
        return "; ".join(parts + self.problems)


class Reconfiguring(Channels):
    """The part of a service that reads its configs again."""

    _sources: Sources
    _configured: dict[str, ChannelConfig]
    _lifespans: Lifespans
    _reconfiguring: asyncio.Lock
    _on_reload: dict[str, Callable[[], str | None]]
    _owns_logging: bool

    def set_up_logging(self) -> None:
        """Send the log of the whole process where the log config says; nobody else's handlers stay."""
        raise NotImplementedError

    def on_reload(self, name: str, call: Callable[[], str | None]) -> None:
        """Call this, in a thread, whenever the configs are read again, in place of one of the same name."""
        self._on_reload[name] = call

    async def reload_config(self, log_level: str | None = None) -> Outcome:
        """Read the configs again, and let what has changed count. With a fault in them nothing changes: raises ConfigError with all of them.

        `log_level` is that of the terminal, from now on. Channels come, go and change; what is told of as `later` counts after a restart.
        """
        if not self._up.is_set():
            raise ServiceError("the service is not up yet, or stops")
        async with self._reconfiguring:
            if log_level is not None:
                parts = {**self._sources.parts, "log_config": {**self._settings.log.model_dump(), "terminal_log_level": log_level}}
                self._sources = replace(self._sources, parts=parts)
            new = await self._threads.run(load_settings, self._sources, self.plugins, name="reload")
            outcome = Outcome()
            old, self._settings = self._settings, self._kept(new, outcome)
            self._log_changed(old.log, self._settings.log, outcome)
            await self._change_plugins(new, outcome)
            await self._change_channels(old.service, self._settings.service, outcome)
            await self._call_others(outcome)
        log.info("the configs were read again: %s", outcome)
        return outcome

    def _kept(self, new: Settings, outcome: Outcome) -> Settings:
        """The new settings, with the old ones where they count from the start on."""
        old = self._settings
        fixed: dict[str, Any] = {name: getattr(old.service, name) for name in _AT_A_START}
        outcome.later += [name for name, value in fixed.items() if getattr(new.service, name) != value]
        limits = {name: getattr(old.service.limits, name) for name in _LIMITS_AT_A_START}
        outcome.later += [f"limits: {name}" for name, value in limits.items() if getattr(new.service.limits, name) != value]
        fixed["limits"] = new.service.limits.model_copy(update=limits)
        if new.raw["db_config"] != old.raw["db_config"]:
            outcome.later.append("the db config")
        named = {entry.name for entry in new.service.plugins}
        outcome.later += [f"plugin {name}" for name in sorted(named ^ (self.plugins.loaded.keys() | self.plugins.failed.keys()))]
        new.raw["db_config"] = old.raw["db_config"]
        ours, theirs = new.raw["service_config"], old.raw["service_config"]
        kept = {name: theirs[name] for name in _AT_A_START if name in theirs}
        new.raw["service_config"] = {**{name: value for name, value in ours.items() if name not in _AT_A_START}, **kept}
        self.config.update(new.raw)
        return replace(new, service=new.service.model_copy(update=fixed), raw=self.config)

    def _log_changed(self, old: LogConfig, new: LogConfig, outcome: Outcome) -> None:
        if self._owns_logging:
            self.set_up_logging()  # also to open files anew that were moved away
        if new != old:
            outcome.changed.append("the log")

    async def _change_plugins(self, new: Settings, outcome: Outcome) -> None:
        for name, plugin in new.plugins.loaded.items():
            if plugin is self.plugins.loaded.get(name):
                continue
            try:
                self.plugins = await change_entry(self._whole, self._lifespans, self.plugins, plugin, seconds=self._limits.handler_seconds)
                outcome.changed.append(f"plugin {name}")
            except (PluginError, ServiceError, StorageError) as error:
                outcome.problems.append(f"plugin {name} goes on with its old settings: {error}")
        self.timers.begin()

    async def _change_channels(self, old: ServiceConfig, new: ServiceConfig, outcome: Outcome) -> None:
        before, self._templates, self._reserved_names = dict(self._configured), new.templates, new.reserved_names
        has_other_limits = new.limits != self._limits
        self._limits = new.limits
        self._configured.clear()
        self._configured.update({channel.id: with_template(channel, new.templates) for channel in new.channels})
        for channel_id in [each for each in before if each not in self._configured]:
            await self._end_channel(channel_id)
            outcome.changed.append(f"channel {channel_id} is gone")
        for channel_id, config in list(self._configured.items()):
            if channel_id not in before:
                await self._begin_channel(config, outcome)
            elif (was := before[channel_id]) != config and (channel := self._hosted.get(channel_id)) is not None:
                self._change_channel(channel, was, config, outcome)
        try:
            await self._run_time_channels.note_configured(self._configured)
        except StorageError as error:
            outcome.problems.append(f"which channels the config names could not be noted: {error}; reload again")
        if new.templates != old.templates:
            await self._reconcile(list(self._run_time_channels.open))
        for channel in list(self._hosted.values()):
            channel.limit(channel.config.limits.over(self._limits))
        outcome.changed += ["the limits"] if has_other_limits else []
        self._gateways.channels_changed()

    async def _begin_channel(self, config: ChannelConfig, outcome: Outcome) -> None:
        if config.id in self._hosted:
            del self._configured[config.id]
            outcome.problems.append(f"channel {config.id} is not opened from the config: one of this id was made at run time")
            return
        try:
            await self._open(config)
        except Exception as error:
            # `on_channel_init` is a bot's code and may raise anything; the other channels go on.
            log.exception("channel %s was not opened", config.id)
            await self._let_go(config.id)
            del self._configured[config.id]
            outcome.problems.append(f"channel {config.id} was not opened: {error}")
        else:
            self.timers.begin_channel(config.id)
            outcome.changed.append(f"channel {config.id} is new")

    async def _end_channel(self, channel_id: str) -> None:
        """Take nothing new, finish what waits, and let go of it here; other processes go by their own configs."""
        channel = self._hosted.get(channel_id)
        if channel is None:
            return
        self._closing.add(channel_id)
        self._gateways.channels_changed()
        try:
            await channel.queue.stop(self._limits.handler_seconds)
            await self._let_go(channel_id)
        finally:
            self._closing.discard(channel_id)
        self.timers.wake(channel_id)

    def _change_channel(self, channel: HostedChannel, was: ChannelConfig, config: ChannelConfig, outcome: Outcome) -> None:
        fixed = {name: getattr(was, name) for name in _OF_A_CHANNEL_AT_A_START}
        outcome.later += [f"{name} of channel {config.id}" for name, value in fixed.items() if getattr(config, name) != value]
        info, config = channel.info, config.model_copy(update=fixed)
        if config == was:
            self._configured[config.id] = was
            return
        changed = self._hosted[config.id] = replace(channel, config=config)
        self._configured[config.id] = config
        self._serving[config.id].uses = config.plugins
        if changed.info != info:
            self._gateways.deliver(config.id, [Down("channel_info", config.id, changed.info)])
        if config.plugins != was.plugins:
            self._after_switching(config.id)
        outcome.changed.append(f"channel {config.id}")

    async def _call_others(self, outcome: Outcome) -> None:
        for name, call in list(self._on_reload.items()):
            try:
                said = await self._threads.run(call, name=f"reload {name}")
                outcome.changed += [] if said is None else [said]
            except Exception as error:  # a plugin's code, which may raise anything
                log.debug("%s could not reload", name, exc_info=True)
                outcome.problems.append(f"{name}: {error}")


class Reloads(Protocol):
    """A running service."""

    async def reload_config(self, log_level: str | None = None) -> Outcome:
        """Read the configs again. Raises ConfigError."""

    async def reload_plugin(self, name: str) -> None:
        """Load a plugin anew. Raises PluginError and ConfigError."""


class What(msgspec.Struct, forbid_unknown_fields=True):
    """A plugin, or the configs."""

    what: str = "config"
    log_level: str | None = None


async def _reload(service: Reloads, asked: What) -> dict[str, Collection[str]]:
    try:
        if asked.what != "config":
            await service.reload_plugin(asked.what)
            log.info("plugin %s was loaded anew", asked.what)
            return {"changed": [f"plugin {asked.what}"], "later": [], "problems": []}
        outcome = await service.reload_config(asked.log_level)
    except (ConfigError, PluginError, ServiceError) as error:
        raise CommandError(f"Nothing was changed: {error}") from error
    return {"changed": outcome.changed, "later": outcome.later, "problems": outcome.problems}


RELOAD_COMMANDS: tuple[ControlCommand[Reloads], ...] = (ControlCommand("reload", What, _reload),)
