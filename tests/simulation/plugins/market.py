"""What the members of a simulation do. Whatever one event changes, it notes under its request id in the same turn."""

from __future__ import annotations

import asyncio
from typing import Any

from mooring import BarSpec, Button, ButtonClick, ChannelMessage, CommandError, Context, MenuItem, MenuItemClick, Rest, SimpleAction, command

BARS = [BarSpec("energy", "energy_bars", maximum=1000)]
DICTS = ("gold", "done", "journal", "planned", "notes", "energy_bars", "totals", "sent", "arrived")
PURSE = 100


async def on_join(ctx: Context, action: SimpleAction) -> None:
    """Give a newcomer a purse, once."""
    storage = ctx.storage
    if ctx.member.id not in storage.gold:
        storage.gold[ctx.member.id] = PURSE
        storage.totals["gold"] = storage.totals.get("gold", 0) + PURSE
    ctx.buttons([Button("press", "Press")], [ctx.member])
    ctx.menu([MenuItem("praise", "Praise", "text")])


@command(example="/give ann 3")
async def give(ctx: Context, to: str, amount: int) -> str:
    """Give gold away, perhaps more slowly than others do."""
    if amount % 3 == 0:
        await asyncio.sleep(amount / 1000)
    _move(ctx, ctx.member.id, to, amount)
    return _note(ctx, "give")


@command(example="/carry ann 3")
def carry(ctx: Context, to: str, amount: int) -> str:
    """The same in a thread."""
    _move(ctx, ctx.member.id, to, amount)
    return _note(ctx, "carry")


@command(example="/hit")
async def hit(ctx: Context) -> str:
    """Lose a point of energy."""
    ctx.bar("energy").lose(1)
    ctx.storage.totals["hits"] = ctx.storage.totals.get("hits", 0) + 1
    return _note(ctx, "hit")


@command(example="/whisper hello")
async def whisper(ctx: Context, text: Rest) -> None:
    """Say something to oneself alone."""
    ctx.tell(ctx.member, f"{text} {_note(ctx, 'whisper')}")


@command(example="/write text")
async def write(ctx: Context, text: Rest) -> None:
    """Put a note on the board, or another in its place."""
    notes, mine = ctx.storage.notes, ctx.member.id
    if mine in notes and ctx.messages.get(notes[mine]["id"]) is not None:
        text = f"{text} {_note(ctx, 'edit')}"
        ctx.messages.edit(notes[mine]["id"], text)
        notes[mine]["text"] = text
    else:
        text = f"{text} {_note(ctx, 'write')}"
        notes[mine] = {"id": ctx.reply(text).id, "text": text}


@command(example="/later ann 2")
async def later(ctx: Context, to: str, amount: int) -> str:
    """Give gold in a while."""
    ctx.schedule(f"{amount}s", come_due, _request(ctx), to, amount)
    ctx.storage.planned[_request(ctx)] = {"left": 1, "ran": 0}
    return _note(ctx, "later")


@command(example="/abroad 2")
async def abroad(ctx: Context, amount: int) -> str:
    """Send something to the other channel, or to one that is not there."""
    others = [each for each in ("tavern", "cellar") if each != ctx.channel.id]
    ctx.send_to(others[0], {"request": _request(ctx), "amount": amount})
    ctx.storage.sent[_request(ctx)] = {"to": others[0], "amount": amount}
    return _note(ctx, "abroad")


async def on_channel_message(ctx: Context, message: ChannelMessage) -> None:
    """Take what the other channel sent, or refuse it."""
    request, amount = message.body["request"], message.body["amount"]
    ctx.storage.arrived[request] = [*ctx.storage.arrived.get(request, ()), amount]
    if amount % 4 == 0:
        raise CommandError("That is not wanted here.")


async def on_channel_message_returned(ctx: Context, message: ChannelMessage) -> None:
    """Note that it came back."""
    sent = ctx.storage.sent[message.body["request"]]
    ctx.storage.sent[message.body["request"]] = {**sent, "returned": sent.get("returned", 0) + 1}


async def come_due(ctx: Context, request: str, to: str, amount: int) -> str:
    """What `later` planned."""
    ctx.storage.planned[request]["ran"] += 1
    ctx.storage.planned[request]["left"] -= 1
    if to in ctx.storage.gold and ctx.storage.gold[ctx.member.id] >= amount:
        _move(ctx, ctx.member.id, to, amount)
    if amount % 2 and int(ctx.clock() * 1000) % 6 == 0:  # seldom: ten times in a row, and the next try is later than anybody looks
        raise OSError("something outside does not answer just now")
    return f"due {request}"


@command(example="/fail")
async def fail(ctx: Context, to: str) -> str:
    """Do half of it, and fall over."""
    ctx.storage.gold[to] += 5
    ctx.reply("never seen")
    _note(ctx, "fail")
    raise RuntimeError("this one always falls over")


async def on_button_click(ctx: Context, click: ButtonClick) -> None:
    """Count it."""
    ctx.reply(_note(ctx, click.button_id))


async def on_menu_item_click(ctx: Context, click: MenuItemClick) -> None:
    """Count it."""
    ctx.tell(ctx.member, _note(ctx, click.menu_item_id))


def _move(ctx: Context, source: str, target: str, amount: int) -> None:
    gold = ctx.storage.gold
    if target not in gold:
        raise CommandError("Nobody of that name has a purse.")
    if gold[source] < amount:
        raise CommandError("You have not got so much.")
    gold[source] -= amount
    gold[target] += amount


def _note(ctx: Context, what: str) -> str:
    request, storage = _request(ctx), ctx.storage
    storage.done[request] = [*storage.done.get(request, ()), what]
    mine: Any = storage.journal.setdefault(ctx.member.id, [])
    mine.append(request)
    return f"done {request}"


def _request(ctx: Context) -> str:
    assert ctx.event is not None
    return ctx.event.request_id
