"""Seasons, episodes and dates in release names: where they stand, and what they say.

Only forms that say so themselves are read here (`S01E02`, `Staffel 2`, `3 серия`, `2024.03.15`), and numbers where anime releases
have their episode. What stands before one is the title.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date

_SEASON = (
    r"(?:seasons?|series|saisons?|staffeln?|stagion[ei]|temporadas?|temp?|s(?:æ|ae|a)son|s(?:ä|a)song|sesong|kausi|sezon[aiy]?|"
    r"sezonul|seizoen|série|évad|сезоны?|σεζόν|시즌|シーズン)"
)
_EPISODE = (
    r"(?:episodes?|episodi?o?|episódio|épisode|epis(?:odul)?|epizod[ae]?|ep|folgen?|teil|cap[ií]tulos?|capitolo|caps?|afsnit|avsnitt|jakso|"
    r"odcinek|aflevering|bolum|bölüm|díl|серия|серии|сер|эпизод|выпуск|επεισόδιο)"
)
# Languages in which the number may stand before the word. In English that needs an ordinal, or it is the end of a title.
_SEASON_AFTER = r"(?:staffel|temporada|säsong|sasong|kausi|sezon|évad|сезон|season(?<=(?:st|nd|rd|th).season))"
_EPISODE_AFTER = r"(?:серия|серии|серія|bolum|bölüm|rész|díl|osa|epizoda?|folge)"
_ORDINAL = r"(\d{1,2})(?:st|nd|rd|th|ª|º|°|-?[йя])?\.?"
_GAP = r"[ ._\-]{0,3}"
_LONG_GAP = r"[ ._,\-()\[\]]{0,4}"
_NUMBER = r"(\d{1,4})"
_FROM = r"(?<![^\W_])"
_TO = r"(?![^\W_])"
_VERSION = r"(?:v\d|[a-d])?"
# Further episodes of the same file: E02, -E03, +03, .S01E03, - 1x03. Digits alone must not begin a resolution or a date.
_MORE = (
    r"((?:[ ._]{0,2}(?:-|\+|&|~|and|to)?[ ._]{0,2}(?:s\d{1,4})?(?:e|ep)\d{1,4}|[ ._]{1,2}-?[ ._]?\d{1,2}x\d{2}|"
    r"[-+&~]\d{1,3}(?![^\W_]|[.-]\d\d[.-]|[.-]\d(?!\d)))*)"
)
_CHINESE = "〇一二三四五六七八九十"
_COUNT = rf"(\d{{1,4}}|[{_CHINESE}]{{1,3}})"


@dataclass(frozen=True)
class Numbering:
    """A place in a name, and what it says. Seasons or episodes are empty where it says nothing of them."""

    start: int
    end: int
    seasons: tuple[int, ...] = ()
    episodes: tuple[int, ...] = ()
    day: date | None = None


Said = tuple[tuple[int, ...], tuple[int, ...]]
"""Seasons and episodes."""
Reader = Callable[[re.Match[str]], Said | None]
"""What a match says; None if it means something else."""


def _season_episode(match: re.Match[str]) -> Said | None:
    season, episode = _count(match[1]), _count(match[2])
    if season > 1900 and episode > 366:
        return None  # a resolution
    return (season,), _episodes(episode, match[3])


def _season(match: re.Match[str]) -> Said:
    return (_count(match[1]),), ()


def _seasons(match: re.Match[str]) -> Said:
    first, rest = int(match[1]), [int(number) for number in re.findall(r"\d+", match[2] or "")]
    if not rest:
        return (first,), ()
    return (_span(first, rest[0]) if len(rest) == 1 else (first, *rest)), ()


def _episode(match: re.Match[str]) -> Said:
    return (), _episodes(_count(match[1]), match[2])


def _episode_of_total(match: re.Match[str]) -> Said | None:
    return ((), (int(match[1]),)) if 0 < int(match[1]) <= int(match[2]) else None


def _hundreds(match: re.Match[str]) -> Said:
    """`Cap.203`, `Cap.105_106`: hundreds are the season, as Spanish releases count."""
    season, first = divmod(int(match[1]), 100)
    return (season,), _span(first, int(match[2]) % 100) if match[2] else (first,)


def _forms(*pairs: tuple[str, Reader]) -> tuple[tuple[re.Pattern[str], Reader], ...]:
    return tuple((re.compile(text, re.IGNORECASE), reader) for text, reader in pairs)


# The strongest first. Of each the first place in the name counts.
_BOTH = _forms(
    (rf"{_FROM}[st]e?{_NUMBER}{_GAP}(?:episode|ep|e|x)[ ._#-]?\(?{_NUMBER}{_MORE}{_VERSION}(?=\W|_|$)", _season_episode),
    (rf"{_FROM}(\d{{1,2}}|(?:19|20)\d\d)x(?!26[45])(\d{{2,4}}){_MORE}{_VERSION}{_TO}", _season_episode),
    (rf"{_FROM}{_ORDINAL}{_GAP}{_SEASON_AFTER}{_LONG_GAP}{_NUMBER}(){_GAP}{_EPISODE_AFTER}{_TO}", _season_episode),
    (rf"{_FROM}{_ORDINAL}{_GAP}{_SEASON_AFTER}{_LONG_GAP}{_EPISODE}{_GAP}{_NUMBER}(){_TO}", _season_episode),
    (rf"{_FROM}{_SEASON}{_GAP}{_NUMBER}[ /]*{_LONG_GAP}{_EPISODE}{_GAP}\(?{_NUMBER}((?:-\d{{1,4}})?){_TO}", _season_episode),
    (rf"{_FROM}{_SEASON}{_GAP}{_NUMBER}{_LONG_GAP}{_NUMBER}(){_GAP}{_EPISODE_AFTER}{_TO}", _season_episode),
    (rf"{_FROM}((?:19|20)\d\d)[ ._-]+(?:round|week|matchday|gameweek)[ ._-]?(\d{{1,2}})(){_TO}", _season_episode),
    (rf"第{_COUNT}[季期部][ ._]*第?{_COUNT}()[集話话回]", _season_episode),
    (rf"\bcap(?:[ií]tulo)?s?[ ._]?(\d{{3,4}})(?:[ _-](\d{{3,4}}))?(?:[ ._]final)?{_TO}", _hundreds),
)
_SEASONS = _forms(
    (rf"{_FROM}{_SEASON}{_GAP}(\d{{1,2}})[ ._]?of[ ._]?\d{{1,2}}{_TO}", _season),
    (rf"{_FROM}(?<![ ._-]and[ ._-])s{_NUMBER}((?:[ ._]?(?:-|~|to|&|\+|,)?[ ._]?s\d{{1,2}}|[-~]\d{{1,2}}(?!\d))*)(?:d\d{{1,2}})?{_TO}", _seasons),
    (rf"{_FROM}{_ORDINAL}{_GAP}{_SEASON_AFTER}{_TO}", _season),
    (rf"{_FROM}{_SEASON}{_GAP}{_NUMBER}((?:(?:[-~]|[ ._]?(?:to|à|&|\+|,|bis|and)[ ._]?)\d{{1,2}}(?![^\W_]))*){_TO}", _seasons),
    (rf"第?{_COUNT}[季期部]", _season),
)
_EPISODES = _forms(
    (rf"{_FROM}(?:ep{_GAP}|e|#)(\d{{1,4}}){_MORE}{_VERSION}{_TO}", _episode),
    (rf"{_FROM}{_EPISODE}{_GAP}[#(]?(\d{{1,4}})((?:-\d{{1,4}})?){_TO}", _episode),
    (rf"{_FROM}(\d{{1,4}})()(?:-?[яй])?[ ._]{{0,2}}{_EPISODE_AFTER}{_TO}", _episode),
    (rf"(?:{_FROM}|(?<=pt|ep)|(?<=part)){_NUMBER}[ ._]?(?:of|из|din)[ ._]?{_NUMBER}{_TO}", _episode_of_total),
    (rf"第?{_COUNT}()[集話话回]", _episode),
    (rf"제?{_NUMBER}()[화회]", _episode),
    (rf"(?<=[ ._-])(?:OVA|OAD|OAV|ONA|SP|Special)[ ._-]?(\d{{1,2}})(){_VERSION}{_TO}", _episode),
)
_DATES = (
    re.compile(r"(?<!\d)(?P<y>(?:19|20)\d\d)([ ._-])(?P<m>\d\d)\2(?P<d>\d\d)(?!\d)"),
    re.compile(r"(?<!\d)(?P<d>\d\d)([ ._-])(?P<m>\d\d)\2(?P<y>(?:19|20)\d\d)(?!\d)"),
    re.compile(r"(?<!\d)(?P<y>20\d\d)(?P<m>[01]\d)(?P<d>[0-3]\d)(?!\d)"),
    re.compile(r"(?<=[^\W_][ ._])(?P<y>[12]\d)\.(?P<m>\d\d)\.(?P<d>\d\d)(?!\d)"),
)
_LAST = r"(?:[-~](?P<last>\d{2,4}))?(?:[ ._]?v\d|[ ._](?:END|FIN(?:AL)?))?"
_BARE = (
    re.compile(rf"[ ._]-[ ._]*\(?(?P<n>\d{{1,4}}){_LAST}\)?(?=[ ._]*(?:$|[\[(]|-[ ._]|(?:VOST|RAW|SUB)))"),
    re.compile(rf"\[(?P<n>\d{{1,4}}){_LAST}\]"),
    re.compile(rf"(?<=[ ._])#?(?P<n>\d{{2,4}}){_LAST}(?=[ ._]*(?:$|[\[(]|(?:VOST|RAW|SUB|DVD)))"),
)
_AFTER_SEASON = re.compile(rf"^[ ._)\]]*(?:-[ ._]*)?(?P<n>\d{{1,4}}){_LAST}(?=$|[ ._\[(])(?![ ._]?\(?(?:19|20)\d\d\))")


def find_numbering(name: str) -> Numbering | None:
    """What says most: season and episode in one place, or each in its own, or a day, or one of the two alone."""
    both = _first(name, _BOTH)
    season = _first(name, _SEASONS)
    if both is not None and both.seasons != (0,):
        return both if season is None or season.start >= both.start else replace(both, start=season.start)
    episode = both or _first(name, _EPISODES)
    if season is not None and episode is None and (match := _AFTER_SEASON.match(name[season.end :])):
        episode = Numbering(season.end, season.end + match.end(), (), _range(match))
    if season is not None and episode is not None:
        return Numbering(min(season.start, episode.start), max(season.end, episode.end), season.seasons, episode.episodes)
    return season or find_date(name) or episode


def find_date(name: str) -> Numbering | None:
    """The first day that a name speaks of, in one of the orders of the ISO, of Europe and of America."""
    for pattern in _DATES:
        for match in pattern.finditer(name):
            if day := _day(int(match["y"]), int(match["m"]), int(match["d"])):
                return Numbering(match.start(), match.end(), day=day)
    return None


def bare_numbers(name: str) -> Iterator[Numbering]:
    """Numbers that may be episodes, as anime releases write them: ` - 05`, `[05v2]`, `05 (`, and the ranges of these."""
    for pattern in _BARE:
        for match in pattern.finditer(name):
            yield Numbering(match.start(), match.end(), (), _range(match))


def _range(match: re.Match[str]) -> tuple[int, ...]:
    return _span(int(match["n"]), int(match["last"])) if match["last"] else (int(match["n"]),)


def _episodes(first: int, more: str) -> tuple[int, ...]:
    """`E01E02E03` and `E01-E03`: each that is named, and those between the ends of a range."""
    numbers = [int(number) for number in re.findall(r"(?<![\dst])\d+(?![\dx])", more, re.IGNORECASE)]
    if len(numbers) == 1 and re.search(r"[-~]|to", more, re.IGNORECASE):
        return _span(first, numbers[0])
    return tuple(dict.fromkeys((first, *numbers)))


def _span(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1)) if first <= last <= first + 200 else (first,)


def _count(text: str) -> int:
    """A number in digits, or in Chinese as far as 99."""
    if text.isdecimal():
        return int(text)
    tens, ten, units = text.rpartition("十")
    return (10 * (_CHINESE.index(tens) if tens else 1) if ten else 0) + (_CHINESE.index(units[-1]) if units else 0)


def _first(name: str, forms: tuple[tuple[re.Pattern[str], Reader], ...]) -> Numbering | None:
    for pattern, read in forms:
        for match in pattern.finditer(name):
            if (said := read(match)) is not None:
                return Numbering(match.start(), match.end(), *said)
    return None


def _day(year: int, month: int, day: int) -> date | None:
    year = year if year > 99 else 2000 + year
    if month > 12 >= day:
        day, month = month, day
    try:
        return date(year, month, day)
    except ValueError:
        return None
