"""What a member missed, and what came before that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mooring.events import Down
from mooring.protocols import Service


@dataclass(frozen=True)
class HistoryPage:
    """Kept messages that one member may see, oldest first.

    `missed` follow what the member has seen; `latest` take the place of all that it has; `older` come before that. `more` tells
    whether there are older ones than the first.
    """

    mode: Literal["latest", "missed", "older"]
    downs: list[Down]
    more: bool


def missed_messages(service: Service[Any], channel_id: str, member_id: str, after: int | None, most: int) -> HistoryPage:
    """What came after the number `after`, or, if nobody can tell, the latest `most` messages."""
    first, last = service.first_number(channel_id), service.last_number(channel_id)
    if after is not None and 0 < after <= last and first - 1 <= after:
        return HistoryPage("missed", service.history(channel_id, member_id, after=after, limit=last - after + 1), more=False)
    # Also for who missed more than is kept, and for numbers from the future: that channel began anew.
    newest = service.history(channel_id, member_id, limit=most + 1)
    return HistoryPage("latest", newest[-most:], more=len(newest) > most)


def older_messages(service: Service[Any], channel_id: str, member_id: str, before: int, most: int) -> HistoryPage:
    """The last `most` messages before a number."""
    page = service.history(channel_id, member_id, before=before, limit=most + 1)
    return HistoryPage("older", page[-most:], more=len(page) > most)
