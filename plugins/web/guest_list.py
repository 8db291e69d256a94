"""The guests of a service, as the command line finds them: members of channels who have no token from the operator."""

from __future__ import annotations

from dataclasses import dataclass, field

from mooring import CliContext, format_duration


@dataclass
class Guest:
    """Somebody who picked a name."""

    name: str
    channels: list[str] = field(default_factory=list)
    seconds_away: float = float("inf")
    is_here: bool = False

    @property
    def away(self) -> str:
        """For how long they were not seen, in words."""
        return format_duration(self.seconds_away)


def guests_of(ctx: CliContext) -> dict[str, Guest]:
    """All guests by member id. Asks the running service, or its store; ends the command with a message if it cannot."""
    guests: dict[str, Guest] = {}
    for channel_id in dict.fromkeys([*ctx.channel_ids, *ctx.made_channel_ids()]):
        for line in ctx.members(channel_id):
            if line.get("guest"):
                guest = guests.setdefault(line["id"], Guest(line["name"]))
                guest.channels.append(channel_id)
                guest.seconds_away = min(guest.seconds_away, line["seconds_away"])
                guest.is_here = guest.is_here or line["online"]
    return guests
