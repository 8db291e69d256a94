"""The key: where it is read, what counts as one, and that it stays hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from mooring.plugins.torbox.api_key import ApiKey, KeyMissing


@pytest.mark.parametrize("key", ["", "short", "has spaces in it", "ümläute-im-schlüssel", "line\nbreak-inside", '""'])
def test_what_cannot_be_a_key_is_none(key: str) -> None:
    own = ApiKey(environment={"TORBOX_API_KEY": key})
    with pytest.raises(KeyMissing) as caught:
        own.get()
    assert not key.strip('"') or key not in str(caught.value)
    assert not own.secrets.found_in("a text")


@pytest.mark.parametrize("written", ["the-key-itself", ' "the-key-itself" ', "'the-key-itself'\n", '" the-key-itself"'])
def test_quotes_and_blanks_around_a_key_are_no_part_of_it(written: str, tmp_path: Path) -> None:
    assert ApiKey(environment={"TORBOX_API_KEY": written}).get() == "the-key-itself"
    (tmp_path / "key").write_text(written)
    assert ApiKey(tmp_path / "key", {}).get() == "the-key-itself"


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("  key-from-the-file\n")
    assert ApiKey(file, {"TORBOX_API_KEY": "key-from-outside"}).get() == "key-from-outside"
    assert ApiKey(file, {}).get() == "key-from-the-file"


def test_a_file_that_cannot_be_read_is_told_without_its_content(tmp_path: Path) -> None:
    with pytest.raises(KeyMissing, match="api_key_file cannot be read"):
        ApiKey(tmp_path / "missing", {}).get()
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KeyMissing, match="cannot be read"):
        ApiKey(tmp_path / "binary", {}).get()


def test_a_key_that_was_changed_stays_a_secret() -> None:
    heard: list[str] = []
    environment = {"TORBOX_API_KEY": "first-key-of-all"}
    own = ApiKey(environment=environment, on_new=heard.append)
    own.get()
    environment["TORBOX_API_KEY"] = "second-key-of-all"
    own.get()
    own.get()
    assert own.secrets.hide("first-key-of-all second-key-of-all") == "[secret] [secret]"
    assert heard == ["first-key-of-all", "second-key-of-all"]
