"""No secret gets into the log, wherever in a record it hides."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from mooring.config import LogConfig
from mooring.logging import secrets_in, set_up_logging
from mooring.secrets import Secrets

KEY = "tb-4711-very-secret"


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], root.level = handlers, level


@pytest.mark.usefixtures("root_logger")
def test_secrets_are_hidden_in_messages_arguments_and_tracebacks(tmp_path: Path) -> None:
    secrets = Secrets()
    set_up_logging(LogConfig(terminal_log_level="CRITICAL", log_file=str(tmp_path / "log"), error_log_file=str(tmp_path / "errors")), secrets)
    secrets.add(KEY)
    log = logging.getLogger("test")
    log.info(f"message with {KEY}")
    log.info("argument %s and %r", KEY, {"key": KEY})
    try:
        raise ValueError(f"refused {KEY}")
    except ValueError:
        log.exception("failed")
    text = (tmp_path / "log").read_text() + (tmp_path / "errors").read_text()
    assert KEY not in text
    assert text.count("[secret]") >= 5
    assert "ValueError: refused [secret]" in text
    assert "message with" not in (tmp_path / "errors").read_text(), "each file has its own level"


def test_secrets_of_the_configs_are_found_wherever_they_stand() -> None:
    config = {
        "account_config": {"email": "a@example.org", "password": "pass-of-account"},
        "db_config": [{"settings": {"password": "pass-of-redis", "root_dir": "json_db"}}, {"settings": {"password_env": "REDIS_PASSWORD"}}],
        "service_config": {"plugins": [{"name": "x", "config": {"apiKey": "key-of-plugin", "token": None, "tokens": ["not a field"]}}]},
    }
    found = set(secrets_in(config, {"REDIS_PASSWORD": "pass-of-variable"}))
    assert found == {"pass-of-account", "pass-of-redis", "pass-of-variable", "key-of-plugin"}
