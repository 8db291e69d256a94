"""What channels send to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ChannelMessage:
    """Something that a handler in one channel sent to another channel, as it arrives there, or as it comes back."""

    id: str
    """What `send_to` returned; the same however often it is tried."""
    channel_id: str
    """Where it was sent from."""
    to: str
    """Where it was sent to."""
    body: Any
    """A MessageBody, or whatever else was sent."""
    plugin: str = ""
    """Whose handler sent it, empty if it was none of a plugin."""
    member_id: str = ""
    """Who acted when it was sent, empty if nobody did; not necessarily a member of the channel that it was sent to."""
    reason: str = ""
    """Of what comes back: why it was not taken, in words for a member."""
