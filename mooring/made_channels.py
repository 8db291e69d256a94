"""A channel that was made at run time, as it is kept, and what is said of one that cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mooring.errors import CommandError


class ChannelRefused(CommandError):
    """A channel cannot be made or changed so. The text says why, for whoever asked."""


@dataclass(frozen=True)
class MadeChannel:
    """One channel that was made at run time."""

    config: dict[str, Any]
    """The fields of a ChannelConfig that were given."""
    incarnation: int
    is_open: bool = True
    """False while it is archived: it is kept, and nobody comes in."""
    changes: int = 1
    """How often it was opened or closed; tells older words about it from newer ones."""
    made_at: float = 0.0
    """Seconds since 1970."""
    made_by: str = ""
    """The member who asked for it; empty for the operator or the service."""
    request: str = ""
    """The event that asked for it, which gets the same channel when it is handled again; empty for none."""
    deleted_at: float | None = None

    @property
    def id(self) -> str:
        """The channel's id."""
        return str(self.config["id"])

    @property
    def variant(self) -> str:
        """The variant of its storages."""
        return variant_of(self.incarnation)


def variant_of(incarnation: int) -> str:
    """The variant of the storages of a channel with this incarnation of its id."""
    return f"made{incarnation}" if incarnation > 1 else ""
