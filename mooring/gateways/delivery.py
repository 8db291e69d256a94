"""Passing on what is committed to all who brought members in."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Container, Iterable, Sequence

from mooring.events import Down
from mooring.protocols import Gateway, NetworkGateway, WatchesChannels
from mooring.rooms import checked_network

log = logging.getLogger(__name__)


class Gateways:
    """The attached gateways. One that fails keeps nothing from the others."""

    def __init__(self) -> None:
        self._attached: list[Gateway | NetworkGateway] = []
        self._live: list[Gateway] = []
        """Those that pass on to members who watch."""
        self._networks: dict[str, NetworkGateway] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0

    def use_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell on which loop, running in this thread, gateways are called."""
        self._loop, self._thread = loop, threading.get_ident()

    def attach(self, gateway: Gateway | NetworkGateway) -> None:
        """Deliver to this one as well. Raises ValueError for one whose network cannot be called so, or has a gateway already."""
        if isinstance(gateway, NetworkGateway) and self._networks.setdefault(checked_network(gateway.network), gateway) is not gateway:
            raise ValueError(f"the network {gateway.network} has a gateway already")
        if isinstance(gateway, Gateway) or not isinstance(gateway, NetworkGateway):
            self._live.append(gateway)
        self._attached.append(gateway)

    def detach(self, gateway: Gateway | NetworkGateway) -> None:
        """Deliver to this one no more."""
        if gateway in self._attached:
            self._attached.remove(gateway)
        if gateway in self._live:
            self._live.remove(gateway)
        self._networks = {name: each for name, each in self._networks.items() if each is not gateway}

    def network(self, name: str) -> NetworkGateway | None:
        """The gateway of a network, None if it is not attached."""
        return self._networks.get(name)

    def names(self) -> list[str]:
        """What is attached: networks by their names, others by their classes."""
        return [gateway.network if isinstance(gateway, NetworkGateway) else type(gateway).__name__ for gateway in self._attached]

    def addresses(self) -> list[str]:
        """Where members find the gateways that have an address."""
        return [gateway.address for gateway in self._attached if gateway.address]

    def stop_accepting(self) -> None:
        """Close all doors."""
        for gateway in self._attached:
            try:
                gateway.stop_accepting()
            except BaseException:
                log.exception("%r did not stop accepting", gateway)

    def channels_changed(self) -> None:
        """Tell those who have to know that channels came, went or have another name."""
        for gateway in tuple(self._attached):
            if isinstance(gateway, WatchesChannels):
                try:
                    gateway.channels_changed()
                except BaseException:
                    log.exception("%r did not take that the channels changed", gateway)

    def want(self, kinds: Iterable[str]) -> bool:
        """Whether some gateway passes on one of these kinds of downs."""
        return any(taken is None or any(kind in taken for kind in kinds) for taken in map(_kinds_of, self._live))

    def deliver(self, channel_id: str, downs: Sequence[Down]) -> None:
        """Hand downs to every gateway. On the event loop."""
        if not downs:
            return
        for gateway in tuple(self._live):
            kinds = _kinds_of(gateway)
            wanted = downs if kinds is None else [down for down in downs if down.type in kinds]
            try:
                if wanted:
                    gateway.deliver(channel_id, wanted)
            except BaseException:
                log.exception("%r did not take %d downs of channel %s", gateway, len(downs), channel_id)

    def show(self, down: Down) -> None:
        """Hand over one down, from any thread."""
        if threading.get_ident() == self._thread:
            self.deliver(down.channel_id, [down])
        elif self._loop is not None:
            self._loop.call_soon_threadsafe(self.deliver, down.channel_id, [down])


def _kinds_of(gateway: Gateway) -> Container[str] | None:
    # One that does not say is handed everything, as it has to be prepared for kinds that it does not know anyway.
    return getattr(gateway, "kinds", None)
