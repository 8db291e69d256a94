"""The deliveries of a service: what brings all that waits in the outboxes of its channels to where it is to go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from mooring.channels.channel import HostedChannel
from mooring.channels.gauges import Reading
from mooring.environment import Environment
from mooring.gateways.channel_deliveries import ChannelDeliveries, Networks, Waiting
from mooring.gateways.returns import ChannelHooks
from mooring.protocols import TellsProblem
from mooring.rooms import OTHER_CHANNELS


class Deliveries:
    """One for a service. On the event loop, but for the measures, which are read from any thread.

    What has waited for more than `patience` seconds is a problem.
    """

    def __init__(self, networks: Networks, hooks: ChannelHooks, environment: Environment, patience: float) -> None:
        self._networks = networks
        self._hooks = hooks
        self._patience = patience
        self._environment = environment
        self._process = f"{environment.random.getrandbits(64):016x}"
        self._channels: dict[str, ChannelDeliveries] = {}
        self._is_begun = False

    async def open(self, channel: HostedChannel) -> None:
        """Look after the outbox of a channel, too."""
        channel_id = channel.config.id
        deliveries = self._channels[channel_id] = ChannelDeliveries(channel, self._networks, self._hooks, self._process, self._environment)
        await deliveries.open()
        if self._is_begun:
            deliveries.begin()

    def begin(self) -> None:
        """From here on things are sent."""
        self._is_begun = True
        for channel in self._channels.values():
            channel.begin()

    async def close(self, channel_id: str, patience: float) -> None:
        """Look after the outbox of a channel no more: what is being sent is finished, for up to so many seconds, and the rest stays in it."""
        deliveries = self._channels.pop(channel_id, None)
        if deliveries is not None:
            await deliveries.stop(patience)
            await self._environment.threads.run(deliveries.close, name="close")

    def wake(self, channel_id: str, is_own: bool) -> None:
        """There is something new in the outbox of a channel; `is_own` if this process committed it."""
        if channel_id in self._channels:
            self._channels[channel_id].wake(is_own=is_own)

    def rouse(self, network: str) -> None:
        """A network can be reached, now or again."""
        for channel in self._channels.values():
            channel.rouse(network)

    async def settle(self) -> None:
        """Wait until all that is for other channels is there."""
        for channel in tuple(self._channels.values()):
            await channel.settle()

    async def stop(self, patience: float) -> None:
        """Finish what is being sent, for up to so many seconds, and leave the rest for the next start."""
        await asyncio.gather(*(channel.stop(patience) for channel in self._channels.values()))

    def closing(self) -> list[tuple[str, Callable[[], object]]]:
        """What lets go of the storages, and what each is called. It blocks, and comes after `stop` or instead of it."""
        return [(f"the deliveries of {channel_id}", channel.close) for channel_id, channel in self._channels.items()]

    def problems(self) -> list[str]:
        """Where something has waited for too long, and which networks cannot be reached as their gateways say, in words."""
        now = self._environment.clock()
        returned = [
            f"channel {channel_id}: what another channel did not take is not taken back ({channel.aside})"
            for channel_id, channel in list(self._channels.items())
            if channel.aside
        ]
        return [*self._network_problems(), *returned] + [
            f"channel {channel_id}: {waiting.count} message{'s wait' if waiting.count > 1 else ' waits'} for {_named(network)}, "
            f"the oldest for {(now - waiting.since) / 60:.0f} minutes"
            for channel_id, channel in list(self._channels.items())
            for network, waiting in channel.waiting().items()
            if now - waiting.since > self._patience
        ]

    def _network_problems(self) -> Iterator[str]:
        """What the gateways say themselves, of the networks that channels are bound to."""
        for network in sorted({network for channel in list(self._channels.values()) for network in channel.networks}):
            gateway = self._networks(network)
            if isinstance(gateway, TellsProblem) and gateway.problem:
                yield f"the network {network}: {gateway.problem}"

    def waiting(self, channel_id: str) -> dict[str, Waiting]:
        """What waits for the rooms of each network, or for other channels."""
        channel = self._channels.get(channel_id)
        return {} if channel is None else channel.waiting()

    def readings(self) -> Iterator[Reading]:
        """The gauges of all outboxes."""
        now = self._environment.clock()
        counts, ages, results = [], [], []
        for channel_id, channel in list(self._channels.items()):
            for network, waiting in channel.waiting().items():
                labels = {"channel": channel_id, "network": network}
                counts.append((labels, float(waiting.count)))
                ages.append((labels, max(0.0, now - waiting.since)))
            for network, by_result in channel.results().items():
                results += [({"channel": channel_id, "network": network, "result": name}, float(count)) for name, count in by_result.items()]
        yield "mooring_outbox_entries", "What waits for the rooms of a network, or for other channels.", counts
        yield "mooring_outbox_oldest_seconds", "How long the oldest of it has waited.", ages
        yield "mooring_outbox_results", "What became of all that was sent since the channel was made.", results


def _named(network: str) -> str:
    return "other channels" if network == OTHER_CHANNELS else f"the network {network}"
