"""The commands of the operator that are about members; see `mooring.control.commands`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from mooring.bots.context import Context
from mooring.bots.membership import set_role
from mooring.channels.members import standing_of
from mooring.channels.members_in_turn import with_role
from mooring.channels.system_dicts import MEMBERS
from mooring.commands.people import Member
from mooring.control.commands import ControlCommand
from mooring.errors import CommandError
from mooring.protocols import Service, ServiceError
from mooring.roles import Role, Standing
from mooring.service.stored_storages import StoredStorages
from mooring.text import clip, fold_name, suggestion


@dataclass(frozen=True)
class Listed:
    """A member as the operator sees them."""

    member: Member
    standing: Standing


class MemberAdministration(Protocol):
    """What the commands act on: a running service, or the store of one that does not run."""

    async def list_members(self, channel_id: str) -> list[Listed]:
        """All members of the channel. Raises CommandError if there is no such channel."""

    async def set_member_role(self, channel_id: str, member: Member, role: Role) -> None:
        """Give a member of the channel another role. Raises CommandError and StorageError."""


class LiveMembers:
    """Those of a running service."""

    def __init__(self, service: Service[Context]) -> None:
        self._service = service

    async def list_members(self, channel_id: str) -> list[Listed]:
        """As MemberAdministration says."""
        service = self._service
        try:
            members = service.members(channel_id).items()
            return [Listed(Member.of(each), service.standing(channel_id, member_id) or Standing()) for member_id, each in members]
        except ServiceError as error:
            raise CommandError(str(error)) from error

    async def set_member_role(self, channel_id: str, member: Member, role: Role) -> None:
        """As MemberAdministration says."""

        async def change(ctx: Context) -> None:
            set_role(ctx, member, role)

        try:
            await self._service.in_channel(channel_id, change, name="member role")
        except ServiceError as error:
            raise CommandError(str(error)) from error


class StoredMembers:
    """Those of a service that does not run: the store is opened for each command. Blocks. Raises StoreLocked."""

    def __init__(self, storages: StoredStorages) -> None:
        self._storages = storages

    async def list_members(self, channel_id: str) -> list[Listed]:
        """As MemberAdministration says."""
        with self._storages.open(channel_id) as storage:
            kept = MEMBERS.of(storage).copy()
        return [
            Listed(Member(member_id, record["name"], record["role"], online=False), standing_of(record, time.time(), is_here=False))
            for member_id, record in kept.items()
        ]

    async def set_member_role(self, channel_id: str, member: Member, role: Role) -> None:
        """As MemberAdministration says."""
        with self._storages.open(channel_id) as storage:
            stored = MEMBERS.of(storage)
            with storage.transaction(event="member role"):
                stored[member.id] = with_role(stored[member.id], role)


class InChannel(msgspec.Struct, forbid_unknown_fields=True):
    """One channel."""

    channel_id: str


class NewRole(msgspec.Struct, forbid_unknown_fields=True):
    """A member, by id or name, and what they shall be."""

    channel_id: str
    member: str
    role: Role


async def _list(members: MemberAdministration, asked: InChannel) -> list[dict[str, Any]]:
    found = await members.list_members(asked.channel_id)
    return [_line(each.member, each.standing) for each in found]


def _line(member: Member, standing: Standing) -> dict[str, Any]:
    line = {"id": member.id, "name": member.name, "role": member.role, "online": member.online}
    return {**line, "guest": True, "seconds_away": int(standing.idle)} if standing.is_guest else line


async def _role(members: MemberAdministration, asked: NewRole) -> dict[str, str]:
    found = [each.member for each in await members.list_members(asked.channel_id)]
    member = next((each for each in found if each.id == asked.member), None)
    if member is None:
        name = asked.member.removeprefix("@")
        member = next((each for each in found if fold_name(each.name) == fold_name(name)), None)
        if member is None:
            raise CommandError(f"Nobody in {asked.channel_id} is called {clip(name)}.{suggestion(name, [each.name for each in found])}")
    await members.set_member_role(asked.channel_id, member, asked.role)
    return {"id": member.id, "name": member.name}


MEMBER_COMMANDS: tuple[ControlCommand[MemberAdministration], ...] = (
    ControlCommand("member list", InChannel, _list),
    ControlCommand("member role", NewRole, _role),
)
