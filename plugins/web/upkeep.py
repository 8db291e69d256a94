"""What the gateway looks after as time goes by: silent connections, tokens that are good no more, names and roles that belong to others by now."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial

from mooring import Context, Service, ServiceError, remove_member, take_role
from mooring.plugins.web.connection import Connection
from mooring.plugins.web.frames import FrameError
from mooring.plugins.web.hello import renamed
from mooring.plugins.web.hub import Hub
from mooring.plugins.web.identity import Identities, Identity
from storage import StorageError

log = logging.getLogger(__name__)


async def sweep(hub: Hub, every: float) -> None:
    """Close, for as long as it runs, connections that are silent for too long, and let everybody be who the list of tokens says."""
    seen = hub.identities.changes
    while True:
        await asyncio.sleep(every)
        await _reload(hub.identities)
        before, seen = seen, hub.identities.changes
        if seen != before:
            for secret in hub.identities.secrets():
                hub.service.keep_secret(secret)
            hub.are_roles_due = True
        if hub.are_roles_due and not hub.stopping:
            hub.are_roles_due = False
            hub.service.spawn(_settle_all(hub), name="roles of tokens")
        for connection in hub.connections():
            if connection.identity is None:
                _end_without_hello(hub, connection)
            elif hub.now() - connection.heard > hub.limits.idle_seconds:
                hub.refuse(connection, FrameError("idle", "Nothing was heard from you for a long time. Come back whenever you like."))
                hub.end(connection, 1000, "idle", "idle")
            elif seen != before or connection.identity.until is not None:
                _take_over(hub, connection, connection.identity)


async def _reload(identities: Identities) -> None:
    try:
        await asyncio.to_thread(identities.note_used)
        await asyncio.to_thread(identities.reload)
    except StorageError as error:
        log.warning("whether tokens were revoked cannot be seen at the moment: %s", error)


def _end_without_hello(hub: Hub, connection: Connection) -> None:
    if hub.now() - connection.began > hub.limits.first_frame_seconds:
        hub.refuse(connection, FrameError("no_hello", "No hello came in time."))
        hub.end(connection, 1008, "no hello in time", "no_hello")


def _take_over(hub: Hub, connection: Connection, identity: Identity) -> None:
    """Put out who came with a token that is good no more, and rename a guest whose name was given to somebody else."""
    if hub.identities.has_become_more(identity):
        # Another window has traded in the guest. Without a word, as this one finds the new token where the page keeps it.
        hub.end(connection, 1012, "come back with the token that you were given", "traded_in")
    elif not hub.identities.still_good(identity):
        hub.refuse(connection, FrameError("revoked", "Your token was revoked, or has ended."))
        hub.end(connection, 1008, "token revoked", "revoked")
    elif (other := renamed(identity, hub.admission, hub.identities)) is not identity:
        hub.rename(connection, other)


async def _settle_all(hub: Hub) -> None:
    """Let the members of all channels, be they here or not, have the roles of their tokens; guests who were turned out leave."""
    service, identities = hub.service, hub.identities
    work = []
    for channel_id in service.channel_ids():
        with suppress(ServiceError):  # the channel was closed meanwhile
            if due := _due(service, identities, channel_id):
                work.append(_settle(service, identities, channel_id, due))
        await asyncio.sleep(0)  # so that many channels and many tokens hold up nobody
    if not all(await asyncio.gather(*work)):
        hub.are_roles_due = True


def _due(service: Service, identities: Identities, channel_id: str) -> list[str]:
    """Whose role in a channel is another one, or who has to leave it."""
    members, listed = service.members(channel_id), identities.members()
    fewer, others = (members, listed) if len(members) < len(listed) else (listed, members)
    return [each for each in list(fewer) if each in others and _is_due(service, identities, channel_id, each)]


async def _settle(service: Service, identities: Identities, channel_id: str, due: list[str]) -> bool:
    """True if it is done in the channel, or the channel is no more."""
    try:
        await service.in_channel(channel_id, partial(_take_roles, due, identities, channel_id), name="roles of tokens")
    except ServiceError:
        return channel_id not in service.channel_ids()
    except StorageError as error:
        log.warning("the roles of tokens were not kept in channel %s, and will be soon: %s", channel_id, error)
        return False
    return True


def _is_due(service: Service, identities: Identities, channel_id: str, member_id: str) -> bool:
    member = service.members(channel_id).get(member_id)
    if member is None:
        return False
    role = identities.role_of(member_id, channel_id)
    return identities.is_turned_out(member_id) or (member.character_context or {}).get("role") != (role or "member")


async def _take_roles(member_ids: list[str], identities: Identities, channel_id: str, ctx: Context) -> None:
    for member_id in member_ids:
        member = ctx.channel.get(member_id)
        if member is not None and identities.is_turned_out(member_id):
            await remove_member(ctx, member)
        elif member is not None:
            take_role(ctx, member_id, identities.role_of(member_id, channel_id))
