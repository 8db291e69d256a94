"""What a release name says: title, year, season, episode.

parse-torrent-title takes one to two milliseconds for a name, which for a large account is minutes: whoever reads many names
passes what is already known (`KnownNames`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from PTN import parse

UNTITLED = "Untitled"

Numbers = int | list[int] | None

_UNFIT_FOR_FILE_NAMES = re.compile(r'[\x00-\x1f<>:"/\\|?*]+')
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True)
class ReleaseName:
    """`season` and `episode` are lists where one file holds several."""

    title: str
    year: int | None
    season: Numbers
    episode: Numbers
    media_type: Literal["movie", "series"]
    file_name: str
    folder_name: str


def read_release_name(file_name: str, folder_name: str) -> ReleaseName:
    """Read the file's name, and the folder's where the file's says nothing (`Show.S01/S01E02.mkv`)."""
    own = _parse(file_name)
    title = _clean_title(own.get("title"))
    outer = {} if title and ("year" in own or "episode" in own) else _parse(folder_name)
    title = title or _clean_title(outer.get("title")) or _clean_title(PurePosixPath(file_name).stem) or UNTITLED
    year = _whole(own.get("year", outer.get("year")))
    season, episode = _numbers(own.get("season", outer.get("season"))), _numbers(own.get("episode"))
    if season is None and episode is not None:
        season = 1
    series = season is not None
    return ReleaseName(
        title=title,
        year=year,
        season=season,
        episode=episode,
        media_type="series" if series else "movie",
        file_name=_tidy_file_name(title, year, season, episode, _UNFIT_FOR_FILE_NAMES.sub("", PurePosixPath(file_name).suffix.lower())),
        folder_name=_with_year(title, year),
    )


class KnownNames:
    """A reader that takes over what earlier records say of the same names."""

    def __init__(self, records: Iterable[Mapping[str, Any]]) -> None:
        self._known = {(record.get("file_name"), record.get("folder_name")): record for record in records}

    def __call__(self, file_name: str, folder_name: str) -> ReleaseName:
        record = self._known.get((file_name, folder_name))
        if record is None:
            return read_release_name(file_name, folder_name)
        try:
            return ReleaseName(
                title=record["metadata_title"],
                year=record["metadata_years"],
                season=record["metadata_season"],
                episode=record["metadata_episode"],
                media_type=record["metadata_mediatype"],
                file_name=record["metadata_filename"],
                folder_name=record["metadata_rootfoldername"],
            )
        except KeyError:
            return read_release_name(file_name, folder_name)


def _parse(name: str) -> dict[str, Any]:
    try:
        parsed: dict[str, Any] = parse(name)
    except Exception:  # noqa: BLE001 - a parser of other people's names meets names that its authors did not foresee
        return {}
    return parsed


def _clean_title(title: object) -> str:
    if not isinstance(title, str):
        return ""
    clean = _SPACES.sub(" ", _UNFIT_FOR_FILE_NAMES.sub(" ", title)).strip()
    return "" if set(clean) <= {"."} else clean


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _numbers(value: object) -> Numbers:
    if isinstance(value, list):
        numbers = [number for number in map(_whole, value) if number is not None]
        return numbers if len(numbers) > 1 else next(iter(numbers), None)
    return _whole(value)


def _with_year(title: str, year: int | None) -> str:
    return title if year is None else f"{title} ({year})"


def _tidy_file_name(title: str, year: int | None, season: Numbers, episode: Numbers, extension: str) -> str:
    if season is None:
        return f"{_with_year(title, year)}{extension}"
    return f"{title} {_span('S', season)}{_span('E', episode)}{extension}"


def _span(letter: str, numbers: Numbers) -> str:
    if numbers is None:
        return ""
    if isinstance(numbers, int):
        return f"{letter}{numbers:02d}"
    return f"{letter}{min(numbers):02d}-{letter}{max(numbers):02d}"
