"""Which rooms of networks the channels of a service are bound to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mooring.channels.bindings import Bindings
from mooring.channels.turn import Turn
from mooring.rooms import Room, WhenUnsure
from mooring.service.queries import Queries


class Rooms(Queries):
    """The part of the Service protocol that is about rooms."""

    def rooms(self, channel_id: str) -> Sequence[Room]:
        """The rooms that a channel is bound to."""
        return self._channel(channel_id).state.bindings.rooms

    def channel_of(self, room: Room) -> str | None:
        """The channel that is bound to a room."""
        return next((channel_id for channel_id, channel in self._hosted.items() if room in channel.state.bindings.rooms), None)

    async def bind(self, channel_id: str, room: Room, *, when_unsure: WhenUnsure = "skip") -> None:
        """Bind a channel to a room from now on, also after a restart. Raises ValueError if the room is bound to another channel."""
        bound = self.channel_of(room)
        if bound not in {None, channel_id}:
            raise ValueError(f"{room} is bound to the channel {bound!r}; a room is bound to one channel")
        await self._rebind(channel_id, lambda bindings: bindings.bind(room, when_unsure))

    async def unbind(self, channel_id: str, room: Room) -> None:
        """End that. What was sent before is still delivered. Raises ValueError for a room that the config names."""
        marks = self._channel(channel_id).state.read_marks

        def change(bindings: Bindings) -> None:
            bindings.unbind(room)
            marks.drop(room)

        await self._rebind(channel_id, change)

    def read_mark(self, room: Room) -> str:
        """Up to where a room was read by events that are committed; empty if none was, or it is bound to no channel."""
        channel_id = self.channel_of(room)
        return "" if channel_id is None else self._channel(channel_id).state.read_marks.get(room)

    def send_again(self, network: str) -> None:
        """Try now what waits for the rooms of a network, which can be reached again. On the event loop."""
        self._deliveries.rouse(network)

    async def _rebind(self, channel_id: str, change: Callable[[Bindings], object]) -> None:
        bindings = self._channel(channel_id).state.bindings

        async def body(turn: Turn) -> None:
            turn.work = "binding rooms"
            change(bindings)
            turn.sends.after_commit(bindings.refresh)

        await self._channel(channel_id).queue.run(body)
