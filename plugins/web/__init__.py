"""The built-in gateway: members come in by WebSocket, and the page that speaks it is served from the same port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mooring import Service
from mooring.plugins.web.config import Config, GatewayLimits, OpenToAll
from mooring.plugins.web.identity import Identities
from mooring.plugins.web.listener import check_host
from mooring.plugins.web.server import WebGateway
from mooring.plugins.web.token_store import SERVICE_DICTS, open_token_store
from mooring.plugins.web.tokens import create_token, list_guests, list_tokens, revoke_token, rotate_key

__all__ = [
    "SERVICE_DICTS",
    "Config",
    "GatewayLimits",
    "OpenToAll",
    "WebGateway",
    "create_token",
    "lifespan",
    "list_guests",
    "list_tokens",
    "revoke_token",
    "rotate_key",
]


@asynccontextmanager
async def lifespan(service: Service, config: Config) -> AsyncIterator[WebGateway]:
    """Open the gateway, and at the end answer what is left and close it."""
    await check_host(config.host)
    config.check_exposure(each for each in service.channel_ids() if service.access(each) == "open")
    identities = await asyncio.to_thread(_identities, service, config)
    try:
        for secret in identities.secrets():
            service.keep_secret(secret)
        gateway = WebGateway(service, config, identities)
        await gateway.start()
        service.attach(gateway)
        service.on_reload("web", gateway.renew_certificate)
        try:
            yield gateway
        finally:
            service.detach(gateway)
            await gateway.close()
    finally:
        await asyncio.to_thread(identities.close)


def _identities(service: Service, config: Config) -> Identities:
    return Identities(open_token_store(config.data_dir, service.service_id, service.config["db_config"], follow=True))
