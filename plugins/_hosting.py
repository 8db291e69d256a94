"""All parts of one hosted channel, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugins._bar_spec import BarSpec, bars_of, channel_bars
from plugins._channel import Channel
from plugins._clock import use_clock
from plugins._config import ChannelConfig, ChannelLimits
from plugins._cooldowns import COOLDOWNS
from plugins._events import ChannelInfo, Character, Down
from plugins._runner import Runner, Wiring
from plugins._schedule import SCHEDULES
from plugins._state import ChannelState

if TYPE_CHECKING:
    from storage import Finding, MoobiusStorage


@dataclass(frozen=True)
class HostedChannel:
    """One channel of a running service."""

    config: ChannelConfig
    storage: MoobiusStorage
    state: ChannelState
    queue: Channel
    findings: Sequence[Finding]
    """What was set aside as unreadable when the storage was opened."""

    @property
    def info(self) -> ChannelInfo:
        """What the channel is called and what it is for."""
        return ChannelInfo(self.config.id, self.config.title, self.config.description)

    def current(self, member_id: str) -> list[Down]:
        """The updates that draw the whole state for one member."""
        return [Down("channel_info", self.config.id, self.info), *self.state.current(self.config.id, member_id)]


async def host(
    config: ChannelConfig, storage: MoobiusStorage, limits: ChannelLimits, bars: Callable[[], Sequence[BarSpec]], wiring: Wiring
) -> HostedChannel:
    """Put a channel together over its open storage; its queue does not run yet."""
    state = await asyncio.to_thread(ChannelState, storage, limits)
    for name in (SCHEDULES, COOLDOWNS):
        # Made now, since a transaction can use a dict but not add one.
        await asyncio.to_thread(storage.system, name)

    def describe(member_id: str) -> dict[str, object]:
        if not (specs := bars()):
            return {}
        with use_clock(wiring.clock):
            return {"bars": bars_of(specs, storage, member_id)}

    def extras() -> list[Character]:
        with use_clock(wiring.clock):
            return channel_bars(bars(), storage)

    state.members.describe = describe
    state.extras = extras
    queue = Channel(Runner(config.id, storage, state, wiring), queue_length=limits.queue_length)
    findings = [finding for finding in storage.report if finding.kind == "quarantined"]
    return HostedChannel(config, storage, state, queue, findings)
