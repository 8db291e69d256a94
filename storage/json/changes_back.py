"""What would have to be set to undo some of the changes that the journal tells of, and what stands in the way. Pure; nothing is read or written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from storage.encoding.codec import Encoded
from storage.json.past import PastChange


@dataclass(frozen=True)
class ChangeBack:
    """One key. None in the place of a text is a key that is not there."""

    domain: str
    key: str
    now: Encoded | None
    """What it is as far as the journal tells; whoever sets `then` makes sure of it."""
    then: Encoded | None
    """What it was before the first of the changes that are undone."""
    is_known: bool
    """Whether the journal goes back far enough to tell what it was."""
    later: PastChange | None
    """The newest change of this key that is not to be undone and would be lost with it."""


def changes_back(changes: Iterable[PastChange], is_meant: Callable[[PastChange], bool]) -> list[ChangeBack]:
    """For all changes of some dicts, the oldest first, how to undo those that are meant. What comes to nothing is left out."""
    found: dict[tuple[str, str], ChangeBack] = {}
    for change in changes:
        place = change.domain, change.key
        before = found.get(place)
        if is_meant(change):
            if before is None:
                found[place] = ChangeBack(*place, change.new, change.old, change.is_old_known, None)
            else:
                found[place] = ChangeBack(*place, change.new, before.then, before.is_known, before.later)
        elif before is not None:
            found[place] = ChangeBack(*place, change.new, before.then, before.is_known, change)
    return [back for back in found.values() if not back.is_known or _text(back.now) != _text(back.then)]


def _text(text: Encoded | None) -> bytes | None:
    return None if text is None else bytes(text)
