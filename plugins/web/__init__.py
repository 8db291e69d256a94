"""The built-in gateway: members come in by WebSocket, and the page that speaks it is served from the same port."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from plugins._host import Service
from plugins.web.config import Config, Limits, OpenToAll
from plugins.web.server import WebGateway

__all__ = ["Config", "Limits", "OpenToAll", "WebGateway", "on_start", "on_stop"]

_running: WeakKeyDictionary[Service, WebGateway] = WeakKeyDictionary()


async def on_start(service: Service, config: Config) -> None:
    """Open the gateway."""
    gateway = WebGateway(service, config)
    await gateway.start()
    _running[service] = gateway
    service.attach(gateway)


async def on_stop(service: Service, config: Config) -> None:
    """Answer what is left and close."""
    gateway = _running.pop(service, None)
    if gateway is not None:
        service.detach(gateway)
        await gateway.close()
