"""Who belongs to a channel, as one event sees and changes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mooring.channels.members import Members, character_of, standing_of
from mooring.events import Character
from mooring.names import lookalike_keys
from mooring.roles import ROLES, Role, Standing
from mooring.text import fold_name

_UNKNOWN = Standing()
_OF_STANDING = frozenset({"given", "guest", "seen", "address"})
"""The fields of a record that tell how somebody came in."""


class NameTaken(Exception):
    """Somebody else in the channel has this name, or one that looks the same. The text is fit for a member to read."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The name {name} is taken in this channel; choose another.")


class MembersInTurn(Mapping[str, Character]):
    """The members as one event sees and changes them; nobody else sees that before `accept` is called with `changes`."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self.changes: dict[str, dict[str, Any] | None] = {}

    def __getitem__(self, member_id: str) -> Character:
        kept = self._kept(member_id)
        if kept is None:
            raise KeyError(member_id)
        return character_of(member_id, kept, online=member_id in self.changes or self._members.is_online(member_id))

    def __iter__(self) -> Iterator[str]:
        if not self.changes:
            return self._members.handed_ids()
        before = list(self._members.handed_ids())
        stayed = [member_id for member_id in before if self.changes.get(member_id, ...) is not None]
        return iter([*stayed, *(member_id for member_id, kept in self.changes.items() if kept is not None and member_id not in before)])

    def __len__(self) -> int:
        handed = self._members.handed
        changed = sum((kept is not None) - (handed(member_id) is not None) for member_id, kept in self.changes.items())
        return self._members.handed_count() + changed

    def __contains__(self, member_id: object) -> bool:
        return isinstance(member_id, str) and self._kept(member_id) is not None

    def _kept(self, member_id: str) -> dict[str, Any] | None:
        return self.changes[member_id] if member_id in self.changes else self._members.handed(member_id)

    def owner_of(self, name: str) -> str | None:
        """Who has this name in this turn, whatever its case."""
        folded = fold_name(name)
        for member_id, kept in self.changes.items():
            if kept is not None and fold_name(kept["name"]) == folded:
                return member_id
        owner = self._members.handed_owner(name)
        return None if owner in self.changes else owner

    def check_unlike_others(self, member_id: str, name: str) -> None:
        """Raise NameTaken if a name is news here, and looks like somebody else's.

        Those who admit strangers have asked already; but two of them, or two processes, may have asked in one moment.
        """
        before = self._kept(member_id)
        if before is not None and before["name"] == name:
            return
        keys = lookalike_keys(name)
        others = (kept["name"] for other_id, kept in self.changes.items() if kept is not None and other_id != member_id)
        if any(not keys.isdisjoint(lookalike_keys(other)) for other in others) or self._members.handed_alike(name, {member_id, *self.changes}):
            raise NameTaken(name)

    def join(self, member_id: str, name: str, role: str | None, now: float, standing: Standing = _UNKNOWN) -> bool:
        """Let a member in, or take over the new name and role of one who is in; true if the member was not in before.

        Raises NameTaken.
        """
        if self.owner_of(name) not in {None, member_id}:
            raise NameTaken(name)
        before = self._members.handed(member_id)
        rest = {field: value for field, value in (before or {}).items() if field not in _OF_STANDING}
        kept = {"joined": now, **rest, "name": name, **_record_of(standing, now)}
        if not kept.get("role_is_set"):  # what the channel has decided counts more than what somebody brings along
            kept["role"] = role if role in ROLES else kept.get("role", "member")
        if kept != before:
            self._members.stored[member_id] = kept
            self.changes[member_id] = kept
        return before is None

    def set_role(self, member_id: str, role: Role) -> None:
        """Give a member another role, which no token takes back. Raises KeyError for a stranger."""
        before = self._kept(member_id)
        if before is None:
            raise KeyError(member_id)
        self._put(member_id, with_role(before, role))

    def take_role(self, member_id: str, role: Role | None) -> None:
        """Let a member have the role that their token has now, None if they have none any more. Raises KeyError for a stranger.

        What the channel has decided stays; but nobody looks after it who has no token any more.
        """
        before = self._kept(member_id)
        if before is None:
            raise KeyError(member_id)
        kept = dict(before)
        if role is None:
            kept.pop("given", None)
            if kept["role"] != "member":
                kept.pop("role_is_set", None)
                kept["role"] = "member"
        elif not kept.get("role_is_set"):
            kept["role"] = role
        self._put(member_id, kept)

    def rename(self, member_id: str, name: str) -> None:
        """Call a member otherwise. Raises KeyError for a stranger, and NameTaken."""
        if self.owner_of(name) not in {None, member_id}:
            raise NameTaken(name)
        before = self._kept(member_id)
        if before is None:
            raise KeyError(member_id)
        self._put(member_id, {**before, "name": name})

    def saw(self, member_id: str, now: float) -> None:
        """Note that a guest is here. Raises KeyError for a stranger."""
        before = self._kept(member_id)
        if before is None:
            raise KeyError(member_id)
        self._put(member_id, {**before, "seen": now})

    def acted(self, member_id: str) -> None:
        """Note that a guest has done something, so that they are remembered. Others need not be noted."""
        before = self._kept(member_id)
        if before is not None and before.get("guest") and not before.get("acted"):
            self._put(member_id, {**before, "acted": True})

    def standing(self, member_id: str, now: float) -> Standing | None:
        """How somebody came in, None for a stranger."""
        kept = self._kept(member_id)
        return None if kept is None else standing_of(kept, now, is_here=self._members.is_online(member_id))

    def _put(self, member_id: str, kept: dict[str, Any]) -> None:
        if kept != self._kept(member_id):
            self._members.stored[member_id] = self.changes[member_id] = kept

    def gone(self) -> list[str]:
        """Who left in this turn."""
        return [member_id for member_id, kept in self.changes.items() if kept is None]

    def leave(self, member_id: str) -> None:
        """Let a member out."""
        del self._members.stored[member_id]
        self.changes[member_id] = None


def _record_of(standing: Standing, now: float) -> dict[str, Any]:
    if standing.is_name_given:
        return {"given": True}
    if not standing.is_guest:
        return {}
    return {"guest": True, "seen": now, **({"address": standing.address} if standing.address else {})}


def with_role(kept: Mapping[str, Any], role: Role) -> dict[str, Any]:
    """The record of a member to whom the channel gives a role."""
    return {**kept, "role": role, "role_is_set": True}
