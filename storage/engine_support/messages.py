"""What our engines say in the same words."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from storage.errors import KeyRefused

_log = logging.getLogger(__name__)


def report_unused(engine: object, settings: Mapping[str, Any]) -> None:
    """Tell that an engine ignores these settings: one config may name settings of several engines.

    The values stay out of the log, because one of them may be a password.
    """
    if settings:
        _log.info("%r has no use for the settings %s and ignores them", engine, ", ".join(sorted(settings)))


def key_refusal(key: object) -> str | None:
    """The message for a key that is not a string, None for one that is."""
    return None if type(key) is str else str(KeyRefused(key))


def missing(key: str) -> str:
    """The message for a key that is not there."""
    return f"there is no key {key!r}"
