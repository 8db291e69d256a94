"""The seven functions: published results, names that are no names, and threads that get in each other's way."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tinydb import TinyDB, where

from mooring.plugins.torbox.database_functions import (
    clearDatabase,
    closeAllDatabases,
    closeDatabase,
    find,
    getAllData,
    getDatabase,
    getDatabaseLock,
    insertData,
    refresh,
    search,
)
from mooring.plugins.torbox.pool import SHARED_POOL, PoolSettings
from mooring.plugins.torbox.records import collect
from tests.plugins.torbox.torbox_server import KEY, make_item, make_items

RECORD = {"item_id": 12345, "file_name": "movie.mkv", "file_size": 1024000000, "metadata_title": "The Matrix", "metadata_years": 1999}


def run_together(*works: Callable[[], Any]) -> list[BaseException]:
    """Run all at once and wait; what they raised."""
    raised: list[BaseException] = []
    ready = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> None:
        ready.wait(30)
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread waits for ever"
    return raised


def test_the_published_example_works(own_folder: Path) -> None:
    database = getDatabase("torrents")
    assert isinstance(database, TinyDB)
    assert getDatabase("torrents") is database
    lock = getDatabaseLock("torrents")
    assert lock is not None
    with lock:
        assert database.all() == []
    assert insertData(RECORD, "torrents") == (True, "Data inserted successfully.")
    data, success, message = getAllData("torrents")
    assert (data, success) == ([RECORD], True)
    assert message
    with lock:
        count = len(database.all())
        database.truncate()
    assert count == 1
    assert getAllData("torrents")[:2] == ([], True)
    assert insertData(RECORD, "torrents")[0]
    assert clearDatabase("torrents")[0]
    assert getAllData("torrents")[:2] == ([], True)
    assert closeDatabase("torrents") == (True, "Database closed successfully.")
    assert closeDatabase("torrents") == (True, "Database was not open.")
    assert (own_folder / "torbox_db" / "torrents.json").is_file()


def test_an_open_database_without_documents_is_one() -> None:
    """The published example asks `if db:`."""
    database = getDatabase("torrents")
    assert database is not None
    assert len(database) == 0
    assert bool(database)


def test_the_same_record_twice_makes_two() -> None:
    insertData(RECORD, "usenet")
    insertData(RECORD, "usenet")
    assert getAllData("usenet")[0] == [RECORD, RECORD]


def test_the_default_name_is_db(own_folder: Path) -> None:
    assert getDatabase() is getDatabase("db")
    assert getDatabaseLock() is getDatabaseLock("db")
    assert closeDatabase() == (True, "Database closed successfully.")
    assert (own_folder / "torbox_db" / "db.json").is_file()


def test_closing_all_counts_what_was_open() -> None:
    for name in ("torrents", "usenet", "webdl"):
        getDatabase(name)
    assert closeAllDatabases() == (True, "Closed 3 database connections.")
    assert closeAllDatabases() == (True, "Closed 0 database connections.")


def test_a_closed_database_opens_again_at_the_next_call() -> None:
    insertData(RECORD, "torrents")
    closeDatabase("torrents")
    assert getAllData("torrents")[0] == [RECORD]
    database = getDatabase("torrents")
    assert database is not None
    database.close()
    assert insertData(RECORD, "torrents")[0]
    assert len(getAllData("torrents")[0] or []) == 2


def test_there_is_no_lock_without_a_database() -> None:
    assert getDatabaseLock("never") is None
    insertData(RECORD, "once")
    lock = getDatabaseLock("once")
    closeDatabase("once")
    assert getDatabaseLock("once") is lock


@pytest.mark.parametrize(
    "name", ["", "../torrents", "a/b", "a\\b", ".", "..", ".hidden", "CON", "nul.txt", "com1", "x" * 101, "a\0b", "a:b", "ends.", "ends ", "ünlaut"]
)
def test_names_that_are_no_plain_file_names_are_refused(own_folder: Path, name: str) -> None:
    assert getDatabase(name) is None
    assert getDatabaseLock(name) is None
    success, message = insertData(RECORD, name)
    assert not success
    assert "not a name" in message
    assert getAllData(name)[:2] == (None, False)
    assert not clearDatabase(name)[0]
    assert [path for path in own_folder.rglob("*") if path.is_file()] == []


def test_a_name_of_another_type_is_refused() -> None:
    assert getDatabase(5) is None  # type: ignore[arg-type]
    assert not insertData(RECORD, None)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [{"a": {1}}, {"a": float("nan")}, "text", None, 5, ["a"]])
def test_what_is_not_a_record_is_refused_with_a_message(data: Any) -> None:
    insertData(RECORD, "torrents")
    success, message = insertData(data, "torrents")
    assert not success
    assert message
    assert getAllData("torrents")[0] == [RECORD]


def test_a_folder_that_cannot_be_used_is_a_message_and_not_an_exception(own_folder: Path) -> None:
    (own_folder / "torbox_db").write_text("a file where the folder should be")
    assert getDatabase("torrents") is None
    assert insertData(RECORD, "torrents")[0] is False
    data, success, message = getAllData("torrents")
    assert (data, success) == (None, False)
    assert message


def test_the_folder_is_configurable(own_folder: Path) -> None:
    insertData(RECORD, "torrents")
    SHARED_POOL.configure(PoolSettings(own_folder / "elsewhere"))
    assert getAllData("torrents")[0] == []
    assert (own_folder / "elsewhere" / "torrents.json").exists()


def test_a_broken_file_is_set_aside_and_the_cache_starts_empty(own_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = own_folder / "torbox_db"
    folder.mkdir()
    (folder / "torrents.json").write_text('{"_default": {"1": {"a":')
    with caplog.at_level(logging.WARNING):
        assert getAllData("torrents")[:2] == ([], True)
    assert "starts empty" in caplog.text
    kept = list((folder / "quarantine").iterdir())
    assert [path.read_text() for path in kept] == ['{"_default": {"1": {"a":']
    assert insertData(RECORD, "torrents")[0]
    assert [finding.kept for finding in SHARED_POOL.findings if finding.kept] == [str(kept[0])]


@pytest.mark.parametrize("content", ["[]", "5", '{"_default": []}', '{"_default": {"1": 5}}', "\x00\x01", "{" * 100_000])
def test_a_file_of_another_shape_is_set_aside(own_folder: Path, content: str) -> None:
    folder = own_folder / "torbox_db"
    folder.mkdir()
    (folder / "webdl.json").write_text(content)
    assert insertData(RECORD, "webdl")[0]
    assert getAllData("webdl")[0] == [RECORD]
    assert len(list((folder / "quarantine").iterdir())) == 1


def test_the_holder_of_the_lock_can_call_every_function() -> None:
    insertData(RECORD, "torrents")
    lock = getDatabaseLock("torrents")
    assert lock is not None
    with lock, lock:
        assert insertData(RECORD, "torrents")[0]
        assert getAllData("torrents")[1]
        assert insertData(RECORD, "usenet")[0]
        assert clearDatabase("torrents")[0]
        assert closeDatabase("torrents")[0]
        assert insertData(RECORD, "torrents")[0]
        assert getDatabase("torrents") is not None
        assert closeAllDatabases() == (True, "Closed 2 database connections.")
    assert len(getAllData("torrents")[0] or []) == 1


def test_others_wait_for_the_holder_of_the_lock() -> None:
    insertData(RECORD, "torrents")
    lock = getDatabaseLock("torrents")
    assert lock is not None
    done = threading.Event()

    def run(work: Callable[[], Any]) -> None:
        work()
        done.set()

    works = (lambda: insertData(RECORD, "torrents"), lambda: closeDatabase("torrents"), lambda: clearDatabase("torrents"))
    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    with lock:
        for thread in threads:
            thread.start()
        assert insertData(RECORD, "usenet")[0]
        assert not done.wait(0.2)
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_threads_that_hold_one_lock_and_want_the_other_do_not_wait_for_ever() -> None:
    for name in ("torrents", "usenet"):
        insertData(RECORD, name)
    together = threading.Barrier(2)
    results: list[Any] = []

    def hold_and_want(own: str, other: str) -> None:
        lock = getDatabaseLock(own)
        assert lock is not None
        with lock:
            together.wait(30)
            results.append(insertData(RECORD, other)[0])
            results.append(closeAllDatabases()[0])

    assert run_together(lambda: hold_and_want("torrents", "usenet"), lambda: hold_and_want("usenet", "torrents")) == []
    assert results == [True] * 4
    assert len(getAllData("torrents")[0] or []) == len(getAllData("usenet")[0] or []) == 2


def test_threads_lose_and_double_nothing_with_closes_in_between() -> None:
    def insert(thread: int) -> None:
        for number in range(500):
            success, message = insertData({"thread": thread, "number": number}, "torrents")
            assert success, message

    def close() -> None:
        for _ in range(20):
            closeDatabase("torrents")
            closeAllDatabases()

    def read() -> None:
        seen = 0
        for _ in range(50):
            data, success, message = getAllData("torrents")
            assert success, message
            assert len(data or []) >= seen
            seen = len(data or [])

    assert run_together(*(lambda thread=thread: insert(thread) for thread in range(16)), close, close, read) == []
    database = getDatabase("torrents")
    assert database is not None
    records = sorted((record["thread"], record["number"]) for record in database.all())
    assert records == [(thread, number) for thread in range(16) for number in range(500)]
    assert sorted(record.doc_id for record in database.all()) == list(range(1, 8001))
    closeAllDatabases()
    assert len(getAllData("torrents")[0] or []) == 8000


def test_clears_in_between_remove_whole_prefixes_and_nothing_else() -> None:
    """After a clear each thread's records go on where they were: no gap within what is left of a thread."""

    def insert(thread: int) -> None:
        for number in range(200):
            assert insertData({"thread": thread, "number": number}, "torrents")[0]

    def clear() -> None:
        for _ in range(5):
            assert clearDatabase("torrents")[0]
            closeDatabase("torrents")

    assert run_together(*(lambda thread=thread: insert(thread) for thread in range(8)), clear) == []
    left: dict[int, list[int]] = {}
    for record in getAllData("torrents")[0] or []:
        left.setdefault(record["thread"], []).append(record["number"])
    for numbers in left.values():
        assert numbers == list(range(numbers[0], 200))


def test_a_generation_takes_the_place_of_the_one_before() -> None:
    records = collect("torrents", make_items(10, files=2)).records
    first = refresh("torrents", records)
    assert (first.added, first.removed, first.changed) == (20, 0, 0)
    assert first.generation.number == 1
    ids = {(record["item_id"], record["file_id"]): record.doc_id for record in getAllData("torrents")[0] or []}
    changed = [{**record, "file_size": 5} if record["item_id"] == 1 else record for record in records if record["item_id"] != 2]
    second = refresh("torrents", [*changed, *collect("torrents", [make_item(77)]).records])
    assert (second.added, second.removed, second.changed) == (1, 2, 2)
    assert str(second) == "+1 -2, 2 changed"
    left = {(record["item_id"], record["file_id"]): record.doc_id for record in getAllData("torrents")[0] or []}
    assert {key: doc_id for key, doc_id in left.items() if key in ids} == {key: doc_id for key, doc_id in ids.items() if key[0] != 2}
    assert left[(77, 0)] not in ids.values()


def test_records_are_found_by_words_and_by_key() -> None:
    refresh("usenet", collect("usenet", [make_item(1, name="Amélie.2001.1080p"), make_item(2, name="The.Matrix.1999.1080p")]).records)
    assert [record["item_id"] for record in search("usenet", "AMELIE 2001")] == [1]
    assert [record["item_id"] for record in search("usenet", "1080p")] == [1, 2]
    assert search("usenet", "matrix 2001") == []
    found = find("usenet", 2, 0)
    assert found is not None
    assert found["metadata_title"] == "The Matrix"
    assert find("usenet", 2, 9) is None


def test_a_refresh_keeps_the_key_out_and_sees_no_change_in_it(key: str, own_folder: Path) -> None:
    records = [{**record, "download_link": f"https://x/requestdl?token={key}"} for record in collect("torrents", make_items(3)).records]
    assert refresh("torrents", records).added == 3
    assert refresh("torrents", records).changed == 0
    assert getAllData("torrents")[0] == records
    closeAllDatabases()
    assert not any(KEY in path.read_text(errors="replace") for path in own_folder.rglob("*") if path.is_file())


def test_a_clear_leaves_the_newest_copies_and_a_program_may_clear_for_ever(own_folder: Path) -> None:
    for number in range(8):
        for name in ("torrents", "my-torrents"):
            assert insertData({"number": number}, name)[0]
            assert clearDatabase(name) == (True, "Database cleared successfully.")
            assert clearDatabase(name)[0]  # there is nothing to keep
    copies = sorted((own_folder / "torbox_db" / "cleared").iterdir())
    for ending in ("Z-torrents.json", "Z-my-torrents.json"):
        kept = [json.loads(path.read_text())["_default"] for path in copies if path.name.endswith(ending)]
        assert [list(documents.values()) for documents in kept] == [[{"number": number}] for number in range(3, 8)]


def test_copies_are_bounded_in_bytes(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mooring.plugins.torbox.backups._KEPT_BYTES", 5000)
    for size in (100, 2000, 2000, 9000):
        insertData({"text": "x" * size}, "torrents")
        clearDatabase("torrents")
    copies = sorted((own_folder / "torbox_db" / "cleared").iterdir())
    assert [path.stat().st_size > 9000 for path in copies] == [True]
    insertData({"text": "x"}, "torrents")
    clearDatabase("torrents")
    assert len(sorted((own_folder / "torbox_db" / "cleared").iterdir())) == 1


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_with_foreign_ids_loses_nothing(own_folder: Path, newline: str, mark: str) -> None:
    documents = {"1": {"a": "x\r\ny"}, "abc": {"a": 2}, "02": {"a": 3}, "-5": {"a": 4}, "7": {"a": 5, "list": [1]}}
    (own_folder / "torbox_db").mkdir()
    file = own_folder / "torbox_db" / "torrents.json"
    file.write_text(mark + json.dumps({"_default": documents}, indent=4), newline=newline, encoding="utf-8")
    assert getAllData("torrents") == (list(documents.values()), True, "Data retrieved successfully.")
    database = getDatabase("torrents")
    assert database is not None
    assert [document.doc_id for document in database] == [1, "abc", "02", "-5", 7]
    assert database.get(doc_id="abc") == {"a": 2}
    assert database.search(where("a") == 3)[0].doc_id == "02"
    assert database.update({"a": 6}, where("a") == 4) == ["-5"]
    assert database.insert({"a": 7}) == 8
    closeAllDatabases()
    assert json.loads(file.read_text()) == {"_default": {**documents, "-5": {"a": 6}, "8": {"a": 7}}}


def test_the_functions_share_their_databases_under_both_names() -> None:
    program = """
import plugins.torbox.database_functions as checkout
import mooring.plugins.torbox.database_functions as installed

assert checkout.insertData({"item_id": 1}, "torrents")[0]
assert installed.getAllData("torrents")[0] == [{"item_id": 1}]
assert checkout.getDatabase("torrents") is installed.getDatabase("torrents")
assert checkout.getDatabaseLock("torrents") is installed.getDatabaseLock("torrents")
assert installed.closeAllDatabases() == (True, "Closed 1 database connections.")
assert checkout.closeDatabase("torrents") == (True, "Database was not open.")
"""
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(root)}, check=True)
