"""From a typed event to the hook of the service that handles it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mooring.channels.members import NameTaken
from mooring.channels.turn import Turn
from mooring.errors import CommandError
from mooring.events import ButtonClick, MenuItemClick, MessageBody, SimpleAction, UpBody, copy_with
from mooring.recipients import SERVICE, Everyone
from mooring.roles import IN_CHARGE
from mooring.service.hooks import Hooks

if TYPE_CHECKING:
    from storage import Finding


async def dispatch(hooks: Hooks, turn: Turn, findings: Sequence[Finding] = ()) -> None:
    """Call the hook for the turn's event. `findings` are told to those members who look after the channel when they come in."""
    event = turn.event
    if event is None:
        raise ValueError("only turns of events are dispatched")
    body = _as_sent(event.body, turn)
    match body:
        case MessageBody():
            await hooks.on_message_up(body)
        case ButtonClick():
            await hooks.on_button_click(body)
        case MenuItemClick():
            await hooks.on_menu_item_click(body)
        case SimpleAction() if event.type == "join":
            await _join(hooks, turn, body, findings)
        case SimpleAction() if event.type == "leave":
            await hooks.on_leave(body)
            turn.members.leave(event.member_id)
        case SimpleAction():
            await hooks.on_refresh(body)


def _as_sent(body: UpBody, turn: Turn) -> UpBody:
    """A copy for the handlers, which may change it (and run again); who sent it, and where, is not left to the client."""
    body = copy_with(body, channel_id=turn.channel_id, sender=turn.member_id)
    if isinstance(body, MessageBody):
        body.recipients = _recipients(body.recipients, turn)
        body.content = copy_with(body.content)
    return body


def _recipients(named: Sequence[str], turn: Turn) -> Sequence[str]:
    """Those members whom a message is for: with some of them its sender; all if it names none; none if it is for the service alone."""
    if not named:
        return Everyone(turn.members)
    members = {member_id for member_id in named if member_id in turn.members}
    return sorted({*members, turn.member_id}) if members or SERVICE not in named else []


async def _join(hooks: Hooks, turn: Turn, action: SimpleAction, findings: Sequence[Finding]) -> None:
    facts = action.context or {}
    name = str(facts.get("name") or turn.member_id)
    try:
        is_new = turn.members.join(turn.member_id, name, facts.get("role"), turn.clock())
    except NameTaken as error:
        raise CommandError(str(error)) from error
    after = turn.members[turn.member_id]
    if is_new:
        await hooks.on_join(action)
    else:
        # Coming back is no news for the others, but the member has to see everything again.
        await hooks.on_refresh(copy_with(action, subtype="refresh"))
    if findings and (after.character_context or {}).get("role") in IN_CHARGE:
        lost = "; ".join(f"{finding.domain.rsplit('.', 1)[-1]} {finding.key or ''}: {finding.reason}" for finding in findings[:5])
        turn.sends.message(f"Unreadable data was set aside in this channel ({len(findings)}): {lost}", [turn.member_id])
