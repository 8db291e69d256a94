"""A program that keeps a media library in the seven functions, as the TorBox media center does: it clears, fetches, and reads again."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tinydb import TinyDB

from mooring.plugins.torbox.database_functions import clearDatabase, closeAllDatabases, getAllData, insertData
from mooring.testing import MakeBot
from tests.plugins.torbox.torbox_server import KEY, TorBoxServer, make_item, make_items

KINDS = {"torrents": "torrent_id", "usenet": "usenet_id", "webdl": "web_id"}


def fetch(server: TorBoxServer, key: str, kind: str) -> Iterator[dict[str, Any]]:
    """The records that the program makes of what TorBox lists."""
    query = {"limit": "1000", "offset": "0", "bypass_cache": "true"}
    answer = httpx.get(f"{server.url}/v1/api/{kind}/mylist", params=query, headers={"Authorization": f"Bearer {key}"})
    for item in answer.json()["data"]:
        for file in item["files"]:
            if file["mimetype"] == "video/x-matroska":
                link = f"{server.url}/v1/api/{kind}/requestdl?token={key}&{KINDS[kind]}={item['id']}&file_id={file['id']}&redirect=true"
                yield {
                    "item_id": item["id"],
                    "type": kind,
                    "folder_name": item["name"],
                    "folder_hash": item["hash"],
                    "file_id": file["id"],
                    "file_name": file["short_name"],
                    "file_size": file["size"],
                    "file_mimetype": file["mimetype"],
                    "path": file["name"],
                    "download_link": link,
                    "extension": ".mkv",
                    "metadata_title": "Title",
                    "metadata_link": None,
                    "metadata_years": [1999, None],
                    "metadata_season": [1, 2],
                    "metadata_episode": None,
                    "metadata_foldername": "Season 1",
                }


def refresh(server: TorBoxServer, key: str) -> list[dict[str, Any]]:
    """Everything anew, by many threads at once."""
    records: list[dict[str, Any]] = []
    for kind in KINDS:
        assert clearDatabase(kind) == (True, "Database cleared successfully.")
        with ThreadPoolExecutor(8) as executor:
            fetched = list(fetch(server, key, kind))
            assert set(executor.map(lambda record: insertData(record, record["type"]), fetched)) == {(True, "Data inserted successfully.")}
        records += fetched
    return records


def cached() -> list[dict[str, Any]]:
    return [record for kind in KINDS for record in getAllData(kind)[0] or []]


def by_file(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(records, key=lambda record: (record["type"], record["item_id"], record["file_id"]))


@pytest.fixture
def filled(server: TorBoxServer) -> TorBoxServer:
    server.items = {"torrents": make_items(20, files=3), "usenet": make_items(10), "webdl": make_items(1)}
    return server


def test_a_refresh_a_read_and_one_after_closing_agree(filled: TorBoxServer, key: str, own_folder: Path) -> None:
    for _ in range(3):
        fresh = by_file(refresh(filled, key))
        assert len(fresh) == 71
        assert by_file(cached()) == fresh
        closeAllDatabases()
        assert by_file(cached()) == fresh
    closeAllDatabases()
    with TinyDB(own_folder / "torbox_db" / "torrents.json") as stock:
        assert len(stock) == 60
    assert not any(KEY.encode() in path.read_bytes() for path in own_folder.rglob("*") if path.is_file())


def test_its_links_work_before_and_after_the_key_is_changed(filled: TorBoxServer, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refresh(filled, key)
    assert all(httpx.get(record["download_link"]).json()["success"] for record in cached())
    filled.key = "0a1b2c3d-1111-2222-3333-444455556666"
    assert not httpx.get(cached()[0]["download_link"]).json()["success"]
    monkeypatch.setenv("TORBOX_API_KEY", filled.key)
    assert all(httpx.get(record["download_link"]).json()["success"] for record in cached())


def test_it_may_clear_for_ever(filled: TorBoxServer, key: str, own_folder: Path) -> None:
    for _ in range(9):
        refresh(filled, key)
    copies = [path.name.partition("Z-")[2] for path in (own_folder / "torbox_db" / "cleared").iterdir()]
    assert {name: copies.count(name) for name in copies} == {"torrents.json": 5, "usenet.json": 5, "webdl.json": 5}


def test_members_see_its_records_and_not_its_links(filled: TorBoxServer, key: str, make_bot: MakeBot) -> None:
    bot = make_bot("torbox", members=["ann"])
    filled.items["webdl"] = [make_item(3, name="Heat.1995")]
    refresh(filled, key)
    assert "1 file of webdl" in bot.say("ann", "/torbox list webdl")
    info = bot.say("ann", "/torbox info webdl/3/0")
    assert "file_name | Heat.1995.mkv" in info
    assert not any(word in info for word in (key, "token=", "http"))
