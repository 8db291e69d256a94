"""Who comes in, and under which name."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from mooring.names import LONGEST, NameIndex, NameRefused, clean_name, is_reserved, made_admissible
from mooring.protocols import Service, UnknownChannel
from mooring.roles import IN_CHARGE, Role, Standing, noted_seconds

_NOBODY = "somebody"
"""What those of a network are called of whose names nothing is left."""


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
    is_name_given: bool = False
    """Whether somebody in charge gave them their name. Who has picked it, or one that looks like it, is called otherwise then."""
    is_guest: bool = False
    """Whether they picked a name and nothing else is known of them. Who stays away for long is forgotten, and the name free."""
    address: str = ""
    """From where a guest comes, if the gateway knows, so that bans can be by address; nobody is shown it."""


class Admission:
    """Knows the names that are taken, by members of any channel and by those who are connected and have joined none yet."""

    def __init__(self, service: Service[Any], members_per_channel: int, *, lets_strangers_in: bool = True) -> None:
        """With `lets_strangers_in` false, channels that are open to all take only people with a token, too."""
        self._service = service
        self._lets_strangers_in = lets_strangers_in
        self._most = members_per_channel
        self._connected = NameIndex()
        self._connections: Counter[str] = Counter()

    def free_name(self, name: str, member_id: str = "") -> str:
        """The name as it will be shown, if a stranger may have it, or this member. Raises AdmissionRefused."""
        try:
            cleaned = clean_name(name)
        except NameRefused as error:
            raise AdmissionRefused("bad_name", str(error)) from error
        if is_reserved(cleaned, self._service.reserved_names()):
            raise AdmissionRefused("bad_name", f"The name {cleaned} is for those in charge, or looks like one that is. Choose another.")
        if self._is_taken(cleaned, member_id):
            raise AdmissionRefused("name_taken", f"The name {cleaned} is taken, or looks like one that is. Choose another.")
        return cleaned

    def other_name(self, name: str, member_id: str, mark: str = "guest") -> str:
        """A name like this one that is free in all channels, for somebody who is no newcomer and whose name is somebody else's by now."""
        return next(other for other in _variations(name, mark) if not self._is_taken(other, member_id))

    def network_name(self, channel_id: str, member_id: str, name: str, network: str) -> str:
        """What somebody is called in a channel whose name comes from a network, which lets people be called as they like.

        As near to that as can be, and never a reason to turn them away: a second `ann` is `ann-matrix`.
        """
        wanted, index = made_admissible(name, _NOBODY), self._service.member_names(channel_id)
        is_free = not is_reserved(wanted, self._service.reserved_names()) and index.owner(wanted, member_id) is None
        return wanted if is_free else next(each for each in _variations(wanted, network) if index.owner(each, member_id) is None)

    def is_forgotten(self, member_id: str, idle: float) -> bool:
        """Whether a guest was away for so long that they are not known any more; `idle` is since they came for the first time."""
        if idle <= self._service.guest_seconds():
            return False
        there = [each for each in self._service.channel_ids() if member_id in self._service.members(each)]
        return all(self._is_gone(channel_id, member_id) for channel_id in there)

    def connected(self, member_id: str, name: str) -> None:
        """Somebody has said who they are, on a new connection; nobody else takes the name while they are here."""
        self._connections[member_id] += 1
        self._connected.add(member_id, name)

    def renamed(self, member_id: str, name: str) -> None:
        """Somebody who is connected is called otherwise."""
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
        if not self._has_a_place(channel_id, applicant) and self._service.present_count(channel_id) >= self._most:
            raise AdmissionRefused("channel_full", "As many people are in this channel as it can take. Come back in a while.")
        known = self._service.members(channel_id).get(applicant.member_id)
        name, renames = self._name_in(channel_id, applicant, None if known is None else known.name)
        role = applicant.role
        is_same = known is not None and known.name == name and role in {None, (known.character_context or {}).get("role")}
        is_same = is_same and not self._is_news(channel_id, applicant)
        if is_same and after <= self._service.last_number(channel_id) and not self._service.wants_refresh(channel_id):
            return None
        return {"name": name, "admitted": True, **_facts(applicant), **({"role": role} if role else {}), **({"renames": renames} if renames else {})}

    def name_of(self, channel_id: str, character_id: str) -> str:
        """The name of a member or agent, empty for a stranger."""
        agent = self._service.agent(character_id) if character_id else None
        return agent.name if agent else self._service.member_names(channel_id).name_of(character_id)

    def _is_taken(self, name: str, besides: str = "") -> bool:
        if self._connected.owner(name, besides) is not None:
            return True
        owners = ((each, owner) for each in self._service.channel_ids() for owner in self._service.member_names(each).owners(name, besides))
        return any(not self._is_gone(channel_id, owner) for channel_id, owner in owners)

    def _is_gone(self, channel_id: str, member_id: str) -> bool:
        """Whether somebody is a guest who was away for so long that the name is free. Nobody takes the place of who looks after the channel."""
        standing = self._service.standing(channel_id, member_id)
        if standing is None or standing.idle <= self._service.guest_seconds():
            return False
        member = self._service.members(channel_id).get(member_id)
        return member is None or (member.character_context or {}).get("role") not in IN_CHARGE

    def _name_in(self, channel_id: str, applicant: Applicant, known: str | None) -> tuple[str, dict[str, str]]:
        """What somebody is called in a channel, and the other names of those who have to give way. Raises AdmissionRefused.

        Whom the operator has given the name comes before all others, and who is here before who is forgotten. A guest who comes second is no
        newcomer (`free_name` has seen to that), and so is called a little otherwise here.
        """
        name, index = applicant.name, self._service.member_names(channel_id)
        giving_way = []
        for owner in index.owners(name, besides=applicant.member_id):
            standing = self._service.standing(channel_id, owner) or Standing()
            if self._is_gone(channel_id, owner) or (applicant.is_name_given and not standing.is_name_given):
                giving_way.append(owner)
            elif applicant.is_guest:
                return known if known not in {None, name} else _free_variation(index, name, applicant.member_id), {}
            else:
                raise AdmissionRefused("name_taken", f"Somebody in this channel has the name {name}, or one that looks like it.")
        return name, {owner: _free_variation(index, index.name_of(owner), owner) for owner in giving_way}

    def _has_a_place(self, channel_id: str, applicant: Applicant) -> bool:
        """Whether somebody comes in however full it is: those in charge, who is here already, and members who have ever done something here."""
        before, known = self._service.standing(channel_id, applicant.member_id), self._service.members(channel_id).get(applicant.member_id)
        if applicant.role in IN_CHARGE or known is None or before is None:
            return applicant.role in IN_CHARGE
        return before.has_acted or bool((known.character_context or {}).get("online"))

    def _is_news(self, channel_id: str, applicant: Applicant) -> bool:
        """Whether the channel does not know yet how somebody comes in."""
        before = self._service.standing(channel_id, applicant.member_id) or Standing()
        if before.is_name_given != applicant.is_name_given or before.is_guest != applicant.is_guest:
            return True
        return applicant.is_guest and (before.address != applicant.address or before.idle > noted_seconds(self._service.guest_seconds()))


def _facts(applicant: Applicant) -> dict[str, Any]:
    """What the context of a join says of how somebody comes in."""
    if applicant.is_name_given:
        return {"given": True}
    return {"guest": True, "address": applicant.address} if applicant.is_guest else {}


def _free_variation(index: NameIndex, name: str, member_id: str) -> str:
    return next(other for other in _variations(name) if index.owner(other, member_id) is None)


def _variations(name: str, mark: str = "guest") -> Iterator[str]:
    """`ann-guest`, `ann-guest2`, `ann-guest3`, ..."""
    for number in itertools.count(1):
        end = f"-{mark}{number if number > 1 else ''}"
        yield f"{name[: LONGEST - len(end)]}{end}"
