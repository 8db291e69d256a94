"""From a typed event to the hook of the service that handles it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mooring.channels.channel import HostedChannel
from mooring.channels.members_in_turn import NameTaken
from mooring.channels.sent_files import is_address
from mooring.channels.turn import Turn
from mooring.errors import CommandError
from mooring.events import OWN, ButtonClick, MenuItemClick, MessageBody, MessageContent, SimpleAction, UpBody, copy_with
from mooring.kinds import BUTTONS, DOWN_KINDS, MENU
from mooring.recipients import SERVICE, Everyone
from mooring.roles import IN_CHARGE, Standing
from mooring.service.hooks import Hooks
from mooring.types.words import ALL


def _standing_from(facts: Mapping[str, Any]) -> Standing:
    """How somebody comes in, from what the gateway says with a join."""
    return Standing(bool(facts.get("given")), bool(facts.get("guest")), str(facts.get("address") or ""))


async def dispatch(hooks: Hooks, turn: Turn, channel: HostedChannel) -> None:
    """Call the hook for the turn's event, which is one of this channel."""
    event = turn.event
    if event is None:
        raise ValueError("only turns of events are dispatched")
    body = _as_sent(event.body, turn, hooks)
    match body:
        case MessageBody():
            await hooks._check(body)
            await hooks.on_message_up(body)
        case ButtonClick():
            click = _as_shown(body, turn)
            await hooks._check(click)
            await hooks._act(click)
        case MenuItemClick():
            choice = _as_offered(body, turn)
            await hooks._check(choice)
            await hooks._act(choice)
        case SimpleAction() if event.type == "join":
            await _join(hooks, turn, copy_with(body, subtype="join"), channel)
        case SimpleAction() if event.type == "leave":
            await hooks._act(copy_with(body, subtype="leave"))
            turn.members.leave(event.member_id)
        case SimpleAction():
            await hooks._act(copy_with(body, subtype="refresh"))


def _as_sent(body: UpBody, turn: Turn, hooks: Hooks) -> UpBody:
    """A copy for the handlers, which may change it (and run again); who sent it, and where, is not left to the client."""
    if not isinstance(body, MessageBody):
        return copy_with(body, channel_id=turn.channel_id, sender=turn.member_id)
    recipients = _recipients(body.recipients, turn, hooks)
    return copy_with(body, channel_id=turn.channel_id, sender=turn.member_id, recipients=recipients, content=_content(body.content))


def _content(content: MessageContent) -> MessageContent:
    """A copy. What names a file of this machine is left out: members have no say in what is done with those, whatever a bot does with it."""
    return copy_with(content, path=content.path if content.path and is_address(content.path) else None)


def _recipients(named: Sequence[str], turn: Turn, hooks: Hooks) -> Sequence[str]:
    """Those members and agents whom a message is for, and its sender, unless it is for agents or the service alone; all if it names none."""
    if not named:
        return Everyone(turn.members)
    members = {member_id for member_id in named if member_id in turn.members}
    agents = {agent_id for agent_id in named if hooks._agents.get(agent_id)}
    others_alone = agents or SERVICE in named
    return sorted({*members, *agents, turn.member_id}) if members or not others_alone else sorted(agents)


def _as_shown(click: ButtonClick, turn: Turn) -> ButtonClick:
    """The click with the button's id as it was set. Raises CommandError for a button that this member is not shown."""
    turn.chosen_in, button = _find(BUTTONS, click.button_id, "That button is not there any more.", turn)
    return copy_with(click, button_id=button.button_id)


def _as_offered(click: MenuItemClick, turn: Turn) -> MenuItemClick:
    """The choice with the message as the channel knows it, whatever the client says that it holds.

    Raises CommandError for an item that this member is not offered on such a message, and for a message that it cannot see.
    """
    turn.chosen_in, item = _find(MENU, click.menu_item_id, "That is not offered any more.", turn)
    down = turn.history.sent(click.message_id) if click.message_id else turn.history.newest_like(turn.member_id, click.message_content.text)
    if down is None or not (down.recipients is None or turn.member_id in down.recipients):
        raise CommandError("That message is not there any more.")
    message: MessageBody = down.body
    subtypes = [item.message_subtypes] if isinstance(item.message_subtypes, str) else item.message_subtypes
    is_own = OWN in subtypes and message.sender == turn.member_id
    if subtypes and message.subtype not in subtypes and ALL not in subtypes and not is_own:
        raise CommandError("That is not offered on such a message.")
    return copy_with(click, menu_item_id=item.menu_item_id, message_subtype=message.subtype, message_content=_content(message.content))


def _find(kind: str, item_id: str, refusal: str, turn: Turn) -> tuple[str, Any]:
    found = turn.screen.find(DOWN_KINDS[kind], turn.member_id, item_id)
    if found is None:
        raise CommandError(refusal)
    return found


async def _join(hooks: Hooks, turn: Turn, action: SimpleAction, channel: HostedChannel) -> None:
    facts = action.context or {}
    name = str(facts.get("name") or turn.member_id)
    await hooks._check(action)
    try:
        f"{name}{turn.member_id}".encode()
    except UnicodeEncodeError as error:
        raise CommandError("This name holds what is no character; choose another.") from error
    try:
        _rename(turn, name, facts.get("renames") or {})
        if facts.get("admitted"):
            turn.members.check_unlike_others(turn.member_id, name)
        is_new = turn.members.join(turn.member_id, name, facts.get("role"), turn.clock(), _standing_from(facts))
    except NameTaken as error:
        raise CommandError(str(error)) from error
    if is_new and channel.made is not None and channel.made.made_by == turn.member_id:
        turn.members.set_role(turn.member_id, "owner")  # whatever their token says, as they made it
    after = turn.members[turn.member_id]
    # Coming back is no news for the others, but the member has to see everything again.
    await hooks._act(action if is_new else copy_with(action, subtype="refresh"))
    if is_new and channel.config.welcome:
        tries = {"tries": channel.config.tries} if channel.config.tries else None
        turn.sends.message(channel.config.welcome, [turn.member_id], context=tries)
    findings = channel.findings
    if findings and (after.character_context or {}).get("role") in IN_CHARGE:
        lost = "; ".join(f"{finding.domain.rsplit('.', 1)[-1]} {finding.key or ''}: {finding.reason}" for finding in findings[:5])
        turn.sends.message(f"Unreadable data was set aside in this channel ({len(findings)}): {lost}", [turn.member_id])


def _rename(turn: Turn, name: str, renames: Mapping[str, str]) -> None:
    """Let those go by another name who had this one, which belongs to somebody else. Raises NameTaken."""
    for member_id, other in renames.items():
        standing = turn.members.standing(member_id, turn.clock())
        if standing is not None and not standing.is_name_given and member_id != turn.member_id:
            turn.members.rename(member_id, other)
            turn.sends.message(f"The name {name} belongs to somebody else, so you are called {other} here from now on.", [member_id])
