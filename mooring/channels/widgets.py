"""Buttons and menus as bots for the Moobius SDK write them."""

from __future__ import annotations

from typing import Any

from mooring.events import copy_with

_MAY_BE_FALSE = frozenset({"dialog", "components", "bottom_buttons", "choices"})


def without_false(part: Any) -> Any:
    """A copy with None where a bot said False for what there is none of, and with the dialog itself where it said a list of one."""
    if isinstance(part, list | tuple):
        return [without_false(each) for each in part]
    if isinstance(part, dict):
        return _fields(part)
    return copy_with(part, **_fields(vars(part))) if hasattr(part, "__dataclass_fields__") else part


def _fields(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: without_false(_meant(name, value)) for name, value in fields.items()}


def _meant(name: str, value: Any) -> Any:
    if name == "dialog" and isinstance(value, list | tuple) and len(value) < 2:
        return value[0] if value else None
    return None if value is False and name in _MAY_BE_FALSE else value
