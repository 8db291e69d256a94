"""Names of members: which are accepted, and which look like another.

Two names are alike if a reader could take one for the other: they differ only in case, in invisible letters, in width or style,
or in letters that are drawn alike (Latin a, Cyrillic а). The last follows the skeletons of Unicode Technical Standard 39.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

from confusable_homoglyphs.confusables import confusables_data

LONGEST = 32
_MARKS_IN_A_ROW = 2
_SIGNS = frozenset("-_.'·’")


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
        if marks > _MARKS_IN_A_ROW or not (kind[0] in "LM" or kind == "Nd" or letter in _SIGNS):
            raise NameRefused(f"A name has letters, digits and - _ . only; {_describe(letter)} is none of them.")
    if not any(unicodedata.category(letter)[0] in "LN" for letter in cleaned):
        raise NameRefused("A name has at least one letter.")
    return cleaned


def _describe(letter: str) -> str:
    shown = letter if letter.isprintable() and not unicodedata.category(letter).startswith("M") else f"U+{ord(letter):04X}"
    return f"{shown} ({unicodedata.name(letter, 'unnamed').lower()})"


@cache
def _prototype(letter: str) -> str:
    """What all letters that are drawn like this one have in common.

    The table is symmetric: a letter that stands for many lists them all, and each of them lists only it.
    """
    alike = [entry["c"] for entry in confusables_data.get(letter, ())]
    if len(alike) != 1:
        return letter
    only = str(alike[0])
    if len(only) > 1 or len(confusables_data.get(only, ())) > 1:
        return only
    return min(letter, only)


def _skeleton(name: str) -> str:
    decomposed = unicodedata.normalize("NFD", name)
    # Accents go too: ạnn is too near to ann. Other marks stay, for in many scripts they are the vowels.
    visible = (letter for letter in decomposed if unicodedata.category(letter) not in {"Cf", "Cc"} and not "\u0300" <= letter <= "\u036f")
    return "".join(_prototype(letter) for letter in visible)


@lru_cache(maxsize=65_536)
def lookalike_keys(name: str) -> frozenset[str]:
    """Two names with a key in common are alike.

    Both orders of folding and comparing are needed: `I` is drawn like `l`, and folded it is `i`, which is not.
    """
    compatible = unicodedata.normalize("NFKC", name)
    folded = compatible.casefold()
    return frozenset({_skeleton(compatible).casefold(), _skeleton(folded).casefold(), _skeleton(_skeleton(folded).casefold())})


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
