"""The first exchange of a connection: who somebody is, and what is there for them."""

from __future__ import annotations

import asyncio
import time

from msgspec.structs import replace

from mooring import Admission, AdmissionRefused, Applicant, Service
from mooring.plugins.web.down_schema import ChannelEntry, Welcome
from mooring.plugins.web.frames import FrameError
from mooring.plugins.web.identity import Identities, Identity, TokenRefused
from mooring.plugins.web.up_schema import Hello
from storage import StorageError

_NOT_NOW = "Whether this token is good cannot be seen at the moment. Try again soon."


def introduce(hello: Hello, admission: Admission, identities: Identities, request_id: str) -> Identity:
    """Who says hello. Raises FrameError."""
    if hello.token is not None:
        try:
            identity = _as_known(identities.check(hello.token), admission, identities)
        except TokenRefused as error:
            raise FrameError("bad_token", str(error), request_id) from error
        except StorageError as error:
            raise FrameError("busy", _NOT_NOW, request_id, retry=True) from error
        if hello.name is None:
            return identity
        if identity.given:
            raise FrameError("bad_name", "Your name came with your token; whoever gave it can change it.", request_id)
        return replace(identity, name=_free_name(hello.name, admission, identities, request_id, identity.member_id))
    return identities.guest(_free_name(hello.name or "", admission, identities, request_id))


def _free_name(name: str, admission: Admission, identities: Identities, request_id: str, member_id: str = "") -> str:
    try:
        free = admission.free_name(name, member_id)
        if identities.is_given(free, besides=member_id):
            raise AdmissionRefused("name_taken", f"The name {free} is taken, or looks like one that is. Choose another.")
        return free
    except AdmissionRefused as error:
        raise FrameError(error.code, str(error), request_id) from error


async def look_up(hello: Hello, admission: Admission, identities: Identities, request_id: str) -> Identity:
    """Who says hello with a token that was given by another process, perhaps only just. Raises FrameError."""
    try:
        await asyncio.to_thread(identities.look_up)
    except StorageError as error:
        raise FrameError("busy", _NOT_NOW, request_id, retry=True) from error
    return introduce(hello, admission, identities, request_id)


async def trade_in(token: str, guest_token: str, identities: Identities, request_id: str) -> Identity:
    """Who a guest is who has come with a token from the operator. Raises FrameError."""
    try:
        return await asyncio.to_thread(identities.trade_in, token, guest_token)
    except TokenRefused as error:
        raise FrameError("bad_token", str(error), request_id) from error
    except StorageError as error:
        raise FrameError("busy", _NOT_NOW, request_id, retry=True) from error


def renamed(identity: Identity, admission: Admission, identities: Identities) -> Identity:
    """A guest as they are called by now: the name may have been given to somebody else."""
    if identity.given or not identities.is_given(identity.name, besides=identity.member_id):
        return identity
    return replace(identity, name=admission.other_name(identity.name, identity.member_id))


def _as_known(identity: Identity, admission: Admission, identities: Identities) -> Identity:
    """Raises TokenRefused for a guest who was away for too long."""
    if not identity.given:
        idle = time.time() - identity.made
        if admission.is_forgotten(identity.member_id, idle):
            raise TokenRefused("You were away for longer than guests are remembered here. Come in anew.")
    return renamed(identity, admission, identities)


def applicant(identity: Identity, channel_id: str, address: str) -> Applicant:
    """Somebody as they stand at the door of a channel."""
    is_given = identity.given
    return Applicant(identity.member_id, identity.name, identity.role_in(channel_id), is_given, is_given, not is_given, address)


def welcome(identity: Identity, service: Service, admission: Admission, identities: Identities) -> Welcome:
    """The answer to hello."""
    channels = channel_entries(identity, service, admission)
    return Welcome(identity.member_id, identity.name, identities.token(identity), not identity.given, channels, service.commands.describe())


def channel_entries(identity: Identity, service: Service, admission: Admission) -> list[ChannelEntry]:
    """The channels that there are, as they are for one member."""
    entries = []
    for channel_id in service.channel_ids():
        info = service.channel_info(channel_id)
        joined = identity.member_id in service.members(channel_id)
        allowed = admission.may_join(channel_id, is_vouched_for=identity.given)
        plugins = list(service.plugin_names(channel_id))
        entries.append(ChannelEntry(channel_id, info.channel_name, info.channel_description, joined, allowed, plugins))
    return entries
