"""What another channel did not take goes back to the channel that it came from, and stays there until it is taken back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from mooring.channel_messages import ChannelMessage
from mooring.channels.channel import HostedChannel
from mooring.channels.other_channels import message_of
from mooring.channels.turn import Turn
from mooring.protocols import ChannelBusy, OutcomeNotKnown, ServiceStopping
from storage import CommitFailed

log = logging.getLogger(__name__)

NOT_NOW = (CommitFailed, ServiceStopping, ChannelBusy, OutcomeNotKnown)
"""What a channel raises that can take nothing at the moment. Everything else is a fault of its handlers."""

_FIRST_PAUSE, _LONGEST_PAUSE = 15.0, 300.0


@dataclass(frozen=True)
class ChannelHooks:
    """What the service has for messages between its channels."""

    hosted: Callable[[str], HostedChannel | None]
    arrived: Callable[[ChannelMessage], Awaitable[None]]
    """Called in a turn of the channel that gets it. A CommandError that it raises refuses the message."""
    came_back: Callable[[ChannelMessage], Awaitable[None]]
    """Called in a turn of the channel that sent it."""


class Returns:
    """Those of one channel.

    The entry leaves the outbox in the turn in which the channel takes it back. If that turn fails, the entry is set aside, where it
    holds up no other, and is tried again: after a while, and at each start.
    """

    def __init__(self, channel: HostedChannel, hooks: ChannelHooks) -> None:
        self._channel = channel
        self._outbox = channel.state.outbox
        self._hooks = hooks

    async def give_back(self, key: str, to: str, reason: str) -> None:
        """Let the channel take back an entry of its outbox. Raises one of NOT_NOW, and then it is to be tried again."""
        if not await self._try(key, to, reason):
            await self._channel.queue.run(partial(self._set_aside, key, to, reason))
            self._outbox.look_again(key)

    async def run(self, after: float) -> None:
        """Give back what was set aside, until there is nothing left; for the first time after so many seconds."""
        pause = _FIRST_PAUSE
        await asyncio.sleep(after)
        while self._outbox.aside:
            for key, (to, reason) in list(self._outbox.aside.items()):
                try:
                    await self._try(key, to, reason)
                except NOT_NOW as error:
                    log.info("what came back to channel %s has to wait: %s", self._channel.config.id, error)
                self._outbox.look_again(key)
            if self._outbox.aside:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _try(self, key: str, to: str, reason: str) -> bool:
        try:
            await self._channel.queue.run(partial(self._take_back, key, to, reason))
        except NOT_NOW:
            raise
        except Exception:
            log.exception("channel %s did not take back a message to channel %s, which is tried again", self._channel.config.id, to)
            return False
        return True

    async def _take_back(self, key: str, to: str, reason: str, turn: Turn) -> None:
        record = self._outbox.take_out(key)
        if record is None:
            return  # it was taken back before
        turn.work = f"a message to channel {to} that came back"
        event = record["event"]
        if "downs" not in event:  # what a service only shows is of no use to where it came from
            await self._hooks.came_back(message_of(key, self._channel.config.id, to, event, reason))

    async def _set_aside(self, key: str, to: str, reason: str, turn: Turn) -> None:
        turn.work = f"a message to channel {to} that is set aside"
        self._outbox.set_aside(key, to, reason)
