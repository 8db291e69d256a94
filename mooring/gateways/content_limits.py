"""How much one event of a member may hold, whatever network it comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ContentLimits:
    """The most letters of each text, and the most entries of each list. A gateway refuses what is beyond them before it is submitted."""

    text: int = 16_000
    """Also of what is entered into one field of a dialog."""
    link: int = 2_000
    path: int = 2_000
    title: int = 500
    filename: int = 500
    button: int = 500
    label: int = 500
    identifier: int = 200
    """Of a channel, member, message, button or menu item."""
    recipients: int = 100
    arguments: int = 50


CONTENT_LIMITS = ContentLimits()
