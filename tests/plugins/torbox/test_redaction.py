"""The key: where it is read, what counts as one, and where it is found again."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from urllib.parse import quote

import pytest

from mooring.plugins.torbox.redaction import REPLACEMENT, KeyMissing, SecretFound, Secrets, install_filter

KEY = 'odd/"key"\\with+signs'


def secrets(key: str = KEY) -> Secrets:
    return Secrets(environment={"TORBOX_API_KEY": key})


@pytest.mark.parametrize("form", [KEY, quote(KEY, safe=""), json.dumps({"x": KEY})])
def test_the_key_is_found_in_every_form(form: str) -> None:
    text = f"before {form} after"
    assert secrets().found_in(text)
    assert secrets().redact(text).count(REPLACEMENT) == 1
    assert KEY not in secrets().redact(text)
    with pytest.raises(SecretFound) as caught:
        secrets().check(text, "The text")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("key", ["", "short", "has spaces in it", "ümläute-im-schlüssel", "line\nbreak-inside"])
def test_what_cannot_be_a_key_is_none(key: str) -> None:
    with pytest.raises(KeyMissing) as caught:
        secrets(key).key()
    assert not key or key not in str(caught.value)
    assert not secrets(key).found_in("a text")


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("  key-from-the-file\n")
    assert Secrets(file, {"TORBOX_API_KEY": "key-from-outside"}).key() == "key-from-outside"
    assert Secrets(file, {}).key() == "key-from-the-file"


def test_a_file_that_cannot_be_read_is_told_without_its_content(tmp_path: Path) -> None:
    with pytest.raises(KeyMissing, match="api_key_file cannot be read"):
        Secrets(tmp_path / "missing", {}).key()
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KeyMissing, match="cannot be read"):
        Secrets(tmp_path / "binary", {}).key()


def test_a_key_that_was_changed_stays_a_secret() -> None:
    environment = {"TORBOX_API_KEY": "first-key-of-all"}
    own = Secrets(environment=environment)
    own.key()
    environment["TORBOX_API_KEY"] = "second-key-of-all"
    own.key()
    assert own.redact("first-key-of-all second-key-of-all") == f"{REPLACEMENT} {REPLACEMENT}"


def test_messages_arguments_and_tracebacks_are_redacted_in_every_logger() -> None:
    stream = io.StringIO()
    logger = logging.getLogger("somebody.elses.logger")
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    remove = install_filter(secrets())
    try:
        logger.error("plain %s", KEY)
        logger.error("%s and %s", f"https://x/?token={quote(KEY, safe='')}", {"key": 1})
        try:
            raise ValueError(f"with {KEY}")
        except ValueError:
            logger.exception("failed")
        logger.error("harmless %s", "text")
    finally:
        remove()
        logger.removeHandler(handler)
    text = stream.getvalue()
    assert KEY not in text
    assert quote(KEY, safe="") not in text
    assert text.count(REPLACEMENT) == 3
    assert "Traceback" in text
    assert "harmless text" in text


def test_the_filter_goes_as_it_came() -> None:
    before = logging.getLogRecordFactory()
    install_filter(secrets())()
    assert logging.getLogRecordFactory() is before
