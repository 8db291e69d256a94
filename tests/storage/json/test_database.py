"""JSONDatabase and its store: sharing, closing, owning, recovering. What all engines have in common is in the conformance suite."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.database_interface import DomainChanges, Origin
from storage.dicts.cached_dict import CachedDict
from storage.errors import CommitFailed, ConfigError, StorageError, StorageUnavailable, StoreClosed
from storage.json.database import JSONDatabase
from storage.json.store import Store
from tests.crash.disks import FailingFiles

BARS = "service_1.channel_x.bars"
MANA = "service_1.channel_x.mana"
PARENT = Path(__file__).parents[3]

Opener = Callable[..., JSONDatabase]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opener]:
    databases: list[JSONDatabase] = []

    def open_database(domain: str = BARS, **settings: object) -> JSONDatabase:
        databases.append(JSONDatabase(domain, tmp_path / "store", **settings))  # type: ignore[arg-type]
        return databases[-1]

    yield open_database
    for database in databases:
        database.close()


def plain(database: JSONDatabase) -> dict[str, bytes]:
    return {key: bytes(value) for key, value in database.load_all().items()}


def copy_as_after_a_kill(tmp_path: Path) -> Path:
    target = tmp_path / "killed"
    shutil.copytree(tmp_path / "store", target, dirs_exist_ok=True)
    (target / ".owner").unlink()
    return target


def test_objects_on_one_domain_share_its_content_version_and_lock(opened: Opener) -> None:
    first, second, other = opened(), opened(), opened(MANA)
    first.set_value("ann", 1)
    assert second.get_value("ann") == (True, 1)
    assert (first.version, second.version, other.version) == (1, 1, 0)
    assert first.lock is second.lock
    assert first.lock is not other.lock
    assert first.group() == other.group()
    second.commit_batch([DomainChanges(second, [("a", b"1"), ("b", b"2")]), DomainChanges(other, [("c", b"3")])], Origin(), sync=False)
    assert (first.version, other.version) == (2, 1)
    assert opened().version == 2


def test_one_folder_under_two_names_is_one_store(opened: Opener, tmp_path: Path) -> None:
    first = opened()
    (tmp_path / "link").symlink_to(tmp_path / "store")
    second = JSONDatabase(BARS, str(tmp_path / "link"))
    second.set_value("ann", 1)
    assert first.get_value("ann") == (True, 1)
    second.close()
    assert first.get_value("ann") == (True, 1)


def test_a_clean_close_leaves_readable_files_and_nothing_else(opened: Opener, tmp_path: Path) -> None:
    first, second = opened(), opened(MANA)
    first.set_value("ann", {"hp": 3})
    second.set_value("ann", 5)
    (tmp_path / "store" / "cleared").mkdir()
    (tmp_path / "store" / "cleared" / "2026-01-01-bars.json").write_text("{}")
    first.close()
    assert first.get_value("ann")[0] is False
    assert (tmp_path / "store" / "journal").is_dir()
    second.close()
    left = sorted(str(path.relative_to(tmp_path / "store")) for path in (tmp_path / "store").rglob("*"))
    folder = "service_1/channel_x"
    kept = ["cleared", "cleared/2026-01-01-bars.json"]  # a way back, which no clean close takes
    retained = [name for name in left if name.startswith("retained")]
    assert left == [*kept, *retained, "service_1", folder, f"{folder}/bars.json", f"{folder}/mana.json"]
    assert len(retained) == 2, "the folder, and the one segment that there was"
    assert json.loads((tmp_path / "store" / folder / "bars.json").read_text())["ann"] == {"hp": 3}


def test_reading_leaves_no_file(opened: Opener, tmp_path: Path) -> None:
    database = opened()
    assert list(database.all_keys()) == []
    assert database.get_value("ann")[0] is False
    assert database.delete_key("ann")[0] is False
    database.close()
    assert list((tmp_path / "store").iterdir()) == []


def test_a_forgotten_object_closes_its_store(tmp_path: Path) -> None:
    database = JSONDatabase(BARS, tmp_path / "store")
    database.set_value("ann", 1)
    del database
    gc.collect()
    assert (tmp_path / "store" / "service_1/channel_x/bars.json").is_file()
    assert not (tmp_path / "store" / "journal").exists()


def test_the_end_of_the_interpreter_closes_stores(tmp_path: Path) -> None:
    script = "import sys; from storage.json.database import JSONDatabase as J; d = J('a', sys.argv[1]); d.set_value('k', 1)"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=PARENT, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "retained"]


def test_what_a_kill_leaves_is_replayed_and_told(opened: Opener, tmp_path: Path) -> None:
    first = opened()
    first.commit_batch([DomainChanges(first, [("ann", b"1"), ("bob", b"2")])], Origin("m", "e"), sync=True)
    first.set_value("cid", 3)
    after = JSONDatabase(BARS, copy_as_after_a_kill(tmp_path))
    assert plain(after) == {"ann": b"1", "bob": b"2", "cid": b"3"}
    assert [finding.kind for finding in after.report] == ["replayed"]
    assert "2 commits" in after.report[0].reason
    after.close()


def test_a_clean_close_after_a_crash_leaves_no_journal_even_if_nobody_looked_at_a_dict(opened: Opener, tmp_path: Path) -> None:
    opened().set_value("ann", 1)
    opened(MANA).set_value("bob", 2)
    killed = copy_as_after_a_kill(tmp_path)
    JSONDatabase(BARS, killed).close()

    left = sorted(path.name for path in killed.rglob("*") if path.is_file() and path.parent.name != "retained")
    assert left == ["bars.json", "mana.json"]
    after = JSONDatabase(MANA, killed)
    assert plain(after) == {"bob": b"2"}
    assert after.report == []
    after.close()


def test_the_journal_says_who_and_which_event(opened: Opener, tmp_path: Path) -> None:
    database = opened()
    database.commit_batch([DomainChanges(database, [("ann", b"1"), ("bob", None)])], Origin("mem\ud800", "ev"), sync=True)
    [path] = (tmp_path / "store" / "journal").iterdir()
    record = json.loads(path.read_text().splitlines()[1][9:])
    assert record["event"] == "ev"
    assert record["by"].startswith("$%mem")
    assert record["changes"] == [[BARS, "ann", 1], [BARS, "bob"]]


def test_durability_words(opened: Opener, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match=r"durability.*commit, always, never"):
        opened(durability="sometimes")
    caplog.set_level(logging.INFO)
    opened(durability="always", host="localhost").set_value("ann", 1)
    assert "host" in caplog.text


def test_a_folder_that_cannot_be_one_is_an_error_of_storage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        JSONDatabase(BARS, tmp_path / "file")
    with pytest.raises(StorageError, match="cannot open"):
        JSONDatabase(BARS, "a\0b")


def test_a_forked_child_cannot_use_the_store_and_does_not_hurt_it(opened: Opener, tmp_path: Path) -> None:
    script = """
import os, sys
from storage.json.database import JSONDatabase
from storage.errors import StoreLocked
database = JSONDatabase("a", sys.argv[1])
database.set_value("ann", 1)
child = os.fork()
if child == 0:
    accepted, message = database.set_value("ann", 2)
    try:
        JSONDatabase("b", sys.argv[1])
        locked = False
    except StoreLocked:
        locked = True
    sys.exit(0 if not accepted and "forked" in message and locked else 1)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert database.set_value("bob", 3) == (True, "bob")
database.close()
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=PARENT, check=True)
    assert '"ann": 1,\n"bob": 3' in (tmp_path / "a.json").read_text()


async def test_commits_of_many_tasks_are_all_kept(opened: Opener, tmp_path: Path) -> None:
    database = opened()

    async def work(name: str) -> None:
        for number in range(20):
            await database.commit_batch_async([DomainChanges(database, [(name, b"%d" % number)])], Origin(), sync=True)
            assert database.get_value(name) == (True, number)

    await asyncio.gather(*(work(f"key{number}") for number in range(30)))
    after = JSONDatabase(BARS, copy_as_after_a_kill(tmp_path))
    assert plain(after) == {f"key{number}": b"19" for number in range(30)}
    after.close()


async def test_a_cancelled_commit_ends_with_its_outcome_known(opened: Opener) -> None:
    database = opened()
    database.load_all()
    with database._store._journal.lock:  # the disk takes its time
        task = asyncio.ensure_future(database.commit_batch_async([DomainChanges(database, [("ann", b"1")])], Origin(), sync=True))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert plain(database) == {"ann": b"1"}


async def test_after_the_close_commits_say_so(opened: Opener) -> None:
    database = opened()
    await database.commit_batch_async([DomainChanges(database, [("ann", b"1")])], Origin(), sync=True)
    database.close()
    with pytest.raises(StoreClosed):
        await database.commit_batch_async([DomainChanges(database, [("ann", b"2")])], Origin(), sync=True)
    with pytest.raises(StoreClosed):
        database.load_all()
    assert list(database.all_keys()) == []


async def test_a_failed_commit_of_a_task_changes_nothing(tmp_path: Path) -> None:
    files = FailingFiles(1 << 30, length=2)
    store = Store(tmp_path, files=files)
    table = store.table(BARS)
    await store.commit_async([(table, [("ann", b"1")])], sync=True)
    files.at = files.calls + 1
    with pytest.raises(CommitFailed, match="nothing was changed"):
        await store.commit_async([(table, [("ann", b"2")])], sync=True)
    assert store.copy(table) == {"ann": b"1"}
    await store.commit_async([(table, [("ann", b"3")])], sync=True)
    assert store.copy(table) == {"ann": b"3"}
    store.close()


def test_a_disk_that_does_not_answer_is_no_empty_dict(opened: Opener, tmp_path: Path) -> None:
    first = opened()
    first.set_value("ann", 1)
    first.close()
    files = FailingFiles(1 << 30)
    store = Store(tmp_path / "store", files=files)
    files.at = files.calls + 1
    with pytest.raises(StorageUnavailable):
        store.copy(store.table(BARS))
    assert {key: bytes(value) for key, value in store.copy(store.table(BARS)).items()} == {"ann": b"1"}
    store.close()


@pytest.mark.parametrize("look", [len, list, CachedDict.copy, lambda bars: "ann" in bars, lambda bars: bars.get("ann")])
def test_a_dict_that_is_not_loaded_is_not_empty_while_its_file_cannot_be_read(tmp_path: Path, look: Callable[[CachedDict], object]) -> None:
    writing = JSONDatabase(BARS, tmp_path)
    writing.set_value("ann", 1)
    writing.close()
    file = tmp_path / "service_1/channel_x/bars.json"
    file.rename(tmp_path / "aside")
    file.mkdir()  # what a folder or a file of somebody else answers, also where the tests may read everything
    bars = CachedDict(JSONDatabase(BARS, tmp_path))
    with pytest.raises(StorageUnavailable):
        look(bars)
    file.rmdir()
    (tmp_path / "aside").rename(file)
    assert bars == {"ann": 1}
    bars.close()


def test_checkpoints_come_by_themselves_and_the_journal_stays_short(opened: Opener, tmp_path: Path) -> None:
    database = opened(checkpoint_bytes=5000)
    for number in range(2000):
        database.set_value(f"key{number % 10}", {"n": number})
    database._store._checkpoints.close()  # or one that comes by itself may be between its two segments just now
    database._store.checkpoint()
    segments = list((tmp_path / "store" / "journal").iterdir())
    assert len(segments) == 1
    assert int(segments[0].stem) > 2
    after = JSONDatabase(BARS, copy_as_after_a_kill(tmp_path))
    assert plain(after) == plain(database)
    after.close()


def test_a_snapshot_that_is_ahead_of_the_journal_takes_new_changes(opened: Opener, tmp_path: Path) -> None:
    """Sequence numbers begin again after a clean close, but never below those of a snapshot that they must win over."""
    for number in range(3):
        database = opened()
        for _ in range(5 - number):
            database.set_value("ann", number)
        opened(MANA).set_value("ann", number)
        after = JSONDatabase(BARS, copy_as_after_a_kill(tmp_path))
        assert after.get_value("ann") == (True, number)
        after.close()
        shutil.rmtree(tmp_path / "killed")
        database._store.checkpoint()
        database.close()


def test_a_store_whose_last_checkpoint_fails_keeps_its_journal(tmp_path: Path) -> None:
    files = FailingFiles(1 << 30, length=1 << 30)
    store = Store(tmp_path, files=files)
    store.commit([(store.table(BARS), [("ann", b"1")])], sync=True)
    files.at = files.calls + 1
    store.close()
    again = Store(tmp_path)
    assert {key: bytes(value) for key, value in again.copy(again.table(BARS)).items()} == {"ann": b"1"}
    again.close()


def test_a_record_that_fits_its_checksum_and_means_nothing_is_set_aside(opened: Opener, tmp_path: Path) -> None:
    from storage.json.lines import frame

    database = opened()
    database.set_value("ann", 1)
    killed = copy_as_after_a_kill(tmp_path)
    [path] = (killed / "journal").iterdir()
    path.write_bytes(path.read_bytes() + frame(b'{"seq":2,"changes":[["x"]]}'))
    after = JSONDatabase(BARS, killed)
    assert plain(after) == {"ann": b"1"}
    assert [finding.kind for finding in after.report] == ["replayed", "quarantined"]
    after.close()


def test_a_damaged_snapshot_is_kept_told_and_replaced(opened: Opener, tmp_path: Path) -> None:
    first = opened()
    for key in ("ann", "bob", "cid"):
        first.set_value(key, 100)
    first.close()
    path = tmp_path / "store" / "service_1/channel_x/bars.json"
    path.write_bytes(damaged := path.read_bytes().replace(b'"bob": 100', b'"bob": 1x0'))
    for _ in range(2):
        again = opened()
        assert plain(again) == {"ann": b"100", "cid": b"100"}
        assert {finding.key for finding in again.report if finding.kind == "quarantined"} >= {"bob"}
        killed = copy_as_after_a_kill(tmp_path)
        assert len(list((killed / "quarantine").iterdir())) == 2, "each state is kept once, with its note"
    assert again.report[0].kept is not None
    assert Path(again.report[0].kept).read_bytes() == damaged
    again.close()


def test_reads_in_other_threads_never_see_half_a_commit(opened: Opener) -> None:
    database = opened()
    stop = threading.Event()
    torn = []

    def read() -> None:
        while not stop.is_set():
            if len(set(plain(database).values())) > 1:
                torn.append(plain(database))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(500):
        database.commit_batch([DomainChanges(database, [(f"key{key}", b"%d" % number) for key in range(20)])], Origin(), sync=False)
    stop.set()
    reader.join()
    assert not torn


def test_opening_and_closing_in_many_threads_at_once(tmp_path: Path) -> None:
    failures: list[object] = []

    def work(name: str) -> None:
        for number in range(20):
            database = JSONDatabase(BARS, tmp_path)
            if database.set_value(name, number) != (True, name) or database.get_value(name) != (True, number):
                failures.append((name, number))
            database.close()

    threads = [threading.Thread(target=work, args=(f"key{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    database = JSONDatabase(BARS, tmp_path)
    assert plain(database) == {f"key{number}": b"19" for number in range(6)}
    database.close()
    assert sorted(os.listdir(tmp_path)) == ["retained", "service_1"]


def test_a_probe_writes_as_a_commit_would_and_leaves_nothing(tmp_path: Path) -> None:
    files = FailingFiles(1 << 30, length=1 << 30)
    store = Store(tmp_path, files=files)
    before = sorted(tmp_path.iterdir())
    store.probe()
    assert sorted(tmp_path.iterdir()) == before
    for call in range(3):
        files.at, files.length = files.calls + 1 + call, 1
        with pytest.raises(StorageUnavailable, match=f"cannot write to {tmp_path}"):
            store.probe()
    files.at = 1 << 30
    store.probe()
    assert sorted(tmp_path.iterdir()) == before
    store.close()
