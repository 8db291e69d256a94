"""The TorBox key: where it comes from, and that whoever needs it is told how to set it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from mooring import Secrets

KEY_VARIABLE = "TORBOX_API_KEY"
SHORTEST_KEY = 8

HOW_TO_SET = f"set the environment variable {KEY_VARIABLE}, or name a file that holds the key as api_key_file in the plugin's config, and restart"


class KeyMissing(Exception):
    """There is no usable key; the text says how to set one, and never what was found."""


class ApiKey:
    """The key as it is now: the environment's, or else the content of the config's file, read when it is asked for."""

    def __init__(
        self, key_file: str | Path | None = None, environment: Mapping[str, str] | None = None, *, on_new: Callable[[str], None] | None = None
    ) -> None:
        """`on_new` hears each key that is seen for the first time."""
        self.secrets = Secrets()
        """Hides every key that there has been: one that was changed while the service runs stays a secret."""
        self._key_file = Path(key_file) if key_file else None
        self._environment = os.environ if environment is None else environment
        self._on_new = on_new
        self._seen: frozenset[str] = frozenset()
        self._file_content: tuple[tuple[int, int, int], str] = ((-1, -1, -1), "")

    def get(self) -> str:
        """The key. Raises KeyMissing."""
        key = _unquoted(self._environment.get(KEY_VARIABLE, "")) or self._from_file()
        if not key:
            raise KeyMissing(f"There is no TorBox key: {HOW_TO_SET}.")
        if key not in self._seen:
            self._remember(key)
        return key

    def _remember(self, key: str) -> None:
        if len(key) < SHORTEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
            # A shorter one would be "found" in half of all records, and none of these is a key that TorBox gives out.
            raise KeyMissing(f"What is set as the TorBox key cannot be one (it has {SHORTEST_KEY} characters or more, and no spaces): {HOW_TO_SET}.")
        self.secrets.add(key)
        if self._on_new is not None:
            self._on_new(key)
        self._seen |= {key}

    def _from_file(self) -> str:
        if self._key_file is None:
            return ""
        try:
            status = self._key_file.stat()
            version = (status.st_mtime_ns, status.st_size, status.st_ino)
            if version != self._file_content[0]:  # every write of a record asks
                self._file_content = (version, _unquoted(self._key_file.read_text(encoding="utf-8")))
            return self._file_content[1]
        except (OSError, UnicodeDecodeError) as error:
            raise KeyMissing(f"The file that the config names as api_key_file cannot be read ({type(error).__name__}): {HOW_TO_SET}.") from None


def _unquoted(text: str) -> str:
    """Without blanks around it, and without the quotes that `docker run --env-file` and systemd leave where a shell takes them away."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return text
