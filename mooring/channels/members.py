"""Who belongs to a channel, and who of them is here now."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Container, Hashable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from mooring.channels.change_log import ChangeLog
from mooring.events import Character
from mooring.names import NameIndex, lookalike_keys
from mooring.roles import Standing
from mooring.text import fold_name

_JOINED = "joined"
"""Counts as a session from a join on, until a gateway tells of real ones."""


class Members(Mapping[str, Character]):
    """The members of one channel by id, in the order in which they joined, as the last commit left them.

    They are kept in a dict of the channel's storage, and decoded here: who is in the channel is asked with every event, and
    what a transaction reads out of a dict it has to look through at its end. Who is online is known only here: after a
    restart nobody is, until connections come.
    """

    def __init__(self, stored: MutableMapping[str, Any]) -> None:
        self.stored = stored
        self.log = ChangeLog()
        """Who joined, left, changed name or role, came online or went."""
        self.comings = ChangeLog()
        """Whose first session in this process began, or last one ended."""
        self._known: dict[str, dict[str, Any]] = {}
        self._names: dict[str, str] = {}
        self._lookalikes: NameIndex | None = None
        """Made when it is asked for, as it takes a while for thousands of names, and kept up to date from then on."""
        self._sessions: dict[str, set[Hashable]] = {}
        """The connections of each member to this process, of all gateways; who has none is not in it."""
        self._remote_online: set[str] = set()
        self._present: dict[str, None] = {}
        self._handed: dict[str, dict[str, Any] | None] = {}
        self._in_flight = 0
        """Turns that changed members, were handed in, and are not accepted yet."""
        self._seen = -1
        self.refresh()

    def __getitem__(self, member_id: str) -> Character:
        return character_of(member_id, self._known[member_id], online=self.is_online(member_id))

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, member_id: object) -> bool:
        return member_id in self._known

    def name_of(self, member_id: str) -> str:
        """What a member is called. Raises KeyError for a stranger."""
        return str(self._known[member_id]["name"])

    @property
    def names(self) -> NameIndex:
        """The members' names, to be asked which look alike."""
        if self._lookalikes is None:
            self._lookalikes = NameIndex()
            self._lookalikes.keep_only(self._id_names())
        return self._lookalikes

    def standing(self, member_id: str, now: float) -> Standing | None:
        """How somebody came in, None for a stranger."""
        kept = self._known.get(member_id)
        return None if kept is None else standing_of(kept, now, is_here=self.is_online(member_id))

    def is_online(self, member_id: str) -> bool:
        """Whether a member has a connection."""
        return member_id in self._sessions or member_id in self._remote_online

    def present(self) -> Collection[str]:
        """The members who are online, in the order in which they came."""
        return self._present.keys()

    def refresh(self) -> None:
        """Take over what another storage of this process committed, if it did. Not while a transaction changes the members."""
        ahead = _version(self.stored) - self._seen
        if not 0 <= ahead <= self._in_flight:  # what is handed in here may be kept already, one version for each turn
            self.catch_up(None)

    def catch_up(self, keys: Iterable[str] | None) -> None:
        """Take over what others committed under these ids, or, with None, under any."""
        if keys is None:
            self._known = dict(sorted(self.stored.items(), key=_by_join))
            self._names = {fold_name(kept["name"]): member_id for member_id, kept in self._known.items()}
            self._present = {member_id: None for member_id in self._known if self.is_online(member_id)}
            if self._lookalikes is not None:
                self._lookalikes.keep_only(self._id_names())
            self.log.add_all()
        changed = [(member_id, self.stored.get(member_id)) for member_id in keys or ()]
        for member_id, kept in sorted(changed, key=_by_join):
            self._put(member_id, None if kept is None else dict(kept))
        self._seen = _version(self.stored)

    def unseen(self, since: float) -> list[str]:
        """The guests who have a connection to this process, and of whom it is not kept that they were seen after that."""
        return [member_id for member_id in self._sessions if (kept := self._known.get(member_id, {})).get("guest") and kept.get("seen", 0.0) < since]

    def passers_by(self, before: float) -> list[str]:
        """The guests who are away, were seen last before that time, and have never done anything."""
        kept = self._known.items()
        return [each for each, one in kept if one.get("guest") and not _has_acted(one) and one.get("seen", 0.0) < before and not self.is_online(each)]

    def set_remote_online(self, member_id: str, online: bool) -> None:
        """Note whether somebody has a connection to another process."""
        (self._remote_online.add if online else self._remote_online.discard)(member_id)
        self._note(member_id)

    def clear_local(self) -> None:
        """All connections to this process end."""
        for member_id in list(self._sessions):
            self._set_sessions(member_id, set())
            self._note(member_id)

    def here(self) -> set[str]:
        """Who has a connection to this process."""
        return set(self._sessions)

    def is_here(self, member_id: str) -> bool:
        """Whether somebody has a connection to this process."""
        return member_id in self._sessions

    def handed(self, member_id: str) -> dict[str, Any] | None:
        """What the next turn goes by: what is kept of a member, or will be when the commits on their way are."""
        return self._handed[member_id] if member_id in self._handed else self._known.get(member_id)

    def handed_ids(self) -> Iterator[str]:
        """The members as the next turn finds them."""
        if not self._handed:
            return iter(self._known)
        stayed = (member_id for member_id in self._known if self._handed.get(member_id, ...) is not None)
        return itertools.chain(stayed, (member_id for member_id, kept in self._handed.items() if kept is not None and member_id not in self._known))

    def handed_count(self) -> int:
        """How many they are."""
        return len(self._known) + sum((kept is not None) - (member_id in self._known) for member_id, kept in self._handed.items())

    def handed_owner(self, name: str) -> str | None:
        """Who will have this name, or one that looks the same."""
        folded = fold_name(name)
        for member_id, kept in self._handed.items():
            if kept is not None and fold_name(kept["name"]) == folded:
                return member_id
        owner = self._names.get(folded)
        return None if owner in self._handed else owner

    def handed_alike(self, name: str, besides: Container[str]) -> bool:
        """Whether somebody will have a name that looks like this one, who is not in `besides`."""
        keys = lookalike_keys(name)
        pending = (kept["name"] for member_id, kept in self._handed.items() if kept is not None and member_id not in besides)
        if any(not keys.isdisjoint(lookalike_keys(other)) for other in pending):
            return True
        return any(owner not in self._handed and owner not in besides for owner in self.names.owners(name))

    def hand(self, changes: Mapping[str, dict[str, Any] | None]) -> None:
        """Let the next turn see what was handed in, and is not kept yet."""
        self._handed.update(changes)
        self._in_flight += bool(changes)

    def reset(self) -> None:
        """Nothing of what was handed in and not accepted is kept."""
        self._handed.clear()
        self._in_flight = 0

    def accept(self, changes: Mapping[str, dict[str, Any] | None]) -> None:
        """Take over what a commit has made true: new records by id, None for those who left."""
        for member_id, kept in changes.items():
            if member_id in self._handed and self._handed[member_id] is kept:
                del self._handed[member_id]
            if kept is None or member_id not in self._sessions:
                self._set_sessions(member_id, set() if kept is None else {_JOINED})
            self._put(member_id, kept)
        if changes:
            self._in_flight = max(0, self._in_flight - 1)
            self._seen = min(self._seen + 1, _version(self.stored))

    def connected(self, member_id: str, online: bool, session: Hashable) -> bool:
        """Note that a session of a member came or went, each counted once; true if that is news for the others."""
        others = self._sessions.get(member_id, set()) - {_JOINED, session}
        return self._set_sessions(member_id, others | {session} if online else others) and self._note(member_id)

    def _set_sessions(self, member_id: str, sessions: set[Hashable]) -> bool:
        """True if that is the first one, or none any more."""
        was_here = member_id in self._sessions
        if sessions:
            self._sessions[member_id] = sessions
        else:
            self._sessions.pop(member_id, None)
        is_news = bool(sessions) != was_here
        if is_news:
            self.comings.add(member_id)
        return is_news

    def _id_names(self) -> Iterator[tuple[str, str]]:
        return ((member_id, kept["name"]) for member_id, kept in self._known.items())

    def _put(self, member_id: str, kept: dict[str, Any] | None) -> None:
        before = self._known.get(member_id)
        if before is not None and self._names.get(fold_name(before["name"])) == member_id:
            del self._names[fold_name(before["name"])]
        if kept is None:
            self._known.pop(member_id, None)
        else:
            self._known[member_id] = kept
            self._names[fold_name(kept["name"])] = member_id
        if self._lookalikes is not None:
            self._lookalikes.remove(member_id) if kept is None else self._lookalikes.add(member_id, kept["name"])
        self._note(member_id, is_news=_shown(kept) != _shown(before))

    def _note(self, member_id: str, *, is_news: bool = False) -> bool:
        """Note whether a member is here, after something of it has changed; true if others see it changed."""
        is_present = member_id in self._known and self.is_online(member_id)
        is_news |= is_present != (member_id in self._present)
        if is_present:
            self._present.setdefault(member_id)
        else:
            self._present.pop(member_id, None)
        if is_news:
            self.log.add(member_id)
        return is_news


def standing_of(kept: Mapping[str, Any], now: float, *, is_here: bool) -> Standing:
    """How a member came in of whom this is kept."""
    is_guest = bool(kept.get("guest"))
    idle = max(0.0, now - kept.get("seen", kept.get("joined", now))) if is_guest and not is_here else 0.0
    return Standing(bool(kept.get("given")), is_guest, kept.get("address", ""), not is_guest or _has_acted(kept), idle)


def _shown(kept: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    """What others see of a member, apart from whether they are here."""
    return None if kept is None else (kept["name"], kept.get("avatar"), kept.get("description"), kept["role"])


def _has_acted(kept: Mapping[str, Any]) -> bool:
    return bool(kept.get("acted") or kept.get("role_is_set")) or kept["role"] != "member"


def character_of(member_id: str, kept: Mapping[str, Any], *, online: bool) -> Character:
    """A member as updates show it, without its bars."""
    return Character(member_id, kept["name"], kept.get("avatar"), kept.get("description"), {"role": kept["role"], "online": online})


def _by_join(entry: tuple[str, Mapping[str, Any] | None]) -> tuple[float, str]:
    """Engines and news have an order of their own."""
    member_id, kept = entry
    return (float(kept.get("joined", 0)) if kept is not None else 0.0, member_id)


def _version(stored: MutableMapping[str, Any]) -> int:
    database = getattr(stored, "database", None)
    return 0 if database is None else int(database.version)
