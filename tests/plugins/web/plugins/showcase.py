"""Everything that a channel can show, at a word: for tests and pictures of the page."""

from __future__ import annotations

import asyncio
from typing import cast

from mooring import (
    BottomButton,
    Button,
    ButtonClick,
    CanvasItem,
    ChannelService,
    Context,
    Dialog,
    InputComponent,
    MenuItem,
    MenuItemClick,
    MessageBody,
    MessageContent,
    Rest,
    SimpleAction,
    StyleItem,
    card,
    command,
    table,
)

FORM = Dialog(
    "Call for a round",
    [
        InputComponent("Drink", "dropdown", True, choices=["Cider", "Ale", "Water"]),
        InputComponent("How many", "number", True, "3"),
        InputComponent("A toast", "textbox", placeholder="To the house!"),
    ],
    [BottomButton("cancel", "Never mind", False), BottomButton("order", "Order", True)],
)


async def on_join(ctx: Context, action: SimpleAction) -> None:
    ctx.buttons([Button("wave", "Wave"), Button("round", "Call a round", FORM)])


@command
async def offer(ctx: Context) -> None:
    """Put buttons above the composer and a menu on messages."""
    ctx.buttons([Button("wave", "Wave"), Button("round", "Call a round", FORM)])
    await cast(ChannelService, ctx.service).send_menu([MenuItem("quote", "Quote", ["text"])], ctx.channel.id, None)


@command
async def sketch(ctx: Context) -> None:
    """Draw on the canvas."""
    ctx.canvas([CanvasItem("**The long road**", bars=[{"name": "way", "label": "Walked", "value": 3, "maximum": 10}])])


@command
async def hide(ctx: Context) -> None:
    """Hide the canvas and one button."""
    await cast(ChannelService, ctx.service).send_style(
        [StyleItem("canvas", "invisible"), StyleItem("button", "invisible", button_id="wave")], ctx.channel.id, None
    )


async def on_button_click(ctx: Context, click: ButtonClick) -> None:
    given = ", ".join(f"{argument.label}={argument.value}" for argument in click.arguments or [])
    ctx.reply(f"{ctx.member} pressed {click.button_id} ({click.bottom_button_id or 'no'}): {given or 'nothing'}")


async def on_menu_item_click(ctx: Context, click: MenuItemClick) -> None:
    ctx.reply(f"{ctx.member} chose {click.menu_item_id} on: {click.message_content.text}")


@command
async def shelf(ctx: Context) -> None:
    """Show a table."""
    ctx.reply(table(["Title", "Year", "Size"], [["The Long Harbour", 2019, "1.4 GB"], ["Tide Tables", 2021, "700 MB"]], "On the shelf"))


@command
async def poster(ctx: Context) -> None:
    """Show a card, a file and a picture."""
    ctx.reply(card("Open evening", "Songs of the **sea**, from eight.", "https://example.org/evening", "Tell me more"))
    ctx.reply(MessageBody("file", "", MessageContent(filename="songs.pdf", path="https://example.org/songs.pdf", size=1_400_000)))
    ctx.reply(MessageBody("image", "", MessageContent(path="https://example.org/elsewhere.png", filename="elsewhere.png")))


@command
async def brew(ctx: Context, steps: int = 5) -> None:
    """Show a progress message that is updated."""
    progress = ctx.progress("Brewing", steps)
    for step in range(1, steps + 1):
        await progress.update(step)
        await asyncio.sleep(0.05)


@command
async def tell(ctx: Context, text: Rest) -> None:
    """Tell only the sender something."""
    ctx.tell(ctx.member, text)


@command
async def board(ctx: Context, text: Rest) -> None:
    """Put a text on the canvas, and the same text into a bar, a button and a table."""
    ctx.canvas([CanvasItem(text=text, bars=[{"name": text, "label": text, "value": 3, "maximum": 4, "colour": text}]), CanvasItem(path=text)])
    ctx.buttons(
        [Button("hostile", text, Dialog(text, [InputComponent(text, "text", placeholder=text), InputComponent(text, "dropdown", choices=[text])]))]
    )
    ctx.reply(table([text], [[text]], text))
    ctx.reply(card(text, text, text, text))
    ctx.reply(MessageBody("image", "", MessageContent(text=text, path=text, filename=text)))
    ctx.reply(MessageBody("file", "", MessageContent(text=text, path=text, filename=text, link=text)))
    progress = ctx.progress(text, 10)
    await progress.update(4)


@command
async def nap(ctx: Context, seconds: float) -> str:
    """Keep the channel busy for a while."""
    await asyncio.sleep(seconds)
    return "awake"


@command
async def flood(ctx: Context, count: int, size: int = 1000) -> None:
    """Send many long messages."""
    for number in range(count):
        ctx.reply(f"{number} " + "x" * size)
