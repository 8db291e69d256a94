"""The key in records: on the disk there is a placeholder, and who reads through the table gets the key of today."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tinydb import Query, TinyDB, where
from tinydb.middlewares import CachingMiddleware
from tinydb.table import Document

from mooring.plugins.torbox.api_key import ApiKey
from mooring.plugins.torbox.backups import clear_with_copy, newest_copy, restore
from mooring.plugins.torbox.database_functions import closeAllDatabases, find, getAllData, getDatabase, insertData, search
from mooring.plugins.torbox.key_mask import PLACEHOLDER, URL_PLACEHOLDER, KeyMask
from mooring.plugins.torbox.pool import SHARED_POOL, PoolSettings
from mooring.plugins.torbox.tinydb_storage import JournalStorage
from tests.plugins.torbox.torbox_server import KEY

OTHER_KEY = "0a1b2c3d-1111-2222-3333-444455556666"
ODD_KEY = 'odd/"key"\\with+signs'


def link(key: str, number: int = 1) -> str:
    return f"https://api.torbox.app/v1/api/torrents/requestdl?token={key}&torrent_id={number}&file_id=0&redirect=true"


def record(key: str = KEY, number: int = 1) -> dict[str, Any]:
    return {"item_id": number, "type": "torrents", "file_id": 0, "file_name": f"film {number}.mkv", "download_link": link(key, number)}


def _cached(path: Path, mask: KeyMask) -> Any:
    middleware: Any = CachingMiddleware
    return middleware(JournalStorage)(path, mask=mask)


def on_disk(folder: Path, *secrets: str) -> list[str]:
    """The files in which one of the secrets occurs."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets)]


def database() -> TinyDB:
    found = getDatabase("torrents")
    assert found is not None
    return found


def test_records_come_back_as_they_went_in_and_no_file_holds_the_key(key: str, own_folder: Path) -> None:
    records = [
        record(),
        {**record(number=2), "metadata_season": [1, 2], "deep": {"list": [f"Bearer {key}", {"key": key}], key: "as a name"}},
        {"api_key": key, "text": f"x{key}{key}y"},
    ]
    for each in records:
        assert insertData(each, "torrents") == (True, "Data inserted successfully.")
    assert on_disk(own_folder, key) == []
    assert getAllData("torrents")[0] == records
    closeAllDatabases()
    assert on_disk(own_folder, key) == []
    assert getAllData("torrents")[0] == records


def test_links_follow_a_key_that_was_changed(key: str, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    insertData(record(), "torrents")
    assert database().search(where("download_link") == link(key)) == [record()]
    monkeypatch.setenv("TORBOX_API_KEY", OTHER_KEY)
    assert getAllData("torrents")[0] == [record(OTHER_KEY)]
    assert database().search(where("download_link") == link(key)) == []
    assert database().search(where("download_link") == link(OTHER_KEY)) == [record(OTHER_KEY)]
    insertData(record(key, 2), "torrents")  # a program that still has the old one
    closeAllDatabases()
    assert on_disk(own_folder, key, OTHER_KEY) == []


READS: list[Callable[[TinyDB], Any]] = [
    lambda database: database.all()[0],
    lambda database: next(iter(database)),
    lambda database: database.get(doc_id=1),
    lambda database: database.get(doc_ids=[1])[0],
    lambda database: database.get(where("item_id") == 1),
    lambda database: database.get((where("item_id") == 1) & (where("file_id") == 0)),
    lambda database: database.search(where("download_link") == link(KEY))[0],
    lambda database: database.search(Query().download_link.search(KEY))[0],
    lambda database: database.search(where("download_link").test(lambda text: KEY in text))[0],
    lambda database: database.search((where("item_id") == 1) & (where("download_link") == link(KEY)))[0],
    lambda database: database.table(database.default_table_name).all()[0],
]


@pytest.mark.parametrize("number", range(len(READS)))
def test_every_read_of_the_table_hands_the_key_out(key: str, number: int) -> None:
    database().insert_multiple([record(), record(number=2)])
    for _ in range(2):  # the second time from a cache, if there is one
        assert READS[number](database()) == record()
    READS[number](database())["download_link"] = "changed by who read it"
    assert READS[number](database()) == record()


def test_queries_with_the_key_find_and_change(key: str, own_folder: Path) -> None:
    database().insert_multiple([record(number=number) for number in (1, 2, 3, 4)])
    assert database().contains(where("download_link") == link(key, 2))
    assert database().count(Query().download_link.search(key)) == 4
    assert database().update({"seen": True}, where("download_link") == link(key, 2)) == [2]
    assert database().update(lambda document: document.update(again=document["download_link"]), doc_ids=[3]) == [3]
    assert database().upsert({**record(number=4), "new": 1}, where("download_link") == link(key, 4)) == [4]
    assert database().upsert(Document({"download_link": link(key, 9)}, doc_id=9)) == [9]
    assert database().update_multiple([({"x": key}, where("item_id") == 2)]) == [2]
    assert database().remove(where("download_link") == link(key, 1)) == [1]
    expected = [
        {**record(number=2), "seen": True, "x": key},
        {**record(number=3), "again": link(key, 3)},
        {**record(number=4), "new": 1},
        {"download_link": link(key, 9)},
    ]
    assert getAllData("torrents")[0] == expected
    assert on_disk(own_folder, key) == []
    closeAllDatabases()
    assert getAllData("torrents")[0] == expected
    assert on_disk(own_folder, key) == []


def test_without_a_key_the_placeholder_stays_and_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, own_folder: Path
) -> None:
    monkeypatch.setenv("TORBOX_API_KEY", KEY)
    insertData(record(), "torrents")
    monkeypatch.delenv("TORBOX_API_KEY")
    masked = {**record(), "download_link": link(URL_PLACEHOLDER)}
    for _ in range(3):
        assert getAllData("torrents")[0] == [masked]
        assert database().search(where("download_link") == link(URL_PLACEHOLDER)) == [masked]
    assert [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING] == [
        f"there is no TorBox key: the links of records are handed out with {PLACEHOLDER} in its place"
    ]
    database().update(lambda document: document.update(seen=True), doc_ids=[1])
    insertData(record(OTHER_KEY, 2), "torrents")  # the token of a link is masked, whosever it is
    monkeypatch.setenv("TORBOX_API_KEY", KEY)
    assert getAllData("torrents")[0] == [{**record(), "seen": True}, record(number=2)]
    assert on_disk(own_folder, KEY, OTHER_KEY) == []


def test_a_key_from_a_file_counts_as_well(tmp_path: Path, own_folder: Path) -> None:
    (tmp_path / "key").write_text(f'"{KEY}"\n')
    SHARED_POOL.configure(PoolSettings(tmp_path / "databases"), ApiKey(tmp_path / "key"))
    insertData({**record(), "x": KEY}, "torrents")
    assert getAllData("torrents")[0] == [{**record(), "x": KEY}]
    assert on_disk(tmp_path / "databases", KEY) == []
    (tmp_path / "key").write_text(OTHER_KEY)
    assert getAllData("torrents")[0] == [{**record(OTHER_KEY), "x": OTHER_KEY}]


@pytest.mark.parametrize("written", [f'"{KEY}"', f"'{KEY}'", f" {KEY} "])
def test_a_program_that_left_the_quotes_on_gets_links_that_work(written: str, monkeypatch: pytest.MonkeyPatch, own_folder: Path) -> None:
    monkeypatch.setenv("TORBOX_API_KEY", written)
    insertData(record(written.strip()), "torrents")
    assert getAllData("torrents")[0] == [record()]
    assert on_disk(own_folder, KEY) == []


def test_an_odd_key_comes_back_in_the_form_of_its_place(monkeypatch: pytest.MonkeyPatch, own_folder: Path) -> None:
    monkeypatch.setenv("TORBOX_API_KEY", ODD_KEY)
    kept = {"plain": ODD_KEY, "link": link(quote(ODD_KEY, safe="")), "json": json.dumps([ODD_KEY])}
    insertData(kept, "torrents")
    found = (getAllData("torrents")[0] or [])[0]
    assert (found["plain"], found["link"]) == (kept["plain"], kept["link"])
    assert on_disk(own_folder, ODD_KEY, quote(ODD_KEY, safe=""), json.dumps(ODD_KEY)[1:-1]) == []
    monkeypatch.setenv("TORBOX_API_KEY", KEY)
    assert (getAllData("torrents")[0] or [])[0]["link"] == link(KEY)


def test_only_the_table_puts_the_key_back(key: str) -> None:
    insertData(record(), "torrents")
    masked = {**record(), "download_link": link(URL_PLACEHOLDER)}
    assert find("torrents", 1, 0) == masked
    assert search("torrents", "film") == [masked]


def test_tokens_of_others_stay_as_they_are(key: str) -> None:
    others = {
        "site": "https://example.org/file?token=0123456789abcdef&x=1",
        "text": "token=abc and a requestdl",
        "sum": "https://api.torbox.app/v1/api/torrents/mylist?auth_token=abc",
        "file": "Token=Ring.2020.mkv",
        "cdn": "https://store-1.wnam.tb-cdn.io/dld/1?token=0123456789abcdef",
    }
    insertData(others, "torrents")
    assert database().all() == [others]
    closeAllDatabases()
    with TinyDB(SHARED_POOL.path("torrents")) as stock:
        assert stock.all() == [others]


def test_a_tinydb_file_that_holds_keys_is_cleaned_when_it_is_opened(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TORBOX_API_KEY", KEY)
    file = own_folder / "torbox_db" / "torrents.json"
    file.parent.mkdir()
    with TinyDB(file) as stock:
        stock.insert_multiple([{**record(), "note": f"key {KEY}"}, record(OTHER_KEY, 2), {"x": 1}])
    escaped = file.read_text().replace("/", "\\/").replace("&", "\\u0026")
    file.write_text(escaped)
    assert getAllData("torrents")[0] == [{**record(), "note": f"key {KEY}"}, record(number=2), {"x": 1}]
    assert on_disk(own_folder, KEY, OTHER_KEY) == [], "at once, not at the close"
    assert f"{file} held the TorBox key" in caplog.text
    closeAllDatabases()
    caplog.clear()
    assert len(getAllData("torrents")[0] or []) == 3
    assert "held the TorBox key" not in caplog.text


def test_without_a_key_the_tokens_of_links_are_cleaned_all_the_same(own_folder: Path) -> None:
    file = own_folder / "torbox_db" / "torrents.json"
    file.parent.mkdir()
    with TinyDB(file) as stock:
        stock.insert(record())
    assert getAllData("torrents")[0] == [{**record(), "download_link": link(URL_PLACEHOLDER)}]
    assert on_disk(own_folder, KEY) == []


def test_a_journal_that_holds_a_key_is_cleaned_too(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    insertData({"x": KEY}, "torrents")  # not known as a key then
    database().store.abandon()
    assert on_disk(own_folder, KEY) != []
    monkeypatch.setenv("TORBOX_API_KEY", KEY)
    assert getAllData("torrents")[0] == [{"x": KEY}]
    assert on_disk(own_folder, KEY) == []


def test_what_is_set_aside_is_the_same_but_for_the_key(own_folder: Path, key: str) -> None:
    folder = own_folder / "torbox_db"
    folder.mkdir()
    broken = b'{"_default": {"1": {"a": "' + link(OTHER_KEY).encode() + b'", \xff\xfe "b": "' + key.encode() + b'"\r\n'
    (folder / "torrents.json").write_bytes(broken)
    assert getAllData("torrents")[0] == []
    (kept,) = (folder / "quarantine").iterdir()
    assert kept.read_bytes() == broken.replace(OTHER_KEY.encode(), URL_PLACEHOLDER.encode()).replace(key.encode(), PLACEHOLDER.encode())
    assert on_disk(own_folder, key, OTHER_KEY) == []


@pytest.mark.parametrize("place", ["cleared/20260101T000000000000Z-torrents.json", "quarantine/20260101T000000Z-torrents.json"])
def test_copies_of_an_earlier_version_are_cleaned(own_folder: Path, key: str, place: str) -> None:
    copy = own_folder / "torbox_db" / place
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"\xff" + link(key).encode() + b"\r\n")
    insertData({"x": 1}, "torrents")
    assert copy.read_bytes() == b"\xff" + link(URL_PLACEHOLDER).encode() + b"\r\n"


def test_a_middleware_sees_the_key_and_the_disk_does_not(tmp_path: Path, key: str) -> None:
    mask = KeyMask(ApiKey())
    with TinyDB(tmp_path / "own.json", storage=lambda path: _cached(path, mask)) as own:
        own.insert(record())
        assert own.all() == [record()]
    assert on_disk(tmp_path, key) == []
    with TinyDB(tmp_path / "own.json", storage=JournalStorage, mask=mask) as again:
        assert again.all() == [record()]
        again.update({"x": 1}, where("download_link") == link(key))
        assert again.all() == [{**record(), "x": 1}]
    assert on_disk(tmp_path, key) == []


@pytest.mark.parametrize("written", [PLACEHOLDER, URL_PLACEHOLDER, f"Film.{PLACEHOLDER}.2020"])
def test_a_placeholder_that_somebody_else_wrote_does_not_get_the_key(key: str, own_folder: Path, written: str) -> None:
    insertData({**record(), "folder_name": written}, "torrents")
    found = (getAllData("torrents")[0] or [])[0]
    assert key not in found["folder_name"]
    assert found["download_link"] == link(key)
    database().update({"file_name": written}, doc_ids=[1])
    assert key not in database().all()[0]["file_name"]
    closeAllDatabases()
    assert key not in database().all()[0]["folder_name"]


def test_copies_keep_the_places_of_the_key(key: str, own_folder: Path) -> None:
    kept = {**record(), "note": f"Bearer {key}"}
    insertData(kept, "torrents")
    clear_with_copy(SHARED_POOL, "torrents")
    insertData({"other": 1}, "torrents")
    copy = newest_copy(SHARED_POOL, "torrents")
    assert copy is not None
    assert restore(SHARED_POOL, "torrents", copy) == 1
    assert getAllData("torrents")[0] == [kept]
    replaced = newest_copy(SHARED_POOL, "torrents")
    assert replaced is not None
    assert restore(SHARED_POOL, "torrents", replaced) == 1
    assert getAllData("torrents")[0] == [{"other": 1}]
    assert on_disk(own_folder, key) == []
