"""The built-in gateway: members come in by WebSocket, and the page that speaks it is served from the same port."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from mooring import Service
from mooring.plugins.web.config import Config, GatewayLimits, OpenToAll
from mooring.plugins.web.identity import Identities
from mooring.plugins.web.server import WebGateway
from mooring.plugins.web.token_store import SERVICE_DICTS, open_token_store

__all__ = ["SERVICE_DICTS", "Config", "GatewayLimits", "OpenToAll", "WebGateway", "on_start", "on_stop"]

_running: WeakKeyDictionary[Service, WebGateway] = WeakKeyDictionary()


async def on_start(service: Service, config: Config) -> None:
    """Open the gateway."""
    config.check_exposure(each for each in service.channel_ids() if service.access(each) == "open")
    identities = await asyncio.to_thread(_identities, service, config)
    for secret in identities.secrets():
        service.keep_secret(secret)
    gateway = WebGateway(service, config, identities)
    try:
        await gateway.start()
    except BaseException:
        await asyncio.to_thread(identities.close)
        raise
    _running[service] = gateway
    service.attach(gateway)


async def on_stop(service: Service, config: Config) -> None:
    """Answer what is left and close."""
    gateway = _running.pop(service, None)
    if gateway is not None:
        service.detach(gateway)
        await gateway.close()


def _identities(service: Service, config: Config) -> Identities:
    return Identities(open_token_store(config.data_dir, service.service_id, service.config["db_config"], follow=True))
