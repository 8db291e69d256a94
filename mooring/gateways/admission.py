"""Who comes in, and under which name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from mooring.gateways.names import NameIndex, NameRefused, clean_name, is_reserved
from mooring.protocols import Service, UnknownChannel
from mooring.roles import Role


class AdmissionRefused(Exception):
    """Somebody does not come in. The text says why, for them to read; `code` says it to programs."""

    def __init__(self, code: Literal["bad_name", "name_taken", "forbidden", "channel_full"], message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True)
class Applicant:
    """Somebody at the door of a channel, as the gateway knows them."""

    member_id: str
    name: str
    role: Role | None = None
    """The role that they bring along; None leaves it to the channel."""
    is_vouched_for: bool = False
    """Whether somebody in charge let this very person in; channels with access `token` take nobody else."""


class Admission:
    """Knows the names that are taken, by members of any channel and by those who are connected and have joined none yet."""

    def __init__(self, service: Service[Any], members_per_channel: int, *, lets_strangers_in: bool = True) -> None:
        """With `lets_strangers_in` false, channels that are open to all take only people with a token, too."""
        self._service = service
        self._lets_strangers_in = lets_strangers_in
        self._most = members_per_channel
        self._members: dict[str, NameIndex] = {}
        self._seen: dict[str, int] = {}
        """Up to which number of a channel's changes its index goes."""
        self._connected = NameIndex()
        self._connections: Counter[str] = Counter()

    def free_name(self, name: str) -> str:
        """The name as it will be shown, if a stranger may have it. Raises AdmissionRefused."""
        try:
            cleaned = clean_name(name)
        except NameRefused as error:
            raise AdmissionRefused("bad_name", str(error)) from error
        if is_reserved(cleaned, self._service.reserved_names()):
            raise AdmissionRefused("bad_name", f"The name {cleaned} is for those in charge, or looks like one that is. Choose another.")
        indexes = (self._connected, *(self._index(channel_id) for channel_id in self._service.channel_ids()))
        if any(index.owner(cleaned) is not None for index in indexes):
            raise AdmissionRefused("name_taken", f"The name {cleaned} is taken, or looks like one that is. Choose another.")
        return cleaned

    def connected(self, member_id: str, name: str) -> None:
        """Somebody has said who they are, on a new connection; nobody else takes the name while they are here."""
        self._connections[member_id] += 1
        self._connected.add(member_id, name)

    def disconnected(self, member_id: str) -> None:
        """A connection of somebody is no more."""
        self._connections[member_id] -= 1
        if self._connections[member_id] <= 0:
            del self._connections[member_id]
            self._connected.remove(member_id)

    def may_join(self, channel_id: str, *, is_vouched_for: bool) -> bool:
        """Whether the channel's access lets such people in."""
        return is_vouched_for or (self._lets_strangers_in and self._service.access(channel_id) == "open")

    def admit(self, channel_id: str, applicant: Applicant, after: int = 0) -> dict[str, Any] | None:
        """The context for the `join` that the service has to be told; None if it knows all of it. Raises AdmissionRefused and UnknownChannel.

        Who has seen a message, `after`, that the service does not know comes from another process, which is ahead: the join has to go
        through the channel then, as its commit catches up. Otherwise the member would be shown again what it has seen.
        """
        if channel_id not in self._service.channel_ids():
            raise UnknownChannel(channel_id)
        if not self.may_join(channel_id, is_vouched_for=applicant.is_vouched_for):
            raise AdmissionRefused("forbidden", "This channel is for people with a token. Ask the operator for one.")
        members = self._service.members(channel_id)
        name, role = applicant.name, applicant.role
        known = members.get(applicant.member_id)
        is_same = known is not None and known.name == name and role in {None, (known.character_context or {}).get("role")}
        if is_same and after <= self._service.last_number(channel_id) and not self._service.wants_refresh(channel_id):
            return None
        if known is None and len(members) >= self._most:
            raise AdmissionRefused("channel_full", "This channel has as many members as it can take.")
        if self._index(channel_id).owner(name, besides=applicant.member_id) is not None:
            raise AdmissionRefused("name_taken", f"Somebody in this channel has the name {name}, or one that looks like it.")
        return {"name": name, "role": role} if role else {"name": name}

    def forget(self, channel_id: str) -> None:
        """The channel is no more, or will have other members when it is there again."""
        self._members.pop(channel_id, None)
        self._seen.pop(channel_id, None)

    def name_of(self, channel_id: str, character_id: str) -> str:
        """The name of a member or agent, empty for a stranger."""
        agent = self._service.agent(character_id) if character_id else None
        return agent.name if agent else self._index(channel_id).name_of(character_id)

    def _index(self, channel_id: str) -> NameIndex:
        """The names of a channel's members, brought up to date with what changed since they were asked for last."""
        index = self._members.setdefault(channel_id, NameIndex())
        changes = self._service.member_changes(channel_id, self._seen.get(channel_id, -1))
        if changes.number != self._seen.get(channel_id):
            self._seen[channel_id] = changes.number
            members = self._service.members(channel_id)
            if changes.member_ids is None:
                index.keep_only((member_id, character.name) for member_id, character in members.items())
            for member_id in changes.member_ids or ():
                character = members.get(member_id)
                if character is None:
                    index.remove(member_id)
                else:
                    index.add(member_id, character.name)
        return index
