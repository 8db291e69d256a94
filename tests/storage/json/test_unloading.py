"""What nobody uses any more leaves the memory of an open store, and nothing of it is lost."""

from __future__ import annotations

import gc
import random
import tracemalloc
from pathlib import Path

from storage import JSONDatabase
from storage.files import Files
from storage.json.store import Store

_MEGABYTE = 1 << 20


def test_dicts_that_were_closed_leave_the_memory_of_a_store_that_stays_open(tmp_path: Path) -> None:
    stays = JSONDatabase("stays", tmp_path, checkpoint_bytes=_MEGABYTE)
    tracemalloc.start()
    try:
        for number in range(40):
            database = JSONDatabase(f"dict-{number}", tmp_path)
            assert database.set_value("text", chr(97 + number % 26) * _MEGABYTE)[0]
            database.close()
        del database
        stays._store.checkpoint()
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 8 * _MEGABYTE
    for number in range(40):
        again = JSONDatabase(f"dict-{number}", tmp_path)
        assert again.get_value("text") == (True, chr(97 + number % 26) * _MEGABYTE)
        again.close()
    stays.close()


def test_dicts_that_come_and_go_between_commits_and_checkpoints_lose_nothing(tmp_path: Path) -> None:
    choose = random.Random(14)
    stays = JSONDatabase("stays", tmp_path)
    expected: dict[str, dict[str, int]] = {f"dict-{number}": {} for number in range(6)}
    opened: dict[str, JSONDatabase] = {}
    for step in range(3000):
        name = choose.choice(list(expected))
        match choose.choice(["write", "write", "write", "delete", "close", "forget", "checkpoint"]):
            case "write" | "delete" as what:
                database = opened.get(name) or opened.setdefault(name, JSONDatabase(name, tmp_path))
                key = str(choose.randrange(5))
                if what == "write":
                    assert database.set_value(key, step)[0]
                    expected[name][key] = step
                else:
                    assert database.delete_key(key)[0] == (expected[name].pop(key, None) is not None)
            case "close":
                if name in opened:
                    opened.pop(name).close()
            case "forget":
                opened.pop(name, None)
            case "checkpoint":
                stays._store.checkpoint()
        if step % 100 == 0:
            for each, values in expected.items():
                database = JSONDatabase(each, tmp_path)
                assert {key: database.get_value(key)[1] for key in database.all_keys()} == values
                database.close()
    for database in opened.values():
        database.close()
    stays.close()
    for each, values in expected.items():
        database = JSONDatabase(each, tmp_path)
        assert {key: database.get_value(key)[1] for key in database.all_keys()} == values
        database.close()


def test_what_was_closed_before_its_checkpoint_is_there_after_a_crash(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in range(10):
        store.commit_one(store.table(f"dict-{number}"), "ann", b"%d" % number, sync=True)
        if number == 4:
            store.checkpoint()
            gc.collect()
    store.abandon()  # what a killed process does: nothing
    again = Store(tmp_path)
    assert [bytes(again.copy(again.table(f"dict-{number}"))["ann"]) for number in range(10)] == [b"%d" % number for number in range(10)]
    again.close()


class ReadFiles(Files):
    def __init__(self) -> None:
        self.read_paths: list[Path] = []

    def read(self, path: Path) -> bytes:
        self.read_paths.append(path)
        return super().read(path)


def test_a_start_reads_no_snapshot_of_what_nobody_asks_for(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in range(20):
        store.commit_one(store.table(f"service_1.channel_{number}.bars"), "ann", b"1", sync=False)
    store.close()
    disk = ReadFiles()
    again = Store(tmp_path, files=disk)
    asked = again.table("service_1.channel_7.bars")
    assert bytes(again.copy(asked)["ann"]) == b"1"
    again.close()
    assert [path for path in disk.read_paths if path.suffix == ".json"] == [asked.path]
