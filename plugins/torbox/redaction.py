"""The TorBox key: where it comes from, and that it goes nowhere.

`Secrets` knows the key; records and messages are checked against it before they are stored or sent, and a filter takes it out of
log records.
"""

from __future__ import annotations

import json
import logging
import os
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

KEY_VARIABLE = "TORBOX_API_KEY"
SHORTEST_KEY = 8
REPLACEMENT = "[TorBox key]"

HOW_TO_SET = f"set the environment variable {KEY_VARIABLE}, or name a file that holds the key as api_key_file in the plugin's config, and restart"


class KeyMissing(Exception):
    """There is no usable key; the text says how to set one, and never what was found."""


class SecretFound(ValueError):
    """The key stands where it must not; the text does not repeat it."""


class Secrets:
    """The key as it is now: the environment's, or else the content of the config's file, read when it is asked for."""

    def __init__(self, key_file: str | Path | None = None, environment: Mapping[str, str] | None = None) -> None:
        self._key_file = Path(key_file) if key_file else None
        self._environment = os.environ if environment is None else environment
        self._forms: dict[str, tuple[str, ...]] = {}

    def key(self) -> str:
        """The key, or KeyMissing."""
        key = self._environment.get(KEY_VARIABLE, "").strip() or self._from_file()
        if not key:
            raise KeyMissing(f"There is no TorBox key: {HOW_TO_SET}.")
        if len(key) < SHORTEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
            # A shorter one would be "found" in half of all records, and none of these is a key that TorBox gives out.
            raise KeyMissing(f"What is set as the TorBox key cannot be one (it has {SHORTEST_KEY} characters or more, and no spaces): {HOW_TO_SET}.")
        self._remember(key)
        return key

    def found_in(self, text: str) -> bool:
        """Whether the key, as it is or as URLs and JSON write it, occurs in `text`."""
        return any(form in text for form in self._all_forms())

    def check(self, text: str, place: str) -> None:
        """Raise SecretFound if the key occurs in `text`."""
        if self.found_in(text):
            raise SecretFound(f"{place} holds the TorBox key and was refused")

    def redact(self, text: str) -> str:
        """`text` with the key blotted out."""
        for form in self._all_forms():
            text = text.replace(form, REPLACEMENT)
        return text

    def _all_forms(self) -> Iterable[str]:
        # A key that was changed while the service runs stays a secret, so earlier ones are remembered.
        current = self._environment.get(KEY_VARIABLE, "").strip()
        if current and current not in self._forms and len(current) >= SHORTEST_KEY:
            self._remember(current)
        return [form for forms in self._forms.values() for form in forms] if self._forms else ()

    def _remember(self, key: str) -> None:
        if key not in self._forms:
            self._forms[key] = tuple({key, quote(key, safe=""), json.dumps(key)[1:-1]})

    def _from_file(self) -> str:
        if self._key_file is None:
            return ""
        try:
            return self._key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise KeyMissing(f"The file that the config names as api_key_file cannot be read ({type(error).__name__}): {HOW_TO_SET}.") from None


class RedactingFilter(logging.Filter):
    """Takes the key out of a log record: message, arguments and traceback."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[0] is not None and not record.exc_text:
            text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            if self._secrets.found_in(text):
                # A formatter would render exc_info again, with the key.
                record.exc_info, record.exc_text = None, self._secrets.redact(text)
        message = _rendered(record)
        if self._secrets.found_in(message):
            record.msg, record.args = self._secrets.redact(message), None
        return True


def _rendered(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return str(record.msg)


def install_filter(secrets: Secrets) -> Callable[[], None]:
    """Put the filter before every logger and handler, present and to come; call what is returned to take it away.

    Handlers and loggers have filters of their own only; the factory is the one place that every record comes from.
    """
    redacting = RedactingFilter(secrets)
    before = logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        redacting.filter(record)
        return record

    logging.setLogRecordFactory(make)

    def remove() -> None:
        if logging.getLogRecordFactory() is make:
            logging.setLogRecordFactory(before)

    return remove
