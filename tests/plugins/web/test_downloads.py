"""Fetching files that handlers sent: in parts, unread, and by many at once."""

from __future__ import annotations

import asyncio
import wave
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
import pytest
from playwright.async_api import Browser

from tests.plugins.web.harness import Gateway, gateway
from tests.plugins.web.test_sent_files import sending, sent
from tests.plugins.web.visitor import visitor

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "to send"
    folder.mkdir()
    (folder / "bell.ogg").write_bytes(CONTENT)
    return folder


def size_of(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-9", 0, 10), ("bytes=100-", 100, None), ("bytes=-10", -10, None), ("bytes=10000-99999999", 10_000, None), ("bytes= 5-5", 5, 6)],
)
async def test_a_part_of_a_file(tmp_path: Path, folder: Path, asked: str, start: int, end: int | None) -> None:
    async with sending(tmp_path, folder) as place, place.member("ann") as ann:
        path = (await sent(ann, "/send bell.ogg"))["path"]
        answer = await place.get(path, Range=asked)
        expected = CONTENT[start:end]
        first = start % len(CONTENT)
        assert (answer.status_code, answer.content) == (206, expected)
        assert answer.headers["content-range"] == f"bytes {first}-{first + len(expected) - 1}/{len(CONTENT)}"
        assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-3", "bytes=-", "bytes=x-y", "seconds=0-1", "bytes=٣-٤", f"bytes=0-{'9' * 60}"])
async def test_what_is_no_range_or_several_gets_the_whole(tmp_path: Path, folder: Path, asked: str) -> None:
    async with sending(tmp_path, folder) as place, place.member("ann") as ann:
        path = (await sent(ann, "/send bell.ogg"))["path"]
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(place.address.rstrip("/") + path, headers={b"Range": asked.encode()})
        assert (answer.status_code, answer.content) == (200, CONTENT)


@pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=99999-100000", "bytes=-0"])
async def test_beyond_the_end_there_is_nothing(tmp_path: Path, folder: Path, asked: str) -> None:
    async with sending(tmp_path, folder) as place, place.member("ann") as ann:
        answer = await place.get((await sent(ann, "/send bell.ogg"))["path"], Range=asked)
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")


async def test_a_part_is_of_the_version_that_the_rest_was_of(tmp_path: Path, folder: Path) -> None:
    async with sending(tmp_path, folder) as place, place.member("ann") as ann:
        path = (await sent(ann, "/send bell.ogg"))["path"]
        etag = (await place.get(path)).headers["etag"]
        assert (await place.get(path, If_None_Match=etag)).status_code == 304
        assert (await place.get(path, Range="bytes=0-9", If_Range=etag)).status_code == 206
        (folder / "bell.ogg").write_bytes(CONTENT[::-1])
        changed = await place.get(path, Range="bytes=0-9", If_Range=etag)
        assert (changed.status_code, changed.content) == (200, CONTENT[::-1])
        assert (await place.get(path, If_None_Match=etag)).status_code == 200


async def test_head_says_how_large_a_file_is(tmp_path: Path, folder: Path) -> None:
    async with sending(tmp_path, folder) as place, place.member("ann") as ann, httpx.AsyncClient(trust_env=False) as http:
        for path, size in (((await sent(ann, "/send bell.ogg"))["path"], str(len(CONTENT))), ("/", None), ("/healthz", "6")):
            answer = await http.head(place.address.rstrip("/") + path)
            assert (answer.status_code, answer.content) == (200, b"")
            assert size is None or answer.headers["content-length"] == size


async def test_an_empty_file_and_a_large_one_arrive_whole(tmp_path: Path, folder: Path) -> None:
    (folder / "none.txt").touch()
    large = b"0123456789abcdef" * 500_000
    (folder / "large.bin").write_bytes(large)
    async with sending(tmp_path, folder) as place, place.member("ann") as ann:
        assert (await place.get((await sent(ann, "/send none.txt"))["path"])).content == b""
        assert (await place.get((await sent(ann, "/send large.bin"))["path"])).content == large


async def unread(place: Gateway, path: str, stack: AsyncExitStack) -> asyncio.StreamReader:
    """Ask for a file, and read nothing but what comes by itself."""
    host, port = place.address.removeprefix("http://").rstrip("/").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    stack.callback(_abort, writer)
    return reader


def _abort(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def test_what_nobody_reads_is_not_in_memory_and_others_go_on(tmp_path: Path, folder: Path) -> None:
    size_of(folder / "film.bin", 60_000_000)
    process = psutil.Process()
    async with AsyncExitStack() as stack:
        async with sending(tmp_path, folder) as place, place.member("ann") as ann:
            path = (await sent(ann, "/send film.bin"))["path"]
            before = process.memory_info().rss
            readers = [await unread(place, path, stack) for _ in range(60)]
            await asyncio.gather(*(reader.readline() for reader in readers[:20]))
            assert (await ann.say("good evening"))["body"]["ok"]
            assert (await place.get("/")).status_code == 200
            assert process.memory_info().rss - before < 150_000_000
        # The service has stopped, and nobody had to read 60 files first.
        for reader in readers:
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(60_000_000)


async def test_others_wait_until_there_is_a_place(tmp_path: Path, folder: Path) -> None:
    size_of(folder / "film.bin", 60_000_000)
    web = {"limits": {"downloads": 1}}
    async with gateway(tmp_path, web=web, plugins=[{"name": "sending", "config": {"folder": str(folder)}}]) as place, place.member("ann") as ann:
        film, bell = [(await sent(ann, f"/send {name}"))["path"] for name in ("film.bin", "bell.ogg")]
        async with AsyncExitStack() as stack:
            await (await unread(place, film, stack)).readline()
            waiting = asyncio.create_task(place.get(bell))
            assert (await place.get("/")).status_code == 200
            assert not waiting.done()
        assert (await waiting).content == CONTENT


async def test_who_waits_for_too_long_is_told_when_to_come_back(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mooring.plugins.web.downloads._WAIT_SECONDS", 0.2)
    size_of(folder / "film.bin", 60_000_000)
    async with AsyncExitStack() as stack, sending(tmp_path, folder) as place, place.member("ann") as ann:
        path = (await sent(ann, "/send film.bin"))["path"]
        for _ in range(20):
            await (await unread(place, path, stack)).readline()
        answer = await place.get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


async def test_a_file_that_becomes_shorter_is_not_taken_for_all_of_it(tmp_path: Path, folder: Path) -> None:
    size_of(folder / "film.bin", 60_000_000)
    async with AsyncExitStack() as stack, sending(tmp_path, folder) as place, place.member("ann") as ann:
        reader = await unread(place, (await sent(ann, "/send film.bin"))["path"], stack)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: 60000000" in head
        size_of(folder / "film.bin", 1_000)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(60_000_000)


async def test_who_stops_reading_is_let_go(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mooring.plugins.web.downloads._PIECE_SECONDS", 0.2)
    size_of(folder / "film.bin", 60_000_000)
    async with AsyncExitStack() as stack, sending(tmp_path, folder) as place, place.member("ann") as ann:
        reader = await unread(place, (await sent(ann, "/send film.bin"))["path"], stack)
        await reader.readuntil(b"\r\n\r\n")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.sleep(1)
            await reader.readexactly(60_000_000)


@pytest.mark.browser
async def test_a_sound_can_be_seeked(tmp_path: Path, folder: Path, chromium: Browser) -> None:
    with wave.open(str(folder / "song.wav"), "wb") as sound:
        sound.setparams((1, 2, 48_000, 0, "NONE", ""))
        sound.writeframes(bytes(2 * 48_000 * 300))
    async with sending(tmp_path, folder) as place, visitor(chromium, place.address, "ann") as ann:
        await ann.say("/send song.wav")
        seconds = await ann.page.locator("audio").evaluate(
            """(player) => new Promise((resolve, reject) => {
                player.onloadedmetadata = () => (player.currentTime = 250);
                player.onseeked = () => resolve(player.currentTime);
                player.onerror = () => reject(player.error.message);
                player.preload = "auto";
                player.load();
            })"""
        )
        assert seconds == pytest.approx(250)
