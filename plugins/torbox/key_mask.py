"""The key's place in records: what is kept has a placeholder there, and who reads through the table gets the key of today.

Programs put the key into the links of their records (`.../requestdl?token=KEY&torrent_id=1`). With a placeholder no file, copy or
journal holds it, and links go on working after the key was changed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from re import compile as pattern
from typing import Any
from urllib.parse import quote

from mooring.plugins.torbox.api_key import ApiKey, KeyMissing
from mooring.plugins.torbox.documents import Document

MARK = "TORBOX_API_KEY"
"""Occurs in every placeholder."""
PLACEHOLDER = f"{{{MARK}}}"
URL_PLACEHOLDER = quote(PLACEHOLDER, safe="")
"""Where the key stands as URLs write it."""

_MARK_BYTES = MARK.encode()
_TOKEN = pattern(rf"token(?:=|%3[dD])(?!{URL_PLACEHOLDER})((?:(?!%26)[^\s\"'<>&#\\])+)")
_BEFORE_TOKEN = ("?", "&", ";", "%26", "%3F", "%3f", "\\u0026", "\\u003f")
_ENDS = " \t\r\n\"'<>"
"""No address goes on past these."""
_LONGEST_ADDRESS = 2000

_log = logging.getLogger(__name__)


class KeyMask:
    """Thread-safe. Knows every key that its source has given since it was made."""

    def __init__(self, key: ApiKey) -> None:
        self._key = key
        self._replacements: dict[str, str] = {}
        self._encoded: tuple[bytes, ...] = ()
        self._known: frozenset[str] = frozenset()
        self._warned = False

    def is_suspect(self, text: bytes) -> bool:
        """Whether there may be anything to mask in this JSON: a quick look before `mask_document`."""
        self._current()
        return b"token" in text or _MARK_BYTES in text or any(form in text for form in self._encoded)

    def mask_document(self, document: Document) -> Document:
        """The same with placeholders in all its texts, names of fields included.

        A placeholder that somebody else wrote, as the name of a torrent may be one, is made harmless: the key would be put there. Without
        a key nothing is, because then those who read get placeholders and may write them again.
        """
        mask = self.mask_text if self._current() is None else lambda text: self.mask_text(_harmless(text))
        masked: Document = _changed(document, mask)
        return masked

    def mask_text(self, text: str) -> str:
        """Known keys anywhere, and whatever is the `token` of a TorBox address, give way to placeholders."""
        for form, placeholder in self._replacements.items():
            if form in text:
                text = text.replace(form, placeholder)
        return _TOKEN.sub(_mask_token, text) if "token" in text else text

    def mask_bytes(self, data: bytes) -> bytes:
        """A file's content, whatever it is; all bytes but those of keys stay as they are."""
        self._current()
        return self.mask_text(data.decode("latin-1")).encode("latin-1")

    def unmasking(self) -> Callable[[Document], Document] | None:
        """What puts the key of now into documents; None without a key, of which the log is told once."""
        key = self._current()
        if key is None:
            if not self._warned:
                self._warned = True
                _log.warning("there is no TorBox key: the links of records are handed out with %s in its place", PLACEHOLDER)
            return None
        self._warned = False
        in_urls = quote(key, safe="")

        def unmask_text(text: str) -> str:
            return text.replace(URL_PLACEHOLDER, in_urls).replace(PLACEHOLDER, key) if MARK in text else text

        return lambda document: _changed(document, unmask_text)

    def _current(self) -> str | None:
        try:
            key = self._key.get()
        except KeyMissing:
            return None
        if key not in self._known:
            self._remember(key)
        return key

    def _remember(self, key: str) -> None:
        in_urls, escaped = quote(key, safe=""), json.dumps(key)[1:-1]
        added = {f"token={mark}{key}{mark}": f"token={URL_PLACEHOLDER}" for mark in "\"'"}  # from a program that left the quotes on
        added |= {key: PLACEHOLDER, escaped: PLACEHOLDER, escaped.replace("/", "\\/"): PLACEHOLDER}
        if in_urls != key:
            added[in_urls] = URL_PLACEHOLDER
        # The longest first: a key may be part of its own other forms. A new dict, because other threads go through this one.
        self._replacements = dict(sorted((self._replacements | added).items(), key=lambda each: len(each[0]), reverse=True))
        self._encoded = tuple(map(str.encode, self._replacements))
        self._known |= {key}


def holds_placeholder(value: Any) -> bool:
    """Whether a document, or a part of one, has a place for the key."""
    if type(value) is str:
        return MARK in value
    if type(value) is dict:
        return any(map(holds_placeholder, value.values())) or any(map(holds_placeholder, value))
    return type(value) is list and any(map(holds_placeholder, value))


def _harmless(text: str) -> str:
    return text.replace(PLACEHOLDER, f"({MARK})").replace(URL_PLACEHOLDER, quote(f"({MARK})", safe="")) if MARK in text else text


def _mask_token(match: Any) -> str:
    found: str = match[0]
    return match[0][: match.start(1) - match.start()] + URL_PLACEHOLDER if _is_of_torbox(match.string, match.start()) else found


def _is_of_torbox(text: str, start: int) -> bool:
    """Whether the `token` that begins at `start` is a parameter of an address of TorBox, whoever serves it."""
    before = text[max(0, start - _LONGEST_ADDRESS) : start]
    if not before.endswith(_BEFORE_TOKEN):
        return False
    address = before[max(map(before.rfind, _ENDS)) + 1 :].casefold()
    return "http" in address and ("torbox" in address or "requestdl" in address)


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    """The same with all texts changed; parts in which there is nothing to change are not copied."""
    kind = type(value)
    if kind is str:
        return change(value)
    if kind is dict:
        changed = {change(name): _changed(part, change) for name, part in value.items()}
        same = all(one is other for one, other in zip(changed.values(), value.values(), strict=False)) and changed.keys() == value.keys()
        return value if same else changed
    if kind is list:
        parts = [_changed(part, change) for part in value]
        return value if all(one is other for one, other in zip(parts, value, strict=True)) else parts
    return value
