"""What a channel shows beside its messages: canvas, buttons, menu, style. It is kept with the commits of those who set it.

Each plugin has a slot of its own in each kind, for everybody and for single members, so that one plugin's buttons do not wipe
another's; what a member sees is what all slots have for that member, in the order of the plugins. What a service itself sends is
in a slot without a name, which comes first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from mooring.events import Down, copy_with
from mooring.kinds import DOWN_KINDS, MESSAGE_DOWN, DownKind

log = logging.getLogger(__name__)

_Place = tuple[str, str]
"""A kind and a slot."""


class Screen:
    """The screen of one channel, in a dict of its storage and, as the commits left it, in memory.

    `slots` names the plugins that show something, in their order; what others have set is kept, and not shown meanwhile.
    """

    def __init__(self, channel_id: str, stored: MutableMapping[str, Any], slots: Callable[[], Iterable[str]]) -> None:
        self._channel_id = channel_id
        self._stored = stored
        self._slots = slots
        self._for_all: dict[_Place, Down] = {}
        self._for_one: dict[_Place, dict[str, Down]] = {}
        self._handed: dict[_Place, set[str]] = {}
        """For whom something of their own was handed in, kept or not."""
        self.catch_up(None)

    # -- in a transaction ------------------------------------------------------------------------------------------------

    def keep(self, downs: Sequence[Down]) -> None:
        """Write the updates among an event's downs, inside its transaction. What is for everybody takes the place of what single members had."""
        for down in downs:
            if down.type == MESSAGE_DOWN:
                continue
            body = msgspec.to_builtins(down.body)
            if down.recipients is None:
                for member_id in self._handed.get((down.type, down.slot), ()):
                    self._stored.pop(_key(down.type, down.slot, member_id), None)
                if body or (body is not None and DOWN_KINDS[down.type].source == "channel"):
                    self._stored[_key(down.type, down.slot)] = body
                else:
                    self._stored.pop(_key(down.type, down.slot), None)
            else:
                for member_id in down.recipients:
                    self._stored[_key(down.type, down.slot, member_id)] = body

    def drop(self, member_id: str) -> None:
        """Take out what was for one member only, inside the transaction in which the member leaves."""
        for kind, slot in self._handed:
            self._stored.pop(_key(kind, slot, member_id), None)

    # -- on the way ------------------------------------------------------------------------------------------------------

    def hand(self, downs: Sequence[Down]) -> None:
        """Go on from these updates, whose commit is on its way."""
        for down in downs:
            if down.type != MESSAGE_DOWN and down.recipients is not None:
                self._handed.setdefault((down.type, down.slot), set()).update(down.recipients)

    def reset(self) -> None:
        """Nothing of what was handed in and not accepted is kept."""
        self._handed = {place: set(shown) for place, shown in self._for_one.items()}

    def accept(self, downs: Sequence[Down]) -> None:
        """Take over what a commit has made true."""
        for down in downs:
            if down.type == MESSAGE_DOWN:
                continue
            place = (down.type, down.slot)
            if down.recipients is None:
                self._for_all[place] = down
                self._for_one.pop(place, None)
            else:
                self._for_one.setdefault(place, {}).update(dict.fromkeys(down.recipients, down))

    def forget(self, member_id: str) -> None:
        """Drop what was shown to one member only."""
        for shown in self._for_one.values():
            shown.pop(member_id, None)
        for members in self._handed.values():
            members.discard(member_id)

    def catch_up(self, keys: Iterable[str] | None) -> list[Down]:
        """Take over what other processes committed under these keys, or, with None, everything; returns what is new to be shown.

        Inside a transaction, as it reads the dict.
        """
        downs = []
        for key in sorted(self._stored if keys is None else keys, key=lambda key: key.count("/")):
            down = self._read(key)
            if down is not None:
                downs.append(down)
        self.accept(downs)
        self.reset()
        return downs

    # -- looking ---------------------------------------------------------------------------------------------------------

    def all_shown(self, kind: str) -> list[Down]:
        """Everything that is shown of one kind in any slot: first what is for everybody, then what is for some."""
        places = [(kind, slot) for slot in ("", *self._slots())]
        for_all = [self._for_all[place] for place in places if place in self._for_all]
        for_some = {id(down): down for place in places for down in self._for_one.get(place, {}).values()}
        return [*for_all, *for_some.values()]

    def shown(self, kind: DownKind, member_id: str) -> Down | None:
        """What this member sees of one kind; None if nobody ever showed anything."""
        downs = list(self._parts(kind, member_id))
        return Down(kind.name, self._channel_id, _together(kind, downs), frozenset({member_id})) if downs else None

    def drawn(self, downs: Sequence[Down]) -> Sequence[Down]:
        """What leaves of committed downs: in the place of each update of a slot, what its recipients see of all slots together."""
        left: list[Down] = []
        for place, down in enumerate(downs):
            kind = DOWN_KINDS.get(down.type)
            if kind is None or kind.source != "sender":
                left.append(down)
            elif not any(later.type == down.type and later.recipients == down.recipients for later in downs[place + 1 :]):
                left += self._drawn(kind, down)
        return left

    def redrawn(self) -> list[Down]:
        """Everything that was shown, as it looks with the slots that there are now: some came, or went."""
        kinds = [kind for kind in DOWN_KINDS.values() if kind.source == "sender" and kind.is_list]
        return [down for kind in kinds for down in self._drawn(kind, Down(kind.name, self._channel_id, [], None))]

    def find(self, kind: DownKind, member_id: str, item_id: str) -> tuple[str, Any] | None:
        """The slot and the item as it was set, by the id under which this member sees it; None if it is not shown to this member."""
        parts = list(self._parts(kind, member_id))
        together = _together(kind, parts)
        origins = ((part.slot, item) for part in parts for item in part.body)
        return next((origin for origin, item in zip(origins, together, strict=True) if getattr(item, kind.item_id) == item_id), None)

    def _parts(self, kind: DownKind, member_id: str) -> Iterator[Down]:
        for slot in ("", *self._slots()):
            down = self._for_one.get((kind.name, slot), {}).get(member_id) or self._for_all.get((kind.name, slot))
            if down is not None:
                yield down

    def _drawn(self, kind: DownKind, down: Down) -> Iterator[Down]:
        special: Iterable[str]
        if down.recipients is None:
            special = frozenset(member_id for slot in ("", *self._slots()) for member_id in self._for_one.get((kind.name, slot), ()))
            body = _together(kind, [each for slot in ("", *self._slots()) if (each := self._for_all.get((kind.name, slot))) is not None])
            yield copy_with(down, body=body, besides=special)
        else:
            special = down.recipients
        for member_id in sorted(special):
            yield copy_with(down, body=_together(kind, list(self._parts(kind, member_id))), recipients=frozenset({member_id}))

    def _read(self, key: str) -> Down | None:
        name, _, rest = key.partition("/")
        slot, is_own, member_id = rest.partition("/")
        kind = DOWN_KINDS.get(name)
        if kind is None:
            return None
        recipients = frozenset({member_id}) if is_own else None
        if key not in self._stored:
            place = (name, unquote(slot))
            if recipients is None and place in self._for_all and kind.is_list:
                # Of what the channel makes itself, nothing is that again.
                return Down(name, self._channel_id, None if kind.source == "channel" else [], None, slot=place[1])
            self._for_one.get(place, {}).pop(member_id, None)
            return None
        try:
            body = None if self._stored[key] is None else msgspec.convert(self._stored[key], kind.body)
        except msgspec.ValidationError as error:
            log.warning("the %s of channel %s that are kept as %r cannot be read and are not shown: %s", name, self._channel_id, key, error)
            return None
        return Down(name, self._channel_id, body, recipients, slot=unquote(slot))


def _key(kind: str, slot: str, member_id: str | None = None) -> str:
    key = f"{kind}/{quote(slot, safe='')}"
    return key if member_id is None else f"{key}/{member_id}"


def _together(kind: DownKind, parts: Sequence[Down]) -> Any:
    """One body of several slots: their lists after each other; of what is no list, the last one's.

    Where two plugins give their items the same id, that of the later one gets its plugin's name in front, so that each is found again.
    """
    if not kind.is_list:
        return parts[-1].body
    if len(parts) == 1:
        return parts[0].body
    items: list[Any] = []
    taken: set[str] = set()
    for part in parts:
        own = []
        for item in part.body:
            item_id = getattr(item, kind.item_id) if kind.item_id else ""
            if item_id in taken:
                item = copy_with(item, **{kind.item_id: f"{part.slot}/{item_id}"})
            items.append(item)
            own.append(item_id)
        taken.update(own if kind.item_id else ())
    return items
