"""Sends files of the folder that its config names."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from mooring import Context, MessageBody, command


class Config(BaseModel):
    """Where the files are."""

    folder: str = "."


@command(example="/send map.png")
def send(ctx: Context, name: str) -> None:
    """Send a file to everybody."""
    ctx.reply(Path(ctx.config.folder) / name)


@command(example="/slip map.png")
def slip(ctx: Context, name: str) -> None:
    """Send a file to yourself alone."""
    ctx.tell(ctx.member, Path(ctx.config.folder) / name)


def on_message_up(ctx: Context, message: MessageBody) -> None:
    """Repeat what was said, whatever a member wrote into it."""
    ctx.reply(message)
