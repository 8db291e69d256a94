"""How events, and work in a channel's order, come into a service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from mooring.bots.context import Context, Service
from mooring.bots.lifespan import Lifespans
from mooring.bots.reloading import reload
from mooring.bots.timers import Timers
from mooring.channel_config import ChannelConfig, ChannelLimits
from mooring.channels.channel import HostedChannel
from mooring.channels.other_channels import parcel_for_channel, record_of_downs
from mooring.channels.sends import Sends
from mooring.channels.turn import Turn, current_turn
from mooring.events import Acknowledgement, Character, UpEvent
from mooring.protocols import ServiceStopping, UnknownChannel, WouldHang
from mooring.secrets import Secrets
from mooring.service.guarding import guarded
from mooring.service.last_known import LastKnown
from mooring.service.rooms import Rooms
from mooring.service.run_time_channels import RunTimeChannels
from mooring.settings import Settings

T = TypeVar("T")


class Intake(Rooms):
    """The part of the Service protocol that takes events and work."""

    _settings: Settings
    _configured: Mapping[str, ChannelConfig]
    """The channels that the config names, by id."""
    _run_time_channels: RunTimeChannels
    _lifespans: Lifespans
    _secrets: Secrets
    timers: Timers
    _limits: ChannelLimits
    _last_known: LastKnown
    _early: dict[str, list[Callable[[Sends], object]]]

    @property
    def _whole(self) -> Service:
        """This, with the parts that come after it."""
        return cast("Service", self)

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
        if event.channel_id in self._closing:
            raise UnknownChannel(event.channel_id)
        if event.channel_id not in self._hosted and self.has_channel(event.channel_id):
            raise ServiceStopping  # it is on its way up
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
            return await work(Context(turn, self._channel_plugins(channel_id)))

        return await self._channel(channel_id).queue.run(body)

    def _is_in_turn(self, channel_id: str) -> bool:
        turn = current_turn()
        is_here = turn is not None and turn.open and turn.service is self._whole and turn.channel_id == channel_id
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
        return list(dict.fromkeys([*self._hosted, *self._configured]))

    def has_channel(self, channel_id: str) -> bool:
        """Whether there is such a channel, or will be when all are set up."""
        if channel_id in self._closing:
            return False
        return channel_id in self._hosted or channel_id in self._configured or self._run_time_channels.has(channel_id)

    def _hosted_if_open(self, channel_id: str) -> HostedChannel | None:
        """The channel, None if there is none. Raises ServiceStopping for one that is on its way up."""
        if channel_id in self._closing:
            return None
        if channel_id not in self._hosted and self.has_channel(channel_id):
            raise ServiceStopping
        return self._hosted.get(channel_id)

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
        self.spawn(guarded("on_unknown_payload", self.on_unknown_payload(payload), self._limits.handler_seconds), name="on_unknown_payload")

    def spawn(
        self, work: Coroutine[Any, Any, None] | Callable[[], Coroutine[Any, Any, None]], *, name: str, endless: bool = False
    ) -> Callable[[], None]:
        """Run `work` beside the channels, as a task that is cancelled when the service stops. On the event loop.

        `endless` work is given as a function, and goes on until then: whatever ends it, it is called again a moment later, and
        `/readyz` tells of it. `settle` does not wait for it. What is returned ends it for good.
        """
        if callable(work):
            if not endless:
                raise TypeError(f"spawn({name!r}) was given a function, which is for endless work; give it the coroutine")
            return self._tasks.spawn_endless(work, name=name)
        if endless:
            work.close()
            raise TypeError(f"spawn({name!r}) was given a coroutine, which can run only once; give the function, for work that is endless")
        self._tasks.spawn(work, name=name)
        return _nothing

    async def reload_plugin(self, name: str) -> None:
        """Let new code of a plugin take over, between two events. Raises PluginError or ConfigError, and then the old one stays."""
        folders, seconds = self._settings.service.plugin_folders, self._limits.handler_seconds
        self.plugins = await reload(self._whole, self._lifespans, self._threads, self.plugins, name, folders=folders, seconds=seconds)
        self.timers.begin()

    def wake_timers(self, channel_id: str | None = None, keys: Iterable[str] | None = None) -> None:
        """Look at the schedules again: something was added, in this channel and under these keys if they are known. On the event loop."""
        self.timers.wake(channel_id, keys)

    def keep_secret(self, secret: str) -> None:
        """Hide this string wherever it would appear in the log."""
        self._secrets.add(secret)


def _nothing() -> None:
    """What ends by itself needs nobody to end it."""


async def _fill(turn: Turn, act: Callable[[Sends], object]) -> None:
    act(turn.sends)
