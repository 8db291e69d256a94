"""Spans of time as people write them: `90s`, `10m`, `1h30m`, `2d`."""

from __future__ import annotations

import re
from datetime import timedelta

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WHOLE = re.compile(r"(?:[0-9]{1,9}[smhdw])+", re.ASCII | re.IGNORECASE)
_PART = re.compile(r"([0-9]+)([smhdw])", re.ASCII | re.IGNORECASE)
_LONGEST = timedelta(days=36_500)


def parse_duration(text: str) -> timedelta:
    """The span that `text` names. Raises ValueError if it is none, or is longer than a hundred years."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration like 90s, 10m or 1h30m")
    seconds = sum(int(count) * _SECONDS[unit.lower()] for count, unit in _PART.findall(text))
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"{text!r} is longer than a hundred years")
    return timedelta(seconds=seconds)


def format_duration(seconds: float) -> str:
    """`1h30m`: the span rounded up to whole seconds, in its two largest units."""
    left = max(0, -int(-seconds // 1))
    parts: list[str] = []
    for unit in ("w", "d", "h", "m", "s"):
        count, left = divmod(left, _SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"
