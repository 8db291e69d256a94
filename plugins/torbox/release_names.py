"""What a release name says: title, year, season, episode.

A file's name says it, or its folder's, or both together: `Bluey.S03/01.mkv`, `The.Thing.1982.1080p-GRP/grp-thing82.mkv`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from mooring.plugins.torbox.release_parsing import ParsedName, parse_name
from mooring.plugins.torbox.release_titles import is_collection, normalized

UNTITLED = "Untitled"

Numbers = int | list[int] | None

_UNFIT_FOR_FILE_NAMES = re.compile(r'[\x00-\x1f<>:"/\\|?*]+')
_SPACES = re.compile(r"\s+")
_WORD = re.compile(r"[^\W_]+")
_LEADING_NUMBER = re.compile(r"^(?:#|no\.?[ ._]?)?(\d{1,4})(?:v\d)?(?=$|[ ._-])", re.IGNORECASE)
_PADDED_NUMBER = re.compile(r"0(\d)(?=$|[ ._]-[ ._]|\.[ ])")
_NOTHING_BUT_NUMBER = re.compile(r"(\d{2,3})(?:v\d)?")
_SPECIALS = ParsedName(seasons=(0,))
_PART = re.compile(r"(?<![^\W_])(?:part|pt|chapter)[ ._-]?(\d{1,2})(?![^\W_])", re.IGNORECASE)
_THREE_DIGITS = re.compile(r"(?<![^\W_])(\d{3})(?![^\W_])")


class Names(NamedTuple):
    """The names by which a file is known: its own, its download's, and its own with the folders that it lies in."""

    file: str
    folder: str
    path: str = ""


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


def read_release_name(file_name: str, folder_name: str, path: str = "") -> ReleaseName:
    """Read the file's name, and the folders' where the file's says nothing (`Show.S01/S01E02.mkv`).

    `path` is the file's name with the folders within the outer one, as TorBox tells it: `Show/Season 2/05.mkv`.
    """
    own = parse_name(file_name)
    outer = parse_name(folder_name) if PurePosixPath(file_name).stem != folder_name else own
    inner_name = folder_name
    for name in PurePosixPath(path).parts[:-1]:
        inner = _SPECIALS if name.casefold() == "specials" else parse_name(name)
        if name != folder_name and (inner.seasons or inner.year):
            outer, inner_name = _within(outer, inner), name
    parsed = combined(own, outer, file_name, inner_name)
    title = _fit_for_file_names(parsed.title) or _fit_for_file_names(outer.title) or _fit_for_file_names(PurePosixPath(file_name).stem) or UNTITLED
    seasons = parsed.seasons or ((1,) if parsed.episodes else ())
    extension = _UNFIT_FOR_FILE_NAMES.sub("", PurePosixPath(file_name).suffix.lower())
    parsed = replace(parsed, title=title, seasons=seasons)
    return ReleaseName(
        title=title,
        year=parsed.year,
        season=_numbers(seasons),
        episode=_numbers(parsed.episodes),
        media_type="series" if parsed.is_series else "movie",
        file_name=f"{_tidy_name(parsed)}{extension}",
        folder_name=title if parsed.day else _with_year(title, parsed.year),
    )


def _within(outer: ParsedName, inner: ParsedName) -> ParsedName:
    """What a folder and one inside of it say; the inner one is about fewer files."""
    title = inner.title if inner.title and (inner.year or not outer.title) else outer.title
    return replace(inner, title=title, year=inner.year or outer.year, certain=True)


def combined(own: ParsedName, outer: ParsedName, file_name: str, folder_name: str) -> ParsedName:
    """What a file's name and its folder's say together."""
    if own.is_series:
        title = own.title or outer.title or own.caption
        if outer.title and (outer.seasons or outer.certain) and _is_shortened(title, outer.title):
            title = outer.title
        return replace(own, title=title, seasons=own.seasons or outer.seasons[:1], year=own.year or (outer.year if title == outer.title else None))
    if outer.seasons and not own.year:
        episodes = outer.episodes or _episodes_within(file_name, outer)
        return replace(outer, seasons=outer.seasons[:1] if episodes else outer.seasons, episodes=episodes, title=outer.title or own.title)
    if outer.certain and not is_collection(folder_name):
        number = _NOTHING_BUT_NUMBER.fullmatch(normalized(file_name))
        if number and not outer.is_series:
            return replace(outer, episodes=(int(number[1]),))
        if outer.is_series or (outer.year and (own.year is None or str(own.year) in outer.title.split())):
            return outer
        if not own.certain and " " not in own.title:  # grp-abbr.mkv
            return outer
    if not own.certain and (match := _PADDED_NUMBER.match(normalized(file_name))) and not is_collection(folder_name):
        return replace(own, title=outer.title or own.title, episodes=(int(match[1]),), year=outer.year)
    return own if own.title else replace(own, title=outer.title)


def _episodes_within(file_name: str, folder: ParsedName) -> tuple[int, ...]:
    """The episode that a file of a season says by its number: `01.mkv`, `02 - Title.mkv`, `103.mkv` in season 1."""
    name = normalized(file_name)
    match = _LEADING_NUMBER.match(name) or _PART.search(name) or _THREE_DIGITS.search(name)
    if match is None:
        return ()
    season, episode = divmod(int(match[1]), 100)
    return (episode,) if season in folder.seasons and episode else (int(match[1]),)


def _is_shortened(title: str, folder_title: str) -> bool:
    """Whether a file's title is the folder's with a group before it, or in a few letters, as scene files have it."""
    own, outer = _folded(title), _folded(folder_title)
    if own == outer or not outer:
        return own == outer and title != folder_title
    return own.endswith(outer) or (title == title.lower() and " " not in title and len(own) <= 6)


def _same(one: str, other: str) -> bool:
    return _folded(one) == _folded(other)


def _folded(text: str) -> str:
    return "".join(_WORD.findall(text)).casefold()


def _fit_for_file_names(title: str) -> str:
    clean = _SPACES.sub(" ", _UNFIT_FOR_FILE_NAMES.sub(" ", title)).strip()
    return "" if set(clean) <= {"."} else clean


def _numbers(values: tuple[int, ...]) -> Numbers:
    return list(values) if len(values) > 1 else next(iter(values), None)


def _with_year(title: str, year: int | None) -> str:
    return title if year is None else f"{title} ({year})"


def _tidy_name(parsed: ParsedName) -> str:
    if parsed.day and not parsed.episodes:
        return f"{parsed.title} {parsed.day.isoformat()}"
    if not parsed.seasons:
        return _with_year(parsed.title, parsed.year)
    return f"{parsed.title} {_span('S', parsed.seasons)}{_span('E', parsed.episodes)}"


def _span(letter: str, numbers: tuple[int, ...]) -> str:
    if not numbers:
        return ""
    if len(numbers) == 1:
        return f"{letter}{numbers[0]:02d}"
    return f"{letter}{min(numbers):02d}-{letter}{max(numbers):02d}"
