"""`/torbox ...`: fetching lists and links, importing, clearing.

What these do to the databases is no part of the channel's transaction, so it happens after the event's commit, beside the channel.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable
from dataclasses import replace
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from mooring import (
    Background,
    CommandError,
    Context,
    Down,
    Member,
    MessageBody,
    MessageContent,
    Progress,
    SecretFound,
    card,
    command,
    requires,
    types,
)
from mooring.plugins.torbox.account import Account, Watcher
from mooring.plugins.torbox.api_key import KeyMissing
from mooring.plugins.torbox.backups import clear_with_copy, keep_copy, newest_copy, restore
from mooring.plugins.torbox.commands import FileId, read, records_of, say
from mooring.plugins.torbox.errors import ImplausibleAnswer, TorBoxError
from mooring.plugins.torbox.formatting import age_text
from mooring.plugins.torbox.importing import kind_of_file, read_list
from mooring.plugins.torbox.records import KINDS, Kind
from storage import StorageError

T = TypeVar("T")

_BETWEEN_UPDATES = 0.25
"""Seconds; a bar that moves more often than that only costs."""

_FAULTS = (TorBoxError, StorageError, OSError, SecretFound, ValueError)


@command("torbox sync", example="/torbox sync torrents")
async def torbox_sync(ctx: Context[Account], kind: Kind | None = None, force: Literal["force"] | None = None) -> None:
    """Fetch the lists from TorBox anew; moderators can add "force" to take one that looks wrong."""
    account = ctx.state
    if force and ctx.member.role == "member":
        raise CommandError("Only moderators of this channel can force a list to be taken.")
    try:
        account.key.get()
    except KeyMissing as error:
        raise CommandError(str(error)) from error
    kinds = KINDS if kind is None else (kind,)

    async def work(background: Background) -> None:
        progress = background.progress("Asking TorBox")
        done, failed = await _refresh_all(account, kinds, progress, force=force is not None)
        progress.finish(f"Synced {'; '.join(done)}" if done else "Nothing was synced")
        if failed:
            raise CommandError(" ".join(failed))

    ctx.background(work)


@command("torbox import", example="/torbox import torrents.json")
async def torbox_import(
    ctx: Context[Account], file: Annotated[str, Field(description="its name in the import folder")], kind: Kind | None = None
) -> None:
    """Add the files of a list that was saved as a file; what is in the cache already is updated, nothing is removed."""
    account = ctx.state
    chosen = kind or kind_of_file(file)
    items = await asyncio.to_thread(read_list, account.config.import_dir, file)

    async def work(background: Background) -> None:
        progress = background.progress(f"Importing {chosen}", len(items))
        copy = await _told(asyncio.to_thread(keep_copy, account.pool, chosen))
        refreshed = await _told(account.store(chosen, items, _watcher(progress), merge=True))
        hint = f" (/torbox restore {chosen} brings back what there was)" if copy and (refreshed.added or refreshed.changed) else ""
        progress.finish(f"Imported {chosen}: {refreshed}{hint}")

    ctx.background(work)


@command("torbox link", example="/torbox link torrents/12/0")
async def torbox_link(ctx: Context[Account], id: FileId) -> None:  # noqa: A002 - the argument's name is what /help shows
    """Get an address from which a file can be fetched; only you see it."""
    account = ctx.state
    records = await asyncio.to_thread(records_of, account, id)
    if len(records) > 1:
        raise CommandError(f"{id} means {len(records)} files. /torbox info {id} lists their ids.")
    record, member, channel_id = records[0], ctx.member, ctx.channel.id

    async def work(_: Background) -> None:
        try:
            link = await account.client.request_link(record["type"], record["item_id"], record["file_id"])
        except (*_FAULTS, KeyMissing) as error:
            answer = MessageBody(types.TEXT, "", MessageContent(text=str(error)), context={"error": True})
        else:
            text = f"{record['file_name']}: {link} (for you alone; it works for some hours)"
            answer = card(record["file_name"], text, link, "Open")
        # Shown and not sent: a message that is sent is kept in the channel's history, and links are kept nowhere.
        account.show(_to_one(ctx, channel_id, member, answer))

    ctx.background(work)


@requires("moderator")
@command("torbox clear", example="/torbox clear torrents")
async def torbox_clear(ctx: Context[Account], kind: Kind) -> None:
    """Remove all records of one kind from the cache."""
    account = ctx.state
    count = await asyncio.to_thread(read, account, kind, len)
    if not count:
        say(ctx, f"There are no records of {kind}.")
        return
    ctx.confirm(f"This removes all {count} records of {kind}; a copy is kept, and /torbox restore {kind} brings it back.")

    async def work(background: Background) -> None:
        removed, copy = await _told(asyncio.to_thread(clear_with_copy, account.pool, kind))
        text = f"Removed {removed} records of {kind}. /torbox restore {kind} brings them back from {copy}."
        await background.in_channel(lambda later: _say(later, text))

    ctx.background(work)


@requires("moderator")
@command("torbox restore", example="/torbox restore torrents")
async def torbox_restore(ctx: Context[Account], kind: Kind) -> None:
    """Bring back what there was before the last /torbox clear or /torbox import."""
    account = ctx.state
    copy = await asyncio.to_thread(newest_copy, account.pool, kind)
    if copy is None:
        raise CommandError(f"There is no copy of {kind}; /torbox clear and /torbox import make one.")
    count = await asyncio.to_thread(read, account, kind, len)
    if count:
        ctx.confirm(f"This replaces the {count} records of {kind} that are there now; a copy of them is kept.")

    async def work(background: Background) -> None:
        restored = await _told(asyncio.to_thread(restore, account.pool, kind, copy))
        await background.in_channel(lambda later: _say(later, f"Brought back {restored} records of {kind}."))

    ctx.background(work)


async def _refresh_all(account: Account, kinds: tuple[Kind, ...], progress: Progress, *, force: bool) -> tuple[list[str], list[str]]:
    """What was refreshed, and what failed, in words."""
    done: list[str] = []
    failed: list[str] = []
    for kind in kinds:
        try:
            refreshed = await account.refresh(kind, _watcher(progress), force=force)
            done.append(f"{kind} ({refreshed})")
        except (*_FAULTS, KeyMissing) as error:
            failed.append(f"{kind}: {error} {await _kept(account, kind, error)}".strip())
    return done, failed


async def _kept(account: Account, kind: Kind, error: Exception) -> str:
    """What is still there after a refresh failed."""
    try:
        generation, count = await account.generation(kind), await account.count(kind)
    except (StorageError, OSError):
        return ""
    if generation is None:
        return ""
    hint = f" A moderator can take it all the same: /torbox sync {kind} force." if isinstance(error, ImplausibleAnswer) else ""
    return f"The list that is kept is {age_text(account.age(generation))} and has {count} files.{hint}"


async def _told(work: Awaitable[T]) -> T:
    try:
        return await work
    except _FAULTS as error:
        raise CommandError(str(error)) from error


async def _say(ctx: Context[Account], text: str) -> None:
    say(ctx, text)


def _watcher(progress: Progress) -> Watcher:
    shown_what, shown_at = "", 0.0

    def watch(what: str, done: int, total: int | None) -> None:
        nonlocal shown_what, shown_at
        now = time.monotonic()
        progress.label, progress.done, progress.total = what, done, total
        if what != shown_what or now - shown_at >= _BETWEEN_UPDATES:
            shown_what, shown_at = what, now
            progress.update(done)

    return watch


def _to_one(ctx: Context[Account], channel_id: str, member: Member, body: MessageBody) -> Down:
    """A message that one member sees now, and nobody later."""
    body = replace(
        body,
        channel_id=channel_id,
        recipients=[member.id],
        timestamp=int(ctx.clock() * 1000),
        message_id=secrets.token_hex(8),
        context={**(body.context or {}), "command": ctx.line},
    )
    return Down("message_down", channel_id, body, frozenset({member.id}))
