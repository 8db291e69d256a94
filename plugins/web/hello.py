"""The first exchange of a connection: who somebody is, and what is there for them."""

from __future__ import annotations

from mooring import Admission, AdmissionRefused, Service
from mooring.plugins.web.down_schema import ChannelEntry, Welcome
from mooring.plugins.web.frames import FrameError
from mooring.plugins.web.identity import Identities, Identity, TokenRefused
from mooring.plugins.web.up_schema import Hello


def introduce(hello: Hello, admission: Admission, identities: Identities, request_id: str) -> Identity:
    """Who says hello. Raises FrameError."""
    if hello.token is not None:
        try:
            return identities.check(hello.token)
        except TokenRefused as error:
            raise FrameError("bad_token", str(error), request_id) from error
    try:
        name = admission.free_name(hello.name or "")
        if identities.is_given(name):
            raise AdmissionRefused("name_taken", f"The name {name} is taken, or looks like one that is. Choose another.")
        return identities.guest(name)
    except AdmissionRefused as error:
        raise FrameError(error.code, str(error), request_id) from error


def welcome(identity: Identity, service: Service, admission: Admission, identities: Identities) -> Welcome:
    """The answer to hello."""
    channels = channel_entries(identity, service, admission)
    return Welcome(identity.member_id, identity.name, identities.token(identity), channels, service.commands.describe())


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
