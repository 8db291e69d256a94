"""Names of members: which are accepted, and which look like another.

Two names are alike if a reader could take one for the other: they differ only in case, in invisible letters, in width or style,
or in letters that are drawn alike (Latin a, Cyrillic а). The last follows the skeletons of Unicode Technical Standard 39.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

from confusable_homoglyphs.confusables import confusables_data

LONGEST = 32
_MARKS_IN_A_ROW = 2
_SIGNS = frozenset("-_.'·’")
_ID = re.compile(r"(?:m|agent)[-_.'·’]*[0-9a-f]{16}")
"""What the ids of members and agents look like, in small letters."""
_LATIN = re.compile(r"LATIN (?:(?:SMALL|CAPITAL) LETTER|LETTER SMALL CAPITAL) ([A-Z])(?: WITH .*)?")
"""The names of letters that are Latin ones with something on, in small capitals or crossed out."""
_WITH_ACCENTS = frozenset({"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "COPTIC", "CHEROKEE"})
"""Scripts in which a mark on a letter is an accent at most. In others marks are vowels, and part of the name."""
_LATIN_SIGN = re.compile(r"(?:LATIN|SUPERSCRIPT LATIN|GREEK) ")
_BESIDE_LATIN = ("KATAKANA", "HIRAGANA", "IDEOGRAPHIC", "MODIFIER LETTER")
"""How the names of signs begin that count as letters and stand in names with Latin ones."""
_IGNORED = (
    *((0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F)),
    *((0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8)),
    *((0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
"""Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt): drawn as nothing, though many are letters and marks. Python knows not which."""
_PAIRS = (("vv", "w"), ("rn", "m"))
"""Two letters that are drawn like one."""

RESERVED = frozenset(
    "mooring service system server bot operator owner moderator member admin administrator root everyone everybody all here".split(),  # noqa: SIM905 - to be read
)
"""Whom nobody may be taken for who picks a name."""


class NameRefused(Exception):
    """The name cannot be used; the text says why, for the person who picked it."""


def clean_name(name: str) -> str:
    """The name as it will be shown. Raises NameRefused.

    One word, because members are called `@name`; letters, digits and a few signs, because anything else is drawn differently
    everywhere or not at all.
    """
    cleaned = unicodedata.normalize("NFC", name).strip()
    if not cleaned:
        raise NameRefused("A name has at least one letter.")
    if len(cleaned) > LONGEST:
        raise NameRefused(f"A name has at most {LONGEST} letters.")
    if any(letter.isspace() for letter in cleaned):
        raise NameRefused("A name is one word, so that others can call you with @; put - between words.")
    marks = 0
    for letter in cleaned:
        kind = unicodedata.category(letter)
        marks = marks + 1 if kind.startswith("M") else 0
        if _is_ignored(letter):
            raise NameRefused(f"A name has letters, digits and - _ . only; U+{ord(letter):04X} is not seen.")
        if marks > _MARKS_IN_A_ROW or kind == "Me" or not (kind[0] in "LM" or kind == "Nd" or letter in _SIGNS):
            raise NameRefused(f"A name has letters, digits and - _ . only; {_describe(letter)} is none of them.")
    if not any(unicodedata.category(letter)[0] in "LN" for letter in cleaned):
        raise NameRefused("A name has at least one letter.")
    if cleaned[0] in _SIGNS or cleaned[-1] in _SIGNS or unicodedata.category(cleaned[0])[0] == "M":
        raise NameRefused("A name begins and ends with a letter or a digit.")
    if any(_is_foreign(letter) for letter in cleaned) and any(letter.isascii() and letter.isalpha() for letter in cleaned):
        raise NameRefused("A name has digits and signs of its own script only; others pass for a dot, or for nothing.")
    if _ID.fullmatch(unicodedata.normalize("NFKC", cleaned).casefold()):
        raise NameRefused("This looks like what the service itself calls people by; choose another name.")
    return cleaned


def made_admissible(name: str, fallback: str) -> str:
    """What is left of a name that nobody here picked, so that `clean_name` takes it: `fallback`, which has to be one, if that is nothing."""
    letters: list[str] = []
    marks = 0
    for letter in unicodedata.normalize("NFC", name):
        kind = unicodedata.category(letter)
        marks = marks + 1 if kind[0] == "M" else 0
        if _is_ignored(letter) or kind[0] == "C" or kind == "Me" or marks > _MARKS_IN_A_ROW or _is_foreign(letter):
            continue
        letters.append(letter if kind[0] in "LM" or kind == "Nd" or letter in _SIGNS else "-")
    ends = "".join(_SIGNS)
    left = re.sub("-+", "-", "".join(letters)).strip(ends)[:LONGEST].strip(ends)
    try:
        return clean_name(left)
    except NameRefused:
        return fallback


def is_reserved(name: str, more: Iterable[str] = ()) -> bool:
    """Whether a reader could take the name for that of somebody in charge, of the service, or for one of `more`."""
    keys = lookalike_keys(name) | lookalike_keys(name.replace("1", "i"))
    return not keys.isdisjoint(_reserved_keys()) or any(not keys.isdisjoint(lookalike_keys(word)) for word in more)


@cache
def _reserved_keys() -> frozenset[str]:
    return frozenset(key for word in RESERVED for key in lookalike_keys(word))


def _is_foreign(letter: str) -> bool:
    """Whether it is a digit or sign that no name has whose letters are Latin."""
    kind = unicodedata.category(letter)
    if kind == "Nd":
        return not unicodedata.normalize("NFKC", letter).isascii()
    return kind == "Lm" and not unicodedata.name(letter, "").startswith(_BESIDE_LATIN) and not _LATIN_SIGN.match(unicodedata.name(letter, ""))


def _is_ignored(letter: str) -> bool:
    return any(first <= ord(letter) <= last for first, last in _IGNORED)


def _describe(letter: str) -> str:
    shown = letter if letter.isprintable() and not unicodedata.category(letter).startswith("M") else f"U+{ord(letter):04X}"
    return f"{shown} ({unicodedata.name(letter, 'unnamed').lower()})"


@cache
def _prototype(letter: str) -> str:
    """What all letters that are drawn like this one have in common.

    The table is symmetric: a letter that stands for many lists them all, and each of them lists only it.
    """
    latin = _LATIN.fullmatch(unicodedata.name(letter, ""))
    if latin is not None and not letter.isascii():
        return _prototype(latin[1].lower() if letter.islower() or not letter.isupper() else latin[1])
    alike = [entry["c"] for entry in confusables_data.get(letter, ())]
    if len(alike) != 1:
        return letter
    only = str(alike[0])
    if len(only) > 1 or len(confusables_data.get(only, ())) > 1:
        return only
    return min(letter, only)


def _skeleton(name: str) -> str:
    skeleton = "".join(_prototype(letter) for letter in _visible(unicodedata.normalize("NFD", name)))
    for pair, one in _PAIRS:
        skeleton = skeleton.replace(pair, _prototype(one))
    return skeleton


def _visible(decomposed: str) -> Iterator[str]:
    """The letters without accents, since ạnn is too near to ann, and without what is as small as those."""
    takes_accents = False
    for letter in decomposed:
        if letter.isascii() and letter.isalnum():  # nearly all of most names
            takes_accents = True
            yield letter
            continue
        kind = unicodedata.category(letter)
        if kind[0] == "M":
            if not takes_accents and not "\u0300" <= letter <= "\u036f" and not _is_ignored(letter):
                yield letter
            continue
        if kind in {"Cf", "Cc"} or letter in _SIGNS or _is_ignored(letter) or "\u02b0" <= letter <= "\u02ff":
            continue
        takes_accents = unicodedata.name(letter, "").partition(" ")[0] in _WITH_ACCENTS
        yield letter


@lru_cache(maxsize=65_536)
def lookalike_keys(name: str) -> frozenset[str]:
    """Two names with a key in common are alike.

    Both orders of folding and comparing are needed: `I` is drawn like `l`, and folded it is `i`, which is not.
    """
    compatible = unicodedata.normalize("NFKC", name)
    folded = compatible.casefold()
    # Of capitals only those of other scripts first: Greek Μ is M and so m, and M itself is not what m is drawn like.
    latin = "".join(letter if letter.isascii() else _prototype(letter) for letter in compatible).casefold()
    return frozenset({_skeleton(compatible).casefold(), _skeleton(latin), _skeleton(folded).casefold(), _skeleton(_skeleton(folded).casefold())})


class NameIndex:
    """Who is called what, to be asked whether a name is still free."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._owners: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._names)

    def name_of(self, member_id: str) -> str:
        """The name, or an empty text for a stranger."""
        return self._names.get(member_id, "")

    def owner(self, name: str, besides: str = "") -> str | None:
        """Somebody else whose name is alike."""
        for key in lookalike_keys(name):
            for member_id in self._owners.get(key, ()):
                if member_id != besides:
                    return member_id
        return None

    def owners(self, name: str, besides: str = "") -> list[str]:
        """All others whose names are alike."""
        found = (member_id for key in lookalike_keys(name) for member_id in self._owners.get(key, ()))
        return [member_id for member_id in dict.fromkeys(found) if member_id != besides]

    def add(self, member_id: str, name: str) -> None:
        """Note a name; an earlier one of the same member is forgotten."""
        if self._names.get(member_id) == name:
            return
        self.remove(member_id)
        self._names[member_id] = name
        for key in lookalike_keys(name):
            self._owners.setdefault(key, {})[member_id] = None

    def remove(self, member_id: str) -> None:
        """Forget a member."""
        name = self._names.pop(member_id, None)
        if name is None:
            return
        for key in lookalike_keys(name):
            owners = self._owners[key]
            owners.pop(member_id, None)
            if not owners:
                del self._owners[key]

    def keep_only(self, present: Iterable[tuple[str, str]]) -> None:
        """Become exactly these `(member id, name)` pairs."""
        given = dict(present)
        for member_id in [known for known in self._names if known not in given]:
            self.remove(member_id)
        for member_id, name in given.items():
            self.add(member_id, name)
