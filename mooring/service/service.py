"""The service: its life from start to stop, its channels, and the ways in and out of them."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from mooring.bots.calling import run_hook
from mooring.bots.context import Context
from mooring.bots.lifespan import Lifespans
from mooring.bots.loading import Plugin
from mooring.bots.reloading import reload
from mooring.bots.schedule import Patience
from mooring.bots.timers import Timers
from mooring.channels.agents import Agents
from mooring.channels.channel import HostedChannel, host
from mooring.channels.metrics import Metrics
from mooring.channels.other_channels import parcel_for_channel, record_of_downs
from mooring.channels.runner import Wiring
from mooring.channels.sends import SendLimits, Sends
from mooring.channels.turn import Turn, current_turn
from mooring.channels.workers import ChannelWorkers
from mooring.clock import Clock
from mooring.config import ChannelConfig
from mooring.containment import plugin_task, within
from mooring.environment import Environment
from mooring.errors import PluginError
from mooring.events import Acknowledgement, Character, UpEvent
from mooring.gateways.deliveries import Deliveries
from mooring.gateways.delivery import Gateways
from mooring.gateways.returns import ChannelHooks
from mooring.kinds import CHARACTER_KINDS
from mooring.logging import secrets_in, set_up_logging
from mooring.protocols import ServiceStopping, UnknownChannel, WouldHang
from mooring.secrets import Secrets
from mooring.service.deadline import HOOKS, STORAGES, Deadline
from mooring.service.dispatch import dispatch
from mooring.service.incidents import Incidents
from mooring.service.last_known import LastKnown
from mooring.service.old_data import json_roots, not_taken_over, told
from mooring.service.presence_announcer import PresenceAnnouncer
from mooring.service.rooms import Rooms
from mooring.service.signals import stopping_on_signals
from mooring.service.tasks import Tasks
from mooring.service.watchdog import Seconds, Watchdog
from mooring.settings import Source, load_settings
from mooring.threads import PluginThreads

log = logging.getLogger("service")
T = TypeVar("T")

_CLOSED_AT_ONCE = 16
"""Storages, each in a thread of its own."""


class ChannelService(Rooms):
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
        self._settings = load_settings(config, parts, plugin_config or {})
        named = {"--config": config or service_config, "--db-config": None if config else db_config}
        self._options = "".join(f" {option} {file}" for option, file in named.items() if isinstance(file, str | os.PathLike))
        """How a command names the configs of this service, as far as they are files."""
        self.config: dict[str, Any] = self._settings.raw
        self.service_id: str = self._settings.service.service_id
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
        hooks = ChannelHooks(self._hosted.get, self.on_channel_message, self.on_channel_message_returned)
        self._deliveries = Deliveries(self._gateways.network, hooks, self._environment, 60 * self._limits.outbox_minutes)
        self._early: dict[str, list[Callable[[Sends], object]]] = {}
        self._incidents = Incidents(time.monotonic)
        self._tasks = Tasks(self._clock, self._incidents.add)
        self._presence_announcer = PresenceAnnouncer(lambda: self._hosted)
        self._metrics = Metrics(lambda: self.channels, self._deliveries.readings)
        seconds = Seconds(self._limits.blocking_seconds, self._limits.handler_seconds, self._settings.service.stop_timeout)
        self._watchdog = Watchdog(seconds, self._plugin_modules, self._metrics.blocked, self._incidents.add)
        patience = Patience(self._limits.schedule_tries, self._limits.schedule_retry_seconds)
        self.timers = Timers(self, lambda: self.plugins, self._clock, patience, self._metrics.given_up)
        self._up = asyncio.Event()
        self._is_begun = False
        self._stop_asked = asyncio.Event()

    def set_up_logging(self) -> None:
        """Send the log of the whole process where the log config says; nobody else's handlers stay."""
        set_up_logging(self._settings.log, self._secrets)

    def keep_secret(self, secret: str) -> None:
        """Hide this string wherever it would appear in the log."""
        self._secrets.add(secret)

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
            await self._at_start(self.before_channel_init())
            for channel in self._settings.service.channels:
                await self._open(channel)
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
        if self.checkin_interval > 0:
            self.spawn(self._check_in, name="check-in", endless=True)
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
        await self._guarded("telling the other processes", self._presence_announcer.end(), deadline.left())
        sending = self._deliveries.stop(deadline.left())
        await asyncio.gather(sending, *(channel.queue.stop(deadline.left()) for channel in self._hosted.values()))
        for channel in self._hosted.values():
            channel.workers.close()
        # The second is shared: half of what is left for whoever is next, so that who hangs leaves something for the others.
        if self._up.is_set():
            await self._guarded("on_stop", self.on_stop(), deadline.left(HOOKS) / 2)
        for plugin in reversed(list(self.plugins.loaded.values())):
            await self._lifespans.end(self, plugin, deadline.left(HOOKS) / 2)
        self._up.clear()
        self._hosted.clear()
        await self._close_storages(deadline)
        self._watchdog.stop()
        log.info("service %s has stopped", self.service_id)

    async def abandon(self) -> None:
        """Let go of threads and storages and finish nothing: what a test does with a service that has crashed."""
        self._watchdog.stop()
        await self._close_storages(Deadline(self._settings.service.stop_timeout))

    async def run(self, when_up: Callable[[], object] = lambda: None) -> None:
        """Start, call `when_up`, and stop on SIGINT or SIGTERM or when `ask_to_stop` was called. A second signal ends the process at once.

        The process is the service's own meanwhile: what cannot be interrupted, or stopped in time, ends it with the exit code 3.
        """
        try:
            with stopping_on_signals(self.ask_to_stop, self._watchdog.stop_asked, self._watchdog.own_process()):
                starting, asked = asyncio.ensure_future(self.start()), asyncio.ensure_future(self._stop_asked.wait())
                try:
                    await asyncio.wait((starting, asked), return_when=asyncio.FIRST_COMPLETED)
                    if starting.done():
                        starting.result()
                        when_up()
                        await asked
                        await self.stop()
                    else:
                        starting.cancel()  # which stops what has been started
                        await asyncio.wait((starting,))
                finally:
                    asked.cancel()
        finally:
            self._watchdog.disown_process()

    def ask_to_stop(self) -> None:
        """Let `run` come to its end. On the event loop."""
        self._watchdog.stop_asked()
        self._stop_asked.set()

    def _plugin_modules(self) -> list[str]:
        own = type(self).__module__
        return [*(plugin.module.__name__ for plugin in self.plugins.loaded.values()), *([] if own.startswith("mooring.") else [own])]

    async def _notice_old_data(self) -> None:
        """Say what the Moobius SDK kept in the folders of this service, as nobody reads that otherwise."""
        found = await self._threads.run(not_taken_over, json_roots(self.config["db_config"]), self._agents.imported)
        for root, olds in found.items():
            log.warning("%s", told(root, olds, self._options))

    async def _at_start(self, hook: Coroutine[Any, Any, None]) -> None:
        """Await one of the hooks of the start."""
        await hook

    async def _open(self, config: ChannelConfig) -> None:
        channel_id = config.id
        await self._at_start(self.on_channel_init(channel_id))
        if self.channels.get(channel_id) is None:  # overridden, by a bot that keeps nothing
            await self._open_storage(channel_id)
        await self._threads.run(self.plugins.prepare, self.channels[channel_id])
        stuck, limits = self.plugins.runtime.stuck, self._limits
        workers = ChannelWorkers(channel_id, limits.handler_seconds, self._threads, stuck, self._incidents.add)
        wiring = Wiring(
            service=self,
            route=self._route,
            deliver=self._gateways.deliver,
            wants_characters=self._wants_characters,
            wake_outbox=self._deliveries.wake,
            metrics=self._metrics,
            clock=self._clock,
            workers=workers,
            limits=SendLimits(limits.replies, limits.reply_bytes),
            plugin_names=lambda: self.plugins.loaded,
        )
        channel = self._hosted[channel_id] = await host(config, self.channels[channel_id], limits, lambda: self.plugins.bars, wiring)
        self._last_known.forget(channel_id)
        await self._deliveries.open(channel)
        channel.queue.start()
        for act in self._early.pop(channel_id, []):
            await self._post(channel_id, act)
        for plugin in self.plugins.loaded.values():
            if "on_channel_init" in plugin.hooks:
                with self._left_out_if_it_fails(plugin):
                    await self.in_channel(channel_id, partial(run_hook, plugin, "on_channel_init"), name="on_channel_init")

    @contextmanager
    def _left_out_if_it_fails(self, plugin: Plugin) -> Iterator[None]:
        """Go on without a plugin that does not start, in one line. Raises PluginError if it is required."""
        try:
            yield
        except Exception as error:
            why = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
            if plugin.entry.required:
                raise PluginError(f"plugin {plugin.name}: {why}") from error
            log.warning("Plugin %s was left out: %s", plugin.name, why)
            log.debug("what plugin %s raised", plugin.name, exc_info=True)
            self.plugins = self.plugins.without(plugin.name, why)

    async def _close_storages(self, deadline: Deadline) -> None:
        at_once = asyncio.Semaphore(_CLOSED_AT_ONCE)

        async def close(what: str, work: Callable[[], object]) -> None:
            async with at_once:
                await self._guarded(f"closing the storage of {what}", self._threads.run(work, name="close"), deadline.left(STORAGES))

        closing = [close(channel_id, storage.close) for channel_id, storage in self.channels.items()]
        await asyncio.gather(*closing, *(close(what, work) for what, work in self._deliveries.closing()), close("the agents", self._agents.close))
        self.channels.clear()

    async def _check_in(self) -> None:
        while True:
            await asyncio.sleep(self.checkin_interval)
            await asyncio.gather(*(self._check_in_one(channel_id) for channel_id in self.channel_ids()))

    async def _check_in_one(self, channel_id: str) -> None:
        await self._guarded(f"on_channel_checkin of {channel_id}", self.on_channel_checkin(channel_id), self._limits.handler_seconds)

    async def _guarded(self, what: str, work: Coroutine[Any, Any, Any], seconds: float) -> None:
        try:
            await within(seconds, work, what)
        except Exception:
            log.exception("%s failed", what)

    # -- the way of events -----------------------------------------------------------------------------------------------

    async def submit(self, event: UpEvent) -> Acknowledgement:
        """Queue an event and wait until it is handled, committed and delivered.

        Raises ServiceError if it is not taken, and WouldHang inside of an event, which would wait for what waits for it.
        """
        self._refuse_to_hang("submit", event.channel_id)
        return await self.enqueue(event)

    def enqueue(self, event: UpEvent) -> asyncio.Future[Acknowledgement]:
        """Queue an event; the future has its answer when it is committed and delivered. Raises ServiceError if it is not taken."""
        if not self._up.is_set():
            raise ServiceStopping
        return self._channel(event.channel_id).queue.enqueue(event)

    async def in_channel(self, channel_id: str, work: Callable[[Context], Awaitable[T]], *, name: str = "work") -> T:
        """Run `work` in the channel's order, in a transaction; what it sends leaves after the commit. Raises what it raises.

        Inside of an event of the same channel it runs in that event's transaction. Raises WouldHang inside of another channel's, and in
        tasks and threads that an event started, which it may wait for.
        """
        if not self._is_in_turn(channel_id):
            self._refuse_to_hang("in_channel", channel_id)

        async def body(turn: Turn) -> T:
            turn.work = name
            return await work(Context(turn, self.plugins))

        return await self._channel(channel_id).queue.run(body)

    def _is_in_turn(self, channel_id: str) -> bool:
        turn = current_turn()
        is_here = turn is not None and turn.open and turn.service is self and turn.channel_id == channel_id
        return is_here and turn is not None and turn.task is asyncio.current_task()

    def _refuse_to_hang(self, what: str, channel_id: str) -> None:
        turn = current_turn()
        if turn is not None and turn.open:
            raise WouldHang(
                f"{what} for channel {channel_id!r} was called inside of {turn.running()}, and would wait for events that may wait for this one. "
                "Use ctx.background(work), which runs after this event and may wait, or a sender like service.send_message, which does not wait."
            )

    async def _members_of(self, channel_id: str) -> Mapping[str, Character]:
        if channel_id in self._hosted or not self.has_channel(channel_id):
            return self.members(channel_id)
        return await self._last_known.members(channel_id, self.config["db_config"])

    def _all_channels(self) -> Sequence[str]:
        return list(dict.fromkeys([*self._hosted, *(channel.id for channel in self._settings.service.channels)]))

    def has_channel(self, channel_id: str) -> bool:
        """Whether there is such a channel, or will be when all are set up."""
        return channel_id in self._hosted or any(channel.id == channel_id for channel in self._settings.service.channels)

    async def _post(self, channel_id: str, act: Callable[[Sends], object]) -> None:
        """Let `act` add to the sends of the event in hand, or of one made for it."""
        turn = current_turn()
        if turn is not None and turn.open and turn.channel_id == channel_id:
            act(turn.sends)
        elif turn is not None and turn.open:
            # Another channel's order cannot be waited for inside of this one's: two that wait for each other would hang.
            if not self.has_channel(channel_id):
                raise UnknownChannel(channel_id)
            there = turn.sends.elsewhere(channel_id)
            act(there)
            turn.sends.parcels.append(parcel_for_channel(channel_id, record_of_downs(there.downs)))
        elif channel_id not in self._hosted and self.has_channel(channel_id):
            self._early.setdefault(channel_id, []).append(act)
        else:
            await self._channel(channel_id).queue.run(lambda turn: _fill(turn, act))

    async def cast(self, obj: Any) -> None:
        """Hand any object to `on_spell`."""
        await self.on_spell(obj)

    def unknown_payload(self, payload: dict[str, Any]) -> None:
        """Hand what a gateway does not know to `on_unknown_payload`, beside the channels."""
        self.spawn(self._guarded("on_unknown_payload", self.on_unknown_payload(payload), self._limits.handler_seconds), name="on_unknown_payload")

    def spawn(self, work: Coroutine[Any, Any, None] | Callable[[], Coroutine[Any, Any, None]], *, name: str, endless: bool = False) -> None:
        """Run `work` beside the channels, as a task that is cancelled when the service stops. On the event loop.

        `endless` work is given as a function, and goes on until then: whatever ends it, it is called again a moment later, and
        `/readyz` tells of it. `settle` does not wait for it.
        """
        if callable(work):
            if not endless:
                raise TypeError(f"spawn({name!r}) was given a function, which is for endless work; give it the coroutine")
            self._tasks.spawn_endless(work, name=name)
        elif endless:
            work.close()
            raise TypeError(f"spawn({name!r}) was given a coroutine, which can run only once; give the function, for work that is endless")
        else:
            self._tasks.spawn(work, name=name)

    async def reload_plugin(self, name: str) -> None:
        """Let new code of a plugin take over, between two events. Raises PluginError or ConfigError, and then the old one stays."""
        folders, seconds = self._settings.service.plugin_folders, self._limits.handler_seconds
        self.plugins = await reload(self, self._lifespans, self._threads, self.plugins, name, folders=folders, seconds=seconds)
        self.timers.begin()

    async def settle(self) -> None:
        """Wait until the work beside the channels has ended, and what they sent to each other has been taken."""
        await self._tasks.settle()
        await self._deliveries.settle()

    def wake_timers(self, channel_id: str | None = None, keys: Iterable[str] | None = None) -> None:
        """Look at the schedules again: something was added, in this channel and under these keys if they are known. On the event loop."""
        self.timers.wake(channel_id, keys)

    async def _route(self, turn: Turn) -> None:
        await dispatch(self, turn, self._hosted[turn.channel_id].findings)

    def _wants_characters(self) -> bool:
        return self._gateways.want(CHARACTER_KINDS)


async def _fill(turn: Turn, act: Callable[[Sends], object]) -> None:
    act(turn.sends)
