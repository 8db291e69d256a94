"""Buttons, of which Matrix has none: a message with numbers in the room, and what people answer to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mooring import Button, ClickArgument, Clicked, InputComponent, clip
from mooring.plugins.matrix.answers import Event

CHOICES = "org.mooring.choices"
"""In the content of a message that shows buttons: their ids. The list is in the room itself, so that no restart forgets what a number means."""
_MOST = 30
_LONGEST = 100
_NUMBER = re.compile(r"(\d{1,2})(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Panel:
    """The choices that a room shows."""

    event_id: str = ""
    """Of the message; empty if there is none."""
    ids: tuple[str, ...] = ()
    text: str = ""


def panel_in(event: Event) -> Panel | None:
    """What a message of the bot's own shows, if it is one with choices, or changes one."""
    content = event.get("content")
    ids = content.get(CHOICES) if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(ids, list):
        return None
    changed = content.get("m.new_content")
    relation = content.get("m.relates_to") if isinstance(changed, dict) else None
    event_id = relation.get("event_id") if isinstance(relation, dict) else event.get("event_id")
    return Panel(str(event_id), tuple(map(str, ids)), str((changed if isinstance(changed, dict) else content).get("body", "")))


def panel_of(buttons: Sequence[Button], prefix: str) -> Panel:
    """What is to be shown of buttons; of very many only the first."""
    shown = buttons[:_MOST]
    lines = [_line(number, button, prefix) for number, button in enumerate(shown, 1)]
    text = "\n".join([f"Answer {prefix}1{', ' + prefix + '2, ...' if len(lines) > 1 else ''} to choose:", *lines]) if lines else ""
    return Panel("", tuple(button.button_id for button in shown), text)


def content_of_panel(panel: Panel, shown: Panel) -> dict[str, Any]:
    """The message with the choices, in place of the one that is there if the numbers mean the same in both."""
    said = {"msgtype": "m.notice", "body": panel.text, "m.mentions": {}}
    marked = {**said, CHOICES: list(panel.ids)}
    if panel.ids != shown.ids:
        return marked
    return {**marked, "m.new_content": said, "m.relates_to": {"rel_type": "m.replace", "event_id": shown.event_id}}


def chosen(text: str, panel: Panel, buttons: Sequence[Button]) -> Clicked | None:
    """What a number, and what stands behind it, means to a panel; None for what is no choice from it.

    What is behind the number goes into the fields of the button's dialog, one after the other, between semicolons.
    """
    match = _NUMBER.fullmatch(text.strip())
    number = int(match[1]) if match else 0
    if match is None or not 0 < number <= len(panel.ids):
        return None
    button_id = panel.ids[number - 1]
    dialog = next((button.dialog for button in buttons if button.button_id == button_id), None)
    fields = (dialog.components if dialog is not None else None) or []
    given = (match[2] or "").split(";", max(0, len(fields) - 1))
    values = [*map(str.strip, given), *[""] * len(fields)]
    return Clicked(button_id, [ClickArgument(field.label, _value(field, value)) for field, value in zip(fields, values, strict=False)])


def _line(number: int, button: Button, prefix: str) -> str:
    fields = (button.dialog.components if button.dialog is not None else None) or []
    asked = "; ".join(clip(_asked(field), _LONGEST) for field in fields)
    return f"{prefix}{number} {clip(button.button_text, _LONGEST)}" + (f" — {prefix}{number} {asked}" if asked else "")


def _asked(field: InputComponent) -> str:
    return f"{field.label} ({', '.join(field.choices)})" if field.choices else field.label


def _value(field: InputComponent, value: str) -> str:
    """What was entered; of choices the one that was meant, whatever its case."""
    return next((choice for choice in field.choices or [] if choice.casefold() == value.casefold()), value)
