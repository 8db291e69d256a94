"""Messages that are taken out of the screens and the history."""

from mooring import CommandError, Context, Member, MenuItemClick, MessageHandle, command, requires
from mooring.plugins.moderation.audit_log import note
from mooring.plugins.moderation.ranks import is_in_charge

DELETE = "delete"
_MOST = 50


def delete_chosen(ctx: Context, click: MenuItemClick) -> None:
    """Delete the message of whose menu this was chosen."""
    if not is_in_charge(ctx.member):
        raise CommandError("That is for moderators of this channel.")
    _delete(ctx, click.message_id or "")


@command(example="/delete @ann 2")
@requires("moderator")
async def delete(ctx: Context, which: str, count: int = 1) -> None:
    """Delete the last message of a member, or as many as you say; or the one with this id or number."""
    if not 1 <= count <= _MOST:
        raise CommandError(f"From 1 to {_MOST} messages can be deleted at once.")
    chosen = _by_id(ctx, which) or _newest_of(ctx, ctx.channel.find(which), count)
    for message_id in chosen:
        _delete(ctx, message_id)
    ctx.tell(ctx.member, "The message is deleted." if len(chosen) == 1 else f"{len(chosen)} messages are deleted.")


def _by_id(ctx: Context, which: str) -> list[str]:
    handle: MessageHandle | None = MessageHandle(which)
    if ctx.messages.get(which) is None:
        handle = ctx.messages.numbered(int(which)) if which.isascii() and which.isdecimal() else None
    return [handle.id] if handle is not None and _may_see(ctx, handle.id) else []


def _newest_of(ctx: Context, whom: Member, count: int) -> list[str]:
    found = [handle.id for handle in ctx.messages.newest_of(whom.id, _MOST) if _may_see(ctx, handle.id)][:count]
    if not found:
        raise CommandError(f"{whom} has said nothing that is still there.")
    return found


def _may_see(ctx: Context, message_id: str) -> bool:
    message = ctx.messages.get(message_id)
    return message is not None and (not message.recipients or ctx.member.id in message.recipients)


def _delete(ctx: Context, message_id: str) -> None:
    message = ctx.messages.get(message_id)
    ctx.messages.delete(message_id)
    sender = None if message is None or not message.sender else ctx.channel.get(message.sender)
    note(ctx, "delete", "?" if sender is None else sender.name)
