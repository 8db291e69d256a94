"""What one name says by itself, be it a file's or a folder's.

Numbering and years are looked for first, because what stands before them is the title. What has neither is left to parsett, which
knows the words of releases best.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

import PTT

from mooring.plugins.torbox.release_numbering import Numbering, bare_numbers, find_numbering
from mooring.plugins.torbox.release_titles import (
    clean_title,
    find_year,
    is_technical,
    normalized,
    preferred,
    starts_with_group,
    technical_start,
    without_edition,
    without_group,
)

_WORD = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]")
_BRACKETED = re.compile(r"\[([^\[\]]+)\]")
_EXTRA = re.compile(r"[ ._-]+(?:OVA|OAD|ONA|OAV|Specials?|SP)[ ._-]*$")
_SPORT = re.compile(r"(?<![^\W_])(?:UFC|WWE|AEW|Bellator|PPV|NFL|NBA|NHL|MotoGP|Formula)(?![^\W_])", re.IGNORECASE)
_LONGEST = 300
"""Characters; no system has longer names of files, and what is longer takes longer than its share to read."""
_THIS_CENTURY = range(1900, 2100)


@dataclass(frozen=True)
class ParsedName:
    """What one name says by itself."""

    title: str = ""
    year: int | None = None
    seasons: tuple[int, ...] = ()
    episodes: tuple[int, ...] = ()
    day: date | None = None
    certain: bool = False
    """Whether it says more than a title: a year or technical words."""
    caption: str = ""
    """What stands behind the numbering: the episode's own title, as a rule."""

    @property
    def is_series(self) -> bool:
        return bool(self.seasons or self.episodes or self.day)


def parse_name(name: str) -> ParsedName:
    """What a single name says."""
    name = normalized(name)[:_LONGEST]
    numbering = find_numbering(name) or _anime_number(name)
    if numbering is not None and not _means_otherwise(name, numbering):
        return _numbered(name, numbering)
    name = without_group(name)
    year = find_year(name)
    if year is None:
        return _from_library(name)
    before, after = name[: year.start], name[year.end :]
    before = before[: technical_start(name)]
    title = preferred(without_edition(before)) or preferred(after[: technical_start(after)])
    return ParsedName(title, year.value, certain=True)


def _means_otherwise(name: str, numbering: Numbering) -> bool:
    """Whether a number is no episode or season after all: `Star Wars Episode 3 ... 2005`, a group called `-S56`."""
    if numbering.seasons and not numbering.episodes:
        return name[: numbering.start].endswith("-") and technical_start(name) < numbering.start
    if numbering.seasons or numbering.day:
        return False
    rest = name[numbering.end :]
    year = find_year(f"x{rest}")
    return year is not None and find_year(name[: numbering.start]) is None and bool(_LETTERS.search(rest[: year.start - 1]))


def _numbered(name: str, numbering: Numbering) -> ParsedName:
    head = name[: min(numbering.start, technical_start(name))]
    before = without_group(head)
    if _BRACKETED.search(before) and not _WORD.search(_BRACKETED.sub("", before)):  # all in brackets: [Group][Title][05]
        before = next((text for text in reversed(_BRACKETED.findall(head)) if _LETTERS.search(text)), before)
    year = find_year(before)
    if year is not None and _LETTERS.search(before[year.end :]):
        year = None  # of the title: `Euro 2024 Final`
    title = before if year is None else before[: year.start]
    title = preferred(_EXTRA.sub("", without_edition(title)) or title)
    rest = name[numbering.end :]
    value = year.value if year else numbering.day.year if numbering.day else _year_after(name, numbering)
    return ParsedName(
        title, value, numbering.seasons, numbering.episodes, numbering.day, certain=True, caption=clean_title(rest[: technical_start(rest)])
    )


def _year_after(name: str, numbering: Numbering) -> int | None:
    """The year of a series that stands right after the numbering, with nothing but technical words behind it, or in brackets."""
    match = re.match(r"[ ._-]*((?:19|20)\d\d)(?![^\W_])", name[numbering.end :])
    if match and is_technical(name[numbering.end + match.end() :]):
        return int(match[1])
    bracketed = re.search(r"[\[(]((?:19|20)\d\d)(?:[\])]|,)", name)
    return int(bracketed[1]) if bracketed else None


def _anime_number(name: str) -> Numbering | None:
    """The number that stands where anime releases have their episode."""
    group = starts_with_group(name)
    offset = len(name) - len(without_group(name))
    end = offset + technical_start(name[offset:])
    for found in bare_numbers(name):
        dashed = name[found.start : found.end].lstrip(" ._").startswith(("-", "["))
        titled = _LETTERS.search(name[offset : found.start]) or (group and re.search(r"\d", name[offset : found.start]))
        if titled and found.episodes[0] not in _THIS_CENTURY and (dashed or (group and found.start < end)):
            return found
    if group and (match := re.match(r"(\d{1,3}) - ", name[offset:])):
        return Numbering(offset, offset + match.end(), (), (int(match[1]),))
    return _broadcast_number(name)


def _broadcast_number(name: str) -> Numbering | None:
    """`Show.105.HDTV`, and `Show.05.Title` where no year says that it is a film."""
    if match := re.search(r"(?<=[^\W\d_][ ._])([1-9])(\d\d)(?=[ ._](?:[HP]DTV|DSR|TVRip))", name, re.IGNORECASE):
        return Numbering(match.start(), match.end(), (int(match[1]),), (int(match[2]),))
    if find_year(name) is None and (match := re.search(r"(?<=[^\W\d_)][ ._])0(\d{1,2})(?=[ ._])", name)):
        return Numbering(match.start(), match.end(), (), (int(match[1]),))
    return None


def _from_library(name: str) -> ParsedName:
    """What parsett reads in a name that has neither numbering nor a year of the plain forms."""
    try:
        said: dict[str, Any] = PTT.parse_title(name)
    except Exception:  # noqa: BLE001 - a parser of other people's names meets names that its authors did not foresee
        said = {}
    end = technical_start(name)
    title = said.get("title") or ""
    # A number at the beginning is part of the title, or an episode of the folder; one after a sport's name counts its events.
    counts = title != "" and not name[:1].isdigit() and not _SPORT.search(name)
    episodes = tuple(said.get("episodes") or ()) if counts else ()
    seasons = tuple(said.get("seasons") or ()) if counts else ()
    if not episodes and not seasons:
        title = without_edition(name[:end]) if end < len(name) else title or name
    return ParsedName(preferred(title), None, seasons, episodes, certain=end < len(name))
