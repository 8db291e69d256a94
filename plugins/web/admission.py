"""Who comes in, and under which name."""

from __future__ import annotations

from typing import Any

from mooring.plugins.web import frames, names
from mooring.plugins.web.frames import FrameError
from mooring.plugins.web.identity import Identities, Identity, TokenRefused
from mooring.plugins.web.names import NameIndex
from mooring.plugins.web.schema import ChannelEntry, Hello, Welcome
from mooring.protocols import Service, UnknownChannel


class Reception:
    """Knows the names that are taken, by members of any channel and by those who are connected and have joined none yet."""

    def __init__(self, service: Service, identities: Identities, most_members: int) -> None:
        self._service = service
        self._identities = identities
        self._most = most_members
        self._names: dict[str, NameIndex] = {}
        self._here = NameIndex()

    def introduce(self, hello: Hello, request_id: str) -> Identity:
        """Who says hello. Raises FrameError."""
        if hello.token is not None:
            try:
                return self._identities.check(hello.token)
            except TokenRefused as error:
                raise FrameError("bad_token", str(error), request_id) from error
        try:
            name = names.clean(hello.name or "")
        except names.NameRefused as error:
            raise FrameError("bad_name", str(error), request_id) from error
        if self._here.owner(name) is not None or any(self.index(channel_id).owner(name) is not None for channel_id in self._service.channel_ids()):
            raise FrameError("name_taken", f"The name {name} is taken, or looks like one that is. Choose another.", request_id)
        return self._identities.guest(name)

    def enter(self, identity: Identity) -> None:
        """Somebody has said who they are; nobody else takes the name while they are here."""
        self._here.add(identity.member_id, identity.name)

    def gone(self, member_id: str) -> None:
        """Their last connection is no more."""
        self._here.remove(member_id)

    def welcome(self, identity: Identity, request_id: str) -> bytes:
        """The answer to hello."""
        channels = []
        for channel_id in self._service.channel_ids():
            info = self._service.channel_info(channel_id)
            allowed = self._service.access(channel_id) == "open" or identity.given
            joined = identity.member_id in self._service.members(channel_id)
            channels.append(ChannelEntry(channel_id, info.channel_name, info.channel_description, joined, allowed))
        token = self._identities.token(identity)
        return frames.encode("welcome", Welcome(identity.member_id, identity.name, token, channels, self._service.commands.describe()), request_id)

    def admit(self, identity: Identity, channel_id: str, after: int, request_id: str) -> dict[str, Any] | None:
        """What the service must be told of a joining member; None if it knows. Raises FrameError or UnknownChannel.

        Who has seen a message, `after`, that the service does not know comes from another process, which is ahead: the join has to go
        through the channel then, as its commit catches up. Otherwise the member would be shown again what it has seen.
        """
        if channel_id not in self._service.channel_ids():
            raise UnknownChannel(channel_id)
        if self._service.access(channel_id) == "token" and not identity.given:
            raise FrameError("forbidden", "This channel is for people with a token. Ask the operator for one.", request_id)
        members = self._service.members(channel_id)
        role = identity.role_in(channel_id)
        known = members.get(identity.member_id)
        is_same = known is not None and known.name == identity.name and role in {None, (known.character_context or {}).get("role")}
        if is_same and after <= self._service.last_number(channel_id):
            return None
        if known is None and len(members) >= self._most:
            raise FrameError("channel_full", "This channel has as many members as it can take.", request_id)
        if self.index(channel_id).owner(identity.name, besides=identity.member_id) is not None:
            raise FrameError("name_taken", f"Somebody in this channel has the name {identity.name}, or one that looks like it.", request_id)
        return {"name": identity.name, "role": role} if role else {"name": identity.name}

    def name_of(self, channel_id: str, character_id: str) -> str:
        """The name of a member or agent, empty for a stranger."""
        agent = self._service.agent(character_id) if character_id else None
        return agent.name if agent else self.index(channel_id).name_of(character_id)

    def index(self, channel_id: str) -> NameIndex:
        """The names of a channel's members. Whoever knows that they changed says so here."""
        index = self._names.get(channel_id)
        if index is None:
            index = self._names[channel_id] = NameIndex()
            for member_id, character in self._service.members(channel_id).items():
                index.add(member_id, character.name)
        return index
