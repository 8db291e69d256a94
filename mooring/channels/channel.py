"""All parts of one hosted channel, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mooring.bars.spec import BarSpec
from mooring.channel_config import ChannelConfig, ChannelLimits
from mooring.channels.member_updates import MemberUpdates
from mooring.channels.queue import ChannelQueue
from mooring.channels.quota import Quota
from mooring.channels.runner import TurnRunner, Wiring
from mooring.channels.sends import SendLimits
from mooring.channels.state import ChannelState
from mooring.channels.system_dicts import OF_CHANNELS
from mooring.channels.system_records import set_aside
from mooring.channels.workers import ChannelWorkers
from mooring.events import ChannelInfo, Down
from mooring.made_channels import MadeChannel
from mooring.threads import Threads

if TYPE_CHECKING:
    from storage import CachedDict, Finding, MoobiusStorage


@dataclass(frozen=True)
class HostedChannel:
    """One channel of a running service."""

    config: ChannelConfig
    storage: MoobiusStorage
    state: ChannelState
    member_updates: MemberUpdates
    queue: ChannelQueue
    workers: ChannelWorkers
    findings: Sequence[Finding]
    """What was set aside as unreadable when the storage was opened."""
    made: MadeChannel | None = None
    """How it was made at run time, None for a channel of the config."""

    @property
    def info(self) -> ChannelInfo:
        """What the channel is called and what it is for."""
        return ChannelInfo(self.config.id, self.config.title, self.config.description)

    def limit(self, limits: ChannelLimits) -> None:
        """Change its limits while it runs, those aside that count from its opening on: `handler_seconds` and what is the service's own."""
        self.state.limit(limits)
        self.queue.limit(limits.queue_length, SendLimits(limits.replies, limits.reply_bytes), Quota(limits.keys, limits.bytes))

    def current(self, member_id: str) -> list[Down]:
        """The updates that draw the whole state for one member."""
        return [Down("channel_info", self.config.id, self.info), *self.member_updates.updates_for(member_id), *self.state.drawn(member_id)]


async def host(
    config: ChannelConfig, storage: MoobiusStorage, limits: ChannelLimits, bars: Callable[[], Sequence[BarSpec]], wiring: Wiring
) -> HostedChannel:
    """Put a channel together over its open storage; its queue does not run yet."""
    threads = wiring.workers.threads
    await threads.run(_load, storage)
    for each in OF_CHANNELS:
        # Made now, since a transaction can use a dict but not add one.
        await threads.run(each.of, storage)
    wrong = await threads.run(set_aside, storage)
    state = await threads.run(ChannelState, storage, limits, config, wiring.plugin_names)

    member_updates = MemberUpdates(config.id, storage, state, bars, wiring.clock)
    runner = TurnRunner(config.id, storage, state, member_updates, wiring)
    queue = ChannelQueue(runner, queue_length=limits.queue_length, report=wiring.workers.report)
    if state.presence is not None:
        state.presence.catch_up(None, wiring.clock())
        await _follow(storage, queue, threads)
    findings = [*(finding for finding in storage.report if finding.kind == "quarantined"), *wrong]
    return HostedChannel(config, storage, state, member_updates, queue, wiring.workers, findings)


def _load(storage: MoobiusStorage) -> None:
    """Load what the config left for later: handlers run on the event loop, which a look into an engine would block."""
    for name in storage.names():
        kept: CachedDict = getattr(storage, name)
        if not kept.is_loaded:
            kept.load()


async def _follow(storage: MoobiusStorage, queue: ChannelQueue, threads: Threads) -> None:
    """Let the channel look whenever another process has committed to its storage."""
    loop = asyncio.get_running_loop()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is shown anything any more
            loop.call_soon_threadsafe(queue.catch_up)

    await threads.run(storage.follow, wake)
