"""What the menu of a message offers: to its author to edit and delete it, to those in charge what can be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from mooring import CommandError, Context, Dialog, InputComponent, Member, MenuItem, MenuItemClick, parse_duration, types
from mooring.plugins.moderation.deleting import DELETE
from mooring.plugins.moderation.ranks import is_in_charge

EDIT = "edit"
DELETE_OWN = "delete_own"
_REASON = InputComponent("Reason", "text", placeholder="what they are told, and the others")
_FOR_EVER = "for ever"
_MEASURES: Mapping[str, tuple[str, list[InputComponent]]] = {
    "warn": ("Warn who said this…", [InputComponent("Reason", "text", True)]),
    "mute": ("Mute who said this…", [InputComponent("How long", "dropdown", True, choices=["10m", "1h", "1d"]), _REASON]),
    "kick": ("Put out who said this…", [_REASON]),
    "ban": ("Ban who said this…", [InputComponent("How long", "dropdown", True, choices=["1d", "7d", _FOR_EVER]), _REASON]),
}
"""The commands that are offered on a message, and what is asked for."""


def offer(ctx: Context) -> None:
    """Offer the acting member what they may do with messages."""
    items = [
        MenuItem(EDIT, "Edit…", types.OWN, Dialog("Edit your message", [InputComponent("Text", "textbox", True)])),
        MenuItem(DELETE_OWN, "Delete", types.OWN),
    ]
    if is_in_charge(ctx.member):
        items.append(MenuItem(DELETE, "Delete for everybody", types.ALL))
        items += [MenuItem(name, text, types.TEXT, Dialog(text.rstrip("…"), fields)) for name, (text, fields) in _MEASURES.items() if _may(ctx, name)]
    ctx.menu(items, to=[ctx.member])


def is_measure(ctx: Context, name: str) -> bool:
    """Whether this is something that is done to the author of a message. Raises CommandError if the acting member may not do it."""
    if name not in _MEASURES:
        return False
    if not _may(ctx, name):
        raise CommandError(f"/{name} is not for you to use here.")
    return True


def author(ctx: Context, click: MenuItemClick) -> Member:
    """Who has said what was clicked. Raises CommandError if it was nobody, or they have left."""
    message = ctx.messages.get(click.message_id or "")
    member = ctx.channel.get(message.sender) if message is not None and message.sender else None
    if member is None:
        raise CommandError("Whoever said this is not here.")
    return member


def change_own(ctx: Context, click: MenuItemClick) -> None:
    """Edit or delete what the acting member has said."""
    message = ctx.messages.get(click.message_id or "")
    if message is None or message.sender != ctx.member.id or (message.context or {}).get("deleted"):
        raise CommandError("That is not a message of yours.")
    if click.menu_item_id == DELETE_OWN:
        ctx.messages.delete(click.message_id or "")
        return
    text = given(click, "Text")
    if not text:
        raise CommandError("A message needs a text; to take it away, delete it.")
    ctx.messages.edit(click.message_id or "", text)


def given(click: MenuItemClick, label: str) -> str:
    """What was entered into a field."""
    return next((str(each.value).strip() for each in click.arguments or () if each.label == label), "")


def length(click: MenuItemClick) -> timedelta | None:
    """For how long; None is for ever. Raises CommandError for what is no length of time."""
    words = given(click, "How long")
    if words == _FOR_EVER:
        return None
    try:
        return parse_duration(words)
    except ValueError as error:
        raise CommandError("Say how long, as in 10m, 1h or 7d.") from error


def _may(ctx: Context, name: str) -> bool:
    command = ctx.plugins.table.commands.get(name)
    return command is not None and command.allows(ctx.member)
