"""Files that handlers send: members can fetch them, and nothing else on the machine."""

from __future__ import annotations

import wave
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.plugins.web.harness import Client, Gateway, gateway
from tests.plugins.web.visitor import visitor

PICTURE = b"\x89PNG\r\n\x1a\n and so on"
PAGE = b"<script>alert(1)</script>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "to send"
    folder.mkdir()
    (folder / "map of ä.png").write_bytes(PICTURE)
    (folder / "page.html").write_bytes(PAGE)
    (folder / "drawing.svg").write_bytes(b"<svg><script>1</script></svg>")
    return folder


def sending(root: Path, folder: Path) -> AbstractAsyncContextManager[Gateway]:
    return gateway(root, plugins=[{"name": "sending", "config": {"folder": str(folder)}}])


async def sent(client: Client, line: str) -> dict[str, Any]:
    await client.say(line)
    content: dict[str, Any] = [frame["body"]["content"] for frame in client.frames if frame["type"] == "message_down"][-1]
    return content


async def test_a_picture_is_shown_in_place_also_after_a_restart(tmp_path: Path, folder: Path) -> None:
    async with sending(tmp_path, folder) as place, place.member("ann") as ann:
        content = await sent(ann, '/send "map of ä.png"')
        assert (content["filename"], content["size"]) == ("map of ä.png", len(PICTURE))
        assert str(folder) not in content["path"]
        answer = await place.get(content["path"])
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, PICTURE, "image/png")
        assert answer.headers["content-disposition"].startswith("inline")
    async with sending(tmp_path, folder) as again:
        assert (await again.get(content["path"])).content == PICTURE


@pytest.mark.parametrize("name", ["page.html", "drawing.svg"])
async def test_what_could_hold_a_script_is_only_given_to_be_kept(tmp_path: Path, folder: Path, name: str) -> None:
    async with sending(tmp_path, folder) as place, place.member("ann") as ann:
        answer = await place.get((await sent(ann, f"/slip {name}"))["path"])
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment")
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_path_that_a_member_wrote_opens_nothing(tmp_path: Path, folder: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    async with sending(tmp_path, folder) as place, place.member("ann") as ann:
        body = {"channel_id": "tavern", "content": {"text": "look", "path": str(secret)}}
        await ann.ask("message_up", body)
        paths = {frame["body"]["content"].get("path") for frame in ann.frames if frame["type"] == "message_down"}
        assert not any(path and path.startswith("/files/") for path in paths)


async def test_nobody_guesses_and_nothing_else_is_there(tmp_path: Path, folder: Path) -> None:
    async with sending(tmp_path, folder) as place, place.member("ann") as ann:
        content = await sent(ann, "/send page.html")
        (folder / "page.html").unlink()
        unknown = f"/files/library/{'0' * 32}/x"
        for path in (content["path"], "/files/", "/files/tavern/", "/files/none/0/x", "/files/tavern/../../secret.txt", unknown):
            assert (await place.get(path)).status_code == 404, path


@pytest.mark.browser
async def test_a_sound_can_be_played_in_the_page(tmp_path: Path, folder: Path, chromium: Browser) -> None:
    with wave.open(str(folder / "bell.wav"), "wb") as sound:
        sound.setparams((1, 1, 8_000, 0, "NONE", ""))
        sound.writeframes(bytes([128, 255, 128, 0]) * 1_000)
    async with sending(tmp_path, folder) as place, visitor(chromium, place.address, "ann") as ann:
        await ann.say("/send bell.wav")
        player = ann.page.locator("audio")
        await expect(player).to_be_visible()
        await expect(player).to_have_attribute("aria-label", "bell.wav")
        assert not [url for url in ann.requests if "bell.wav" in url], "nothing is fetched that nobody wants to hear"
        seconds = await player.evaluate(
            """(player) => new Promise((resolve, reject) => {
                player.onloadedmetadata = () => resolve(player.duration);
                player.onerror = () => reject(player.error.message);
                player.load();
                player.preload = "metadata";
            })"""
        )
        assert seconds == pytest.approx(0.5)
        assert ann.complaints == []
