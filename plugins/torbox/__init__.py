"""The TorBox cache: what a TorBox account holds, listed, searched and kept up to date."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mooring import Service
from mooring.plugins.torbox.account import Account
from mooring.plugins.torbox.changing_commands import torbox_clear, torbox_import, torbox_link, torbox_restore, torbox_sync
from mooring.plugins.torbox.commands import torbox_info, torbox_list, torbox_search, torbox_stats
from mooring.plugins.torbox.config import TorBoxConfig as Config
from mooring.plugins.torbox.pool import SHARED_POOL

__all__ = [
    "Config",
    "lifespan",
    "torbox_clear",
    "torbox_import",
    "torbox_info",
    "torbox_link",
    "torbox_list",
    "torbox_restore",
    "torbox_search",
    "torbox_stats",
    "torbox_sync",
]


@asynccontextmanager
async def lifespan(service: Service, config: Config) -> AsyncIterator[Account]:
    account = Account(config, SHARED_POOL, service.show, on_key=service.keep_secret)
    try:
        service.gauge("torbox_refresh_age_seconds", "Since when a list has not been fetched anew.", "kind", account.ages)
        service.health_check("torbox", account.problem)
        account.start()
        yield account
    finally:
        await account.close()
