"""Buttons that everybody sees, one of them with a dialog."""

from __future__ import annotations

from mooring import Button, ButtonClick, Context, Dialog, InputComponent, Rest, Store, command

votes = Store("votes", model=dict, default=dict, scope="channel")


@command
def offer(ctx: Context, drinks: Rest = "") -> None:
    """Let people choose."""
    votes[ctx] = dict.fromkeys(drinks.split(), 0)
    _show(ctx)


def on_button_click(ctx: Context, click: ButtonClick) -> None:
    if click.button_id == "other":
        drink, size = (each.value for each in click.arguments or [])
        ctx.reply(f"{ctx.member} wants {size} {drink}")
        return
    votes[ctx][click.button_id] += 1
    ctx.reply(f"{ctx.member} voted for {click.button_id}")
    _show(ctx)


def _show(ctx: Context) -> None:
    buttons = [Button(drink, f"{drink} ({count})") for drink, count in votes[ctx].items()]
    fields = [InputComponent("Which", "text"), InputComponent("Size", "dropdown", choices=["Small", "Large"])]
    ctx.buttons([*buttons, Button("other", "Another", Dialog("Another", fields))] if buttons else [], to=None)
