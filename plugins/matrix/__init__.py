"""A gateway to Matrix: what is said in a channel is said in the rooms that it is bound to, and what people do there is done in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mooring import PluginError, Service
from mooring.plugins.matrix.config import NETWORK, Config
from mooring.plugins.matrix.gateway import MatrixGateway

__all__ = ["Config", "MatrixGateway", "lifespan"]


@asynccontextmanager
async def lifespan(service: Service, config: Config) -> AsyncIterator[MatrixGateway]:
    """Follow the rooms until the service stops. A homeserver that is away keeps nothing from starting."""
    config.token()  # one that is missing is a fault of the config
    _check_rooms(service)
    gateway = MatrixGateway(service, config)
    service.attach(gateway)
    endings = [
        service.spawn(gateway.reading.run, name=f"following {NETWORK}", endless=True),
        service.spawn(gateway.reading.panels.run, name=f"showing choices in {NETWORK}", endless=True),
    ]
    try:
        yield gateway
    finally:
        for end in endings:
            end()
        service.detach(gateway)
        await gateway.close()


def _check_rooms(service: Service) -> None:
    """Raises PluginError for a room that cannot be one."""
    for channel_id in service.channel_ids():
        for room in service.rooms(channel_id):
            if room.network == NETWORK and not room.id.startswith("!"):
                raise PluginError(
                    f"channel {channel_id}: {room} names no room. Use the room's id, as in matrix/!abc:example.org; in Element it is in "
                    "the room's settings, under Advanced."
                )
