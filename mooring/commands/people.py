"""A channel and its members as plugins see them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mooring.errors import CommandError
from mooring.events import Character
from mooring.text import clip, fold_name, suggestion

MEMBER = "member"

_SUGGESTED_AMONG = 200


@dataclass(frozen=True)
class Member:
    """Somebody who has joined the channel. `id` never changes and is the key for what a plugin keeps about them."""

    id: str
    name: str
    role: str = MEMBER
    online: bool = True
    agent: bool = False
    """True for a character that no person plays."""

    @classmethod
    def of(cls, character: Character) -> Member:
        """The member that a character update speaks of."""
        facts = character.character_context or {}
        role = str(facts.get("role") or MEMBER)
        return cls(character.character_id, character.name, role, bool(facts.get("online", True)), bool(facts.get("agent", False)))

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Channel:
    """The channel in which an event happens, as it is in this event."""

    id: str
    name: str
    characters: Mapping[str, Character]
    owner_of: Callable[[str], str | None] | None = field(default=None, repr=False, compare=False)
    """Finds the id behind a name without going through all of them; left out, they are gone through."""

    @property
    def members(self) -> tuple[Member, ...]:
        """Everybody who has joined, here now or not."""
        return tuple(Member.of(character) for character in self.characters.values())

    def get(self, member_id: str) -> Member | None:
        """The member with this id."""
        character = self.characters.get(member_id)
        return None if character is None else Member.of(character)

    def named(self, name: str) -> Member | None:
        """The member of exactly this name, whatever its case, with what cannot be seen left out."""
        if self.owner_of is not None:
            member_id = self.owner_of(name)
            return None if member_id is None else self.get(member_id)
        wanted = fold_name(name)
        return next((Member.of(character) for character in self.characters.values() if fold_name(character.name) == wanted), None)

    def find(self, name: str) -> Member:
        """The member of this name, with or without `@`, in any case; an id does as well.

        Raises CommandError, which names the nearest member.
        """
        bare = name.removeprefix("@")
        found = self.get(bare) or self.named(bare) or self.named(name)
        if found is not None:
            return found
        # The likest of a crowd would take seconds to find, for everybody who mistypes a name.
        some = itertools.islice(self.characters.values(), _SUGGESTED_AMONG)
        hint = suggestion(bare, (character.name for character in some), "@")
        raise CommandError(f"Nobody here is called {clip(bare)}.{hint}")
