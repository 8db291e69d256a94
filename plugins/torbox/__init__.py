"""The TorBox cache: what a TorBox account holds, listed, searched and kept up to date."""

from __future__ import annotations

from mooring import Service
from mooring.plugins.torbox.account import Account
from mooring.plugins.torbox.changing_commands import torbox_clear, torbox_import, torbox_link, torbox_restore, torbox_sync
from mooring.plugins.torbox.commands import torbox_info, torbox_list, torbox_search, torbox_stats
from mooring.plugins.torbox.config import TorBoxConfig as Config
from mooring.plugins.torbox.pool import SHARED_POOL

__all__ = [
    "Config",
    "on_start",
    "on_stop",
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


async def on_start(service: Service, config: Config) -> None:
    account = Account(config, SHARED_POOL, service.show, on_key=service.keep_secret)
    config.run_with(account)
    service.gauge(
        "torbox_refresh_age_seconds", "Since when a list has not been fetched anew.", "kind", lambda: account.ages() if config.running else {}
    )
    if config.refresh_minutes:
        service.spawn(account.refresh_all_every(config.refresh_minutes), name="torbox refresh")


async def on_stop(_: Service, config: Config) -> None:
    if config.running:  # it may not have come so far
        account = config.account
        config.run_with(None)
        await account.close()
