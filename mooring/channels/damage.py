"""What of a channel's stored data was damaged, as its engines found it."""

from __future__ import annotations

from storage import MoobiusStorage
from storage.database_interface import Finding

_DAMAGE = frozenset({"quarantined", "lost"})


def damage_in(storage: MoobiusStorage) -> list[Finding]:
    """Each place that was set aside, or that a server has lost, since the channel was opened. Asks no engine."""
    return [finding for finding in storage.report if finding.kind in _DAMAGE]


def damage_note(storage: MoobiusStorage) -> str | None:
    """In words for an operator; None if nothing is damaged."""
    found = damage_in(storage)
    if not found:
        return None
    kept = f", and is kept in {found[0].kept}" if found[0].kept else ""
    more = f"; and {len(found) - 1} more" if len(found) > 1 else ""
    return f"stored data was damaged: {found[0].where} ({found[0].reason}){kept}{more}"
