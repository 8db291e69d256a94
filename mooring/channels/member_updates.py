"""What the members of a channel are shown of each other: the list of characters with their bars, and from then on what changes in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from mooring.bars.spec import BarSpec, bars_of, channel_bar
from mooring.channels.character_lists import FIRST, CharacterList, CharacterLists, OwnList
from mooring.channels.state import ChannelState
from mooring.clock import Clock, use_clock
from mooring.events import Character, CharacterChanges, CharacterCount, Down
from mooring.kinds import CHARACTER_CHANGES, CHARACTER_COUNT, CHARACTERS
from mooring.protocols import CharacterPage

if TYPE_CHECKING:
    from storage import MoobiusStorage


class MemberUpdates:
    """Makes the downs that show the characters of one channel. `bars` are asked for anew each time, since plugins may be reloaded.

    Everybody is shown to everybody, unless a service sent a list of its own; then that list, with what is new about those who are
    in it. A list goes out whole when somebody comes in, and later only what changed in it: which entries these are follows from what
    the turns changed, and nothing here walks over all members.
    """

    def __init__(self, channel_id: str, storage: MoobiusStorage, state: ChannelState, bars: Callable[[], Sequence[BarSpec]], clock: Clock) -> None:
        self._channel_id = channel_id
        self._storage = storage
        self._members = state.members
        self._bars = bars
        self._clock = clock
        self._lists = CharacterLists(state.members)
        for down in state.screen.all_shown(CHARACTERS):
            self._lists.put(down)
        self._shown_bars = bars()
        self._changed: dict[str, None] = {}
        self._has_all_changed = False
        self._read_up_to = state.members.log.number
        self._counted: CharacterCount | None = None

    # -- what changed ----------------------------------------------------------------------------------------------------

    def note(self, dict_name: str, keys: Iterable[str] | None) -> None:
        """Note which keys of a dict were changed, in case it holds bars; None for any."""
        for spec in self._bars():
            if spec.dict != dict_name:
                continue
            if keys is None:
                self._has_all_changed = True
            elif spec.owner == "member":
                self._changed.update(dict.fromkeys(key for key in keys if key in self._members))
            elif spec.key() in keys:
                self._changed[spec.entry_id] = None

    def forget(self, member_id: str) -> None:
        """A member has left, with the list that it was shown."""
        self._lists.forget(member_id)

    @property
    def are_due(self) -> bool:
        """Whether there is something new to show."""
        return bool(self._changed) or self._has_all_changed or self._read_up_to != self._members.log.number or self._bars() is not self._shown_bars

    def changes(self) -> list[Down]:
        """What changed in the lists since this was called last. Where that is more than the beginning of a list, that goes out anew."""
        with use_clock(self._clock):
            changed = self._take_changed()
            if changed is None or len(changed) > FIRST:
                self._counted = self._count(self._lists.everybody)
                return [down for shown in self._lists.shown() for down in self._beginning(shown, *self._lists.audience(shown))]
            by_list: dict[CharacterList, list[str]] = {}
            for key in changed:
                for shown in self._lists.having(key):
                    by_list.setdefault(shown, []).append(key)
            return [down for shown, keys in by_list.items() for down in self._changes_in(shown, keys)]

    def _take_changed(self) -> Collection[str] | None:
        """The ids of all that changed; None if any may have."""
        specs, before = self._bars(), self._shown_bars
        members = self._members.log.since(self._read_up_to)
        changed = None if self._has_all_changed or members is None or specs != before else {**self._changed, **dict.fromkeys(members)}
        self._shown_bars, self._read_up_to = specs, self._members.log.number
        self._changed, self._has_all_changed = {}, False
        return changed

    def _changes_in(self, shown: CharacterList, keys: Iterable[str]) -> list[Down]:
        entries = {key: self._entry(shown, key) for key in keys}
        changed = [entry for entry in entries.values() if entry is not None]
        removed = [key for key, entry in entries.items() if entry is None]
        recipients, besides = self._lists.audience(shown)
        body = CharacterChanges(self._channel_id, changed, removed)
        downs = [Down(CHARACTER_CHANGES, self._channel_id, body, recipients, besides=besides)]
        count = self._count(shown)
        if shown is self._lists.everybody and count != self._counted:
            self._counted = count
            downs.append(Down(CHARACTER_COUNT, self._channel_id, count, recipients, besides=besides))
        return downs

    # -- whole lists -----------------------------------------------------------------------------------------------------

    def shown(self, downs: Sequence[Down]) -> Sequence[Down]:
        """What leaves of committed downs: in the place of each list of characters that a service sent, what its recipients see of it."""
        if all(down.type != CHARACTERS for down in downs):
            return downs
        left: list[Down] = []
        with use_clock(self._clock):
            for down in downs:
                left += self._beginning(self._lists.put(down), down.recipients) if down.type == CHARACTERS else [down]
        return left

    def updates_for(self, member_id: str) -> list[Down]:
        """What a member is shown who comes in."""
        with use_clock(self._clock):
            return self._beginning(self._lists.of(member_id), member_id=member_id)

    def page(self, member_id: str, prefix: str, after: str, limit: int) -> CharacterPage:
        """More of the list that a member is shown; see `Service.characters`."""
        shown = self._lists.of(member_id)
        with use_clock(self._clock):
            keys, following = shown.page(prefix, after, limit)
            return CharacterPage(self._entries(shown, keys), following)

    def _beginning(
        self, shown: CharacterList, recipients: frozenset[str] | None = None, besides: frozenset[str] = frozenset(), *, member_id: str = ""
    ) -> list[Down]:
        entries = self._entries(shown, shown.first(member_id))
        if not isinstance(shown, OwnList):
            entries += self._entries(shown, [spec.entry_id for spec in self._bars() if spec.owner == "channel"])
        return [
            Down(CHARACTERS, self._channel_id, entries, recipients, besides=besides),
            Down(CHARACTER_COUNT, self._channel_id, self._count(shown), recipients, besides=besides),
        ]

    def _count(self, shown: CharacterList) -> CharacterCount:
        return CharacterCount(self._channel_id, shown.total(), None if isinstance(shown, OwnList) else len(self._members.present()))

    def _entries(self, shown: CharacterList, keys: Iterable[str]) -> list[Character]:
        entries = (self._entry(shown, key) for key in keys)
        return [entry for entry in entries if entry is not None]

    def _entry(self, shown: CharacterList, key: str) -> Character | None:
        """A character as it is now; None if it is not in the list any more."""
        specs = self._bars()
        character = self._members.get(key)
        if character is not None and character.character_context is not None:
            if specs:
                character.character_context["bars"] = bars_of(specs, self._storage, key)
            return character
        if isinstance(shown, OwnList):
            return shown.characters[key]
        spec = next((spec for spec in specs if spec.owner == "channel" and spec.entry_id == key), None)
        return None if spec is None else channel_bar(spec, self._storage)
