"""Where log records go, and what never gets there."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mooring.config import LogConfig
from mooring.config_faults import SECRET_FIELD
from mooring.repeated_records import RepeatedRecords
from mooring.secrets import Secrets

log = logging.getLogger(__name__)


def secrets_in(config: Any, environment: Mapping[str, str]) -> Iterator[str]:
    """Every string in a config whose field tells that it is one, and the variables that fields like `password_env` name."""
    if isinstance(config, list):
        for entry in config:
            yield from secrets_in(entry, environment)
    elif isinstance(config, Mapping):
        for field, value in config.items():
            if not isinstance(value, str):
                yield from secrets_in(value, environment)
            elif SECRET_FIELD.search(field):
                yield environment.get(value, "") if field.endswith("_env") else value


class _Formatter(logging.Formatter):
    """Hides secrets in the finished text, so that arguments and tracebacks are covered as well."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return self._secrets.hide(super().format(record))


def set_up_logging(config: LogConfig, secrets: Secrets) -> None:
    """Send the log of the whole process to the terminal and to the files that the config names."""
    for file in (config.log_file, config.error_log_file):
        if file:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [_levelled(logging.StreamHandler(sys.stderr), config.terminal_log_level)]
    if config.log_file:
        handlers.append(_levelled(logging.FileHandler(config.log_file, encoding="utf-8"), config.log_level))
    if config.error_log_file:
        handlers.append(_levelled(logging.FileHandler(config.error_log_file, encoding="utf-8"), config.error_log_level))
    for handler in handlers:
        handler.setFormatter(_Formatter(secrets))
    logging.basicConfig(level=min(handler.level for handler in handlers), handlers=[RepeatedRecords(handlers)], force=True)
    for talkative in ("httpx", "httpcore", "websockets"):
        # A record per request or connection, with URLs and addresses that are nobody's business.
        logging.getLogger(talkative).setLevel(logging.WARNING)
    if config.log_retention:
        log.info("log_retention does nothing here: logrotate and journald rotate files, and a file that was moved away stays in use until a restart")


def _levelled(handler: logging.Handler, level: str) -> logging.Handler:
    handler.setLevel(level)
    return handler
