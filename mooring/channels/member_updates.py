"""The characters that a channel shows, members with their bars or what a service chose to show, and the canvas of these bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mooring.bars.spec import BarSpec, bars_of, channel_bars
from mooring.channels.state import ChannelState
from mooring.clock import Clock, use_clock
from mooring.events import CanvasItem, Character, Down

if TYPE_CHECKING:
    from storage import MoobiusStorage


_MOST_ON_CANVAS = 24
"""In a crowd the first ones are drawn, since nobody reads two hundred bars."""


class MemberUpdates:
    """Makes the `characters` and `canvas` updates of one channel. `bars` are asked for anew each time, since plugins may be reloaded."""

    def __init__(self, channel_id: str, storage: MoobiusStorage, state: ChannelState, bars: Callable[[], Sequence[BarSpec]], clock: Clock) -> None:
        self._channel_id = channel_id
        self._storage = storage
        self._state = state
        self._bars = bars
        self._clock = clock

    def updates(self) -> list[Down]:
        """Updates that show the members, with facts and bars as they are now.

        Everybody is shown to everybody, unless a service sent a list of its own; then that list, with what is new about those
        who are in it. The bars of those who are here are on the canvas, unless a plugin drew one of its own.
        """
        members = self._state.members
        with use_clock(self._clock):
            specs = self._bars()
            shown = {member_id: self._with_bars(specs, members[member_id]) for member_id in members}
            sent = self._state.latest_updates.all_shown("characters")
            listed = [replace(down, body=[shown.get(one.character_id, one) for one in down.body]) for down in sent]
            if not any(down.recipients is None for down in listed):
                listed.insert(0, Down("characters", self._channel_id, [*shown.values(), *channel_bars(specs, self._storage)]))
        return [*listed, *self._canvas(shown.values())]

    def updates_for(self, member_id: str) -> list[Down]:
        """Those of them that count for this member."""
        meant = {down.type: down for down in self.updates() if down.recipients is None or member_id in down.recipients}
        return list(meant.values())

    def _canvas(self, shown: Iterable[Character]) -> list[Down]:
        if any(down.recipients is None for down in self._state.latest_updates.all_shown("canvas")):
            return []
        facts = [(one.name, one.character_context or {}) for one in shown]
        items = [CanvasItem(text=name, bars=fact["bars"]) for name, fact in facts if fact.get("online") and fact.get("bars")]
        return [Down("canvas", self._channel_id, items[:_MOST_ON_CANVAS])] if self._bars() else []

    def _with_bars(self, specs: Sequence[BarSpec], character: Character) -> Character:
        if specs and character.character_context is not None:
            character.character_context["bars"] = bars_of(specs, self._storage, character.character_id)
        return character
