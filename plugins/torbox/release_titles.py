"""Titles and years in release names: what is part of them, and what was put around them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

_FROM = r"(?<![^\W_])"
_TO = r"(?![^\W_])"


def _any_of(*words: str) -> str:
    """A pattern for one of these words, each a piece of a pattern in which `_` is what releases put between words."""
    return "(?:" + "|".join(word.replace("_", "[ ._-]") for line in words for word in line.split()) + ")"


_EXTENSION = re.compile(r"\.(?:mkv|mp4|avi|m4v|mov|wmv|mpe?g|ts|m2ts|webm|flv|ogm|ogv|rmvb|divx|3gp|asf|iso|strm)$", re.IGNORECASE)
_PLAIN = str.maketrans("【】（）×［］", "[]()x[]")
_CHECKSUM = re.compile(r"[ ._]*[\[(](?!(?:19|20)\d\d[01]\d[0-3]\d)[0-9A-Fa-f]{8}[\])]")
_STARRED = re.compile(r"★[^★\[\]]*★")
_SITE = re.compile(
    r"^\s*[\[({]?\s*(?:w{2,3}\s?[. ,]\s?[\w-]+(?:\s?[. ]\s?[\w-]+)?|[\w-]+\.(?:com|org|net|tv|cc|to|me|mx|ac))\s*[\])}]?"
    r"(?:\s*-+\s*|\s+|(?<=[\])}]))",
    re.IGNORECASE,
)
_GROUP = re.compile(r"^\s*(?:\[{1,2}[^\[\]]{1,60}\]|\{[^{}]{1,60}\})[ ._-]*(?=.)")
_BRACKETS = re.compile(r"[\[(][^\[\]()]*[\])]")
_LETTERS_OUTSIDE = re.compile(r"[^\W\d_]|\d{2}")
_TECHNICAL = re.compile(
    _FROM
    + _any_of(
        r"\d{3,4}x\d{3,4} (?:360|480|540|576|720|1080|1440|2160|4320)[pi](?:\d\d)? 4k 8k uhd fhd hdr(?:10)? sdr dolby dv",
        r"blu-?ray (?:bd|br|dvd)-?rip (?:bd|br|dvd)(?:rip)?mux bdremux remux (?<=\[)bd(?=\])",
        r"web-?dl web-?rip web-?hd hdtv(?:rip)? pdtv dsr(?:ip)? tvrip satrip dvd(?:scr|r|5|9)? hd-?rip hddvd vhs(?:rip)? vodrip",
        r"hd-?cam(?:rip)? cam-?rip hd-?ts(?:rip)? telesync telecine hdtc screener",
        r"[xh]_?26[456] hevc avc xvid divx av1 vp9 10-?bits? 8-?bits? hi10p?",
        r"aac\d? e?ac-?3 ddp?_?[25]_[01] dts(?:-?hd)? truehd atmos flac opus",
        r"amzn nf dsnp hmax atvp hulu pcok pmtp multi(?:_?subs?)? dual(?:_?audio)? vostfr truefrench dublado legendado",
        # Words of titles as well, unless something technical follows.
        r"bd(?=[^a-z0-9]*(?:\d|rip|hi10|flac|$)) web(?=[^a-z0-9]*(?:h\.?26|x26|\d{3,4}p|$))",
    )
    + _TO,
    re.IGNORECASE,
)
# After the title, but before the year: what edition it is. Never the whole of a title, whose last word may be one of these.
_EDITION = re.compile(
    r"[ ._(\[-]+"
    + _any_of(
        r"(?:extended|theatrical|special|ultimate|criterion|anniversary|final|director'?s?|collector'?s?)_(?:cut|edition|version|collection)",
        r"extended unrated uncut uncensored remastered restored theatrical criterion imax custom internal limited proper repack rerip stv ppv",
        r"cam hdcam ts hdts (?:3d_)?(?:half_)?h?(?:sbs|ou) movie(?=\)) mini-?series dubbed subbed dual_audio multi int[eé]grale?",
        r"(?:the_)?complete(?:_(?:series|seasons?|collection))? (?<!final_)seasons?",
    )
    + r"[\]) ._-]*$",
    re.IGNORECASE,
)
# Languages, as scenes write them: in capitals, or German with what follows it there. In a title they are in small letters.
_LANGUAGE = re.compile(
    r"[ ._(\[-]+"
    + _any_of(
        r"DC SE (?:German|GERMAN)(?:_(?:AC3D?|DL|Dubbed|LD|MD))* FRENCH TRUEFRENCH VOSTFR MULTi iTALiAN ITALIAN ITA SPANISH PORTUGUESE RUSSIAN",
        r"RUS JAPANESE KOREAN HINDI DANiSH DANISH SWEDiSH SWEDISH NORDiC NORWEGiAN POLISH DUTCH FLEMISH TURKISH CHINESE ENG ENGLISH SUBBED DUBBED",
    )
    + r"[\]) ._-]*$"
)
_YEAR = re.compile(rf"{_FROM}(19\d\d|20\d\d){_TO}")
_YEAR_RANGE = re.compile(r"(?:19|20)\d\d\s?[-–—]\s?(?:19|20)?\d\d(?!\d)")
_COLLECTION = re.compile(
    _FROM + _any_of("collection trilogy quadrilogy duology anthology pack saga filmography movies films colecci[oó]n collezione") + _TO, re.IGNORECASE
)
_SPACES = re.compile(r"\s+")
_EMPTY = re.compile(r"[(\[{]\s*[)\]}]")
_LONE_DOT = re.compile(r"(?<=[^\W\d_]{2})\.(?=[^\W\d_]{2})|\.(?=-\.)|(?<=-)\.")
_SPELLED = re.compile(r"(?<![^\W_])(?:[^\W\d_][.]){2,}(?:[^\W\d_](?![^\W_]))?")
_SPELLED_END = re.compile(r"(?<![^\W_])(?:[^\W\d_][.])+[^\W\d_]$")
_LATIN = re.compile(r"[A-Za-z]{3}")
# A name in another script, set before one in Latin letters.
_OTHER_SCRIPT = re.compile(r"^[^A-Za-z]*[\u0400-\u04ff\u0600-\u06ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af][^A-Za-z]*[ .](?=[A-Za-z])")


class Year(NamedTuple):
    """A year of release in a name, and where the title ends because of it."""

    value: int
    start: int
    end: int


def normalized(name: str) -> str:
    """The name without its extension, the address of a site before it, and checksums."""
    name = _EXTENSION.sub("", name.strip()).translate(_PLAIN)
    name = _STARRED.sub("", _CHECKSUM.sub("", name))
    return _SITE.sub("", name, count=1) or name


def without_group(name: str) -> str:
    """Without the group that stands in brackets before the title; unless all stands in brackets, where the title comes second."""
    while (match := _GROUP.match(name)) and _LETTERS_OUTSIDE.search(_BRACKETS.sub("", name[match.end() :])):
        name = name[match.end() :]
    return name


def starts_with_group(name: str) -> bool:
    return _GROUP.match(name) is not None


def technical_start(name: str) -> int:
    """Where resolution, source, codec and the like begin; the end of the name if it has none. Never its very beginning."""
    return next((match.start() for match in _TECHNICAL.finditer(name) if clean_title(name[: match.start()])), len(name))


def is_technical(text: str) -> bool:
    """Whether a piece begins with technical words, or with nothing at all."""
    rest = text.lstrip(" ._-[(")
    return not rest or _TECHNICAL.match(rest) is not None


def is_collection(name: str) -> bool:
    """Whether it is a folder of several films, whose name tells nothing of one."""
    return bool(_COLLECTION.search(name) or _YEAR_RANGE.search(name))


def find_year(name: str) -> Year | None:
    """The year of release: the last one before the technical part that is not the title itself, and has been or is next."""
    latest = datetime.now(UTC).year + 1
    end = technical_start(name)
    found = [match for match in _YEAR.finditer(name) if int(match[1]) <= latest]
    for match in reversed([match for match in found if match.start() < end] or found):
        before, after = name[: match.start()], name[match.end() :]
        if clean_title(before):
            return Year(int(match[1]), match.start(), match.end())
        # At the beginning it is a year if it is marked as one: `(2016) Title`, `2015 - Title`.
        if re.match(r"\)|\]|[ ._]-[ ._]", after) and clean_title(after):
            return Year(int(match[1]), match.start(), match.end())
    return None


def clean_title(text: str) -> str:
    """A title as people write it, from a piece of a release name."""
    if " " not in text.strip(" ._-"):
        text = _dots_to_spaces(text)
    text = _LONE_DOT.sub(" ", text.replace("_", " "))
    text = _EMPTY.sub(" ", text)
    text = _SPACES.sub(" ", text).strip(" \t-–—_+,;:|/\\★")
    for opening, closing in ("()", "[]", "{}"):
        if text.count(opening) != text.count(closing):
            text = text.replace(opening, " ").replace(closing, " ")
    text = _SPACES.sub(" ", text).strip(" -–—_+,;:|/\\★").rstrip("([{ ")
    text = text.rstrip(". ")
    if _SPELLED_END.search(text):
        text += "."
    return text.lstrip(". )]}")


def preferred(title: str) -> str:
    """Of several titles for the same, as `Брат / Brother`, the first in Latin letters; else the first."""
    names = [name for name in map(clean_title, re.split(r"\s[/|]\s|\s[/|]|[/|]\s", title)) if name]
    chosen = next((name for name in names if _LATIN.search(name)), names[0] if names else "")
    return _OTHER_SCRIPT.sub("", chosen) if _LATIN.search(_OTHER_SCRIPT.sub("", chosen)) else chosen


def without_edition(title: str) -> str:
    """Without what says which edition it is, and in which language, at its end."""
    title = title.rstrip(" _([{-")
    while True:
        shorter = _LANGUAGE.sub("", _EDITION.sub("", title))
        if shorter == title or not clean_title(shorter):
            return title
        title = shorter


def _dots_to_spaces(text: str) -> str:
    """Dots between words become blanks; those of initials stay: `S.W.A.T.2017` and `Marvels.Agents.of.S.H.I.E.L.D.`."""
    pieces, last = [], 0
    for match in _SPELLED.finditer(text):
        pieces += [text[last : match.start()].replace(".", " "), match[0], " "]
        last = match.end()
    return "".join([*pieces, text[last:].replace(".", " ")])
