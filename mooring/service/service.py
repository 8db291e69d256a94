"""The service: its life from start to stop, its channels, and the ways in and out of them."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mooring.bots.lifespan import Lifespans
from mooring.bots.schedule import Patience
from mooring.bots.serving import PluginSets, ServingPlugins
from mooring.bots.timers import Timers
from mooring.channel_config import with_template
from mooring.channels.agents import Agents
from mooring.channels.channel import HostedChannel
from mooring.channels.metrics import Metrics
from mooring.channels.sends import Sends
from mooring.clock import Clock
from mooring.containment import plugin_task
from mooring.environment import Environment
from mooring.gateways.deliveries import Deliveries
from mooring.gateways.delivery import Gateways
from mooring.gateways.returns import ChannelHooks
from mooring.logging import secrets_in, set_up_logging
from mooring.protocols import ServiceError
from mooring.secrets import Secrets
from mooring.service.deadline import HOOKS, STORAGES, Deadline
from mooring.service.guarding import guarded
from mooring.service.guests import look_after_guests
from mooring.service.health import readings
from mooring.service.incidents import Incidents
from mooring.service.last_known import LastKnown
from mooring.service.old_data import json_roots, not_taken_over, told
from mooring.service.plugin_checks import PluginChecks
from mooring.service.presence_announcer import PresenceAnnouncer
from mooring.service.probes import EngineProbes
from mooring.service.reconfiguring import Reconfiguring
from mooring.service.run_time_channels import RunTimeChannels
from mooring.service.signals import stopping_on_signals
from mooring.service.tasks import Tasks
from mooring.service.watchdog import Seconds, Watchdog
from mooring.settings import Source, Sources, load_settings
from mooring.threads import PluginThreads
from storage import ConfigError
from storage.domains import variants

log = logging.getLogger("service")
T = TypeVar("T")

_CLOSED_AT_ONCE = 16
"""Storages, each in a thread of its own."""
_REST = 0.001
"""Seconds for the channels, again and again, while folders are looked through."""


class ChannelService(Reconfiguring):
    """Hosts channels, and takes what members do through commands, plugins and the hooks of a subclass.

    Each config is a dict or the name of a JSON file; `config` may hold the other four. `plugin_config` goes over the
    configs of the named plugins; `clock` goes over that of the `environment`. Raises ConfigError with every fault of all of them.
    """

    def __init__(
        self,
        config: Source = None,
        account_config: Source = None,
        service_config: Source = None,
        db_config: Source = None,
        log_config: Source = None,
        *,
        clock: Clock | None = None,
        environment: Environment | None = None,
        plugin_config: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        parts = {"account_config": account_config, "service_config": service_config, "db_config": db_config, "log_config": log_config}
        self._sources = Sources(config, parts, plugin_config or {})
        self._settings = load_settings(self._sources)
        self._reconfiguring, self._on_reload, self._owns_logging = asyncio.Lock(), {}, False
        named = {"--config": config or service_config, "--db-config": None if config else db_config}
        self._options = "".join(f" {option} {file}" for option, file in named.items() if isinstance(file, str | os.PathLike))
        """How a command names the configs of this service, as far as they are files."""
        self.config: dict[str, Any] = self._settings.raw
        self.service_id: str = self._settings.service.service_id
        self.data_dir = Path(self._settings.service.data_dir)
        """Where the running service has its socket for the command line."""
        self._reserved_names = self._settings.service.reserved_names
        self.plugins = self._settings.plugins
        self.channels = {}
        environment = environment or Environment()
        self._environment = environment if clock is None else replace(environment, clock=clock)
        self._clock, self._threads = self._environment.clock, self._environment.threads
        self._limits = self._settings.service.limits
        self.checkin_interval = self._settings.service.checkin_interval
        """Seconds between calls of `on_channel_checkin`, 0 for none; counts when the service starts."""
        self._lifespans = Lifespans(self.plugins.runtime.states, self._threads, self._clock, self._limits.handler_seconds)
        self._agents = Agents(self._threads)
        self._last_known = LastKnown(self.service_id, self._threads)
        self._secrets = Secrets(secrets_in(self.config, os.environ))
        self._gateways = Gateways()
        self._hosted: dict[str, HostedChannel] = {}
        self._process_id = secrets.token_hex(8)
        self._closing: set[str] = set()
        self._templates = self._settings.service.templates
        self._configured = {channel.id: with_template(channel, self._templates) for channel in self._settings.service.channels}
        self._plugin_sets = PluginSets()
        self._serving: dict[str, ServingPlugins] = {}
        self._run_time_channels = RunTimeChannels(self._threads, self._reconcile)
        hooks = ChannelHooks(self._hosted_if_open, self.on_channel_message, self.on_channel_message_returned)
        self._deliveries = Deliveries(self._gateways.network, hooks, self._environment, 60 * self._limits.outbox_minutes)
        self._early: dict[str, list[Callable[[Sends], object]]] = {}
        self._incidents = Incidents(time.monotonic)
        self._probes = EngineProbes()
        self._checks = PluginChecks()
        self._tasks = Tasks(self._clock, self._incidents.add)
        self._presence_announcer = PresenceAnnouncer(lambda: self._hosted)
        self._metrics = Metrics(lambda: self.channels, self._deliveries.readings, self.plugins.runtime.shared_stores.dicts)
        self._metrics.add(lambda: readings(self._hosted, self._probes, self._tasks.problems()))
        seconds = Seconds(self._limits.blocking_seconds, self._limits.handler_seconds, self._settings.service.stop_timeout)
        self._watchdog = Watchdog(seconds, self._plugin_modules, self._metrics.blocked, self._incidents.add)
        patience = Patience(self._limits.schedule_tries, self._limits.schedule_retry_seconds)
        self.timers = Timers(self, self._channel_plugins, self._clock, patience, self._given_up)
        self._up = asyncio.Event()
        self._is_begun = False
        self._stop_asked = asyncio.Event()

    def set_up_logging(self) -> None:
        """Send the log of the whole process where the log config says; nobody else's handlers stay."""
        self._owns_logging = True
        set_up_logging(self._settings.log, self._secrets)

    # -- from start to stop ----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Set up the channels and let members in. If anything of it fails, everything is closed again."""
        self._is_begun = True
        loop = asyncio.get_running_loop()
        loop.set_default_executor(PluginThreads(self._threads))
        if loop.get_task_factory() is None:
            loop.set_task_factory(plugin_task)
        self._gateways.use_loop(loop)
        self._tasks.begin()
        if self._environment.is_watched:
            self.spawn(self._watchdog.keep, name="watchdog", endless=True)
        try:
            await self._agents.open(self.service_id, self.config["db_config"])
            await self._run_time_channels.begin(self.service_id, self.config["db_config"], self._configured, self._clock)
            variants.set(self._run_time_channels.variants())
            shared = self.plugins.runtime.shared_stores
            await self._threads.run(shared.open, self.service_id, self.config["db_config"], self.plugins.shared_values)
            await self._at_start(self.before_channel_init())
            for channel in self._configured.values():
                await self._open(channel)
            await self._run_time_channels.settle()
            for plugin in self.plugins.loaded.values():
                with self._left_out_if_it_fails(plugin):
                    await self._lifespans.begin(self, plugin)
                if plugin.name not in self.plugins.loaded:
                    await self._lifespans.end(self, plugin, self._limits.handler_seconds)
            await self._at_start(self.on_start())
        except BaseException:
            await self.stop()
            raise
        self.spawn(self.timers.run, name="timers", endless=True)
        self.spawn(self._presence_announcer.run, name="presence", endless=True)
        self.spawn(lambda: look_after_guests(self, lambda: self._hosted, self._clock, self.guest_seconds()), name="guests", endless=True)
        if self.checkin_interval > 0:
            self.spawn(self._check_in, name="check-in", endless=True)
        self.spawn(self._run_time_channels.follow, name="channels", endless=True)
        self.spawn(self._notice_old_data(), name="looking for data of the SDK")
        self._up.set()
        self._deliveries.begin()
        log.info("service %s is up with %d channels and the plugins %s", self.service_id, len(self._hosted), ", ".join(self.plugins.loaded))

    async def stop(self) -> None:
        """Let nobody in, finish the events in hand and those that wait, call `on_stop`, and close the storages. Twice is fine.

        It takes at most `stop_timeout` and a second. What does not end in that time is left alone.
        """
        if not self._is_begun:
            return
        self._is_begun = False
        deadline = Deadline(self._settings.service.stop_timeout, self._watchdog.since_stop_asked)
        self._gateways.stop_accepting()
        await self._tasks.stop(deadline.left())
        await guarded("telling the other processes", self._presence_announcer.end(), deadline.left())
        sending = self._deliveries.stop(deadline.left())
        await asyncio.gather(sending, *(channel.queue.stop(deadline.left()) for channel in self._hosted.values()))
        for channel in self._hosted.values():
            channel.workers.close()
        # The second is shared: half of what is left for whoever is next, so that who hangs leaves something for the others.
        if self._up.is_set():
            await guarded("on_stop", self.on_stop(), deadline.left(HOOKS) / 2)
        for plugin in reversed(list(self.plugins.loaded.values())):
            await self._lifespans.end(self, plugin, deadline.left(HOOKS) / 2)
        was_up = self._up.is_set()
        self._up.clear()
        self._hosted.clear()
        await self._close_storages(deadline)
        self._watchdog.stop()
        if was_up:
            log.info("service %s has stopped", self.service_id)
        else:
            log.info("service %s was not up yet; what it had opened is closed", self.service_id)

    async def abandon(self) -> None:
        """Let go of threads and storages and finish nothing: what a test does with a service that has crashed."""
        self._watchdog.stop()
        await self._close_storages(Deadline(self._settings.service.stop_timeout))

    async def run(self, when_up: Callable[[], Awaitable[object] | None] = lambda: None) -> None:
        """Start, call `when_up` (and await what it returns), and stop on SIGINT or SIGTERM or when `ask_to_stop` was called.

        A second signal ends the process at once.
        The process is the service's own meanwhile: what cannot be interrupted, or stopped in time, ends it with the exit code 3.
        """
        try:
            with stopping_on_signals(self.ask_to_stop, self._ask_to_reload, self._watchdog.stop_asked, self._watchdog.own_process()):
                starting, asked = asyncio.ensure_future(self.start()), asyncio.ensure_future(self._stop_asked.wait())
                try:
                    await asyncio.wait((starting, asked), return_when=asyncio.FIRST_COMPLETED)
                    if starting.done():
                        starting.result()
                        if (said := when_up()) is not None:
                            await said
                        await asked
                        await self.stop()
                    else:
                        starting.cancel()  # which stops what has been started
                        await asyncio.wait((starting,))
                finally:
                    asked.cancel()
        finally:
            self._watchdog.disown_process()

    def _given_up(self, what: str) -> None:
        self._metrics.given_up()
        self._incidents.add(what)

    def ask_to_stop(self) -> None:
        """Let `run` come to its end. On the event loop."""
        self._watchdog.stop_asked()
        self._stop_asked.set()

    def _ask_to_reload(self) -> None:
        self._tasks.spawn(self._reload_as_asked(), name="reload")

    async def _reload_as_asked(self) -> None:
        try:
            await self.reload_config()
        except (ConfigError, ServiceError) as error:
            log.error("the configs were not read again, and nothing was changed: %s", error)  # noqa: TRY400 - it says all there is to say

    def _plugin_modules(self) -> list[str]:
        own = type(self).__module__
        return [*(plugin.module.__name__ for plugin in self.plugins.loaded.values()), *([] if own.startswith("mooring.") else [own])]

    async def _notice_old_data(self) -> None:
        """Say what the Moobius SDK kept in the folders of this service, as nobody reads that otherwise."""
        rest = partial(time.sleep, _REST)
        found = await self._threads.run(not_taken_over, json_roots(self.config["db_config"]), self._agents.imported, rest)
        for root, olds in found.items():
            log.warning("%s", told(root, olds, self._options))

    async def _close_storages(self, deadline: Deadline) -> None:
        at_once = asyncio.Semaphore(_CLOSED_AT_ONCE)

        async def close(what: str, work: Callable[[], object]) -> None:
            async with at_once:
                await guarded(f"closing the storage of {what}", self._threads.run(work, name="close"), deadline.left(STORAGES))

        closing = [close(channel_id, storage.close) for channel_id, storage in self.channels.items()]
        closing += [close(what, work) for what, work in self._deliveries.closing()]
        await asyncio.gather(*closing, close("the agents", self._agents.close), close("the channels", self._run_time_channels.close))
        await close("the stores that all channels share", self.plugins.runtime.shared_stores.close)
        self.channels.clear()

    async def _check_in(self) -> None:
        while True:
            await asyncio.sleep(self.checkin_interval)
            await asyncio.gather(*(self._check_in_one(channel_id) for channel_id in self.channel_ids()))

    async def _check_in_one(self, channel_id: str) -> None:
        await guarded(f"on_channel_checkin of {channel_id}", self.on_channel_checkin(channel_id), self._limits.handler_seconds)

    async def settle(self) -> None:
        """Wait until the work beside the channels has ended, and what they sent to each other has been taken."""
        await self._tasks.settle()
        await self._deliveries.settle()
