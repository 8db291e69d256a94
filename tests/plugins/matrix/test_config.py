"""A bad config gets one message that says what would be right, before anything is connected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mooring import PluginError
from mooring.plugins.matrix import Config
from tests.service_for_tests import running

GOOD: dict[str, Any] = {"homeserver": "https://matrix.example.org/", "user": "@bot:example.org"}


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"homeserver": "matrix.example.org"}, "write it like https://"),
        ({"homeserver": "http://matrix.example.org"}, "use https"),
        ({"user": "bot"}, "write it like @bot:example.org"),
        ({"token": "secret"}, "Extra inputs"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(wrong: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ValidationError, match=remedy):
        Config(**{**GOOD, **wrong})


def test_the_token_is_read_from_the_file_or_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("from_the_file\n")
    monkeypatch.setenv("BOT", "from_the_variable")
    assert Config(**GOOD, token_file=file).token() == "from_the_file"
    assert Config(**GOOD, token_variable="BOT").token() == "from_the_variable"


@pytest.mark.parametrize("text", [None, "", "two words", "\u20ac", "a\nb"])
def test_no_token_is_told_with_the_place_where_it_should_be(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "token"
    if text is not None:
        file.write_text(text)
    with pytest.raises(PluginError, match="Put it there") as error:
        Config(**GOOD, token_file=file).token()
    assert str(file) in str(error.value)


async def test_a_room_that_cannot_be_one_is_a_fault_and_a_homeserver_that_is_away_is_none(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    config = {"homeserver": "http://127.0.0.1:9", "user": "@bot:example.org", "token_file": str(tmp_path / "token")}
    plugins = [{"name": "matrix", "config": config}]
    with pytest.raises(PluginError, match="Use the room's id"):
        async with running(tmp_path, channels=[{"id": "tavern", "rooms": ["matrix/#tavern:example.org"]}], plugins=plugins):
            pass
    async with running(tmp_path, channels=[{"id": "tavern", "rooms": ["matrix/!tavern:example.org"]}], plugins=plugins) as driver:
        await driver.join("ann")
        assert driver.service.health()["ready"]
