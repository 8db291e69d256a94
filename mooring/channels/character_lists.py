"""Which list of characters each member of a channel is shown: everybody, or one that a service sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice

from mooring.channels.members import Members
from mooring.channels.name_order import NameOrder
from mooring.events import Character, Down

FIRST = 100
"""How many characters somebody is shown at first; the rest is for who asks."""


class Everybody:
    """All members of a channel."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._order = NameOrder()
        self._seen = -1

    def total(self) -> int:
        """How many they are."""
        return len(self._members)

    def first(self, member_id: str = "") -> list[str]:
        """Those whom a member is shown at first: that one, and before all others those who are here; as they joined, if that is everybody."""
        members = self._members
        if len(members) <= FIRST:
            return list(members)
        own = [member_id] if member_id in members else []
        chosen = dict.fromkeys(chain(own, islice(members.present(), FIRST), islice(members, FIRST)))
        return list(islice(chosen, FIRST))

    def page(self, prefix: str, after: str, limit: int) -> tuple[list[str], str]:
        """Ids in the order of their names; see NameOrder."""
        members = self._members
        changed = members.log.since(self._seen)
        self._seen = members.log.number
        if changed is None:
            self._order.replace((member_id, members.name_of(member_id)) for member_id in members)
        for member_id in changed or ():
            if member_id in members:
                self._order.put(member_id, members.name_of(member_id))
            else:
                self._order.remove(member_id)
        return self._order.page(prefix, after, limit)


class OwnList:
    """Characters that a service chose to show."""

    def __init__(self, characters: Sequence[Character]) -> None:
        self.characters = {each.character_id: each for each in characters}
        self._order: NameOrder | None = None

    def total(self) -> int:
        """How many they are."""
        return len(self.characters)

    def first(self, member_id: str = "") -> list[str]:
        """Those whom a member is shown at first, in the order that the service gave them."""
        own = [member_id] if len(self.characters) > FIRST and member_id in self.characters else []
        return list(islice(dict.fromkeys(chain(own, islice(self.characters, FIRST))), FIRST))

    def page(self, prefix: str, after: str, limit: int) -> tuple[list[str], str]:
        """Ids in the order of their names as they were when the list was sent; see NameOrder."""
        if self._order is None:
            self._order = NameOrder()
            self._order.replace((key, character.name) for key, character in self.characters.items())
        return self._order.page(prefix, after, limit)


CharacterList = Everybody | OwnList
Audience = tuple[frozenset[str] | None, frozenset[str]]
"""`recipients` and `besides` of a down."""


class CharacterLists:
    """One list for all, and others for some members."""

    def __init__(self, members: Members) -> None:
        self.everybody = Everybody(members)
        self._for_all: CharacterList = self.everybody
        self._for_one: dict[str, CharacterList] = {}
        self._watchers: dict[CharacterList, set[str]] = {}
        self._with: dict[str, dict[CharacterList, None]] = {}
        """The lists of services, by the ids of those who are in them."""
        self._audiences: dict[CharacterList, Audience] = {}

    def put(self, down: Down) -> CharacterList:
        """Show the list of a down to its recipients from now on; a body None is everybody again."""
        shown = self.everybody if down.body is None else OwnList(down.body)
        if isinstance(shown, OwnList):
            for key in shown.characters:
                self._with.setdefault(key, {})[shown] = None
        if down.recipients is None:
            before, self._for_all = self._for_all, shown
            for member_id in list(self._for_one):
                self.forget(member_id)
            self._drop_unused(before)
        for member_id in down.recipients or ():
            self.forget(member_id)
            self._for_one[member_id] = shown
            self._watchers.setdefault(shown, set()).add(member_id)
        self._drop_unused(shown)
        self._audiences.clear()
        return shown

    def forget(self, member_id: str) -> None:
        """Show a member what all are shown."""
        shown = self._for_one.pop(member_id, None)
        if shown is not None:
            self._watchers[shown].discard(member_id)
            self._drop_unused(shown)
            self._audiences.clear()

    def of(self, member_id: str) -> CharacterList:
        """What a member is shown."""
        return self._for_one.get(member_id, self._for_all)

    def shown(self) -> list[CharacterList]:
        """All lists that somebody is shown, first the one for all."""
        return list(dict.fromkeys([self._for_all, *self._watchers]))

    def having(self, character_id: str) -> Iterator[CharacterList]:
        """The lists that change with a character. Everybody's does with any, since who is gone has to be taken out."""
        if self._for_all is self.everybody or self.everybody in self._watchers:
            yield self.everybody
        yield from self._with.get(character_id, ())

    def audience(self, shown: CharacterList) -> Audience:
        """Who is shown a list."""
        if shown not in self._audiences:
            self._audiences[shown] = self._find_audience(shown)
        return self._audiences[shown]

    def _find_audience(self, shown: CharacterList) -> Audience:
        if shown is self._for_all:
            return None, frozenset(member_id for member_id, other in self._for_one.items() if other is not shown)
        return frozenset(self._watchers[shown]), frozenset()

    def _drop_unused(self, shown: CharacterList) -> None:
        if shown in self._watchers and not self._watchers[shown]:
            del self._watchers[shown]
        if isinstance(shown, OwnList) and shown is not self._for_all and shown not in self._watchers:
            for key in shown.characters:
                others = self._with[key]
                others.pop(shown, None)
                if not others:
                    del self._with[key]
