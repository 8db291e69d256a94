"""The service: its life from start to stop, its channels, and the ways in and out of them."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from mooring.bots.calling import call, run_hooks
from mooring.bots.context import Context
from mooring.bots.lifespan import Lifespans
from mooring.bots.reloading import reload
from mooring.bots.schedule import Patience
from mooring.bots.timers import Timers
from mooring.channels.agents import Agents
from mooring.channels.channel import HostedChannel, host
from mooring.channels.metrics import Metrics
from mooring.channels.runner import Wiring
from mooring.channels.sends import Sends
from mooring.channels.turn import Turn, current_turn
from mooring.clock import Clock
from mooring.config import ChannelConfig
from mooring.events import Acknowledgement, UpEvent
from mooring.gateways.delivery import Gateways
from mooring.logging import secrets_in, set_up_logging
from mooring.protocols import ServiceStopping
from mooring.secrets import Secrets
from mooring.service.dispatch import dispatch
from mooring.service.presence_announcer import PresenceAnnouncer
from mooring.service.queries import Queries
from mooring.service.signals import stopping_on_signals
from mooring.service.tasks import Tasks
from mooring.service.watchdog import Watchdog
from mooring.settings import Source, load_settings

log = logging.getLogger("service")
T = TypeVar("T")


class ChannelService(Queries):
    """Hosts channels, and takes what members do through commands, plugins and the hooks of a subclass.

    Each config is a dict or the name of a JSON file; `config` may hold the other four. `plugin_config` goes over the
    configs of the named plugins. Raises ConfigError with every fault of all of them.
    """

    def __init__(
        self,
        config: Source = None,
        account_config: Source = None,
        service_config: Source = None,
        db_config: Source = None,
        log_config: Source = None,
        *,
        clock: Clock = time.time,
        plugin_config: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        parts = {"account_config": account_config, "service_config": service_config, "db_config": db_config, "log_config": log_config}
        self._settings = load_settings(config, parts, plugin_config or {})
        self.config: dict[str, Any] = self._settings.raw
        self.service_id: str = self._settings.service.service_id
        self.plugins = self._settings.plugins
        self.channels = {}
        self._lifespans = Lifespans(self.plugins.runtime.states)
        self._agents = Agents()
        self._secrets = Secrets(secrets_in(self.config, os.environ))
        self._clock = clock
        self._gateways = Gateways()
        self._hosted: dict[str, HostedChannel] = {}
        self._early: dict[str, list[Callable[[Sends], object]]] = {}
        self._tasks = Tasks()
        self._presence_announcer = PresenceAnnouncer(lambda: self._hosted)
        self._metrics = Metrics(lambda: self.channels)
        self._watchdog = Watchdog(self._settings.service.limits.blocking_seconds, self._metrics.blocked)
        limits = self._settings.service.limits
        patience = Patience(limits.schedule_tries, limits.schedule_retry_seconds)
        self.timers = Timers(self, lambda: self.plugins, clock, patience, self._metrics.given_up)
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
        self._gateways.use_loop(asyncio.get_running_loop())
        self._watchdog.start()
        try:
            await self._agents.open(self.service_id, self.config["db_config"])
            await self.before_channel_init()
            for channel in self._settings.service.channels:
                await self._open(channel)
            for plugin in self.plugins.loaded.values():
                await self._lifespans.enter(self, plugin)
                if "on_start" in plugin.hooks:
                    await call(plugin.hooks["on_start"], self, plugin.config)
            await self.on_start()
        except BaseException:
            await self.stop()
            raise
        self.spawn(self.timers.run(), name="timers", endless=True)
        self.spawn(self._presence_announcer.run(), name="presence", endless=True)
        if self._settings.service.checkin_interval:
            self.spawn(self._check_in(), name="check-in", endless=True)
        self._up.set()
        log.info("service %s is up with %d channels and the plugins %s", self.service_id, len(self._hosted), ", ".join(self.plugins.loaded))

    async def stop(self) -> None:
        """Let nobody in, finish the events in hand and those that wait, call `on_stop`, and close the storages. Twice is fine."""
        if not self._is_begun:
            return
        self._is_begun = False
        self._gateways.stop_accepting()
        patience = self._settings.service.stop_timeout
        await self._tasks.stop(patience)
        await self._guarded("telling the other processes", asyncio.wait_for(self._presence_announcer.end(), patience))
        await asyncio.gather(*(channel.queue.stop(patience) for channel in self._hosted.values()))
        if self._up.is_set():
            await self._guarded("on_stop", self.on_stop())
        for plugin in reversed(list(self.plugins.loaded.values())):
            if "on_stop" in plugin.hooks:
                await self._guarded(f"on_stop of {plugin.name}", call(plugin.hooks["on_stop"], self, plugin.config))
            await self._guarded(f"lifespan of {plugin.name}", self._lifespans.leave(plugin.name))
        self._up.clear()
        self._hosted.clear()
        for channel_id, storage in list(self.channels.items()):
            await self._guarded(f"closing the storage of {channel_id}", asyncio.to_thread(storage.close))
        self.channels.clear()
        await self._guarded("closing the storage of the agents", self._agents.close())
        self._watchdog.stop()
        log.info("service %s has stopped", self.service_id)

    async def abandon(self) -> None:
        """Let go of threads and storages and finish nothing: what a test does with a service that has crashed."""
        self._watchdog.stop()
        await self._agents.close()
        for storage in self.channels.values():
            await asyncio.to_thread(storage.close)

    async def run(self, when_up: Callable[[], object] = lambda: None) -> None:
        """Start, call `when_up`, and stop on SIGINT or SIGTERM or when `ask_to_stop` was called. A second signal ends the process at once."""
        with stopping_on_signals(self.ask_to_stop):
            await self.start()
            when_up()
            await self._stop_asked.wait()
        await self.stop()

    def ask_to_stop(self) -> None:
        """Let `run` come to its end."""
        self._stop_asked.set()

    async def _open(self, config: ChannelConfig) -> None:
        channel_id = config.id
        await self.on_channel_init(channel_id)
        if channel_id not in self.channels:  # overridden, by a bot that keeps nothing
            await super().on_channel_init(channel_id)
        await asyncio.to_thread(self.plugins.prepare, self.channels[channel_id])
        wiring = Wiring(self, self._route, self._shows_bars, self._gateways.deliver, self._metrics, self._clock)
        channel = self._hosted[channel_id] = await host(
            config, self.channels[channel_id], self._settings.service.limits, lambda: self.plugins.bars, wiring
        )
        channel.queue.start()
        for act in self._early.pop(channel_id, []):
            await self._post(channel_id, act)
        await self.in_channel(channel_id, lambda ctx: run_hooks(ctx, "on_channel_init"), name="on_channel_init")

    async def _check_in(self) -> None:
        while True:
            await asyncio.sleep(self._settings.service.checkin_interval)
            for channel_id in self.channel_ids():
                await self._guarded(f"on_channel_checkin of {channel_id}", self.on_channel_checkin(channel_id))

    async def _guarded(self, what: str, work: Awaitable[Any]) -> None:
        try:
            await work
        except Exception:
            log.exception("%s failed", what)

    # -- the way of events -----------------------------------------------------------------------------------------------

    async def submit(self, event: UpEvent) -> Acknowledgement:
        """Queue an event and wait until it is handled, committed and delivered. Raises ServiceError if it is not taken."""
        return await self.enqueue(event)

    def enqueue(self, event: UpEvent) -> asyncio.Future[Acknowledgement]:
        """Queue an event; the future has its answer when it is committed and delivered. Raises ServiceError if it is not taken."""
        if not self._up.is_set():
            raise ServiceStopping
        return self._channel(event.channel_id).queue.enqueue(event)

    async def in_channel(self, channel_id: str, work: Callable[[Context], Awaitable[T]], *, name: str = "work") -> T:
        """Run `work` in the channel's order, in a transaction; what it sends leaves after the commit. Raises what it raises."""

        async def body(turn: Turn) -> T:
            turn.work = name
            return await work(Context(turn, self.plugins))

        return await self._channel(channel_id).queue.run(body)

    async def _post(self, channel_id: str, act: Callable[[Sends], object]) -> None:
        """Let `act` add to the sends of the event in hand, or of one made for it."""
        turn = current_turn()
        if turn is not None and turn.open and turn.channel_id == channel_id:
            act(turn.sends)
        elif turn is not None and turn.open:
            # Another channel's order cannot be waited for inside of this one's: two that wait for each other would hang.
            turn.sends.after_commit(lambda: self._post(channel_id, act))
        elif channel_id not in self._hosted and any(channel.id == channel_id for channel in self._settings.service.channels):
            self._early.setdefault(channel_id, []).append(act)
        else:
            await self._channel(channel_id).queue.run(lambda turn: _fill(turn, act))

    async def cast(self, obj: Any) -> None:
        """Hand any object to `on_spell`."""
        await self.on_spell(obj)

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str, endless: bool = False) -> None:
        """Run `work` beside the channels, as a task that is cancelled when the service stops. On the event loop.

        `endless` work goes on until then; `settle` does not wait for it.
        """
        self._tasks.spawn(work, name=name, endless=endless)

    async def reload_plugin(self, name: str) -> None:
        """Let new code of a plugin take over, between two events. Raises PluginError or ConfigError, and then the old one stays."""
        self.plugins = await reload(self, self._lifespans, self.plugins, name, self._settings.service.plugin_folders)
        await self.timers.begin()

    async def settle(self) -> None:
        """Wait until the work beside the channels has ended."""
        await self._tasks.settle()

    def wake_timers(self) -> None:
        """Look at the schedules again: something was added. On the event loop."""
        self.timers.wake()

    async def _route(self, turn: Turn) -> None:
        await dispatch(self, turn, self._hosted[turn.channel_id].findings)

    def _shows_bars(self, changed: frozenset[str]) -> bool:
        return any(spec.dict in changed for spec in self.plugins.bars)


async def _fill(turn: Turn, act: Callable[[Sends], object]) -> None:
    act(turn.sends)
