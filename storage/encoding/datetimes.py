"""Dates, times and time zones as JSON.

A moment without a zone, or with a plain offset, is one ISO 8601 text. Whatever else must come back the same (a zone by name,
a named offset, the second of two equal wall-clock times) makes it a list `[text, zone, fold]`.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone, tzinfo
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

Moment = TypeVar("Moment", datetime, time)


def write_timedelta(span: timedelta) -> list[int]:
    """Days, seconds and microseconds, as Python keeps them."""
    return [span.days, span.seconds, span.microseconds]


def read_timedelta(content: Any) -> timedelta:
    """Raises ValueError, TypeError or OverflowError for content that `write_timedelta` cannot have written."""
    days, seconds, microseconds = content
    if not all(type(part) is int for part in content):
        raise ValueError("a timedelta has three whole numbers")
    return timedelta(days, seconds, microseconds)


def write_moment(moment: datetime | time) -> str | list[Any]:
    """Raises ValueError if the moment's zone could not be restored."""
    zone = moment.tzinfo
    if not moment.fold and (zone is None or _is_plain_offset(zone)):
        return moment.isoformat()
    return [moment.replace(tzinfo=None).isoformat(), _write_zone(zone), moment.fold]


def read_moment(kind: type[Moment], content: Any) -> Moment:
    """Raises ValueError, TypeError, KeyError or OSError for content that cannot be restored here."""
    if isinstance(content, str):
        return kind.fromisoformat(content)
    text, zone, fold = content
    naive = kind.fromisoformat(text)
    if naive.tzinfo is not None:
        raise ValueError("a moment has two zones")
    return naive.replace(tzinfo=_read_zone(zone), fold=fold)


def _is_plain_offset(zone: tzinfo) -> bool:
    # The pickle arguments are the one public way to tell timezone(d) from timezone(d, "UTC+01:00"), whose names are equal.
    # An offset of microseconds is written, but read as UTC by `fromisoformat`.
    return type(zone) is timezone and len(zone.__getinitargs__()) == 1 and not zone.utcoffset(None).microseconds  # type: ignore[attr-defined]


def _write_zone(zone: tzinfo | None) -> str | list[Any] | None:
    if zone is None:
        return None
    if type(zone) is ZoneInfo:
        return _zone_key(zone)
    if type(zone) is timezone:
        offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
        if name and not name[0].isascii():
            name[0].encode()  # raises UnicodeEncodeError, a ValueError, for lone surrogates
        return [*write_timedelta(offset), *name]
    raise ValueError(f"the time zone {zone!r} is of type {type(zone).__name__}; only ZoneInfo and datetime.timezone can be restored")


def _zone_key(zone: ZoneInfo) -> str:
    try:
        ZoneInfo(zone.key)
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise ValueError(f"the time zone {zone!r} cannot be found again by its key") from error
    return zone.key


def _read_zone(content: Any) -> tzinfo | None:
    if content is None:
        return None
    if isinstance(content, str):
        return ZoneInfo(content)
    days, seconds, microseconds, *name = content
    return timezone(read_timedelta([days, seconds, microseconds]), *name)
