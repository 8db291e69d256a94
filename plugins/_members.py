"""Who belongs to a channel, and who of them is here now."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from plugins._events import Character

ROLES = ("owner", "moderator", "member")


class NameTaken(Exception):
    """Somebody else in the channel has this name, or one that looks the same. The text is fit for a member to read."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The name {name} is taken in this channel; choose another.")


def fold_name(name: str) -> str:
    """What two names have in common if a reader or `@name` could take one for the other."""
    visible = "".join(letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) not in {"Cf", "Cc"})
    return " ".join(unicodedata.normalize("NFKC", visible.casefold()).split())


class Members(Mapping[str, Character]):
    """The members of one channel by id, in the order in which they joined, as the last commit left them.

    `stored` is a dict of the channel's storage, so joins and leaves commit and roll back with their event. Who is online is
    known only here: after a restart nobody is, until connections come.
    """

    def __init__(self, stored: MutableMapping[str, Any]) -> None:
        self._stored = stored
        self._connected: set[str] = set()
        self.describe: Callable[[str], dict[str, Any]] = lambda _member_id: {}
        """Adds to a member's `character_context`; the bars come from here."""

    def __getitem__(self, member_id: str) -> Character:
        return self._character(member_id, self._stored[member_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def __contains__(self, member_id: object) -> bool:
        return member_id in self._stored

    def _character(self, member_id: str, kept: dict[str, Any]) -> Character:
        context = {"role": kept["role"], "online": member_id in self._connected, **self.describe(member_id)}
        return Character(member_id, kept["name"], kept.get("avatar"), kept.get("description"), context)

    def join(self, member_id: str, name: str, role: str | None, now: float) -> bool:
        """Let a member in, or take over the new name and role of one who is in; true if the member was not in before.

        Raises NameTaken.
        """
        folded = fold_name(name)
        if any(other != member_id and fold_name(kept["name"]) == folded for other, kept in self._stored.items()):
            raise NameTaken(name)
        before = self._stored.get(member_id)
        kept = {"joined": now, **(before or {}), "name": name}
        kept["role"] = role if role in ROLES else kept.get("role", "member")
        if kept != before:
            self._stored[member_id] = kept
        return before is None

    def leave(self, member_id: str) -> bool:
        """Let a member out; false if it was not in."""
        return self._stored.pop(member_id, None) is not None

    def connected(self, member_id: str, online: bool) -> bool:
        """Note that a member's last connection came or went; true if that is news."""
        if online == (member_id in self._connected):
            return False
        if online:
            self._connected.add(member_id)
        else:
            self._connected.discard(member_id)
        return True
