"""Rooms: the places of networks that a channel can be bound to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

NETWORK_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
"""What a network can be called: short, since it is a label of the metrics, and without the `/` and `:` that follow it in names."""

OTHER_CHANNELS = "channel"
"""In the place of a network's name: the other channels of the service, which are reached in the same way."""

WhenUnsure = Literal["skip", "repeat"]
"""What becomes of a message of which nobody can tell whether it arrived: `skip` sends it at most once, `repeat` at least once."""


@dataclass(frozen=True, slots=True)
class Room:
    """One room of a network; `id` is what the network calls it."""

    network: str
    id: str

    def __str__(self) -> str:
        return f"{self.network}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> Room:
        """The inverse of `str`. Raises ValueError."""
        network, slash, room_id = text.partition("/")
        if not slash:
            raise ValueError(f"{text!r} names no room; expected NETWORK/ROOM")
        return cls(network, room_id)


def checked_network(name: str) -> str:
    """The name, if a network can have it. Raises ValueError."""
    if not NETWORK_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a network: use up to 41 of small letters, digits, '_' and '-', a letter first")
    if name == OTHER_CHANNELS:
        raise ValueError(f"no network can be called {name!r}, which stands for the other channels of the service")
    return name


def network_member_id(network: str, user: str) -> str:
    """The member id of a network's user. Private messages to such a member go to the rooms of that network."""
    return f"{network}:{user}"


def users_of(network: str, member_ids: Iterable[str]) -> frozenset[str]:
    """The network's users among members, as the network calls them."""
    prefix = f"{network}:"
    return frozenset(member_id.removeprefix(prefix) for member_id in member_ids if member_id.startswith(prefix))
