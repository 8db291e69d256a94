"""The store below our TinyDB: disks that fail, processes that stop and power that goes away at every single call."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tinydb import TinyDB, where

from mooring.plugins.torbox.records import collect
from mooring.plugins.torbox.refresh import replace_generation
from mooring.plugins.torbox.table import JournalDB
from storage import CommitFailed, StorageError
from storage.files import Files
from tests.crash.disks import CountingFiles, FailingFiles, PowerLossFiles, Stop, StoppingFiles
from tests.plugins.torbox.torbox_server import make_items

State = dict[str, list[dict[str, Any]]]
Step = Callable[[JournalDB], Any]

LONGEST_FAULT = 5

FIRST: list[Step] = [
    lambda database: database.insert({"a": 1, "nested": {"x": [1]}}),
    lambda database: database.insert_multiple([{"a": 2}, {"a": 3}]),
    lambda database: database.update({"b": "é"}, where("a") == 2),
    lambda database: database.table("other").insert({"o": 1}),
]
SECOND: list[Step] = [
    lambda database: database.remove(where("a") == 1),
    lambda database: replace_generation(database, "torrents", collect("torrents", make_items(3)).records),
    lambda database: database.table("other").truncate(),
    lambda database: replace_generation(database, "torrents", collect("torrents", make_items(3, first=2)).records),
    lambda database: database.drop_table("other"),
]


class Ledger:
    """The states that the steps led to, in order, and how many of them were acknowledged."""

    def __init__(self) -> None:
        self.states: list[State] = [{}]
        self.acknowledged = 0
        self.synced = 0
        self.failed = 0

    def run(self, database: JournalDB, step: Step, model: JournalDB) -> None:
        try:
            self.states.append(_after(step, model))
            step(database)
        except CommitFailed:
            self.failed += 1
            self.states.pop()
            model.storage.write({name: {str(key): each for key, each in enumerate(documents, 1)} for name, documents in self.last.items()})
            return
        self.acknowledged = len(self.states) - 1
        if step in (SECOND[1], SECOND[3]):
            self.synced = self.acknowledged

    @property
    def last(self) -> State:
        return self.states[self.acknowledged]


def _after(step: Step, model: JournalDB) -> State:
    step(model)
    return state_of(model)


def state_of(database: TinyDB) -> State:
    """Everything that is kept, the moments of refreshes aside, which no two runs share, and ids, of which failures take some."""
    content: State = {name: list(documents.values()) for name, documents in (database.storage.read() or {}).items()}
    for document in content.get("generation", []):
        document["refreshed_at"] = 0
    return content


@contextmanager
def opened(path: Path, files: Files | None = None) -> Iterator[JournalDB]:
    """A database that is closed at the end, or, if something is raised, left as it is on the disk."""
    database = _patiently(lambda: JournalDB(path, files=files or Files()))
    try:
        yield database
        with _tolerating_faults():
            database.close()
    except BaseException:
        database.store.abandon()
        database.storage._closing.detach()  # type: ignore[attr-defined]
        raise


def live(path: Path, files: Files, ledger: Ledger, scratch: Path) -> None:
    """Opens twice, so that files, journals and both together are read. A disk that fails does not end the story."""
    with opened(scratch / "model.json") as model:
        for steps in (FIRST, SECOND):
            with opened(path, files) as database:
                assert state_of(database) == ledger.last
                for number, step in enumerate(steps):
                    ledger.run(database, step, model)
                    assert state_of(database) == ledger.last
                    if number == 1:
                        with _tolerating_faults():
                            database.store.checkpoint()
                        assert state_of(database) == ledger.last


def _patiently(action: Callable[[], JournalDB]) -> JournalDB:
    for _ in range(LONGEST_FAULT):
        with _tolerating_faults():
            return action()
    return action()


@contextmanager
def _tolerating_faults() -> Iterator[None]:
    with suppress(OSError, StorageError):
        yield


def _calls_of_the_story(folder: Path) -> int:
    files = CountingFiles()
    live(folder / "counted" / "records.json", files, Ledger(), folder / "counted")
    return files.calls


def _story_until_stop(path: Path, files: Files) -> Ledger:
    ledger = Ledger()
    with suppress(Stop):
        live(path, files, ledger, path.parent / "scratch")
    return ledger


@pytest.mark.parametrize("length", [1, LONGEST_FAULT])
def test_a_disk_that_fails_at_any_call_costs_at_most_what_it_said(tmp_path: Path, length: int) -> None:
    failed = 0
    for at in range(1, _calls_of_the_story(tmp_path) + 1):
        ledger = Ledger()
        path = tmp_path / str(at) / "records.json"
        live(path, FailingFiles(at, length=length, half=True), ledger, tmp_path / f"{at}-scratch")
        with opened(path) as database:
            assert state_of(database) == ledger.last, f"the fault was at call {at}"
        failed += ledger.failed
    assert failed >= len(FIRST) + len(SECOND)


@pytest.mark.parametrize("half", [False, True])
def test_a_process_killed_at_any_call_keeps_every_acknowledged_step_and_no_half_one(tmp_path: Path, half: bool) -> None:
    for at in range(1, _calls_of_the_story(tmp_path) + 1):
        path = tmp_path / str(at) / "records.json"
        ledger = _story_until_stop(path, StoppingFiles(at, half=half))
        for _ in range(2):
            with opened(path) as database:
                assert state_of(database) in ledger.states[ledger.acknowledged :], f"stopped at call {at}"
        with TinyDB(path) as stock:
            assert state_of(stock) in ledger.states[ledger.acknowledged :]


@pytest.mark.parametrize("eager", [False, True])
def test_power_lost_at_any_call_keeps_every_generation_that_was_told(tmp_path: Path, eager: bool) -> None:
    for at in range(1, _calls_of_the_story(tmp_path) + 2):
        root = tmp_path / str(at)
        files = PowerLossFiles(root, at, eager=eager)
        ledger = _story_until_stop(root / "records.json", files)
        disk = tmp_path / f"{at}-disk"
        files.power_on_again(disk)
        with opened(disk / "records.json") as database:
            assert state_of(database) in ledger.states[ledger.synced :], f"power was lost at call {at}"


def test_damage_in_the_journal_costs_what_it_hits_and_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    database = JournalDB(path)
    for number in range(5):
        database.insert({"number": number})
    _die(database)
    (segment,) = (tmp_path / "records.json.journal").iterdir()
    data = segment.read_bytes()
    hit = data.index(b'"number":2')
    segment.write_bytes(data[:hit] + b"\0" + data[hit + 1 :])
    with opened(path) as again:
        assert [document["number"] for document in again] == [0, 1, 3, 4]
        assert [finding.kind for finding in again.store.findings] == ["quarantined"]
        assert b'umber":2' in Path(again.store.findings[0].kept or "").read_bytes()


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    database = JournalDB(path)
    database.insert_multiple([{"a": 1}, {"a": 2}])
    database.insert({"a": 3})
    _die(database)
    (segment,) = (tmp_path / "records.json.journal").iterdir()
    segment.write_bytes(segment.read_bytes()[:-4])
    with opened(path) as again:
        assert [document["a"] for document in again] == [1, 2]
        assert [finding.kind for finding in again.store.findings] == ["torn"]


def test_a_broken_file_does_not_cost_what_the_journal_has(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    with opened(path) as database:
        database.insert({"a": 1})
    database = JournalDB(path)
    database.insert({"a": 2})
    _die(database)
    path.write_text("{broken")
    with opened(path) as again:
        assert again.all() == [{"a": 2}]
        assert [finding.kind for finding in again.store.findings] == ["quarantined"]


def test_checkpoints_keep_the_journal_short_and_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    with JournalDB(path, checkpoint_bytes=2_000) as database:
        for number in range(2_000):
            database.insert({"number": number})
            if number % 3 == 0:
                database.remove(doc_ids=[number])
        with database.store._checkpointing:
            assert sum(file.stat().st_size for file in (tmp_path / "records.json.journal").iterdir()) < 400_000
        expected = database.all()
    with TinyDB(path) as stock:
        assert stock.all() == expected


def test_a_forked_child_touches_nothing_of_its_parent(tmp_path: Path) -> None:
    import multiprocessing

    path = tmp_path / "records.json"
    with JournalDB(path) as database:
        database.insert({"a": 1})
        child = multiprocessing.get_context("fork").Process(target=_insert_and_close, args=(database,))
        child.start()
        child.join(30)
        assert child.exitcode == 0
        database.insert({"a": 2})
        assert (tmp_path / ".records.json.owner").exists()
    assert len(json.loads(path.read_text())["_default"]) == 2


def _insert_and_close(database: JournalDB) -> None:
    with pytest.raises(StorageError):
        database.insert({"a": 9})
    database.close()


def _die(database: JournalDB) -> None:
    """As a kill leaves it."""
    database.store.abandon()
    database.storage._closing.detach()  # type: ignore[attr-defined]
