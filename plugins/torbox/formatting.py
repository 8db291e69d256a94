"""Records and figures as members read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mooring import CommandError, MessageBody, clip, format_duration, table
from mooring.plugins.torbox.records import KINDS, Kind

COLUMNS = ("ID", "Title", "Year", "Episode", "Size", "File")
_LONGEST_CELL = 80
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_EMPTY = "–"
_LINK = "://"
_LINK_HINT = "(a link; /torbox link gives you one of your own)"


def records_table(records: Sequence[Mapping[str, Any]], title: str) -> MessageBody:
    return table(COLUMNS, [_row(record) for record in records], title=title)


def describe(record: Mapping[str, Any]) -> MessageBody:
    """Every field of one record, a line for each."""
    rows = [(name, clip(_shown(name, value), 200)) for name, value in record.items()]
    return table(("Field", "Value"), rows, title=f"{file_id(record)}: {clip(_shown('file_name', record.get('file_name', '')), _LONGEST_CELL)}")


def file_id(record: Mapping[str, Any]) -> str:
    """`torrents/12/0`: kind, item and file, as `/torbox info` and `/torbox link` take it."""
    return f"{record.get('type')}/{record.get('item_id')}/{record.get('file_id')}"


def parse_file_id(text: str) -> tuple[Sequence[Kind], int, int | None]:
    """What an id means: `12`, `12/0`, `torrents/12` or `torrents/12/0`. Raises CommandError."""
    head, *numbers = text.strip().casefold().split("/")
    kinds: Sequence[Kind] = [kind for kind in KINDS if kind == head]
    if not kinds:
        kinds, numbers = KINDS, [head, *numbers]
    if not 1 <= len(numbers) <= 2 or not all(number.isascii() and number.isdigit() and len(number) <= 18 for number in numbers):
        raise CommandError(f"{clip(text)} is no id of a file: expected is one like torrents/12/0, as /torbox list shows them.")
    return kinds, int(numbers[0]), int(numbers[1]) if len(numbers) == 2 else None


def size_text(size: float) -> str:
    """`1.4 GB`, in steps of a thousand."""
    unit = 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size /= 1000
        unit += 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 or size >= 99.5 else f"{size:.1f} {_UNITS[unit]}"


def age_text(seconds: float | None) -> str:
    return "never fetched" if seconds is None else f"{format_duration(seconds)} old"


def episode_text(record: Mapping[str, Any]) -> str:
    return _numbers("S", record.get("metadata_season")) + _numbers("E", record.get("metadata_episode")) or _EMPTY


def _row(record: Mapping[str, Any]) -> tuple[str, ...]:
    year = record.get("metadata_years")
    return (
        file_id(record),
        clip(_shown("metadata_title", record.get("metadata_title", "")), _LONGEST_CELL),
        str(year) if year is not None else _EMPTY,
        episode_text(record),
        _shown("file_size", record.get("file_size")),
        clip(_shown("file_name", record.get("file_name", "")), _LONGEST_CELL),
    )


def _shown(name: str, value: Any) -> str:
    if value is None:
        return _EMPTY
    text = size_text(value) if name == "file_size" and isinstance(value, int) else str(value)
    return _LINK_HINT if _LINK in text else text  # whose it is nobody knows, nor what it opens


def _numbers(letter: str, value: Any) -> str:
    if isinstance(value, list):
        return "-".join(_numbers(letter, number) for number in (value[:1] + value[-1:] if len(value) > 1 else value))
    return f"{letter}{value:02d}" if isinstance(value, int) else ""
