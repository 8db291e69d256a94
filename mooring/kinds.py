"""The kinds of downs: everything that a channel can show its members.

One entry here is all that the framework and the page's gateway have to be told of a kind: senders (`ctx.show`, `send_update`), what is
kept for those who come in later, the frame and its section in the protocol's documentation are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args, get_origin

from mooring.events import Button, CanvasItem, ChannelInfo, Character, CharacterChanges, CharacterCount, MenuItem, MessageBody, StyleItem
from mooring.text import suggestion

MESSAGE_DOWN = "message_down"
CHARACTERS = "characters"
CHARACTER_CHANGES = "character_changes"
CHARACTER_COUNT = "character_count"
BUTTONS = "buttons"
MENU = "menu"


@dataclass(frozen=True)
class DownKind:
    """One kind of down."""

    name: str
    body: Any
    """The type of `Down.body`: a class, or `list[...]` of one."""
    explanation: str = ""
    """What a list shows, for the protocol's documentation; a class is explained by its docstring."""
    source: Literal["event", "sender", "channel"] = "sender"
    """`event`: a message, numbered and kept in the history. The others are updates, of which each takes the place of the one before:
    of `sender`, only the newest is known, and is what a member is shown who comes in; of `channel`, the channel makes one when asked."""
    item_id: str = ""
    """The field by which members choose one of its items, for kinds that they can click."""
    changes: str = ""
    """The kind that this one changes. Only the channel sends it, and it is not shown to those who come in: they see the whole."""
    merge: Callable[[Sequence[Any]], Any] | None = None
    """Makes one body that says the same as several, of a kind whose newest does not take the place of those before."""

    @cached_property
    def is_list(self) -> bool:
        """Whether the body is a list of items."""
        return get_origin(self.body) is list

    def body_of(self, items: Any) -> Any:
        """A body from what a sender was given: one item or many, each an object or a dict of its fields."""
        if not self.is_list:
            return self.body(**items) if isinstance(items, dict) else items
        (item,) = get_args(self.body)
        if isinstance(items, item | dict):
            items = [items]
        return [item(**entry) if isinstance(entry, dict) else entry for entry in items]


def _by_name(kinds: Iterable[DownKind]) -> Mapping[str, DownKind]:
    return {kind.name: kind for kind in kinds}


DOWN_KINDS: Mapping[str, DownKind] = _by_name(
    (
        DownKind(MESSAGE_DOWN, MessageBody, source="event"),
        DownKind(
            CHARACTERS,
            list[Character],
            "The members of the channel, with their bars in `character_context`; in a crowd the first hundred, above all of those who are here.",
            source="channel",
        ),
        DownKind(CHARACTER_CHANGES, CharacterChanges, source="channel", changes=CHARACTERS, merge=CharacterChanges.merged),
        DownKind(CHARACTER_COUNT, CharacterCount, source="channel"),
        DownKind("canvas", list[CanvasItem], "What the panel beside the messages shows."),
        DownKind(BUTTONS, list[Button], "The shortcuts above the composer.", item_id="button_id"),
        DownKind(MENU, list[MenuItem], "What the menu of a message offers.", item_id="menu_item_id"),
        DownKind("style", list[StyleItem], "Which widgets are shown, hidden or highlighted."),
        DownKind("channel_info", ChannelInfo, source="channel"),
    )
)
"""All kinds by name."""


CHARACTER_KINDS = frozenset({CHARACTERS, CHARACTER_CHANGES, CHARACTER_COUNT})
"""What shows the list of characters."""


def update_kind(name: str) -> DownKind:
    """The kind of update with this name. Raises ValueError for a name that is none."""
    kind = DOWN_KINDS.get(name)
    if kind is None or kind.source == "event" or kind.changes:
        updates = [each.name for each in DOWN_KINDS.values() if each.source != "event" and not each.changes]
        raise ValueError(f"there is no update {name!r}; there are {', '.join(updates)}.{suggestion(name, updates)}")
    return kind
