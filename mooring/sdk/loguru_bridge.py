"""What bots log with loguru, the SDK's logger, goes where the service's log goes: to the same files, by the same levels, with secrets hidden."""

from __future__ import annotations

import logging
import sys
from typing import Any

_LEVELS = {5: "TRACE", 25: "SUCCESS"}
"""Those that loguru has besides the usual ones."""


def take_over_loguru() -> None:
    """Hand on what loguru is given from now on, in the place of its other sinks. Does nothing where it is not loaded."""
    loguru: Any = sys.modules.get("loguru")
    if loguru is None:
        return
    for number, name in _LEVELS.items():
        logging.addLevelName(number, name)
    loguru.logger.remove()
    loguru.logger.add(_hand_on, level=0, format="{message}", catch=True)


def _hand_on(message: Any) -> None:
    record = message.record
    error = record["exception"]
    exc_info = None if error is None else (error.type, error.value, error.traceback)
    logging.getLogger(record["name"] or "loguru").log(record["level"].no, "%s", record["message"], exc_info=exc_info)
